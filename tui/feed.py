"""What others do, as it happens: one thread that waits for the log to grow."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from textual.message import Message

from desk.events import Record
from desk.model import Account, Millis
from desk.store import Store, relay_runs

_SLICE_S = 1.0
_STEP = 1_000
_HOUSE_EVERY = 5


class Touched(Message):
    """Tickets that changed, and in which batches."""

    def __init__(self, tickets: set[int], batches: set[str]) -> None:
        super().__init__()
        self.tickets, self.batches = tickets, batches


class House(Message):
    """How the desk itself fares: its accounts, and whether somebody fetches and sends."""

    def __init__(self, accounts: dict[str, Account], relay: bool) -> None:
        super().__init__()
        self.accounts, self.relay = accounts, relay


class Lost(Message):
    """The store does not answer the feed."""

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason


class Found(Message):
    """The store answers again."""


class Feed:
    """Follows the log of a store and posts what happened; survives the store being away."""

    def __init__(self, store: Store, post: Callable[[Message], object], now: Callable[[], Millis]) -> None:
        self._store, self._post, self._now = store, post, now
        self._stopped = threading.Event()
        self._lost = False
        self._seq: int | None = None
        # A daemon: leaving must not wait for the end of a slice.
        self._thread = threading.Thread(target=self._follow, name="desk-feed", daemon=True)

    def start(self, after: int | None) -> None:
        """Begin behind the log line `after` (None: behind what is there when the store first answers)."""
        self._seq = after
        self._thread.start()

    def stop(self) -> None:
        """End with the slice at hand."""
        self._stopped.set()

    def _follow(self) -> None:
        turn = 0
        while not self._stopped.is_set():
            try:
                if turn % _HOUSE_EVERY == 0:
                    self._look_around()
                turn += 1
                self._wait()
            except Exception as error:
                # Whatever a database raises when its disk or host is gone, the screen stays and says so.
                self._say(Lost(str(error)))
                self._lost = True
                self._stopped.wait(_SLICE_S)
            else:
                if self._lost:
                    self._lost = False
                    self._say(Found())

    def _wait(self) -> None:
        if self._seq is None:
            self._seq = self._store.last_seq()
        if self._store.wait(self._seq, _SLICE_S) <= self._seq:
            return
        records = self._store.log(after=self._seq, limit=_STEP)
        if records:
            self._seq = records[-1].seq
            self._say(Touched(touched(records), {record.batch for record in records}))

    def _look_around(self) -> None:
        self._say(house(self._store, self._now()))

    def _say(self, message: Message) -> None:
        if not self._stopped.is_set():
            self._post(message)


def house(store: Store, now: Millis) -> House:
    """Look how the desk fares."""
    return House(store.accounts(), relay_runs(store, now))


def touched(records: Iterable[Record]) -> set[int]:
    """The tickets that look different after these log lines."""
    found: set[int] = set()
    for record in records:
        if record.entity == "ticket":
            found.add(int(record.about))
            if record.kind == "Moved":
                found.add(record.data["to"])
    return found
