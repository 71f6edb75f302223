"""The single door for change: verbs on tickets, undo and redo.

`perform` runs the lines of one request on each ticket in turn: lock, check permission,
run, recompute the due time, append to the log, commit. A ticket gets all of it or
nothing; a bulk run goes in chunks, so that nobody waits for it, under one batch id,
so that one undo takes all of it back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, tzinfo
from typing import Any

from msgspec import Struct, field

from desk import lines
from desk.actions import Action, Context, find
from desk.blobs import Blob
from desk.config import DeskConfig
from desk.errors import Conflict, DeskError, Forbidden, Invalid, NotFound
from desk.events import Changed, Event, Opened, Posted, Record, Withdrawn, evolve, guard, invert
from desk.lines import Call
from desk.model import Account, Agent, Attachment, Identity, Message, Millis, Role, State, Team, Ticket
from desk.permissions import RULES, demand
from desk.query import suggest
from desk.store import Batch, Store, Tx
from desk.telling import called
from desk.threads import Signer
from desk.when import moment

CHUNK = 32
"""Tickets in one transaction of a bulk run: about 20 ms, so that others' changes come between."""


class Who(Struct, frozen=True):
    """Who acts: the agent (None: nobody this desk knows), the kernel's user, the host, where they are."""

    agent: Agent | None
    uid: int | None = None
    host: str = ""
    zone: tzinfo = UTC


class Desk(Struct, frozen=True):
    """What every change needs to know about the desk itself."""

    store: Store
    config: DeskConfig
    signer: Signer


class Outcome(Struct):
    """What a request did: the batch (for undo), tickets done, tickets left alone and why, messages posted."""

    batch: str
    line: str
    done: list[int] = field(default_factory=list)
    skipped: dict[int, str] = field(default_factory=dict)
    opened: list[int] = field(default_factory=list)
    posted: list[int] = field(default_factory=list)
    queued: list[int] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        """Whether anything is different now."""
        return bool(self.events)


class Undone(Exception):
    """Leaves a transaction without committing what was written in it."""


def perform(
    desk: Desk,
    calls: Sequence[Call] | Mapping[int, Sequence[Call]],
    ids: Sequence[int],
    who: Who,
    *,
    at: Millis,
    batch_id: str,
    line: str = "",
    source: str = "",
    dry_run: bool = False,
    expect: Mapping[int, int] | None = None,
    read_file: Callable[[str], tuple[str, str, bytes]] | None = None,
    progress: Callable[[int, int], bool] | None = None,
) -> Outcome:
    """Do `calls` on each of the tickets `ids` (none: on a new ticket), as one batch.

    What a macro or rule wants of each ticket differs: `calls` may give it by ticket, and
    `line` what the log calls all of it. `expect` maps a ticket to the version the agent saw: a newer one is a conflict.
    `read_file` gives (name, content type, bytes) of a path. `progress(done, all)` may
    return False to stop after the chunk at hand. With one ticket a failure raises; with
    several it is listed under `skipped`.
    """
    by_ticket = calls if isinstance(calls, Mapping) else None
    every = [call for some in calls.values() for call in some] if isinstance(calls, Mapping) else list(calls)
    agent, actions = _allowed(every, who)
    batch = Batch(batch_id, at, agent.name, who.uid, who.host, line or lines.title(every), source)
    outcome = Outcome(batch.id, batch.line)
    creates = by_ticket is None and actions[every[0].verb].creates
    targets = [0] if creates else list(dict.fromkeys(ids))
    if not targets:
        raise Invalid(f"{every[0].verb} needs tickets: numbers, ranges (1-3,5), - for standard input, or -q QUERY")
    of_each = by_ticket if by_ticket is not None else dict.fromkeys(targets, every)
    run = _Run(desk, batch, agent, who.zone, of_each, actions, expect or {}, read_file)
    for start in range(0, len(targets), CHUNK):
        chunk = targets[start : start + CHUNK]
        part = _commit(desk.store, lambda tx, chunk=chunk: run.chunk(tx, chunk), dry_run)  # type: ignore[misc]
        _add(outcome, part)
        if progress and not progress(min(start + CHUNK, len(targets)), len(targets)):
            break
    if len(targets) == 1 and outcome.skipped and not outcome.done:
        raise run.errors[targets[0]]
    return outcome


