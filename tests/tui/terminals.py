"""Programs in a pty, and a screen that shows what they wrote."""

from __future__ import annotations

import fcntl
import os
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyte

COLUMNS, ROWS = 120, 40
DEADLINE_S = 30.0


class Terminal:
    """A pty with the program in it, and a screen that shows what it wrote."""

    def __init__(self, command: Sequence[str], size: tuple[int, int] = (COLUMNS, ROWS), **env: str) -> None:
        self.raw = b""
        columns, rows = size
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self.master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        given = (
            {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS", "LINES")}
            | {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
            | env
        )
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, env=given, start_new_session=True
        )
        os.close(slave)

    def read(self, quiet: float) -> bytes:
        """What comes until nothing comes for `quiet` seconds."""
        data = b""
        # Not select(): behind many tests a descriptor may have a number that it does not take.
        ready = select.poll()
        ready.register(self.master, select.POLLIN)
        while ready.poll(quiet * 1_000):
            try:
                chunk = os.read(self.master, 65_536)
            except OSError:
                break
            if not chunk:
                break
            data += chunk
        self.raw += data
        # pyte takes the private keyboard and mode questions for text.
        self._stream.feed(re.sub(rb"\x1b\[[<>=]\d*u|\x1b\[\?\d+\$p|\x1b\]22;default\x07", b"", data))
        return data

    def see(self, text: str) -> None:
        """Wait until `text` stands on the screen."""
        end = time.monotonic() + DEADLINE_S
        while text not in self.text:
            assert time.monotonic() < end, f"{text!r} never came; the screen:\n{self.text}"
            self.read(0.05)

    def press(self, keys: bytes) -> bytes:
        """Send keys; what they made the program write."""
        os.write(self.master, keys)
        end = time.monotonic() + DEADLINE_S
        data = b""
        while not data and time.monotonic() < end:
            data = self.read(0.15)
        return data

    def hang_up(self) -> None:
        """Close the terminal beneath the program."""
        os.close(self.master)
        self.master = os.open(os.devnull, os.O_RDONLY)

    @property
    def cursor(self) -> tuple[int, bool]:
        """On which line the terminal's cursor is, and whether it is in sight."""
        return self._screen.cursor.y, not self._screen.cursor.hidden

    @property
    def text(self) -> str:
        """What stands on the screen."""
        return "\n".join(self._screen.display)


@contextmanager
def terminal(folder: Path, *options: str, **env: str) -> Iterator[Terminal]:
    """The screen on the store in a folder, in a terminal; ended with the test."""
    with running((sys.executable, "-m", "tests.tui.opened", str(folder), *options), **env) as opened:
        yield opened


@contextmanager
def running(command: Sequence[str], size: tuple[int, int] = (COLUMNS, ROWS), **env: str) -> Iterator[Terminal]:
    """A program in a terminal, ended with the test."""
    opened = Terminal(command, size, **env)
    try:
        yield opened
    finally:
        opened.process.kill()
        opened.process.wait()
        os.close(opened.master)
