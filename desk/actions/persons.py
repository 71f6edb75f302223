"""Who is who: identities of one person joined, and parted again."""

from __future__ import annotations

from desk.actions import Context, action
from desk.errors import Conflict, Invalid
from desk.events import Changed, Event, change
from desk.model import Identity, Ticket
from desk.params import Address, Body, Person, Word
from desk.text import storable


@action()
def join(ticket: Ticket, other: Person, *, ctx: Context) -> list[Event]:
    """Say that the customer and somebody else are one person: #12 (its requester), or an address.

    The identities and tickets of the other become the customer's; `undo` or `part` takes them
    apart again. Whoever was never heard of becomes another way to reach the customer.
    """
    kept = ctx.customer(ticket.requester)
    gone = ctx.customer(other.requester) if isinstance(other, Ticket) else ctx.customer_for(other)
    if gone.id == kept.id:
        raise Conflict(f"#{ticket.id} and {gone.name} are one customer already")
    if gone.blocked != kept.blocked:
        raise Conflict(
            f"{(gone if gone.blocked else kept).name} is blocked and the other is not; block both or none, then join"
        )
    moved = _named(ctx.identities(gone.id))
    events: list[Event] = [
        Changed(gone.id, "identities", moved, [], "customer"),
        Changed(kept.id, "identities", [], moved, "customer"),
    ]
    if gone.organisation and not kept.organisation:
        events.append(Changed(kept.id, "organisation", kept.organisation, gone.organisation, "customer"))
    if gone.tier and not kept.tier:
        events.append(Changed(kept.id, "tier", kept.tier, gone.tier, "customer"))
    if gone.notes and gone.notes not in kept.notes:
        notes = "\n".join(filter(None, (kept.notes, gone.notes)))
        events.append(Changed(kept.id, "notes", kept.notes, notes, "customer"))
    for theirs in ctx.tickets_of(gone.id):
        events += change(theirs, requester=kept.id)
    return events


@action()
def part(ticket: Ticket, identity: Address, *, ctx: Context) -> list[Event]:
    """Say that an identity of the customer is another person's; the tickets it opened go with it."""
    known = ctx.identities(ticket.requester)
    found = next((i for i in known if (i.kind, i.value) == (identity.kind, identity.value)), None)
    if found is None:
        named = ", ".join(i.value if i.kind == "email" else f"{i.kind}:{i.value}" for i in known)
        raise Invalid(f"{identity.value} is none of this customer's identities; there are: {named}")
    if len(known) == 1:
        raise Invalid(f"{identity.value} is all by which this customer is known; there is nothing to part")
    moved, other = _named([found]), ctx.separate(found)
    events: list[Event] = [
        Changed(ticket.requester, "identities", moved, [], "customer"),
        Changed(other.id, "identities", [], moved, "customer"),
    ]
    for theirs in ctx.tickets_of(ticket.requester):
        if _opened_by(theirs, ctx) == (found.kind, found.value):
            events += change(theirs, requester=other.id)
    return events


@action()
def tier(ticket: Ticket, to: Word, *, ctx: Context) -> list[Event]:
    """Say what the customer has been promised or pays for: gold, trial, partner; `none` says nothing."""
    customer, word = ctx.customer(ticket.requester), (to or "").lower()
    word = "" if word == "none" else word
    return [] if word == customer.tier else [Changed(customer.id, "tier", customer.tier, word, "customer")]


@action()
def about(ticket: Ticket, notes: Body, *, ctx: Context) -> list[Event]:
    """Write down what is to be known of the customer, for everybody who has to do with them; `none` forgets it."""
    customer, text = ctx.customer(ticket.requester), storable(notes.strip())
    text = "" if text == "none" else text
    return [] if text == customer.notes else [Changed(customer.id, "notes", customer.notes, text, "customer")]


def _named(identities: list[Identity]) -> list[list[str]]:
    return [[identity.kind, identity.value] for identity in identities]


def _opened_by(ticket: Ticket, ctx: Context) -> tuple[str, str] | None:
    first = next((m.sender for m in ctx.thread(ticket) if m.customer == ticket.requester and m.sender), None)
    return (first.kind, first.value) if first else None
