"""Why it is so: which policy holds for a ticket, how its clocks stand, why each message is here, what rules did."""

from __future__ import annotations

from msgspec import Struct

from desk.model import Message, Millis, Stage, Status, Ticket
from desk.query import Case, matches
from desk.sla import Policy, Promise, Target, load, policy_of, promises
from desk.store import Store

_ACTING = ("rule:", "macro:")


class Look(Struct, frozen=True):
    """A policy that was looked at: what it asks for, and whether the ticket is so."""

    policy: str
    when: str
    holds: bool


class Standing(Struct, frozen=True):
    """A clock: its promise, how long may pass in all, what is left of it, and when it stood still.

    `left` is counted in the calendar's own time and is below zero once it ran out; None when the
    promise is kept.
    """

    promise: Promise
    span: Millis
    calendar: str
    left: Millis | None
    paused: tuple[tuple[Millis, Millis | None], ...]

    @property
    def breached(self) -> bool:
        """Whether it ran out, or was kept too late."""
        kept, due = self.promise.kept_at, self.promise.due
        return (self.left is not None and self.left < 0) or (kept is not None and due is not None and kept > due)


class Deed(Struct, frozen=True):
    """What a rule or macro did to the ticket."""

    at: Millis
    source: str
    line: str


class Because(Struct, frozen=True):
    """Everything that explains a ticket."""

    ticket: Ticket
    looks: tuple[Look, ...]
    policy: str | None
    clocks: tuple[Standing, ...]
    messages: tuple[Message, ...]
    deeds: tuple[Deed, ...]


def explain(store: Store, number: int, at: Millis) -> Because:
    """Why ticket `number` is what it is at the moment `at`; NotFound."""
    ticket = store.ticket(number)
    customer = store.customer(ticket.requester)
    policy = policy_of(ticket, store.config, lambda: customer) if ticket.visible else None
    looks: list[Look] = []
    # Nothing is promised to what is out of sight, whatever its policy would be.
    for one in load(store.config).items.values() if ticket.visible else ():
        looks.append(Look(one.name, one.when, matches(one.node, Case(ticket, customer))))
        if one is policy:
            break
    seen: set[str] = set()
    deeds = []
    for record in store.log(ticket=number, limit=10_000):
        if record.source.startswith(_ACTING) and record.batch not in seen:
            seen.add(record.batch)
            deeds.append(Deed(record.at, record.source, record.line))
    return Because(
        ticket,
        tuple(looks),
        policy.name if policy else None,
        tuple(_standing(ticket, policy, promise, at) for promise in promises(ticket, policy)) if policy else (),
        tuple(store.thread(number)),
        tuple(deeds),
    )


def _standing(ticket: Ticket, policy: Policy, promise: Promise, at: Millis) -> Standing:
    target = policy.targets[promise.clock]
    left = promise.left
    if promise.due is not None and promise.state != "kept":
        hours = target.hours
        left = hours.between(at, promise.due) if at <= promise.due else -hours.between(promise.due, at)
    still = tuple(_pauses(ticket, target, promise.since))
    return Standing(promise, target.span(ticket.priority), target.calendar, left, still)


def _pauses(ticket: Ticket, target: Target, since: Millis) -> list[tuple[Millis, Millis | None]]:
    found: list[tuple[Millis, Millis | None]] = []
    begun = Stage(ticket.created_at, Status.NEW if ticket.stages else ticket.status)
    for stage, following in zip((begun, *ticket.stages), (*ticket.stages, None), strict=True):
        end = following.at if following is not None else None
        if stage.status in target.pause and (end is None or end > since):
            begin = max(stage.at, since)
            if found and found[-1][1] == begin:
                found[-1] = (found[-1][0], end)
            else:
                found.append((begin, end))
    return found
