"""A store that is away: one asks whether it is back, for all who wait for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from itertools import count
from typing import TypeVar

from desk.errors import Away, Busy, StoreError
from relay.log import log
from relay.retry import backoff

T = TypeVar("T")

LONGEST_S = 3.0
"""How often a store that is away is asked for at least: who waits goes on a few seconds after its return."""

AGAIN_S = 600.0
"""How soon the same words about it are logged again."""


class Patience:
    """Has what failed for want of the store asked again when it is back; what was in memory stays there.

    `knock` is a small change in the store: one that can only be read is not back.
    """

    def __init__(self, knock: Callable[[], Awaitable[object]]) -> None:
        self._knock = knock
        self._return: asyncio.Task[None] | None = None
        self._said: dict[str, float] = {}

    async def outlast(self, ask: Callable[[], Awaitable[T]]) -> T:
        """What `ask` gives, when the store is there: it must not matter how often it is asked."""
        while True:
            try:
                return await ask()
            except Busy:
                raise
            except StoreError as error:
                if self._return is None or self._return.done():
                    self._return = asyncio.create_task(self._back(str(error)), name="store")
                await asyncio.shield(self._return)

    async def _back(self, why: str) -> None:
        begun = asyncio.get_running_loop().time()
        told = self._tell(why)
        for attempt in count(1):
            await asyncio.sleep(backoff(attempt, longest_s=LONGEST_S))
            try:
                await self._knock()
                break
            except StoreError as error:
                told = self._tell(str(error)) or told
        if told:
            log.info("store back", extra={"away_s": round(asyncio.get_running_loop().time() - begun, 1)})

    def _tell(self, why: str) -> bool:
        now = asyncio.get_running_loop().time()
        if now - self._said.get(why, -AGAIN_S) < AGAIN_S:
            return False
        self._said = {words: at for words, at in self._said.items() if now - at < AGAIN_S} | {why: now}
        log.warning("store away", extra={"why": why})
        return True


def when_there(ask: Callable[[], T]) -> T:
    """What `ask` gives, when the store can be reached; before there is anything else to do."""
    begun, told = time.monotonic(), ""
    for attempt in count(1):
        try:
            found = ask()
            break
        except Away as error:
            if str(error) != told:
                log.warning("store away", extra={"why": (told := str(error))})
            time.sleep(backoff(attempt, longest_s=LONGEST_S))
    if told:
        log.info("store back", extra={"away_s": round(time.monotonic() - begun, 1)})
    return found
