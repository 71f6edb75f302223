"""The next ticket for an agent: what presses most, of it what they know best, and nobody else is at."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from desk.assign import best_skill
from desk.errors import Conflict
from desk.lines import script
from desk.model import HOUR, MINUTE, Agent, Millis, Skill, Ticket
from desk.perform import Desk, Who, perform
from desk.query import Env, parse
from desk.store import Row, Store
from desk.when import brief

if TYPE_CHECKING:
    from datetime import tzinfo

SOON: Millis = 2 * HOUR
"""From here on it is urgent that something is due."""

RECENTLY: Millis = 5 * MINUTE
"""Who wrote on a ticket so short a time ago is still at it."""

_QUEUES = (
    "is:open status:new,open assignee:me",
    "is:open status:new,open is:unassigned team:mine,none",
)
_LOOKED_AT = 50
_RECORDS = 200
_ATTEMPTS = 5
_LAST = 1 << 62


class Choice(Struct, frozen=True):
    """A ticket to do next, and why this one."""

    row: Row
    why: str


def choices(store: Store, agent: Agent, at: Millis, zone: tzinfo, busy: Collection[int] = ()) -> list[Choice]:
    """What `agent` could do next, the first first: theirs, and what is nobody's in their teams or in none.

    Urgency counts before skill and interest: what is overdue, what is due soon, what is due,
    where a customer waits. `busy` are tickets that somebody else looks at; with those that
    somebody wrote on just now they are left to them.
    """
    env = Env(at, agent.name, agent.teams, zone)
    rows: dict[int, Row] = {}
    for query in _QUEUES:
        node = parse(query, env)
        for sort in ("urgency", "waiting"):
            page = store.page(node, sort=sort, limit=_LOOKED_AT, agent=agent.name)
            rows |= {row.ticket.id: row for row in page.rows}
            if page.next is None or page.rows[-1].ticket.due_at is not None:
                # Behind what is due, not yet reached, come those who wait.
                break
    left_alone = {*busy, *_written_on(store, agent.name, at)}
    found = [row for row in rows.values() if row.ticket.assignee == agent.name or row.ticket.id not in left_alone]
    found.sort(key=lambda row: _rank(row.ticket, best_skill(agent, row.ticket), at))
    return [Choice(row, _why(row.ticket, agent, best_skill(agent, row.ticket), at)) for row in found]


def take(
    desk: Desk, who: Who, *, at: Millis, new_batch: Callable[[], str], busy: Collection[int] = ()
) -> Choice | None:
    """Give `who` the next ticket; None when there is none. Two who ask at once never get the same one."""
    assert who.agent is not None
    for _ in range(_ATTEMPTS):
        found = choices(desk.store, who.agent, at, who.zone, busy)
        for choice in found:
            ticket = choice.row.ticket
            try:
                # As it was when it was chosen: a colleague who was faster has changed it.
                perform(
                    desk,
                    script("take"),
                    (ticket.id,),
                    who,
                    at=at,
                    batch_id=new_batch(),
                    expect={ticket.id: ticket.version},
                )
            except Conflict:
                continue
            (row,) = desk.store.rows([ticket.id], agent=who.agent.name)
            return replace(choice, row=row)
        if not found:
            return None
    return None


def _written_on(store: Store, me: str, at: Millis) -> set[int]:
    """Tickets that a colleague wrote on a moment ago."""
    agents = store.agents().keys() - {me}
    return {
        int(record.about)
        for record in store.log(after=0, limit=_RECORDS, newest=True)
        if record.kind == "Posted" and record.agent in agents and record.at > at - RECENTLY
    }


def _rank(ticket: Ticket, skill: Skill | None, at: Millis) -> tuple[int, ...]:
    due = _LAST if ticket.due_at is None or ticket.paused else ticket.due_at
    waiting = _LAST if ticket.waiting_since is None else ticket.waiting_since
    urgency = 0 if due <= at else 1 if due <= at + SOON else 2 if due < _LAST else 3 if waiting < _LAST else 4
    known = (-skill.level, -skill.interest) if skill else (0, 0)
    return (urgency, *known, due, waiting, ticket.id)


def _why(ticket: Ticket, agent: Agent, skill: Skill | None, at: Millis) -> str:
    if ticket.due_at is not None and not ticket.paused:
        left = ticket.due_at - at
        urgent = f"overdue by {brief(left)}" if left <= 0 else f"due in {brief(left)}"
    elif ticket.waiting_since is not None:
        urgent = f"the customer has waited for {brief(at - ticket.waiting_since)}"
    else:
        urgent = "open, though nobody waits"
    if ticket.assignee == agent.name:
        whose = "yours already"
    else:
        whose = f"nobody's in {ticket.team}" if ticket.team else "nobody's"
    known = f"you know {skill.topic} ({skill.level} of 5)" if skill else ""
    return "; ".join(filter(None, (urgent, whose, known)))
