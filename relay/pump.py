"""The way in: ask a channel what is new, parse it, commit it with the cursor, then say so."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence

from desk.channel import Batch, Inbound, Permanent, Poller, Stream
from desk.intake import Intake, Taken, take_in
from desk.perform import new_batch_id
from desk.store import Batch as Header
from relay.engine import Engine, Station
from relay.log import log


async def pump(engine: Engine, station: Station) -> None:
    """Keep one account read, for ever; raises ChannelError when the other side fails."""
    channel = station.channel
    assert isinstance(channel, Poller)
    how = Intake(station.name, station.kind, engine.config, engine.signer, _own(engine))
    cursor = await engine.call(engine.store.cursor, station.name)
    trouble = ""
    while True:
        async for batch in channel.poll(cursor):
            await _take(engine, station, how, batch)
            trouble = await _confirm(channel, batch)
            cursor = batch.cursor
        await engine.report(f"pump:{station.name}", trouble or "ok")
        if isinstance(channel, Stream):
            await channel.wait(station.poll_s)
        else:
            await asyncio.sleep(station.poll_s)


async def _confirm(channel: Poller, batch: Batch) -> str:
    """Tell the other side; that it will not be told (a read-only folder) stops nothing."""
    try:
        await channel.confirm(batch)
    except Permanent as error:
        log.warning("not confirmed", extra={"error": str(error)})
        return f"ok, but {error}"
    return ""


def _own(engine: Engine) -> frozenset[str]:
    return frozenset(identity.value for station in engine.stations for identity in station.channel.addresses)


async def _take(engine: Engine, station: Station, how: Intake, batch: Batch) -> Taken:
    items = await engine.workers.prepare(station.parse, batch.items)
    taken = await engine.call(commit, engine, how, items, batch.cursor)
    log.info(
        "taken in",
        extra={"account": station.name, "messages": taken.messages, "tickets": taken.tickets, "doubles": taken.doubles},
    )
    return taken


def commit(engine: Engine, how: Intake, items: Sequence[Inbound], cursor: str | None) -> Taken:
    """Put a batch into the store, durably."""
    at = engine.now()
    header = Header(new_batch_id(at, os.urandom(8)), at, source=how.account)
    return engine.store.write(lambda tx: take_in(tx, how, items, header, cursor))
