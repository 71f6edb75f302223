"""The way in: messages from outside become customers, tickets and events.

Everything for one batch happens in one transaction, cursor included, so a message is
in the store exactly once whatever breaks off in the middle.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar, cast, overload

from msgspec import Struct, field
from msgspec.structs import replace

from desk import signals
from desk.acknowledge import acknowledgement
from desk.channel import Inbound, Item, Raw, Receipt, Signal, Told
from desk.config import DeskConfig
from desk.echoes import echoed
from desk.events import Delivered, Event, Opened, Posted, change
from desk.loops import Answered, refusal
from desk.model import (
    BY_MACHINE,
    DAY,
    Bin,
    Contact,
    Customer,
    Direction,
    Identity,
    Kind,
    Link,
    Message,
    Millis,
    Presence,
    State,
    Status,
    Ticket,
)
from desk.store import Batch, Held, Tx
from desk.text import handle, one_line, storable, words
from desk.threads import FORWARD, IN_PUBLIC, Found, Signer, conversation_key, find

NOBODY = Identity("unknown", "unknown", "unknown sender")
_FUTURE: Millis = 5 * 60_000


class Intake(Struct, frozen=True):
    """How messages of one account are taken in.

    `own` are the desk's own addresses. A `silent` intake (an import) wakes nobody: its
    messages are not news, tickets begin as `status`, and times are those of the sender.
    """

    account: str
    channel: str
    config: DeskConfig
    signer: Signer
    own: frozenset[str] = frozenset()
    silent: bool = False
    status: Status = Status.NEW


class Taken(Struct):
    """What became of a batch.

    `strays` are signals about what is not here yet, to be told again; `active` is what customers do now.
    """

    messages: int = 0
    tickets: int = 0
    doubles: int = 0
    touched: set[int] = field(default_factory=set)
    strays: list[Signal] = field(default_factory=list)
    active: list[Presence] = field(default_factory=list)


@overload
def prepare(item: Raw | Inbound, parse: Callable[[Raw], Inbound] | None = None) -> Inbound: ...


@overload
def prepare(item: Item, parse: Callable[[Raw], Inbound] | None = None) -> Told: ...


def prepare(item: Item, parse: Callable[[Raw], Inbound] | None = None) -> Told:
    """`item` parsed, with search words and digest, and nothing in it that no store takes: the work that needs none."""
    if not isinstance(item, (Raw, Inbound)):
        return _cleaned(item)
    inbound = _cleaned(item) if isinstance(item, Inbound) else _parsed(item, parse)
    if inbound.words is not None and inbound.digest is not None:
        return inbound
    line = words(inbound.subject, inbound.text, *(a.name for a in inbound.attachments))
    return replace(inbound, words=line, digest=digest(inbound))


def _parsed(item: Raw, parse: Callable[[Raw], Inbound] | None) -> Inbound:
    assert parse is not None, "a channel that hands out Raw items has a parse function"
    return parse(item)


_T = TypeVar("_T")


_HANDLES = frozenset(
    {"external_id", "target", "conversation", "answers", "message_id", "in_reply_to", "references", "value"}
)
"""What stores look things up by: no index takes a key of any length."""

_DISPLAY_CHARACTERS = 200
_LAST: Millis = 1 << 53


def _cleaned(value: _T, name: str = "") -> _T:
    """`value` with nothing in it that a store refuses: one name of that kind would hold up its account for ever."""
    clean: Any = value
    if isinstance(value, str):
        clean = handle(value) if name in _HANDLES else storable(value)
        clean = clean[:_DISPLAY_CHARACTERS] if name == "display" else clean
    elif isinstance(value, tuple):
        clean = tuple(_cleaned(one, name) for one in value)
    elif isinstance(value, Struct):
        pairs = ((key, getattr(value, key)) for key in value.__struct_fields__)
        changed = {key: better for key, held in pairs if (better := _cleaned(held, key)) != held}
        clean = replace(value, **changed) if changed else value
    elif type(value) is int:
        clean = min(max(cast(int, value), -_LAST), _LAST)
    return cast(_T, clean)


def digest(inbound: Inbound) -> str | None:
    """What two copies of one message have in common, whatever way they came; None where copies are no mistake.

    Copies of a mail differ in their trace headers, so the content counts when there is
    a Message-ID beside it; without one only the very same bytes are the same message.
    """
    if inbound.message_id is None:
        return inbound.raw
    sender = inbound.sender.value if inbound.sender else ""
    content = (sender, inbound.subject, inbound.text, *(a.sha256 for a in inbound.attachments))
    return hashlib.sha256("\x00".join(content).encode("utf-8", "replace")).hexdigest()


def take_in(tx: Tx, how: Intake, told: Sequence[Told], batch: Batch, cursor: str | None = None) -> Taken:
    """Put what was `told` into the store, in order, and the cursor with them; what came before is left out."""
    taken = Taken()
    items = [item for item in told if isinstance(item, Inbound)]
    known = tx.known(how.account, [item.external_id for item in items])
    _announce(tx, how, [item for item in items if item.external_id not in known])
    for one in told:
        if not isinstance(one, Inbound):
            _signal(tx, how, one, batch, taken)
            continue
        item = one
        if item.external_id in known:
            taken.doubles += 1
            continue
        known.add(item.external_id)
        double = _twin(tx, how, item)
        if double is not None:
            tx.remember(how.account, item.external_id, double.message)
            taken.doubles += 1
            continue
        _take(tx, how, item, batch, taken)
    if cursor is not None:
        tx.set_cursor(how.account, cursor)
    return taken


def _signal(tx: Tx, how: Intake, signal: Signal, batch: Batch, taken: Taken) -> None:
    try:
        active = signals.take(tx, how.account, how.channel, signal, batch)
    except signals.Stray:
        taken.strays.append(signal)
        return
    if active is not None:
        taken.active.append(active)


def _announce(tx: Tx, how: Intake, items: Sequence[Inbound]) -> None:
    """Tell a store that is far away what it will be asked, so that it is asked once."""
    outside = {name for item in items for name in (item.message_id, *item.in_reply_to, *item.references) if name}
    outside |= {conversation_key(how.account, item.conversation) for item in items if item.conversation}
    digests = {item.digest for item in items if item.digest and not item.message_id}
    people = {person for item in items for person in (item.sender or NOBODY, *item.to[:1])}
    tx.expect(outside, digests, people)


def _twin(tx: Tx, how: Intake, item: Inbound) -> Held | None:
    if item.message_id and item.message_id.startswith("deskhand."):
        # What we sent comes back by way of a copy to ourselves, a Sent folder, or a list that changes From.
        echo = next((h for h in tx.held((item.message_id,)) if h.message_id == item.message_id), None)
        if echo and (_is_ours(item, how) or _repeats(item.text, tx.message(echo.message).text)):
            return echo
    return tx.twin(item.message_id, item.digest) if item.digest else None


def _is_ours(item: Inbound, how: Intake) -> bool:
    return item.sender is not None and item.sender.value in how.own


def _repeats(text: str, ours: str) -> bool:
    """Whether `text` begins with what we wrote; somebody's answer begins with words of their own."""
    said, beginning = " ".join(text.split()), " ".join(ours.split())[:200]
    return bool(beginning) and said.startswith(beginning)


