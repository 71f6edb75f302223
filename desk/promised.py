"""Whether a text speaks of an attachment, in the words of many languages: one that is missing is noticed in time."""

from __future__ import annotations

import re
from functools import lru_cache

# How words begin that promise a file; each stands for all its endings.
_BEGINNINGS = """
    attached attaching attachment enclosed enclosing enclosure
    anhang anhänge angehängt angehaengt anbei beigefügt beigefuegt beiliegend anliegend beigelegt
    ci-joint ci-inclus ci-annexé
    adjunto adjunta adjunté adjuntamos anexo anexa anexado anexei anexamos
    allegat alleghiamo allego
    bijlage bijgevoegd bijgesloten bijgaand
    bifoga bilaga bilagor vedhæft vedheft vedlagt vedlegg vedlægg bilag
    liitte oheistan oheisena meðfylgjandi viðhengi
    załącz přílo přilož prílo prilož privitak privitku prilog prilaž
    csatol mellékel mellékl lisatud manuses pievieno pielikum pridėt priede
    atașat ataşat atasat anexat ataşez atașez
    вложен вложил прилага приложен прикреп прикріп вкладен вкладав прикачен прилож долучен
    συνημμέν επισυνάπτ συνάπτω
    ekte ekteki ekli ekledim iliştir ilişik
    adjunt adxunt erantsi
    terlampir lampiran lampirkan disertakan nakalakip kalakip ambatisho
"""
# Said in several words, or in a script without spaces between them.
_PHRASES = (
    "pièce jointe", "pièces jointes", "piece jointe", "pieces jointes", "en annexe", "im anhang", "in der anlage",
    "als anlage", "en anexo", "em anexo", "in allegato", "w załączeniu", "u prilogu", "v prilogi", "во вложении",
    "у вкладенні", "u privitku", "đính kèm", "gửi kèm", "添付", "同封", "別添", "附件", "附上", "附檔", "随附", "隨附", "첨부", "동봉",
    "แนบ", "संलग्न", "সংযুক্ত", "இணைக்கப்பட்ட", "مرفق", "مرفقات", "پیوست", "ضمیمه", "منسلک", "מצורף", "מצורפ", "מצ״ב", 'מצ"ב',
)  # fmt: skip
_QUOTE = re.compile(r"^[ \t]*>.*$", re.MULTILINE)
_SIGNATURE = re.compile(r"^-- ?$.*", re.MULTILINE | re.DOTALL)


@lru_cache(maxsize=1)
def _said() -> re.Pattern[str]:
    beginnings = [re.escape(word) for word in _BEGINNINGS.split() if len(word) > 3]
    phrases = [re.escape(phrase) for phrase in _PHRASES]
    return re.compile(rf"(?<!\w)(?:{'|'.join(beginnings)})\w*|(?:{'|'.join(phrases)})", re.IGNORECASE)


def promised(text: str) -> str:
    """The word with which `text` speaks of an attachment, outside of quotes and signature; "" when it does not."""
    found = _said().search(_SIGNATURE.sub("", _QUOTE.sub("", text)))
    return found[0] if found else ""
