"""Verbs of sheets, and of what is written down while one works."""

from __future__ import annotations

from typing import TYPE_CHECKING

from desk.errors import Invalid
from tui.verbs import verb

if TYPE_CHECKING:
    from tui.app import DeskApp


@verb()
async def narrow(app: DeskApp, count: int | None, rest: str) -> None:
    """Show only the lines of a sheet that have all the words typed."""
    if app.place != "sheet":
        raise Invalid("there is no sheet here to narrow; in the list / is the filter")
    if rest:
        app.sheet.narrow(rest)
        return
    from tui.completion import Asking

    before = app.sheet.words

    async def typed(text: str) -> None:
        app.sheet.narrow(text)

    async def then(text: str | None) -> None:
        app.sheet.narrow(before if text is None else text)

    app.prompting.ask(Asking("/", lambda text: (), then, typed=typed), f"{before} " if before else "")


@verb(quick=True)
async def across(app: DeskApp, count: int | None, rest: str) -> None:
    """Go to the other column of a sheet."""
    app.sheet.list.across()


@verb()
async def preview(app: DeskApp, count: int | None, rest: str) -> None:
    """Show what a command line would do to each ticket and whom it would write to, before it does: preview solve."""
    if not rest.strip():
        app.prompting.command("preview ", "the command line to look at before it is done")
        return
    await app.commands.preview(rest.strip())


@verb()
async def record(app: DeskApp, count: int | None, rest: str) -> None:
    """Write down what you do from here on as a macro; once more: stop, look at it and name it."""
    await app.commands.recorder.turn()
