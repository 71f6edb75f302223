"""What the sender wrote this time: a mail's text without quotes and signature.

One linear pass over lines. Lines are looked at up to 400 characters and 600 lines deep;
of what lies beyond, only lines that are marked as quotes go. Nothing is deleted from the
mail: screens fold the difference between `text` and `visible`.
"""

from __future__ import annotations

import re

LINES = 600
LINE_CHARACTERS = 400
_SIGNATURE_LINES = 20
_ATTRIBUTION_LINES = 3
_ATTRIBUTION_CHARACTERS = 500
_BLOCK_LINES = 8
_LABELS_NEEDED = 3

# The verbs of "On ... wrote:" close the line; before or after them stand a name and a date.
_WROTE = re.compile(
    r"(?:\bwrote|\bwrites|\bschrieb\b.*|\bschreef\b.*|a écrit|\bescribió|\bha scritto|\bescreveu|\bнаписала?|\bнаписал\(а\)|\bпишет"
    r"|\bnapisał(?:a|\(a\))?|\bnapisał/a|さんは書きました|は書きました|のメール|写道|寫道)\s*[:：]$",
    re.IGNORECASE,
)
_OPENS = re.compile(r"(?:On|Am|Le|El|Il|Em|Op|W dniu|Dnia|Den|В|在|于|於)\s|\d{4}[-/年.]|\d{1,2}[./ ]", re.IGNORECASE)
_STAMPED = re.compile(r"\d{1,2}[:.]\d{2}\b|<[^<>\s]+@[^<>\s]+>|\d{4}")
_DATED = re.compile(r"\d{1,4}.*\d|<[^<>\s]+@[^<>\s]+>")
_ORIGINAL = re.compile(
    r"-{2,}\s*(?:Original Message|Original-Nachricht|Ursprüngliche Nachricht|Message d'origine|Message original|Mensaje original"
    r"|Messaggio originale|Mensagem original|Oorspronkelijk bericht|Oryginalna wiadomość|Wiadomość oryginalna|Исходное сообщение"
    r"|原始邮件|原始郵件|元のメッセージ|Original Appointment)\s*-{2,}",
    re.IGNORECASE,
)
_FORWARD = re.compile(
    r"(?:-{2,}\s*(?:Forwarded message|Weitergeleitete Nachricht|Message transféré|Mensaje reenviado|Messaggio inoltrato"
    r"|Mensagem encaminhada|Doorgestuurd bericht|Wiadomość przekazana dalej|Пересылаемое сообщение|Пересланное сообщение|转发的消息|転送メッセージ)"
    r"|Begin forwarded message:|Anfang der weitergeleiteten Nachricht:|Début du message (?:réexpédié|transféré) ?:|Inizio messaggio inoltrato:"
    r"|Inicio del mensaje reenviado:|Begin doorgestuurd bericht:|Начало переадресованного сообщения:|转发邮件信息：|転送されたメール：)",
    re.IGNORECASE,
)
_FROM = re.compile(
    r"[ *_]*(?:From|Von|De|От|差出人|发件人|發件人|寄件者|寄件人|Da|Van|Od|Mittente)\s?[*_]*\s?[:：]", re.IGNORECASE
)
_LABEL = re.compile(
    r"[ *_]*(?:From|Sent|Date|To|Cc|Subject|Von|Gesendet|Datum|An|Betreff|De|Envoyé|Date d'envoi|À|Objet|От|Отправлено|Дата|Кому|Копия"
    r"|Тема|差出人|送信日時|日時|宛先|件名|发件人|發件人|寄件者|寄件人|发送时间|日期|时间|寄件日期|收件人|收件者|抄送|主题|主旨|主題"
    r"|Enviado(?: el)?|Fecha|Para|Asunto|Da|Inviato|Data|A|Oggetto|Enviada(?: em)?|Assunto|Van|Verzonden|Aan|Onderwerp"
    r"|Od|Wysłano|Do|DW|Temat)\s?[*_]*\s?[:：]",
    re.IGNORECASE,
)
_RULE = re.compile(r"[_-]{5,}\s*")
_REPLY_ABOVE = re.compile(
    r"\W*(?:please )?(?:type|write|reply)?[\w ]{0,20}\b(?:reply|type|write)[\w ]{0,20} above this line\b", re.IGNORECASE
)
_MOBILE = re.compile(
    r"(?:Sent (?:from|via|with|using) (?!the |our )\S.{0,60}|Get Outlook for \w+.{0,60}|Von meinem .{1,40} gesendet.{0,40}|Gesendet (?:von|mit) .{1,60}"
    r"|Diese Nachricht wurde von meinem .{1,60} gesendet.?|Envoyé (?:de|depuis|à partir de) .{1,60}|Enviado (?:desde|do|de|a partir do) .{1,60}"
    r"|Inviato da.{1,60}|Verstuurd vanaf .{1,60}|Verzonden (?:vanaf|met) .{1,60}|Wysłan[eoy] z .{1,60}|Отправлено (?:с|из) .{1,60}"
    r"|(?:私の)?.{1,20}から送信|从我的.{1,20}发送|发自我的.{1,20}|發自我的.{1,20}|Outlook für \w+ beziehen.{0,60}|Télécharger Outlook pour .{1,60})",
    re.IGNORECASE,
)
_FORWARD_FIRSTS = frozenset("-BADIН转転")
# A line that neither begins nor ends with one of these is nobody's quote: most lines end here.
_FIRSTS = frozenset(" >＞|-_*[(#\xa0\u200eABDEFGILMOPSTVWВДНОП0123456789在于於差发發寄从自私转転fosvdgeiw")
_LASTS = frozenset(":： -_信送发发-")
_OPEN_FIRSTS = frozenset(" *\u200e\xa0OALEIWDВoaleiwdв0123456789在于於")
_COLON_LASTS = frozenset(":： *\u200e\xa0")
_QUOTE = (">", "＞", "|>", " >", "  >")


