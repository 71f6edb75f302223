"""The lines of a sheet, in one column or two, with a cursor that passes over headings."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import zip_longest

from rich.cells import cell_len
from textual.geometry import Region
from textual.strip import Strip

from tui.draw import Look, strip
from tui.sheets import Entry, Page
from tui.sheets.kit import fitted
from tui.widgets.lines import CURSOR, Drawn, Lines, Picked

_NONE = Entry()


class Entries(Picked):
    """Shows entries; the cursor is in one of the columns."""

    def __init__(self, look: Look, id: str | None = None) -> None:
        super().__init__(look, id)
        self.column = 0
        self._columns: tuple[Sequence[Entry], ...] = ((),)
        self._stops: tuple[list[int], ...] = ([],)
        self._split = 0
        self._gutters: list[int] = []

    @property
    def current(self) -> Entry | None:
        """The entry under the cursor; None when there is none."""
        column = self._columns[self.column]
        return column[self.cursor] if self.cursor < len(column) and self.cursor in self._here else None

    @property
    def _here(self) -> list[int]:
        return self._stops[self.column]

    def load(self, page: Page, width: int) -> None:
        """Show a page, its lines cut where `width` ends; the cursor stays in its place as far as there is one."""
        self._columns = (page.entries, page.beside) if page.beside else (page.entries,)
        self._stops = tuple([n for n, e in enumerate(c) if e.parts and not e.heads] for c in self._columns)
        self._split = page.split
        if self.column >= len(self._columns) or not self._here:
            self.column = 0
        lines, self._gutters = [], []
        for left, right in zip_longest(page.entries, page.beside, fillvalue=_NONE):
            beside = bool(right.parts)
            parts = (("  ", left.ground), *fitted(left.parts, page.split - 4 if beside else width))
            self._gutters.append(len(parts) + 1)
            if beside:
                blank = page.split - sum(cell_len(text) for text, _ in parts)
                parts = (*parts, (" " * blank, "text"), ("  ", right.ground), *fitted(right.parts, width - page.split))
            lines.append(Drawn(parts, left.ground))
        self.put(lines)
        self.cursor = self._stop(min(self.cursor, len(lines) - 1))

    def find(self, entry: Entry) -> tuple[int, int] | None:
        """Where the entry stands that leads where this one does: its column and line, the nearest to the cursor."""
        if not entry.leads:
            return None
        same = [
            (abs(line - self.cursor), column, line)
            for column, entries in enumerate(self._columns)
            for line, other in enumerate(entries)
            if (other.line, other.ticket, other.key) == (entry.line, entry.ticket, entry.key)
        ]
        _, column, line = min(same, default=(0, 0, -1))
        return (column, line) if same else None

    def across(self) -> None:
        """Go to the other column, where there is one."""
        other = (self.column + 1) % len(self._columns)
        if other != self.column and self._stops[other]:
            before, top = self.cursor, self.scroll_offset.y
            self._gone(before, top)
            self.column = other
            self.move_to(before)
            self._gone(self.cursor, self.scroll_offset.y)

    def move_to(self, line: int) -> None:
        """Put the cursor on a line that is no heading; at the edge the list jumps by half a page."""
        found = self._stop(max(0, min(line, len(self.lines) - 1)))
        before, top = self.cursor, self.scroll_offset.y
        super().move_to(found)
        if self.column and top == self.scroll_offset.y:
            for changed in (before, found):
                self._gone(changed, top)
        if self._here and found == self._here[0] and found < self.size.height:
            # What heads the first one is seen as well.
            self.go(0)

    def _stop(self, line: int) -> int:
        stops = self._here
        if not stops:
            return max(0, line)
        if line < self.cursor:
            return stops[max(0, bisect_right(stops, line) - 1)]
        return stops[min(len(stops) - 1, bisect_left(stops, line))]

    def _gone(self, line: int, top: int) -> None:
        self.refresh(Region(self._split if self.column else 0, line - top, 1, 1))

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        line = y + self.scroll_offset.y
        if line == self.cursor and not self._here:
            return Lines.render_line(self, y)
        if line != self.cursor or not self.column or line >= len(self.lines):
            return super().render_line(y)
        drawn, at = self.lines[line], self._gutters[line]
        parts = (*drawn.parts[:at], (CURSOR, "cursor"), (" ", drawn.parts[at][1]), *drawn.parts[at + 1 :])
        return strip([(text, self.look[style]) for text, style in parts], self.size.width, self.look[drawn.ground])
