"""What is inside an opaque S/MIME signature (`smime.p7m`), without checking it.

Just enough of DER and BER (X.690) to walk to the content of SignedData (RFC 5652): every
step is forward and bounded by the data.
"""

from __future__ import annotations

DEPTH = 8
PIECES = 100_000

_SEQUENCE, _OID, _OCTETS, _OCTETS_OF_OCTETS, _EXPLICIT = 0x30, 0x06, 0x04, 0x24, 0xA0
_SIGNED = bytes.fromhex("2a864886f70d010702")
_ENVELOPED = {bytes.fromhex("2a864886f70d010703"), bytes.fromhex("2a864886f70d0109100117")}


def kind(data: bytes) -> str:
    """ "signed", "encrypted", or "" for what is neither."""
    try:
        _, start, _, _ = _element(data, 0)
        tag, at, end, _ = _element(data, start)
    except ValueError:
        return ""
    oid = data[at:end] if tag == _OID else b""
    return "signed" if oid == _SIGNED else "encrypted" if oid in _ENVELOPED else ""


def signed_content(data: bytes) -> bytes | None:
    """The mail inside SignedData; None if there is none that can be reached."""
    try:
        return _content(data)
    except ValueError:
        return None


def _content(data: bytes) -> bytes | None:
    _, at, _, _ = _element(data, 0, _SEQUENCE)  # ContentInfo
    _, at, end, at = _element(data, at, _OID)
    if data[end - len(_SIGNED) : end] != _SIGNED:
        return None
    _, at, _, _ = _element(data, at, _EXPLICIT)
    _, at, _, _ = _element(data, at, _SEQUENCE)  # SignedData: version, digest algorithms, content
    for _ in range(2):
        at = _behind(data, at)
    _, at, _, _ = _element(data, at, _SEQUENCE)
    at = _behind(data, at)
    _, at, _, _ = _element(data, at, _EXPLICIT)
    return b"".join(_octets(data, at))


def _element(data: bytes, at: int, wanted: int | None = None) -> tuple[int, int, int, int]:
    """(tag, start, end, behind) of the element at `at`; an indefinite one ends with what is around it."""
    if at + 2 > len(data) or (wanted is not None and data[at] != wanted):
        raise ValueError("another element was expected")
    tag, length, start = data[at], data[at + 1], at + 2
    if length == 0x80:
        return tag, start, len(data), len(data)
    if length > 0x80:
        count = length & 0x7F
        length, start = int.from_bytes(data[start : start + count], "big"), start + count
        if count > 8:
            raise ValueError("a length of over eight bytes")
    end = min(len(data), start + length)
    return tag, start, end, end


def _behind(data: bytes, at: int, depth: int = 0) -> int:
    """Where the element at `at` is over."""
    _, start, _, behind = _element(data, at)
    if data[at + 1] != 0x80:
        return behind
    if depth > DEPTH:
        raise ValueError("too deep")
    for _ in range(PIECES):
        if data[start : start + 2] == b"\0\0":
            return start + 2
        start = _behind(data, start, depth + 1)
    raise ValueError("too many pieces")


def _octets(data: bytes, at: int) -> list[bytes]:
    """The pieces of an octet string, which may be a list of octet strings."""
    tag, start, end, _ = _element(data, at)
    if tag == _OCTETS:
        return [data[start:end]]
    if tag != _OCTETS_OF_OCTETS:
        raise ValueError("no octets")
    pieces: list[bytes] = []
    while start < end and data[start : start + 2] != b"\0\0" and len(pieces) < PIECES:
        inner, first, last, start = _element(data, start)
        if inner == _OCTETS:
            pieces.append(data[first:last])
        else:
            break
    return pieces
