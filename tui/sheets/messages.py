"""What the last line said in this session: sentences that went before they were read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.clock import wall
from tui.draw import cut, flat
from tui.sheets import Entry, Page, Sheet

if TYPE_CHECKING:
    from tui.app import DeskApp


def sheet(app: DeskApp, rest: str) -> Sheet:
    """The newest first."""

    def read(width: int) -> Page:
        return Page(
            [
                Entry(((f"{wall(at, app.front.zone)}  ", "quiet"), (cut(flat(text), width - 7), style)))
                for at, text, style in reversed(app.edges.said)
            ]
        )

    return Sheet(
        "What was said", read, hints=(("narrow", "narrow"), ("back", "back")), local=True, empty="Nothing was said yet."
    )
