"""The other side's limits, kept on ours: a token bucket for each, so that it never has to refuse us."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable

from desk.capabilities import Rate

LONGEST_S = 5.0
"""A wait that is longer is for the relay to plan, with what else it has to do."""


class Buckets:
    """One bucket for each rate; whoever takes from a name takes from all of that name.

    `clock` gives seconds that only grow, `sleep` waits for some.
    """

    def __init__(
        self,
        rates: Iterable[Rate],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._buckets = [_Bucket(rate, clock()) for rate in rates]
        self._clock, self._sleep = clock, sleep
        self._shut: dict[str, float] = {}

    def wait_s(self, what: str) -> float:
        """Seconds until there is room for one more `what`."""
        now = self._clock()
        waits = [bucket.wait_s(now) for bucket in self._buckets if bucket.rate.what == what]
        return max(0.0, self._shut.get(what, 0.0) - now, *waits)

    async def take(self, what: str) -> None:
        """Wait for room, and use it up; raises `RateLimited` when that takes longer than some seconds."""
        while (pause := self.wait_s(what)) > 0:
            if pause > LONGEST_S:
                from desk.channel import RateLimited

                raise RateLimited(f"as many {what} went out as the other side takes at a time", pause)
            await self._sleep(pause)
        now = self._clock()
        for bucket in self._buckets:
            if bucket.rate.what == what:
                bucket.take(now)

    def shut(self, what: str, seconds: float) -> None:
        """The other side asked for patience: no `what` until then."""
        self._shut[what] = max(self._shut.get(what, 0.0), self._clock() + seconds)


class _Bucket:
    def __init__(self, rate: Rate, now: float) -> None:
        self.rate, self._level, self._at = rate, float(rate.count), now

    def _fill(self, now: float) -> None:
        self._level = min(self.rate.count, self._level + (now - self._at) * self.rate.count / self.rate.seconds)
        self._at = now

    def wait_s(self, now: float) -> float:
        self._fill(now)
        # What a float loses on the way must not cost a turn.
        missing = 1.0 - self._level
        return 0.0 if missing < 1e-9 else missing * self.rate.seconds / self.rate.count

    def take(self, now: float) -> None:
        self._fill(now)
        self._level -= 1.0


__all__ = ["Buckets"]
