"""How a text of Telegram looks, as Markdown: entities are its parts, counted in UTF-16 units ("MessageEntity")."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

_AROUND = {"bold": "**", "italic": "*", "strikethrough": "~~", "code": "`"}


def markdown_of(text: str, entities: object) -> str:
    """A text with its entities as Markdown; an entity that makes no sense is left out, never its text."""
    units = text.encode("utf-16-le", "surrogatepass")
    opening: dict[int, list[str]] = defaultdict(list)
    closing: dict[int, list[str]] = defaultdict(list)
    quoted: list[tuple[int, int]] = []
    for begin, end, entity in _spans(units, entities):
        kind = entity["type"]
        if kind in _AROUND:
            before = after = _AROUND[kind]
        elif kind == "text_link" and isinstance(url := entity.get("url"), str) and "://" in url:
            before, after = "[", f"]({url.replace(')', '%29').replace(' ', '%20')})"
        elif kind == "pre":
            language = entity.get("language")
            before, after = f"```{language if isinstance(language, str) else ''}\n", "\n```"
            before = before if not begin or units[begin * 2 - 2 : begin * 2] == b"\n\0" else f"\n{before}"
            after = after if units[end * 2 : end * 2 + 2] in (b"", b"\n\0") else f"{after}\n"
        elif kind in ("blockquote", "expandable_blockquote"):
            quoted.append((begin, end))
            continue
        else:
            continue
        # The wide one opens first and closes last.
        opening[begin].append(before)
        closing[end].insert(0, after)
    for begin, end in quoted:
        for at in [begin, *(at + 1 for at in range(begin, end - 1) if units[at * 2 : at * 2 + 2] == b"\n\0")]:
            opening[at].insert(0, "> ")
        if end * 2 < len(units) and units[end * 2 : end * 2 + 2] == b"\n\0":
            closing[end].append("\n")
    found, done = [], 0
    for at in sorted({*opening, *closing}):
        found.append(_text(units[done * 2 : at * 2]))
        found += [*closing[at], *opening[at]]
        done = at
    return "".join([*found, _text(units[done * 2 :])])


def _spans(units: bytes, entities: object) -> list[tuple[int, int, dict[str, Any]]]:
    """Where each entity begins and ends, without the space at its edges, which Markdown does not want there."""
    spans = []
    for entity in entities if isinstance(entities, list) else ():
        if not isinstance(entity, dict) or not isinstance(entity.get("type"), str):
            continue
        begin, size = entity.get("offset"), entity.get("length")
        if not isinstance(begin, int) or not isinstance(size, int) or begin < 0 or size <= 0:
            continue
        end = min(begin + size, len(units) // 2)
        while begin < end and _text(units[begin * 2 : begin * 2 + 2]).isspace():
            begin += 1
        while end > begin and _text(units[end * 2 - 2 : end * 2]).isspace():
            end -= 1
        if begin < end and not _splits(units, begin) and not _splits(units, end):
            spans.append((begin, end, entity))
    return sorted(spans, key=lambda span: (span[0], -span[1]))


def _splits(units: bytes, at: int) -> bool:
    """Whether `at` lies between the two halves of one character."""
    return b"\xdc" <= units[at * 2 + 1 : at * 2 + 2] <= b"\xdf"


def _text(units: bytes) -> str:
    return units.decode("utf-16-le", "surrogatepass")


__all__ = ["markdown_of"]
