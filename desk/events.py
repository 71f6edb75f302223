"""What happened: the one record that audit, undo, rules and live screens all read.

An event changes one row in one way. `evolve` says what it does to a ticket, `invert`
what takes it back, `describe` how a person would put it. Sets are logged by the
elements that went and came, so that two agents' tags never overwrite each other.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from desk.errors import Conflict
from desk.model import (
    BY_MACHINE,
    MISSED,
    Bin,
    Delivery,
    Direction,
    Kind,
    Link,
    Mark,
    Message,
    Millis,
    Priority,
    Stage,
    State,
    Status,
    Ticket,
)

#: Fields of a ticket that hold several values.
SETS = frozenset({"tags", "cc", "watchers", "links"})


class Opened(Struct, frozen=True):
    """A ticket came to be."""

    ticket: Ticket

    @property
    def about(self) -> int:
        """The ticket's number."""
        return self.ticket.id


class Changed(Struct, frozen=True):
    """A field went from `removed` to `added` (for sets: the elements that went and came).

    `entity` is "ticket", "customer", "agent", "team", "account" or "settings"; `about`
    the number of a ticket or customer, the name of the others.
    """

    about: int | str
    field: str
    removed: Any
    added: Any
    entity: str = "ticket"


class Posted(Struct, frozen=True):
    """A message was added to a ticket, with the deliveries that carry it out."""

    message: Message
    deliveries: tuple[Delivery, ...] = ()
    words: str | None = None
    silent: bool = False

    @property
    def about(self) -> int:
        """The ticket's number."""
        return self.message.ticket


class Reread(Struct, frozen=True):
    """A kept mail was read again, better than before; what agents did is not touched."""

    message: Message
    words: str | None = None

    @property
    def about(self) -> int:
        """The ticket's number."""
        return self.message.ticket


class Amended(Struct, frozen=True):
    """Something about a message became another where it was written: its `text`, what is `visible` of it, `marks`, `flags`."""

    about: int
    message: int
    field: str
    removed: Any
    added: Any


class Withdrawn(Struct, frozen=True):
    """A message was taken back before it went out."""

    about: int
    message: int


class Restored(Struct, frozen=True):
    """A message that had been taken back stands again; what was to go out waits until `not_before`."""

    about: int
    message: int
    not_before: Millis


MERGED = "merged:"
"""The flag of a message that came by a merge, before the number of the ticket whose clocks it leaves alone."""


class Moved(Struct, frozen=True):
    """Messages went over to another ticket; one that was merged into (`keeps`) keeps its own clocks."""

    about: int
    to: int
    messages: tuple[int, ...]
    keeps: int | None = None


class Delivered(Struct, frozen=True):
    """A delivery reached a new state."""

    about: int
    message: int
    delivery: int
    state: State
    detail: str = ""


class Clock(Struct, frozen=True):
    """A promised time of the ticket began, stopped or passed.

    `clock` is "first-reply", "next-reply", "resolution" or "call-back"; `what` is "activate", "move" (the due
    time is another now), "pause", "resume", "fulfil", "cancel", "warn" or "breach". `at` is the
    moment it counts for: a reply that is sent now kept its promise when it was written.
    """

    about: int
    clock: str
    what: str
    due: Millis | None = None
    policy: str = ""
    at: Millis | None = None


Event = Opened | Changed | Posted | Reread | Amended | Withdrawn | Restored | Moved | Delivered | Clock


class Record(Struct, frozen=True):
    """One line of the log: an event as it was written down, and who did it when.

    `line` is the command line that caused it, `source` the rule, macro or channel that
    asked for it; `undoes` the batch that this one took back, `caused_by` the one a rule acted on.
    """

    seq: int
    at: Millis
    batch: str
    entity: str
    about: int | str
    kind: str
    data: dict[str, Any] = field(default_factory=dict)
    agent: str | None = None
    uid: int | None = None
    host: str = ""
    line: str = ""
    source: str = ""
    undoes: str | None = None
    caused_by: str | None = None


