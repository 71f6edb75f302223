"""What rules would do, and would have done: nothing here changes anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from desk.automatic import Automatic
from desk.conditions import case
from desk.errors import DeskError, NotFound
from desk.events import Record
from desk.lines import title
from desk.model import Customer, Message, Millis, Ticket
from desk.news import News, told
from desk.perform import Desk, Outcome, Undone, Who, perform_in
from desk.permissions import RULES
from desk.rules import Rule, load
from desk.store import Batch, Store, Tx
from desk.when import brief

_PAGE = 2_000


@dataclass(frozen=True)
class Trial:
    """Whether a rule would act on a ticket: what is in the way, or what it would do and what it would not send."""

    rule: Rule
    in_the_way: tuple[str, ...] = ()
    outcome: Outcome | None = None
    left_out: tuple[str, ...] = ()


def trials(desk: Desk, number: int, at: Millis, on: str | None = None) -> Iterator[Trial]:
    """For every rule, whether it would act if what it waits for (or `on`) happened to the ticket now.

    What `was:` asks for is taken from the last time that it did happen.
    """
    store = desk.store
    ticket = store.ticket(number)
    news = [one for _, some in told(store.log(ticket=number, limit=10_000, newest=True)) for one in some]
    for rule in load(desk.config).items.values():
        last = next((one for one in reversed(news) if one.on & set(rule.on) and on in (None, *one.on)), None)
        why = list(_in_the_way(store, rule, ticket, last, at, on))
        yield Trial(rule, tuple(why)) if why else _tried(desk, rule, ticket, at)


def _in_the_way(
    store: Store, rule: Rule, ticket: Ticket, last: News | None, at: Millis, on: str | None
) -> Iterator[str]:
    if not rule.enabled:
        yield "it is switched off"
    if on is not None and on not in rule.on:
        yield f"it waits for {' or '.join(rule.on)}, not for {on}"
    asked = case(
        ticket, store.customer(ticket.requester), partial(store.thread, ticket.id), rule.condition.asks,
        before=last.before(ticket) if last else ticket, new=last.messages("in", "out") if last else (),
    )  # fmt: skip
    yield from (f"{term} does not hold" for term in rule.condition.fails(asked, at))
    if rule.on == ("idle",) and at - ticket.idle_since <= rule.idle_for:
        yield f"it waits until nobody did anything for {rule.idle}; that was {brief(at - ticket.idle_since)} ago"


def _tried(desk: Desk, rule: Rule, ticket: Ticket, at: Millis) -> Trial:
    found: list[Trial] = []

    def body(tx: Tx) -> None:
        review = Automatic(desk.config, at)
        try:
            person, thread = tx.customer(ticket.requester), partial(tx.thread, ticket.id)
            calls = rule.calls(ticket, person, thread, desk.config, at)
            batch = Batch("trial", at, RULES.name, line=title(calls), source=rule.source)
            outcome = perform_in(tx, desk, calls, ticket.id, Who(RULES), batch, review=review)
            found.append(Trial(rule, tuple(outcome.skipped.values()), outcome, tuple(review.left_out)))
        except DeskError as error:
            found.append(Trial(rule, (str(error),)))
        raise Undone

    with suppress(Undone):
        desk.store.write(body)
    return found[-1]


# -- what would have happened ---------------------------------------------------------


@dataclass(frozen=True)
class Acted:
    """A rule that would have acted on something that happened, and the lines."""

    news: News
    rule: Rule
    line: str
    trouble: str = ""


def replay(desk: Desk, since: Millis) -> Iterator[Acted]:
    """What the rules of today would have done since then, oldest first, each event by itself.

    Status, assignee, tags and their like are taken as they were then, out of the log; rules
    that wait for the time are left out, and what rules cause is not played on.
    """
    rules = [rule for rule in load(desk.config).items.values() if rule.enabled]
    news = [one for _, some in told(list(_records(desk.store, since))) for one in some]
    then = _rewound(desk.store, news)
    for place, one in enumerate(news):
        if place not in then:
            continue
        ticket, before = then[place]
        chain = desk.store.causes(one.batch) if one.records[0].caused_by else [one.source]
        customer = desk.store.customer(ticket.requester)
        for rule in rules:
            if not rule.waits_for(one, chain):
                continue
            thread = partial(_said, desk.store, one)
            asked = case(ticket, customer, thread, rule.condition.asks, before=before, new=one.messages("in", "out"))
            if rule.condition.holds(asked, one.at):
                yield _acted(desk, one, rule, ticket, customer)
                if rule.stop:
                    break


def _acted(desk: Desk, news: News, rule: Rule, ticket: Ticket, customer: Customer) -> Acted:
    try:
        return Acted(
            news, rule, title(rule.calls(ticket, customer, partial(_said, desk.store, news), desk.config, news.at))
        )
    except DeskError as error:
        return Acted(news, rule, "; ".join(rule.do), str(error))


def _said(store: Store, news: News) -> Sequence[Message]:
    """The conversation up to then."""
    newest = max(news.messages("in", "out"), default=0)
    return [m for m in store.thread(news.ticket) if m.at <= news.at or m.id <= newest]


def _rewound(store: Store, news: Sequence[News]) -> dict[int, tuple[Ticket, Ticket | None]]:
    """For each of the news the ticket behind it and before it."""
    now: dict[int, Ticket | None] = {}
    found: dict[int, tuple[Ticket, Ticket | None]] = {}
    for place in range(len(news) - 1, -1, -1):
        one = news[place]
        if one.ticket not in now:
            try:
                now[one.ticket] = store.ticket(one.ticket)
            except NotFound:
                now[one.ticket] = None
        after = now[one.ticket]
        if after is not None:
            before = one.before(after)
            found[place] = after, before
            now[one.ticket] = before
    return found


def _records(store: Store, since: Millis) -> Iterator[Record]:
    low, high = 0, store.last_seq()
    while low < high:
        middle = (low + high) // 2
        page = store.log(after=middle, limit=1)
        if page and page[0].at < since:
            low = middle + 1
        else:
            high = middle
    while page := store.log(after=low, limit=_PAGE):
        yield from (record for record in page if record.at >= since)
        low = page[-1].seq