def visible(text: str) -> str:
    """`text` without quotes and signature; `text` itself if there are none, or if nothing would remain."""
    lines = text.split("\n")
    kept = _kept(lines[:LINES]) + [line for line in lines[LINES:] if not line.startswith(_QUOTE)]
    if len(kept) == len(lines):
        return text
    shown = "\n".join(_squeezed(kept)).strip("\n")
    return shown if shown.strip() else text


def _kept(lines: list[str]) -> list[str]:
    """The lines of their own. A cut that reaches to the end leaves everything below it out."""
    kept: list[str] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        if not line or (line[0] not in _FIRSTS and line[-1] not in _LASTS):
            kept.append(line)
            at += 1
            continue
        if line[0] in _FORWARD_FIRSTS and _FORWARD.match(line):
            return kept + lines[at:]  # what was forwarded is what they want to show
        skip = 1 if line[0] == ">" else _skip(lines, at, kept)
        if not skip:
            kept.append(line)
        at += skip or 1
    return kept


def _skip(lines: list[str], at: int, kept: list[str]) -> int:
    """How many lines from `at` on are not the sender's own words now; 0 if this one is."""
    line = lines[at][:LINE_CHARACTERS]
    if line.isspace():
        return 0
    if line.startswith(_QUOTE):
        return 1
    if line.rstrip() == "--":
        return _signature(lines, at, kept)
    if line[0] in "-_" or line[-1] in "-_":
        return _separator(lines, at, line, kept)
    if (count := _attribution(lines, at)) and (quoted := _quoted_below(lines, at + count, kept)):
        return count + quoted
    if _FROM.match(line):
        return _header_block(lines, at, kept)
    return _small(lines, at, line, kept)


def _has_words(kept: list[str]) -> bool:
    return any(line and not line.isspace() for line in kept)


# -- the marks ---------------------------------------------------------------


def _signature(lines: list[str], at: int, kept: list[str]) -> int:
    """From the line "-- " down to a quote or the end, if that is no longer than a signature."""
    if not _has_words(kept):
        return 0
    filled = 0
    for number in range(at + 1, len(lines)):
        line = lines[number][:LINE_CHARACTERS]
        if line.startswith(_QUOTE) or _attribution(lines, number) or _ORIGINAL.match(line.strip()) or _FROM.match(line):
            return number - at
        filled += bool(line.strip())
        if filled > _SIGNATURE_LINES:
            return 0
    return len(lines) - at


