"""What happens because time passes: sleeping tickets wake, promises run out."""

from __future__ import annotations

import asyncio
import os

from desk import clocks
from desk.model import MINUTE, SECOND, Millis
from desk.perform import new_batch_id
from relay.engine import Engine
from relay.log import log

TICK_S = 1.0

JUMP: Millis = 5 * SECOND
"""How far the clock may get ahead of the time that really passed, before it is doubted."""

DOUBT: Millis = MINUTE
"""How long a clock that jumped has to stand by it until it is believed."""


class Trust:
    """Whether the clock on the wall is to be believed.

    A machine that slept has a clock that is far on, and a counter of its uptime that is as far
    on. A clock that was set wrong by hand or by a bad time server is ahead of the counter: for a
    minute nothing runs out by it, so that a mistake that is mended at once alarms nobody.
    """

    def __init__(self) -> None:
        self._ahead: Millis | None = None
        self._since: Millis = 0

    def holds(self, now: Millis, uptime: Millis) -> bool:
        """Whether `now` may be acted upon; `uptime` counts on through suspend and through changes of the clock."""
        ahead = now - uptime
        if self._ahead is None or ahead - self._ahead < JUMP:
            # Slewing and steps back are taken as they come: they only make us late.
            self._ahead, self._since = ahead, uptime
            return True
        if uptime - self._since < DOUBT:
            return False
        log.info("the clock was set", extra={"ahead_s": round((ahead - self._ahead) / 1000, 1)})
        self._ahead, self._since = ahead, uptime
        return True


async def ticks(engine: Engine, trust: Trust) -> None:
    """Look at the clock, for ever. `trust` outlives a part that failed: a clock in doubt stays so."""
    while True:
        if trust.holds(engine.now(), engine.uptime()):
            await tick(engine)
        await asyncio.sleep(TICK_S)


async def tick(engine: Engine) -> None:
    """One look at the clock: all that is due now."""
    while woken := await engine.call(clocks.wake, engine.store, engine.now(), _batch(engine)):
        log.info("tickets woke", extra={"tickets": woken})
    while told := await engine.call(clocks.tell, engine.store, engine.now(), _batch(engine)):
        for event in told:
            log.info("sla", extra={"ticket": event.about, "clock": event.clock, "what": event.what})


def _batch(engine: Engine) -> str:
    return new_batch_id(engine.now(), os.urandom(8))
