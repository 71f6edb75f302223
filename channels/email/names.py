"""How IMAP spells folders and sets of messages: modified UTF-7, quoting, ranges (RFC 3501)."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from itertools import groupby

_PLAIN = re.compile(r"[^\x20-\x7e]+|&")
_SHIFTED = re.compile(rb"&([^-]*)-")


def spell(folder: str, utf8: bool = False) -> str:
    """The name of a folder as it goes into a command: quoted, in modified UTF-7 or (RFC 6855) plain UTF-8."""
    return quoted(folder if utf8 else encode(folder))


def encode(folder: str) -> str:
    """`Entwürfe` as `Entw&APw-rfe` (RFC 3501, section 5.1.3)."""
    return _PLAIN.sub(lambda match: _shift(match[0]), folder)


def decode(name: bytes) -> str:
    """The inverse of `encode`; what is not valid there is kept as it can be shown."""

    def unshift(match: re.Match[bytes]) -> bytes:
        if not match[1]:
            return b"&"
        padded = match[1].replace(b",", b"/") + b"=" * (-len(match[1]) % 4)
        try:
            return base64.b64decode(padded, validate=True).decode("utf-16-be").encode()
        except ValueError:
            return match[0]

    return _SHIFTED.sub(unshift, name).decode(errors="replace")


def quoted(text: str) -> str:
    """`text` as a quoted string; a line break or NUL cannot be quoted and is a ValueError."""
    if re.search(r"[\0\r\n]", text):
        raise ValueError("a folder's name cannot hold a line break")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def uid_set(uids: Iterable[int]) -> str:
    """Ascending UIDs as ranges: 1, 2, 3, 7 is `1:3,7`."""
    runs = []
    for _, run in groupby(enumerate(uids), key=lambda pair: pair[1] - pair[0]):
        members = [uid for _, uid in run]
        runs.append(f"{members[0]}:{members[-1]}" if len(members) > 1 else f"{members[0]}")
    return ",".join(runs)


def uids_of(text: str) -> list[int]:
    """The inverse of `uid_set`."""
    found: list[int] = []
    for run in filter(None, text.split(",")):
        low, _, high = run.partition(":")
        found.extend(range(int(low), int(high or low) + 1))
    return found


def _shift(text: str) -> str:
    if text == "&":
        return "&-"
    packed = base64.b64encode(text.encode("utf-16-be")).rstrip(b"=").replace(b"/", b",")
    return f"&{packed.decode()}-"
