"""What happened to your tickets: in this session, and before it since you last did anything here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from desk.when import said
from tui.draw import cut, flat, pad
from tui.notices import Notice, heard
from tui.sheets import Entry, Page, Sheet
from tui.sheets.kit import cell, groups, heading

if TYPE_CHECKING:
    from tui.app import DeskApp

_MOST = 2_000
"""So many lines of the log before this session are looked through."""

_MINE = 200

_WORDS = {
    "assigned": "yours",
    "reply": "reply",
    "mention": "mention",
    "due": "due",
    "breached": "overdue",
    "failed": "failed",
}
_STYLES = {"due": "soon", "breached": "overdue", "failed": "trouble"}


def sheet(app: DeskApp, rest: str) -> Sheet:
    """The newest first; looking at them makes them read."""
    front, notices = app.front, app.notices
    notices.seen()

    def read(width: int) -> Page:
        store, now, me = front.desk.store, front.now(), front.me
        before: list[Notice] = []
        if me is not None:
            # Until this session began; what came then is told already.
            last = next((deed.seq for deed in store.deeds(me, _MINE) if deed.seq <= notices.since), 0)
            lines = store.log(after=max(last, notices.since - _MOST), limit=_MOST)
            before = heard(store, me, [record for record in lines if record.seq <= notices.since])

        def line(one: Notice) -> Entry:
            parts = (
                (pad(said(one.at, now, front.zone), 17), "quiet"), ("  ", "text"), *cell((_WORDS[one.event], _STYLES.get(one.event, "text")), 9),
                (cut(flat(one.text), width - 28), "text"),
            )  # fmt: skip
            return Entry(parts, ticket=one.ticket)

        return Page(
            groups(
                (heading("In this session"), [line(one) for one in reversed(notices.log)]),
                (heading("Since you last did something here"), [line(one) for one in reversed(before)]),
            ),
            unit="notice",
        )

    return Sheet(
        "Notices",
        read,
        empty="Nothing happened to your tickets: nobody wrote, assigned, or named you, and nothing is late.",
    )
