"""What is told about messages after they were written: edits, removals, reactions, receipts, who comes and goes.

A signal may come before what it is about. Such a stray is handed back, and taken when its
message is there; taking one twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from desk.channel import Activity, Edit, Membership, Reaction, Receipt, Removal, Signal
from desk.errors import NotFound
from desk.events import Amended, Delivered, Event, Posted
from desk.flags import EDITED, TAKEN_BACK
from desk.model import MINUTE, SECOND, Delivery, Direction, Identity, Kind, Mark, Message, Millis, Presence, State
from desk.store import Batch, Tx
from desk.text import one_line, storable
from desk.threads import conversation_key

TYPING, ONLINE, AWAY = "typing", "online", "away"

_LASTING: dict[str, Millis] = {TYPING: 10 * SECOND, ONLINE: 720 * MINUTE, AWAY: 720 * MINUTE}
_MARKS = 50
_ADVANCE = (State.SENT, State.DELIVERED, State.READ)
_LOST = (State.FAILED, State.BOUNCED)


class Stray(Exception):
    """What the signal is about is not here yet."""


def take(tx: Tx, account: str, channel: str, signal: Signal, batch: Batch) -> Presence | None:
    """Put a signal into the store; what somebody does now is handed back, for it is not kept. Raises `Stray`."""
    match signal:
        case Edit():
            _amend(tx, account, signal.external_id, _edited(_target(tx, account, signal.target), signal), batch)
        case Removal():
            message = _target(tx, account, signal.target)
            fresh = message.flags if TAKEN_BACK in message.flags else (*message.flags, TAKEN_BACK)
            _amend(tx, account, signal.external_id, [(message, "flags", message.flags, fresh)], batch)
        case Reaction():
            message = _target(tx, account, signal.target)
            _amend(
                tx, account, signal.external_id, [(message, "marks", message.marks, _marked(message, signal))], batch
            )
        case Receipt():
            events = list(_receipted(tx, account, signal))
            if events:
                tx.append(batch, events)
        case Membership():
            _came(tx, account, channel, signal, batch)
        case Activity():
            return _active(tx, account, signal, batch.at)
    return None


def _target(tx: Tx, account: str, external_id: str) -> Message:
    number = tx.taken(account, (external_id,)).get(external_id)
    if number is None:
        raise Stray
    return tx.message(number)


_Change = tuple[Message, str, object, object]


def _amend(tx: Tx, account: str, external_id: str, changes: list[_Change], batch: Batch) -> None:
    if external_id in tx.known(account, (external_id,)):
        return
    tx.remember(account, external_id, None)
    events: list[Event] = [Amended(m.ticket, m.id, name, old, new) for m, name, old, new in changes if old != new]
    if events:
        tx.append(batch, events)


def _edited(message: Message, signal: Edit) -> list[_Change]:
    text = storable(signal.text)
    flags = message.flags if EDITED in message.flags or text == message.text else (*message.flags, EDITED)
    visible = storable(signal.visible) or text
    # With the text goes what is seen of it, all of it unless told otherwise.
    return [
        (message, "text", message.text, text),
        (message, "visible", text if text != message.text else message.visible, visible),
        (message, "flags", message.flags, flags),
    ]


def _marked(message: Message, signal: Reaction) -> tuple[Mark, ...]:
    by, mark = signal.sender.value, one_line(signal.mark)[:20]
    others = tuple(m for m in message.marks if (m.by, m.mark) != (by, mark))
    if signal.gone or not mark or len(others) >= _MARKS:
        return others
    return (*others, Mark(mark, by, one_line(signal.sender.label)[:80]))


def _receipted(tx: Tx, account: str, signal: Receipt) -> Iterator[Event]:
    told = _target(tx, account, signal.target)
    yield from _came_to(tx, told, signal, signal.target)
    if signal.through:
        for before in tx.thread(told.ticket):
            if before.id < told.id and before.account == account and before.conversation == told.conversation:
                yield from _came_to(tx, before, signal)


def _came_to(tx: Tx, message: Message, signal: Receipt, target: str | None = None) -> Iterator[Event]:
    """What the receipt says of a message; with a `target`, only of what is called that there."""
    if message.direction is not Direction.OUT:
        return
    deliveries = tx.deliveries(message.id)
    about = [d for d in deliveries if target in (None, d.remote_id)]
    if not about:
        # Seen there while we did not know of it: nobody told us what it is called.
        about = [d for d in deliveries if d.remote_id is None and d.part == 0]
    if not about and signal.state in _LOST:
        # One of the parts before the last. That it came says little of the whole, that it did not says enough.
        about = deliveries
    for delivery in about:
        if delivery.state is State.SENDING and delivery.part == 0 and signal.state in _ADVANCE:
            tx.arrived(delivery.id)
        if _advances(delivery, signal.state):
            detail = storable(signal.detail) or delivery.error or ""
            yield Delivered(message.ticket, message.id, delivery.id, signal.state, detail)


def _advances(delivery: Delivery, to: State) -> bool:
    """Whether a delivery that stands there may come to `to`: it goes on, and fails only before it was received."""
    if to in _LOST:
        return delivery.state in (State.SENT, State.UNKNOWN)
    if to not in _ADVANCE:
        return False
    if delivery.state in (State.SENDING, State.UNKNOWN):
        # Somebody has it: it did go out. While it is being sent, whoever sends it says so.
        return delivery.state is State.UNKNOWN
    return delivery.state in _ADVANCE and _ADVANCE.index(to) > _ADVANCE.index(delivery.state)


def _came(tx: Tx, account: str, channel: str, signal: Membership, batch: Batch) -> None:
    """Say on its ticket that somebody who spoke there joined or left; a room's other visitors are no news."""
    if signal.external_id in tx.known(account, (signal.external_id,)):
        return
    tx.remember(account, signal.external_id, None)
    for held in tx.held((conversation_key(account, signal.conversation),)):
        ticket = tx.tickets((held.ticket,))[held.ticket]
        spoke = any(m.sender and m.sender.value == signal.sender.value for m in tx.thread(held.ticket))
        if not ticket.status.live or not spoke:
            continue
        text = f"{one_line(signal.sender.label)} {'joined' if signal.joined else 'left'}"
        line = Message(
            tx.new_id("message"), held.ticket, Kind.SYSTEM, Direction.IN, min(signal.received_at, batch.at),
            one_line(signal.sender.label), text, text, channel, account, sender=signal.sender,
            conversation=conversation_key(account, signal.conversation), automatic="auto-reply",
        )  # fmt: skip
        tx.append(batch, [Posted(line, silent=True)])


def _active(tx: Tx, account: str, signal: Activity, at: Millis) -> Presence:
    ticket = 0
    for key in _conversations(tx, account, signal):
        for held in tx.held((key,)):
            try:
                found = tx.tickets((held.ticket,)).get(held.ticket)
            except NotFound:
                continue
            if found is not None and found.status.live:
                ticket = max(ticket, found.id)
    until = min(signal.received_at, at) + _LASTING.get(signal.doing, 0)
    return Presence(
        seat(signal.sender), one_line(signal.sender.label), "", ticket, signal.doing if ticket else "", until
    )


def seat(customer: Identity) -> str:
    """The name under which a customer is said to be at a ticket."""
    return f"customer:{customer.kind}:{customer.value}"


def _conversations(tx: Tx, account: str, signal: Activity) -> list[str]:
    if signal.conversation is not None:
        return [conversation_key(account, signal.conversation)]
    return [conversation_key(account, c.conversation) for c in tx.contact(signal.sender, account) if c.conversation]


__all__ = ["AWAY", "EDITED", "ONLINE", "TAKEN_BACK", "TYPING", "Stray", "seat", "take"]
