"""Verbs that mark tickets in the list; what is done next is done to all that are marked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from desk.errors import Invalid
from desk.query import Is, Node
from tui.draw import plural
from tui.verbs import verb

if TYPE_CHECKING:
    from tui.app import DeskApp


@verb()
async def mark(app: DeskApp, count: int | None, rest: str) -> None:
    """Mark the ticket (or no longer) and go down; with a query (mark tag:vpn) all of the list that it asks for."""
    tickets = app.queue.list
    if rest.strip():
        await _add(app, app.queue.node(rest), rest.strip())
        return
    for _ in range(count or 1):
        if tickets.current is not None:
            tickets.toggle(tickets.current)
            tickets.move(1)
    app.queue.tell()


@verb()
async def mark_all(app: DeskApp, count: int | None, rest: str) -> None:
    """Mark every ticket of the list, or none."""
    tickets = app.queue.list
    tickets.mark(() if tickets.marks else tickets.ids)
    app.queue.tell()


@verb()
async def mark_others(app: DeskApp, count: int | None, rest: str) -> None:
    """Mark exactly those tickets of the list that are not marked."""
    tickets = app.queue.list
    tickets.mark(set(tickets.ids) - tickets.marks)
    app.queue.tell()


@verb()
async def mark_range(app: DeskApp, count: int | None, rest: str) -> None:
    """Mark from here to wherever you move; once more keeps what is marked."""
    if app.queue.list.current is None:
        raise Invalid("there is no ticket here to mark; / shows others")
    app.queue.list.stretch()
    app.queue.tell()


@verb()
async def mark_customer(app: DeskApp, count: int | None, rest: str) -> None:
    """Mark all tickets of the list that are of this one's customer."""
    row = app.queue.list.rows.get(app.queue.list.current or 0)
    if row is None:
        raise Invalid("there is no ticket here whose customer could be told; / shows others")
    await _add(app, Is("requester", (row.ticket.requester,)), row.customer.name or row.customer.address)


async def _add(app: DeskApp, wanted: Node, told: str) -> None:
    tickets = app.queue.list
    found = await app.queue.within(wanted)
    new = [number for number in found if number not in tickets.marks and number in tickets.order]
    tickets.mark(tickets.marks.union(new))
    app.queue.tell()
    app.say(f"{plural(len(new), 'ticket')} more marked: {told}", "quiet")
