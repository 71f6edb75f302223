"""Where a ticket stands: opened, solved, asleep, put away."""

from __future__ import annotations

from msgspec.structs import replace

from desk.actions import Context, action
from desk.actions.talk import carrier, outbound, say
from desk.errors import Invalid
from desk.events import Changed, Event, Opened, change
from desk.model import Bin, Kind, Role, Status, Ticket
from desk.params import Address, Body, Flag, StatusName, Text, When, Word
from desk.reach import way


@action(keys="C", creates=True)
def open(
    ticket: None,
    subject: Text,
    *,
    requester: Address,
    body: Body = "",
    note: Flag = False,
    account: Word = None,
    ctx: Context,
) -> list[Event]:
    """Open a new ticket for a requester.

    The body goes out to the requester as the first message; with --note it stays
    inside as an internal note (a call you took, a visitor at the door).
    """
    customer = ctx.customer_for(requester)
    new = Ticket(
        id=ctx.new_id("ticket"),
        subject=subject,
        requester=customer.id,
        created_at=ctx.at,
        updated_at=ctx.at,
        status=Status.OPEN,
        assignee=ctx.agent.name,
    )
    if not body or note:
        events: list[Event] = [Opened(new)]
        return events + ([say(new, Kind.NOTE, body, ctx)] if body else [])
    via = carrier(new, account, (requester,), ctx)
    posted = outbound(new, body, ctx, way(new, via, (), ctx.contacts(customer.id), to=(requester,)))
    new = replace(new, account=posted.message.account, channel=posted.message.channel)
    return [Opened(new), posted]


@action(keys="s")
def status(ticket: Ticket, to: StatusName, *, ctx: Context) -> list[Event]:
    """Set where the ticket stands."""
    if to is Status.NEW and ticket.status is not Status.NEW:
        raise Invalid(f"#{ticket.id} has been looked at and cannot become new again; use open")
    return _to(ticket, to)


@action(keys="x")
def solve(ticket: Ticket, *, ctx: Context) -> list[Event]:
    """Mark the ticket solved."""
    return _to(ticket, Status.SOLVED)


@action(keys="X")
def reopen(ticket: Ticket, *, ctx: Context) -> list[Event]:
    """Open a solved or closed ticket again."""
    if ticket.status.live:
        raise Invalid(f"#{ticket.id} is {ticket.status}, not solved; there is nothing to reopen")
    return _to(ticket, Status.OPEN)


def _to(ticket: Ticket, to: Status) -> list[Event]:
    awake = {} if to.live else {"snoozed_until": None, "snoozed_for_reply": False}
    return [*change(ticket, status=to, **awake)]


@action(keys="z")
def snooze(ticket: Ticket, until: When, *, only: Flag = False, ctx: Context) -> list[Event]:
    """Put the ticket to sleep until a time, or until the customer writes.

    `snooze 2h` wakes at the time or with the next message, whichever comes first; with
    --only the message does not wake it. `snooze reply` waits for a message alone.
    """
    if not ticket.status.live:
        raise Invalid(f"#{ticket.id} is {ticket.status}; only what is open can sleep")
    if until is not None and until <= ctx.at:
        raise Invalid("that time has passed; name one that is still to come")
    return [*change(ticket, snoozed_until=until, snoozed_for_reply=until is None or not only)]


@action()
def unsnooze(ticket: Ticket, *, ctx: Context) -> list[Event]:
    """Wake the ticket now."""
    return [*change(ticket, snoozed_until=None, snoozed_for_reply=False)]


@action()
def spam(ticket: Ticket, *, ctx: Context) -> list[Event]:
    """Put the ticket among the spam."""
    return [*change(ticket, bin=Bin.SPAM)]


@action()
def trash(ticket: Ticket, *, ctx: Context) -> list[Event]:
    """Put the ticket into the trash."""
    return [*change(ticket, bin=Bin.TRASH)]


@action()
def untrash(ticket: Ticket, *, ctx: Context) -> list[Event]:
    """Take the ticket out of the trash or the spam."""
    return [*change(ticket, bin=Bin.NONE)]


@action()
def release(ticket: Ticket, *, ctx: Context) -> list[Event]:
    """Let a suspended ticket into the queue."""
    if ticket.bin is not Bin.SUSPENDED:
        raise Invalid(f"#{ticket.id} is not suspended; ls is:suspended lists what is")
    return [*change(ticket, bin=Bin.NONE)]


@action(role=Role.LEAD)
def block(ticket: Ticket, *, ctx: Context) -> list[Event]:
    """Block the sender: this ticket and all they write from now on is spam."""
    customer = ctx.customer(ticket.requester)
    blocked = [] if customer.blocked else [Changed(customer.id, "blocked", False, True, "customer")]
    return [*blocked, *change(ticket, bin=Bin.SPAM)]


@action(role=Role.LEAD)
def unblock(ticket: Ticket, *, ctx: Context) -> list[Event]:
    """Listen to the sender again; the ticket comes out of the spam."""
    customer = ctx.customer(ticket.requester)
    heard = [Changed(customer.id, "blocked", True, False, "customer")] if customer.blocked else []
    return [*heard, *(change(ticket, bin=Bin.NONE) if ticket.bin is Bin.SPAM else ())]
