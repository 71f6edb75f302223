"""Everything that the customer at hand ever asked: their tickets, and what was said last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from desk.errors import Invalid
from desk.model import Direction, Kind
from desk.query import Is
from desk.when import said
from tui.clock import age
from tui.draw import cut, flat, plural
from tui.keymap import number
from tui.sheets import Entry, Page, Sheet
from tui.sheets.kit import aligned, groups, heading

if TYPE_CHECKING:
    from tui.app import DeskApp
    from tui.widgets.bars import Part

_MOST = 200
_LAST = 3
"""Of so many tickets what was said last is told."""


def sheet(app: DeskApp, rest: str) -> Sheet:
    """The tickets of whoever asked the one at hand, the newest first."""
    front, named = app.front, number(rest)
    wanted = named if named is not None else app.commands.one("history")
    if wanted is None:
        raise Invalid("there is no ticket here whose customer could be told of; / shows others")

    def read(width: int) -> Page:
        store, now = front.desk.store, front.now()
        width = min(width, 140)
        customer = store.customer(store.ticket(wanted).requester)
        rows = store.page(Is("requester", (customer.id,)), sort="newest", limit=_MOST, agent=front.me).rows
        shown = [row for row in rows if row.ticket.visible]
        cells: list[Sequence[Part]] = []
        for row in shown:
            one = row.ticket
            cells.append(
                (
                    (f"#{one.id}", "strong" if one.id == wanted else "quiet"),
                    (one.status, "text" if one.status.live else "quiet"), (age(one.created_at, now), "quiet"),
                    (flat(one.channel), "quiet"), (flat(one.subject), "unread" if row.unread else "text"),
                    (flat(one.assignee or "-"), "quiet"),
                )
            )  # fmt: skip
        found = aligned(cells, width, give=(4,), right=(0, 2))
        tickets = [Entry(parts, ticket=row.ticket.id) for row, parts in zip(shown, found, strict=True)]
        heard = sorted((message for row in shown[:_LAST] for message in store.thread(row.ticket.id) if message.kind is not Kind.SYSTEM),
                       key=lambda message: (message.at, message.id), reverse=True)[: 2 * _LAST]  # fmt: skip
        cells = []
        for message in heard:
            inward = message.direction is Direction.IN
            word = "wrote" if inward else "note" if message.kind is Kind.NOTE else "answer"
            cells.append(
                (
                    (said(message.at, now, front.zone), "quiet"), (f"#{message.ticket}", "quiet"),
                    (cut(flat(message.author), 16), "customer" if inward else "agent"), (word, "quiet"),
                    (cut(flat(message.visible or message.text), width), "text"),
                )
            )  # fmt: skip
        found = aligned(cells, width, give=(4,), right=(1,))
        contacts = [Entry(parts, ticket=message.ticket) for message, parts in zip(heard, found, strict=True)]
        live = sum(row.ticket.status.live for row in shown)
        facts = [f"{plural(len(shown), 'ticket')}{' at least' if len(rows) == _MOST else ''}", f"{live:,} open"]
        facts += [flat(customer.address), *([flat(customer.organisation)] if customer.organisation else [])]
        name = flat(customer.name or customer.address)
        return Page(
            groups((heading("Tickets"), tickets), (heading("Said last"), contacts)),
            ((f"{name}   ", "customer"), (" · ".join(facts), "quiet")),
        )

    return Sheet(f"Who asked #{wanted}", read)
