"""The terminal screen under a pty: when the first tickets are there, and what a key costs."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence

from bench.process import DESKHAND, ROOT, environment
from bench.ptybench import Report
from bench.ptybench import measure as under_pty
from bench.stores import OUT, store_of

_EMPTY = """
from textual.app import App
from textual.widgets import Static
class Empty(App):
    def compose(self):
        yield Static("an empty application")
Empty().run()
"""


def measure(tickets: int, starts: int) -> dict[str, Report]:
    """Reports by program: ours on a store of so many tickets, an empty Textual application, neomutt where installed."""
    store = f"sqlite:///{store_of(tickets)}"
    found = {
        # Names and states of real rows, not the frame around them.
        "deskhand": _one(
            (*DESKHAND, "--store", store), r"(ash|birch|cedar|elm)\b[\s\S]*(ash|birch|cedar|elm)\b", starts
        ),
        "demo": _one((*DESKHAND, "demo"), "VPN drops", starts, keys=0),
        "empty Textual": _one(
            (sys.executable, "-c", _EMPTY), "an empty application", starts, keys=0, quit_keys="<c-q>"
        ),
    }
    if shutil.which("neomutt"):
        from bench.intake import maildir

        folder = maildir(10_000)
        command = ("neomutt", "-n", "-F", "/dev/null", "-R", "-f", str(folder))
        found["neomutt, 10,000 mails"] = _one(command, r"10000", starts)
    return found


def _one(command: Sequence[str], ready: str, starts: int, *, keys: int = 100, quit_keys: str = "q") -> Report:
    OUT.mkdir(parents=True, exist_ok=True)
    return under_pty(
        command, ready=ready, starts=starts, count=keys, burst=60 if keys else 0, env=environment(), cwd=str(ROOT), quit_keys=quit_keys,
    )  # fmt: skip
