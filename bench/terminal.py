"""A program under a real pty: its keys, its screen, its memory and processor time."""

from __future__ import annotations

import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyte

_NAMED_KEYS = {
    "down": b"\x1b[B", "up": b"\x1b[A", "right": b"\x1b[C", "left": b"\x1b[D", "enter": b"\r", "esc": b"\x1b", "tab": b"\t",
    "pgdn": b"\x1b[6~", "pgup": b"\x1b[5~", "home": b"\x1b[H", "end": b"\x1b[F", "space": b" ", "bs": b"\x7f",
    "f1": b"\x1bOP", "f2": b"\x1bOQ", "f3": b"\x1bOR", "f4": b"\x1bOS", "f5": b"\x1b[15~", "f6": b"\x1b[17~", "f7": b"\x1b[18~", "f8": b"\x1b[19~", "f9": b"\x1b[20~", "f10": b"\x1b[21~",
    "s-tab": b"\x1b[Z", "lt": b"<",
}  # fmt: skip

#: What a terminal would answer: pattern in the output -> reply.
_QUERIES: tuple[tuple[re.Pattern[bytes], bytes], ...] = (
    (re.compile(rb"\x1b\[6n"), b"\x1b[1;1R"),
    (re.compile(rb"\x1b\[5n"), b"\x1b[0n"),
    (re.compile(rb"\x1b\[0?c"), b"\x1b[?62;22c"),
    (re.compile(rb"\x1b\[>0?c"), b"\x1b[>41;354;0c"),
    (re.compile(rb"\x1b\[\?2026\$p"), b"\x1b[?2026;2$y"),
    (re.compile(rb"\x1b\[\?2048\$p"), b"\x1b[?2048;0$y"),
    (re.compile(rb"\x1b\]10;\?(?:\x07|\x1b\\)"), b"\x1b]10;rgb:ffff/ffff/ffff\x1b\\"),
    (re.compile(rb"\x1b\]11;\?(?:\x07|\x1b\\)"), b"\x1b]11;rgb:0000/0000/0000\x1b\\"),
)

#: Sequences pyte 0.8 mistakes for others or prints; they do not draw anything.
_UNDRAWN = re.compile(
    rb"\x1b\[[>=<][0-9;:]*[ -/]*[@-~]|\x1b\[\??[0-9;]*[ !\"#$%&'()*+,\-./]+[@-~]|\x1b[P_^X].*?(?:\x1b\\|\x07)|\x1b\[\?[0-9;]*u",
    re.DOTALL,
)
_INCOMPLETE = re.compile(rb"\x1b(?:\[[0-9;:?>=<]*[ -/]*|[P_^X\]][^\x07\x1b]*\x1b?)?$")


def parse_keys(text: str) -> bytes:
    """The bytes for `text`: literal characters and `<names>`."""
    out = b""
    for token in re.findall(r"<[^<>]+>|.", text, re.DOTALL):
        if len(token) > 2:
            name = token[1:-1].lower()
            if name.startswith("c-") and len(name) == 3:
                out += bytes([ord(name[2]) & 0x1F])
            elif name in _NAMED_KEYS:
                out += _NAMED_KEYS[name]
            else:
                raise ValueError(f"unknown key {token}")
        else:
            out += token.encode()
    return out


@dataclass(slots=True)
class Chunk:
    """Bytes read from the program, and when (`time.perf_counter`)."""

    at: float
    data: bytes


class _Screen(pyte.Screen):
    """A pyte screen that ignores what it does not know instead of raising."""

    def select_graphic_rendition(self, *attrs: int, private: bool = False) -> None:
        if not private:
            super().select_graphic_rendition(*attrs)

    def report_device_status(self, mode: int, **kwargs: Any) -> None:
        """Answered by the recording loop."""

    def report_device_attributes(self, mode: int = 0, **kwargs: Any) -> None:
        """Answered by the recording loop."""


class Emulator:
    """A screen fed with recorded chunks."""

    def __init__(self, columns: int, rows: int) -> None:
        self.screen = _Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self._carry = b""
        self.errors = 0

    def feed(self, data: bytes) -> None:
        """Apply `data`, keeping an incomplete escape sequence for later."""
        data = self._carry + data
        self._carry = b""
        tail = _INCOMPLETE.search(data)
        if tail and len(data) - tail.start() < 4096:
            data, self._carry = data[: tail.start()], data[tail.start() :]
        try:
            self._stream.feed(_UNDRAWN.sub(b"", data))
        except Exception:  # an emulator bug must not end a measurement
            self.errors += 1

    def text(self) -> str:
        """The screen as lines of text."""
        return "\n".join(line.rstrip() for line in self.screen.display)

    def fingerprint(self) -> int:
        """A number that differs when any cell, its colours or the cursor differ."""
        cells = tuple(hash(tuple(self.screen.buffer[row].items())) for row in range(self.screen.lines))
        return hash((cells, self.screen.cursor.x, self.screen.cursor.y))


