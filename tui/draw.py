"""Text for a grid of cells: cut, padded and wrapped by how wide it is drawn, always cleaned first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from rich.cells import cell_len, chop_cells, set_cell_size
from rich.color import Color, ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from desk.text import clean, one_line
from themes import STYLES, Theme

ELLIPSIS = "…"
TAB = 4

#: Joiners, variation selectors and skin tones: terminals disagree on the width of what they
#: make of the emoji before them, and a table must not depend on it.
_UNSTEADY = re.compile("[\u200d\ufe0e\ufe0f\U0001f3fb-\U0001f3ff]")

_WORD = re.compile(r"\s*\S+")


class Look(dict[str, Style]):
    """The styles of a theme by name, ready to draw with; `note+strong` is the second one over the first.

    `#112233#445566` is a colour on another, whatever the theme: a picture's.
    """

    def __missing__(self, name: str) -> Style:
        if name.startswith("#"):
            above_, below_ = (Color.parse(half).downgrade(ColorSystem.EIGHT_BIT) for half in (name[:7], name[7:]))
            return Style(color=above_, bgcolor=below_)
        below, plus, above = name.rpartition("+")
        if not plus:
            raise KeyError(name)
        # Not kept: the theme's file may become another.
        return self[below] + self[above]


def look(theme: Theme) -> Look:
    """The styles of `theme`."""
    return Look({name: _style(theme.styles[name]) for name in STYLES})


def _style(text: str) -> Style:
    style = Style() if text == "default" else Style.parse(text)
    return style + Style(color=_short(style.color), bgcolor=_short(style.bgcolor))


def _short(color: Color | None) -> Color | None:
    """The colour by its number among the 256, where it is one of them: half the bytes of red, green and blue."""
    if color is None or color.triplet is None:
        return color
    short = color.downgrade(ColorSystem.EIGHT_BIT)
    return short if short.get_truecolor() == color.triplet else color


def flat(text: str) -> str:
    """`text` on one line, harmless, and as wide as every terminal thinks it is."""
    text = one_line(text)
    return text if text.isascii() else _UNSTEADY.sub("", text)


def cut(text: str, width: int) -> str:
    """As much of `text` as fits into `width` cells, with `…` where something is missing."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, max(0, width - 1)).rstrip() + ELLIPSIS if width > 0 else ""


def middle(text: str, width: int) -> str:
    """As much of `text` as fits into `width` cells: its beginning and its end, which of a file's name says what it is."""
    if cell_len(text) <= width or width < 8:
        return cut(text, width)
    end = chop_cells(text[::-1], min(12, width // 3))[0][::-1]
    return cut(text, width - cell_len(end)) + end


def pad(text: str, width: int, *, right: bool = False) -> str:
    """`text` in exactly `width` cells, aligned left or `right`."""
    text = cut(text, width)
    blank = " " * (width - cell_len(text))
    return blank + text if right else text + blank


def neat(text: str) -> Iterator[str]:
    """The lines of `text` as they may be drawn: cleaned, without tabs, and as wide as every terminal thinks they are."""
    for line in clean(text).split("\n"):
        line = line.expandtabs(TAB).rstrip()
        yield line if line.isascii() else _UNSTEADY.sub("", line)


def wrap(text: str, width: int) -> Iterator[str]:
    """The lines of `text`, cleaned, none wider than `width` cells; long words are broken."""
    width = max(8, width)
    for line in neat(text):
        for start, end in breaks(line, width):
            yield line[start:end]


def breaks(line: str, width: int, later: int = 0) -> Iterator[tuple[int, int]]:
    """Where `line` is cut into pieces of at most `width` cells (after the first of `later`), between words where it can be."""
    if len(line) * 2 <= width or cell_len(line) <= width:
        yield 0, len(line)
        return
    start = end = used = 0
    for word in _WORD.finditer(line):
        wide = cell_len(word[0])
        if used + wide <= width:
            end, used = word.end(), used + wide
            continue
        if end > start:
            yield start, end
            width = later or width
        start = word.start() + len(word[0]) - len(word[0].lstrip())
        *whole, rest = chop_cells(line[start : word.end()], width) or [""]
        for piece in whole:
            yield start, start + len(piece)
            start, width = start + len(piece), later or width
        end, used = word.end(), cell_len(rest)
    if end > start:
        yield start, end


def strip(parts: Iterable[tuple[str, Style]], width: int, ground: Style | None = None) -> Strip:
    """The `parts` of a line as a strip of exactly `width` cells; `ground` fills what is left."""
    segments: list[Segment] = []
    used = 0
    for text, style in parts:
        if text:
            segments.append(Segment(text, style))
            used += cell_len(text)
    if used < width:
        segments.append(Segment(" " * (width - used), ground))
    return Strip(segments, max(used, width)).crop(0, width)


def between(left: str, right: str, width: int) -> str:
    """`left` and `right` at the ends of a line; the left one is cut when both do not fit."""
    room = width - cell_len(right) - (2 if right else 0)
    return pad(left, max(0, room)) + ("  " if right else "") + right if room > 0 else cut(right, width)


def size(count: int) -> str:
    """A number of bytes as people say it: `18 kB`."""
    if count < 1000:
        return f"{count} B"
    for unit in ("kB", "MB"):
        if count < 999_500:
            return f"{count / 1000:.1f} {unit}" if count < 10_000 else f"{count / 1000:.0f} {unit}"
        count //= 1000
    return f"{count / 1000:.1f} GB"


def plural(count: int, noun: str) -> str:
    """`1 ticket`, `3 tickets`."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
