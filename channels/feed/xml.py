"""XML that strangers wrote, as a plain tree: no entities but the five, nothing fetched, nothing without a limit.

Declared entities are how a small document becomes a huge one, or reads files; no feed needs them, so a
document that declares any is refused. Entities of HTML, which feeds use without declaring them, are
read as the characters that they mean.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html.entities import html5
from typing import Any, NoReturn

DEPTH = 200
NODES = 300_000

_ENTITY = re.compile(rb"&([A-Za-z][A-Za-z0-9]{1,31});")
_KEPT = {b"amp", b"lt", b"gt", b"quot", b"apos"}
_CONTROL = bytes(code for code in range(32) if code not in (9, 10, 13))
_UTF16 = (b"\xff\xfe", b"\xfe\xff", b"<\0", b"\0<")
_INVALID = 4
"""Expat's code for a byte or character that cannot be there."""


class Unreadable(ValueError):
    """A document that is not what it should be; the message says why."""


class Node:
    """An element: its namespace and name, its attributes, and texts and elements in their order."""

    __slots__ = ("attributes", "children", "name", "space")

    def __init__(self, tag: str, attributes: Mapping[str, str]) -> None:
        self.space, _, self.name = tag.rpartition(" ")
        self.attributes = attributes
        self.children: list[Node | str] = []

    def elements(self, name: str = "", *spaces: str) -> Iterator[Node]:
        """The elements in it, those called `name` in one of `spaces`; all without a name."""
        for child in self.children:
            if isinstance(child, Node) and (not name or (child.name == name and (not spaces or child.space in spaces))):
                yield child

    def first(self, name: str, *spaces: str) -> Node | None:
        """The first element called so."""
        return next(self.elements(name, *spaces), None)

    def text(self, name: str = "", *spaces: str) -> str:
        """All text in it, or in the first element called `name`; "" without one."""
        if name:
            found = self.first(name, *spaces)
            return found.text() if found is not None else ""
        parts: list[str] = []
        stack: list[Node | str] = [self]
        while stack:
            one = stack.pop()
            if isinstance(one, str):
                parts.append(one)
            else:
                stack += reversed(one.children)
        return "".join(parts).strip()

    def markup(self) -> str:
        """What is in it as HTML."""
        from html import escape

        parts: list[str] = []
        stack: list[Node | str | tuple[str]] = list(reversed(self.children))
        while stack:
            one = stack.pop()
            if isinstance(one, tuple):
                parts.append(one[0])
            elif isinstance(one, str):
                parts.append(escape(one, quote=False))
            else:
                given = "".join(
                    f' {name.rpartition(" ")[2]}="{escape(value)}"' for name, value in one.attributes.items()
                )
                parts.append(f"<{one.name}{given}>")
                stack.append((f"</{one.name}>",))
                stack += reversed(one.children)
        return "".join(parts)


def read(data: bytes) -> Node:
    """The document's root; `Unreadable` says what is wrong with it, and where."""
    if data[:2] not in _UTF16:
        data = data.removeprefix(b"\xef\xbb\xbf").translate(None, _CONTROL).lstrip()
        data = _ENTITY.sub(_character, data)
    try:
        return _read(data, None)
    except _Invalid:
        # Most often bytes of another encoding than the one it names.
        try:
            return _read(data.decode("utf-8", "replace").encode(), "utf-8")
        except _Invalid as error:
            raise Unreadable(str(error)) from None


def _character(found: re.Match[bytes]) -> bytes:
    characters = html5.get(f"{found[1].decode()};")
    if found[1] in _KEPT or characters is None:
        return found[0]
    return "".join(f"&#{ord(character)};" for character in characters).encode()


class _Invalid(Unreadable):
    """There are bytes in it that the encoding does not have."""


def _read(data: bytes, encoding: str | None) -> Node:
    from xml.parsers import expat

    parser = expat.ParserCreate(encoding, " ")
    parser.buffer_text = True
    root = Node("", {})
    stack, count = [root], 0

    def start(tag: str, attributes: Mapping[str, str]) -> None:
        nonlocal count
        count += 1
        if count > NODES or len(stack) > DEPTH:
            raise Unreadable("it has more elements, or deeper ones, than any feed")
        node = Node(tag, attributes)
        stack[-1].children.append(node)
        stack.append(node)

    def declared(*_: Any) -> NoReturn:
        raise Unreadable("it declares entities, which no feed needs and which can be an attack")

    parser.StartElementHandler = start
    parser.EndElementHandler = lambda tag: stack.pop()
    parser.CharacterDataHandler = lambda text: stack[-1].children.append(text)
    parser.EntityDeclHandler = declared
    parser.UnparsedEntityDeclHandler = declared
    parser.ExternalEntityRefHandler = declared
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        said = f"it is no well-formed XML (line {error.lineno}: {expat.ErrorString(error.code)})"
        raise (_Invalid if error.code == _INVALID else Unreadable)(said) from None
    except (ValueError, LookupError) as error:
        if isinstance(error, Unreadable):
            raise
        raise Unreadable("its encoding is not known") from None
    return next(root.elements())


__all__ = ["Node", "Unreadable", "read"]
