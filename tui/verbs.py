"""What the screen itself can do, each thing once: a key, a word for the command line, a line in the help."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from desk.errors import Invalid
from desk.query import suggest
from desk.store import SORTS
from tui.sheets import SHEETS, make
from tui.widgets.lines import Picked

if TYPE_CHECKING:
    from tui.app import DeskApp

Run = Callable[["DeskApp", int | None, str], Coroutine[Any, Any, None]]
"""A verb: the screen, the count typed before the key (None: none), and the rest of the line."""


@dataclass(frozen=True, slots=True)
class Verb:
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


# -- moving -------------------------------------------------------------------

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


@verb(quick=True)
async def top(app: DeskApp, count: int | None, rest: str) -> None:
    """Go to the beginning."""
    await _to(app, count or 1)


@verb(quick=True)
async def bottom(app: DeskApp, count: int | None, rest: str) -> None:
    """Go to the end, or with a count to that line."""
    await _to(app, count)


async def _to(app: DeskApp, line: int | None) -> None:
    if isinstance(app.pane, Picked):
        app.pane.move_to(len(app.pane.lines) - 1 if line is None else line - 1)
    elif app.reading:
        app.ticket.conversation.go(len(app.ticket.conversation.lines) if line is None else line - 1)
    else:
        app.queue.list.move_to(len(app.queue.list.ids) - 1 if line is None else line - 1)


# -- tickets ------------------------------------------------------------------


@verb()
async def show(app: DeskApp, count: int | None, rest: str) -> None:
    """Open the ticket, or what a line leads to; with a number (4812 ⏎) that ticket."""
    if app.sheet.current is not None and app.place == "sheet" and not rest and count is None:
        await app.follow(app.sheet.current)
        return
    number = int(rest.lstrip("#")) if rest.lstrip("#").isdecimal() else count or app.queue.list.current
    if number is None:
        raise Invalid("there is no ticket to open; / shows others")
    await app.show(number)


@verb()
async def back(app: DeskApp, count: int | None, rest: str) -> None:
    """Go back to where you came from."""
    await app.back()


@verb(quick=True)
async def leave(app: DeskApp, count: int | None, rest: str) -> None:
    """Drop the marks, then the filter."""
    if app.queue.list.marks:
        app.queue.list.mark(())
        app.queue.tell()
    elif app.queue.view or (app.queue.query_text, app.queue.sort) != (app.front.query, "urgency"):
        await app.queue.load(app.front.query, sort="urgency", keep=app.queue.list.current)


async def _step(app: DeskApp, by: int) -> None:
    view, tickets = app.ticket.view, app.queue.list
    if view is not None and view.ticket.id in tickets.order:
        tickets.move(by)
    if tickets.current is None or (view is not None and tickets.current == view.ticket.id):
        raise Invalid(f"that is the {'last' if by > 0 else 'first'} ticket of the list")
    await app.show(tickets.current)


@verb()
async def next_ticket(app: DeskApp, count: int | None, rest: str) -> None:
    """Open the next ticket of the list."""
    await _step(app, count or 1)


@verb()
async def previous_ticket(app: DeskApp, count: int | None, rest: str) -> None:
    """Open the ticket before this one in the list."""
    await _step(app, -(count or 1))


@verb()
async def next(app: DeskApp, count: int | None, rest: str) -> None:
    """Go to the next ticket that needs attention: unread first, then what is due."""
    place = await app.queue.attention()
    if place is None:
        raise Invalid("nothing in this list is unread or due within two hours")
    app.queue.list.move_to(place)
    if app.reading and app.queue.list.current is not None:
        await app.show(app.queue.list.current)


@verb()
async def mark(app: DeskApp, count: int | None, rest: str) -> None:
    """Mark the ticket (or no longer) and go down; commands then act on all marked ones."""
    for _ in range(count or 1):
        if app.queue.list.current is not None:
            app.queue.list.toggle(app.queue.list.current)
            app.queue.list.move(1)
    app.queue.tell()


@verb()
async def mark_all(app: DeskApp, count: int | None, rest: str) -> None:
    """Mark every ticket of the list, or none."""
    tickets = app.queue.list
    tickets.mark(() if tickets.marks else tickets.ids)
    app.queue.tell()


@verb()
async def unfold(app: DeskApp, count: int | None, rest: str) -> None:
    """Show the quoted text of all messages, or fold it again."""
    if not app.ticket.conversation.unfold():
        app.say("nothing is folded here", "quiet")


@verb()
async def why(app: DeskApp, count: int | None, rest: str) -> None:
    """Tell why each message is on this ticket."""
    app.ticket.conversation.explain()


# -- the list -----------------------------------------------------------------


@verb()
async def filter(app: DeskApp, count: int | None, rest: str) -> None:
    """Choose what the list shows: is:open assignee:me due:<2h "refund"."""
    if rest:
        app.queue.node(rest)
        await app.queue.load(rest, keep=app.queue.list.current)
    else:
        app.prompting.filter()


@verb()
async def view(app: DeskApp, count: int | None, rest: str) -> None:
    """Show a saved view, by its name or with a count (3gv) the third one."""
    if count is None and not rest:
        app.prompting.command("view ", " ".join(app.queue.views))
        return
    names = list(app.queue.views)
    await _show_view(app, rest or names[min(count or 1, len(names)) - 1])


@verb()
async def next_view(app: DeskApp, count: int | None, rest: str) -> None:
    """Show the next saved view."""
    await _step_view(app, count or 1)


@verb()
async def previous_view(app: DeskApp, count: int | None, rest: str) -> None:
    """Show the saved view before this one."""
    await _step_view(app, -(count or 1))


async def _step_view(app: DeskApp, by: int) -> None:
    names = list(app.queue.views)
    # From a query of one's own the first one is next, and the last one before.
    place = names.index(app.queue.view) if app.queue.view in names else -1 if by > 0 else 0
    await _show_view(app, names[(place + by) % len(names)])


async def _show_view(app: DeskApp, name: str) -> None:
    await app.queue.show(name)
    app.edges.refresh()


@verb()
async def sort(app: DeskApp, count: int | None, rest: str) -> None:
    """Order the list by urgency, newest, oldest, updated, waiting or priority."""
    if rest not in SORTS:
        raise Invalid(f'there is no order "{rest}"{suggest(rest, SORTS)}')
    await app.queue.load(sort=rest, keep=app.queue.list.current)


@verb()
async def refresh(app: DeskApp, count: int | None, rest: str) -> None:
    """Bring in what is new and put the list in order."""
    await app.queue.load(keep=app.queue.list.current)


# -- doing --------------------------------------------------------------------


@verb()
async def macro(app: DeskApp, count: int | None, rest: str) -> None:
    """Choose a macro of those that are offered here, or run the one named: macro NAME key=value."""
    from tui.macros import Macros

    if rest.strip():
        await Macros(app).run(rest.strip())
    else:
        await Macros(app).choose()


@verb(quick=True)
async def command(app: DeskApp, count: int | None, rest: str) -> None:
    """Type a command."""
    app.prompting.command()


@verb()
async def palette(app: DeskApp, count: int | None, rest: str) -> None:
    """Search all verbs and run one."""
    app.prompting.palette()


@verb()
async def help(app: DeskApp, count: int | None, rest: str) -> None:
    """Search all keys and verbs."""
    app.prompting.help()


@verb()
async def undo(app: DeskApp, count: int | None, rest: str) -> None:
    """Take back what you did last."""
    await app.commands.take_back()


@verb()
async def waiting(app: DeskApp, count: int | None, rest: str) -> None:
    """Show what waits for a store that is away, and what could not be done when it was back."""
    app.waiting.show()


@verb()
async def drop(app: DeskApp, count: int | None, rest: str) -> None:
    """Drop what waits for the store: all of it, or one by its place."""
    app.waiting.drop(int(rest) if rest.isdecimal() else count)


@verb()
async def redo(app: DeskApp, count: int | None, rest: str) -> None:
    """Do again what you took back."""
    await app.commands.take_back(redo=True)


@verb()
async def repeat(app: DeskApp, count: int | None, rest: str) -> None:
    """Do the last command again, here."""
    await app.commands.repeat()


@verb()
async def raise_(app: DeskApp, count: int | None, rest: str) -> None:
    """Give the ticket the next higher priority."""
    await app.commands.level(count or 1)


@verb()
async def lower(app: DeskApp, count: int | None, rest: str) -> None:
    """Give the ticket the next lower priority."""
    await app.commands.level(-(count or 1))


async def _sheet(name: str, app: DeskApp, count: int | None, rest: str) -> None:
    await app.open_sheet(make(name, app, rest.strip()))


for _name, _help in SHEETS.items():
    VERBS[_name] = Verb(_name, partial(_sheet, _name), _help)


@verb()
async def quit(app: DeskApp, count: int | None, rest: str) -> None:
    """Leave deskhand."""
    app.leave()
