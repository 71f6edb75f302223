"""What the line mode says of tickets and messages: sentences that can be read aloud, in any width."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import tzinfo

from desk import flags
from desk.model import MINUTE, Attachment, Customer, Direction, Identity, Kind, Message, Millis, Priority, Ticket
from desk.outgoing import FORWARD, NOTE, recipients
from desk.promised import promised
from desk.signatures import signed
from desk.store import Row
from desk.text import clean, columns, one_line
from desk.when import brief, said

_CHANNELS = {"email": "mail"}
_LINK = re.compile(r"https?://[^\s<>\"'\])]+")
_TAB = 4


def wrap(text: str, width: int, hang: str = "") -> Iterator[str]:
    """The lines of `text`, cleaned, none wider than `width` columns (0: as long as they are); long words are broken.

    What goes on in another line begins there with `hang`.
    """
    for line in clean(text).expandtabs(_TAB).split("\n"):
        line = line.rstrip()
        if not width or columns(line) <= width:
            yield line
        else:
            first, *rest = _broken(line, width, width - len(hang))
            yield first
            yield from (hang + part for part in rest)


def _broken(line: str, width: int, then: int) -> Iterator[str]:
    held = ""
    for word in re.findall(r"\s*\S+", line):
        if columns(held + word) <= width:
            held += word
            continue
        if held:
            yield held
            width = then
        held = word.lstrip()
        while columns(held) > width:
            fits = 1
            while columns(held[: fits + 1]) <= width:
                fits += 1
            yield held[:fits]
            held, width = held[fits:], then
    if held:
        yield held


def several(count: int, noun: str) -> str:
    """`1 ticket`, `3 tickets`."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def channel(name: str) -> str:
    """The word for a channel."""
    return _CHANNELS.get(name, one_line(name)) or "no channel"


# -- tickets ------------------------------------------------------------------


def clock(ticket: Ticket, at: Millis) -> str:
    """The clock of a ticket: `overdue 2h 05m`, `due in 14m`, `paused`, `nothing due`."""
    if ticket.status.live and ticket.snoozed(at):
        until = ticket.snoozed_until
        return "asleep until somebody writes" if until is None else f"asleep, wakes in {brief(until - at)}"
    if ticket.paused:
        return "paused"
    if ticket.due_at is None:
        return "nothing due"
    left = ticket.due_at - at
    if -MINUTE < left < MINUTE:
        return "due now"
    return f"overdue {brief(left)}" if left < 0 else f"due in {brief(left)}"


def listed(row: Row, at: Millis, me: str | None) -> str:
    """A ticket in the list, what presses first."""
    ticket = row.ticket
    parts = [
        clock(ticket, at),
        f"#{ticket.id} {subject(ticket)}",
        one_line(row.customer.name) or one_line(row.customer.address),
        channel(ticket.channel),
        whose(ticket, me),
    ]
    if ticket.priority >= Priority.HIGH:
        parts.append(str(ticket.priority))
    if row.trouble:
        parts.append(f"a message {row.trouble.value}")
    if row.unread:
        parts.append("unread")
    return ", ".join(parts)


def subject(ticket: Ticket) -> str:
    """What it is about."""
    return one_line(ticket.subject) or "(no subject)"


def whose(ticket: Ticket, me: str | None) -> str:
    """Who has it."""
    if ticket.assignee is None:
        return "unassigned"
    return "yours" if ticket.assignee == me else one_line(ticket.assignee)


def head(ticket: Ticket, customer: Customer, at: Millis, me: str | None) -> Iterator[str]:
    """What there is to know of a ticket before its conversation."""
    yield f"#{ticket.id} {subject(ticket)}"
    name, address = one_line(customer.name), one_line(customer.address)
    known = f"{name} <{address}>" if name != address else address
    yield f"from {known}" + (f", {one_line(customer.organisation)}" if customer.organisation else "")
    facts = [ticket.status.value, f"{ticket.priority} priority", whose(ticket, me)]
    facts += [f"team {ticket.team}"] if ticket.team else []
    facts += [f"by {channel(ticket.channel)}"] if ticket.channel else []
    facts += [f"tags {one_line(' '.join(ticket.tags))}"] if ticket.tags else []
    yield ", ".join(facts)
    due = clock(ticket, at)
    kind = (ticket.due_kind or "").replace("-", " ")
    yield f"{kind} {due}" if kind and due.startswith(("due", "overdue")) else due
    if ticket.bin:
        yield f"it is in: {ticket.bin.value}"
    if ticket.merged_into:
        yield f"merged into #{ticket.merged_into}"
    for link in ticket.links:
        yield f"{link.kind} #{link.ticket}"


