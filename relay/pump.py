"""The way in: ask a channel what is new, parse it, commit it with the cursor, then say so.

While some batches are committed those behind them are fetched and parsed: the mail
server, the workers and the disk are busy at the same time. What is between is bounded,
stays in the channel's order, and is lost without harm: the cursor does not know of it.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain

from desk.channel import Activity, Batch, Inbound, Item, Permanent, Poller, Raw, Receipt, Signal, Stream, Told
from desk.errors import DeskError
from desk.intake import Intake, Taken, prepare, take_in
from desk.model import Presence
from desk.perform import new_batch_id
from desk.store import Batch as Header
from relay.engine import Engine, Station
from relay.log import log
from relay.workers import unparsed

AHEAD_BYTES = 8 * 1024 * 1024
"""With more than this fetched and not yet committed, nothing is fetched: it is what the relay's memory is about."""

TOGETHER = 200
"""Messages in one transaction, at most: a fraction of what is ahead, so that nothing stands still meanwhile."""


async def pump(engine: Engine, station: Station) -> None:
    """Keep one account read, for ever; raises ChannelError when the other side fails."""
    channel, strays = station.channel, Strays()
    while True:
        await engine.free(station.name)
        how = Intake(station.name, station.kind, engine.config, engine.signer, _own(engine))
        trouble = await _read(engine, station, how, strays)
        await engine.report(f"pump:{station.name}", trouble or "ok")
        if isinstance(channel, Stream):
            await channel.wait(station.poll_s)
        else:
            await asyncio.sleep(station.poll_s)


async def _read(engine: Engine, station: Station, how: Intake, strays: Strays) -> str:
    """Take in all that is new; what the other side does not let us tell it, in words."""
    channel = station.channel
    assert isinstance(channel, Poller)
    cursor = await engine.call(engine.store.cursor, station.name)
    ahead = _Ahead()
    fetching = asyncio.create_task(_fetch(engine, station, channel, cursor, ahead))
    trouble = ""
    confirming: asyncio.Task[str] | None = None
    try:
        while ready := await ahead.take():
            batch, items = _joined(ready)
            try:
                taken = await engine.call(commit, engine, how, items, batch.cursor)
            except DeskError:
                raise
            except Exception as error:  # a message that the store cannot take must not hold up those beside it
                log.error("unexpected failure", exc_info=error, extra={"account": station.name})
                taken = await engine.call(one_by_one, engine, how, batch, items)
            strays.add(taken.strays)
            await engine.call(_attend, engine, taken.active)
            log.info(
                "taken in",
                extra={"account": station.name, "messages": taken.messages, "tickets": taken.tickets, "doubles": taken.doubles},
            )  # fmt: skip
            # The next are committed while the server is told: it may be busy handing out more.
            trouble = (await confirming if confirming else "") or trouble
            confirming = asyncio.create_task(_confirm(channel, batch))
            del ready, batch, items
        trouble = (await confirming if confirming else "") or trouble
        await fetching
        if waiting := strays.waiting():
            strays.keep((await engine.call(commit, engine, how, waiting, None)).strays)
    finally:
        parts = [part for part in (fetching, confirming) if part]
        for part in parts:
            part.cancel()
        ahead.drop()
        await asyncio.gather(*parts, return_exceptions=True)
    return trouble


async def _fetch(engine: Engine, station: Station, channel: Poller, cursor: str | None, ahead: _Ahead) -> None:
    """Fetch what is new and have it parsed, as far ahead as there is room."""
    try:
        async for batch in channel.poll(cursor):
            ahead.put(batch, asyncio.create_task(engine.workers.prepare(station.parse, batch.items)))
            del batch  # while the next is waited for, this one is not ours to keep: it can be large
            await engine.free(station.name)
            await ahead.room()
    finally:
        ahead.end()


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


def _attend(engine: Engine, active: Sequence[Presence]) -> None:
    """Let front ends see what customers do now; it is not kept, and who is at no ticket is at none."""
    for one in active:
        if one.doing:
            engine.store.attend(one)
        else:
            engine.store.depart(one.session)


