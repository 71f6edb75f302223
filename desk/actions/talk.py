"""What is said on a ticket: to the customer, to colleagues, to third parties."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from desk.actions import Context, action
from desk.errors import Invalid
from desk.events import Event, Posted, change
from desk.model import Account, Attachment, Delivery, Direction, Identity, Kind, Message, State, Status, Ticket
from desk.params import Addresses, Body, Files, Flag, When, Word
from desk.permissions import RULES
from desk.reach import MAIL, Way, account_for, last_heard, refusal, way
from desk.text import storable
from desk.threads import FORWARD


@action(keys="r")
def reply(
    ticket: Ticket,
    body: Body,
    *,
    to: Addresses = (),
    cc: Addresses = (),
    bcc: Addresses = (),
    all: Flag = False,
    only: Flag = False,
    attach: Files = (),
    at: When = None,
    account: Word = None,
    private: Flag = False,
    ctx: Context,
) -> list[Event]:
    """Answer the customer.

    It goes to whoever wrote last (or the requester) and to the ticket's copies; --all
    adds everybody that message was addressed to, --only leaves the ticket's copies out.
    --at sends it later. --account (or the name of its channel) answers over another account
    than the one they wrote to, --private answers in private what was said in public.
    """
    if ticket.merged_into:
        raise Invalid(f"#{ticket.id} was merged into #{ticket.merged_into}; answer there")
    last = last_heard(ctx.thread(ticket))
    via = account_for(ticket, account, last, ctx.accounts, ctx.config.default_account)
    found = way(ticket, via, ctx.thread(ticket), ctx.contacts(ticket.requester), to=to, private=private)
    copies = cc
    if found.can.copies:
        copies = cc if only else (*cc, *(Identity("email", address) for address in ticket.cc))
        if all and last:
            copies = (*copies, *last.to, *last.cc)
    if MAIL in found.can.kinds and not to:
        found = replace(found, to=_answered(ticket, ctx))
    posted = outbound(ticket, body, ctx, found, cc=copies, bcc=bcc, attach=attach, at=at, answers=last)
    # That a rule answered does not mean that anybody has looked at it.
    looked_at = ticket.status is Status.NEW and ctx.agent != RULES
    return [posted, *(change(ticket, status=Status.OPEN) if looked_at else ())]


@action(keys="i")
def note(ticket: Ticket, body: Body, *, attach: Files = (), ctx: Context) -> list[Event]:
    """Leave an internal note that no customer ever sees."""
    return [say(ticket, Kind.NOTE, body, ctx, attach)]


@action()
def forward(
    ticket: Ticket,
    body: Body = "",
    *,
    to: Addresses,
    cc: Addresses = (),
    bcc: Addresses = (),
    attach: Files = (),
    at: When = None,
    account: Word = None,
    ctx: Context,
) -> list[Event]:
    """Send the conversation to a third party; what they answer becomes an internal note."""
    if not to:
        raise Invalid("forward needs --to: whom should it go to?")
    thread = [m for m in ctx.thread(ticket) if m.kind is Kind.PUBLIC]
    files = (*attach, *(a for m in thread[-1:] for a in m.attachments if not a.inline))
    via = carrier(ticket, account, to, ctx)
    found = way(ticket, via, (), ctx.contacts(ticket.requester), to=to)
    posted = outbound(
        ticket, "\n\n".join(filter(None, (body, *map(_quoted, thread)))), ctx, found, cc=cc, bcc=bcc, attach=files, at=at,
        kind=Kind.NOTE, flags=(FORWARD,), subject=f"Fwd: {ticket.subject}",
    )  # fmt: skip
    return [replace(posted, message=replace(posted.message, visible=body or posted.message.text))]


def _quoted(message: Message) -> str:
    return f"{message.author}:\n" + "\n".join(f"> {line}".rstrip() for line in message.visible.splitlines())


# -- the parts they share ---------------------------------------------------


def say(ticket: Ticket, kind: Kind, body: str, ctx: Context, attach: tuple[Attachment, ...] = ()) -> Posted:
    """A message that goes nowhere."""
    text = storable(body.strip("\n"))
    if not text.strip():
        raise Invalid("there is nothing in it; write some words")
    message = Message(
        id=ctx.new_id("message"),
        ticket=ticket.id,
        kind=kind,
        direction=Direction.OUT,
        at=ctx.at,
        author=ctx.agent.label,
        text=text,
        visible=text,
        agent=ctx.agent.name,
        attachments=attach,
    )
    return Posted(message)


def outbound(
    ticket: Ticket,
    body: str,
    ctx: Context,
    found: Way,
    *,
    cc: Iterable[Identity] = (),
    bcc: Iterable[Identity] = (),
    attach: tuple[Attachment, ...] = (),
    at: int | None = None,
    answers: Message | None = None,
    kind: Kind = Kind.PUBLIC,
    flags: tuple[str, ...] = (),
    subject: str | None = None,
) -> Posted:
    """A message with the delivery that carries it out, after the undo window or at the time asked for."""
    via, kinds = found.account, found.can.kinds
    seen = {a.address for a in ctx.accounts.values()}
    people = _unless(found.to, seen, kinds)
    copies, blind = _unless(cc, seen, kinds), _unless(bcc, seen, kinds)
    if refused := refusal(found, text=body, at=ctx.at, attach=attach, copies=(*copies, *blind)):
        raise Invalid(refused)
    if not people:
        raise Invalid(f"#{ticket.id} has nobody to write to but ourselves; name the recipients with --to")
    if subject is None:
        subject = ticket.subject if answers is None else _re(ticket.subject)
    posted = say(ticket, kind, body, ctx, attach)
    number = posted.message.id
    domain = via.address.rpartition("@")[2] or "deskhand.invalid"
    message = replace(
        posted.message,
        channel=via.channel,
        account=via.name,
        subject=subject,
        sender=Identity(
            kinds[0], via.address, f"{ctx.agent.label} ({via.display})" if via.display else ctx.agent.label
        ),
        to=people,
        cc=copies,
        bcc=blind,
        message_id=f"{ctx.sign(ticket.id)}.{number}@{domain}",
        conversation=found.key,
        flags=(*flags, *found.flags),
        state=State.QUEUED,
    )
    everybody = tuple(i.value for i in (*people, *copies, *blind))
    delivery = Delivery(
        id=ctx.new_id("delivery"),
        message=number,
        ticket=ticket.id,
        account=via.name,
        recipients=everybody,
        not_before=max(at or 0, ctx.at + ctx.config.undo_window(live=found.can.live)),
    )
    return Posted(message, (delivery,))


def _re(subject: str) -> str:
    return subject if subject.lower().startswith("re:") else f"Re: {subject}"


def _unless(people: Iterable[Identity], seen: set[str], kinds: Sequence[str]) -> tuple[Identity, ...]:
    kept = []
    for person in people:
        if person.value not in seen and person.kind in kinds:
            seen.add(person.value)
            kept.append(person)
    return tuple(kept)


def carrier(ticket: Ticket, asked: str | None, to: Sequence[Identity], ctx: Context) -> Account:
    """The account for a third party: one that reaches them, the ticket's own first."""
    first = account_for(ticket, asked, None, ctx.accounts, ctx.config.default_account)
    if asked or not first.capabilities or to[0].kind in first.capabilities.kinds:
        return first
    able = [a for a in ctx.accounts.values() if a.capabilities and to[0].kind in a.capabilities.kinds]
    return next((a for a in able if a.capabilities and a.capabilities.may_start), first)


def _answered(ticket: Ticket, ctx: Context) -> tuple[Identity, ...]:
    """Where the requester reads mail: the address they wrote from last, else one by which they are known."""
    letters = [m for m in ctx.thread(ticket) if m.customer == ticket.requester and m.sender and m.sender.kind == MAIL]
    if (last := last_heard(letters)) and last.sender:
        return (last.sender,)
    customer = ctx.customer(ticket.requester)
    known = sorted(
        (identity for identity in ctx.identities(customer.id) if identity.kind == MAIL),
        key=lambda identity: identity.value != customer.address,
    )
    return tuple(Identity(MAIL, identity.value, identity.display or customer.name) for identity in known[:1])
