"""What the screen itself can do, each thing once: a key, a word for the command line, a line in the help.

Each module of this package holds some; all are here once it is imported.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from tui.sheets import SHEETS, make

if TYPE_CHECKING:
    from tui.app import DeskApp

Run = Callable[["DeskApp", int | None, str], Coroutine[Any, Any, None]]
"""A verb: the screen, the count typed before the key (None: none), and the rest of the line."""


class Verb(Struct, frozen=True):
    """A verb of the screen. `quick` ones are keys only; they do not show in completion."""

    name: str
    run: Run
    summary: str
    quick: bool = False


VERBS: dict[str, Verb] = {}
"""All verbs of the screen by name."""


def verb(*, quick: bool = False) -> Callable[[Run], Run]:
    """Make a function a verb of the screen; its docstring is its help."""

    def register(run: Run) -> Run:
        name = getattr(run, "__name__", "").strip("_").replace("_", "-")
        VERBS[name] = Verb(name, run, inspect.cleandoc(run.__doc__ or "").partition("\n")[0], quick)
        return run

    return register


async def _sheet(name: str, app: DeskApp, count: int | None, rest: str) -> None:
    await app.open_sheet(make(name, app, rest.strip()))


for _name, _help in SHEETS.items():
    VERBS[_name] = Verb(_name, partial(_sheet, _name), _help)

from tui.verbs import desk, files, lists, marks, moving, sheets, tickets, writing  # noqa: E402

__all__ = ["VERBS", "Run", "Verb", "desk", "files", "lists", "marks", "moving", "sheets", "tickets", "verb", "writing"]
