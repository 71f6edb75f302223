"""All that happened to a ticket: who did what, when, and by which rule or macro."""

from __future__ import annotations

from typing import TYPE_CHECKING

from desk.errors import Invalid
from desk.telling import describe
from desk.when import coming, said
from tui.draw import cut, flat
from tui.keymap import number
from tui.sheets import Entry, Page, Sheet
from tui.sheets.kit import aligned

if TYPE_CHECKING:
    from tui.app import DeskApp

_MOST = 1_000


def sheet(app: DeskApp, rest: str) -> Sheet:
    """The log of the ticket at hand, the newest first."""
    named = number(rest)
    wanted = named if named is not None else app.commands.one("log")
    if wanted is None:
        raise Invalid("there is no ticket here to tell of; / shows others")
    front = app.front

    def read(width: int) -> Page:
        records = front.desk.store.log(ticket=wanted, limit=_MOST, newest=True)[::-1]
        now = front.now()
        cells = [
            (
                (said(record.at, now, front.zone), "quiet"), (cut(flat(record.agent or record.source or "-"), 16), "agent"),
                (flat(describe(record, lambda at: coming(at, now, front.zone))), "text"),
            )
            for record in records
        ]  # fmt: skip
        return Page([Entry(parts, ticket=wanted) for parts in aligned(cells, width, give=(2,))])

    return Sheet(f"What happened to #{wanted}", read)
