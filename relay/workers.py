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

from desk.blobs import Blob
from desk.channel import Inbound, Raw
from desk.intake import prepare

Parse = Callable[[Raw], Inbound]

ITEM_S = 5.0
"""How long one item may take."""

SHARE = 25
"""Items a worker is given at once."""


def _quiet() -> None:
    # Ctrl-C belongs to the parent, which ends its workers in good order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _prepare_all(parse: Parse | None, items: Sequence[Raw | Inbound]) -> list[Inbound]:
    return [prepare(item, parse) for item in items]


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

    def submit(self, parse: Parse | None, items: Sequence[Raw | Inbound]) -> Future[list[Inbound]]:
        """Begin to parse `items`; the future fails only when the pool is broken."""
        if self._pool is None:
            context = multiprocessing.get_context("forkserver")
            context.set_forkserver_preload(["desk.intake"])
            self._pool = ProcessPoolExecutor(self._count, context, _quiet)
        return self._pool.submit(_prepare_all, parse, items)

    async def prepare(self, parse: Parse | None, items: Sequence[Raw | Inbound]) -> list[Inbound]:
        """All of `items` parsed, in order; what breaks a worker comes back as `unparsed`."""
        if parse is None or self._count == 0:
            return _prepare_all(parse, items)
        shares = [items[i : i + SHARE] for i in range(0, len(items), SHARE)]
        done = await asyncio.gather(*(self._share(parse, share) for share in shares))
        return [inbound for share in done for inbound in share]

    async def _share(self, parse: Parse, items: Sequence[Raw | Inbound]) -> list[Inbound]:
        try:
            return await self._attempt(parse, items)
        except (BrokenProcessPool, TimeoutError) as error:
            if len(items) > 1:
                # Somebody in this share (or beside it) broke the worker: find out who, one by one.
                return [inbound for item in items for inbound in await self._share(parse, [item])]
            item = items[0]
            assert isinstance(item, Raw)
            return [unparsed(item, "it took too long" if isinstance(error, TimeoutError) else "it broke the parser")]

    async def _attempt(self, parse: Parse, items: Sequence[Raw | Inbound]) -> list[Inbound]:
        future = self.submit(parse, items)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), ITEM_S * len(items))
        except (BrokenProcessPool, TimeoutError):
            self.close()
            raise

    def close(self) -> None:
        """End the workers, also the one that hangs."""
        pool, self._pool = self._pool, None
        if pool is not None:
            for process in list((pool._processes or {}).values()):
                process.terminate()
            pool.shutdown(wait=False, cancel_futures=True)
