"""Verbs that take something out of a ticket: files, links, text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.verbs import verb

if TYPE_CHECKING:
    from tui.app import DeskApp


@verb()
async def launch(app: DeskApp, count: int | None, rest: str) -> None:
    """Open a link by its letter or an attachment by its number with the program of [screen] open."""
    from tui import outside

    await outside.launch(app, count, rest)


@verb()
async def look(app: DeskApp, count: int | None, rest: str) -> None:
    """Show an attachment here, by its number: text as it is, of a picture its size."""
    from tui import outside

    await outside.look(app, count, rest)


@verb()
async def save(app: DeskApp, count: int | None, rest: str) -> None:
    """Save an attachment by its number, into the download folder or where a path says: save 2 logs/vpn.log."""
    from tui import outside

    await outside.save(app, count, rest)


@verb()
async def save_all(app: DeskApp, count: int | None, rest: str) -> None:
    """Save all attachments of the ticket into a folder, which is asked for."""
    from tui import outside

    await outside.save_all(app, count, rest)


@verb()
async def pipe(app: DeskApp, count: int | None, rest: str) -> None:
    """Give the text of the ticket, or an attachment by its number, to a shell command, and show what it says: pipe 2 grep -i mtu."""
    from tui import outside

    await outside.pipe(app, count, rest)


@verb()
async def copy(app: DeskApp, count: int | None, rest: str) -> None:
    """Copy the number of the ticket, its text (copy text), or a link by its letter (copy a) to your terminal's clipboard."""
    from tui import outside

    await outside.copy(app, count, rest)
