"""One sheet: its title, and lines with a cursor."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from msgspec import Struct
from msgspec.structs import replace
from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical

from desk.errors import DeskError
from desk.model import MINUTE, Millis
from tui.draw import Look, flat, plural, wrap
from tui.runner import Runner
from tui.sheets import Entry, Page, Sheet
from tui.sheets.kit import said
from tui.widgets.bars import Line, Part, Rule
from tui.widgets.entries import Entries

_PATIENCE_S = 0.15
"""How long the screen stays as it is before a sheet that takes longer says that it is being read."""


class _Place(Struct, frozen=True):
    """Where one was on a sheet: on this entry, in this column and line, with this line as the first one."""

    entry: Entry | None
    column: int
    line: int
    top: int


class SheetPane(Vertical):
    """Shows a sheet, and remembers the place on each."""

    def __init__(self, now: Callable[[], Millis], runner: Runner, look: Look) -> None:
        super().__init__(id="sheet")
        self.now, self.runner, self.look = now, runner, look
        self.sheet: Sheet | None = None
        self.words = ""
        """What the lines are narrowed to."""
        self.list = Entries(look, "entries")
        self._title = Line(look, "title")
        self._page = Page(())
        self._places: dict[str, _Place] = {}
        self._stale = False
        self._minute = 0

    def compose(self) -> ComposeResult:
        """The title and the lines."""
        yield self._title
        yield Rule(self.look)
        yield self.list

    @property
    def current(self) -> Entry | None:
        """The line under the cursor; None when there is none."""
        return self.list.current

    # -- showing ------------------------------------------------------------------

    async def show(self, sheet: Sheet) -> None:
        """Show a sheet where one was on it; one that takes long comes when it is read."""
        reading = asyncio.ensure_future(self._read(sheet))
        await asyncio.wait((reading,), timeout=_PATIENCE_S)
        if reading.done():
            self._begin(sheet, await reading)
        else:
            self._begin(sheet, Page((), (("reading …", "quiet"),)), empty="")
            self.run_worker(self._finish(sheet, reading))

    async def _read(self, sheet: Sheet) -> Page:
        width = self._width
        self._stale, self._minute = False, self.now() // MINUTE
        return sheet.read(width) if sheet.local else await self.runner.read(lambda: sheet.read(width))

    async def _finish(self, sheet: Sheet, reading: asyncio.Future[Page]) -> None:
        try:
            page = await reading
        except DeskError as error:
            page = Page((Entry(((flat(str(error)), "error"),)),))
        if self.sheet is sheet:
            self._begin(sheet, page)

    def _begin(self, sheet: Sheet, page: Page, *, empty: str | None = None) -> None:
        self._leave()
        if self.sheet is not sheet:
            self.words = ""
            # Behind another pane nothing was drawn of it: all that the terminal has is another sheet's.
            self.list.refresh()
        self.sheet = sheet
        self._fill(page, empty=empty)
        place = self._places.get(sheet.title, _Place(None, 0, 0, 0))
        self.list.column, self.list.cursor = 0, place.line
        found = self.list.find(place.entry) if place.entry else None
        if found:
            self.list.column, line = found
        else:
            line = place.line
        self.list.go(place.top)
        self.list.move_to(line)

    async def reload(self) -> None:
        """Read the lines again; the cursor stays on what it is on, else in its place."""
        if (sheet := self.sheet) is None:
            return
        try:
            page = await self._read(sheet)
        except DeskError as error:
            if self.sheet is sheet:
                self._say((("as it was; ", "trouble"), (flat(str(error)), "quiet")))
            return
        if self.sheet is sheet:
            before = self.current
            self._fill(page)
            if before and (found := self.list.find(before)):
                self.list.column, line = found
                self.list.move_to(line)

    def touched(self) -> None:
        """Something happened at the desk: a live sheet is read again with the next tick."""
        self._stale = True

    def tick(self) -> None:
        """A second went by."""
        stale = self._stale or self.now() // MINUTE != self._minute
        if self.sheet and self.sheet.live and (self.sheet.local or (stale and not self.runner.away)):
            self._stale, self._minute = False, self.now() // MINUTE
            self.run_worker(self.reload())

    def close(self) -> None:
        """Show none."""
        self._leave()
        self.sheet = None

    def _leave(self) -> None:
        if self.sheet is not None and self.list.current is not None:
            at = self.list
            self._places[self.sheet.title] = _Place(at.current, at.column, at.cursor, at.scroll_offset.y)

    # -- narrowing ----------------------------------------------------------------

    def narrow(self, words: str) -> None:
        """Show the lines with all of these words; "" shows all."""
        before = self.current
        self.words = words.strip()
        self._fill(self._page)
        if before and (found := self.list.find(before)):
            self.list.column, line = found
            self.list.move_to(line)

    def _narrowed(self, page: Page) -> Page:
        wanted = self.words.casefold().split()
        found = [
            entry
            for entry in (*page.entries, *page.beside)
            if entry.parts and not entry.heads and all(word in entry.text.casefold() for word in wanted)
        ]
        return replace(page, entries=found, beside=(), facts=(*page.facts, (f"   / {flat(self.words)}", "strong")))

    # -- drawing ------------------------------------------------------------------

    @property
    def _width(self) -> int:
        # Before it was ever shown it has no size of its own.
        return (self.size.width or self.app.size.width) - 3

    def _fill(self, page: Page, *, empty: str | None = None) -> None:
        assert self.sheet is not None
        self._page = page
        whole = _count(page)
        if self.words:
            page = self._narrowed(page)
        entries: list[Entry] = list(page.entries)
        if page.unit and (found := _count(page)):
            told = plural(whole, page.unit) if found == whole else f"{found:,} of {plural(whole, page.unit)}"
            entries += [Entry(), Entry(((told, "quiet"),), heads=True)]
        elif not entries and not page.beside:
            says = "No line has these words; / with none shows all." if self.words else self.sheet.empty
            entries = [said(line) for line in wrap((says if empty is None else empty) or " ", self._width)]
        self.list.load(replace(page, entries=entries), self._width)
        self._say(page.facts)

    def _say(self, facts: Sequence[Part]) -> None:
        assert self.sheet is not None
        self._title.say([(f"{flat(self.sheet.title)}   ", "strong"), *facts])

    def on_resize(self, event: events.Resize) -> None:
        """Lines are made for a width."""
        if self.sheet is not None:
            self.run_worker(self.reload())


def _count(page: Page) -> int:
    return sum(entry.leads for entry in (*page.entries, *page.beside))
