"""The terminal, lent to a shell command."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.app import SuspendNotSupported

from desk.completion import Choice
from desk.errors import Invalid
from tui.completion import Asking

if TYPE_CHECKING:
    from tui.app import DeskApp

TICKETS = "DESKHAND_TICKETS"
"""Where a command finds the numbers of the tickets that it is about, with spaces between."""


def ask(app: DeskApp) -> None:
    """Ask for a command; nothing typed is the shell itself."""

    async def run(line: str | None) -> None:
        if line is not None:
            lend(app, line.strip())

    def none(text: str) -> Sequence[Choice]:
        return ()

    numbers = " ".join(map(str, app.commands.targets())) or "empty"
    app.prompting.ask(
        Asking("!", none, run), hint=f"A shell command; ${TICKETS} is {numbers[:40]}. Enter alone: a shell."
    )


def lend(app: DeskApp, command: str) -> None:
    """Run a command on the terminal, and come back when a key was pressed behind it."""
    shell = os.environ.get("SHELL") or "/bin/sh"
    environment = {**os.environ, TICKETS: " ".join(map(str, app.commands.targets()))}
    try:
        # Nothing may be drawn while another program has the terminal: the driver's thread would wait for ever.
        with app.suspend(), app.batch_update():
            # Not at a keyboard's mercy: ^C is for the command.
            done = subprocess.run([shell, "-c", command] if command else [shell], env=environment, check=False)
            if command:
                print(f"\n[{done.returncode}]  Enter goes back to deskhand", end="", flush=True)
                if sys.__stdin__:
                    sys.__stdin__.readline()
    except SuspendNotSupported:
        raise Invalid("this terminal cannot be lent to another program") from None
    except KeyboardInterrupt:
        # It was meant for the command, which has ended by now.
        pass
    except OSError as error:
        raise Invalid(f"{shell}: {error.strerror}; set SHELL to a shell that is installed") from error