def perform_in(
    tx: Tx, desk: Desk, calls: Sequence[Call], ticket: int, who: Who, batch: Batch, *, review: Review | None = None
) -> Outcome:
    """Do `calls` on a ticket inside a transaction of the caller's, who has more to write into it.

    What the verbs gave goes through `review` before it is written. A failure leaves nothing
    of this ticket in the transaction; it is listed under `skipped`.
    """
    agent, actions = _allowed(calls, who)
    run = _Run(desk, batch, agent, who.zone, {ticket: calls}, actions, {}, None, review)
    return run.chunk(tx, (ticket,))


Review = Callable[[Tx, Sequence[Event]], list[Event]]
"""What becomes of the events that verbs gave, before they are written."""


def _allowed(calls: Sequence[Call], who: Who) -> tuple[Agent, dict[str, Action]]:
    """Who acts, and the verbs they are to use; Forbidden, when they may not."""
    actions = {verb: find(verb) for verb in dict.fromkeys(call.verb for call in calls)}
    if not actions:
        raise Invalid("nothing to do; write a verb, for example: assign me")
    for action in actions.values():
        agent = demand(who.agent, action.name, action.role)
    return agent, actions


def _commit(store: Store, body: Callable[[Tx], Outcome], dry_run: bool) -> Outcome:
    result: list[Outcome] = []

    def once(tx: Tx) -> Outcome:
        outcome = body(tx)
        if dry_run or not outcome.changed:
            # Nothing stays of what came to nothing either, such as a customer who was looked up for it.
            result.append(outcome)
            raise Undone
        return outcome

    try:
        return store.write(once)
    except Undone:
        return result[-1]


def _add(whole: Outcome, part: Outcome) -> None:
    whole.done += part.done
    whole.skipped |= part.skipped
    whole.opened += part.opened
    whole.posted += part.posted
    whole.queued += part.queued
    whole.events += part.events


class _Run(Struct):
    """One request on its way through the tickets."""

    desk: Desk
    batch: Batch
    agent: Agent
    zone: tzinfo
    calls: Mapping[int, Sequence[Call]]
    actions: Mapping[str, Action]
    expect: Mapping[int, int]
    read_file: Callable[[str], tuple[str, str, bytes]] | None
    review: Review | None = None
    errors: dict[int, DeskError] = field(default_factory=dict)

    def chunk(self, tx: Tx, ids: Sequence[int]) -> Outcome:
        outcome = Outcome(self.batch.id, self.batch.line)
        tickets = tx.tickets(sorted({*ids, *self.mentioned(ids)} - {0}))
        for number in ids:
            try:
                events, last = self.one(tx, number, tickets)
            except DeskError as error:
                self.errors[number] = error
                outcome.skipped[number] = str(error)
                continue
            if events:
                tx.append(self.batch, events)
            tickets |= tx.tickets({n for n in (e.about for e in events) if n in tickets})
            _report(outcome, number, events)
            posted = [e.message for e in events if isinstance(e, Posted)]
            if posted:
                tx.seen(self.agent.name, last, max(m.id for m in posted))
        return outcome

    def mentioned(self, ids: Sequence[int]) -> Iterator[int]:
        """Tickets named in arguments, locked together with the others so that two runs never wait for each other."""
        for number in ids:
            for call in self.calls.get(number, ()):
                for argument in self.actions[call.verb].arguments:
                    if argument.name in call.args:
                        yield from argument.param.tickets(call.args[argument.name])

    def one(self, tx: Tx, number: int, tickets: dict[int, Ticket]) -> tuple[list[Event], int]:
        ticket = tickets.get(number)
        if ticket is None and number:
            raise NotFound(f"there is no ticket #{number}")
        if ticket is not None and number in self.expect and ticket.version != self.expect[number]:
            raise Conflict(f"#{number} was changed by somebody else meanwhile; look at it again")
        events: list[Event] = []
        # What the first verb does to other tickets, the second sees; what fails leaves no trace.
        tickets = dict(tickets)
        resolver = _Resolver(self, tx, tickets, ticket)
        for call in self.calls.get(number, ()):
            action = self.actions[call.verb]
            fresh = action.run(ticket, **resolver.arguments(call, action), ctx=resolver.context(events))
            events += fresh
            for event in fresh:
                if isinstance(event, Opened) and ticket is None:
                    ticket = event.ticket
                elif getattr(event, "entity", "ticket") != "ticket":
                    continue
                elif ticket is not None and event.about == ticket.id:
                    ticket = tickets[ticket.id] = evolve(ticket, event, self.batch.at)
                elif event.about in tickets:
                    tickets[int(event.about)] = evolve(tickets[int(event.about)], event, self.batch.at)
            resolver.ticket_at_hand = ticket
        assert ticket is not None
        return self.review(tx, events) if self.review else events, ticket.id


