"""What you did lately, the newest first; any of it can be taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from desk.errors import Invalid
from desk.when import said
from tui.draw import cut, flat, pad, plural
from tui.sheets import Entry, Page, Sheet

if TYPE_CHECKING:
    from tui.app import DeskApp

_MOST = 200


def sheet(app: DeskApp, rest: str) -> Sheet:
    """A line for each batch; Enter shows what taking it back would change."""
    front, me = app.front, app.front.me
    if me is None:
        raise Invalid(
            "nobody this desk knows has done anything; an admin adds you with: deskhand agent add NAME --uid UID"
        )

    def read(width: int) -> Page:
        now = front.now()
        entries = []
        for deed in front.desk.store.deeds(me, _MOST):
            gone = deed.undone_by is not None
            state = "taken back" if gone else ""
            line = deed.batch.line or deed.batch.source
            entries.append(
                Entry(
                    (
                        (pad(said(deed.batch.at, now, front.zone), 17), "quiet"),
                        (f"  {pad(plural(deed.tickets, 'ticket'), 13, right=True)}  ", "quiet"),
                        (pad(cut(flat(line), width - 46), width - 46), "faint" if gone else "text"),
                        (f"  {state}", "quiet"),
                    ),
                    line=f"undo {deed.batch.id}",
                )
            )
        return Page(entries, unit="change")

    return Sheet(
        "What you did", read, hints=(("show", "take back"), ("undo", "the last one"), ("narrow", "narrow"), ("back", "back")),
        empty="You have done nothing here yet.",
    )  # fmt: skip
