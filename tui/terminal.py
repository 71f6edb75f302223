"""Between Textual and the terminal: fewer mouse reports, and a last filter for harmful bytes."""

from __future__ import annotations

import re
from functools import lru_cache

from rich.color import Color as Ink
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.drivers.linux_driver import LinuxDriver
from textual.filter import LineFilter

from desk.text import clean
from tui.draw import Look

_HARMFUL = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


class QuietDriver(LinuxDriver):
    """Asks for clicks and the wheel only: reports of every movement are a burden over SSH."""

    def _enable_mouse_support(self) -> None:
        if self._mouse:
            self.write("\x1b[?1000h\x1b[?1006h")
            self.flush()


class ShowingDriver(QuietDriver):
    """Leaves the terminal's own cursor in sight, on the line that matters: who reads with a magnifier follows it."""

    def start_application_mode(self) -> None:
        """Take the terminal."""
        super().start_application_mode()  # type: ignore[no-untyped-call]
        self.write("\x1b[?25h")
        self.flush()


class Backstop(LineFilter):
    """Makes harmless whatever reached a widget uncleaned: a paste, a bug."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The segments without a byte that a terminal would act on."""
        for i, (text, style, control) in enumerate(segments):
            if not control and _HARMFUL.search(text):
                segments[i] = Segment(clean(text).replace("\n", " ").replace("\t", " "), style)
        return segments


class Ground(LineFilter):
    """Puts what names no ink or ground of its own on those of the theme, where it has them."""

    def __init__(self, look: Look) -> None:
        super().__init__()
        self._look = look

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The segments on the theme's ground."""
        ground = self._look["ground"]
        if ground.bgcolor is None and ground.color is None:
            return segments
        return [
            segment if segment.control else Segment(segment.text, _grounded(segment.style or Style(), ground))
            for segment in segments
        ]


@lru_cache(512)
def _grounded(style: Style, ground: Style) -> Style:
    return style + Style(color=_or(style.color, ground.color), bgcolor=_or(style.bgcolor, ground.bgcolor))


def _or(own: Ink | None, other: Ink | None) -> Ink | None:
    return other if own is None or own.is_default else own
