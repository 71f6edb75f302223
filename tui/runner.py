"""Work on the store, away from the event loop: nothing that waits for a disk or a server holds up a key."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Struct

from desk.errors import Away, DeskError, StoreError

if TYPE_CHECKING:
    from desk.model import Millis

T = TypeVar("T")

AWAY = "that needs the store, which is away just now; do it again when it is back"

_BUGS = (AssertionError, AttributeError, LookupError, NameError, TypeError)


class Outage(Struct, frozen=True):
    """Since when the store is away, and what is known of it."""

    since: Millis
    why: str


class Runner:
    """Two threads: one reads, in the order asked; one writes, so that a slow write delays no list.

    While the store is `away` whatever is asked of it fails at once, and so did what was under
    way: nobody waits for an answer. The thread may get one all the same.
    """

    def __init__(self, now: Callable[[], Millis]) -> None:
        self._now = now
        self._reading, self._writing = _Hand("desk-read"), _Hand("desk-write")
        self._left: set[asyncio.Future[None]] = set()
        self.away: Outage | None = None

    def lost(self, error: Exception) -> None:
        """The store does not answer."""
        self.away = Outage(self.away.since if self.away else self._now(), str(error))
        for waiter in self._left:
            if not waiter.done():
                waiter.set_result(None)

    def found(self) -> None:
        """The store answers."""
        self.away = None

    def begin(self, work: Callable[[], T]) -> Future[T]:
        """Start reading before there is a loop to wait in."""
        return self._reading.submit(work)

    async def read(self, work: Callable[[], T]) -> T:
        """The result of `work`, which only reads."""
        self._demand()
        return await self.follow(self._reading.submit(work))

    async def write(self, work: Callable[[], T]) -> T:
        """The result of `work`, which changes something."""
        self._demand()
        return await self.follow(self._writing.submit(work))

    async def knock(self, work: Callable[[], T]) -> T:
        """Read, whether or not the store is known to be there."""
        return await self.follow(self._reading.submit(work))

    def _demand(self) -> None:
        if self.away:
            raise Away(AWAY)

    async def follow(self, future: Future[T]) -> T:
        """Wait for what `begin` started, as long as the store is there."""
        answer = asyncio.wrap_future(future)
        left: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._left.add(left)
        try:
            await asyncio.wait((answer, left), return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                answer.add_done_callback(lambda late: late.cancelled() or late.exception())
                raise Away("the store does not answer; what was asked of it may be done yet")
            return await answer
        except asyncio.CancelledError:
            answer.cancel()
            raise
        except Away as error:
            if answer.done():
                self.lost(error)
            raise
        finally:
            self._left.discard(left)

    def stop(self) -> None:
        """Let go of the threads; what they are writing is finished, but nobody waits for a store that is away."""
        self._reading.stop(wait=False)
        self._writing.stop(wait=self.away is None)


class _Hand:
    """A thread that does one thing after the other; a daemon, since who leaves must not wait for a server that hangs."""

    def __init__(self, name: str) -> None:
        self._jobs: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Do this too."""
        future: Future[T] = Future()
        self._jobs.put((future, work))
        return future

    def stop(self, *, wait: bool) -> None:
        """End behind what has been asked."""
        self._jobs.put(None)
        if wait:
            self._thread.join()

    def _work(self) -> None:
        while job := self._jobs.get():
            future, work = job
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(_told(work))
            except BaseException as error:
                future.set_exception(error)


def _told(work: Callable[[], T]) -> T:
    """Run `work`; a database that fails in its own words is a StoreError like any other."""
    try:
        return work()
    except (DeskError, *_BUGS):
        raise
    except Exception as error:
        raise StoreError(f"the store does not answer: {error}") from error
