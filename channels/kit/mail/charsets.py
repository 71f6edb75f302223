"""Bytes to text, whatever their label says.

The order is: the declared charset, strict UTF-8, a guess by chardet, cp1252. Labels are
read as browsers read them: GB2312 means GB18030, ISO-8859-1 means windows-1252.
"""

from __future__ import annotations

import codecs
import re
from functools import lru_cache

_LABEL = re.compile(r"[a-z0-9._:+-]{1,40}")
_ALIASES = {
    "gb2312": "gb18030",
    "gb_2312-80": "gb18030",
    "gb2312-80": "gb18030",
    "x-gbk": "gb18030",
    "gbk": "gb18030",
    "cp936": "gb18030",
    "euc-cn": "gb18030",
    "euc-kr": "cp949",
    "ks_c_5601-1987": "cp949",
    "ks_c_5601": "cp949",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "sjis": "cp932",
    "x-sjis": "cp932",
    "windows-31j": "cp932",
    "big5": "big5hkscs",
    "iso-8859-1": "cp1252",
    "latin1": "cp1252",
    "iso8859-1": "cp1252",
    "iso_8859-1": "cp1252",
    "iso-8859-9": "cp1254",
    "iso-8859-11": "cp874",
    "tis-620": "cp874",
    "windows-874": "cp874",
    "iso-8859-8-i": "iso-8859-8",
    "iso-2022-jp": "iso2022_jp_ext",
    "iso-2022-cn": "gb18030",
    "hz-gb-2312": "hz",
    "unicode-1-1-utf-7": "utf-7",
    "unicode-1-1-utf-8": "utf-8",
    "utf8mb4": "utf-8",
    "macintosh": "mac_roman",
    "x-mac-roman": "mac_roman",
    "x-mac-cyrillic": "mac_cyrillic",
}
# Codecs that are not charsets: slow, or able to make half of a surrogate pair.
_REFUSED = frozenset({"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem"})
# Labels that senders put on everything: valid UTF-8 under them is UTF-8.
_CARELESS = frozenset({"cp1252", "ascii", "iso8859-1"})
_ESCAPED = frozenset({"iso2022_jp_ext", "iso2022_kr", "hz", "utf-7"})
_KANJI = re.compile(rb"\x1b\$[@B]([!-~]*)(?:\x1b\([BJ])?")
_ESCAPES = 50_000
_SAMPLE_BYTES = 4_096
_SURE = 0.5
_ASCII = bytes(range(128))


@lru_cache(maxsize=256)
def codec(label: str) -> str | None:
    """Python's name of the charset that `label` means, None for one nobody knows."""
    name = label.strip(" \t\"'<>;,").lower()
    if not _LABEL.fullmatch(name):
        return None
    try:
        found = codecs.lookup(_ALIASES.get(name, name))
    except (LookupError, ValueError, ImportError):
        return None
    is_text = getattr(found, "_is_text_encoding", True)
    return _canonical(found.name) if is_text and found.name.replace("-", "_") not in _REFUSED else None


def _canonical(name: str) -> str:
    return _ALIASES.get(name, name) if name != "iso8859-1" else "cp1252"


def decode(data: bytes, label: str | None = None) -> tuple[str, str | None]:
    """The text in `data`, and a sentence on what was wrong with its label, if anything."""
    name = codec(label) if label else None
    if data.isascii() and (name is None or name not in _ESCAPED) and not (name or "").startswith(("utf-16", "utf-32")):
        if b"\x1b$" in data:
            return _strict(data, "iso2022_jp_ext") or _vendor_japanese(data) or data.decode("ascii"), None
        return data.decode("ascii"), None
    if name is None:
        return _unlabelled(data), f'The charset "{label[:40]}" is unknown; it was guessed.' if label else None
    text = _honest(data, name)
    if text is not None:
        return text, None
    return _mislabelled(data, name), f'The text is not in the charset "{name}" that it names.'


def _honest(data: bytes, name: str) -> str | None:
    """The text if the label can be believed."""
    if name in _CARELESS and (text := _strict(data, "utf-8")) is not None:
        return text
    text = _strict(data, name)
    return _vendor_japanese(data) if text is None and name == "iso2022_jp_ext" else text


def _vendor_japanese(data: bytes) -> str | None:
    """ISO-2022-JP with what makers added to it (circled digits, rarer names): cp932 has them, in another order."""
    if not data.isascii() or data.count(b"\x1b") > _ESCAPES:
        return None
    data = _KANJI.sub(lambda run: _as_cp932(run[1]), data)
    return None if b"\x1b" in data else _strict(data, "cp932")


def _as_cp932(run: bytes) -> bytes:
    out = bytearray()
    for high, low in zip(run[::2], run[1::2], strict=False):
        row = high - 0x21
        out.append(row // 2 + (0x81 if row < 62 else 0xC1))
        out.append(low + (0x7E if row % 2 else 0x1F + (low > 0x5F)))
    return bytes(out)


def _strict(data: bytes, name: str) -> str | None:
    try:
        text = data.decode(name)
    except (UnicodeError, ValueError):
        return None
    return text


def _mislabelled(data: bytes, name: str) -> str:
    """A few bad bytes in the named charset, or another charset altogether."""
    try:
        text = data.decode(name, "replace")
    except (UnicodeError, ValueError):
        return _unlabelled(data)
    bad = text.count("\ufffd")
    if name not in _CARELESS and bad * 20 <= len(text):
        return text
    if name == "utf-8" and bad <= sum(letter > "\x7f" for letter in text) - bad:
        return text  # whole characters of UTF-8 do not come about by chance
    return _unlabelled(data)


def _unlabelled(data: bytes) -> str:
    text = _strict(data, "utf-8")
    if text is None:
        guess = _guess(data)
        text = _strict(data, guess) if guess else None
    return data.decode("cp1252", "replace") if text is None else text


def _guess(data: bytes) -> str | None:
    import chardet

    sample = data[:_SAMPLE_BYTES]
    found = chardet.detect(sample)
    name, sure = found.get("encoding"), found.get("confidence") or 0
    if not isinstance(name, str) or name.startswith("Mac"):
        return None
    # A short sample never makes it sure, but only Latin scripts are mostly ASCII.
    foreign = len(sample.translate(None, _ASCII)) * 3 >= len(sample)
    return codec(name) if foreign or sure >= _SURE else None


def storable(text: str) -> str:
    """`text` as any store takes it: no NUL, no half of a surrogate pair, lines ended by a newline."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\x00" in text:
        text = text.replace("\x00", "\ufffd")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
