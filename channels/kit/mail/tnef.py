"""Outlook's `winmail.dat` (TNEF) opened into its files and its text.

A small reader of our own: what Outlook puts inside is a flat list of attributes
([MS-OXTNEF]), and the packages for it are neither maintained nor bounded. Everything is a
slice of the given bytes; what does not add up ends the reading, and what was read is kept.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from channels.kit.mail import rtf
from channels.kit.mail.charsets import decode

SIGNATURE = b"\x78\x9f\x3e\x22"
ATTRIBUTES = 5_000
PROPERTIES = 2_000
FILES = 500
DEPTH = 3

# Attributes of the stream.
_BODY, _MAPI, _CODE_PAGE = 0x800C, 0x9003, 0x9007
_FILE_BEGINS, _FILE_TITLE, _FILE_DATA, _FILE_MAPI = 0x9002, 0x8010, 0x800F, 0x9005
# Properties of MAPI.
_PLAIN, _RTF, _HTML, _CPID = 0x1000, 0x1009, 0x1013, 0x3FDE
_DATA, _SHORT_NAME, _LONG_NAME, _MIME, _CONTENT_ID, _DISPLAY = 0x3701, 0x3704, 0x3707, 0x370E, 0x3712, 0x3001
_OBJECT, _STRING, _UNICODE, _BINARY, _MANY = 0x000D, 0x001E, 0x001F, 0x0102, 0x1000
_SIZES = {
    0x0002: 4,
    0x0003: 4,
    0x0004: 4,
    0x0005: 8,
    0x0006: 8,
    0x0007: 8,
    0x000A: 4,
    0x000B: 4,
    0x0014: 8,
    0x0040: 8,
    0x0048: 16,
}
_IID = 16


@dataclass(slots=True)
class File:
    """One file inside."""

    name: str = ""
    data: bytes = b""
    content_type: str = ""
    content_id: str = ""


@dataclass(slots=True)
class Opened:
    """What was inside: text or HTML, and files."""

    text: str = ""
    html: str = ""
    files: list[File] = field(default_factory=list)


def open_tnef(data: bytes, depth: int = 0) -> Opened | None:
    """What `data` holds, None if it is no TNEF."""
    if not data.startswith(SIGNATURE):
        return None
    found = Opened()
    reader = _Reader(found)
    try:
        for attribute, value in _attributes(data):
            reader.take(attribute, value)
    except (struct.error, IndexError, ValueError):
        pass  # it breaks off here; everything before is good
    found.files = [inner for file in found.files for inner in _unfolded(file, depth)][:FILES]
    return found


def _unfolded(file: File, depth: int) -> list[File]:
    """A file; for a mail inside the mail its files too."""
    inner = file.data[_IID : _IID + 4] == SIGNATURE
    nested = open_tnef(file.data[_IID:], depth + 1) if inner and depth < DEPTH else None
    if nested is None:
        return [file] if file.data or file.name else []
    text = (nested.text or nested.html).encode()
    name = (file.name or "message") + (".txt" if nested.text else ".html")
    return [File(name, text, "text/plain" if nested.text else "text/html"), *nested.files] if text else nested.files


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 6
    for _ in range(ATTRIBUTES):
        if at + 9 > len(data):
            return
        level, attribute, _kind, size = struct.unpack_from("<BHHI", data, at)
        if level not in (1, 2):
            return
        yield attribute, data[at + 9 : at + 9 + size]
        at += 9 + size + 2


class _Reader:
    """Sorts attributes into the text and the file that is open."""

    def __init__(self, found: Opened) -> None:
        self.found = found
        self.charset = "cp1252"

    def take(self, attribute: int, value: bytes) -> None:
        """Take in one attribute."""
        match attribute:
            case 0x9007:
                self.charset = f"cp{struct.unpack_from('<I', value)[0]}"
            case 0x800C:
                self.found.text = self.found.text or self._text(value)
            case 0x9003:
                self._message(dict(_properties(value)))
            case 0x9002 if len(self.found.files) < FILES:
                self.found.files.append(File())
            case 0x8010 | 0x800F | 0x9005 if self.found.files:
                self._file(self.found.files[-1], attribute, value)

    def _message(self, properties: dict[int, tuple[int, bytes]]) -> None:
        found = self.found
        if _PLAIN in properties:
            found.text = self._string(properties[_PLAIN]) or found.text
        if _HTML in properties:
            kind, value = properties[_HTML]
            page = properties.get(_CPID)
            label = f"cp{struct.unpack_from('<I', page[1])[0]}" if page else self.charset
            found.html = (
                value.decode("utf-16-le", "replace")
                if kind == _UNICODE
                else decode(value, label.replace("cp65001", "utf-8"))[0]
            )
        if _RTF in properties and not found.text.strip() and not found.html.strip():
            found.text = rtf.text(rtf.unpacked(properties[_RTF][1]))

    def _file(self, file: File, attribute: int, value: bytes) -> None:
        if attribute == _FILE_TITLE:
            file.name = file.name or self._text(value)
        elif attribute == _FILE_DATA:
            file.data = file.data or value
        else:
            properties = dict(_properties(value))
            names = (self._string(properties[key]) for key in (_LONG_NAME, _SHORT_NAME, _DISPLAY) if key in properties)
            file.name = next(filter(None, names), file.name)
            file.content_type = self._string(properties[_MIME]).lower() if _MIME in properties else ""
            file.content_id = self._string(properties[_CONTENT_ID]) if _CONTENT_ID in properties else ""
            file.data = properties[_DATA][1] if _DATA in properties else file.data

    def _string(self, value: tuple[int, bytes]) -> str:
        kind, data = value
        return data.decode("utf-16-le", "replace").rstrip("\0") if kind == _UNICODE else self._text(data)

    def _text(self, data: bytes) -> str:
        return decode(data.rstrip(b"\0"), self.charset)[0]


def _properties(data: bytes) -> Iterator[tuple[int, tuple[int, bytes]]]:
    """(id, (type, bytes)) of the properties that stand in a list; of several values the first."""
    (count,) = struct.unpack_from("<I", data)
    at = 4
    for _ in range(min(count, PROPERTIES)):
        if at + 4 > len(data):
            return
        kind, number = struct.unpack_from("<HH", data, at)
        at = _behind_name(data, at + 4) if number >= 0x8000 else at + 4
        at, value = _value(data, at, kind)
        yield number, (kind & ~_MANY, value)


def _behind_name(data: bytes, at: int) -> int:
    """A property may carry a name of its own: a GUID, then a number or a string."""
    (kind,) = struct.unpack_from("<I", data, at + 16)
    if kind == 0:
        return at + 24
    (size,) = struct.unpack_from("<I", data, at + 20)
    return at + 24 + _padded(size)


def _value(data: bytes, at: int, kind: int) -> tuple[int, bytes]:
    """Where the value ends, and its bytes."""
    many = bool(kind & _MANY)
    base = kind & ~_MANY
    if size := _SIZES.get(base):
        count = 1
        if many:
            (count,) = struct.unpack_from("<I", data, at)
            at += 4
        return at + size * count, data[at : at + size]
    if base not in (_OBJECT, _STRING, _UNICODE, _BINARY):
        raise ValueError(f"a property of type {kind:#x}")
    (count,) = struct.unpack_from("<I", data, at)
    at += 4
    first: bytes | None = None
    for _ in range(min(count, PROPERTIES)):
        (size,) = struct.unpack_from("<I", data, at)
        first = data[at + 4 : at + 4 + size] if first is None else first
        at += 4 + _padded(size)
    return at, first or b""


def _padded(size: int) -> int:
    return (size + 3) & ~3
