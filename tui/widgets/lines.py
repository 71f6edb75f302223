"""Lines of text to read and scroll: what a conversation, a review and a list of choices are drawn with."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from textual.geometry import Region, Size
from textual.strip import Strip

from tui.draw import Look, strip
from tui.widgets.calm import Calm

CURSOR = "▌"


class Drawn(Struct, frozen=True):
    """One line: (text, name of a style) pairs, and the style of the ground behind and after them."""

    parts: tuple[tuple[str, str], ...] = ()
    ground: str = "text"


class Lines(Calm, inherit_bindings=False):
    """Lines that scroll by keys; only those that changed are drawn again."""

    def __init__(self, look: Look, id: str | None = None) -> None:
        super().__init__(id)
        self.look = look
        self.lines: list[Drawn] = []

    @property
    def text(self) -> str:
        """All that is there, as plain text."""
        return "\n".join("".join(text for text, _ in line.parts).rstrip() for line in self.lines)

    @property
    def at_end(self) -> bool:
        """Whether the last line is in sight."""
        return self.scroll_offset.y + self.size.height >= len(self.lines)

    def put(self, lines: Sequence[Drawn]) -> None:
        """Show these lines; repaint the ones that differ."""
        if not self.size:
            self.fitted = self.size
        before, self.lines = self.lines, list(lines)
        self.virtual_size = Size(1, len(self.lines))
        top = self.scroll_offset.y
        self.redraw(
            y for y in range(self.size.height) if before[top + y : top + y + 1] != self.lines[top + y : top + y + 1]
        )

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        line, width = y + self.scroll_offset.y, self.outer_size.width
        drawn = self.lines[line] if line < len(self.lines) else Drawn()
        if (kept := self.kept.get((drawn, width))) is not None:
            return kept
        parts = [(text, self.look[style]) for text, style in drawn.parts]
        return self.keep((drawn, width), strip(parts, width, self.look[drawn.ground]))

    def move(self, by: int) -> None:
        """Scroll `by` lines."""
        self.go(self.scroll_offset.y + by)

    def half_page(self, direction: int, times: int = 1) -> None:
        """Scroll by half a page."""
        self.move(direction * max(1, self.size.height // 2) * times)

    def go(self, line: int) -> None:
        """Scroll so that `line` is the first one, as far as there are lines."""
        self.scroll_to(y=max(0, min(line, len(self.lines) - self.size.height)), animate=False, immediate=True)

    def to(self, line: int | None) -> None:
        """Go to a line (None: the last)."""
        self.go(len(self.lines) if line is None else line)

    def end(self) -> None:
        """Scroll to the last line."""
        self.go(len(self.lines))


class Picked(Lines):
    """Lines with a cursor in their gutter."""

    def __init__(self, look: Look, id: str | None = None) -> None:
        super().__init__(look, id)
        self.cursor = 0

    def fill(self, lines: Sequence[tuple[tuple[tuple[str, str], ...], str]]) -> None:
        """Show these: the parts of each, and its ground."""
        self.cursor = max(0, min(self.cursor, len(lines) - 1))
        self.put([Drawn((("  ", ground), *parts), ground) for parts, ground in lines])

    def move(self, by: int) -> None:
        """Move the cursor `by` lines."""
        self.move_to(self.cursor + by)

    def move_to(self, line: int) -> None:
        """Put the cursor on a line; at the edge the list jumps by half a page."""
        line = max(0, min(line, len(self.lines) - 1))
        before, self.cursor = self.cursor, line
        top, height = self.scroll_offset.y, max(1, self.size.height)
        if line < top or line >= top + height:
            half = height // 2
            self.go(line - (height - 1 - half if line >= top + height else half))
            return
        for changed in (before, line):
            self.refresh(Region(0, changed - top, 1, 1))

    def to(self, line: int | None) -> None:
        """Put the cursor on a line (None: the last)."""
        self.move_to(len(self.lines) - 1 if line is None else line)

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        line = y + self.scroll_offset.y
        if line != self.cursor or line >= len(self.lines):
            return super().render_line(y)
        drawn = self.lines[line]
        parts = ((CURSOR, "cursor"), (" ", drawn.ground), *drawn.parts[1:])
        return strip(
            [(text, self.look[style]) for text, style in parts], self.outer_size.width, self.look[drawn.ground]
        )
