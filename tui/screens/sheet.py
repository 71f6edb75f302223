"""One sheet: its title, and lines with a cursor."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical

from tui.draw import Look
from tui.runner import Runner
from tui.sheets import Entry, Page, Sheet
from tui.widgets.bars import Line, Rule
from tui.widgets.lines import Picked


class SheetPane(Vertical):
    """Shows a sheet, and remembers the place on it."""

    def __init__(self, runner: Runner, look: Look) -> None:
        super().__init__(id="sheet")
        self.runner, self.look = runner, look
        self.sheet: Sheet | None = None
        self.list = Picked(look, "entries")
        self._title = Line(look, "title")
        self._entries: tuple[Entry, ...] = ()

    def compose(self) -> ComposeResult:
        """The title and the lines."""
        yield self._title
        yield Rule(self.look)
        yield self.list

    @property
    def current(self) -> Entry | None:
        """The line under the cursor; None when there is none."""
        return self._entries[self.list.cursor] if self.list.cursor < len(self._entries) else None

    async def show(self, sheet: Sheet) -> None:
        """Show a sheet from its beginning, or the one shown before in its place."""
        page = await self.runner.read(lambda: sheet.read(self._width))
        fresh, self.sheet = self.sheet is not sheet, sheet
        self._fill(sheet, page)
        if fresh:
            self.list.cursor = 0
            self.list.go(0)

    async def reload(self) -> None:
        """Read the lines again; the cursor stays on its ticket, else in its place."""
        if (sheet := self.sheet) is None:
            return
        page = await self.runner.read(lambda: sheet.read(self._width))
        if self.sheet is sheet:
            before = self.current
            self._fill(sheet, page)
            places = [
                i
                for i, entry in enumerate(self._entries)
                if before and before.line and (entry.line, entry.ticket) == (before.line, before.ticket)
            ]
            if places and self.list.cursor not in places:
                self.list.move_to(places[0])

    def close(self) -> None:
        """Show none."""
        self.sheet = None

    @property
    def _width(self) -> int:
        # Before it was ever shown it has no size of its own.
        return (self.size.width or self.app.size.width) - 3

    def _fill(self, sheet: Sheet, page: Page) -> None:
        self._entries = tuple(page.entries)
        said = self._entries or (Entry(((sheet.empty, "quiet"),)),)
        self.list.fill([(entry.parts, entry.ground) for entry in said])
        self._title.say([(f"{sheet.title}   ", "strong"), *page.facts])

    def on_resize(self, event: events.Resize) -> None:
        """Lines are made for a width."""
        if self.sheet is not None:
            self.run_worker(self.reload())
