"""Small builders of odd files: winmail.dat, Rich Text, signed data."""

from __future__ import annotations

import struct


def tnef(*attributes: tuple[int, int, bytes]) -> bytes:
    """A winmail.dat of (level, attribute, value)."""
    out = b"\x78\x9f\x3e\x22\x01\x00"
    for level, attribute, value in attributes:
        out += struct.pack("<BHHI", level, attribute, 6, len(value)) + value + struct.pack("<H", sum(value) & 0xFFFF)
    return out


def properties(*values: tuple[int, int, bytes]) -> bytes:
    """A list of MAPI properties of (type, id, value); strings and binaries get their length and padding."""
    out = struct.pack("<I", len(values))
    for kind, number, value in values:
        out += struct.pack("<HH", kind, number)
        if number >= 0x8000:
            out += b"\0" * 16 + struct.pack("<II", 0, 1)
        if kind in (0x1E, 0x1F, 0x102, 0x0D):
            out += struct.pack("<II", 1, len(value)) + value + b"\0" * (-len(value) % 4)
        else:
            out += value
    return out


def packed_rtf(text: bytes) -> bytes:
    """Rich Text in the compressed form, with nothing compressed but a reference to `{\\rtf1`."""
    body = b"\x01" + b"\x00\x04"  # six bytes from the beginning of the dictionary
    rest = text.removeprefix(b"{\\rtf1")
    body += rest[:7]
    for at in range(7, len(rest), 8):
        body += b"\x00" + rest[at : at + 8]
    return struct.pack("<II4sI", len(body) + 12, len(text), b"LZFu", 0) + body


def der(tag: int, *parts: bytes) -> bytes:
    """One element of DER."""
    body = b"".join(parts)
    size = len(body)
    length = bytes([size]) if size < 0x80 else b"\x83" + size.to_bytes(3, "big")
    return bytes([tag]) + length + body


def signed_data(content: bytes, *, streamed: bool = False) -> bytes:
    """SignedData around `content`; streamed as mail programs write it, without lengths."""
    data, signed = der(0x06, bytes.fromhex("2a864886f70d010701")), der(0x06, bytes.fromhex("2a864886f70d010702"))
    head = der(0x02, b"\x01") + der(0x31)
    if not streamed:
        inner = der(0x30, data, der(0xA0, der(0x04, content)))
        return der(0x30, signed, der(0xA0, der(0x30, head, inner)))
    pieces = b"".join(der(0x04, content[at : at + 50]) for at in range(0, len(content), 50))
    inner = b"\x30\x80" + data + b"\xa0\x80\x24\x80" + pieces + b"\0\0" * 3
    return b"\x30\x80" + signed + b"\xa0\x80\x30\x80" + head + inner + b"\0\0" * 3


def enveloped_data() -> bytes:
    """EnvelopedData with nothing in it."""
    return der(0x30, der(0x06, bytes.fromhex("2a864886f70d010703")), der(0xA0, der(0x30)))