# -- messages -------------------------------------------------------------------


def files(thread: Sequence[Message]) -> list[tuple[Message, Attachment]]:
    """The attachments of a conversation; their places, counted from 1, are what they are called."""
    return [(message, one) for message in thread for one in message.attachments if not one.inline]


def links(thread: Sequence[Message]) -> list[str]:
    """The addresses of pages that a conversation names, each once."""
    return list(dict.fromkeys(found for m in thread for found in _LINK.findall(clean(m.text))))


def hidden(message: Message) -> int:
    """How many lines of the message are folded away: quotes and signatures."""
    return max(0, len(message.text.strip().splitlines()) - len(message.visible.strip().splitlines()))


def told(
    message: Message, place: int, thread: Sequence[Message], at: Millis, zone: tzinfo, *, quotes: bool = False
) -> Iterator[str]:
    """A message of a conversation: who, which way, by what, when; then its text and what came with it."""
    state = "".join(
        f", {word}" for word in (*flags.aside(message.flags), message.state.value if message.state else "") if word
    )
    yield f"Message {place} of {len(thread)}. {_who(message)}, {said(message.at, at, zone)}{state}"
    if message.automatic:
        yield f"automatic: {one_line(message.automatic)}"
    if odd := flags.told(message.flags):
        yield f"attention: {one_line('; '.join(odd))}"
    yield (message.text if quotes else message.visible).strip("\n")
    if not quotes and (folded := hidden(message)):
        yield f"{several(folded, 'quoted line')} folded; quotes shows them"
    for number, (owner, file) in enumerate(files(thread), 1):
        if owner.id == message.id:
            yield f"attachment {number}: {one_line(file.name) or 'unnamed'}, {file.size:,} bytes"


def _who(message: Message) -> str:
    author = one_line(message.author) or "somebody"
    to = ", ".join(one_line(person.label) for _, person in recipients(message))
    by = channel(message.channel)
    if message.kind is Kind.NOTE:
        if message.direction is Direction.IN:
            return f"INTERNAL NOTE: {author} answered what was forwarded, by {by}"
        return f"INTERNAL NOTE by {author}" + (f", forwarded to {to}" if to else "")
    if message.direction is Direction.OUT:
        return f"{author} answered {to or 'nobody'}, by {by}"
    return f"{author} {'called' if message.kind is Kind.CALL else 'wrote'}, by {by}"


def review(kind: str, message: Message, signature: str) -> Iterator[str]:
    """The whole message before it is sent, recipients one a line, with the signature that goes under it."""
    if kind == NOTE:
        yield "INTERNAL NOTE, only colleagues see it:"
    else:
        yield "FORWARDED, as a third party gets it:" if kind == FORWARD else "PUBLIC REPLY, as the customer gets it:"
        if message.sender:
            yield f"from {_address(message.sender)}"
        yield from (f"{way} {_address(person)}" for way, person in recipients(message))
        yield f"by {channel(message.channel)}"
        yield f"subject {one_line(message.subject)}"
    yield ""
    yield signed(message.text, signature)
    for file in message.attachments:
        yield f"attachment: {one_line(file.name)}, {file.size:,} bytes"
    if not message.attachments and (word := promised(message.visible or message.text)):
        yield f"attention: it says “{word}”, and nothing is attached"
    yield ""


def _address(person: Identity) -> str:
    value = one_line(person.value)
    return f"{one_line(person.display)} <{value}>" if person.display else value


def to_whom(kind: str, ticket: int, message: Message) -> str:
    """What is begun, and who will read it."""
    if kind == NOTE:
        return f"Internal note on #{ticket}; only colleagues see it."
    people = ", ".join(f"{way} {_address(person)}" for way, person in recipients(message))
    what = "To a third party about" if kind == FORWARD else "Public reply on"
    return f"{what} #{ticket}, by {channel(message.channel)}, {people}."
