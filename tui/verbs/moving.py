"""Verbs that move: in a list, through a text, on a sheet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.verbs import verb

if TYPE_CHECKING:
    from tui.app import DeskApp

_STEP = 3
"""Lines a key scrolls a conversation: terminals without scroll regions redraw it all anyway."""


@verb(quick=True)
async def down(app: DeskApp, count: int | None, rest: str) -> None:
    """Go down."""
    app.pane.move((count or 1) * (_STEP if app.reading else 1))


@verb(quick=True)
async def up(app: DeskApp, count: int | None, rest: str) -> None:
    """Go up."""
    app.pane.move(-(count or 1) * (_STEP if app.reading else 1))


@verb(quick=True)
async def half_page_down(app: DeskApp, count: int | None, rest: str) -> None:
    """Go down half a page."""
    app.pane.half_page(1, count or 1)


@verb(quick=True)
async def half_page_up(app: DeskApp, count: int | None, rest: str) -> None:
    """Go up half a page."""
    app.pane.half_page(-1, count or 1)


@verb()
async def goto(app: DeskApp, count: int | None, rest: str) -> None:
    """Go anywhere: a view, a sheet, a ticket, a customer, by a few letters."""
    from tui.jump import jump

    jump(app)


@verb(quick=True)
async def top(app: DeskApp, count: int | None, rest: str) -> None:
    """Go to the beginning."""
    app.pane.to((count or 1) - 1)


@verb(quick=True)
async def bottom(app: DeskApp, count: int | None, rest: str) -> None:
    """Go to the end, or with a count to that line."""
    app.pane.to(None if count is None else count - 1)
