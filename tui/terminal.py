"""Between Textual and the terminal: keys as they come, fewer mouse reports, and a last filter for harmful bytes."""

from __future__ import annotations

import os
import re
import select
from codecs import getincrementaldecoder
from functools import lru_cache
from typing import Any

from rich.color import Color as Ink
from rich.segment import Segment
from rich.style import Style
from textual._time import get_time
from textual._xterm_parser import XTermParser
from textual.color import Color
from textual.drivers.linux_driver import LinuxDriver
from textual.filter import LineFilter

from desk.text import clean
from tui.draw import Look

_HARMFUL = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


HANGUP = 129
"""How the program ends when its terminal is gone: as by SIGHUP."""

_ENOUGH = 4096
_GRACE_S = 3.0
"""Whoever has lost the terminal ends by then, whatever still hangs."""


class QuietDriver(LinuxDriver):
    """Sleeps until a key comes, and asks for clicks and the wheel only: reports of every movement are a burden over SSH."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._awake, self._wake = os.pipe()

    def run_input_thread(self) -> None:
        """Read keys until the terminal is given back, or is gone: then the program ends too."""
        parser = XTermParser(self._debug)
        decode = getincrementaldecoder("utf-8")("replace").decode
        waiting = select.poll()
        for source in (self.fileno, self._awake):
            waiting.register(source, select.POLLIN)
        while True:
            # Only after an Escape there is a time by which more must follow; else nothing is looked for.
            until = parser._timeout_time
            ready = waiting.poll(None if until is None else max(0.0, until - get_time()) * 1000 + 1)
            sources = {source for source, _ in ready}
            if self._awake in sources:
                os.read(self._awake, _ENOUGH)
                return
            if self.fileno in sources:
                if not (data := self._read()):
                    self._gone()
                    return
                for event in parser.feed(decode(data)):
                    self.process_message(event)
            for event in parser.tick():
                self.process_message(event)

    def _read(self) -> bytes:
        try:
            return os.read(self.fileno, _ENOUGH)
        except OSError:
            # A pty whose other end was closed.
            return b""

    def _gone(self) -> None:
        self._app.call_later(self._app.exit, return_code=HANGUP)
        if not self.exit_event.wait(_GRACE_S):
            # Nothing can be drawn, and nobody would see it: what is left of the program must not spin.
            os._exit(HANGUP)

    def disable_input(self) -> None:
        """Give the keys back."""
        if self._key_thread is not None and self._key_thread.is_alive():
            os.write(self._wake, b"\0")
        super().disable_input()

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
        if not any(_HARMFUL.search(text) for text, _, _ in segments):
            return segments
        return [
            segment
            if segment.control
            else Segment(clean(segment.text).replace("\n", " ").replace("\t", " "), segment.style)
            for segment in segments
        ]


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
