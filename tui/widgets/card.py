"""Who the customer is, and what else there is to know around a ticket: a card beside the conversation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, tzinfo

from msgspec import Struct

from desk.alike import Alike, mentioned
from desk.model import MINUTE, SECOND, Customer, Draft, Effort, Identity, Message, Millis, Presence, Ticket
from desk.query import LIVE, VISIBLE, All, Is
from desk.store import Row, Store
from desk.when import brief
from tui.clock import age
from tui.columns import channel
from tui.draw import Look, cut, flat, wrap
from tui.widgets.lines import Drawn, Lines

WIDTH = 40
ROOM = 140
"""Columns of the screen from which the card stands beside the conversation."""

_LAST = 3
_NAME = 36
"""Of a name so many cells stand on the one line: behind it come address, counts and tags."""

_RECENT = 100
"""So many messages are searched for other addresses of the customer: each search holds up the screen a little."""

_DOING = {
    "views": "is looking at this", "writes": "is writing here", "typing": "is typing …", "online": "is online", "away": "is away",
}  # fmt: skip
_NOTES = 12

Line = tuple[tuple[str, str], ...]


MANY = 101
"""So many tickets of a customer are counted."""


class Known(Struct, frozen=True):
    """What is known around a ticket, as read from the store."""

    identities: Sequence[Identity] = ()
    returned: Mapping[str, str] = {}
    tickets: int = 0
    open: int = 0
    last: Sequence[Row] = ()
    linked: Mapping[int, Row] = {}
    effort: Sequence[Effort] = ()
    drafts: Sequence[Draft] = ()
    alike: Sequence[Alike] = ()


def _counts(known: Known) -> str:
    told = [f"{count - 1}+" if count == MANY else str(count) for count in (known.tickets, known.open)]
    return f"{told[0]} ticket{'' if known.tickets == 1 else 's'} · {told[1]} open"


def known(store: Store, ticket: Ticket, thread: Sequence[Message]) -> Known:
    """Read what is known around a ticket and its messages; runs in a thread."""
    theirs = All((VISIBLE, Is("requester", (ticket.requester,))))
    numbers = [link.ticket for link in ticket.links]
    rows = store.page(theirs, sort="newest", limit=_LAST + 1).rows
    return Known(
        store.identities(ticket.requester),
        store.returned(ticket.requester),
        # Whoever has more than that is a machine: nobody waits until all of its mails are counted.
        len(store.ids(theirs, sort="newest", limit=MANY)),
        len(store.ids(All((theirs, LIVE)), sort="newest", limit=MANY)),
        [row for row in rows if row.ticket.id != ticket.id][:_LAST],
        {row.ticket.id: row for row in store.rows(numbers)} if numbers else {},
        store.effort(ticket.id),
        store.drafts(ticket=ticket.id),
        store.alike(ticket.requester, sorted(set(mentioned(thread[-_RECENT:])))[:_LAST]),
    )


class Seen(Struct, frozen=True):
    """All that a card shows: the ticket, its customer, what is known around it (None: not read yet), and who else is there."""

    ticket: Ticket
    customer: Customer
    known: Known | None
    around: Sequence[Presence]
    me: str | None
    now: Millis
    zone: tzinfo


class Card(Lines):
    """The card, with a rule between it and the conversation."""

    def __init__(self, look: Look) -> None:
        super().__init__(look, "card")
        self.can_focus = False

    def tell(self, seen: Seen) -> None:
        """Show this; only lines that read differently are drawn again."""
        self._draw(list(lines_of(seen, WIDTH - 3)))

    def _draw(self, lines: list[Line]) -> None:
        # The rule goes down to the end, however little there is to say.
        lines += [()] * (self.size.height - len(lines))
        self.put([Drawn((("│ ", "rule"), *line)) for line in lines])

    def fit(self) -> None:
        """The rule is longer or shorter now."""
        lines = [line.parts[1:] for line in self.lines]
        while lines and not lines[-1]:
            lines.pop()
        self._draw(lines)


def one_line(seen: Seen) -> tuple[str, ...]:
    """What matters of it on one line, the most important first."""
    customer = seen.customer
    name, address = flat(customer.name), flat(customer.address)
    counts = []
    if seen.known and seen.known.tickets:
        counts = [_counts(seen.known)]
    facts = [
        cut(name or address, _NAME),
        "blocked" if customer.blocked else "",
        address if name and customer.name != customer.address else "",
        cut(flat(customer.organisation or ""), _NAME),
        f"tier {cut(flat(customer.tier), _NAME)}" if customer.tier else "",
        *counts,
        flat(" ".join(seen.ticket.tags)),
        *(f"{link.kind} #{link.ticket}" for link in seen.ticket.links),
    ]
    return tuple(fact for fact in facts if fact)


def others(seen: Seen) -> list[tuple[str, str]]:
    """Who else is at the ticket, each with what they do: the writers first."""
    doing: dict[str, str] = {}
    for presence in sorted(seen.around, key=lambda one: (one.doing not in ("writes", "typing"), one.agent)):
        if presence.customer or presence.agent != seen.me:
            doing.setdefault(flat(presence.agent), _DOING.get(presence.doing, flat(presence.doing)))
    return list(doing.items())


def lines_of(seen: Seen, width: int) -> Iterator[Line]:
    """The card, line by line."""
    for place, part in enumerate(filter(None, (list(make(seen, width)) for make in _PARTS))):
        if place:
            yield ()
        yield from part


def _people(seen: Seen, width: int) -> Iterator[Line]:
    for name, what in others(seen):
        yield ((cut(f"{name} {what}", width), "notice"),)
    for draft in seen.known.drafts if seen.known else ():
        if draft.agent != seen.me:
            yield (
                (cut(f"{flat(draft.agent)} began a {flat(draft.kind)} {age(draft.at, seen.now)} ago", width), "notice"),
            )


def _customer(seen: Seen, width: int) -> Iterator[Line]:
    customer, around = seen.customer, seen.known or Known()
    yield ((cut(flat(customer.name) or flat(customer.address), width), "strong"),)
    if customer.blocked:
        yield (("blocked: what they write is not let in", "notice"),)
    if customer.organisation:
        yield from _wrapped(flat(customer.organisation), width)
    if customer.tier:
        yield ((cut(f"tier {flat(customer.tier)}", width), "text"),)
    identities = around.identities or [Identity("email", customer.address)]
    for identity in identities:
        kind = "" if identity.kind == "email" else f"  {channel(identity.kind)}"
        yield ((cut(flat(identity.value), width - len(kind)), "text"), (kind, "quiet"))
        if (why := around.returned.get(identity.value)) is not None:
            yield ((cut(f"! came back: {flat(why)}" if why else "! mail there came back", width), "trouble"),)
    for alike in around.alike:
        kind = "" if alike.identity.kind == "email" else f"{alike.identity.kind}:"
        for line in wrap(f"perhaps also {flat(alike.customer.name)} ({flat(alike.reason)})", width):
            yield ((line, "quiet"),)
        yield ((cut(f"  :join {kind}{flat(alike.identity.value)}", width), "faint"),)
    if around.tickets:
        yield ((_counts(around), "quiet"),)
    if customer.created_at:
        since = datetime.fromtimestamp(customer.created_at / 1000, seen.zone).strftime("%d %b %Y")
        yield ((f"customer since {since}", "quiet"),)


def _notes(seen: Seen, width: int) -> Iterator[Line]:
    if seen.customer.notes.strip():
        for number, line in enumerate(wrap(seen.customer.notes.strip(), width - 1)):
            if number == _NOTES:
                yield (("…", "quiet"),)
                return
            yield ((f" {line}", "note"),)


def _contacts(seen: Seen, width: int) -> Iterator[Line]:
    for row in seen.known.last if seen.known else ():
        yield _other(row.ticket, width, seen.now)


def _links(seen: Seen, width: int) -> Iterator[Line]:
    linked = seen.known.linked if seen.known else {}
    for link in seen.ticket.links:
        lead = f"{flat(link.kind)} "
        row = linked.get(link.ticket)
        if row:
            yield ((lead, "quiet"), *_other(row.ticket, width - len(lead), seen.now))
        else:
            yield ((f"{lead}#{link.ticket}", "quiet"),)


def _other(ticket: Ticket, width: int, now: Millis) -> Line:
    tail = f"  {ticket.status} {age(ticket.updated_at, now)}"
    number = f"#{ticket.id} "
    return (
        (number, "quiet"),
        (cut(flat(ticket.subject) or "(no subject)", max(0, width - len(number) - len(tail))), "text"),
        (tail, "quiet"),
    )


def _ticket(seen: Seen, width: int) -> Iterator[Line]:
    ticket = seen.ticket
    facts = (
        ("tags", " ".join(ticket.tags)),
        ("type", ticket.type or ""),
        ("copies", ", ".join(ticket.cc)),
        ("watched by", ", ".join(ticket.watchers)),
        ("time spent", " · ".join(_worked(seen.known.effort)) if seen.known else ""),
    )
    for name, value in facts:
        if value:
            for number, line in enumerate(wrap(f"{name} {flat(value)}", width)):
                yield ((f"{name} ", "quiet"), (line[len(name) + 1 :], "text")) if not number else ((line, "text"),)


def _worked(effort: Sequence[Effort]) -> Iterator[str]:
    spent: dict[str, Millis] = {}
    for one in effort:
        spent[one.agent] = spent.get(one.agent, 0) + one.spent
    for agent, span in spent.items():
        yield f"{agent} {brief(span) if span >= MINUTE else f'{span // SECOND}s'}"


def _wrapped(text: str, width: int) -> Iterator[Line]:
    for line in wrap(text, width):
        yield ((line, "text"),)


_PARTS = (_people, _customer, _notes, _contacts, _links, _ticket)
