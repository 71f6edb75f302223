"""Promises and their clocks: `[policies.NAME]`, when a ticket is due, and why.

A policy is the first whose query holds. It promises up to three times: a first reply, the next
reply, the resolution. Everything here follows from a ticket and the configuration alone, so that
it can be worked out again at any time: a ticket keeps the stages it went through, not a counter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING
from typing import Any as Anything

from msgspec import Struct, field
from msgspec.structs import replace

from desk import query, tables
from desk.config import DeskConfig, Source
from desk.errors import KeyProblem
from desk.events import Clock
from desk.model import MINUTE, Customer, Millis, Priority, Status, Ticket
from desk.tables import Checked, Entry
from desk.when import span

if TYPE_CHECKING:
    from desk.hours import Always, Hours

PROMISED = ("first-reply", "next-reply", "resolution")
"""What a policy can promise."""

CALL_BACK = "call-back"
"""What an agent promised: to call at a time."""

CLOCKS = (*PROMISED, CALL_BACK)

_PAUSES: dict[str, tuple[str, ...]] = {"first-reply": (), "next-reply": (), "resolution": ("pending", "on-hold")}
_SOLVED = frozenset({Status.SOLVED, Status.CLOSED})
_CAN_PAUSE = ("new", "open", "pending", "on-hold")
_PRIORITIES = tuple(str(priority) for priority in Priority)

_MEMORY = 12
"""How many of the warnings and breaches that are past a ticket remembers: twice all that it can have."""

SHIPPED: dict[str, dict[str, Anything]] = {
    "chat": {
        "when": "channel:chat,matrix,xmpp,irc,telegram",
        "first_reply": {"normal": "1m", "urgent": "15s"},
        "next_reply": {"normal": "1m", "urgent": "15s"},
    },
    "public": {
        "when": "channel:mastodon,x,facebook,instagram,discourse,nntp",
        "first_reply": {"normal": "4h", "urgent": "1h"},
        "next_reply": {"normal": "4h", "urgent": "1h"},
    },
    "telephone": {
        "when": "channel:phone",
        "first_reply": {"normal": "2h", "urgent": "30m"},
        "next_reply": {"normal": "2h", "urgent": "30m"},
    },
    "everything": {
        "first_reply": {"normal": "24h", "urgent": "6h"},
        "next_reply": {"normal": "24h", "urgent": "6h"},
    },
}
"""The policies of a desk that has written none."""


class PolicyTable(Struct, frozen=True):
    """`[policies.NAME]`: what is promised to the tickets that `when` asks for, if no policy above it does.

    A target is a span ("4h") or a table of spans by priority, with `warn` (how long before),
    `time` ("business" or "calendar") and `pause` (the statuses in which its clock stands still).
    `calendar` names the working hours; `warn` is what holds where a target says nothing.
    """

    when: str = ""
    calendar: str = ""
    warn: str = ""
    first_reply: Anything = ""
    next_reply: Anything = ""
    resolution: Anything = ""


class Target(Struct, frozen=True):
    """How long something may take: spans by priority, from low to urgent."""

    spans: tuple[Millis, ...]
    warn: Millis | None
    pause: frozenset[Status]
    hours: Hours | Always
    calendar: str = ""

    def span(self, priority: Priority) -> Millis:
        """How long a ticket of this priority may take."""
        return self.spans[priority - 1]

    def warning(self, priority: Priority) -> Millis:
        """How much of that has passed when somebody is to be warned: three quarters unless told otherwise."""
        whole = self.span(priority)
        return whole * 3 // 4 if self.warn is None else max(0, whole - self.warn)


class Policy(Struct, frozen=True):
    """A promise to some tickets."""

    name: str
    when: str
    node: query.Node
    asks_customer: bool
    targets: Mapping[str, Target] = field(default_factory=dict)


class Promise(Struct, frozen=True):
    """One clock of a ticket: `running` until `due`, `paused` with `left` to go, or `kept` at `kept_at`.

    `since` is when it began. A clock that ran out before it was paused has its `due` all the same, and so has
    one that was kept, as far as it can be told.
    """

    clock: str
    policy: str
    state: str
    since: Millis
    due: Millis | None = None
    left: Millis | None = None
    warn_at: Millis | None = None
    kept_at: Millis | None = None


# -- the policies -------------------------------------------------------------


@tables.once
def load(config: DeskConfig) -> Checked[Policy]:
    """The policies in their order; the shipped ones where the team has written none."""
    if "policies" in config.tables:
        return tables.checked(config, "policies", lambda entry: _policy(entry, config))
    source = Source("the shipped policies", "")
    return Checked({n: _policy(Entry("policies", n, values, source), config) for n, values in SHIPPED.items()})


def _policy(entry: Entry, config: DeskConfig) -> Policy:
    table = tables.built(entry, PolicyTable)
    try:
        node = query.parse(table.when, query.Env(0))
    except query.QueryError as error:
        raise KeyProblem("when", str(error)) from error
    asked = set(_asked(node))
    if "" in asked:
        raise KeyProblem(
            "when",
            "a policy can ask for what a ticket and its customer are, not for times, words of messages or who looks",
        )
    targets = {
        clock: _target(clock, clock.replace("-", "_"), getattr(table, clock.replace("-", "_")), table, config)
        for clock in PROMISED
        if getattr(table, clock.replace("-", "_")) != ""
    }
    return Policy(entry.name, table.when, node, "customer" in asked, targets)


def _asked(node: query.Node) -> Iterator[str]:
    """What a query asks about: "ticket", "customer", or "" for what a policy cannot know."""
    match node:
        case query.All(parts) | query.Any(parts):
            for part in parts:
                yield from _asked(part)
        case query.Not(part):
            yield from _asked(part)
        case query.Is(values=values):
            yield "" if "\x00" in values else "ticket"
        case query.Has() | query.Between():
            yield "ticket"
        case query.Words("text", needle):
            words = " ".join(needle.split())
            raise KeyProblem(
                "when",
                f'"{words}" would be looked for in messages; a policy can ask for what a ticket and its customer are',
            )
        case query.Words(where):
            yield {"subject": "ticket", "requester": "customer", "organisation": "customer"}.get(where, "")
        case _:
            yield ""


def _target(clock: str, key: str, value: Anything, table: PolicyTable, config: DeskConfig) -> Target:
    told = {"normal": value} if isinstance(value, str) else value
    if not isinstance(told, dict):
        raise KeyProblem(key, f'{key} is a span ("4h") or a table: {{ normal = "8h", urgent = "1h" }}')
    for name in told:
        if name not in (*_PRIORITIES, "warn", "time", "pause"):
            raise KeyProblem(
                key, f'{key} has no "{name}"{query.suggest(name, (*_PRIORITIES, "warn", "time", "pause"))}'
            )
    if "normal" not in told:
        raise KeyProblem(key, f'{key} needs a span for "normal"; priorities that are not named have it too')
    business = told.get("time", "business" if table.calendar else "calendar")
    if business not in ("business", "calendar"):
        raise KeyProblem(key, f'time is "business" or "calendar", not "{business}"')
    in_hours = business == "business"
    if in_hours and not table.calendar:
        raise KeyProblem(key, "business time needs to know the working hours: calendar = NAME")
    spans = tuple(_span(key, told.get(name, told["normal"]), in_hours) for name in _PRIORITIES)
    if min(spans) <= 0:
        raise KeyProblem(key, f"{key} promises no time at all")
    warn = told.get("warn", table.warn)
    pause = told.get("pause", _PAUSES[clock])
    if not isinstance(pause, (list, tuple)) or any(name not in _CAN_PAUSE for name in pause):
        raise KeyProblem(key, f"pause is a list of statuses: {', '.join(_CAN_PAUSE)}")
    hours, calendar = _hours(table.calendar if in_hours else "", config)
    warning = _span(key, warn, in_hours) if warn else None
    # What was solved and opened again was nobody's to solve meanwhile; who was not answered waited all the time.
    still = frozenset(Status(name) for name in pause) | (_SOLVED if clock == "resolution" else frozenset())
    return Target(spans, warning, still, hours, calendar)


def _span(key: str, text: Anything, business: bool) -> Millis:
    length = span(text) if isinstance(text, str) else None
    if length is None:
        raise KeyProblem(key, f'"{text}" is no span; write 30m, 4h or 1h30m')
    if business and any(unit in text for unit in ("d", "w", "mo", "y")):
        raise KeyProblem(key, f'"{text}" is not clear in working time; write hours')
    return length


def _hours(name: str, config: DeskConfig) -> tuple[Hours | Always, str]:
    from desk import hours

    if not name:
        return hours.ROUND_THE_CLOCK, ""
    known = hours.load(config).items
    if name not in known and name in config.tables.get("calendars", {}):
        raise KeyProblem("calendar", f'the calendar "{name}" has a mistake of its own; mend [calendars.{name}] first')
    if name not in known:
        raise KeyProblem("calendar", f'there is no calendar "{name}"{query.suggest(name, tuple(known))}')
    return known[name], name


def policy_of(ticket: Ticket, config: DeskConfig, customer: Callable[[], Customer]) -> Policy | None:
    """The policy of a ticket: the first that holds. `customer` is asked for only where a policy wants to know."""
    case = query.Case(ticket, _NOBODY)
    for policy in load(config).items.values():
        if policy.asks_customer and case.customer is _NOBODY:
            case = query.Case(ticket, customer())
        if query.matches(policy.node, case):
            return policy
    return None


_NOBODY = Customer(0, "", "")


# -- the clocks ---------------------------------------------------------------


def promises(ticket: Ticket, policy: Policy | None) -> tuple[Promise, ...]:
    """The clocks of a ticket, in the order of CLOCKS; only those that were ever set going."""
    if not ticket.visible:
        return ()
    targets = policy.targets.items() if policy is not None else ()
    found = [_promise(clock, target, ticket, policy.name if policy else "") for clock, target in targets]
    if ticket.callback_at is not None and ticket.status.live:
        warn = ticket.callback_at - _CALL_BACK_WARN
        found.append(Promise(CALL_BACK, "", "running", ticket.created_at, ticket.callback_at, warn_at=warn))
    return tuple(promise for promise in found if promise is not None)


_CALL_BACK_WARN: Millis = 10 * MINUTE


def _promise(clock: str, target: Target, ticket: Ticket, policy: str) -> Promise | None:
    if clock == "resolution":
        since = ticket.created_at
        if not ticket.status.live:
            return _passed(Promise(clock, policy, "kept", since, kept_at=ticket.solved_at), target, ticket)
    else:
        replied = ticket.first_reply_at is not None
        if clock == "first-reply" and replied:
            due = target.hours.after(ticket.created_at, target.span(ticket.priority))
            if any(not stage.status.live and stage.at <= (ticket.first_reply_at or 0) for stage in ticket.stages):
                # Solved before anybody answered, and asked again: that clock began later, nobody knows when.
                due = None
            return Promise(clock, policy, "kept", ticket.created_at, due, kept_at=ticket.first_reply_at)
        if clock == "next-reply" and replied and ticket.waiting_since is None and ticket.status.live:
            return Promise(clock, policy, "kept", ticket.created_at, kept_at=ticket.replied_at)
        if ticket.waiting_since is None or not ticket.status.live or replied != (clock == "next-reply"):
            return None
        since = ticket.waiting_since
    found = _passed(Promise(clock, policy, "running", since), target, ticket)
    if found.due is not None:
        return found
    # Without a due time it stands still, or its calendar never opens again.
    return None if ticket.status not in target.pause else replace(found, state="paused")


def _passed(promise: Promise, target: Target, ticket: Ticket) -> Promise:
    """`promise` with what follows from the time that has passed and, while it runs, from the time to come."""
    spans = list(_counted(ticket, promise.since, target.pause))
    due, left = _reach(spans, target, target.span(ticket.priority))
    warn_at, _ = _reach(spans, target, target.warning(ticket.priority))
    return replace(promise, due=due, left=None if due is not None else left, warn_at=warn_at)


def _counted(ticket: Ticket, since: Millis, pause: frozenset[Status]) -> Iterator[tuple[Millis, Millis | None]]:
    """The times that count from `since` on; the last one is open while the clock runs."""
    if not pause:
        yield since, None
        return
    begin, status = since, Status.NEW if ticket.stages else ticket.status
    for stage in ticket.stages:
        if stage.at > begin:
            if status not in pause:
                yield begin, stage.at
            begin = stage.at
        status = stage.status
    if ticket.status not in pause:
        yield begin, None


def _reach(spans: list[tuple[Millis, Millis | None]], target: Target, wanted: Millis) -> tuple[Millis | None, Millis]:
    """When `wanted` of counted time has passed (None: not yet), and how much of it is left."""
    for start, end in spans:
        if end is None:
            return target.hours.after(start, wanted), wanted
        passed = target.hours.between(start, end)
        if passed >= wanted:
            return target.hours.after(start, wanted), 0
        wanted -= passed
    return None, wanted


# -- the ticket ---------------------------------------------------------------


def settle(ticket: Ticket, owed: tuple[Promise, ...], *, quiet_until: Millis | None = None) -> Ticket:
    """`ticket` with all that follows from its clocks; the very same where that is what it says already.

    With `quiet_until`, what ran out before then counts as told: an archive that is taken in alarms nobody.
    """
    alarms = set(ticket.alarms)
    if quiet_until is not None:
        alarms.update(_alarm(event) for event in _ripe(ticket, owed, quiet_until))
    alarms = _remembered(alarms, owed)
    open_ = [promise for promise in owed if promise.state != "kept"]
    dues = [(p.due, p.clock) for p in open_ if p.due is not None]
    due_at, due_kind = min(dues) if dues else (None, None)
    fresh = {
        "due_at": due_at,
        "due_kind": due_kind,
        "paused": not dues and any(p.state == "paused" for p in open_),
        "breached": any(_id("breach", p.clock, p.due) in alarms for p in open_),
        "alarms": tuple(sorted(alarms)),
        "alarm_at": min((at for p in open_ for at in _to_come(p, alarms)), default=None),
    }
    if all(getattr(ticket, name) == value for name, value in fresh.items()):
        return ticket
    return replace(ticket, **fresh)


def _alarms(promise: Promise) -> Iterator[tuple[str, str, Millis]]:
    """What is to be told of a promise: ("warn" or "breach", what a ticket remembers it by, when)."""
    if promise.warn_at is not None and promise.warn_at != promise.due:
        yield "warn", _id("warn", promise.clock, promise.warn_at), promise.warn_at
    if promise.due is not None:
        yield "breach", _id("breach", promise.clock, promise.due), promise.due


def _remembered(told: set[str], owed: tuple[Promise, ...]) -> set[str]:
    """What is kept of all that was told: what holds now, and the newest of the rest.

    A clock that stopped may go on (a reply bounces, a solved ticket is opened again, a policy is taken
    back), and is then not told a second time.
    """
    now = told & {alarm for promise in owed for _, alarm, _ in _alarms(promise)}
    return now | set(sorted(told - now, key=lambda alarm: int(alarm.rpartition(" ")[2]))[-_MEMORY:])


def _id(what: str, clock: str, at: Millis | None) -> str:
    return f"{what} {clock} {at}"


def _alarm(event: Clock) -> str:
    return _id(event.what, event.clock, event.at)


def _to_come(promise: Promise, told: set[str]) -> Iterator[Millis]:
    """When something is to be told. Who was told that it is too late need not be told that it soon will be."""
    for what, alarm, at in _alarms(promise):
        late = what == "warn" and _id("breach", promise.clock, promise.due) in told
        if alarm not in told and not late:
            yield at


def ring(ticket: Ticket, owed: tuple[Promise, ...], at: Millis) -> list[Clock]:
    """What is to be told at `at` and was not: warnings, and promises that were not kept. Each only once."""
    return [event for event in _ripe(ticket, owed, at) if _alarm(event) not in ticket.alarms]


def _ripe(ticket: Ticket, owed: tuple[Promise, ...], at: Millis) -> Iterator[Clock]:
    for promise in owed:
        if promise.state != "kept":
            ripe = {what: moment for what, _, moment in _alarms(promise) if moment <= at}
            what = "breach" if "breach" in ripe else "warn"
            if what in ripe:
                yield Clock(ticket.id, promise.clock, what, promise.due, promise.policy, ripe[what])


def rung(ticket: Ticket, event: Clock) -> Ticket:
    """`ticket` after a warning or a breach was told."""
    return replace(ticket, alarms=tuple(sorted({*ticket.alarms, _alarm(event)})))


def turns(ticket: int, before: tuple[Promise, ...], after: tuple[Promise, ...]) -> list[Clock]:
    """What happened to the clocks of a ticket between two looks at it."""
    old = {promise.clock: promise for promise in before}
    new = {promise.clock: promise for promise in after}
    events: list[Clock] = []
    for clock in CLOCKS:
        was, now = old.get(clock), new.get(clock)
        if now is None:
            if was is not None and was.state != "kept":
                # A promised call that is owed no more was made, or the ticket is over.
                what = "fulfil" if clock == CALL_BACK else "cancel"
                events.append(Clock(ticket, clock, what, None, was.policy))
            continue
        for what in _turn(was, now):
            moment = now.kept_at if what == "fulfil" else now.since if what == "activate" else None
            events.append(Clock(ticket, clock, what, now.due, now.policy, moment))
    return events


def _turn(was: Promise | None, now: Promise) -> Iterator[str]:
    if now.state == "kept":
        if was is not None and was.state != "kept":
            yield "fulfil"
        return
    if was is None or was.since != now.since or (was.state == "kept" and now.clock == "next-reply"):
        # A new question is a new clock.
        yield "activate"
    elif was.state == "kept" or (was.state == "paused" and now.state == "running"):
        # Opened again, or the reply came back: it goes on where it was.
        yield "resume"
    elif was.state == now.state:
        if was.due != now.due:
            yield "move"
        return
    if now.state == "paused":
        yield "pause"


_AFTER = {"activate": "running", "resume": "running", "pause": "paused", "fulfil": "kept"}


def logged(turns: Iterable[Clock]) -> tuple[Promise, ...]:
    """The clocks of a ticket as its log has them: what was promised to it, were the policies others by now."""
    found: dict[str, Promise] = {}
    for turn in turns:
        was = found.get(turn.clock)
        if turn.what == "cancel":
            found.pop(turn.clock, None)
        elif turn.what == "activate":
            found[turn.clock] = Promise(turn.clock, turn.policy, "running", turn.at or 0, turn.due)
        elif was is not None and turn.what not in ("warn", "breach"):
            state = _AFTER.get(turn.what, was.state)
            found[turn.clock] = replace(was, policy=turn.policy, state=state, due=turn.due)
    return tuple(found.values())
