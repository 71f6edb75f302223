"""A line of IRC: from bytes and back, as modern servers write it (RFC 1459 with IRCv3 message tags)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct, field

_ESCAPES = {":": ";", "s": " ", "\\": "\\", "r": "\r", "n": "\n"}
_ESCAPED = {value: f"\\{key}" for key, value in _ESCAPES.items()}
_COLOURS = re.compile("\x03(?:[0-9]{1,2}(?:,[0-9]{1,2})?)?|\x04(?:[0-9A-Fa-f]{6}(?:,[0-9A-Fa-f]{6})?)?")
_FORMATS = re.compile("[\x02\x0f\x11\x16\x1d\x1e\x1f]")
_RFC1459 = str.maketrans("[]\\^", "{}|~")
_CP1252 = {number: chr(number) for number in range(0x80, 0xA0)}


class Line(Struct, frozen=True):
    """One line: tags, who sent it ("" is the server before it has a name), command, parameters."""

    command: str
    params: tuple[str, ...] = ()
    source: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def nick(self) -> str:
        """The nick (or server) it comes from."""
        return self.source.partition("!")[0]

    def param(self, number: int) -> str:
        """A parameter, "" where there is none."""
        try:
            return self.params[number]
        except IndexError:
            return ""

    @property
    def words(self) -> str:
        """What it says to a person: its last parameter, without control characters."""
        return plain(self.param(-1))[:300]


def read(data: bytes) -> Line | None:
    """The line in these bytes, None where there is none."""
    text = decoded(data).strip("\r\n").replace("\x00", "")
    tags: dict[str, str] = {}
    if text.startswith("@"):
        head, _, text = text.partition(" ")
        for item in head[1:].split(";"):
            name, _, value = item.partition("=")
            tags[name] = _unescaped(value)
        text = text.lstrip(" ")
    source = ""
    if text.startswith(":"):
        source, _, text = text[1:].partition(" ")
    text, colon, trailing = text.lstrip(" ").partition(" :")
    words = text.split()
    if not words:
        return None
    return Line(words[0].upper(), (*words[1:], *((trailing,) if colon else ())), source, tags)


def written(command: str, *params: str, tags: Mapping[str, str] | None = None) -> bytes:
    """A line for the server; nothing in a parameter can begin another line."""
    clean = [re.sub(r"[\r\n\x00]+", " ", param) for param in params]
    for param in clean[:-1]:
        if not param or " " in param or param.startswith(":"):
            raise ValueError(f"{param!r} cannot stand in the middle of a line")
    head = "@" + ";".join(f"{k}={_escaped(v)}" for k, v in tags.items()) + " " if tags else ""
    if clean and (not clean[-1] or " " in clean[-1] or clean[-1].startswith(":") or command in ("PRIVMSG", "QUIT")):
        clean[-1] = f":{clean[-1]}"
    return (head + " ".join((command, *clean))).encode("utf-8", "replace") + b"\r\n"


def decoded(data: bytes) -> str:
    """UTF-8, and what is none as Windows-1252, which old clients write."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        # Five bytes mean nothing there; they become the control characters of the same number.
        return "".join(_one(byte) for byte in data)


def _one(byte: int) -> str:
    try:
        return bytes((byte,)).decode("cp1252")
    except UnicodeDecodeError:
        return _CP1252[byte]


def plain(text: str) -> str:
    """`text` without colours and other formats of IRC."""
    return _FORMATS.sub("", _COLOURS.sub("", text))


def fold(name: str, mapping: str = "rfc1459") -> str:
    """A nick or room as the server compares it (ISUPPORT CASEMAPPING)."""
    lowered = "".join(c.lower() if c.isascii() or mapping not in ("ascii", "rfc1459") else c for c in name)
    return lowered.translate(_RFC1459) if mapping == "rfc1459" else lowered


def moment(tags: Mapping[str, str]) -> int | None:
    """The time that the server names (IRCv3 server-time), in milliseconds; None where it names none."""
    try:
        return round(datetime.fromisoformat(tags["time"]).timestamp() * 1000)
    except (KeyError, ValueError, OverflowError):
        return None


def _unescaped(value: str) -> str:
    return re.sub(r"\\(.?)", lambda m: _ESCAPES.get(m[1], m[1]), value)


def _escaped(value: str) -> str:
    return "".join(_ESCAPED.get(c, c) for c in value)


__all__ = ["Line", "decoded", "fold", "moment", "plain", "read", "written"]
