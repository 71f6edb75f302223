"""Which tickets belong together: merge, split, link."""

from __future__ import annotations

from desk.actions import Context, action
from desk.errors import Invalid
from desk.events import Event, Moved, Opened, change
from desk.model import Link, Status, Ticket
from desk.params import LINKS, LinkKind, MessageRefs, TicketRef, Word


@action(keys="M")
def merge(ticket: Ticket, into: TicketRef, *, ctx: Context) -> list[Event]:
    """Merge the ticket into another; what comes later lands there too."""
    if ticket.id == into.id:
        raise Invalid(f"#{ticket.id} cannot be merged into itself")
    for one in (ticket, into):
        if one.merged_into:
            raise Invalid(f"#{one.id} was merged into #{one.merged_into} already")
    messages = tuple(m.id for m in ctx.thread(ticket))
    owed = ticket.callback_at if ticket.status.live else None
    kept = change(
        into,
        # Who was promised a call waits for it, whatever ticket it is on; the first to come is the one that is owed.
        callback_at=min((at for at in (into.callback_at, owed) if at is not None), default=None),
        tags=tuple(sorted({*into.tags, *ticket.tags})),
        watchers=tuple(sorted({*into.watchers, *ticket.watchers})),
        cc=tuple(sorted({*into.cc, *ticket.cc})),
    )
    moved: list[Event] = [Moved(ticket.id, into.id, messages, keeps=into.id)] if messages else []
    return [*moved, *kept, *change(ticket, merged_into=into.id)]


@action()
def split(ticket: Ticket, messages: MessageRefs, *, subject: Word = None, ctx: Context) -> list[Event]:
    """Make a new ticket of some messages, linked both ways."""
    thread = ctx.thread(ticket)
    if len({m.id for m in messages}) >= len(thread):
        raise Invalid(f"that would leave nothing on #{ticket.id}; rename it instead")
    first = messages[0]
    new = Ticket(
        id=ctx.new_id("ticket"),
        subject=subject or first.subject or ticket.subject,
        requester=first.customer or ticket.requester,
        created_at=min(m.at for m in messages),
        updated_at=ctx.at,
        status=Status.OPEN,
        priority=ticket.priority,
        team=ticket.team,
        assignee=ticket.assignee,
        channel=ticket.channel,
        account=ticket.account,
        tags=ticket.tags,
    )
    return [Opened(new), Moved(ticket.id, new.id, tuple(m.id for m in messages)), *linked(ticket, new, "related")]


@action()
def move(ticket: Ticket, to: TicketRef, messages: MessageRefs, *, ctx: Context) -> list[Event]:
    """Move messages to another ticket; answers to them go there from now on."""
    if ticket.id == to.id:
        raise Invalid(f"they are on #{ticket.id} already")
    if to.merged_into:
        raise Invalid(f"#{to.id} was merged into #{to.merged_into}; move them there")
    if len({m.id for m in messages}) >= len(ctx.thread(ticket)):
        raise Invalid(f"that would leave nothing on #{ticket.id}; merge it instead: merge {to.id}")
    return [Moved(ticket.id, to.id, tuple(m.id for m in messages)), *linked(ticket, to, "related")]


@action()
def link(ticket: Ticket, to: TicketRef, kind: LinkKind = "related", *, ctx: Context) -> list[Event]:
    """Link the ticket to another: related, parent, child, duplicate-of."""
    if ticket.id == to.id:
        raise Invalid(f"#{ticket.id} cannot be linked to itself")
    return linked(ticket, to, kind)


def linked(one: Ticket, other: Ticket, kind: str, back: str | None = None) -> list[Event]:
    """The events that link two tickets, each in its own words."""
    there, here = Link(kind, other.id), Link(back or LINKS[kind], one.id)
    return [
        *change(one, links=_with(one, there)),
        *change(other, links=_with(other, here)),
    ]


def _with(ticket: Ticket, new: Link) -> tuple[Link, ...]:
    return tuple(sorted({*ticket.links, new}, key=lambda link: (link.kind, link.ticket)))
