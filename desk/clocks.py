"""What time does to tickets: sleeping ones wake, promises run out, and new policies move what is due.

Called again and again by whoever watches the clock; each look does a bounded piece of work in
a transaction of its own, and nothing twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from desk.events import Clock, Event, change
from desk.model import Millis
from desk.query import LIVE, VISIBLE, All, Between, Within
from desk.sla import ring
from desk.store import Batch, Store, Tx
from desk.when import Range

CHUNK = 100
"""Tickets in one transaction."""


def wake(store: Store, at: Millis, batch_id: str) -> list[int]:
    """Bring back the tickets whose time has come; returns their numbers."""
    due = Within("snoozed_until", Range(None, at + 1))
    ids = store.ids(due, sort="oldest", limit=CHUNK)
    if not ids:
        return []

    def body(tx: Tx) -> list[int]:
        found = [t for t in tx.tickets(ids).values() if t.snoozed_until is not None and t.snoozed_until <= at]
        batch = Batch(batch_id, at, source="clock", line="unsnooze")
        tx.append(batch, [event for t in found for event in change(t, snoozed_until=None, snoozed_for_reply=False)])
        return [t.id for t in found]

    return store.write(body)


def tell(store: Store, at: Millis, batch_id: str) -> list[Clock]:
    """Log the warnings and breaches whose time has come, each once and none early; returns them."""
    ids = store.alarms(at, CHUNK)
    if not ids:
        return []

    def body(tx: Tx) -> list[Clock]:
        events = [e for t in tx.tickets(ids).values() for e in ring(t, tx.promises(t), at)]
        batch = Batch(batch_id, at, source="clock", line="clock")
        said: list[Event] = [*events]
        if said:
            tx.append(batch, said)
        # A clock that is not what the ticket says (a policy was changed by hand) is set right instead.
        tx.resettle(batch, set(ids) - {e.about for e in events})
        return events

    return store.write(body)


def resettle(store: Store, batch: Batch, progress: Callable[[int], object] | None = None) -> int:
    """Set the clocks of all open tickets by the policies in force; returns how many changed.

    In small transactions, so that nobody waits; `progress` is told how many are done and may
    return False to stop. Doing it again goes on, because what is right already stays.
    """
    done = after = changed = 0
    while True:
        ids = store.ids(All((VISIBLE, LIVE, Between("id", after + 1, None))), sort="oldest", limit=CHUNK)
        if not ids:
            return changed
        changed += store.write(partial(_resettle, batch, ids), bulk=True)
        done, after = done + len(ids), max(ids)
        if progress is not None and progress(done) is False:
            return changed


def _resettle(batch: Batch, ids: Sequence[int], tx: Tx) -> int:
    return tx.resettle(batch, ids)
