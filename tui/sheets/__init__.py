"""Sheets: what the screen shows besides the queue and a ticket, as lines that one can act on.

Each module makes one: `sheet(app, rest)` reads nothing yet and gives a `Sheet`, whose `read` does.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from tui.app import DeskApp
    from tui.widgets.bars import Part

Answer = tuple[str, Callable[[], Coroutine[Any, Any, None]]]
"""What a key does that answers a question: its word, and the deed."""


class Entry(Struct, frozen=True):
    """One line of a sheet; `line` is what Enter does there, `ticket` the one that the verbs of the desk act on."""

    parts: tuple[Part, ...] = ()
    line: str = ""
    ticket: int | None = None
    ground: str = "text"


class Page(Struct, frozen=True):
    """What there is on a sheet now: what to say beside its title, and its lines."""

    entries: Sequence[Entry]
    facts: tuple[Part, ...] = ()


class Sheet(Struct, frozen=True):
    """A list of lines about the desk, or about what is going to be done.

    `read` makes the lines for a width; it runs in a thread and may ask the store. `hints` are
    command lines, with words, whose keys the last line tells. `answers` are keys that mean
    something on this sheet alone. Of a `live` one the lines are read again whenever something
    happened, and with every full minute.
    """

    title: str
    read: Callable[[int], Page]
    hints: tuple[tuple[str, str], ...] = (("show", "open"), ("back", "back"))
    answers: Mapping[str, Answer] = {}
    live: bool = True
    empty: str = "Nothing here."


SHEETS: Mapping[str, str] = {
    "log": "Tell all that happened to the ticket, and who did it.",
}
"""Every sheet by its verb, and what it shows: the verb's help. The module of that name in this package makes it."""


def make(name: str, app: DeskApp, rest: str) -> Sheet:
    """The sheet of a verb; its module is loaded when it is first asked for."""
    found: Sheet = importlib.import_module(f"tui.sheets.{name.replace('-', '_')}").sheet(app, rest)
    return found
