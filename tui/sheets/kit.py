"""What sheets are made of: lines of tickets, headings, bars of numbers, columns that are aligned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len

from desk.store import Row
from tui.clock import due
from tui.draw import cut, flat
from tui.sheets import Entry

if TYPE_CHECKING:
    from desk.model import Millis
    from tui.widgets.bars import Part

_EIGHTHS = "▁▂▃▄▅▆▇█"

BLANK = Entry()
_GAP = ("  ", "text")


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


def aligned(
    rows: Sequence[Sequence[Part]], width: int, *, give: Sequence[int], right: Sequence[int] = ()
) -> list[tuple[Part, ...]]:
    """The cells of rows under each other, each column as wide as what stands in it, an empty one left out.

    What does not fit is taken from the columns `give`, in this order, as long as they keep a
    quarter of the line; those `right` are aligned right.
    """
    if not rows:
        return []
    wide = [max(cell_len(text) for text, _ in column) for column in zip(*rows, strict=True)]
    over = sum(cells + 2 for cells in wide if cells) - 2 - width
    for place in give:
        taken = max(0, min(over, wide[place] - max(10, width // 4)))
        wide[place] -= taken
        over -= taken
    found = []
    for row in rows:
        cells = [cell(part, wide[n], right=n in right) for n, part in enumerate(row) if wide[n]]
        found.append(tuple(part for n, parts in enumerate(cells) for part in ((_GAP, *parts) if n else parts)))
    return found


def cell(part: Part, width: int, *, right: bool = False) -> tuple[Part, ...]:
    """A text in exactly `width` cells; what fills them has no style that could be seen: no line under it, no ground."""
    text, style = part
    text = cut(text, width)
    blank = (" " * (width - cell_len(text)), "text")
    if not blank[0]:
        return ((text, style),)
    return (blank, (text, style)) if right else ((text, style), blank)


def tickets(rows: Sequence[Row], now: Millis, width: int) -> list[Entry]:
    """Tickets: the clock of each, its number and subject, and who has it."""
    cells = []
    for row in rows:
        one, (clock, style) = row.ticket, due(row.ticket, now)
        person = flat(row.customer.name or row.customer.address) if width >= 70 else ""
        cells.append(
            (
                # What a clock says stands above what another says, with a sign behind it or not.
                (clock if clock.endswith(("!", "~")) else f"{clock}  ", style),
                (f"#{one.id}", "quiet"),
                (flat(one.subject), "unread" if row.unread else "text"),
                (cut(person, 16), "quiet"),
                (cut(flat(one.assignee or "-"), 8), "quiet" if one.assignee else "faint"),
            )
        )
    found = aligned(cells, width, give=(2, 3), right=(0, 1))
    return [Entry(parts, ticket=row.ticket.id) for row, parts in zip(rows, found, strict=True)]


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
