"""Address lists as they really come: groups, comments, pipes, stray commas, broken brackets.

A list is cut at its top-level commas first and each piece read for itself, so one bad
address costs none of the others. Encoded words are decoded last, because they may hold
commas and quotes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from channels.kit.mail.charsets import storable
from channels.kit.mail.headers import readable
from desk.model import Identity

LIMIT = 500
ADDRESS_CHARACTERS = 320
DISPLAY_CHARACTERS = 200

_NOBODY = ("undisclosed-recipient", "undisclosed recipient")
_SIMPLE = re.compile(r'("[^"\\]*"|[^"(),:;<>@\[\]\\]*)<([^\s<>,;:"()\[\]\\@]+@[^\s<>,;:"()\[\]\\@]+)>')
# Lengths are bounded where a pattern could start again at every character.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.){0,500}"|<[^<>]*>|[()]|[,;:]|[^"<>(),;:]+|["<>]', re.DOTALL)
_QUOTED_LOCAL = re.compile(r'"[^"@\\]{1,64}"@[^\s<>"()]{1,255}')
_BREAK = re.compile(r"[\s<>\"'()]+")
_LOCAL = re.compile(r"([A-Za-z0-9._+-]+)[ \t]*(?:\(([^()]*)\))?")
_SPACE = re.compile(r"\s+")
_COMMENT = re.compile(r"\([^()]{0,200}\)")


@lru_cache(maxsize=1_024)
def addresses(value: str) -> tuple[Identity, ...]:
    """Everybody named in an address header (encoded words untouched), in order, at most 500."""
    found = _distinct(_read(value))
    if not found and "=?" in value:  # the whole mailbox was put into one encoded word
        found = _distinct(_read(readable(value)))
    return found


def _distinct(identities: Iterator[Identity]) -> tuple[Identity, ...]:
    found: dict[str, Identity] = {}
    for identity in identities:
        if 0 < len(identity.value) <= ADDRESS_CHARACTERS and not identity.value.startswith(_NOBODY):
            found.setdefault(identity.value, identity)
        if len(found) >= LIMIT:
            break
    return tuple(found.values())


def _read(value: str) -> Iterator[Identity]:
    simple = _SIMPLE.fullmatch(value)
    if simple:
        yield _identity(simple[2], simple[1])
        return
    carried = ""
    for pieces in _pieces(value):
        display, address = _mailbox(pieces)
        if address:
            # `Kohl, Max <max@example.com>`: the comma belonged to the name
            named = any(piece.startswith("<") for piece in pieces)
            yield _identity(address, carried + display if named else display)
            carried = ""
        elif display.strip():
            carried += display.strip() + ", "
    if carried and (local := _LOCAL.fullmatch(value)):
        yield _identity(local[1], local[2] or "")


def _pieces(value: str) -> Iterator[list[str]]:
    """The pieces of one mailbox after the other; comments whole, names of groups dropped."""
    pieces: list[str] = []
    comment: list[str] = []
    depth = 0
    for match in _TOKEN.finditer(value):
        piece = match[0]
        if piece == "(":
            depth += 1
            comment.append(piece)
        elif depth:
            comment.append(piece)
            depth -= piece == ")"
            if not depth:
                pieces.append("".join(comment))
                comment = []
        elif piece in (",", ";"):
            yield pieces
            pieces = []
        elif piece == ":" and not any("@" in seen or seen.startswith("<") for seen in pieces):
            pieces = []
        else:
            pieces.append(piece)
    yield [*pieces, *comment]


def _mailbox(pieces: list[str]) -> tuple[str, str]:
    """(display, address) of one mailbox; either may be empty."""
    angles = [piece for piece in pieces if piece.startswith("<") and len(piece) > 2]
    chosen = next((piece for piece in reversed(angles) if "@" in piece), angles[-1] if angles else "")
    if chosen:
        return _display(pieces, chosen), chosen[1:-1]
    text = "".join(piece for piece in pieces if not piece.startswith("("))
    bare = _bare(text)
    if not bare:
        return _display(pieces, ""), ""
    rest = [piece if piece.startswith("(") else piece.replace(bare, " ") for piece in pieces]
    return ("" if bare.startswith('"') else _display(rest, "")), bare


def _bare(text: str) -> str:
    """The first thing in `text` that looks like an address."""
    if '"@' in text and (quoted := _QUOTED_LOCAL.search(text)):
        return quoted[0]
    return next((word for word in _BREAK.split(text) if "@" in word[1:-1]), "")


def _display(pieces: list[str], address: str) -> str:
    """What stands beside the address; a comment only where there is nothing else."""
    words = [
        _unquoted(piece) for piece in pieces if piece != address and piece not in "<>" and not piece.startswith("(")
    ]
    name = "".join(words)
    return name if name.strip() else " ".join(piece.strip("()") for piece in pieces if piece.startswith("("))


def _unquoted(piece: str) -> str:
    if piece.startswith('"'):
        return piece.strip('"').replace('\\"', '"').replace("\\\\", "\\")
    return piece


@lru_cache(maxsize=4_096)
def _identity(address: str, display: str) -> Identity:
    value = _address(address)
    name = _SPACE.sub(" ", readable(_unquoted(display.strip()))).strip(" ,")
    if len(name) > 1 and name[0] == name[-1] and name[0] in "'\"":
        name = name[1:-1].strip()
    return Identity("email", value, "" if name.lower() == value else name[:DISPLAY_CHARACTERS])


def _address(text: str) -> str:
    """The address in lower case, without a route, `mailto:`, spaces and trailing dots."""
    text = readable(text).strip()
    if not text.startswith('"'):
        text = _COMMENT.sub("", text) if "(" in text else text
        text = _SPACE.sub("", text)
    if text.startswith("@") and ":" in text:
        text = text.partition(":")[2]
    return storable(text.lower().removeprefix("mailto:").strip("<>,;").rstrip("."))
