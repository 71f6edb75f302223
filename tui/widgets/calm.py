"""What the screen is made of: lines drawn from edge to edge, and lists of them that scroll."""

from __future__ import annotations

from typing import Protocol, Self

from textual import events
from textual.geometry import Offset, Region, Size
from textual.reactive import Reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip


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


class Calm(Whole, ScrollView, can_focus=True, inherit_bindings=False):
    """Lines that scroll; looks the same with and without the focus, so a prompt that opens repaints nothing."""

    # How much there is to scroll moves nothing on the screen but the scrollbar: no reason to lay all of it out again.
    virtual_size: Reactive[Size] = Reactive(Size(0, 0), repaint=False)

    cursor = 0
    """The line that keys act on, where there is one."""

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
