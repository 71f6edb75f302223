"""What waits for a store that is away, and what could not be done when it was back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.draw import cut, flat, pad
from tui.sheets import Entry, Page, Sheet
from tui.sheets.kit import groups, heading

if TYPE_CHECKING:
    from tui.app import DeskApp


def sheet(app: DeskApp, rest: str) -> Sheet:
    """In the order asked; Enter drops what waits, and opens a ticket that somebody changed."""

    def read(width: int) -> Page:
        waiting = [
            Entry(((pad(f"{place}.", 4), "quiet"), (cut(one.title, width - 4), "text")), line=f"drop {place}")
            for place, one in enumerate(app.waiting.asked, 1)
        ]
        refused = [
            Entry(
                ((pad(f"#{number}" if number else "-", 8), "quiet"), (f"  {cut(flat(why), width - 10)}", "notice")),
                ticket=number or None,
                line="" if number else "drop",
            )
            for number, why in app.waiting.refused.items()
        ]
        return Page(
            groups(
                (heading("Waits for the store", "⏎ drops it"), waiting),
                (heading("Not done", "⏎ opens the ticket"), refused),
            )
        )

    return Sheet(
        "What waits", read, hints=(("show", "drop or open"), ("drop", "drop all"), ("back", "back")), local=True,
        empty="Nothing waits for the store, and nothing was refused.",
    )  # fmt: skip
