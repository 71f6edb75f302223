"""What the screen is made of: lines drawn from edge to edge, and lists of them that scroll."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, Self

from rich.color import Color
from rich.style import Style
from textual import events
from textual.geometry import Offset, Region, Size
from textual.reactive import Reactive
from textual.scroll_view import ScrollView
from textual.scrollbar import ScrollBar, ScrollBarRender
from textual.strip import Strip

_NO_COLOUR = Color.default()
_KEPT = 300


class _Drawing(Protocol):
    def render_line(self, y: int) -> Strip: ...


class Whole:
    """Something that draws each of its lines itself, from edge to edge: Textual lays no paddings, borders and grounds around them.

    No widget itself: a style sheet knows a widget by the first of its bases that is one.
    """

    def render_lines(self: _Drawing, crop: Region) -> list[Strip]:
        """The lines, or what is asked for of them."""
        lines = [self.render_line(y) for y in crop.line_range]
        return lines if crop.x == 0 else [line.crop(crop.x, crop.right) for line in lines]


class _Bar(Whole, ScrollBar):
    """A scrollbar that is drawn as quickly as what it stands beside."""

    def render_lines(self, crop: Region) -> list[Strip]:
        """What is asked for of it."""
        bar = self.render()
        assert isinstance(bar, ScrollBarRender)
        assert isinstance(bar.style, Style)
        drawn = ScrollBarRender.render_bar(
            self.outer_size.height, bar.virtual_size, bar.window_size, bar.position,
            back_color=bar.style.bgcolor or _NO_COLOUR, bar_color=bar.style.color or _NO_COLOUR,
        ).segments  # fmt: skip
        return [Strip([drawn[y]], 1) for y in crop.line_range]


class Calm(Whole, ScrollView, can_focus=True, inherit_bindings=False):
    """Lines that scroll; looks the same with and without the focus, so a prompt that opens repaints nothing."""

    # How much there is to scroll moves nothing on the screen but the scrollbar: no reason to lay all of it out again.
    virtual_size: Reactive[Size] = Reactive(Size(0, 0), repaint=False)

    cursor = 0
    """The line that keys act on, where there is one."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.kept: dict[object, Strip] = {}
        """Lines as they were drawn, by all that they tell; until something else makes them look otherwise."""

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        """Draw these parts again, or all of it anew."""
        if not regions:
            self.kept.clear()
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def redraw(self, lines: Iterable[int]) -> None:
        """Draw these lines of the screen again."""
        width = self.outer_size.width
        if regions := [Region(0, y, width, 1) for y in lines]:
            self.refresh(*regions)

    def keep(self, told: object, drawn: Strip) -> Strip:
        """Keep a line that was drawn, and some others, but not all there ever were."""
        if len(self.kept) >= _KEPT:
            self.kept.clear()
        self.kept[told] = drawn
        return drawn

    @property
    def vertical_scrollbar(self) -> ScrollBar:
        """Its scrollbar."""
        if self._vertical_scrollbar is None:
            self._vertical_scrollbar = bar = _Bar(name="vertical", thickness=1)
            bar.display = False
            self.app._start_widget(self, bar)
        return self._vertical_scrollbar

    def watch_virtual_size(self, size: Size) -> None:
        """Show in the scrollbar how much there is."""
        self._scroll_update(size)

    fitted = Size(0, 0)
    """The size to which it was fitted; none when what it shows became another out of sight."""

    def fit(self) -> None:
        """Fit what is shown to the size, which is known now; the frame that shows it follows at once."""

    def _size_updated(self, size: Size, virtual_size: Size, container_size: Size, layout: bool = True) -> bool:
        changed = size != self._size
        if changed:
            super()._size_updated(size, virtual_size, container_size, layout)
        if self.size != self.fitted:
            self.fitted = self.size
            self.fit()
        return changed

    def watch_has_focus(self, _has_focus: bool) -> None:
        """Nothing of it is styled by the focus."""

    def focus(self, scroll_visible: bool = True) -> Self:
        """Take the keys."""
        self.screen.set_focus(self, scroll_visible=False)
        return self

    @property
    def spot(self) -> Offset:
        """Where on the screen a reader should look: the line with the cursor, else the first one."""
        line = self.cursor - self.scroll_offset.y
        return Offset(self.region.x, self.region.y + max(0, min(line, self.size.height - 1)))

    def _on_focus(self, event: events.Focus) -> None:
        event.prevent_default()
        self.has_focus = True

    def _on_blur(self, event: events.Blur) -> None:
        event.prevent_default()
        self.has_focus = False
