"""The screen as a whole: puts the parts together and hands each key to the part that it is meant for."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from collections.abc import Awaitable, Sequence
from concurrent.futures import wait
from contextlib import suppress
from functools import cached_property, partial
from typing import TYPE_CHECKING

from textual import events
from textual.app import App, ComposeResult
from textual.filter import LineFilter
from textual.geometry import Offset
from textual.reactive import Reactive
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import ContentSwitcher

import themes
from desk.errors import Away, DeskError
from desk.model import Presence
from desk.outgoing import NOTE
from tui.columns import VIEWS, WRITES
from tui.commands import Commands
from tui.draw import look
from tui.edges import Edges
from tui.feed import Around, Feed, House, Lost, Touched, house
from tui.frames import Frames
from tui.front import Front, colourless
from tui.hands import Hands
from tui.meanwhile import Meanwhile
from tui.notices import Notices
from tui.order import Order
from tui.presence import Seat, around, colleagues
from tui.prompting import Prompting
from tui.runner import AWAY, Runner
from tui.screens.queue import Loaded, QueuePane
from tui.sheets import Sheet
from tui.terminal import Backstop, Ground, QuietDriver, ShowingDriver
from tui.tour import Tour
from tui.waiting import Waiting
from tui.widgets.calm import Calm
from tui.widgets.queue import QueueList

_PATIENCE_S = 0.2
"""How long the first frame waits for the first tickets."""

_LAST_S = 2.0
"""So long a text may take to be kept when all ends."""

if TYPE_CHECKING:
    from tui.screens.sheet import SheetPane
    from tui.screens.ticket import TicketPane
    from tui.widgets.lines import Lines
    from tui.widgets.prompt import Prompt
    from tui.writing import Writing


class Pages(ContentSwitcher):
    """The list, a ticket or a sheet."""


class DeskScreen(Screen[None], inherit_bindings=False):
    """A screen that leaves every key to the desk, and is not drawn again because another part has the focus."""

    focused: Reactive[Widget | None] = Reactive(None, repaint=False)

    def __init__(self, id: str, filters: Sequence[LineFilter]) -> None:
        super().__init__(id=id)
        self._compositor = Frames(filters)

    async def _on_idle(self, event: events.Idle) -> None:
        """Draw what changed. Textual would wait for the next of sixty frames a second, or the one after that."""
        event.prevent_default()
        if self._layout_required or self._scroll_required or self._repaint_required or self._dirty_widgets:
            self._on_timer_update()
        else:
            await self._invoke_and_clear_callbacks()


class DeskApp(App[None], inherit_bindings=False):
    """The support desk in a terminal."""

    CSS_PATH = "styles.tcss"
    ENABLE_COMMAND_PALETTE = False
    TITLE = "deskhand"

    def __init__(self, front: Front) -> None:
        front, no_color = colourless(front)
        self._typing_at = Offset(0, 0)
        super().__init__(driver_class=ShowingDriver if front.cursor else QuietDriver, ansi_color=True)
        if no_color:
            os.environ["NO_COLOR"] = no_color
        self.animation_level = "none"
        self.front, self.look, self.runner = front, look(front.theme), Runner(front.now)
        self.queue = QueuePane(front, self.runner, self.look)
        self.edges = Edges(front, self.look)
        self.commands, self.prompting = Commands(self), Prompting(self)
        self.tour = Tour(self)
        self.waiting = Waiting(self)
        self.trail: list[int | Sheet] = []
        """What is open above the list: the numbers of tickets, and sheets; the last one is shown."""
        self.feed = Feed(front.desk.store, self.post_message, front.now)
        self.seat = Seat(front, lambda: self.runner.away)
        self.around: dict[int, list[Presence]] = {}
        """Who else is at which ticket."""
        self.own: set[str] = set()
        """Batches made here: their effect is shown already."""
        self.shown = 0
        """The line of the log up to which the screen shows what happened."""
        self.hands, self.notices = Hands(self), Notices(self)
        self.meanwhile = Meanwhile(self)
        # Read while Textual starts, so that the first frame has tickets in it.
        self._first = self.runner.begin(self._read_first)

    # Made, and what makes them loaded, behind the first frame.

    @cached_property
    def ticket(self) -> TicketPane:
        """The ticket that is open."""
        from tui.screens.ticket import TicketPane

        pane = TicketPane(self.front, self.runner, self.look, self.writing.unsent, self.writing.review)
        pane.around = lambda number: self.around.get(number, ())
        return pane

    @cached_property
    def sheet(self) -> SheetPane:
        """The sheet that is open."""
        from tui.screens.sheet import SheetPane

        return SheetPane(self.front.now, self.runner, self.look)

    @cached_property
    def writing(self) -> Writing:
        """The text that is being written."""
        from tui.writing import Writing

        return Writing(self)

    @property
    def cursor_position(self) -> Offset:
        """Where the terminal's own cursor is: what is typed into says so itself, a list has it on its line; braille follows it."""
        focused = self.screen.focused
        return focused.spot if isinstance(focused, Calm) else self._typing_at

    @cursor_position.setter
    def cursor_position(self, at: Offset) -> None:
        self._typing_at = at

    def get_default_screen(self) -> Screen[None]:
        """The one screen there is."""
        return DeskScreen("_default", (Ground(self.look), Backstop()))

    def compose(self) -> ComposeResult:
        """Top line, list or ticket, notice, status line."""
        self.edges.place, self.edges.pending = self._told_place, self.hands.pending
        self.edges.key, self.edges.marking = self.hands.key, self.queue.marking
        self.edges.tour = self.tour.told
        self.edges.outage, self.edges.waiting = lambda: self.runner.away, self.waiting.told
        self.edges.hints = self.hands.hints
        wait((self._first,), timeout=_PATIENCE_S)
        self._start()
        yield self.edges.top
        with Pages(initial="queue"):
            yield self.queue
        yield self.edges.notice
        yield self.edges.status

    def _read_first(self) -> tuple[int, House, Loaded]:
        # The end of the log first: what happens after it reaches the list by the feed.
        store = self.front.desk.store
        return store.last_seq(), house(store, self.front.now()), self.queue.first(self.front.query)

    def _read_all(self) -> Order | None:
        page = self._first.result()[2].page
        shown = [row.ticket.id for row in page.rows]
        return self.queue.whole(self.queue.node(self.front.query), "urgency", shown) if page.next is not None else None

    def _start(self) -> bool:
        """Show what has been read so far; False when that is nothing yet."""
        if not self._first.done() or self._first.exception():
            self.edges.refresh()
            return False
        self.shown, found, loaded = self._first.result()
        self.edges.accounts, self.edges.relay = found.accounts, found.relay
        self.queue.begin(self.front.query, loaded)
        self.edges.refresh()
        return True

    async def on_mount(self) -> None:
        """Show the first page and begin to follow the desk."""
        self.queue.list.focus()
        self.set_interval(1.0, self.meanwhile.tick)
        self.app_suspend_signal.subscribe(self, lambda _: self.seat.lend())
        self.app_resume_signal.subscribe(self, lambda _: self.seat.take_back())
        self.call_after_refresh(self._drawn, self._first.done())

    async def _drawn(self, shown: bool) -> None:
        # The first tickets are on the screen: only now what takes long, which would have delayed them.
        await self._furnish()
        _settle_memory()
        self.be()
        self.run_worker(self.guarded(self._begin(shown)))

    async def _furnish(self) -> None:
        """Put up what is behind the list."""
        if not self.ticket.is_attached:
            self.ticket.display = self.sheet.display = False
            await self.query_one(Pages).mount(self.ticket, self.sheet)

    async def _begin(self, shown: bool) -> None:
        seq: int | None = None
        try:
            seq = (await self.runner.follow(self._first))[0]
            self.notices.since, self.edges.notices = seq, self.notices.told
            if not shown:
                self._start()
            # Before the numbers of all tickets, which may be a million.
            await self.queue.counting.count()
            if (order := await self.runner.read(self._read_all)) and len(order) > len(self.queue.list.order):
                self.queue.complete(order)
            await self._learn()
            if told := await self.writing.drafts.load():
                self.say(told, "quiet")
            await self.queue.peek.begin()
        except DeskError as error:
            self.queue.list.fill(
                Order(), (), empty=("The list could not be read.", "/ asks for another one, ^l tries again.")
            )
            self.fail(error)
        finally:
            self.feed.start(seq)

    async def _learn(self) -> None:
        store = self.front.desk.store
        agents, teams = await self.runner.read(lambda: (sorted(store.agents()), sorted(store.teams())))
        tags = {tag for row in self.queue.list.rows.values() for tag in row.ticket.tags}
        self.prompting.learn(agents, teams, tags)
        await self.prompting.recall()

    def on_resize(self, event: events.Resize) -> None:
        """Keep the prompt at the bottom."""
        if self.prompting.prompt is not None and self.prompting.active:
            self.call_after_refresh(self.prompting.prompt.stay)
        if self.reading:
            self.call_after_refresh(self.writing.resized)

    def on_unmount(self) -> None:
        """Let go of the threads, and of the terminal's title."""
        self.notices.close()
        self.seat.stop()
        self.feed.stop()
        self.runner.stop()

    # -- where one is -------------------------------------------------------------

    @property
    def place(self) -> str:
        """What the keys mean now: "queue", "ticket", "sheet", "writing", "reviewing" (a reply) or "noting" (a note)."""
        if not self.reading:
            return "sheet" if self.trail else "queue"
        writing = self.writing
        return "noting" if writing.stage == "reviewing" and writing.kind == NOTE else writing.stage or "ticket"

    def _told_place(self) -> str:
        # A note goes nowhere: the key that asks to whom is none of its own.
        return "jotting" if self.place == "writing" and self.writing.kind == NOTE else self.place

    @property
    def reading(self) -> bool:
        """Whether a ticket is open."""
        return bool(self.trail) and not isinstance(self.trail[-1], Sheet)

    @property
    def pane(self) -> QueueList | Lines:
        """What the moving keys move."""
        if not self.reading:
            return self.sheet.list if self.trail else self.queue.list
        return self.writing.review if self.writing.stage == "reviewing" else self.ticket.conversation

    async def show(self, number: int) -> None:
        """Open a ticket, in place of the one that is shown."""
        self.writing.keep()
        await self.ticket.open(number)
        if self.reading:
            self.trail[-1] = number
        else:
            self.trail.append(number)
        self._switch("ticket")
        if (place := self.queue.list.order.place(number)) is not None:
            self.queue.list.move_to(place)
        self.focus_pane()
        self.waiting.seen(number)
        self.edges.refresh()
        # Behind the frame that shows it: a thread that reads takes turns with what draws.
        self.call_after_refresh(self.run_worker, partial(self._see, number))

    async def _see(self, number: int) -> None:
        try:
            await self.writing.glance()
            await self.ticket.learn()
            await self.ticket.see()
            await self.queue.touched((number,), own=False)
        except DeskError as error:
            self.fail(error)

    async def open_sheet(self, sheet: Sheet) -> None:
        """Show a sheet above what is shown; where it is open already, one goes back to it."""
        self.writing.keep()
        await self.sheet.show(sheet)
        titles = [one.title if isinstance(one, Sheet) else None for one in self.trail]
        if sheet.title in titles:
            del self.trail[titles.index(sheet.title) :]
        self.trail.append(sheet)
        self._switch("sheet")

    async def back(self) -> None:
        """Leave what is shown, for what it was opened from."""
        if self.trail:
            self.trail.pop()
        match self.trail[-1] if self.trail else None:
            case None:
                self.to_list()
            case Sheet() as sheet:
                self.trail.pop()
                await self.open_sheet(sheet)
            case int(number):
                self.trail.pop()
                await self.show(number)

    def to_list(self) -> None:
        """Leave all that is open, for the list."""
        self.writing.keep()
        self.trail.clear()
        self.ticket.close()
        self.sheet.close()
        self._switch("queue")

    def _switch(self, to: str) -> None:
        self.query_one(Pages).current = to
        self.be()
        self.focus_pane()
        self.edges.refresh()

    def focus_pane(self) -> None:
        """Let keys go to the list, the ticket or the text again."""
        if not self.reading:
            (self.sheet.list if self.trail else self.queue.list).focus()
        elif self.writing.stage:
            self.writing.focus()
        else:
            self.ticket.conversation.focus()

    # -- doing --------------------------------------------------------------------

    async def on_event(self, event: events.Event) -> None:
        """Take keys before any part of the screen does: one at a time, in the order typed."""
        if isinstance(event, events.InputEvent):
            self.seat.active()
        if isinstance(event, events.Key) and not event.is_forwarded:
            await self._furnish()
            await self.hands.take(event)
            self.be()
        else:
            await super().on_event(event)

    def be(self) -> None:
        """Let the others know which ticket is open here, and whether somebody writes."""
        number = self.ticket.view.ticket.id if self.reading and self.ticket.view else 0
        self.seat.be(number, (WRITES if self.writing.stage else VIEWS) if number else "")

    async def forward(self, event: events.Key) -> None:
        """Let the field that is typed into have a key."""
        await super().on_event(event)

    async def on_key(self, event: events.Key) -> None:
        """A key that went through a field comes back."""
        if await self.hands.passed(event):
            event.prevent_default()

    def say(self, text: str, style: str = "error") -> None:
        """A sentence in the last line, until the next key."""
        self.edges.say(text, style)

    async def guarded(self, work: Awaitable[None]) -> None:
        """Do something; what goes wrong is told in the last line."""
        try:
            await work
        except DeskError as error:
            self.fail(error)

    def fail(self, error: DeskError) -> None:
        """Tell what went wrong; that the store is away, and why, stands in the line above."""
        if isinstance(error, Away) and self.runner.away:
            self.say(AWAY, "notice")
        else:
            self.say(str(error))

    @property
    def busy(self) -> bool:
        """Whether something is being done that keys wait for."""
        return self.hands.busy

    async def leave(self) -> None:
        """End the program; what could not be saved is asked about first."""
        await self.writing.drafts.saved()
        where = ", ".join(f"#{draft.ticket}" for draft in self.writing.drafts.unsaved)
        lost = [f"an unsent text on {where}"] if where else []
        if self.waiting.asked:
            lost.append(f"what waits for the store ({len(self.waiting.asked)})")
        if not lost:
            self.exit()
            return
        self.hands.ask(f"{' and '.join(lost)} would be lost", {"y": ("leave all the same", self._quit)})

    async def _quit(self) -> None:
        self.exit()

    async def told_to_end(self) -> None:
        """The terminal goes, or the machine: what is written is kept, and the terminal is left as it was found."""
        self.writing.keep()
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_S):
                await self.writing.drafts.saved()
        self.exit()

    # -- what happens -----------------------------------------------------------------

    def wear(self, theme: themes.Theme) -> None:
        """Draw everything anew in this theme."""
        self.look.update(look(theme))
        self.writing.restyle()
        for widget in self.screen.walk_children():
            widget.refresh()

    async def on_touched(self, event: Touched) -> None:
        """Somebody changed tickets: show it."""
        self.run_worker(self.guarded(self.meanwhile.follow(event)))

    def on_house(self, event: House) -> None:
        """How the desk fares."""
        self.edges.accounts, self.edges.relay = event.accounts, event.relay
        if self.front.relay:
            self.front.relay.look(event.relay)
        self.edges.refresh()

    def on_around(self, event: Around) -> None:
        """Somebody came to a ticket, left it, or writes there."""
        self.around = around(event.present, self.front.terminal)
        self.queue.list.meet(colleagues(self.around))
        self.ticket.tell()
        self.edges.here = len({one.agent for one in event.present if not one.customer} | {self.front.me})
        self.edges.refresh()

    def on_lost(self, event: Lost) -> None:
        """The store went away."""
        self.runner.lost(event.error)
        self.edges.refresh()

    def on_queue_pane_failed(self, event: QueuePane.Failed) -> None:
        """A list could not be read."""
        self.fail(event.error)

    async def on_queue_list_pressed(self, event: QueueList.Pressed) -> None:
        """A ticket was clicked twice."""
        await self.hands.run_line("show")

    async def on_prompt_changed(self, event: Prompt.Changed) -> None:
        """Something was typed into the prompt."""
        self.run_worker(self.guarded(self.prompting.changed(event.text)))


def _settle_memory() -> None:
    # What is there after the start stays to the end: the collector need not look at it again at each key.
    gc.enable()
    gc.collect()
    gc.freeze()


def run(front: Front) -> None:
    """Open the screen and stay until the agent leaves, or the screen is told to end."""
    app = DeskApp(front)
    for one in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(one, lambda number, frame: app.call_later(app.told_to_end))
    app.run()
