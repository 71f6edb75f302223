"""The saved views in a line: how many tickets are in each, and which one is shown."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from textual import events
from textual.message import Message
from textual.strip import Strip

from tui.draw import ELLIPSIS, Look, cut, flat, strip
from tui.widgets.bars import Line, Part

_WIDEST = 24

Tab = tuple[str, int | None]
"""What a view is called, and how many tickets are in it (None: not counted yet)."""


class Tabs(Line):
    """One tab a view, `[2 Unassigned 12]` the one that is shown; it is in sight in every width."""

    class Chosen(Message):
        """A tab was clicked."""

        def __init__(self, place: int) -> None:
            super().__init__()
            self.place = place

    def __init__(self, look: Look) -> None:
        super().__init__(look, "tabs")
        self._tabs: tuple[Tab, ...] = ()
        self._current: int | None = None
        self._ends: list[tuple[int, int]] = []

    def show(self, tabs: Sequence[Tab], current: int | None) -> None:
        """Show these views, the one in place `current` as that which is shown."""
        self._tabs, self._current = tuple(tabs), current
        self._fit()

    def on_resize(self, event: events.Resize) -> None:
        """As many as fit."""
        self._fit()

    def _fit(self) -> None:
        parts, self._ends = fitted(self._tabs, self._current, (self.size.width or self.app.size.width) - 1)
        self.say(parts)

    def render_line(self, y: int) -> Strip:
        """The line as it is drawn."""
        return strip([(text, self.look[style]) for text, style in self.left], self.size.width, self.look[self.ground])

    def on_click(self, event: events.Click) -> None:
        """Show the view that is clicked."""
        for place, end in self._ends:
            if event.x < end:
                self.post_message(self.Chosen(place))
                return


def fitted(tabs: Sequence[Tab], current: int | None, width: int) -> tuple[list[Part], list[tuple[int, int]]]:
    """The tabs that fit into `width` cells as the parts of a line, and the place of each with where it ends.

    They begin with the first one if the current one is in sight then, else as far behind as
    it takes; `…` stands where there are more.
    """
    drawn = [_drawn(place, tab, place == current) for place, tab in enumerate(tabs)]
    wide = [sum(cell_len(text) for text, _ in parts) for parts in drawn]
    first, last = 0, current or 0
    while first < last and _taken(wide, first, last + 1) > width:
        first += 1
    while last + 1 < len(tabs) and _taken(wide, first, last + 2) <= width:
        last += 1
    parts: list[Part] = [(f" {ELLIPSIS}", "quiet")] if first else []
    ends, x = [], 2 if first else 0
    for place in range(first, min(last + 1, len(tabs))):
        parts += drawn[place]
        x += wide[place]
        ends.append((place, x))
    if last + 1 < len(tabs):
        parts.append((f" {ELLIPSIS}", "quiet"))
    return parts, ends


def _taken(wide: Sequence[int], first: int, end: int) -> int:
    return sum(wide[first:end]) + (2 if first else 0) + (2 if end < len(wide) else 0)


def _drawn(place: int, tab: Tab, current: bool) -> list[Part]:
    title, count = tab
    told = "" if count is None else f" {count:,}"
    title = cut(flat(title), _WIDEST)
    if current:
        return [(f"[{place + 1} {title}{told}]", "strong")]
    return [(f" {place + 1} ", "quiet"), (title, "text"), (f"{told} ", "quiet")]