def _children(pid: int) -> list[int]:
    """`pid` and its descendants that still run."""
    parents: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = Path(f"/proc/{entry}/stat").read_text()
            except OSError:
                continue
            parents.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry))
    found, queue = [], [pid]
    while queue:
        current = queue.pop()
        found.append(current)
        queue += parents.get(current, [])
    return found


def tree_memory(pid: int) -> tuple[int, int]:
    """(RSS, PSS) of the process tree in KiB; PSS is 0 where unreadable."""
    rss = pss = 0
    for process in _children(pid):
        try:
            rss += int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{process}/status").read_text())[1])  # type: ignore[index]
            pss += int(re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{process}/smaps_rollup").read_text(), re.M)[1])  # type: ignore[index]
        except (OSError, TypeError):
            continue
    return rss, pss


def tree_cpu(pid: int) -> float:
    """User and system seconds of the process tree so far."""
    ticks = 0
    for process in _children(pid):
        try:
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


class Session:
    """One program under a pty."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        columns: int = 200,
        rows: int = 50,
        term: str = "xterm-256color",
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
    ) -> None:
        self.emulator = Emulator(columns, rows)
        self.total_bytes = 0
        self.eof = False
        master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        full_env = {
            **os.environ,
            "TERM": term,
            "COLORTERM": "truecolor",
            "LANG": "C.UTF-8",
            "LC_ALL": "C.UTF-8",
            "LINES": str(rows),
            "COLUMNS": str(columns),
            **(env or {}),
        }
        for name in ("LINES", "COLUMNS", "TMUX"):
            full_env.pop(name, None)

        def child() -> None:
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.started = time.perf_counter()
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, env=full_env, cwd=cwd, preexec_fn=child, close_fds=True
        )
        os.close(slave)
        self.master = master
        self._tail = b""

    # -- input and output ---------------------------------------------------

    def read(self, timeout: float) -> Chunk | None:
        """What the program wrote within `timeout` seconds; its questions to the terminal are answered."""
        ready, _, _ = select.select([self.master], [], [], timeout)
        if not ready:
            return None
        try:
            data = os.read(self.master, 65_536)
        except OSError:
            data = b""
        at = time.perf_counter()
        if not data:
            self.eof = True
            return None
        self.total_bytes += len(data)
        if b"\x1b" in data or self._tail:
            window = self._tail + data
            for pattern, reply in _QUERIES:
                for match in pattern.finditer(window):
                    if match.end() > len(self._tail):
                        os.write(self.master, reply)
            self._tail = window[-24:] if b"\x1b" in window[-24:] else b""
        return Chunk(at, data)

    def record(self, quiet: float, limit: float, first: float | None = None) -> list[Chunk]:
        """Read until `quiet` seconds of silence, at most `limit` seconds.

        `first` is how long to wait for the first byte (default `quiet`).
        """
        chunks: list[Chunk] = []
        end = time.perf_counter() + limit
        while not self.eof:
            now = time.perf_counter()
            wait = quiet if chunks else (quiet if first is None else first)
            chunk = self.read(min(wait, max(0.0, end - now)))
            if chunk is None or chunk.at >= end:
                if chunk is not None:
                    chunks.append(chunk)
                break
            chunks.append(chunk)
        return chunks

    def send(self, keys: bytes) -> float:
        """Write `keys`; return the time just before the write."""
        at = time.perf_counter()
        os.write(self.master, keys)
        return at

    def apply(self, chunks: Sequence[Chunk]) -> None:
        """Replay `chunks` on the emulator."""
        for chunk in chunks:
            self.emulator.feed(chunk.data)

    def wait_for(self, pattern: str, *, quiet: float = 0.3, limit: float = 60.0) -> float | None:
        """Record and replay until the screen matches; the time it first did, or None."""
        regex = re.compile(pattern, re.MULTILINE)
        end = time.perf_counter() + limit
        while True:
            chunks = self.record(quiet, max(0.01, min(2.0, end - time.perf_counter())))
            found: float | None = None
            for chunk in chunks:
                self.emulator.feed(chunk.data)
                if found is None and regex.search(self.emulator.text()):
                    found = chunk.at
            if found is not None:
                return found
            if self.eof or time.perf_counter() >= end:
                return None

    def close(self, quit_keys: bytes = b"", grace: float = 1.0) -> None:
        """Ask the program to quit, then terminate its own process group."""
        if quit_keys and self.process.poll() is None:
            try:
                self.send(quit_keys)
                self.record(0.2, grace)
            except OSError:
                pass
        for sig in (signal.SIGHUP, signal.SIGTERM, signal.SIGKILL):
            if self.process.poll() is not None:
                break
            try:
                os.killpg(self.process.pid, sig)
            except ProcessLookupError:
                break
            try:
                self.process.wait(grace)
            except subprocess.TimeoutExpired:
                continue
        os.close(self.master)
