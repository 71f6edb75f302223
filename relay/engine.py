"""What all parts of the relay share: the store from async code, leases, supervision, health."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from msgspec.structs import replace

from desk.channel import AuthRequired, Channel, ChannelError, RateLimited, Retry
from desk.config import DeskConfig
from desk.errors import DeskError, StoreError
from desk.hosts import RELAY
from desk.model import Account, Millis
from desk.store import Store
from desk.text import storable
from desk.threads import Signer
from relay.log import log
from relay.patience import Patience
from relay.retry import backoff
from relay.workers import Parse, Workers

P = ParamSpec("P")
T = TypeVar("T")

#: On systems without a clock that runs on through suspend, one that stands still meanwhile.
_UPTIME = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

STEADY_S = 60.0
"""A part that ran this long before it failed begins its back-off anew."""


_HALVES = ("pump", "send")
"""The parts that an account's health tells of; what is wrong with the first comes first."""

HELD_S = 1.0
"""How often an account that somebody has paused is looked at."""

THREADS = 3
"""Calls on the store at a time: writes queue anyway, and every thread has a connection and memory of its own."""


@dataclass(frozen=True)
class Station:
    """One account as the relay runs it: its channel, its parser, how often it is asked."""

    name: str
    kind: str
    channel: Channel
    parse: Parse | None = None
    poll_s: float = 60.0


@dataclass
class Engine:
    """The relay's surroundings. `now` tells the time (Unix milliseconds), `holder` is this process's name on leases.

    `folder` is where its config.toml lies, `shown` gives a ticket as `show --json` does.
    `uptime` counts the time that really passed, suspend included; `lease_ms` is how long a lost relay keeps its jobs, and what it was sending, from others.
    """

    store: Store
    config: DeskConfig
    signer: Signer
    stations: list[Station]
    holder: str
    now: Callable[[], Millis]
    workers: Workers
    lease_ms: Millis = 30_000
    uptime: Callable[[], Millis] = lambda: time.clock_gettime_ns(_UPTIME) // 1_000_000
    folder: Path | None = None
    shown: Callable[[int], dict[str, Any]] = lambda number: {"id": number}
    attend: bool = True
    """Whether customers are shown, where a channel can, that an agent reads and writes."""
    threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(THREADS, "store"))
    health: dict[str, str] = field(default_factory=dict)
    held: dict[str, str] = field(default_factory=dict)
    """The accounts that somebody has paused, and what they said."""
    _lost: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.patience = Patience(self.show_up)

    async def once(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a call on the store beside the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self.threads, partial(work, *args, **kwargs))

    async def call(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a call on the store, again when it is back if it is away: one that may be made twice."""
        return await self.patience.outlast(lambda: self.once(work, *args, **kwargs))

    async def news(self, after: int, seconds: float) -> None:
        """Return when the log goes on behind `after`, or after `seconds`."""
        try:
            # Not one of the engine's threads: they are for who has something to do.
            await asyncio.to_thread(self.store.wait, after, seconds)
        except StoreError:
            # Whoever asks for the news meets the same, and waits for the store.
            await asyncio.sleep(seconds)

    async def show_up(self) -> None:
        """Let front ends see that a relay is there."""
        at = self.now()
        await self.once(self.store.lease, f"{RELAY}{self.holder}", self.holder, at, at + self.lease_ms)

    def _take(self, name: str) -> bool:
        # The time by which it is ours begins when the store is asked, not when we began to wait for it.
        at = self.now()
        return self.store.lease(name, self.holder, at, at + self.lease_ms)

    @asynccontextmanager
    async def leased(self, name: str) -> AsyncIterator[None]:
        """Hold the job `name` for as long as the block runs; wait for it while another process has it."""
        while not await self.call(self._take, name):  # noqa: ASYNC110 - what we wait for happens in another process
            await asyncio.sleep(self.lease_ms / 3_000)
        task = asyncio.current_task()
        keeper = asyncio.create_task(self._keep(name, task))
        try:
            yield
        finally:
            keeper.cancel()
            # What cannot be given back runs out by itself.
            with suppress(DeskError):
                await asyncio.shield(self.once(self.store.release, name, self.holder))

    async def _keep(self, name: str, task: asyncio.Task[object] | None) -> None:
        while True:
            await asyncio.sleep(self.lease_ms / 3_000)
            try:
                kept = await self.call(self._take, name)
            except DeskError as error:
                log.warning("lease not renewed", extra={"lease": name, "error": str(error)})
                continue
            if not kept and task is not None:
                log.warning("lease lost", extra={"lease": name})
                self._lost.add(name)
                task.cancel()
                return

    async def supervise(self, name: str, part: Callable[[], Awaitable[None]]) -> None:
        """Run `part` under the lease `name` for ever; what fails is tried again, later each time."""
        attempt = 0
        while True:
            begun = asyncio.get_running_loop().time()
            try:
                async with self.leased(name):
                    await part()
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if name in self._lost and task is not None and task.uncancel() == 0:
                    # The lease was lost, not the relay stopped: wait for it again.
                    self._lost.discard(name)
                    continue
                raise
            except Exception as error:
                attempt = 1 if asyncio.get_running_loop().time() - begun > STEADY_S else attempt + 1
                await self._rest(name, error, attempt)

    async def _rest(self, name: str, error: Exception, attempt: int) -> None:
        pause = backoff(attempt)
        if isinstance(error, AuthRequired):
            pause = max(pause, 10.0)
            words = f"paused: {error}"
        elif isinstance(error, (ChannelError, DeskError, OSError)):
            if isinstance(error, Retry) and error.after_s is not None:
                pause = max(pause, min(error.after_s, 3_600))
            words = f"{'waiting' if isinstance(error, RateLimited) else 'retrying'}: {error}"
        else:
            words = f"retrying: {type(error).__name__}: {error}"
            log.error("unexpected failure", exc_info=error, extra={"part": name})
        log.warning("part failed", extra={"part": name, "why": words, "again_in_s": round(pause, 1)})
        await self.report(name, words)
        await asyncio.sleep(pause)

    async def look(self) -> None:
        """See which accounts are paused; what they fare like is as it was, front ends put the pause before it."""
        accounts = await self.call(self.store.accounts)
        self.held = {name: account.held for name, account in accounts.items() if account.held}

    async def free(self, account: str) -> None:
        """Return when nobody has the account paused."""
        while account in self.held:  # noqa: ASYNC110 - it is resumed in another process
            await asyncio.sleep(HELD_S)

    async def report(self, part: str, words: str) -> None:
        """Say how a part fares: an account's health, read or sent, is seen by every front end."""
        if self.health.get(part) == words:
            return
        self.health[part] = words
        prefix, _, account = part.partition(":")
        station = next((s for s in self.stations if s.name == account), None)
        if prefix not in _HALVES or station is None:
            return
        said = [self.health.get(f"{half}:{account}", "ok") for half in _HALVES]
        worst = next((one for one in said if not one.startswith("ok")), said[0])
        try:
            await self.call(self.store.save_account, self.describe(station, storable(worst)))
        except Exception as error:  # who supervises must outlive whatever is reported
            log.warning("health not written", extra={"part": part, "error": str(error)})

    def describe(self, station: Station, health: str) -> Account:
        """The account as front ends see it."""
        ours = station.channel.addresses[0]
        can = station.channel.capabilities
        account = Account(station.name, station.kind, ours.value, ours.display, can, health, self.now())
        return replace(account, paused=health.startswith("paused"))
