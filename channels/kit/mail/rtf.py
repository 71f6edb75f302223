"""Rich Text as Outlook packs it into `winmail.dat`, read as plain text."""

from __future__ import annotations

import re
import struct

from channels.kit.mail.charsets import decode

LIMIT_BYTES = 2 * 1024 * 1024

_PACKED, _PLAIN = b"LZFu", b"MELA"
_RING = 4096
_START = (
    rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript \fdecor MS Sans SerifSymbolArialTimes New RomanCourier"
    b"{\\colortbl\\red0\\green0\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx"
)
_TOKEN = re.compile(
    rb"\\([a-zA-Z]{1,32})(-?\d{1,10})? ?|\\'([0-9a-fA-F]{2})|\\([^a-zA-Z])|([{}])|[\r\n]+|([^\\{}\r\n]+)"
)
# Groups that hold no text.
_SILENT = frozenset(
    (
        b"fonttbl",
        b"colortbl",
        b"stylesheet",
        b"pict",
        b"info",
        b"object",
        b"header",
        b"footer",
        b"themedata",
        b"listtable",
        b"xmlnstbl",
        b"generator",
    )
)
_SIGNS = {
    b"par": "\n",
    b"line": "\n",
    b"row": "\n",
    b"tab": "\t",
    b"cell": "\t",
    b"emdash": "—",
    b"endash": "–",
    b"bullet": "•",
    b"lquote": "‘",
    b"rquote": "’",
    b"ldblquote": "“",
    b"rdblquote": "”",
}


def unpacked(data: bytes) -> bytes:
    """Compressed Rich Text ([MS-OXRTFCP]) as it was; as far as it goes where it is damaged."""
    if len(data) < 16:
        return b""
    _, size, kind, _ = struct.unpack_from("<II4sI", data)
    if kind == _PLAIN:
        return data[16 : 16 + min(size, LIMIT_BYTES)]
    return _inflated(data, min(size, LIMIT_BYTES)) if kind == _PACKED else b""


def _inflated(data: bytes, size: int) -> bytes:
    ring = bytearray(_START.ljust(_RING, b"\0"))
    write = len(_START)
    out = bytearray()
    at = 16
    while at < len(data) and len(out) < size:
        flags = data[at]
        at += 1
        for bit in range(8):
            if not flags >> bit & 1:
                piece = bytearray(data[at : at + 1])
                at += 1
            else:
                word = int.from_bytes(data[at : at + 2], "big")
                at += 2
                start, length = word >> 4, (word & 15) + 2
                if start == write:
                    return bytes(out[:size])
                piece = bytearray()
                for step in range(length):
                    piece.append(ring[(start + step) % _RING])
                    ring[(write + step) % _RING] = piece[-1]
            for step, byte in enumerate(piece):
                ring[(write + step) % _RING] = byte
            write = (write + len(piece)) % _RING
            out += piece
            if at >= len(data):
                break
    return bytes(out[:size])


def text(data: bytes) -> str:
    """The words of Rich Text, a line for each paragraph."""
    out: list[str] = []
    pending = bytearray()
    stack: list[bool] = []
    silent, charset, skip = False, "cp1252", 0

    def flush() -> None:
        if pending:
            out.append(decode(bytes(pending), charset)[0])
            pending.clear()

    for match in _TOKEN.finditer(data[:LIMIT_BYTES]):
        word, number, hexadecimal, sign, brace, plain = match.groups()
        if brace:
            if brace == b"{":
                stack.append(silent)
            else:
                silent = stack.pop() if stack else False
        elif word in _SILENT or sign == b"*":
            silent = True
        elif word == b"ansicpg" and number:
            charset = f"cp{int(number)}"
        elif silent:
            continue
        elif word == b"u" and number:
            flush()
            out.append(chr(int(number) & 0xFFFF))
            skip = 1
        elif word in _SIGNS:
            flush()
            out.append(_SIGNS[word])
        elif hexadecimal:
            if skip:
                skip = 0
            else:
                pending.append(int(hexadecimal, 16))
        elif sign in (b"\\", b"{", b"}", b"~", b"_"):
            pending += b" " if sign == b"~" else b"-" if sign == b"_" else sign
        elif plain:
            pending += plain[skip:]
            skip = 0
    flush()
    return "".join(out).encode("utf-16", "surrogatepass").decode("utf-16", "replace").strip("\n")
