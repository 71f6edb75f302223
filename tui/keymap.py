"""Keys: how they are written, sequences like `gg` and `^x ^c`, and counts like `5j`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING

from msgspec import Struct, field

from desk.errors import Invalid
from desk.query import suggest

if TYPE_CHECKING:
    from textual import events

NAMED = (
    "enter", "escape", "tab", "space", "up", "down", "left", "right", "pageup", "pagedown", "home", "end", "insert", "delete",
    "backspace", *(f"f{number}" for number in range(1, 13)),
)  # fmt: skip
"""Keys that are written as a word, alone or behind `shift+`, `ctrl+` or `alt+`."""

_CONTROLS = {"at": "@", "backslash": "\\", "right_square_bracket": "]", "circumflex_accent": "^", "underscore": "_"}
_SAME = {"^i": "tab", "^m": "enter", "^[": "escape", "ctrl+i": "tab", "ctrl+m": "enter"}
"""Keys for which terminals send the same."""

_ONE = re.compile(rf"(?:(?:shift|ctrl|alt)\+)*(?:{'|'.join(sorted(NAMED, key=len, reverse=True))}|\S)|\^\S")
_LARGEST = 2**63 - 1
_RUN = re.compile(r"\^\S|\S")


def name(event: events.Key) -> str:
    """How a key is written: `j`, `G`, `^d`, `alt+x`, `enter`."""
    key = event.key
    if key in NAMED:
        return key
    if key.startswith("alt+"):
        return f"alt+{key[-1].upper()}" if key.startswith("alt+shift+") and len(key) == 11 else key
    if key.startswith("ctrl+"):
        end = _CONTROLS.get(key[5:], key[5:])
        return f"^{end}" if len(end) == 1 else key
    return event.character if event.is_printable and event.character else key


def shown(keys: str) -> str:
    """A key as the screen prints it."""
    return {"enter": "⏎", "escape": "esc"}.get(keys, keys)


@cache
def split(keys: str) -> tuple[str, ...]:
    """A sequence as single keys: `gg` is two, `^x ^c` is, `enter` is one; Invalid when it is none."""
    parts = keys.split()
    if len(parts) == 1 and not _ONE.fullmatch(keys):
        if len(keys) > 3 and ("+" in keys[1:-1] or "did you mean" in suggest(keys, NAMED)):
            raise Invalid(f'"{keys}" is no key{suggest(keys, NAMED)}')
        parts = _RUN.findall(keys)
    for part in parts:
        if not _ONE.fullmatch(part):
            raise Invalid(f'"{part}" is no key{suggest(part, NAMED)}')
        if part in _SAME:
            raise Invalid(f'for a terminal {part} is the same key as {_SAME[part]}; write "{_SAME[part]}"')
    if not parts:
        raise Invalid('a key is written like x, G, ^x, alt+x, f5 or enter; the space bar is "space"')
    return tuple(f"^{part[-1]}" if part.startswith("ctrl+") and len(part) == 6 else part for part in parts)


def written(path: Sequence[str]) -> str:
    """Single keys as a sequence: `gg`, `^x ^c`."""
    return (" " if any(len(key) > 1 for key in path) else "").join(path)


def number(word: str) -> int | None:
    """The number that is written, 4812 or #4812; None where it is none. What no store could hold is the largest that it can."""
    digits = word.strip().removeprefix("#")
    # Of thousands of digits Python itself makes no number.
    return min(int(digits.lstrip("0")[:20] or 0), _LARGEST) if digits.isdecimal() else None


class Typed(Struct, frozen=True):
    """A complete key: the command line it stands for, and the count before it (None: none)."""

    line: str
    count: int | None = None


class Keys(Struct):
    """Reads keys one by one; knows what is pending."""

    bindings: Mapping[str, str]
    digits: str = ""
    pending: tuple[str, ...] = ()
    _ends: dict[tuple[str, ...], str] = field(default_factory=dict)
    _beginnings: set[tuple[str, ...]] = field(default_factory=set)

    def __post_init__(self) -> None:
        for keys, line in self.bindings.items():
            path = split(keys)
            self._ends[path] = line
            self._beginnings.update(path[:i] for i in range(1, len(path)))

    def feed(self, key: str) -> Typed | None:
        """What is complete with this key; None while more may follow, or when it means nothing."""
        path = (*self.pending, key)
        if key.startswith("alt+") and path not in self._ends and path not in self._beginnings:
            # Escape and a key, typed fast: the key alone.
            key = key.removeprefix("alt+")
            path = (*self.pending, key)
        if (
            not self.pending
            and (key.isdecimal() and key.isascii())
            and (key != "0" or self.digits)
            and len(self.digits) < 9
        ):
            self.digits += key
            return None
        if path in self._ends:
            typed = Typed(self._ends[path], int(self.digits) if self.digits else None)
            self.clear()
            return typed
        if path in self._beginnings:
            self.pending = path
            return None
        self.clear()
        return None

    def clear(self) -> None:
        """Forget what was begun."""
        self.digits, self.pending = "", ()

    @property
    def waiting(self) -> bool:
        """Whether something is begun."""
        return bool(self.digits or self.pending)

    def key(self, line: str) -> str:
        """The first key that stands for `line`, as the screen prints it; "" when there is none."""
        return next((shown(keys) for keys, bound in self.bindings.items() if bound.strip() == line), "")

    def hints(self) -> list[tuple[str, str]]:
        """What may follow what is pending: (key, command line)."""
        depth = len(self.pending)
        if not depth:
            return []
        return [
            (written(path[depth:]), line.strip()) for path, line in self._ends.items() if path[:depth] == self.pending
        ]
