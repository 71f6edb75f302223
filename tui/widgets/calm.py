"""What the screen is made of: lists that scroll, and what only holds others."""

from __future__ import annotations

from typing import Self

from textual import events
from textual.geometry import Offset, Region
from textual.scroll_view import ScrollView
from textual.strip import Strip


class Bare:
    """Something that its parts cover entirely: nothing of its own is drawn beneath them, line by line, to be thrown away.

    No widget itself: a style sheet knows a widget by the first of its bases that is one.
    """

    def render_lines(self, crop: Region) -> list[Strip]:
        """The same blank for each line."""
        return [Strip.blank(crop.width)] * crop.height


class Calm(ScrollView, can_focus=True, inherit_bindings=False):
    """Lines that scroll; looks the same with and without the focus, so a prompt that opens repaints nothing."""

    cursor = 0
    """The line that keys act on, where there is one."""

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
