"""What every scrolling list here is made of."""

from __future__ import annotations

from typing import Self

from textual import events
from textual.scroll_view import ScrollView


class Calm(ScrollView, can_focus=True, inherit_bindings=False):
    """Lines that scroll; looks the same with and without the focus, so a prompt that opens repaints nothing."""

    def focus(self, scroll_visible: bool = True) -> Self:
        """Take the keys."""
        self.screen.set_focus(self, scroll_visible=False)
        return self

    def _on_focus(self, event: events.Focus) -> None:
        event.prevent_default()
        self.has_focus = True

    def _on_blur(self, event: events.Blur) -> None:
        event.prevent_default()
        self.has_focus = False