def _report(outcome: Outcome, number: int, events: Sequence[Event]) -> None:
    outcome.events += events
    for event in events:
        if isinstance(event, Opened):
            outcome.opened.append(event.ticket.id)
        elif isinstance(event, Posted):
            outcome.posted.append(event.message.id)
            outcome.queued += [d.id for d in event.deliveries]
    outcome.done.append(number or outcome.opened[0])


class _Resolver:
    """Gives arguments their meaning, for one ticket inside one transaction."""

    def __init__(self, run: _Run, tx: Tx, tickets: dict[int, Ticket], ticket: Ticket | None) -> None:
        self._run, self._tx, self._tickets = run, tx, tickets
        self.ticket_at_hand = ticket
        self.at = run.batch.at

    def arguments(self, call: Call, action: Action) -> dict[str, Any]:
        resolved: dict[str, Any] = {}
        for argument in action.arguments:
            if argument.name in call.args:
                resolved[argument.name] = argument.param.resolve(call.args[argument.name], self)
            elif isinstance(argument.default, str) and argument.default and argument.param.word == "agent":
                resolved[argument.name] = argument.param.resolve(argument.default, self)
        return resolved

    def context(self, before: Sequence[Event]) -> Context:
        """What the next verb may know; `before` is what the ones before it did and nobody wrote down yet."""
        tx, run = self._tx, self._run
        posted = [event.message for event in before if isinstance(event, Posted)]
        return Context(
            at=self.at,
            agent=run.agent,
            config=run.desk.config,
            accounts=_Late(tx.accounts),
            new_id=tx.new_id,
            sign=run.desk.signer.token,
            thread=lambda ticket: [*tx.thread(ticket.id), *(m for m in posted if m.ticket == ticket.id)],
            customer=tx.customer,
            contacts=tx.contacts,
            identities=tx.identities,
            tickets_of=lambda customer: list(tx.tickets(tx.tickets_of(customer)).values()),
            separate=lambda identity: tx.separate(identity, self.at),
            customer_for=lambda identity: tx.customer_for(identity, self.at),
            agents=tx.agents,
            workload=lambda: tx.workload(self.at),
            previous=tx.previous,
        )

    def agent(self, name: str) -> str:
        if name == "me":
            if self._run.agent == RULES:
                raise Invalid('a rule is nobody that "me" could be; write the name of an agent')
            return self._run.agent.name
        agents = self._tx.agents()
        if name not in agents or not agents[name].active:
            raise NotFound(f'there is no agent "{name}"{suggest(name, [a.name for a in agents.values() if a.active])}')
        return name

    def team(self, name: str) -> str:
        teams: dict[str, Team] = self._tx.teams()
        if name not in teams:
            raise NotFound(
                f'there is no team "{name}"{suggest(name, tuple(teams))}; an admin adds one with: deskhand agent team {name}'
            )
        return name

    def ticket(self, number: int) -> Ticket:
        if number not in self._tickets:
            raise NotFound(f"there is no ticket #{number}")
        return self._tickets[number]

    def message(self, number: int) -> Message:
        assert self.ticket_at_hand is not None
        found = next((m for m in self._tx.thread(self.ticket_at_hand.id) if m.id == number), None)
        if found is None:
            raise NotFound(
                f"#{self.ticket_at_hand.id} has no message {number}; deskhand show {self.ticket_at_hand.id} lists them"
            )
        return found

    def moment(self, text: str) -> Millis:
        return moment(text, self.at, self._run.zone)

    def identity(self, customer: int) -> Identity:
        person = self._tx.customer(customer)
        return Identity("email", person.address, person.name)

    def file(self, path: str) -> Attachment:
        if self._run.read_file is None:
            raise Invalid("files cannot be attached here")
        name, content_type, data = self._run.read_file(path)
        blob = Blob.of(data)
        self._tx.put_blobs((blob,))
        return Attachment(name, content_type, blob.size, blob.key)


class _Late(Mapping[str, Account]):
    """A mapping that is read only when somebody looks."""

    def __init__(self, load: Callable[[], Mapping[str, Account]]) -> None:
        self._load = load

    def __getitem__(self, name: str) -> Account:
        return self._load()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._load())

    def __len__(self) -> int:
        return len(self._load())


