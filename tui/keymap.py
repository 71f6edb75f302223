"""Keys: what each one means where, sequences like `gg`, and counts like `5j`.

A key stands for a command line, as typed after `:`. A line that ends with a space
opens the command line with it, to be completed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from textual import events

from desk.actions import Action

_NAMES = {
    "enter": "enter",
    "escape": "escape",
    "tab": "tab",
    "space": "space",
    "up": "up",
    "down": "down",
    "left": "left",
    "right": "right",
    "pageup": "pageup",
    "pagedown": "pagedown",
    "home": "home",
    "end": "end",
}

MOVING = {
    "j": "down", "down": "down", "k": "up", "up": "up", "^d": "half-page-down", "pagedown": "half-page-down", "^u": "half-page-up",
    "pageup": "half-page-up", "gg": "top", "home": "top", "G": "bottom", "end": "bottom",
}  # fmt: skip
EVERYWHERE = {
    ":": "command", "/": "filter", "^p": "palette", "?": "help", "u": "undo", "^r": "redo", ".": "repeat", "^l": "refresh",
    "+": "raise", "-": "lower", "tab": "next", "r": "reply", "i": "note", "m": "macro",
}  # fmt: skip
QUEUE = {
    **MOVING, **EVERYWHERE,
    "enter": "show", "l": "show", "right": "show", "q": "quit", "escape": "leave", "space": "mark", "*": "mark-all",
    "J": "next-view", "K": "previous-view", "gv": "view ",
}  # fmt: skip
TICKET = {
    **MOVING, **EVERYWHERE,
    "q": "back", "h": "back", "left": "back", "escape": "back", "J": "next-ticket", "K": "previous-ticket", "f": "unfold", "w": "why",
    "space": "half-page-down",
}  # fmt: skip


def name(event: events.Key) -> str:
    """How a key is written: `j`, `G`, `^d`, `enter`."""
    if event.key in _NAMES:
        return _NAMES[event.key]
    if event.key.startswith("ctrl+") and len(event.key) == 6:
        return f"^{event.key[-1]}"
    return event.character if event.is_printable and event.character else event.key


def with_verbs(keys: Mapping[str, str], verbs: Iterable[Action]) -> dict[str, str]:
    """`keys` with those that the verbs of the desk ask for; a key that the screen uses itself stays the screen's."""
    asked = {}
    for verb in verbs:
        for key in verb.keys.split():
            needs = any(argument.required for argument in verb.arguments)
            asked[key] = f"{verb.name} " if needs else verb.name
    return {**asked, **keys}


def shown(keys: str) -> str:
    """A key as the screen prints it."""
    return {"enter": "⏎", "escape": "esc"}.get(keys, keys)


def split(keys: str) -> tuple[str, ...]:
    """A sequence as single keys: `gg` is two, `^d` and `enter` are one."""
    if keys in _NAMES or (keys[:1] == "^" and len(keys) == 2):
        return (keys,)
    return tuple(keys)


@dataclass(frozen=True, slots=True)
class Typed:
    """A complete key: the command line it stands for, and the count before it (None: none)."""

    line: str
    count: int | None = None


@dataclass
class Keys:
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
        if (
            not self.pending
            and (key.isdecimal() and key.isascii())
            and (key != "0" or self.digits)
            and len(self.digits) < 9
        ):
            self.digits += key
            return None
        path = (*self.pending, key)
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

    def hints(self) -> list[tuple[str, str]]:
        """What may follow what is pending: (key, command line)."""
        depth = len(self.pending)
        if not depth:
            return []
        return [
            ("".join(path[depth:]), line.strip()) for path, line in self._ends.items() if path[:depth] == self.pending
        ]