def _take_ours(tx: Tx, how: Intake, item: Inbound, batch: Batch, taken: Taken) -> None:
    """What our own account wrote: the echo of what the desk sent, or what a colleague said with another program."""
    found = find(item, how.account, how.signer, tx.held, lambda number, address: False, _answered(tx, how, item))
    ticket = _current(tx, found.ticket)
    if ticket is None:
        # Said to nobody who is waiting here.
        tx.remember(how.account, item.external_id, None)
        return
    if (echo := echoed(tx, how.account, item, tx.thread(ticket.id))) is not None:
        # What is told later of a part must not be taken for the whole of what nobody knows to be there.
        known = echo.whole or echo.message.state is not State.UNKNOWN
        tx.remember(how.account, item.external_id, echo.message.id if known else None)
        if echo.whole:
            seen = Receipt(batch.at, item.external_id, State.SENT, detail="seen there")
            _signal(tx, how, seen, batch, taken)
        taken.doubles += 1
        return
    tx.put_blobs(item.blobs)
    message = _message(tx, how, item, ticket, found, ticket.requester, _moment(item, how, batch.at), True)
    tx.append(batch, [Posted(message, words=item.words)])
    tx.remember(how.account, item.external_id, message.id)
    taken.messages += 1
    taken.touched.add(ticket.id)


def _answered(tx: Tx, how: Intake, item: Inbound) -> Held | None:
    number = tx.taken(how.account, (item.answers,)).get(item.answers) if item.answers else None
    if number is None:
        return None
    message = tx.message(number)
    return Held(message.ticket, number, message.message_id or "", message.flags)


