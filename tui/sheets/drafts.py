"""The agent's texts that were begun and not sent, the newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from desk.when import said
from tui.draw import cut, flat, pad, plural
from tui.sheets import Entry, Page, Sheet
from tui.sheets.kit import cell

if TYPE_CHECKING:
    from tui.app import DeskApp


def sheet(app: DeskApp, rest: str) -> Sheet:
    """All of the agent's own, as they stand here and in the store."""
    front, drafts = app.front, app.writing.drafts

    def read(width: int) -> Page:
        known = {(one.ticket, one.kind): one for one in drafts.stored()} | dict(drafts.kept)
        found = sorted(known.values(), key=lambda one: (-one.at, one.ticket, one.kind))
        rows = {row.ticket.id: row.ticket for row in front.desk.store.rows([one.ticket for one in found])}
        digits = max((len(str(one.ticket)) for one in found), default=0)
        now, entries = front.now(), []
        whens = [said(one.at, now, front.zone) for one in found]
        early = max(map(len, whens), default=0)
        for one, when in zip(found, whens, strict=True):
            ticket = rows.get(one.ticket)
            subject = flat(ticket.subject) if ticket else "(this ticket is gone)"
            room = width - early - digits - 15
            text = flat(one.text) or "(no words yet)"
            about = cut(subject, max(12, room // 2))
            entries.append(
                Entry(
                    (
                        (pad(when, early), "quiet"),
                        (f"  {one.ticket:>{digits}}  ", "quiet"),
                        *cell((one.kind, "note" if one.kind == "note" else "reply_word"), 7),
                        (f"  {about}", "text"),
                        (f"  “{cut(text, max(8, width - early - digits - 17 - len(about)))}”", "quiet"),
                    ),
                    line=f"unsent {one.ticket} {one.kind}",
                    ticket=one.ticket,
                )
            )
        return Page(entries, ((plural(len(entries), "unsent text"), "quiet"),))

    return Sheet("Unsent texts", read, empty="Nothing is unsent.")
