"""What happens by itself: time passes, others work, and the store goes away and comes back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import themes
from desk.errors import Away, StoreError
from desk.model import MINUTE

if TYPE_CHECKING:
    from tui.app import DeskApp
    from tui.feed import Touched


class Meanwhile:
    """Keeps the screen true while nobody presses a key."""

    def __init__(self, app: DeskApp) -> None:
        self._app = app
        self._retrying = self._looking = False
        self._minute = app.front.now() // MINUTE

    def tick(self) -> None:
        """A second has passed."""
        app = self._app
        app.be()
        if app.reading:
            app.ticket.tell()
            app.writing.tick()
        elif app.trail:
            app.sheet.tick()
        elif app.app_focus:
            # While nobody looks the seconds may stand still.
            app.queue.list.repaint()
        minute, self._minute = self._minute, app.front.now() // MINUTE
        if minute != self._minute and not app.runner.away:
            app.queue.list.repaint()
            app.queue.peek.tell()
            app.run_worker(app.guarded(app.queue.passed()))
        if app.feed.silent:
            if not app.runner.away:
                app.runner.lost(Away("it does not answer"))
        elif (app.runner.away or app.waiting.asked) and not self._retrying:
            self._retrying = True
            app.run_worker(app.guarded(self._return()))
        if app.front.watched and not self._looking:
            self._looking = True
            app.run_worker(self._restyle(app.front.watched))
        app.notices.tick()
        app.edges.refresh()

    async def _restyle(self, watched: themes.Watched) -> None:
        """Draw everything anew when the theme's file is another."""
        try:
            if theme := await asyncio.to_thread(watched.again):
                self._app.wear(theme)
        except themes.ThemeError as error:
            self._app.say(f"the theme stays as it was: {error}")
        finally:
            self._looking = False

    async def _return(self) -> None:
        """The store seems to be back: do what waits for it, and show what happened meanwhile."""
        app = self._app
        try:
            try:
                seq = await app.runner.knock(app.front.desk.store.last_seq)
            except StoreError as error:
                app.runner.lost(error)
                return
            app.runner.found()
            await app.waiting.again()
            app.writing.drafts.save()
            await app.queue.load(keep=app.queue.list.current)
            await app.ticket.reload()
            if not app.runner.away:
                app.shown = max(app.shown, seq)
        finally:
            self._retrying = False
            app.edges.refresh()

    async def follow(self, event: Touched) -> None:
        """Somebody changed tickets: show it."""
        app = self._app
        own = event.batches <= app.own
        seen = await app.queue.touched(event.tickets, own=own)
        view = app.ticket.view
        if app.reading and view is not None and view.ticket.id in event.tickets:
            await app.ticket.reload()
            app.writing.arrived()
            app.run_worker(app.writing.glance())
            await app.ticket.see()
        if app.place == "sheet" and app.sheet.sheet and app.sheet.sheet.live:
            app.sheet.touched()
        if seen:
            app.shown = max(app.shown, event.seq)
        await app.notices.hear(event.records)
