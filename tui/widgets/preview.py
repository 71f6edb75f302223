"""A ticket in a few lines: which it is, its clock, and what was said last."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo

from msgspec import Struct
from textual.strip import Strip

from desk.model import Customer, Message, Millis, Ticket
from tui.clock import due_words
from tui.columns import channel, requester, who
from tui.draw import ELLIPSIS, Look, cut, flat, strip
from tui.links import items
from tui.thread import Telling, told
from tui.widgets.lines import Drawn, Lines

_LAST = 20
"""Messages that are looked at for what fits."""


class Glance(Struct, frozen=True):
    """A ticket as read for its preview."""

    ticket: Ticket
    customer: Customer
    thread: Sequence[Message]


class Preview(Lines):
    """Stands beside the list or below it, with a thin line between; nothing in it is read as seen."""

    def __init__(self, look: Look, zone: tzinfo, me: str | None) -> None:
        super().__init__(look, "preview")
        self.zone, self.me = zone, me
        self.beside = False

    def tell(self, glance: Glance | None, now: Millis) -> None:
        """Show this ticket, or nothing."""
        # Its lines begin where those of the ticket do, and leave as much free at the end.
        width, height = self.size.width - self.beside, self.size.height - (not self.beside)
        lines = glance_lines(glance, width, height, now, self.zone, self.me) if glance and width > 0 else []
        edge = (("│", "rule") if self.beside else ("", "text"),)
        drawn = [Drawn((*edge, *line.parts), line.ground) for line in lines]
        drawn += [Drawn(edge)] * (height - len(drawn))
        if not self.beside:
            drawn.insert(0, Drawn((("─" * self.size.width, "rule"),)))
        self.put(drawn)

    def render_line(self, y: int) -> Strip:
        """One line of the screen; the thin line beside it stands on no message's ground."""
        if not self.beside or y >= len(self.lines):
            return super().render_line(y)
        (edge, style), *parts = self.lines[y].parts
        inner = strip(
            [(text, self.look[name]) for text, name in parts], self.size.width - 1, self.look[self.lines[y].ground]
        )
        return Strip.join([strip([(edge, self.look[style])], 1), inner])


def glance_lines(glance: Glance, width: int, height: int, now: Millis, zone: tzinfo, me: str | None) -> list[Drawn]:
    """The ticket in `height` lines of `width` cells: its head, its clock, and the end of the conversation.

    The last message is told from its beginning, those before it as far as there is room.
    """
    ticket = glance.ticket
    words, style = due_words(ticket, now)
    facts = " · ".join((str(ticket.status), str(ticket.priority), who(ticket, me), channel(ticket.channel)))
    lead = (" ", "text")
    head = cut(f"{ticket.id}  {flat(ticket.subject) or '(no subject)'}", width - 2)
    rest = cut(f"{requester(glance.customer, width // 2)} · {facts}", max(0, width - len(words) - 5))
    lines = [Drawn((lead, (head, "strong"))), Drawn((lead, (words, style), (f"   {rest}", "quiet"))), Drawn()]
    room = height - len(lines)
    how = Telling(width, now, zone)
    said: list[Drawn] = []
    for item in reversed(items(glance.thread[-_LAST:])):
        message = told(item, how)
        if not said and len(message) > room:
            return [*lines, *message[: room - 1], Drawn(((f"  {ELLIPSIS}", "quiet"),))][:height]
        if len(said) + len(message) + bool(said) > room:
            left = room - len(said) - 1
            return [*lines, *message[len(message) - left :], Drawn(), *said] if left > 0 else [*lines, *said]
        said = [*message, *([Drawn()] if said else []), *said]
    return [*lines, *said]
