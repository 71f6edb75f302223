"""What happens because time passes: sleeping tickets wake."""

from __future__ import annotations

import asyncio
import os

from desk.events import change
from desk.perform import new_batch_id
from desk.query import Within
from desk.store import Batch, Tx
from desk.when import Range
from relay.engine import Engine
from relay.log import log

TICK_S = 1.0
CHUNK = 100


async def ticks(engine: Engine) -> None:
    """Look at the clock, for ever."""
    while True:
        woken = await engine.call(wake, engine)
        if woken:
            log.info("tickets woke", extra={"tickets": woken})
        await asyncio.sleep(TICK_S)


def wake(engine: Engine) -> list[int]:
    """Bring back the tickets whose time has come; returns their numbers."""
    at = engine.now()
    due = Within("snoozed_until", Range(None, at + 1))
    ids = engine.store.ids(due, sort="oldest", limit=CHUNK)
    if not ids:
        return []

    def body(tx: Tx) -> list[int]:
        batch = Batch(new_batch_id(at, os.urandom(8)), at, source="clock", line="unsnooze")
        found = [t for t in tx.tickets(ids).values() if t.snoozed_until is not None and t.snoozed_until <= at]
        tx.append(batch, [event for t in found for event in change(t, snoozed_until=None, snoozed_for_reply=False)])
        return [t.id for t in found]

    return engine.store.write(body)
