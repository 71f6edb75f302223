"""When the next answer is due.

For now there is one promise: a waiting customer gets an answer within
`[desk] reply_target_h` (a quarter of it when the ticket is urgent).
"""

from __future__ import annotations

from msgspec.structs import replace

from desk.config import DeskConfig
from desk.model import Priority, Ticket


def settle(ticket: Ticket, config: DeskConfig) -> Ticket:
    """`ticket` with the due time that follows from the rest of it."""
    if ticket.waiting_since is None or not ticket.status.live or not ticket.visible:
        due_at, due_kind = None, None
    else:
        target = config.reply_target // 4 if ticket.priority is Priority.URGENT else config.reply_target
        due_at = ticket.waiting_since + target
        due_kind = "first-reply" if ticket.first_reply_at is None else "next-reply"
    if (due_at, due_kind) == (ticket.due_at, ticket.due_kind):
        return ticket
    return replace(ticket, due_at=due_at, due_kind=due_kind)
