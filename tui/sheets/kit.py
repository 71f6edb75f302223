"""What sheets are made of: lines of tickets, headings, bars of numbers, columns that are aligned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len

from desk.store import Row
from tui.clock import due
from tui.draw import cut, flat, pad
from tui.sheets import Entry

if TYPE_CHECKING:
    from desk.model import Millis
    from tui.widgets.bars import Part

_EIGHTHS = "▁▂▃▄▅▆▇█"

BLANK = Entry()


def heading(text: str, facts: str = "") -> Entry:
    """What stands above a group of lines."""
    return Entry(((text, "heading"), *(((f"   {facts}", "quiet"),) if facts else ())), heads=True)


def said(text: str, style: str = "quiet") -> Entry:
    """A sentence that leads nowhere."""
    return Entry(((flat(text), style),), heads=True)


def groups(*parts: tuple[Entry, Sequence[Entry]]) -> list[Entry]:
    """Groups under their headings, a blank line between them; one without lines is left out."""
    found: list[Entry] = []
    for head, lines in parts:
        if lines:
            found += [*((BLANK,) if found else ()), head, *lines]
    return found


def bars(values: Sequence[int], most: int) -> str:
    """A number each as a bar of eighths; one that is nothing has none."""
    return "".join(_EIGHTHS[min(7, (value * 8 - 1) // most)] if value > 0 else " " for value in values) if most else ""


def ticket(row: Row, now: Millis, width: int, *, wide: bool = True) -> Entry:
    """A ticket: its clock, number and subject, and who has it."""
    one = row.ticket
    clock, style = due(one, now)
    whose = flat(one.assignee or "-")
    person = pad(flat(row.customer.name or row.customer.address), 16) + "  " if wide and width >= 70 else ""
    room = max(8, width - 9 - 2 - 8 - 2 - cell_len(person) - 10)
    return Entry(
        (
            (pad(clock, 9, right=True), style),
            ("  ", "text"),
            (pad(f"#{one.id}", 8), "quiet"),
            ("  ", "text"),
            (pad(flat(one.subject), room), "unread" if row.unread else "text"),
            ("  ", "text"),
            (person, "quiet"),
            (pad(whose, 8), "quiet" if one.assignee else "faint"),
        ),
        ticket=one.id,
    )


def fitted(parts: Sequence[Part], width: int) -> Sequence[Part]:
    """The parts, cut where the line ends."""
    left = width - sum(cell_len(text) for text, _ in parts)
    if left >= 0:
        return parts
    found: list[Part] = []
    for text, style in parts:
        found.append((cut(text, width), style))
        width -= cell_len(text)
        if width <= 0:
            break
    return found
