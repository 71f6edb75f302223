"""The preview: whether it is shown and where, and which ticket it tells."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from desk.errors import DeskError, Invalid, NotFound
from desk.query import suggest

if TYPE_CHECKING:
    from textual.timer import Timer
    from textual.worker import Worker

    from tui.screens.queue import QueuePane
    from tui.widgets.preview import Glance, Preview

SIDES = ("auto", "right", "below")
WIDE, NARROW = 160, 100
"""From so many columns on `auto` is at the right; with fewer than these there is no room there at all."""

_REST_S = 0.08
"""Whoever holds a key down wants to get somewhere; the preview waits until the cursor rests."""


class Peek:
    """Tells the ticket under the cursor beside the list or below it, as soon as the cursor rests there."""

    def __init__(self, pane: QueuePane, where: str) -> None:
        self._pane = pane
        self.shown = where != "off"
        self.side = where if self.shown else SIDES[0]
        self._widget: Preview | None = None
        self._glance: Glance | None = None
        self._timer: Timer | None = None

    # -- where it is ----------------------------------------------------------------

    async def begin(self) -> None:
        """Show it, if that is how the agent has it."""
        if self.shown:
            await self._show()

    async def toggle(self) -> None:
        """Show it, or no longer."""
        self.shown = not self.shown
        await self._show()

    async def move(self, to: str = "") -> str:
        """Show it at the right, below, where there is room (auto), or not at all (off); "": the next of these places."""
        if to and to not in (*SIDES, "off"):
            raise Invalid(f'there is no place "{to}" for the preview{suggest(to, (*SIDES, "off"))}')
        if to != "off":
            # The next place is one that looks different from the last.
            before = self._right
            self.side = to or ("below" if before else "right")
        self.shown = to != "off"
        await self._show()
        return self.side

    @property
    def _right(self) -> bool:
        width = self._pane.app.size.width
        return width >= (NARROW if self.side == "right" else WIDE) and self.side != "below"

    async def _show(self) -> None:
        if self.shown and self._widget is None:
            # Not before somebody looks: what tells a conversation takes a moment to load.
            from tui.widgets.preview import Preview

            pane = self._pane
            self._widget = Preview(pane.look, pane.front.zone, pane.front.me)
            await pane.split.mount(self._widget)
        if self._widget is None:
            return
        self._widget.display = self.shown
        self.arrange()
        if self.shown:
            self._glance = None
            self._look()

    def arrange(self) -> None:
        """Give it its share of the room."""
        widget, pane = self._widget, self._pane
        if widget is None or not self.shown:
            return
        size = pane.app.size
        widget.beside = self._right
        pane.split.styles.layout = "horizontal" if widget.beside else "vertical"
        widget.styles.width = min(112, size.width * 9 // 20) if widget.beside else "1fr"
        widget.styles.height = "1fr" if widget.beside else max(8, (size.height - 6) * 2 // 5)
        pane.call_after_refresh(self.tell)

    # -- what it tells ------------------------------------------------------------------

    def follow(self) -> None:
        """The cursor is on another ticket."""
        if self.shown and self._widget is not None:
            if self._timer is not None:
                self._timer.stop()
            self._timer = self._pane.set_timer(_REST_S, self._look)

    def touched(self, ids: Collection[int]) -> None:
        """These tickets changed."""
        if self._glance is not None and self._glance.ticket.id in ids:
            self._look()

    def tell(self) -> None:
        """Tell the ticket by the clock of now."""
        if self.shown and self._widget is not None:
            self._widget.tell(self._glance, self._pane.front.now())

    def _look(self) -> None:
        if self.shown:
            # The newest one only: what was asked for before is not waited for.
            _: Worker[None] = self._pane.run_worker(self._read, group="peek", exclusive=True)

    async def _read(self) -> None:
        from tui.widgets.preview import Glance

        store, number = self._pane.front.desk.store, self._pane.list.current

        def work() -> Glance | None:
            try:
                ticket = store.ticket(number) if number is not None else None
            except NotFound:
                return None
            return Glance(ticket, store.customer(ticket.requester), store.thread(ticket.id)) if ticket else None

        try:
            self._glance = await self._pane.runner.read(work)
        except DeskError:
            # That the store is away is said elsewhere; what was told stays.
            return
        self.tell()