def payload(event: Event) -> tuple[str, int | str, dict[str, Any]]:
    """(entity, about, plain data): how an event is written into the log."""
    match event:
        case Opened(ticket):
            return (
                "ticket",
                ticket.id,
                {"subject": ticket.subject, "requester": ticket.requester, "account": ticket.account},
            )
        case Changed(about, name, removed, added, entity):
            return entity, about, {"field": name, "removed": _plain(removed), "added": _plain(added)}
        case Posted(message):
            return (
                "ticket",
                message.ticket,
                {"message": message.id, "kind": message.kind.value, "direction": message.direction.value}
                | ({"threaded_by": message.threaded_by} if message.threaded_by else {}),
            )
        case Reread(message):
            return "ticket", message.ticket, {"message": message.id}
        case Amended(about, message, name, removed, added):
            return (
                "ticket",
                about,
                {"message": message, "field": name, "removed": _plain(removed), "added": _plain(added)},
            )
        case Withdrawn(about, message):
            return "ticket", about, {"message": message}
        case Restored(about, message):
            return "ticket", about, {"message": message}
        case Moved(about, to, messages, keeps):
            return "ticket", about, {"to": to, "messages": list(messages)} | ({"keeps": keeps} if keeps else {})
        case Delivered(about, message, delivery, state, detail):
            return (
                "ticket",
                about,
                {"message": message, "delivery": delivery, "state": state.value}
                | ({"detail": detail} if detail else {}),
            )
        case Clock(about, clock, what, due, policy, at):
            return "ticket", about, {"clock": clock, "what": what, "due": due, "policy": policy, "at": at}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    if isinstance(value, Mark):
        return [value.mark, value.by, value.who]
    if isinstance(value, Link):
        return [value.kind, value.ticket]
    if isinstance(value, (Status, Bin, State)):
        return value.value
    return int(value) if isinstance(value, Priority) else value


def typed(name: str, value: Any) -> Any:
    """A logged value of the ticket field `name` as the model holds it."""
    if value is None:
        return None
    match name:
        case "links":
            return tuple(Link(kind, ticket) for kind, ticket in value)
        case "tags" | "cc" | "watchers":
            return tuple(value)
        case "status":
            return Status(value)
        case "priority":
            return Priority(value)
        case "bin":
            return Bin(value)
    return value


# -- what an event does -----------------------------------------------------


def change(ticket: Ticket, **fields: Any) -> list[Changed]:
    """The events that give `ticket` these values; nothing for what it already has."""
    events: list[Changed] = []
    for name, value in fields.items():
        before = getattr(ticket, name)
        if before == value:
            continue
        if name in SETS:
            removed, added = (tuple(v for v in a if v not in b) for a, b in ((before, value), (value, before)))
            if removed or added:
                events.append(Changed(ticket.id, name, removed, added))
        else:
            events.append(Changed(ticket.id, name, before, value))
            if name == "status" and value.live and ticket.solved_at is not None:
                # It follows from the status, but the time itself would be lost to whoever takes this back.
                events.append(Changed(ticket.id, "solved_at", ticket.solved_at, None))
    return events


STAGES = 200
"""How many changes of status a ticket remembers."""


def evolve(ticket: Ticket, event: Event, at: Millis, *, back: bool = False) -> Ticket:
    """`ticket` after `event`. What follows from messages alone is recounted by the store.

    With `back` the event takes back an earlier one: a status that is left so never was.
    """
    match event:
        case Changed(field=name, removed=removed, added=added):
            if name in SETS:
                kept = {v for v in getattr(ticket, name) if v not in removed}
                value: Any = tuple(sorted(kept | set(added), key=_order))
            else:
                value = added
            changes: dict[str, Any] = {name: value, "updated_at": max(at, ticket.updated_at)}
            if name == "status":
                changes["solved_at"] = None if value.live else ticket.solved_at or at
                changes["stages"] = _staged(ticket, removed, added, at, back)
            return replace(ticket, **changes)
        case Posted(message):
            return replace(ticket, **_heard(ticket, message))
    return ticket


def _staged(ticket: Ticket, removed: Status, added: Status, at: Millis, back: bool) -> tuple[Stage, ...]:
    stages = ticket.stages
    if back and stages and stages[-1].status is removed:
        before = stages[-2].status if len(stages) > 1 else None
        if before in (added, None):
            return () if stages[:-1] == (Stage(ticket.created_at, added),) else stages[:-1]
    # Most tickets begin as new; one that did not (an archive, one that an agent opened) says so.
    begun = () if stages or removed is Status.NEW else (Stage(ticket.created_at, removed),)
    return (*begun, *stages, Stage(at, added))[-STAGES:]


