"""Opens the screen on a store in this process: run as `python -m tests.tui.opened FOLDER`, in a pty."""

from __future__ import annotations

import os
import sys

import themes
from desk.config import DeskConfig
from desk.perform import Desk, Who
from desk.threads import Signer
from storage import open_store
from tests.desks import NOW
from tui.app import run
from tui.front import Front


def main(folder: str) -> None:
    """Sit down as kim."""
    config = DeskConfig()
    store = open_store(f"sqlite:///{folder}/desk.db", config)
    who = Who(store.agents()["kim"], 1000, "pty")
    numbers = iter(range(1_000))
    run(
        Front(
            Desk(store, config, Signer(b"x" * 32)),
            who,
            now=lambda: NOW,
            new_batch=lambda: f"pty-{next(numbers)}",
            theme=themes.Watched("dark", color=not os.environ.get("NO_COLOR")).theme,
            cursor="--cursor" in sys.argv,
            editor=(sys.executable, "-m", "tests.tui.typist"),
        )
    )


if __name__ == "__main__":
    main(sys.argv[1])
