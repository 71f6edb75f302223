"""Files written as text between `begin` and `end`, from before there was MIME."""

from __future__ import annotations

import binascii
import re

FILES = 100
LINES = 500_000  # beyond: they would be short ones, made to cost time

_BEGIN = re.compile(r"begin [0-7]{3,4} (\S.{0,250})")


def whole(data: bytes, problems: list[str]) -> bytes:
    """The bytes of a part that says it is uuencoded."""
    found = None
    if data.count(b"\n") < LINES:
        lines = data.decode("latin-1").replace("\r\n", "\n").split("\n")
        first = next((number for number, line in enumerate(lines) if line.startswith("begin ")), -1)
        found = _decode(lines, first + 1)
    if found is None:
        problems.append("A uuencoded part is damaged; it was left as it is.")
        return data
    return found[0]


def lift(text: str) -> tuple[str, list[tuple[str, bytes]]]:
    """`text` without the uuencoded files inside it, and those files by name."""
    lines = text.split("\n")
    kept: list[str] = []
    files: list[tuple[str, bytes]] = []
    at = 0
    while at < len(lines):
        begin = _BEGIN.fullmatch(lines[at]) if lines[at].startswith("begin ") and len(files) < FILES else None
        found = _decode(lines, at + 1) if begin else None
        if begin and found:
            files.append((begin[1], found[0]))
            at = found[1]
        else:
            kept.append(lines[at])
            at += 1
    return "\n".join(kept), files


def _decode(lines: list[str], at: int) -> tuple[bytes, int] | None:
    """The bytes from line `at` up to `end`, and the line behind it; None if they are anything else."""
    out = bytearray()
    for number in range(at, len(lines)):
        line = lines[number].rstrip("\r\n ")
        if line == "end":
            return (bytes(out), number + 1) if number > at else None
        if line in ("", "`"):
            continue
        try:
            out += _line(line)
        except (binascii.Error, ValueError):
            return None
    return None


def _line(line: str) -> bytes:
    """One line; some encoders leave the last characters away, so it is filled up."""
    length = (ord(line[0]) - 32) & 63
    needed = 1 + (length + 2) // 3 * 4
    if not " " < line[0] <= "`" or len(line) > needed + 2:
        raise ValueError(line)
    return binascii.a2b_uu(line[:needed].ljust(needed))
