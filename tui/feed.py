"""What others do, as it happens: one thread that waits for the log to grow."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence

from textual.message import Message

from desk.events import Record
from desk.hosts import relay_runs
from desk.model import Account, Millis, Presence
from desk.store import Store

SILENT_S = 2.5
"""A store that answers nothing for so long is away."""

_SLICE_S = 1.0
_STEP = 1_000
_HOUSE_EVERY = 5
_PRESENT_EVERY_S = 2.0


class Touched(Message):
    """Tickets that changed, in which batches, the last line of the log that tells of it, and all those lines."""

    def __init__(self, tickets: set[int], batches: set[str], seq: int, records: Sequence[Record] = ()) -> None:
        super().__init__()
        self.tickets, self.batches, self.seq, self.records = tickets, batches, seq, records


class House(Message):
    """How the desk itself fares: its accounts, and whether somebody fetches and sends."""

    def __init__(self, accounts: dict[str, Account], relay: bool) -> None:
        super().__init__()
        self.accounts, self.relay = accounts, relay


class Around(Message):
    """Who is at which ticket, this terminal among them; told when it is another."""

    def __init__(self, present: list[Presence]) -> None:
        super().__init__()
        self.present = present


class Lost(Message):
    """The store does not answer the feed."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


class Feed:
    """Follows the log of a store and posts what happened; survives the store being away.

    It asks for nothing that takes long, so that its silence tells that the store hangs.
    """

    def __init__(self, store: Store, post: Callable[[Message], object], now: Callable[[], Millis]) -> None:
        self._store, self._post, self._now = store, post, now
        self._stopped = threading.Event()
        self._heard_at = time.monotonic()
        self._seq: int | None = None
        self._present: list[tuple[str, int, str]] = []
        self._met_at = 0.0
        # A daemon: leaving must not wait for the end of a slice.
        self._thread = threading.Thread(target=self._follow, name="desk-feed", daemon=True)

    def start(self, after: int | None) -> None:
        """Begin behind the log line `after` (None: behind what is there when the store first answers)."""
        self._seq = after
        self._thread.start()

    def stop(self) -> None:
        """End with the slice at hand."""
        self._stopped.set()

    @property
    def silent(self) -> bool:
        """Whether the store has answered nothing for longer than it may."""
        return time.monotonic() - self._heard_at > SILENT_S

    def _follow(self) -> None:
        turn = 0
        while not self._stopped.is_set():
            try:
                self._step(turn)
                turn += 1
            except Exception as error:
                # Whatever a database raises when its disk or host is gone, the screen stays and says so.
                turn = 0
                self._say(Lost(error))
                self._stopped.wait(_SLICE_S)

    def _step(self, turn: int) -> None:
        newest = self._store.last_seq()
        self._heard_at = time.monotonic()
        if self._seq is None:
            self._seq = newest
        if turn % _HOUSE_EVERY == 0:
            self._say(house(self._store, self._now()))
        self._meet()
        if newest <= self._seq:
            newest = self._wait(newest)
        if newest > self._seq and (records := self._store.log(after=self._seq, limit=_STEP)):
            self._seq = records[-1].seq
            self._say(Touched(touched(records), {record.batch for record in records}, self._seq, records))

    def _wait(self, seq: int) -> int:
        try:
            return self._store.wait(seq, _SLICE_S)
        except Exception:
            # Who brings the news comes back later than the store itself, at times.
            self._stopped.wait(_SLICE_S)
            return seq

    def _meet(self) -> None:
        if time.monotonic() - self._met_at < _PRESENT_EVERY_S:
            return
        present = self._store.present(self._now())
        self._met_at = time.monotonic()
        # That somebody is still there is no news.
        if (told := [(one.session, one.ticket, one.doing) for one in present]) != self._present:
            self._present = told
            self._say(Around(present))

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
