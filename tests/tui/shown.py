"""Drives the screen in a test: press keys, wait for what should appear, read what stands there."""

from __future__ import annotations

import asyncio
import gc
import itertools
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from textual.pilot import Pilot

import themes
from desk.perform import Desk, Who
from tests.desks import NOW
from tui.app import DeskApp
from tui.front import Front

DEADLINE_S = 20.0


def front(desk: Desk, who: Who, **more: Any) -> Front:
    """What the screen is given: a clock that stands still, and batch ids that count."""
    numbers = itertools.count()
    given: dict[str, Any] = {"now": lambda: NOW, "theme": themes.load("dark")}
    return Front(desk, who, new_batch=lambda: f"screen-{next(numbers)}", **(given | more))


class Shown:
    """The running screen."""

    def __init__(self, app: DeskApp, pilot: Pilot[None]) -> None:
        self.app, self.pilot = app, pilot

    @property
    def lines(self) -> list[str]:
        """What stands on the screen, line by line."""
        return [strip.text for strip in self.app.screen._compositor.render_strips()]

    @property
    def text(self) -> str:
        """What stands on the screen."""
        return "\n".join(line.rstrip() for line in self.lines)

    @property
    def status(self) -> str:
        """The last line."""
        return self.app.edges.status.text

    async def press(self, *keys: str) -> None:
        """Press keys by name, and let the screen finish."""
        for key in keys:
            await self.pilot.press(key)
            await self.settle()

    async def type(self, text: str) -> None:
        """Type a text."""
        await self.pilot.press(*text)
        await self.settle()

    async def settle(self) -> None:
        """Wait until nothing is being done."""
        await self.pilot.pause()
        await self.until(lambda: not self.app.busy and not any(w.is_running for w in self.app.workers))
        await self.pilot.pause()

    async def until(self, holds: Callable[[], object]) -> None:
        """Wait until something holds; fail with the screen when it never does."""
        end = time.monotonic() + DEADLINE_S
        while not holds():
            if time.monotonic() > end:
                raise AssertionError("never came to be; the screen:\n" + self.text)
            await self.pilot.pause(0.01)

    async def see(self, *texts: str) -> None:
        """Wait until all of `texts` stand on the screen."""
        await self.until(lambda: all(text in self.text for text in texts))


@asynccontextmanager
async def shown(given: Front, size: tuple[int, int] = (120, 40)) -> AsyncIterator[Shown]:
    """The screen, open."""
    app = DeskApp(given)
    async with app.run_test(size=size) as pilot:
        screen = Shown(app, pilot)
        await screen.settle()
        yield screen
    # A screen keeps what it has to its end; the next test is another one.
    gc.unfreeze()


def run(test: Coroutine[Any, Any, None]) -> None:
    """Run an asynchronous test."""
    asyncio.run(test)
