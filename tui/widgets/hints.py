"""What may follow a key that begins several: a small panel above the last line."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from tui.draw import Look, cut, pad
from tui.widgets.lines import Drawn, Lines

_GAP = 3
_WIDE = 72


class Hints(Lines):
    """Keys with what they mean, in columns, read downwards."""

    def __init__(self, look: Look) -> None:
        super().__init__(look, "hints")

    def offer(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Show these keys, each with its words."""
        size = self.app.size
        keys = max(cell_len(key) for key, _ in pairs)
        widest = max(cell_len(word) for _, word in pairs)
        # At most half the screen, in as few columns as that takes; two thirds of it where words would be cut else.
        for most in (size.height // 2 - 1, size.height * 2 // 3 - 1):
            columns = max(1, -(-len(pairs) // max(1, most)), size.width // _WIDE)
            rows = -(-len(pairs) // columns)
            words = (size.width - 1) // columns - keys - 2 - _GAP
            if words >= widest:
                break
        lines = [Drawn((("─" * size.width, "rule"),))]
        for row in range(rows):
            parts: list[tuple[str, str]] = [(" ", "text")]
            for key, word in pairs[row::rows]:
                parts += [(pad(key, keys), "key"), ("  ", "text"), (pad(cut(word, words), words + _GAP), "quiet")]
            lines.append(Drawn(tuple(parts)))
        self.styles.height = len(lines)
        self.styles.offset = (0, size.height - len(lines) - 1)
        self.display = True
        self.put(lines)
