"""The automatic acknowledgement of a new ticket: off unless `[desk] acknowledge` says what it should read."""

from __future__ import annotations

from desk.channel import Inbound
from desk.config import DeskConfig
from desk.errors import Invalid
from desk.events import Posted
from desk.loops import Answered, bare
from desk.model import Delivery, Direction, Identity, Kind, Message, Millis, State, Ticket
from desk.store import Tx
from desk.templates import expand
from desk.text import one_line
from desk.threads import Signer


def acknowledgement(
    tx: Tx, config: DeskConfig, signer: Signer, account: str, ticket: Ticket, item: Inbound, at: Millis
) -> Posted | None:
    """The message that tells the sender of `item` that their ticket is open; None when nothing can be said.

    It is marked as automatic, so that it fulfils no clock and other programs leave it alone.
    """
    via = tx.accounts().get(account)
    person = item.sender
    if via is None or person is None:
        return None
    try:
        text = expand(config.acknowledge, values(ticket, person, config)).strip()
    except Invalid:
        # A mistake in the template must not keep mail out; config check names it.
        return None
    if not text:
        return None
    number = tx.new_id("message")
    subject = one_line(item.subject)
    message = Message(
        id=number,
        ticket=ticket.id,
        kind=Kind.PUBLIC,
        direction=Direction.OUT,
        at=at,
        author=config.name,
        text=text,
        visible=text,
        channel=via.channel,
        account=via.name,
        subject=subject if subject.lower().startswith("re:") else f"Re: {subject}",
        message_id=f"{signer.token(ticket.id)}.{number}@{via.address.rpartition('@')[2]}",
        sender=Identity("email", via.address, via.display or config.name),
        to=(person,),
        automatic="auto-reply",
        state=State.QUEUED,
    )
    delivery = Delivery(tx.new_id("delivery"), number, ticket.id, via.name, (person.value,), at)
    tx.note_answer(person.value, Answered(at, bare(item.subject)))
    return Posted(message, (delivery,), silent=True)


def values(ticket: Ticket, person: Identity, config: DeskConfig) -> dict[str, dict[str, object]]:
    """What the template may speak of."""
    return {
        "ticket": {"id": ticket.id, "subject": ticket.subject},
        "customer": {"name": person.label, "address": person.value},
        "desk": {"name": config.name},
    }


def check(config: DeskConfig) -> None:
    """Raise Invalid when the template could not be filled in."""
    expand(
        config.acknowledge,
        values(Ticket(1, "A question", 1, 0, 0), Identity("email", "ann@example.com", "Ann"), config),
    )