class Strays:
    """Signals that came before what they are about: told again for a while, for it may be on its way."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since: dict[Signal, float] = {}

    def add(self, found: Sequence[Signal]) -> None:
        """These are about nothing that is here yet."""
        for signal in found:
            self._since.setdefault(signal, self._clock())

    def waiting(self) -> list[Signal]:
        """Those to be told again."""
        now = self._clock()
        return [signal for signal, since in self._since.items() if now - since < STRAY_S][-STRAYS:]

    def keep(self, found: Sequence[Signal]) -> None:
        """Only these are still about nothing that is here; all others are done with."""
        self._since = {signal: self._since[signal] for signal in found}


STRAY_S, STRAYS = 60.0, 1_000
"""How long a signal waits for what it is about, and how many do."""


def commit(engine: Engine, how: Intake, items: Sequence[Told], cursor: str | None) -> Taken:
    """Put a batch into the store, durably."""
    at = engine.now()
    header = Header(new_batch_id(at, os.urandom(8)), at, source=how.account)
    return engine.store.write(lambda tx: take_in(tx, how, items, header, cursor))


def one_by_one(engine: Engine, how: Intake, batch: Batch, items: Sequence[Told]) -> Taken:
    """Put a batch into the store so that whatever is wrong with one message costs only what was read of it."""
    all_taken = Taken()
    for raw, item in zip(batch.items, items, strict=True):
        try:
            taken = commit(engine, how, [item], None)
        except DeskError:
            raise
        except Exception as error:
            log.error("not all of it is kept", exc_info=error, extra={"account": how.account, "item": _called(raw)})
            taken = commit(engine, how, _bare(raw, f"{type(error).__name__} when it was put in"), None)
        all_taken.messages += taken.messages
        all_taken.tickets += taken.tickets
        all_taken.doubles += taken.doubles
        all_taken.strays += taken.strays
        all_taken.active += taken.active
    commit(engine, how, (), batch.cursor)
    return all_taken


def _bare(item: Item, problem: str) -> list[Told]:
    """What is kept of an item that cannot be put in as it is: its bytes or its words; of a signal nothing."""
    if isinstance(item, Raw):
        return [unparsed(item, problem)]
    if not isinstance(item, Inbound):
        return []
    bare = Inbound(item.external_id, item.received_at, None, item.text, problems=(problem,), unreadable=True)
    return [prepare(bare)]


def _called(item: Item) -> str:
    return item.target if isinstance(item, Receipt) else "" if isinstance(item, Activity) else item.external_id


@dataclass(frozen=True)
class _Fetched:
    """A batch on its way through the workers."""

    batch: Batch
    parsed: asyncio.Task[list[Told]]
    size_bytes: int


def _joined(ready: Sequence[_Fetched]) -> tuple[Batch, list[Told]]:
    """Batches in a row as one, and its messages parsed."""
    raw = tuple(chain.from_iterable(one.batch.items for one in ready))
    return Batch(raw, ready[-1].batch.cursor), [item for one in ready for item in one.parsed.result()]


class _Ahead:
    """Batches that are fetched and not yet committed, in order."""

    def __init__(self) -> None:
        self._waiting: deque[_Fetched] = deque()
        self._taken_bytes = 0
        self._ended = False
        self._changed = asyncio.Event()

    async def room(self) -> None:
        """Return when another batch may be fetched."""
        while sum(one.size_bytes for one in self._waiting) + self._taken_bytes > AHEAD_BYTES:
            await self._change()

    def put(self, batch: Batch, parsed: asyncio.Task[list[Told]]) -> None:
        """Another batch, behind all others."""
        size = sum(map(_bytes, batch.items))
        self._waiting.append(_Fetched(batch, parsed, size))
        self._changed.set()

    def end(self) -> None:
        """No more will come."""
        self._ended = True
        self._changed.set()

    async def take(self) -> list[_Fetched]:
        """What is to be committed next: a batch and those already parsed behind it; nothing at the end.

        What was taken before is done. Every transaction costs the store as much for one message
        as for many; but waiting for more than one batch is time in which it could work.
        """
        self._taken_bytes = 0
        self._changed.set()
        while not self._waiting:
            if self._ended:
                return []
            await self._change()
        ready: list[_Fetched] = []
        while self._waiting and (not ready or self._fits(ready)):
            await self._waiting[0].parsed
            ready.append(self._waiting.popleft())
            self._taken_bytes += ready[-1].size_bytes
        return ready

    def _fits(self, ready: Sequence[_Fetched]) -> bool:
        behind = self._waiting[0]
        return behind.parsed.done() and _count([*ready, behind]) <= TOGETHER

    def drop(self) -> None:
        """Forget what was not taken."""
        for one in self._waiting:
            one.parsed.cancel()

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()


def _bytes(item: Item) -> int:
    if isinstance(item, Raw):
        return len(item.data)
    return len(item.text) + sum(len(blob.packed) for blob in item.blobs) if isinstance(item, Inbound) else 0


def _count(ready: Sequence[_Fetched]) -> int:
    return sum(len(one.batch.items) for one in ready)
