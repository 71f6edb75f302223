"""Everything that the customer at hand ever asked: their tickets, and what was said last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from desk.errors import Invalid
from desk.model import Direction, Kind
from desk.query import Is
from desk.when import said
from tui.clock import age
from tui.draw import cut, flat, pad, plural
from tui.keymap import number
from tui.sheets import Entry, Page, Sheet
from tui.sheets.kit import groups, heading

if TYPE_CHECKING:
    from tui.app import DeskApp

_MOST = 200
_LAST = 3
"""Of so many tickets what was said last is told."""


def sheet(app: DeskApp, rest: str) -> Sheet:
    """The tickets of whoever asked the one at hand, the newest first."""
    front, targets = app.front, app.commands.targets()
    named = number(rest)
    wanted = named if named is not None else targets[0] if targets else None
    if wanted is None:
        raise Invalid("there is no ticket here whose customer could be told of; / shows others")

    def read(width: int) -> Page:
        store, now = front.desk.store, front.now()
        width = min(width, 140)
        customer = store.customer(store.ticket(wanted).requester)
        rows = store.page(Is("requester", (customer.id,)), sort="newest", limit=_MOST, agent=front.me).rows
        shown = [row for row in rows if row.ticket.visible]
        tickets = []
        for row in shown:
            one = row.ticket
            stands = (
                (pad(one.status, 9), "text" if one.status.live else "quiet"),
                (pad(age(one.created_at, now), 6, right=True), "quiet"),
            )
            room = max(8, width - 8 - 9 - 6 - 6 - 8 - 10)
            tickets.append(
                Entry(
                    (
                        (pad(f"#{one.id}", 8), "strong" if one.id == wanted else "quiet"), ("  ", "text"), *stands,
                        (f"  {pad(flat(one.channel), 6)}  ", "quiet"), (pad(flat(one.subject), room), "unread" if row.unread else "text"),
                        (f"  {pad(flat(one.assignee or '-'), 8)}", "quiet"),
                    ),
                    ticket=one.id,
                )
            )  # fmt: skip
        heard = sorted((message for row in shown[:_LAST] for message in store.thread(row.ticket.id) if message.kind is not Kind.SYSTEM),
                       key=lambda message: (message.at, message.id), reverse=True)  # fmt: skip
        contacts = []
        for message in heard[: 2 * _LAST]:
            inward = message.direction is Direction.IN
            word = "wrote" if inward else "note" if message.kind is Kind.NOTE else "answer"
            lead = f"{pad(said(message.at, now, front.zone), 17)}  {pad(f'#{message.ticket}', 8)}  "
            text = cut(flat(message.visible or message.text), max(8, width - len(lead) - 27))
            contacts.append(
                Entry(
                    (
                        (lead, "quiet"), (pad(flat(message.author), 16), "customer" if inward else "agent"),
                        (f"  {pad(word, 6)}  ", "quiet"), (text, "text"),
                    ),
                    ticket=message.ticket,
                )
            )  # fmt: skip
        live = sum(row.ticket.status.live for row in shown)
        facts = [flat(customer.address), *([flat(customer.organisation)] if customer.organisation else [])]
        facts += [f"{plural(len(shown), 'ticket')}{' at least' if len(rows) == _MOST else ''}", f"{live:,} open"]
        name = flat(customer.name or customer.address)
        return Page(
            groups((heading("Tickets"), tickets), (heading("Said last"), contacts)),
            ((f"{name}   ", "customer"), (" · ".join(facts), "quiet")),
        )

    return Sheet(f"Who asked #{wanted}", read)
