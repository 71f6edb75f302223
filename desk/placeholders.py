"""What a template of a macro or snippet may name: plain data about one ticket, and who acts.

What is not known is left out, so that it is missing (an error, or what `default` says)
and never the word "None" in a customer's mail. Moments are ISO 8601 text in the agent's
zone; the filter `date` writes them in other languages and zones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import tzinfo
from typing import Any

from desk.config import DeskConfig
from desk.dates import iso
from desk.errors import Invalid
from desk.model import Agent, Customer, Direction, Kind, Message, Millis, Ticket
from desk.params import LINKS
from desk.query import suggest
from desk.templates import names

NAMES: dict[str, str] = {
    "ticket.id": "its number",
    "ticket.subject": "its subject",
    "ticket.status": "new, open, pending, on-hold, solved or closed",
    "ticket.priority": "low, normal, high or urgent",
    "ticket.type": "its type, if it has one",
    "ticket.tags": "its tags, a list",
    "ticket.channel": "the kind of channel it came by: email",
    "ticket.account": "the account it came to",
    "ticket.team": "its team, if it has one",
    "ticket.assignee": "whose it is, if anybody's",
    "ticket.created": "when it was opened",
    "ticket.updated": "when anything last happened",
    "ticket.due": "when the next answer is due, if one is",
    "ticket.waiting": "since when the customer waits, if they do",
    "customer.id": "the requester's number",
    "customer.name": "their name, if it is known",
    "customer.first_name": "the first of their names, if it is known",
    "customer.address": "their address",
    "customer.organisation": "their organisation, if it is known",
    "customer.notes": "what the desk keeps about them, if anything",
    "agent.name": "the name of who acts",
    "agent.display": "the name that customers see",
    "agent.address": "their address, if they have one",
    "agent.signature": "their signature, if they have one",
    "desk.name": "what the desk is called",
    "message.text": "the last public message from the customer, without what it quotes",
    "message.author": "who wrote it",
    "message.date": "when",
    "messages": "how many messages the ticket has",
    "links.related": "the numbers of related tickets, a list; so are parent, child, duplicate_of, duplicated_by and follow_up",
    "now": "the time",
    "today": "the day",
}
"""Every name, with what it stands for; besides them `input.NAME` for each input."""

_LINKS = tuple(kind.replace("-", "_") for kind in (*LINKS, "follow-up"))

LONGEST = 20_000
"""So many characters of a text that somebody else wrote."""


def data(
    ticket: Ticket | None,
    customer: Customer | None,
    message: Message | None,
    *,
    agent: Agent,
    config: DeskConfig,
    at: Millis,
    zone: tzinfo,
    inputs: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The data for one ticket; `message` is the last one from the customer."""
    now = iso(at, zone)
    assert now is not None
    found: dict[str, Any] = {
        "agent": _known(
            name=agent.name, display=agent.label, address=agent.address or None, signature=agent.signature or None
        ),
        "desk": {"name": config.name},
        "now": now,
        "today": now[:10],
        "input": dict(inputs or {}),
        "ticket": {},
        "customer": {},
        "message": {},
    }
    if customer is not None:
        name = customer.name if customer.name and "@" not in customer.name else None
        found["customer"] = _known(
            id=customer.id or None,
            name=name,
            first_name=first_name(name) if name else None,
            address=customer.address or None,
            organisation=customer.organisation or None,
            notes=customer.notes[:LONGEST] or None,
        )
    if ticket is not None:
        links: dict[str, list[int]] = {kind: [] for kind in _LINKS}
        for link in ticket.links:
            links.setdefault(link.kind.replace("-", "_"), []).append(link.ticket)
        found["ticket"] = _known(
            id=ticket.id,
            subject=ticket.subject,
            status=ticket.status.value,
            priority=str(ticket.priority),
            type=ticket.type,
            tags=list(ticket.tags),
            channel=ticket.channel or None,
            account=ticket.account or None,
            team=ticket.team,
            assignee=ticket.assignee,
            created=iso(ticket.created_at, zone),
            updated=iso(ticket.updated_at, zone),
            due=iso(ticket.due_at, zone),
            waiting=iso(ticket.waiting_since, zone),
        )
        found |= {"links": links, "messages": ticket.message_count}
    if message is not None:
        said = (message.visible or message.text)[:LONGEST].strip()
        found["message"] = _known(text=said, author=message.author, date=iso(message.at, zone))
    return found


def _known(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def first_name(name: str) -> str:
    """How somebody is called by friends: the first name, also in "Arden, Kim" and "Dr. Kim Arden"."""
    _, comma, given = name.partition(",")
    words = (given if comma and given.strip() else name).split()
    return next((word for word in words if not word.endswith(".")), words[0] if words else name)


def last_said(thread: Sequence[Message]) -> Message | None:
    """The last public message from outside."""
    return next((m for m in reversed(thread) if m.direction is Direction.IN and m.kind is Kind.PUBLIC), None)


def asked(templates: Iterable[str]) -> set[str]:
    """What several templates ask for."""
    return {name for template in templates for name in names(template)}


def demand_known(template: str, inputs: Iterable[str] = ()) -> None:
    """Invalid when `template` is none, or names something that no ticket has."""
    own = [f"input.{name}" for name in inputs]
    every = (*NAMES, *own, *(f"links.{kind}" for kind in _LINKS))
    for name in sorted(names(template)):
        whole = f"{name}."
        if not any(one == name or one.startswith(whole) or name.startswith(f"{one}.") for one in every):
            near = own if name.startswith("input.") and own else every
            raise Invalid(f"nothing is called {name}{suggest(name, near)}")
