"""The terminal screen under a pty: when the first tickets are there, what a key costs, and what fifty idle ones do."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack

from bench.process import DESKHAND, ROOT, environment
from bench.ptybench import Report
from bench.ptybench import measure as under_pty
from bench.stores import OUT, store_of
from bench.terminal import Session, tree_cpu

_EMPTY = """
from textual.app import App
from textual.widgets import Static
class Empty(App):
    def compose(self):
        yield Static("an empty application")
Empty().run()
"""

_TICKETS = r"(ash|birch|cedar|elm)\b[\s\S]*(ash|birch|cedar|elm)\b"
"""Names and states of real rows, not the frame around them."""


def measure(tickets: int, starts: int) -> dict[str, Report]:
    """Reports by program: ours on a store of so many tickets, an empty Textual application, neomutt where installed."""
    found = {
        "deskhand": _one(_ours(tickets), _TICKETS, starts),
        "demo": _one((*DESKHAND, "demo"), "VPN drops", starts, keys=0),
        "empty Textual": _one(
            (sys.executable, "-c", _EMPTY), "an empty application", starts, keys=0, quit_keys="<c-q>"
        ),
        "a page turn": _one(_ours(tickets), _TICKETS, 1, key="<pgdn>"),
        "a ticket opened": _one(_ours(tickets), _TICKETS, 1, key="<enter>", between="q<down>"),
    }
    if shutil.which("neomutt"):
        from bench.intake import maildir

        folder = maildir(10_000)
        command = ("neomutt", "-n", "-F", "/dev/null", "-R", "-f", str(folder))
        found["neomutt, 10,000 mails"] = _one(command, r"10000", starts)
    return found


def idle(tickets: int, terminals: int, seconds: float) -> tuple[float, float]:
    """What so many screens on which nothing happens take of one core together, and the bytes a second of each."""
    with ExitStack() as open_ones:
        sessions: list[Session] = []
        for _ in range(terminals):
            session = Session(_ours(tickets), env=environment(), cwd=str(ROOT))
            open_ones.callback(session.close, b"q")
            if session.wait_for(_TICKETS) is None:
                raise RuntimeError(f"no list of tickets appeared:\n{session.emulator.text()}")
            sessions.append(session)
        _drain(sessions, 3.0)
        begun, used = time.perf_counter(), sum(tree_cpu(session.process.pid) for session in sessions)
        written = sum(session.total_bytes for session in sessions)
        _drain(sessions, seconds)
        passed = time.perf_counter() - begun
        used = sum(tree_cpu(session.process.pid) for session in sessions) - used
        written = sum(session.total_bytes for session in sessions) - written
        return used / passed, written / passed / terminals


def _drain(sessions: Sequence[Session], seconds: float) -> None:
    """Take what the screens write, so that none of them waits for it."""
    end = time.perf_counter() + seconds
    while (left := end - time.perf_counter()) > 0:
        for session in sessions:
            session.read(0)
        time.sleep(min(0.2, left))


def _ours(tickets: int) -> tuple[str, ...]:
    return (*DESKHAND, "--store", f"sqlite:///{store_of(tickets)}")


def _one(
    command: Sequence[str], ready: str, starts: int, *, keys: int = 100, key: str = "j", between: str = "",
    quit_keys: str = "q",
) -> Report:  # fmt: skip
    OUT.mkdir(parents=True, exist_ok=True)
    return under_pty(
        command, ready=ready, starts=starts, key=key, between=between, count=keys, burst=60 if keys else 0,
        env=environment(), cwd=str(ROOT), quit_keys=quit_keys,
    )  # fmt: skip