# -- taking it back ---------------------------------------------------------


def undo(
    desk: Desk,
    who: Who,
    *,
    at: Millis,
    batch_id: str,
    batch: str | None = None,
    redo: bool = False,
    dry_run: bool = False,
) -> Outcome:
    """Take back a batch (default: your newest), or with `redo` do again what was taken back last.

    Tickets that somebody changed since in the same place are left alone and listed. A
    message is taken back only while it has not begun to go out.
    """
    agent = demand(who.agent, "redo" if redo else "undo", Role.AGENT)
    target = batch or desk.store.last_batch(agent.name, undo=redo)
    if target is None:
        raise NotFound(f"there is nothing of yours to {'do again' if redo else 'undo'}")
    errors: list[DeskError] = []

    def body(tx: Tx) -> Outcome:
        errors.clear()
        # Whose turn it was to get a ticket is past: taken back, it would favour them.
        records = [r for r in tx.records(target) if (r.entity, r.data.get("field")) != ("agent", "turn")]
        if not records:
            raise NotFound(f"there is no batch {target}; deskhand log shows them")
        first = records[0]
        if first.agent is None:
            raise Conflict(
                f"batch {target} came from outside ({first.source}) and cannot be taken back; use spam or trash"
            )
        if any(r.entity not in ("ticket", "customer") for r in records):
            raise Conflict(f"batch {target} changed the team or the settings; change it back with the same verb")
        if first.agent != agent.name and agent.role.rank < Role.LEAD.rank:
            raise Forbidden(
                f"that was done by {first.agent or first.source}; a lead can take it back, or do the opposite yourself"
            )
        header = Batch(
            batch_id, at, agent.name, who.uid, who.host, f"{'redo' if redo else 'undo'}: {first.line}", undoes=target
        )
        outcome = Outcome(header.id, header.line)
        for group in _together(records):
            try:
                events = _inverse(tx, group, at + desk.config.undo)
            except DeskError as error:
                errors.append(error)
                outcome.skipped |= dict.fromkeys(_tickets_of(group), str(error))
                continue
            if events:
                tx.append(header, events)
                outcome.events += events
            outcome.done += sorted(_tickets_of(group))
        return outcome

    outcome = _commit(desk.store, body, dry_run)
    if errors and not outcome.done:
        raise errors[0]
    return outcome


def _tickets_of(group: Sequence[Record]) -> set[int]:
    found = {int(r.about) for r in group if r.entity == "ticket"}
    return found | {r.data["to"] for r in group if r.kind == "Moved"}


def _together(records: Sequence[Record]) -> list[list[Record]]:
    """The records newest first, in groups that are taken back whole: by ticket, joined where tickets are entangled."""
    groups: list[tuple[set[int], list[Record]]] = []
    entangled = any(
        r.kind in ("Moved", "Opened") or r.entity != "ticket" or r.data.get("field") == "links" for r in records
    )
    for record in reversed(records):
        about = _tickets_of([record])
        found = next((g for g in groups if entangled or g[0] & about), None)
        if found is None:
            groups.append((about, [record]))
        else:
            found[0].update(about)
            found[1].append(record)
    return [group for _, group in groups]


def _inverse(tx: Tx, group: Sequence[Record], not_before: Millis) -> list[Event]:
    tickets = tx.tickets(sorted(_tickets_of(group)))
    events: list[Event] = []
    for record in group:
        event = invert(record, not_before)
        if event is None:
            continue
        if isinstance(event, Changed) and event.entity == "ticket":
            ticket = tickets[int(event.about)]
            guard(ticket, event)
            tickets[ticket.id] = evolve(ticket, event, record.at)
        elif isinstance(event, Withdrawn):
            _demand_waiting(tx, event.message)
        events.append(event)
    return events


def _demand_waiting(tx: Tx, message: int) -> None:
    for delivery in tx.deliveries(message):
        if delivery.state not in (State.QUEUED, State.DEFERRED, State.FAILED, State.WITHDRAWN):
            what = called(tx.message(message))
            raise Conflict(f"{what} is {delivery.state.value} and cannot be taken back; write again instead")


def new_batch_id(at: Millis, random: bytes) -> str:
    """A batch id that sorts by time: 11 digits of milliseconds and 8 random ones, hexadecimal."""
    import hashlib

    return f"{at:011x}{hashlib.sha256(random).hexdigest()[:8]}"