def _take(tx: Tx, how: Intake, item: Inbound, batch: Batch, taken: Taken) -> None:
    if item.ours:
        _take_ours(tx, how, item, batch, taken)
        return
    tx.put_blobs(item.blobs)
    ours = _is_ours(item, how)
    # In an archive what we wrote is ours; what comes in under our name today may be anybody's.
    wrote = ours and how.silent
    person = next(iter(item.to), NOBODY) if wrote else item.sender or NOBODY
    customer = tx.customer_for(person, batch.at)

    def on_ticket(number: int, address: str) -> bool:
        ticket = None if ours else tx.tickets((number,)).get(number)
        return ticket is not None and (address in ticket.cc or customer.id == ticket.requester)

    found = _bounced(tx, how, item) or find(item, how.account, how.signer, tx.held, on_ticket, _answered(tx, how, item))
    at = _moment(item, how, batch.at)
    if item.sender and item.conversation is not None:
        here = Contact(item.sender, how.account, item.public, item.conversation, at, item.external_id, item.reply_until)
        tx.heard_from(here)
    if item.sender and item.automatic is None and not how.silent:
        tx.set_undeliverable(item.sender.value, None)
    ticket, events = _place(tx, how, found, item, customer, at, batch.at)
    opened = any(isinstance(e, Opened) for e in events)
    refused = refusal(item, how.own, *_history(tx, item, batch.at), batch.at) if opened and not how.silent else None
    cause = _suspended(item, ours and not wrote, refused) if opened and not how.silent else None
    message = _message(tx, how, item, ticket, found, customer.id, at, wrote)
    message = replace(message, flags=(*message.flags, *_marks(item, ours and not wrote, refused, cause)))
    spam = customer.blocked or (item.spam and opened)
    if spam:
        events += change(ticket, bin=Bin.SPAM)
    elif cause:
        events += change(ticket, bin=Bin.SUSPENDED)
    else:
        events += _answer_effects(ticket, message, how)
    events.append(Posted(message, words=item.words, silent=how.silent))
    events += _delivery_effects(tx, item, found)
    welcome = opened and _by_mail(item) and not how.silent and how.config.acknowledge
    if welcome and refused is None and not (spam or cause):
        answer = acknowledgement(tx, how.config, how.signer, how.account, ticket, item, batch.at)
        events += [answer] if answer else []
    taken.tickets += opened
    tx.append(batch, events)
    tx.remember(how.account, item.external_id, message.id)
    if item.digest:
        tx.set_digest(message.id, item.digest)
    taken.messages += 1
    taken.touched.add(ticket.id)


def _by_mail(item: Inbound) -> bool:
    return item.sender is not None and item.sender.kind == "email"


def _history(tx: Tx, item: Inbound, at: Millis) -> tuple[list[Answered], bool]:
    if item.sender is None:
        return [], False
    return tx.answered(item.sender.value, at - DAY), tx.undeliverable(item.sender.value)


def _suspended(item: Inbound, ourselves: bool, refused: str | None) -> str | None:
    """Why a new ticket is kept out of the queue until somebody looks: nobody waits for an answer to it."""
    if ourselves:
        return "ourselves"
    if item.automatic in ("bounce", "feedback"):
        return item.automatic
    return "loop" if refused == "loop" else None


def _marks(item: Inbound, ourselves: bool, refused: str | None, cause: str | None) -> Iterator[str]:
    if item.unreadable:
        yield "unprocessable"
    if item.protection:
        yield from item.protection.split(", ")
    if item.authentication:
        yield f"auth:{item.authentication.replace(' ', ',')}"
    if item.spam:
        yield "spam"
    if ourselves:
        yield "from-our-address"
    if refused == "loop":
        yield "loop"
    if cause:
        yield f"suspended:{cause}"


def _moment(item: Inbound, how: Intake, at: Millis) -> Millis:
    """When the message counts as written: our server's clock for live mail, the sender's for an archive."""
    moment = item.at if how.silent and item.at is not None else item.received_at
    return moment if 0 < moment <= at + _FUTURE else at


def _bounced(tx: Tx, how: Intake, item: Inbound) -> Found | None:
    """A report belongs to the message it is about."""
    if item.bounce is None:
        return None
    named = (item.bounce.original_message_id, *item.in_reply_to, *reversed(item.references))
    held = tx.held([name for name in named if name])
    return Found(held[0].ticket, "bounce", held[0]) if held else None


def _place(
    tx: Tx, how: Intake, found: Found, item: Inbound, customer: Customer, at: Millis, now: Millis
) -> tuple[Ticket, list[Event]]:
    ticket = _current(tx, found.ticket)
    if ticket is not None and customer.blocked and ticket.requester != customer.id:
        # What a blocked sender writes is spam; the ticket of somebody else is not.
        ticket = None
    if ticket is not None and (how.silent or not _too_late(ticket, item, how, now)):
        return ticket, []
    new = Ticket(
        id=tx.new_id("ticket"),
        subject=one_line(item.subject) or one_line(item.visible or item.text)[:80] or "(no subject)",
        requester=customer.id,
        created_at=at,
        updated_at=at,
        status=how.status if how.silent else Status.NEW,
        solved_at=at if how.silent and not how.status.live else None,
        channel=how.channel,
        account=how.account,
    )
    related = ticket or _current(tx, found.suspect)
    if related is None:
        return new, [Opened(new)]
    kinds = ("follow-up", "followed-by") if ticket else ("related", "related")
    new = replace(new, links=(Link(kinds[0], related.id),))
    return new, [
        Opened(new),
        *change(
            related, links=tuple(sorted({*related.links, Link(kinds[1], new.id)}, key=lambda k: (k.kind, k.ticket)))
        ),
    ]


