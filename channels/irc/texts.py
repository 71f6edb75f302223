"""An answer as lines of IRC: plain, each within 512 bytes as others receive it (RFC 1459, 2.3)."""

from __future__ import annotations

import re

from desk.channel import Permanent

LINE_BYTES = 512
USER_BYTES, HOST_BYTES, NICK_BYTES = 11, 63, 32
"""The longest user and host names that servers put before our lines, and the longest nick that we address."""

_FENCE = re.compile(r" {0,3}(```+|~~~+)")
_LINK = re.compile(r"(?<!!)\[([^\[\]]+)\]\((\S+?)\)")
_STRONG = re.compile(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1")
_HEADING = re.compile(r"^ {0,3}#{1,6} +")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
_PAUSE = re.compile(r"[.!?…] +| +")


def room(nick: str, target: str) -> int:
    """How many bytes of text a line from `nick` to `target` holds, our prefix and "somebody: " taken off.

    Our own user and host names are only known to the server: the longest are reckoned with. A nick
    that is taken gets up to three underscores.
    """
    head = f":{nick}___!@ PRIVMSG {target} :"
    return LINE_BYTES - len(head.encode()) - USER_BYTES - HOST_BYTES - NICK_BYTES - len(": \r\n")


def lines(text: str, limit: int) -> list[str]:
    """Markdown as lines of at most `limit` bytes each, empty ones left out; a line of code is never cut."""
    found: list[str] = []
    fence = ""
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        edge = _FENCE.match(line)
        if edge and (not fence or edge[1].startswith(fence)):
            fence = "" if fence else edge[1]
            continue
        line = _CONTROL.sub("", line.encode("utf-8", "replace").decode()).rstrip()
        if not line.strip():
            continue
        if fence:
            found.append(_code(line.expandtabs(4), limit))
        else:
            found += _wrapped(_said(line), limit)
    return found


def _said(line: str) -> str:
    """A line as people write it on IRC: links in full, stars as they are."""
    line = _LINK.sub(lambda m: m[2] if m[1] == m[2] else f"{m[1]} ({m[2]})", _HEADING.sub("", line))
    return _STRONG.sub(r"*\2*", line).replace("\t", " ")


def _code(line: str, limit: int) -> str:
    if (size := len(line.encode())) > limit:
        raise Permanent(f"a line of code has {size} bytes, and a line of IRC takes {limit}: shorten it, or send a link")
    return line


def _wrapped(line: str, limit: int) -> list[str]:
    pieces = []
    while len(line.encode()) > limit:
        fits = len(line.encode()[:limit].decode("utf-8", "ignore"))
        # What is drawn on top of a character stays with it.
        while fits > 1 and (line[fits] in "\u200d\ufe0f" or line[fits - 1] == "\u200d"):
            fits -= 1
        pauses = [m.end() for m in _PAUSE.finditer(line[:fits])]
        end = next((p for p in reversed(pauses) if p > fits // 3), fits)
        pieces.append(line[:end].rstrip())
        line = line[end:].lstrip()
    return [*pieces, line] if line else pieces


__all__ = ["LINE_BYTES", "lines", "room"]
