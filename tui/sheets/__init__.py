"""Sheets: what the screen shows besides the queue and a ticket, as lines that one can act on.

Each module makes one: `sheet(app, rest)` reads nothing yet and gives a `Sheet`, whose `read` does.
`kit` has what they are made of.
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
    """One line of a sheet; `line` is what Enter does there, `ticket` the one that the verbs of the desk act on.

    `key` is what the answers of the sheet are about. The cursor passes over one that only
    `heads` others, and over one without parts.
    """

    parts: tuple[Part, ...] = ()
    line: str = ""
    ticket: int | None = None
    ground: str = "text"
    key: int | str | None = None
    heads: bool = False

    @property
    def leads(self) -> bool:
        """Whether anything can be done with it."""
        return bool(self.line or self.ticket is not None or self.key is not None)

    @property
    def text(self) -> str:
        """What stands there."""
        return "".join(text for text, _ in self.parts)


class Page(Struct, frozen=True):
    """What there is on a sheet now: what to say beside its title, and its lines.

    Those `beside` stand in a second column, in cells from `split` on. Of a page with a `unit`
    the last line says how many there are.
    """

    entries: Sequence[Entry]
    facts: tuple[Part, ...] = ()
    beside: Sequence[Entry] = ()
    split: int = 0
    unit: str = ""


class Sheet(Struct, frozen=True):
    """A list of lines about the desk, or about what is going to be done.

    `read` makes the lines for a width; it runs in a thread and may ask the store, but not that
    of a `local` one, which shows what the screen itself knows, at once and while the store is away.
    `hints` are command lines, with words, whose keys the last line tells. `answers` are keys that
    mean something on this sheet alone. Of a `live` one the lines are read again whenever something
    happened, and with every full minute.
    """

    title: str
    read: Callable[[int], Page]
    hints: tuple[tuple[str, str], ...] = (("show", "open"), ("narrow", "narrow"), ("back", "back"))
    answers: Mapping[str, Answer] = {}
    live: bool = True
    empty: str = "Nothing here."
    local: bool = False


SHEETS: Mapping[str, str] = {
    "dashboard": "Show the desk at a glance: lists, what is due, how the day goes, who is here.",
    "outbox": "List what is on its way out, what failed, and what nobody knows of; S sends again.",
    "history": "List all tickets of the customer at hand, and what was said last.",
    "log": "Tell all that happened to the ticket, and who did it.",
    "drafts": "List your texts that were begun and not sent; Enter goes on with one.",
    "changes": "List what you did lately; Enter takes any of it back, after showing what that would change.",
    "health": "Tell how relay, accounts, rules, clocks and store fare, and what to do.",
    "notices": "List what happened to your tickets since you last did something.",
    "messages": "List what the last line said in this session.",
    "waiting": "List what waits for a store that is away, and what could not be done when it was back.",
}
"""Every sheet by its verb, and what it shows: the verb's help. The module of that name in this package makes it."""


def make(name: str, app: DeskApp, rest: str) -> Sheet:
    """The sheet of a verb; its module is loaded when it is first asked for."""
    found: Sheet = importlib.import_module(f"tui.sheets.{name.replace('-', '_')}").sheet(app, rest)
    return found
