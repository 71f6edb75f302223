"""Verbs of the list: what it shows, and in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from desk.completion import Choice
from desk.errors import Invalid
from desk.query import suggest
from desk.store import SORTS
from desk.views import COLUMNS
from tui.keymap import number
from tui.verbs import verb

if TYPE_CHECKING:
    from tui.app import DeskApp


@verb()
async def filter(app: DeskApp, count: int | None, rest: str) -> None:
    """Choose what the list shows: is:open assignee:me due:<2h "refund"."""
    if rest:
        app.queue.node(rest)
        await app.queue.load(rest, keep=app.queue.list.current)
        _come_back(app)
    else:
        app.prompting.filter()


def _come_back(app: DeskApp) -> None:
    """Who asks for a list on a sheet wants to see it."""
    if app.place == "sheet":
        app.to_list()


@verb()
async def view(app: DeskApp, count: int | None, rest: str) -> None:
    """Show a saved view, by its name, or with a count (3gv) the third one."""
    if count is None and not rest:
        found = app.queue.views.items()
        app.prompting.choose("view", [Choice(f"view {n}", view.title, view.query, view.key) for n, view in found])
        return
    names = list(app.queue.views)
    if rest not in names and (place := number(rest)) is not None:
        rest, count = "", place
    if not 0 < (count or 1) <= len(names):
        raise Invalid(f"there are {len(names)} views; {app.hands.key('view')} lists them")
    await _show_view(app, rest or names[(count or 1) - 1])


@verb()
async def next_view(app: DeskApp, count: int | None, rest: str) -> None:
    """Show the next saved view."""
    await _step_view(app, count or 1)


@verb()
async def previous_view(app: DeskApp, count: int | None, rest: str) -> None:
    """Show the saved view before this one."""
    await _step_view(app, -(count or 1))


@verb()
async def last_view(app: DeskApp, count: int | None, rest: str) -> None:
    """Go back to the list that was shown before this one."""
    if not await app.queue.back():
        raise Invalid("no other list was shown yet; J and K go from view to view")


async def _step_view(app: DeskApp, by: int) -> None:
    names = list(app.queue.views)
    # From a query of one's own the first one is next, and the last one before.
    place = names.index(app.queue.view) if app.queue.view in names else -1 if by > 0 else 0
    await _show_view(app, names[(place + by) % len(names)])


async def _show_view(app: DeskApp, name: str) -> None:
    await app.queue.show(name)
    _come_back(app)
    app.edges.refresh()


@verb()
async def sort(app: DeskApp, count: int | None, rest: str) -> None:
    """Order the list by urgency, newest, oldest, updated, waiting or priority."""
    if rest not in SORTS:
        raise Invalid(f'there is no order "{rest}"{suggest(rest, SORTS)}')
    await app.queue.load(sort=rest, keep=app.queue.list.current)


@verb()
async def columns(app: DeskApp, count: int | None, rest: str) -> None:
    """Show these columns (columns due number subject who), or the usual ones again (columns usual); alone: name them."""
    names = list(dict.fromkeys(rest.replace(",", " ").split()))
    for name in names:
        if name not in (*COLUMNS, "usual"):
            raise Invalid(f'there is no column "{name}"{suggest(name, (*COLUMNS, "usual"))}')
    if names:
        app.queue.choose(None if "usual" in names else names)
        return
    shown = [column.name for column in app.queue.list.columns]
    others = [name for name in COLUMNS if name not in shown]
    app.say(f"columns {' '.join(shown)}; there are also {' '.join(others) or 'no others'}", "quiet")


@verb()
async def refresh(app: DeskApp, count: int | None, rest: str) -> None:
    """Bring in what is new and put the list in order."""
    await app.queue.load(keep=app.queue.list.current)


@verb()
async def peek(app: DeskApp, count: int | None, rest: str) -> None:
    """Show the ticket under the cursor beside the list, or no longer: peek, peek right, below, auto or off."""
    if rest.strip():
        await app.queue.peek.move(rest.strip())
    else:
        await app.queue.peek.toggle()


@verb()
async def move_peek(app: DeskApp, count: int | None, rest: str) -> None:
    """Move the preview from the right to below, or back."""
    await app.queue.peek.move()