def _separator(lines: list[str], at: int, line: str, kept: list[str]) -> int:
    """ "-----Original Message-----", or a ruler above a block of From, Sent, To."""
    if not _has_words(kept):
        return 0
    if _ORIGINAL.match(line.strip()):
        return len(lines) - at
    below = _next_filled(lines, at + 1)
    if _RULE.fullmatch(line) and below < len(lines) and _FROM.match(lines[below][:LINE_CHARACTERS]):
        cut = _header_block(lines, below, kept)
        return below - at + cut if cut else 0
    return 0


def _header_block(lines: list[str], at: int, kept: list[str]) -> int:
    """A copied header (From, Sent, To, Subject): all below it is the mail that was answered."""
    if not _has_words(kept):
        return 0
    block = [line[:LINE_CHARACTERS] for line in lines[at : at + 2 * _BLOCK_LINES] if line.strip()][:_BLOCK_LINES]
    return len(lines) - at if sum(_LABEL.match(line) is not None for line in block) >= _LABELS_NEEDED else 0


def _attribution(lines: list[str], at: int) -> int:
    """How many lines "On ... wrote:" takes from here, 0 if it does not stand here."""
    if not lines[at] or (lines[at][0] not in _OPEN_FIRSTS and lines[at][-1] not in _COLON_LASTS):
        return 0
    line = lines[at][:LINE_CHARACTERS].strip(" *\u200e\xa0")
    if line.endswith((":", "：")) and _WROTE.search(line):
        return 1 if _OPENS.match(line) or _DATED.search(line) or len(line) < 60 else 0
    if line.endswith((":", "：")) and _STAMPED.search(line) and _quote_follows(lines, at + 1):
        return 1
    if not _OPENS.match(line):
        return 0
    for count in range(2, _ATTRIBUTION_LINES + 1):
        if at + count > len(lines) or not lines[at + count - 1].strip():
            return 0
        line = f"{line} {lines[at + count - 1][:LINE_CHARACTERS].strip(' *')}"
        if line.endswith((":", "：")):
            fits = len(line) <= _ATTRIBUTION_CHARACTERS and _DATED.search(line) and _WROTE.search(line)
            return count if fits else 0
    return 0


def _quoted_below(lines: list[str], at: int, kept: list[str]) -> int:
    """How many lines below an attribution it covers; 0 means that it is no attribution.

    With quote marks below, only the gap down to them: an answer may follow the quote.
    Without marks (some programs set none) everything below, if words stand above.
    """
    below = _next_filled(lines, at)
    if below == len(lines):
        return max(1, below - at)
    if lines[below].startswith(_QUOTE):
        return below - at + 1
    dated = _DATED.search(" ".join(lines[max(0, at - _ATTRIBUTION_LINES) : at])[:_ATTRIBUTION_CHARACTERS])
    return len(lines) - at if dated and _has_words(kept) else 0


def _small(lines: list[str], at: int, line: str, kept: list[str]) -> int:
    """The last line of a telephone's mail, and our own "reply above this line"."""
    if "above this line" in line and _REPLY_ABOVE.match(line):
        return len(lines) - at if _has_words(kept) else 1
    if len(line) < 100 and _MOBILE.fullmatch(line.strip(" *_[]().")) and _ends_here(lines, at + 1):
        return 1
    return 0


def _ends_here(lines: list[str], at: int) -> bool:
    """True if only a quote follows, or nothing."""
    below = _next_filled(lines, at)
    if below == len(lines) or _attribution(lines, below):
        return True
    line = lines[below][:LINE_CHARACTERS]
    return (
        line.startswith((*_QUOTE, "--", "__"))
        or _FROM.match(line) is not None
        or _MOBILE.fullmatch(line.strip()) is not None
    )


def _quote_follows(lines: list[str], at: int) -> bool:
    below = _next_filled(lines, at)
    return below < len(lines) and lines[below].startswith(_QUOTE)


def _next_filled(lines: list[str], at: int) -> int:
    while at < len(lines) and not lines[at].strip():
        at += 1
    return at


def _squeezed(lines: list[str]) -> list[str]:
    """At most one empty line in a row, now that pieces are missing."""
    return [line for number, line in enumerate(lines) if line.strip() or number == 0 or lines[number - 1].strip()]
