"""The team's rules at work: they read the log behind everybody else and act on what it tells.

What rules do to a ticket and how far they have read are committed together, so that each
event is acted on once, whatever breaks off in the middle. Nothing here runs inside
anybody else's change.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from desk.automatic import Automatic
from desk.conditions import case
from desk.errors import DeskError, StoreError
from desk.lines import title
from desk.model import MINUTE, Millis, Ticket
from desk.news import News, told
from desk.perform import Desk, Who, new_batch_id, perform_in
from desk.permissions import RULES
from desk.query import All, Between, Case
from desk.rules import DEEPEST, Rule, load, too_deep
from desk.store import Batch, Store, Tx
from relay.engine import Engine
from relay.log import log
from relay.trouble import RULES as RULES_TROUBLE
from relay.trouble import Trouble

CURSOR = "rules:"
"""The name under which it is kept how far the rules have read; no account can have it."""

PAGE = 1_000
CHUNK = 32
"""Tickets in one transaction: a few milliseconds, so that nobody waits for the rules."""

WAIT_S = 1.0
KEEP_MS = 1_000
"""How often it is kept how far the rules have read while there is nothing for them to do."""

LOOK_MS = MINUTE
"""How often idle tickets are looked for."""


def begin(engine: Engine, name: str = CURSOR) -> None:
    """What was there before anybody read the log under this name is no news to them."""

    def body(tx: Tx) -> None:
        if tx.cursor(name) is None:
            tx.set_cursor(name, str(Place(engine.store.last_seq())))

    if engine.store.cursor(name) is None:
        engine.store.write(body)


async def rules(engine: Engine) -> None:
    """Act on what happens and on the time, for ever."""
    await engine.call(begin, engine)
    work = await engine.call(Work, engine)
    try:
        while True:
            more = await engine.call(work.step)
            await engine.report("rules", "ok")
            if not load(engine.config).items:
                await asyncio.sleep(WAIT_S)
            elif not more:
                await engine.news(work.read, WAIT_S)
    finally:
        with suppress(DeskError):
            await asyncio.shield(engine.once(work.keep, 0))


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """How far the log has been read: to the line `seq`, and of the batch behind it `done` tickets."""

    seq: int = 0
    done: int = 0

    def __str__(self) -> str:
        return f"{self.seq}+{self.done}" if self.done else str(self.seq)

    @classmethod
    def parse(cls, text: str) -> Place:
        """The place that `str` wrote."""
        seq, _, done = text.partition("+")
        return cls(int(seq), int(done or 0))


@dataclass(frozen=True, slots=True)
class Waiting:
    """News on which a rule would act, the place behind it, and the rules to ask.

    As the ticket was in `version`, the `first` of them was the first to act.
    """

    news: News
    place: Place
    asked: Sequence[Rule]
    version: int = -1
    first: int = 0


class Lost(DeskError):
    """Somebody else acts on the same events."""


@dataclass
class Work:
    """One relay's turn at the rules."""

    engine: Engine
    place: Place = field(default_factory=Place)
    kept: str = ""
    kept_at: Millis = 0
    looked_at: Millis = 0
    acted: int = 0
    _chains: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.trouble = Trouble(self.engine.store, RULES_TROUBLE)
        self.kept = self.engine.store.cursor(CURSOR) or "0"
        self.place = Place.parse(self.kept)

    @property
    def read(self) -> int:
        """The last line of the log that is done with."""
        return self.place.seq

    def step(self) -> bool:
        """Do what there is to do, up to a page of the log; whether there is more."""
        self._chains.clear()
        more = self._events()
        for rule in self._enabled("at"):
            more = self._by_clock(rule) or more
        if self.engine.now() - self.looked_at >= LOOK_MS:
            idle = [self._at_rest(rule) for rule in self._enabled("idle")]
            more = any(idle) or more
            if not any(idle):
                self.looked_at = self.engine.now()
        return more

    def _enabled(self, occasion: str = "") -> list[Rule]:
        found = load(self.engine.config).items.values()
        return [rule for rule in found if rule.enabled and (not occasion or occasion in rule.on)]

    # -- what happened ------------------------------------------------------------

    def _events(self) -> bool:
        rules = self._enabled()
        if not rules:
            # Nobody asks; a rule that comes begins with what comes then.
            self.place = Place(self.engine.store.last_seq())
            self.keep()
            return False
        page = self.engine.store.log(after=self.place.seq, limit=PAGE)
        batches = told(page)
        if len(page) == PAGE and len(batches) > 1:
            # The last one goes on behind the page, perhaps.
            batches.pop()
        waiting: list[Waiting] = []
        for found in self._in_question(batches, rules):
            waiting.append(found)
            if len(waiting) == CHUNK:
                self._commit(waiting)
                waiting = []
        if waiting:
            self._commit(waiting)
        if batches:
            self.place = Place(batches[-1][0])
        self.keep()
        return len(page) == PAGE

    def _in_question(self, batches: Sequence[tuple[int, list[News]]], rules: Sequence[Rule]) -> Iterator[Waiting]:
        """The news on which some rule would act."""
        before = self.place
        at = self.engine.now()
        touched: set[int] = set()
        for seq, news in batches:
            start = before.done
            for number, one in enumerate(news[start:], start + 1):
                place = Place(seq) if number == len(news) else Place(before.seq, number)
                asked = self._asked(rules, one)
                # What the rules do to a ticket may be what the next one waits for.
                if not asked:
                    continue
                if one.ticket in touched:
                    yield Waiting(one, place, asked)
                elif found := self._concerned(asked, one, place, at):
                    touched.add(one.ticket)
                    yield found
            before = Place(seq)

    def _concerned(self, asked: Sequence[Rule], news: News, place: Place, at: Millis) -> Waiting | None:
        store = self.engine.store
        try:
            ticket = store.ticket(news.ticket)
            whole = _case(store, ticket, asked, news.before(ticket), news)
            first = next((n for n, rule in enumerate(asked) if rule.condition.holds(whole, at)), None)
            return Waiting(news, place, asked, ticket.version, first) if first is not None else None
        except StoreError:
            raise
        except Exception:
            # Whoever acts on it meets the same, alone, and says so.
            return Waiting(news, place, asked)

    def _asked(self, rules: Sequence[Rule], news: News) -> list[Rule]:
        """Those of the rules that wait for this, and did not bring it about."""
        chain = self._chain(news)
        return [rule for rule in rules if rule.waits_for(news, chain)]

    def _chain(self, news: News) -> list[str]:
        """The sources of the batches that led to this, where rules had a part in it."""
        if not news.records[0].caused_by:
            return [news.source]
        if news.batch not in self._chains:
            self._chains[news.batch] = self.engine.store.causes(news.batch)
        return self._chains[news.batch]

    def _commit(self, waiting: Sequence[Waiting]) -> None:
        """Act on these, and keep the place behind the last, in one transaction."""
        try:
            self._write(waiting)
        except (StoreError, Lost):
            raise
        except Exception as error:
            if len(waiting) > 1:
                for one in waiting:
                    self._commit([one])
                return
            self._fail("", waiting[0].news.ticket, f"{type(error).__name__}: {error}")
            self._store_place(waiting[0].place)

    def _write(self, waiting: Sequence[Waiting]) -> None:
        place, at = waiting[-1].place, self.engine.now()

        def body(tx: Tx) -> list[Done]:
            done: list[Done] = []
            self._demand_turn(tx)
            for one in waiting:
                done += self._on(tx, one, at)
            tx.set_cursor(CURSOR, str(place))
            return done

        done = self.engine.store.write(body)
        self.place, self.kept, self.kept_at = place, str(place), at
        self._tell(done)

    def _demand_turn(self, tx: Tx) -> None:
        if (tx.cursor(CURSOR) or "0") != self.kept:
            raise Lost("another relay runs the rules")

    def _on(self, tx: Tx, one: Waiting, at: Millis) -> Iterator[Done]:
        news, left = one.news, list(one.asked)
        ticket = tx.tickets((news.ticket,)).get(news.ticket)
        if ticket is None:
            return
        if ticket.version == one.version:
            # Nobody changed it since it was looked at.
            left = left[one.first :]
        before = news.before(ticket)
        whole: Case | None = None
        for rule in left:
            if whole is None:
                whole = _case(tx, tx.tickets((news.ticket,))[news.ticket], left, before, news)
            if not rule.condition.holds(whole, at):
                continue
            if too_deep(chain := self._chain(news)):
                words = f"not acted: {DEEPEST} rules set each other off: {_shown(chain)}"
                yield Done(rule.name, news.ticket, trouble=words)
                return
            yield self._act(tx, rule, whole.ticket, at, news.batch)
            if rule.stop:
                return
            # The next one looks at what this one left.
            whole = None

    def _act(self, tx: Tx, rule: Rule, ticket: Ticket, at: Millis, cause: str | None) -> Done:
        engine = self.engine
        try:
            person = tx.customer(ticket.requester)
            calls = rule.calls(ticket, person, partial(tx.thread, ticket.id), engine.config, at)
        except StoreError:
            raise
        except DeskError as error:
            return Done(rule.name, ticket.id, trouble=str(error))
        line = title(calls)
        batch = Batch(new_batch_id(at, os.urandom(8)), at, RULES.name, None, "", line, rule.source, caused_by=cause)
        desk = Desk(engine.store, engine.config, engine.signer)
        review = Automatic(engine.config, at)
        outcome = perform_in(tx, desk, calls, ticket.id, Who(RULES), batch, review=review)
        trouble = "; ".join(outcome.skipped.values())
        return Done(rule.name, ticket.id, line if outcome.changed else "", trouble, tuple(review.left_out))

    # -- what the time brings -------------------------------------------------------

    def _by_clock(self, rule: Rule) -> bool:
        """Act at the last moment that is due, on every ticket that is asked for; whether more are left."""
        store, now, name = self.engine.store, self.engine.now(), f"{CURSOR}at:{rule.name}"
        assert rule.moments is not None
        due = rule.moments.last(now, rule.time_zone)
        kept = store.cursor(name)
        if kept is None or due is None:
            # A rule that is new here begins with the moments to come.
            if kept is None:
                store.write(lambda tx: tx.set_cursor(name, str(now)))
            return False
        place = Place.parse(kept)
        if place.done == 0 and due <= place.seq:
            return False
        begun = place if place.done else Place(due, 1)
        wanted = All((rule.condition.node(now), Between("id", begun.done, None)))
        ids = store.ids(wanted, sort="oldest", limit=CHUNK)
        after = Place(begun.seq, ids[-1] + 1) if len(ids) == CHUNK else Place(begun.seq)

        def body(tx: Tx) -> list[Done]:
            if tx.cursor(name) != kept:
                raise Lost("another relay runs the rules")
            tx.set_cursor(name, str(after))
            return [self._act(tx, rule, t, now, None) for t in tx.tickets(ids).values() if _holds(tx, rule, t, now)]

        self._tell(store.write(body))
        return bool(after.done)

    def _at_rest(self, rule: Rule) -> bool:
        """Act on tickets where nobody did anything for so long; whether more are left."""
        store, now = self.engine.store, self.engine.now()
        ids = store.resting(rule.name, rule.condition.node(now), now - rule.idle_for, CHUNK)
        if not ids:
            return False

        def body(tx: Tx) -> list[Done]:
            done = []
            for ticket in tx.tickets(ids).values():
                rests = ticket.idle_since < now - rule.idle_for and _holds(tx, rule, ticket, now)
                if rests and tx.first_rest(rule.name, ticket.id, ticket.idle_since):
                    done.append(self._act(tx, rule, ticket, now, None))
            return done

        self._tell(store.write(body))
        return len(ids) == CHUNK

    # -- keeping and telling ----------------------------------------------------------

    def keep(self, after_ms: Millis = KEEP_MS) -> None:
        """Write down how far we are, now and then: what was nothing to act on may be read again."""
        if str(self.place) != self.kept and self.engine.now() - self.kept_at >= after_ms:
            self._store_place(self.place)

    def _store_place(self, place: Place) -> None:
        def body(tx: Tx) -> None:
            self._demand_turn(tx)
            tx.set_cursor(CURSOR, str(place))

        self.engine.store.write(body)
        self.place, self.kept, self.kept_at = place, str(place), self.engine.now()

    def _tell(self, done: Sequence[Done]) -> None:
        for one in done:
            if one.line:
                self.acted += 1
                log.info("rule acted", extra={"rule": one.rule, "ticket": one.ticket, "line": one.line})
            for words in one.left_out:
                log.info("rule sent nothing", extra={"rule": one.rule, "ticket": one.ticket, "why": words})
            if one.trouble:
                self._fail(one.rule, one.ticket, one.trouble)

    def _fail(self, rule: str, ticket: int, words: str) -> None:
        log.warning("rule could not act", extra={"rule": rule, "ticket": ticket, "why": words})
        self.trouble.note(self.engine.now(), rule, ticket, words)


@dataclass(frozen=True, slots=True)
class Done:
    """What a rule did to a ticket, in a line; or why it could not."""

    rule: str
    ticket: int
    line: str = ""
    trouble: str = ""
    left_out: tuple[str, ...] = ()


def _case(
    reads: Tx | Store, ticket: Ticket, asked: Sequence[Rule], before: Ticket | None = None, news: News | None = None
) -> Case:
    """The ticket as these rules ask about it."""
    asks = {name for rule in asked for name in rule.condition.asks}
    new = news.messages("in", "out") if news else ()
    person, thread = reads.customer(ticket.requester), partial(reads.thread, ticket.id)
    return case(ticket, person, thread, asks, before=before, new=new)


def _holds(tx: Tx, rule: Rule, ticket: Ticket, at: Millis) -> bool:
    return rule.condition.holds(_case(tx, ticket, [rule]), at)


def _shown(chain: Sequence[str]) -> str:
    return " → ".join(source or "an agent" for source in reversed(chain))