def _current(tx: Tx, number: int | None) -> Ticket | None:
    """The ticket with this number, or the one it was merged into."""
    for _ in range(100):
        ticket = tx.tickets((number,)).get(number) if number is not None else None
        if ticket is None or ticket.merged_into is None:
            return ticket
        number = ticket.merged_into
    return None


def _too_late(ticket: Ticket, item: Inbound, how: Intake, now: Millis) -> bool:
    if ticket.status is not Status.CLOSED or item.automatic in BY_MACHINE:
        return False
    return now - (ticket.solved_at or 0) >= how.config.reopen_window


def _message(
    tx: Tx, how: Intake, item: Inbound, ticket: Ticket, found: Found, customer: int, at: Millis, ours: bool
) -> Message:
    sender = item.sender or NOBODY
    aside = found.answers is not None and FORWARD in found.answers.flags and customer != ticket.requester
    flags = tuple(
        name
        for name, holds in (
            # In a room anybody may speak up: only a letter from a stranger is worth a word.
            ("new-participant", _joins(found) and not ours and _is_new(tx, ticket, sender, customer)),
            ("claims-ticket", found.suspect is not None),
            ("aside", aside),
            (IN_PUBLIC, item.public),
        )
        if holds
    )
    return Message(
        id=tx.new_id("message"),
        ticket=ticket.id,
        kind=Kind.SYSTEM if item.bounce and found.rule == "bounce" else Kind.NOTE if aside else Kind.PUBLIC,
        direction=Direction.OUT if ours else Direction.IN,
        at=at,
        author=one_line(sender.label),
        text=storable(item.text),
        visible=storable(item.visible or item.text),
        channel=how.channel,
        account=how.account,
        customer=None if ours else customer,
        subject=storable(item.subject),
        message_id=item.message_id,
        conversation=conversation_key(how.account, item.conversation) if item.conversation else None,
        sender=next(iter(item.reply_to), sender) if not ours else sender,
        to=item.to,
        cc=item.cc,
        html=item.html,
        attachments=item.attachments,
        raw=item.raw,
        automatic=item.automatic,
        threaded_by=found.rule,
        flags=flags,
        state=State.SENT if ours else None,
        link=item.link if item.link.startswith(("https://", "http://")) else "",
    )


def _joins(found: Found) -> bool:
    """Whether a message came to a ticket that there was, by something that its sender wrote into it."""
    return found.ticket is not None and found.rule != "conversation"


def _is_new(tx: Tx, ticket: Ticket, sender: Identity, customer: int) -> bool:
    if customer == ticket.requester or sender.value in ticket.cc:
        return False
    return not tx.took_part(ticket.id, customer, sender.value)


def _answer_effects(ticket: Ticket, message: Message, how: Intake) -> list[Event]:
    """A person's message opens again what waited, and wakes what slept for it."""
    if (
        how.silent
        or message.direction is Direction.OUT
        or message.kind is not Kind.PUBLIC
        or message.automatic in BY_MACHINE
    ):
        return []
    fields: dict[str, object] = {}
    if ticket.status in (Status.PENDING, Status.ON_HOLD, Status.SOLVED, Status.CLOSED):
        fields["status"] = Status.OPEN
    if ticket.snoozed_for_reply:
        fields |= {"snoozed_until": None, "snoozed_for_reply": False}
    if ticket.bin is Bin.TRASH:
        fields["bin"] = Bin.NONE
    return [*change(ticket, **fields)]


def _delivery_effects(tx: Tx, item: Inbound, found: Found) -> list[Event]:
    if item.bounce is None or found.rule != "bounce" or found.answers is None:
        return []
    gone = {r.address.lower() for r in item.bounce.recipients if r.permanent}
    detail = "; ".join(f"{r.address} {r.status}".strip() for r in item.bounce.recipients)
    # A full mailbox lost this message and may take the next one (RFC 3463, 4.x.x).
    for address in {r.address.lower() for r in item.bounce.recipients if r.permanent and r.status[:1] != "4"}:
        tx.set_undeliverable(address, detail)
    return [
        Delivered(found.answers.ticket, found.answers.message, d.id, State.BOUNCED, detail)
        for d in tx.deliveries(found.answers.message)
        if gone & set(d.recipients) or (not gone and any(r.permanent for r in item.bounce.recipients))
    ]
