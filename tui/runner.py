"""Work on the store, away from the event loop: nothing that waits for a disk holds up a key."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from desk.errors import Busy, DeskError, StoreError

T = TypeVar("T")

_BUGS = (AssertionError, AttributeError, LookupError, NameError, TypeError)


class Runner:
    """Two threads: one reads, in the order asked; one writes, so that a slow write delays no list.

    `away` is told of a StoreError and `back` of the first success after one.
    """

    def __init__(self) -> None:
        self._reading = ThreadPoolExecutor(1, "desk-read")
        self._writing = ThreadPoolExecutor(1, "desk-write")
        self.away: Callable[[StoreError], None] = lambda error: None
        self.back: Callable[[], None] = lambda: None

    def begin(self, work: Callable[[], T]) -> Future[T]:
        """Start reading before there is a loop to wait in."""
        return self._reading.submit(_told, work)

    async def read(self, work: Callable[[], T]) -> T:
        """The result of `work`, which only reads."""
        return await self.follow(self._reading.submit(_told, work))

    async def write(self, work: Callable[[], T]) -> T:
        """The result of `work`, which changes something."""
        return await self.follow(self._writing.submit(_told, work))

    async def follow(self, future: Future[T]) -> T:
        """Wait for what `begin` started."""
        try:
            result = await asyncio.wrap_future(future)
        except StoreError as error:
            # A store that is merely busy answers everybody else.
            if not isinstance(error, Busy):
                self.away(error)
            raise
        self.back()
        return result

    def stop(self) -> None:
        """Let go of the threads; what they are doing is finished, what waits is dropped."""
        self._reading.shutdown(wait=False, cancel_futures=True)
        self._writing.shutdown(wait=True)


def _told(work: Callable[[], T]) -> T:
    """Run `work`; a database that fails in its own words is a StoreError like any other."""
    try:
        return work()
    except (DeskError, *_BUGS):
        raise
    except Exception as error:
        raise StoreError(f"the store does not answer: {error}") from error
