"""What happened to your tickets: in this session, and before it since you last did anything here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from desk.when import said
from tui.draw import flat
from tui.notices import Notice, heard
from tui.sheets import Entry, Page, Sheet
from tui.sheets.kit import aligned, groups, heading

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

        lately = list(reversed(notices.log))
        told = [*lately, *reversed(before)]
        cells = [
            (
                (said(one.at, now, front.zone), "quiet"), (_WORDS[one.event], _STYLES.get(one.event, "text")),
                (flat(one.text), "text"),
            )
            for one in told
        ]  # fmt: skip
        found = [
            Entry(parts, ticket=one.ticket) for one, parts in zip(told, aligned(cells, width, give=(2,)), strict=True)
        ]
        return Page(
            groups(
                (heading("In this session"), found[: len(lately)]),
                (heading("Since you last did something here"), found[len(lately) :]),
            ),
            unit="notice",
        )

    return Sheet(
        "Notices",
        read,
        empty="Nothing happened to your tickets: nobody wrote, assigned, or named you, and nothing is late.",
    )
