"""Parsing in worker processes, so that no mail can hurt the process that holds the store.

A worker that dies or takes too long costs only the item it was at: that item is kept
raw, with what can be said about it, and everything else goes on.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from desk.blobs import Blob
from desk.channel import Inbound, Item, Raw, Told
from desk.errors import DeskError
from desk.intake import prepare
from relay.limits import ITEM_BYTES, ITEM_S, Limits, TimeLimit
from relay.scratch import Place, Scratch, large

Parse = Callable[[Raw], Inbound]
T = TypeVar("T")

SHARE = 25
"""Items a worker is given at once."""

START_S = 5.0
"""How long a worker may take to begin."""

_limits: Limits | None = None


def _begin() -> None:
    """Make this process a worker."""
    global _limits
    # Ctrl-C belongs to the parent, which ends its workers in good order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _limits = Limits()


def _prepare_all(parse: Parse | None, items: Sequence[Item]) -> list[Told]:
    if _limits is None:
        return [prepare(item, parse) for item in items]
    try:
        return [_bounded(_limits, parse, item) for item in items]
    finally:
        _limits.rest()


def _prepare_by_file(
    parse: Parse, scratch: Scratch, items: Sequence[tuple[Raw, Place]]
) -> list[tuple[Told, list[Place]]]:
    try:
        return scratch.parsed(_prepare_all(parse, scratch.whole(items)))
    finally:
        scratch.close()


def _bounded(limits: Limits, parse: Parse | None, item: Item) -> Told:
    """`item` prepared; one that wants too much costs only itself."""
    problem = ""
    try:
        with limits.item():
            return prepare(item, parse)
    except TimeLimit:
        problem = f"it takes over {ITEM_S:.0f} seconds to read"
    except MemoryError:
        problem = f"it takes over {ITEM_BYTES // 1024 // 1024} MB to read"
    # Outside of the handlers: what the item had is let go by now.
    if not isinstance(item, Raw):
        raise MemoryError(problem)
    return unparsed(item, problem)


def unparsed(item: Raw, problem: str) -> Inbound:
    """What is kept of an item that could not be read: its bytes, and a message that says so."""
    blob = Blob.of(item.data)
    text = f"This message could not be read ({problem}). Its original is kept with the ticket."
    return prepare(
        Inbound(
            item.external_id,
            item.received_at,
            None,
            text,
            text,
            "(unreadable message)",
            raw=blob.key,
            blobs=(blob,),
            problems=(problem,),
            unreadable=True,
        )
    )


class Workers:
    """A pool of parsers. `count` 0 parses in this process (for tests and tiny imports)."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._pool: ProcessPoolExecutor | None = None

    def submit(self, parse: Parse | None, items: Sequence[Item]) -> Future[list[Told]]:
        """Begin to parse `items`; the future fails only when the pool is broken."""
        return self._started(parse).submit(_prepare_all, parse, items)

    def _started(self, parse: Parse | None) -> ProcessPoolExecutor:
        if self._pool is None:
            context = multiprocessing.get_context("forkserver")
            # What the first share needs is loaded once, and shared by all workers.
            context.set_forkserver_preload([__name__, *([parse.__module__] if parse else [])])
            self._pool = ProcessPoolExecutor(self._count, context, _begin)
        return self._pool

    async def prepare(self, parse: Parse | None, items: Sequence[Item]) -> list[Told]:
        """All of `items` parsed, in order; what breaks a worker comes back as `unparsed`."""
        if parse is None or self._count == 0 or not any(isinstance(item, Raw) for item in items):
            return _prepare_all(parse, items)
        shares = [items[i : i + SHARE] for i in range(0, len(items), SHARE)]
        done = await asyncio.gather(*(self._share(parse, share) for share in shares))
        return [inbound for share in done for inbound in share]

    async def _share(self, parse: Parse, items: Sequence[Item]) -> list[Told]:
        try:
            return await self._attempt(parse, items)
        except (BrokenProcessPool, TimeoutError, MemoryError):
            # Somebody in this share, or in one beside it, broke the workers. Who it was shows
            # in a worker that belongs to one item at a time.
            alone = Workers(1)
            try:
                return [await alone._judged(parse, item) for item in items]
            finally:
                alone.close()

    async def _judged(self, parse: Parse, item: Item) -> Told:
        try:
            return (await self._attempt(parse, [item]))[0]
        except (BrokenProcessPool, TimeoutError, MemoryError) as error:
            assert isinstance(item, Raw)
            await self._prove(parse)
            return unparsed(item, "it took too long" if isinstance(error, TimeoutError) else "it broke the parser")

    async def _prove(self, parse: Parse) -> None:
        """See that a worker starts at all: where none does, no mail is to blame, and all of it waits."""
        try:
            await self._attempt(parse, [])
        except (BrokenProcessPool, TimeoutError) as error:
            raise DeskError(
                "no parser process can be started; check the memory and process limits (ulimit -a)"
            ) from error

    async def _attempt(self, parse: Parse, items: Sequence[Item]) -> list[Told]:
        raws = [item for item in items if isinstance(item, Raw)]
        if len(raws) < len(items) or not large(raws):
            return await self._done(self.submit(parse, items), len(items))
        between = Scratch()
        try:
            hollow = await asyncio.to_thread(between.raws, raws)
            future = self._started(parse).submit(_prepare_by_file, parse, between, hollow)
            found = await self._done(future, len(items))
            return await asyncio.to_thread(between.complete, found)
        finally:
            between.close()

    async def _done(self, future: Future[T], count: int) -> T:
        """What a worker makes of `count` items; a worker that hangs is ended, with all others."""
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), ITEM_S * count + START_S)
        except (BrokenProcessPool, TimeoutError):
            self.close()
            raise
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            # Somebody beside us closed the pool before it was our turn.
            raise BrokenProcessPool("the pool was closed") from None

    def close(self) -> None:
        """End the workers, also the one that hangs."""
        pool, self._pool = self._pool, None
        if pool is not None:
            for process in list((pool._processes or {}).values()):
                process.terminate()
            pool.shutdown(wait=False, cancel_futures=True)
