"""The list of tickets: draws only the lines in sight, and after a change only those that differ."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence

from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip

from desk.model import Millis, Presence
from desk.store import Row
from tui.columns import GUTTER, TIMED, Case, Column, Pieces, cell, layout
from tui.draw import Look, strip, wrap
from tui.order import Order
from tui.widgets.calm import Calm
from tui.widgets.lines import CURSOR

MARK = "*"
UNREAD = "•"
_Told = tuple[Case, tuple[Pieces, ...]]
"""Of which case, and what each column says of it."""
_AHEAD = 100
_KEPT = 2_000


class QueueList(Calm, inherit_bindings=False):
    """Tickets in the order of a query, with a cursor, marks, and clocks that tick."""

    class Wanted(Message):
        """Some lines in sight have not been read yet."""

        def __init__(self, ids: list[int]) -> None:
            super().__init__()
            self.ids = ids

    class Moved(Message):
        """The columns stand elsewhere now."""

        def __init__(self, columns: tuple[Column, ...]) -> None:
            super().__init__()
            self.columns = columns

    class Changed(Message):
        """The cursor is on another ticket."""

    class Pressed(Message):
        """A line was clicked twice: open it."""

    def __init__(self, look: Look, now: Callable[[], Millis], me: str | None) -> None:
        super().__init__()
        self.look, self.now, self.me = look, now, me
        self.order = Order()
        self.rows: dict[int, Row] = {}
        self.cursor = 0
        self.marks: set[int] = set()
        self.pivot: int | None = None
        """The ticket from which moving marks all that it passes."""
        self._marked: frozenset[int] = frozenset()
        self.around: Mapping[int, Sequence[Presence]] = {}
        """Who else is at which ticket."""
        self.gone: set[int] = set()
        self.columns: tuple[Column, ...] = ()
        self.digits = 4
        self.chosen: tuple[str, ...] = ()
        """The columns that a view names; none: the usual ones."""
        self._told: int | None = None
        self.empty: tuple[str, ...] = ("loading",)
        self._asked: set[int] = set()
        self._drawn: dict[int, _Told] = {}
        """What was drawn last of each ticket."""

    # -- what is in it ----------------------------------------------------------

    def fill(self, order: Order, rows: Iterable[Row], *, keep: int | None = None, empty: tuple[str, ...] = ()) -> None:
        """Show these tickets; the cursor stays on the ticket `keep` if it is among them, else in its place.

        `empty` are the sentences to show when there are none.
        """
        self.empty = empty
        self.order = order
        self.rows = {row.ticket.id: row for row in rows}
        self.gone.clear()
        self._asked.clear()
        self._drawn.clear()
        self.marks = {number for number in self.marks if number in order}
        self.pivot = self.pivot if self.pivot is not None and self.pivot in order else None
        place = order.place(keep) if keep is not None else None
        self.cursor = max(0, min(self.cursor if place is None else place, len(self.ids) - 1))
        self._arrange()
        self._reveal()
        self._arrived()
        self.refresh()

    def extend(self, order: Order) -> None:
        """Take over an order that begins with what is shown: nothing moves."""
        self.order = order
        self._arrange()

    def choose(self, columns: tuple[str, ...]) -> None:
        """Show these columns; none: the usual ones."""
        self.chosen = columns
        self._arrange()

    def put(self, rows: Iterable[Row], gone: Iterable[int] = (), back: Iterable[int] = ()) -> None:
        """Take over fresh rows, and repaint the lines in sight that differ."""
        for row in rows:
            self.rows[row.ticket.id] = row
            self._asked.discard(row.ticket.id)
        self.gone |= set(gone)
        self.gone -= set(back)
        self._trim()
        self.repaint()

    def drop(self, ids: set[int]) -> None:
        """Take tickets out; the cursor stays on its ticket, or in its place when that one went."""
        before = sum(1 for number in self.ids[: self.cursor] if number in ids)
        self.order = self.order.without(ids)
        self.marks -= ids
        self.gone -= ids
        self.cursor = max(0, min(self.cursor - before, len(self.ids) - 1))
        self._arrange()
        self._reveal()
        self._arrived()
        self.refresh()

    @property
    def ids(self) -> array[int]:
        """The numbers of all tickets, in order."""
        return self.order.ids

    @property
    def current(self) -> int | None:
        """The ticket under the cursor."""
        return self.ids[self.cursor] if self.ids else None

    @property
    def in_sight(self) -> range:
        """The lines on the screen."""
        top = self.scroll_offset.y
        return range(top, min(len(self.ids), top + self.size.height))

    # -- moving -----------------------------------------------------------------

    def move_to(self, line: int) -> None:
        """Put the cursor on a line; at the edge the list jumps by half a page."""
        line = max(0, min(line, len(self.ids) - 1))
        if line == self.cursor or not self.ids:
            return
        before, self.cursor = self.cursor, line
        if not self._reveal():
            for changed in (before, line):
                self.refresh(Region(0, changed - self.scroll_offset.y, 1, 1))
        self._stretch()
        self._arrived()

    def to(self, line: int | None) -> None:
        """Put the cursor on a line (None: the last)."""
        self.move_to(len(self.ids) - 1 if line is None else line)

    def move(self, by: int) -> None:
        """Move the cursor `by` lines."""
        self.move_to(self.cursor + by)

    def half_page(self, direction: int, times: int = 1) -> None:
        """Move the cursor and the list by half a page."""
        self.move(direction * max(1, self.size.height // 2) * times)

    def _reveal(self) -> bool:
        top, height = self.scroll_offset.y, max(1, self.size.height)
        if top <= self.cursor < top + height:
            return False
        half = height // 2
        wanted = self.cursor - (height - 1 - half if self.cursor >= top + height else half)
        self.scroll_to(y=max(0, min(wanted, len(self.ids) - height)), animate=False, immediate=True)
        # Whoever turns one page turns the next.
        if any(i not in self.rows for i in self.ids[max(0, wanted - height) : wanted + 2 * height]):
            self._want(self.cursor)
        return True

    # -- marks ------------------------------------------------------------------

    def toggle(self, number: int) -> None:
        """Mark a ticket, or no longer."""
        self.marks ^= {number}
        self._redraw_gutter((number,))

    def mark(self, ids: Iterable[int]) -> None:
        """Mark exactly these; what was being marked by moving ends."""
        self.pivot = None
        self._mark(set(ids))

    def _arrived(self) -> None:
        if self.current != self._told:
            self._told = self.current
            self.post_message(self.Changed())

    def stretch(self) -> bool:
        """Mark from here to wherever the cursor goes, or keep what is marked so; whether it begins."""
        self.pivot, begins = (self.current, True) if self.pivot is None else (None, False)
        self._marked = frozenset(self.marks)
        self._stretch()
        return begins

    def _stretch(self) -> None:
        place = None if self.pivot is None else self.order.place(self.pivot)
        if place is not None:
            first, last = sorted((place, self.cursor))
            self._mark(self._marked.union(self.ids[first : last + 1]))

    def _mark(self, ids: set[int] | frozenset[int]) -> None:
        before, self.marks = self.marks, set(ids)
        self._redraw_gutter(before ^ self.marks)

    def _redraw_gutter(self, ids: Iterable[int]) -> None:
        changed = set(ids)
        top = self.scroll_offset.y
        self.redraw(line - top for line in self.in_sight if self.ids[line] in changed)

    # -- drawing ----------------------------------------------------------------

    def fit(self) -> None:
        """Arrange the columns for the new width."""
        self._arrange()
        self._reveal()

    def _arrange(self) -> None:
        # The width does not matter here, but a change of it would lay everything out again.
        self.virtual_size = Size(1, len(self.ids))
        if not self.size.width:
            self.fitted = self.size
            return
        self.digits = max(self.digits, len(str(self.order.highest)))
        columns = layout(self.size.width, self.digits, self.chosen)
        if columns != self.columns:
            self.kept.clear()
            if self._drawn:
                self._drawn.clear()
                self.refresh()
            self.columns = columns
            self.post_message(self.Moved(columns))

    def _cells(self, number: int) -> _Told | None:
        """What each column says of the ticket now; None when it has not been read yet."""
        row = self.rows.get(number)
        if row is None:
            return None
        case = Case(row, self.now(), self.me, self.around.get(number, ()), number in self.gone)
        before, cells = self._drawn.get(number, (case, ()))
        if not cells or before.row is not row or (before.there, before.gone) != (case.there, case.gone):
            return case, tuple(cell(column, case) for column in self.columns)
        # Only the clocks have moved.
        both = zip(self.columns, cells, strict=True)
        return case, tuple(cell(column, case) if column.name in TIMED else old for column, old in both)

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        line, width = y + self.scroll_offset.y, self.outer_size.width
        if line >= len(self.ids):
            return self._blank(y)
        number = self.ids[line]
        told = self._cells(number)
        if told is None:
            self._want(line)
            return strip([self._pointer(line)], width)
        self._drawn[number] = told
        begin = (self._pointer(line), self._sign(number))
        if (kept := self.kept.get((begin, told[1], width))) is not None:
            return kept
        parts = [*begin]
        x = GUTTER
        for column, pieces in zip(self.columns, told[1], strict=True):
            parts.append((" " * (column.x - x), self.look["text"]))
            parts += [(text, self.look[style]) for text, style in pieces]
            x = column.x + column.width
        return self.keep((begin, told[1], width), strip(parts, width))

    def _pointer(self, line: int) -> tuple[str, Style]:
        return (CURSOR, self.look["cursor"]) if line == self.cursor else (" ", self.look["text"])

    def _blank(self, y: int) -> Strip:
        """Below the last ticket; an empty list says why it is empty."""
        said = [] if self.ids else [line for text in self.empty for line in wrap(text, self.size.width - 6)]
        return strip([(f"   {said[y - 1] if 0 < y <= len(said) else ''}", self.look["quiet"])], self.size.width)

    def _sign(self, number: int) -> tuple[str, Style]:
        if number in self.marks:
            return MARK, self.look["mark"]
        return UNREAD if self.rows[number].unread else " ", self.look["unread"]

    def repaint(self) -> None:
        """Repaint the lines in sight that would read differently now, as when a clock went on."""
        top = self.scroll_offset.y
        self.redraw(line - top for line in self.in_sight if self._differs(self.ids[line]))

    def _differs(self, number: int) -> bool:
        now, drawn = self._cells(number), self._drawn.get(number)
        return now is not None and (drawn is None or now[1] != drawn[1] or now[0].row.unread != drawn[0].row.unread)

    def meet(self, around: Mapping[int, Sequence[Presence]]) -> None:
        """Show who is at which ticket now."""
        self.around = around
        self.repaint()

    def _want(self, line: int) -> None:
        wanted = [
            i for i in self.ids[max(0, line - _AHEAD) : line + _AHEAD] if i not in self.rows and i not in self._asked
        ]
        if wanted:
            self._asked.update(wanted)
            self.post_message(self.Wanted(wanted))

    def _trim(self) -> None:
        """Forget rows far away, so that a long day does not fill the memory."""
        if len(self.rows) > _KEPT:
            top = self.scroll_offset.y
            near = set(self.ids[max(0, top - _KEPT // 4) : top + _KEPT // 4])
            self.rows = {number: row for number, row in self.rows.items() if number in near}
            self._drawn.clear()

    # -- the mouse --------------------------------------------------------------

    def on_click(self, event: events.Click) -> None:
        """One click moves the cursor, two open."""
        line = event.y + self.scroll_offset.y
        if line < len(self.ids):
            self.move_to(line)
            if event.chain == 2:
                self.post_message(self.Pressed())
