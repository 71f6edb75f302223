"""Mail that was kept, read again by a later version: what is understood of it today takes the place of what was."""

from __future__ import annotations

from msgspec.structs import replace

from desk.channel import Inbound
from desk.events import Changed, Event, Reread, change
from desk.intake import NOBODY
from desk.model import Message, Millis
from desk.store import Batch, Tx
from desk.text import one_line, storable

# -- reading again ----------------------------------------------------------


def read_again(tx: Tx, message: Message, item: Inbound, batch: Batch) -> bool:
    """Put what is understood of a kept mail today in the place of what was; False when it is the same.

    Ticket and sender are only mended where the mail could not be read at all before, and
    nobody has changed them since.
    """
    fresh = _as_read(message, item)
    if fresh == message:
        return False
    tx.put_blobs(item.blobs)
    events: list[Event] = [Reread(fresh, item.words)]
    if "unprocessable" in message.flags and not item.unreadable:
        events += _mended(tx, message, item, batch.at)
    tx.append(batch, events)
    return True


def _as_read(message: Message, item: Inbound) -> Message:
    kept = tuple(flag for flag in message.flags if flag != "unprocessable")
    fresh = replace(
        message,
        text=storable(item.text),
        visible=storable(item.visible or item.text),
        subject=storable(item.subject),
        html=item.html,
        attachments=item.attachments,
        automatic=item.automatic,
        flags=(*kept, "unprocessable") if item.unreadable else kept,
    )
    if message.sender is None or message.sender == NOBODY:
        sender = next(iter(item.reply_to), item.sender or NOBODY)
        fresh = replace(fresh, sender=sender, author=one_line((item.sender or NOBODY).label), to=item.to, cc=item.cc)
    return fresh


def _mended(tx: Tx, message: Message, item: Inbound, at: Millis) -> list[Changed]:
    ticket = tx.tickets((message.ticket,))[message.ticket]
    events: list[Changed] = []
    if ticket.subject in (one_line(message.subject), "(no subject)", one_line(message.visible)[:80]) and item.subject:
        events += change(ticket, subject=one_line(item.subject))
    if item.sender is not None and ticket.requester == tx.customer_for(NOBODY, at).id:
        events += change(ticket, requester=tx.customer_for(item.sender, at).id)
    return events