def _order(value: Any) -> Any:
    return (value.kind, value.ticket) if isinstance(value, Link) else value


def _heard(ticket: Ticket, message: Message) -> dict[str, Any]:
    changes: dict[str, Any] = {
        "message_count": ticket.message_count + 1,
        "updated_at": max(message.at, ticket.updated_at),
    }
    counts = message.kind in (Kind.PUBLIC, Kind.CALL) and message.automatic not in BY_MACHINE
    counts = counts and MISSED not in message.flags
    if counts and f"{MERGED}{ticket.id}" not in message.flags:
        if message.direction is Direction.IN:
            if ticket.waiting_since is None or _was_solved(ticket, ticket.waiting_since, message.at):
                changes["waiting_since"] = message.at
        elif message.state in _REACHED:
            changes["waiting_since"] = None
            changes["replied_at"] = message.at
            if ticket.first_reply_at is None:
                changes["first_reply_at"] = message.at
    return changes


def _was_solved(ticket: Ticket, since: Millis, until: Millis) -> bool:
    """Whether the ticket was solved in between: who writes again then waits from now on."""
    return any(not stage.status.live and since <= stage.at <= until for stage in ticket.stages)


#: A reply keeps its promise once it went out, at the time it was written. None: it had no way to go.
_REACHED = (None, State.SENT, State.DELIVERED, State.READ)


def recounted(ticket: Ticket, messages: Iterable[Message]) -> Ticket:
    """`ticket` with everything that follows from its messages counted anew, in time order.

    A reply that was taken back, failed or bounced answered nobody; what is not there is no news.
    """
    fresh = replace(ticket, message_count=0, waiting_since=None, first_reply_at=None, replied_at=None)
    newest = 0
    for message in messages:
        if message.withdrawn:
            continue
        newest = max(newest, message.id)
        changes = _heard(fresh, message)
        changes.pop("updated_at", None)
        fresh = replace(fresh, **changes)
    return replace(fresh, heard=min(fresh.heard, newest))


_GLOOMY = (
    State.UNKNOWN,
    State.FAILED,
    State.BOUNCED,
    State.DEFERRED,
    State.SENDING,
    State.QUEUED,
    State.SENT,
    State.DELIVERED,
    State.READ,
)


def overall(states: Iterable[State]) -> State | None:
    """The state of a message from those of its deliveries: the one that asks most for attention."""
    found = set(states)
    if found == {State.WITHDRAWN}:
        return State.WITHDRAWN
    return next((state for state in _GLOOMY if state in found), None)


# -- taking it back ---------------------------------------------------------


def invert(record: Record, not_before: Millis) -> Event | None:
    """The event that takes back what `record` logged; None where nothing can or need be."""
    data = record.data
    match record.kind:
        case "Opened":
            return Changed(record.about, "bin", Bin.NONE, Bin.TRASH)
        case "Changed":
            name = data["field"]
            ticket = record.entity == "ticket"
            removed, added = (typed(name, v) if ticket else v for v in (data["added"], data["removed"]))
            return Changed(record.about, name, removed, added, record.entity)
        case "Posted" | "Restored":
            return Withdrawn(int(record.about), data["message"])
        case "Withdrawn":
            return Restored(int(record.about), data["message"], not_before)
        case "Moved":
            return Moved(data["to"], int(record.about), tuple(data["messages"]), data.get("keeps"))
    return None


def guard(ticket: Ticket, event: Event) -> None:
    """Raise Conflict when `event` would take back something that is no longer so."""
    if not isinstance(event, Changed) or event.field == "solved_at":
        return
    now = getattr(ticket, event.field)
    if event.field in SETS:
        gone = [v for v in event.removed if v not in now]
        if not gone:
            return
    elif now == event.removed:
        return
    from desk.telling import noun, show  # which tells events, and knows them

    raise Conflict(f"#{ticket.id} {noun(event.field)} is {show(event.field, now)} by now")
