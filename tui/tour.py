"""The tour: six keys from the list to the first answer, each told where it is needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from desk.model import SECOND, Millis
from desk.outgoing import REPLY
from tui.widgets.bars import Part

if TYPE_CHECKING:
    from tui.app import DeskApp

_FAREWELL: Millis = 20 * SECOND

_WORDS = 2
"""With fewer words than that, what is written may be the name of a canned text."""


class Tour:
    """Looks where the agent is, and tells the key that leads on: nothing has to be done in its order.

    It goes by itself in the demo, and with `:tour` everywhere.
    """

    def __init__(self, app: DeskApp) -> None:
        self._app = app
        self._on = app.front.demo
        self._first: int | None = None
        self._moved = False
        self._over_at: Millis | None = None

    def begin(self) -> None:
        """Begin with the first step."""
        self._on, self._first, self._moved, self._over_at = True, None, False, None

    def end(self) -> None:
        """Say no more."""
        self._on = False

    def told(self) -> Sequence[Part]:
        """The step at hand, for the line above the last one."""
        if not self._on:
            return ()
        if self._over_at is None and self._app.edges.sending:
            self._over_at = self._app.front.now() + _FAREWELL
        if self._over_at is not None:
            return self._farewell(self._over_at)
        step = self._step()
        return [*step, ("   :tour off", "quiet"), (" ends it", "faint")] if step else ()

    def _step(self) -> Sequence[Part]:
        app = self._app
        key, writing, tickets = app.hands.key, app.writing, app.queue.list
        match app.place:
            case "queue" if not self._left_first(tickets.current):
                return _told(1, f"{key('down')} {key('up')}", "go down and up the list")
            case "queue":
                return _told(2, key("show"), "opens the ticket under the cursor")
            case "ticket":
                self._moved = True
                return _told(3, key("reply"), "answers the customer")
            case "writing" if writing.kind == REPLY and len(writing.body.split()) < _WORDS:
                canned = app.front.demo
                return _told(
                    4,
                    "hi ^t" if canned else "",
                    "writes a first answer; or type your own" if canned else "write an answer",
                )
            case "writing" if writing.kind == REPLY:
                return _told(5, "^s", "shows what would go out, and to whom")
            case "reviewing" if writing.kind == REPLY:
                return _told(6, "y", "sends it")
        return ()

    def _left_first(self, current: int | None) -> bool:
        if self._first is None:
            self._first = current
        self._moved = self._moved or current != self._first
        return self._moved

    def _farewell(self, until: Millis) -> Sequence[Part]:
        if self._app.front.now() >= until:
            self.end()
            return ()
        return [
            ("That is all.  ", "good"),
            (self._app.hands.key("help"), "key"),
            (" lists the rest; the customer may answer soon", "quiet"),
        ]


def _told(number: int, key: str, words: str) -> Sequence[Part]:
    return [(f"{number}/6  ", "strong"), *([(key, "key"), (" ", "text")] if key else []), (words, "text")]
