"""How a frame is put together, and told to the terminal: only what differs from what stands there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from operator import itemgetter

from rich.cells import cell_len
from rich.color import ColorSystem
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import Compositor, CompositorUpdate, LayoutUpdate
from textual.color import Color
from textual.filter import LineFilter
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

Line = list[tuple[str, Style | None]]
"""What stands on a line: pieces of text and how they look; a piece without a style is blank."""

_NO_STYLE, _NO_COLOUR = Style(), Color(0, 0, 0)
_HOP = 10
"""Cells that cost more to write than to pass over."""


class Frames(Compositor):
    """Textual asks all that is on the screen for its lines, whatever covers it, and writes each line whole."""

    def __init__(self, filters: Sequence[LineFilter]) -> None:
        super().__init__()
        self._filters = filters
        """What every line passes on its way out."""
        self._standing = Standing()

    def render_full_update(self, simplify: bool = False) -> LayoutUpdate:
        """All of it, whatever stands there."""
        self._standing.forget()
        self._dirty_regions.clear()
        return LayoutUpdate([[strip] for strip in self.render_strips()], self.size.region)

    def render_strips(self, size: Size | None = None) -> list[Strip]:
        """All of it, line by line."""
        return [Strip(line) for line in self._compose(range(self.size.height)).values()]

    def render_partial_update(self) -> CompositorUpdate | None:  # type: ignore[override]
        """The lines that may be others now."""
        regions, self._dirty_regions = self._dirty_regions, set()
        screen = self.size.region
        rows = {y for region in regions for y in region.intersection(screen).line_range}
        lines = self._standing.others({y: line_of(segments) for y, segments in self._compose(sorted(rows)).items()})
        return _Difference(self._standing, lines) if lines else None

    def _compose(self, rows: Sequence[int]) -> dict[int, list[Segment]]:
        """What is to be seen on these lines: who is in front is asked first, who is covered is not asked."""
        lines: dict[int, list[Segment]] = {}
        for _, group in groupby(enumerate(rows), key=lambda one: one[1] - one[0]):
            band = [y for _, y in group]
            box = Region(0, band[0], self.size.width, len(band))
            there: list[_Layer] = []
            for widget, (region, clip) in self.visible_widgets.items():
                shown = region.intersection(clip)
                if seen := shown.intersection(box):
                    there.append(_Layer(widget, region, seen))
                    if seen == shown:
                        # Whatever of it was to be drawn is: not once more by the next frame.
                        widget._exchange_repaint_regions()
            for y in band:
                lines[y] = self._filtered(_row(y, self.size.width, there))
        return lines

    def _filtered(self, line: list[Segment]) -> list[Segment]:
        for line_filter in self._filters:
            line = line_filter.apply(line, _NO_COLOUR)
        return line


class _Layer:
    """A widget as far as it is seen on some lines; asked for them when the first of them is."""

    def __init__(self, widget: Widget, region: Region, seen: Region) -> None:
        self._widget, self._region, self.seen = widget, region, seen
        self._strips: list[Strip] = []

    def line(self, y: int) -> Strip:
        """What it shows there."""
        self._strips = self._strips or self._widget.render_lines(self.seen - self._region.offset)
        return self._strips[y - self.seen.y].extend_cell_length(self.seen.width)


def _row(y: int, width: int, layers: Iterable[_Layer]) -> list[Segment]:
    """A line of the screen."""
    found: list[tuple[int, Strip]] = []
    free = [(0, width)]
    for layer in layers:
        x, top, wide, height = layer.seen
        if not top <= y < top + height:
            continue
        left = []
        for begin, end in free:
            first, last = max(begin, x), min(end, x + wide)
            if first >= last:
                left.append((begin, end))
                continue
            found.append((first, layer.line(y).crop(first - x, last - x)))
            left += [span for span in ((begin, first), (last, end)) if span[0] < span[1]]
        free = left
        if not free:
            break
    return [segment for _, strip in sorted(found, key=itemgetter(0)) for segment in strip]


class _Difference(CompositorUpdate):
    """Lines, to be told once it is their turn: only then it is known what stands there."""

    def __init__(self, standing: Standing, lines: Mapping[int, Line]) -> None:
        self._standing, self._lines = standing, lines

    def render_segments(self, console: Console) -> str:
        """What makes the terminal show these lines."""
        return self._standing.tell(self._lines, console._color_system or ColorSystem.TRUECOLOR)


class Standing:
    """What the terminal shows, as far as it is known."""

    def __init__(self) -> None:
        self._lines: dict[int, Line] = {}

    def forget(self) -> None:
        """Something else may be there now."""
        self._lines.clear()

    def others(self, lines: Mapping[int, Line]) -> dict[int, Line]:
        """Those of the lines that do not stand there yet."""
        return {y: line for y, line in lines.items() if self._lines.get(y) != line}

    def tell(self, lines: Mapping[int, Line], colours: ColorSystem) -> str:
        """What makes the terminal show these lines, and note that it does."""
        pen = _Pen(colours)
        if move := self._move(lines):
            top, bottom, up = move
            # Words of the oldest terminals: only lines between these two, delete or insert some above, all lines again.
            pen.say(f"\x1b[{top + 1};{bottom + 1}r\x1b[{top + 1};1H\x1b[{abs(up)}{'M' if up > 0 else 'L'}\x1b[r")
            before = {y: self._lines.pop(y) for y in range(top, bottom + 1) if y in self._lines}
            self._lines.update({y - up: line for y, line in before.items() if top <= y - up <= bottom})
            lines = {**before, **lines}
        for y, line in lines.items():
            for x, pieces in _differing(self._lines.get(y), line):
                pen.say(f"\x1b[{y + 1};{x + 1}H")
                pen.write(pieces)
            self._lines[y] = line
        return pen.done()

    def _move(self, lines: Mapping[int, Line]) -> tuple[int, int, int] | None:
        """Between which lines how many of them stand further up now (below 0: down), where the terminal should move them."""
        places = {text: y for y, line in self._lines.items() if y in lines and (text := _inner(line)).strip()}
        found = [(y, places[text] - y) for y, line in lines.items() if (text := _inner(line)) in places]
        (up, count), *_ = Counter(by for _, by in found).most_common(1) or [(0, 0)]
        if not up:
            return None
        moved = [y for y, by in found if by == up]
        top, bottom = min(moved[0], moved[0] + up), max(moved[-1], moved[-1] + up)
        known = all(y in lines or y in self._lines for y in range(top, bottom + 1))
        return (top, bottom, up) if known and count > 3 and 3 * count > bottom - top else None


def line_of(segments: Iterable[Segment]) -> Line:
    """A line in the one way to put it: what looks the same is the same."""
    line: Line = []
    for text, style, _ in segments:
        style = style or _NO_STYLE
        words = text.rstrip(" ") if text[-1:] == " " and plain(style) else text
        for piece, look in ((words, style), (text[len(words) :], None)):
            if piece and line and line[-1][1] is look:
                line[-1] = (line[-1][0] + piece, look)
            elif piece:
                line.append((piece, look))
    return line


@lru_cache(1024)
def plain(style: Style) -> bool:
    """Whether a blank looks the same in this style as without."""
    ground = style.bgcolor
    return (ground is None or ground.is_default) and not (style.reverse or style.underline or style.strike)


def _inner(line: Line) -> str:
    # The first cell is the cursor's, the last one the scrollbar's.
    return "".join([text for text, _ in line])[1:-1]


def _differing(before: Line | None, line: Line) -> Iterator[tuple[int, Line]]:
    """The pieces of a line that are others, by the column where they begin; a few cells between two of them go along."""
    stood = dict(_placed(before or ()))
    run: Line = []
    begin = held = 0
    for x, piece in _placed(line):
        if stood.get(x) != piece:
            if not run:
                begin = x
            run.append(piece)
            held = 0
        elif run:
            run.append(piece)
            held += 1
            if sum(len(text) for text, _ in run[-held:]) >= _HOP:
                yield begin, run[:-held]
                run, held = [], 0
    if run:
        yield begin, run[: len(run) - held]


def _placed(line: Iterable[tuple[str, Style | None]]) -> Iterator[tuple[int, tuple[str, Style | None]]]:
    x = 0
    for piece in line:
        yield x, piece
        x += cell_len(piece[0])


class _Pen:
    """Writes with as few changes of style as can be: each costs some twenty bytes on a slow line."""

    def __init__(self, colours: ColorSystem) -> None:
        self._colours, self._style, self._codes = colours, _NO_STYLE, ""
        self._said: list[str] = []

    def say(self, sequence: str) -> None:
        """A sequence for the terminal."""
        self._said.append(sequence)

    def write(self, line: Line) -> None:
        """Text, from where the terminal's cursor is."""
        last = len(line) - 1
        for place, (text, style) in enumerate(line):
            if style is not None:
                self._take(style)
            elif not plain(self._style):
                self._take(_NO_STYLE)
            if style is None and len(text) >= _HOP:
                # Erase so many, and pass over them when more follows.
                self._said.append(f"\x1b[{len(text)}X" + (f"\x1b[{len(text)}C" if place < last else ""))
            else:
                self._said.append(text)

    def done(self) -> str:
        """All that was said; who writes next begins without a style."""
        self._take(_NO_STYLE)
        return "".join(self._said)

    def _take(self, style: Style) -> None:
        if style is self._style:
            return
        old, self._style = self._codes, style
        self._codes = new = Strip.render_ansi(style, self._colours)
        if old != new:
            self._said.append(f"\x1b[0;{new}m" if old and new else f"\x1b[{new or 0}m")
