"""Where this terminal is, told to the others; what they told; and the time that goes into a ticket."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress

from desk.model import MINUTE, SECOND, Millis, Presence
from tui.front import Front

LASTS: Millis = 30 * SECOND
"""A terminal that says no more is forgotten after this."""

AGAIN: Millis = 10 * SECOND

_IDLE: Millis = MINUTE
"""At no ticket it is enough to say this often that one is at the desk, and to be forgotten after three times that."""

AT_WORK: Millis = 5 * MINUTE
"""Who presses no key for longer is not at work, whatever is on their screen."""

AT_THE_EDITOR: Millis = 30 * MINUTE
"""The same for an editor of the agent's own, whose keys nobody sees."""

_LEAVING_S = 1.0
_NOWHERE = (0, "")

Around = Mapping[int, Sequence[Presence]]
"""Who is at which ticket, by its number."""


class Seat:
    """Tells the store which ticket this terminal shows and whether somebody writes there; has a thread of its own.

    So it goes on while the terminal is lent to an editor, and no work of the agent's waits
    for it. What goes wrong is nobody's trouble: the next time comes soon.
    """

    def __init__(self, front: Front, away: Callable[[], object]) -> None:
        self._front, self._away = front, away
        self._place = _NOWHERE
        self._told: tuple[int, str] | None = None
        self._counted: Millis = 0
        self._active: Millis = 0
        self._lent: Millis | None = None
        self._wake = threading.Event()
        self._stopped = False
        self._thread: threading.Thread | None = None

    def active(self) -> None:
        """A key was pressed."""
        self._active = self._front.now()

    def lend(self) -> None:
        """The terminal goes to an editor."""
        self._lent = self._front.now()

    def take_back(self) -> None:
        """The editor is done."""
        self.active()
        self._lent = None

    def be(self, ticket: int, doing: str) -> None:
        """The terminal shows this ticket (0: none) now; the store is told at once."""
        if self._front.me is None or ((ticket, doing) == self._place and self._thread is not None):
            return
        self._place = (ticket, doing)
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="desk-seat", daemon=True)
            self._thread.start()
        self._wake.set()

    def stop(self) -> None:
        """The terminal is left: whoever sees it there still is told, if the store answers at once."""
        self._place, self._stopped = _NOWHERE, True
        self._wake.set()
        if self._thread is not None and not self._away():
            self._thread.join(_LEAVING_S)

    def _work(self) -> None:
        stopped = False
        while not stopped:
            self._wake.wait((_IDLE if self._place == self._told == _NOWHERE else AGAIN) / SECOND)
            self._wake.clear()
            stopped = self._stopped
            # Whatever a store raises when it is gone is told elsewhere, and it is tried again.
            with suppress(Exception):
                if not self._away():
                    self.beat()

    def beat(self) -> None:
        """Tell where the terminal is, and how much work went into where it was."""
        store, now = self._front.desk.store, self._front.now()
        place, told = self._place, self._told
        spent = self._spent(now) if told not in (None, _NOWHERE) else 0
        if told is not None and (spent or (place == told and not self._stopped)):
            store.attend(self._presence(told, now), spent)
        if self._stopped:
            store.depart(self._front.terminal)
        elif place != told:
            store.attend(self._presence(place, now))
        self._told, self._counted = place, now

    def _presence(self, place: tuple[int, str], now: Millis) -> Presence:
        front = self._front
        return Presence(
            front.terminal, front.me or "", front.who.host, *place, until=now + (LASTS if place[0] else 3 * _IDLE)
        )

    def _spent(self, now: Millis) -> Millis:
        """How long somebody was at work since it was last counted."""
        end = self._active + AT_WORK
        if self._lent is not None:
            end = max(end, self._lent + AT_THE_EDITOR)
        return max(0, min(now, end) - self._counted)


def around(present: Iterable[Presence], terminal: str) -> dict[int, list[Presence]]:
    """Who is at which ticket, but for this terminal, and for those at none."""
    found: dict[int, list[Presence]] = {}
    for one in present:
        if one.session != terminal and one.ticket:
            found.setdefault(one.ticket, []).append(one)
    return found


def colleagues(around: Around) -> dict[int, list[Presence]]:
    """The same without customers: who else works there."""
    found = {number: [one for one in present if not one.customer] for number, present in around.items()}
    return {number: present for number, present in found.items() if present}
