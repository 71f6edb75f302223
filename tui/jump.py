"""Going anywhere: a few letters find a view, a sheet, a ticket or a customer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from desk.completion import Choice
from desk.errors import Invalid
from desk.query import parse
from tui.completion import Asking, search
from tui.draw import flat
from tui.sheets import SHEETS

if TYPE_CHECKING:
    from tui.app import DeskApp

_TICKETS, _CUSTOMERS = 12, 4


def jump(app: DeskApp) -> None:
    """Ask where to go, and go there."""
    store, env = app.front.desk.store, app.queue.env()
    places = [Choice(f"view {name}", f"{view.title}", f"view · {view.query}") for name, view in app.queue.views.items()]
    places += [Choice(name, name, summary) for name, summary in SHEETS.items()]

    def more(text: str) -> Sequence[Choice]:
        typed = text.strip()
        if not typed:
            return []
        query = f"id:{typed.lstrip('#')}" if typed.lstrip("#").isdecimal() else typed
        try:
            node = parse(query, env)
        except Invalid:
            # Half a query; there is more to come.
            return []
        rows = store.page(node, sort=store.natural_sort(node), limit=_TICKETS).rows
        found = [
            Choice(
                f"show {row.ticket.id}",
                f"#{row.ticket.id}  {flat(row.ticket.subject)}",
                f"{row.ticket.status} · {flat(row.customer.name or row.customer.address)}",
            )
            for row in rows
        ]
        return found + [
            Choice(f"filter customer:{one.id}", flat(one.name or one.address), f"customer · {flat(one.address)}")
            for one in store.customers(typed, _CUSTOMERS)
        ]

    async def go(line: str | None) -> None:
        if line is not None:
            if line.startswith(("view ", "filter ")):
                app.to_list()
            await app.hands.run_line(line)

    app.prompting.ask(Asking("go to", lambda words: search(words, places), go, picks=True, more=more))
