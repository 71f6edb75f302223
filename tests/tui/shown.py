"""Drives the screen in a test: press keys, wait for what should appear, read what stands there."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import ExitStack, asynccontextmanager
from typing import Any
from unittest.mock import patch

from textual.pilot import Pilot

import themes
from desk.perform import Desk, Who
from tests.desks import NOW
from tui.app import DeskApp
from tui.front import Front
from tui.peek import _REST_S

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
        return self.app.edges.last

    async def press(self, *keys: str) -> None:
        """Press keys by name, and let the screen finish."""
        for key in keys:
            await self.pilot.press(key)
            await self.settle()

    async def type(self, text: str) -> None:
        """Type a text."""
        await self.pilot.press(*text)
        await self.settle()

    async def run(self, line: str) -> None:
        """Run a command line, as a key or a macro does."""
        await self.app.hands.run_line(line)
        await self.settle()

    async def back(self) -> None:
        """Back to the list, from wherever it is."""
        await self.press("escape", "escape")
        self.app.to_list()
        await self.settle()

    async def rest(self) -> None:
        """Wait until what comes a moment later has come, too: the preview of the ticket where the cursor rests."""
        await asyncio.sleep(2 * _REST_S)
        await self.settle()

    async def settle(self) -> None:
        """Wait until nothing is being done, and all that came of it is drawn."""
        still = 0
        end = time.monotonic() + DEADLINE_S
        while still < 2:
            await self.pilot.pause()
            still = still + 1 if self._rests else 0
            if not still:
                if time.monotonic() > end:
                    raise AssertionError("never came to rest; the screen:\n" + self.text)
                await asyncio.sleep(0.002)

    @property
    def _rests(self) -> bool:
        app = self.app
        if app.busy or any(worker.is_running for worker in app.workers):
            return False
        if not app.is_running:
            return True
        screen = app.screen
        return not (
            screen._layout_required
            or screen._repaint_required
            or screen._dirty_widgets
            or screen._callbacks
            or any(each.message_queue_size for each in (app, *screen.walk_children(with_self=True)))
        )

    async def until(self, holds: Callable[[], object]) -> None:
        """Wait until something holds; fail with the screen when it never does."""
        end = time.monotonic() + DEADLINE_S
        while not holds():
            if time.monotonic() > end:
                raise AssertionError("never came to be; the screen:\n" + self.text)
            await self.pilot.pause(0.01)

    async def see(self, *texts: str) -> None:
        """Wait until all of `texts` stand on the screen."""

        def stand() -> bool:
            shown = self.text
            return all(text in shown for text in texts)

        await self.until(stand)


@asynccontextmanager
async def shown(given: Front, size: tuple[int, int] = (120, 40)) -> AsyncIterator[Shown]:
    """The screen, open."""
    app = DeskApp(given)
    with ExitStack() as quick:
        for module in ("app", "pilot"):
            quick.enter_context(patch(f"textual.{module}.wait_for_idle", _yielding))
        # It pays off for who sits at the screen longer than a test.
        quick.enter_context(patch("tui.app._settle_memory"))
        async with app.run_test(size=size) as pilot:
            screen = Shown(app, pilot)
            await screen.settle()
            yield screen


async def _yielding(*_: float) -> None:
    """What Textual's pilot does after each key instead of watching for 20 ms whether this process computes."""
    await asyncio.sleep(0)


def run(test: Coroutine[Any, Any, None]) -> None:
    """Run an asynchronous test."""
    asyncio.run(test)
