"""What the screen is given when it starts: it finds nothing by itself."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, tzinfo
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct, field
from msgspec.structs import replace

from desk.config import KeysConfig, NotifyConfig, ScreenConfig
from desk.model import Message, Millis
from desk.perform import Desk, Who
from themes import Theme, Watched, load

if TYPE_CHECKING:
    from desk.macros import Input, Prepared


class Macros(Protocol):
    """The macros there are for the agent, wherever they stand."""

    def keys(self) -> Mapping[str, str]:
        """The macros that have a key, by it."""

    def offered(self, ticket: int) -> Sequence[tuple[str, str, str]]:
        """Name, title and key of each macro that is offered on the ticket."""

    def inputs(self, name: str) -> Sequence[Input]:
        """What it asks for."""

    def prepare(self, name: str, ids: Sequence[int], given: Mapping[str, str]) -> tuple[Prepared, str]:
        """What it is to do to each ticket, and what a program said about it."""

    def then(self, name: str) -> str:
        """Where to go afterwards: stay, next or close."""

    def keep(self, name: str, table: Mapping[str, Any], *, over: bool = False) -> str:
        """Write a macro of the agent's own and give its place; Conflict when there is one, unless it is to be written `over`."""

    def snippets(self) -> Sequence[tuple[str, str]]:
        """Name of each canned text, and how it begins."""

    def snippet(self, name: str, ticket: int) -> str:
        """The canned text called `name`, filled in for a ticket; NotFound names the nearest."""


class Relay(Protocol):
    """A relay that runs while this screen is open, where that is this user's to decide."""

    def look(self, running: bool) -> None:
        """Some relay was seen at the store, or none."""

    def told(self) -> str:
        """What to say while none is seen; "" for nothing."""

    def choose(self, word: str) -> str:
        """Do and remember what the agent says: on, off or never; gives the sentence to answer with."""


class Memory(Protocol):
    """Lines typed before, kept over the end of the screen."""

    def recall(self, kind: str) -> Sequence[str]:
        """The lines of a kind, "command" or "filter", the newest last."""

    def remember(self, kind: str, line: str) -> None:
        """Keep a line."""


class Fresh(Struct, frozen=True):
    """What can be another once the configuration has been read again."""

    desk: Desk
    keys: KeysConfig
    screen: ScreenConfig
    macros: Macros | None = None
    watched: Watched | None = None
    notify: NotifyConfig = field(default_factory=NotifyConfig)


class Front(Struct):
    """The desk, who sits at it, and the outside world as functions.

    `now` is the clock, `new_batch` makes the id of a change, `read_file` gives (name,
    content type, bytes) of a path to attach, `raw` the mail that a message with its text becomes. `query` is the list to begin with. `watched` tells
    when the theme is another. `terminal` is what this one is called among all at the desk.
    `reload` reads the configuration again, or raises a ConfigError; then nothing changes.
    """

    desk: Desk
    who: Who
    now: Callable[[], Millis]
    new_batch: Callable[[], str]
    theme: Theme
    zone: tzinfo = UTC
    query: str = "is:open"
    read_file: Callable[[str], tuple[str, str, bytes]] | None = None
    raw: Callable[[Message, str], str] | None = None
    demo: bool = False
    editor: tuple[str, ...] = ("vi",)
    macros: Macros | None = None
    watched: Watched | None = None
    keys: KeysConfig = field(default_factory=KeysConfig)
    screen: ScreenConfig = field(default_factory=ScreenConfig)
    notify: NotifyConfig = field(default_factory=NotifyConfig)
    relay: Relay | None = None
    terminal: str = "here"
    memory: Memory | None = None
    cursor: bool = False
    reload: Callable[[], Fresh] | None = None

    def renew(self, fresh: Fresh) -> None:
        """Go by the configuration that was read again."""
        self.desk, self.keys, self.screen = fresh.desk, fresh.keys, fresh.screen
        self.macros, self.watched, self.notify = fresh.macros, fresh.watched, fresh.notify
        self.desk.store.config = self.desk.config

    @property
    def me(self) -> str | None:
        """The name of the agent at this screen; None for somebody the desk does not know."""
        return self.who.agent.name if self.who.agent else None


def colourless(front: Front) -> tuple[Front, str | None]:
    """`front` in the theme without colours when NO_COLOR asks for it; the variable is hidden from Textual, which would take the shades too."""
    wish = os.environ.pop("NO_COLOR", None)
    return (replace(front, theme=load("mono"), watched=None) if wish and front.theme.name != "mono" else front), wish
