"""The lines at the edges: what desk this is, what the list shows, and which keys matter."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from textual.strip import Strip
from textual.widget import Widget

from tui.draw import Look, cut, flat, strip
from tui.widgets.calm import Whole

Part = tuple[str, str]
"""Text, and the name of its style."""


class Line(Whole, Widget):
    """One line with something at its left end and something at its right."""

    def __init__(self, look: Look, id: str | None = None, *, ground: str = "text") -> None:
        super().__init__(id=id)
        self.look, self.ground = look, ground
        self.left: tuple[Part, ...] = ()
        self.right: tuple[Part, ...] = ()

    def say(self, left: Sequence[Part], right: Sequence[Part] = ()) -> None:
        """Show this."""
        if (tuple(left), tuple(right)) == (self.left, self.right):
            return
        self.left, self.right = tuple(left), tuple(right)
        self.refresh()

    @property
    def text(self) -> str:
        """What stands there, for tests and screen readers."""
        return "".join(text for text, _ in (*self.left, *self.right))

    def render_line(self, y: int) -> Strip:
        """The line as it is drawn: the right end wins when both do not fit."""
        width = self.outer_size.width
        right = _fitted(self.right, max(0, width - 1))
        room = max(0, width - 2 - sum(cell_len(text) for text, _ in right) - (1 if right else 0))
        left = _fitted(self.left, room)
        gap = width - 1 - sum(cell_len(text) for text, _ in (*left, *right)) - (1 if right else 0)
        parts = [(" ", self.ground), *left, (" " * max(0, gap), self.ground), *right]
        return strip([(text, self.look[style]) for text, style in parts], width, self.look[self.ground])


class Rule(Whole, Widget):
    """One thin line across."""

    def __init__(self, look: Look) -> None:
        super().__init__()
        self.look = look

    def render_line(self, y: int) -> Strip:
        """The line."""
        width = self.outer_size.width
        return strip([("─" * width, self.look["rule"])], width)


def _fitted(parts: Sequence[Part], width: int) -> list[Part]:
    parts = list(parts)
    at = [place for place, (_, style) in enumerate(parts) if style == "key"]
    # A key goes with its word, and the last one, which leads away from here, stays.
    while len(at) > 2 and sum(cell_len(text) for text, _ in parts) > width:
        *at, gone, last = at
        at.append(gone)
        del parts[gone:last]
    fitted: list[Part] = []
    for text, style in parts:
        shown = cut(text, width)
        width -= cell_len(shown)
        fitted.append((shown, style))
        if width <= 0 or shown != text:
            break
    return fitted


def keys(*pairs: tuple[str, str]) -> list[Part]:
    """Keys with their words, for the status line."""
    parts: list[Part] = []
    for key, word in pairs:
        parts += [*((("   ", "quiet"),) if parts else ()), (key, "key"), (f" {word}", "quiet")]
    return parts


def sentence(text: str, style: str = "error") -> list[Part]:
    """A message for the status line, on one line and harmless."""
    return [(flat(text), style)]
