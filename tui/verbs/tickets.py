"""Verbs about which ticket is open, which are marked, and what of one is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from desk.errors import Invalid
from tui.verbs import verb

if TYPE_CHECKING:
    from tui.app import DeskApp


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
    if not app.ticket.conversation.fold():
        app.say("nothing is folded here", "quiet")


@verb()
async def why(app: DeskApp, count: int | None, rest: str) -> None:
    """Tell why each message is on this ticket."""
    app.ticket.conversation.explain()
