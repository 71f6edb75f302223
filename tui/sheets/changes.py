"""What you did lately, the newest first; any of it can be taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from desk.errors import Invalid
from desk.when import said
from tui.draw import flat, plural
from tui.sheets import Entry, Page, Sheet
from tui.sheets.kit import aligned

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
        deeds, cells = front.desk.store.deeds(me, _MOST), []
        for deed in deeds:
            gone = deed.undone_by is not None
            state = "taken back" if gone else ""
            line = deed.batch.line or deed.batch.source
            cells.append(
                (
                    (said(deed.batch.at, now, front.zone), "quiet"), (plural(deed.tickets, "ticket"), "quiet"),
                    (flat(line), "faint" if gone else "text"), (state, "quiet"),
                )
            )  # fmt: skip
        found = aligned(cells, width, give=(2,), right=(1,))
        return Page(
            [Entry(parts, line=f"undo {deed.batch.id}") for deed, parts in zip(deeds, found, strict=True)],
            unit="change",
        )

    return Sheet(
        "What you did", read, hints=(("show", "take back"), ("undo", "the last one"), ("narrow", "narrow"), ("back", "back")),
        empty="You have done nothing here yet.",
    )  # fmt: skip
