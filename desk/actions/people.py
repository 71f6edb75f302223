"""Who has to do with a ticket: assignee, team, requester, copies, watchers."""

from __future__ import annotations

from desk.actions import Context, action
from desk.assign import choose
from desk.errors import Conflict, Invalid
from desk.events import Changed, Event, change
from desk.model import Status, Ticket
from desk.params import Address, Addresses, AgentRef, Flag, TeamRef, Way


@action(keys="a")
def assign(ticket: Ticket, to: AgentRef, *, ctx: Context) -> list[Event]:
    """Give the ticket to an agent."""
    return [*change(ticket, assignee=to, **_looked_at(ticket, to is not None))]


@action(keys="A")
def take(ticket: Ticket, *, steal: Flag = False, ctx: Context) -> list[Event]:
    """Take the ticket yourself; with --steal also from a colleague."""
    if ticket.assignee not in (None, ctx.agent.name) and not steal:
        raise Conflict(f"#{ticket.id} belongs to {ticket.assignee}; take it all the same with --steal")
    return [*change(ticket, assignee=ctx.agent.name, **_looked_at(ticket, True))]


@action()
def unassign(ticket: Ticket, *, ctx: Context) -> list[Event]:
    """Give the ticket back to everybody."""
    return [*change(ticket, assignee=None)]


@action()
def team(ticket: Ticket, to: TeamRef, *, ctx: Context) -> list[Event]:
    """Give the ticket to a team."""
    return [*change(ticket, team=to)]


@action()
def distribute(
    ticket: Ticket, team: TeamRef = None, *, by: Way = "round-robin", keep: Flag = False, ctx: Context
) -> list[Event]:
    """Give the ticket to an agent of a team who can take it (default: of its own, else of all).

    Agents who are away, out of their hours or at their capacity are passed over. --by says
    who of the others: round-robin (in turn), least-loaded, or skill (who knows most about its
    tags, channel or account). With --keep whoever had it, or the customer's last one, comes
    first.
    """
    if not ticket.status.live:
        raise Invalid(f"#{ticket.id} is {ticket.status}; there is nothing left to give")
    # In this order: who counts is from then on the only one who distributes, and the turns stand still.
    workload, agents = ctx.workload(), ctx.agents()
    chosen = choose(
        ticket, agents.values(), team=team or ticket.team, way=by, at=ctx.at, config=ctx.config, workload=workload,
        first=lambda: ctx.previous(ticket) if keep else (),
    )  # fmt: skip
    if chosen.name == ticket.assignee:
        return []
    turn = Changed(chosen.name, "turn", chosen.turn, 1 + max(agent.turn for agent in agents.values()), "agent")
    return [*change(ticket, assignee=chosen.name, **_looked_at(ticket, True)), turn]


def _looked_at(ticket: Ticket, given: bool) -> dict[str, Status]:
    return {"status": Status.OPEN} if given and ticket.status is Status.NEW else {}


@action()
def requester(ticket: Ticket, to: Address, *, ctx: Context) -> list[Event]:
    """Say whose ticket it is."""
    return [*change(ticket, requester=ctx.customer_for(to).id)]


@action()
def cc(ticket: Ticket, to: Addresses = (), *, remove: Flag = False, ctx: Context) -> list[Event]:
    """Copy these addresses on every reply; with --remove no longer (nobody, when none is named)."""
    named = {identity.value for identity in to}
    if remove:
        return [*change(ticket, cc=tuple(a for a in ticket.cc if named and a not in named))]
    return [*change(ticket, cc=tuple(sorted({*ticket.cc, *named})))]


@action()
def watch(ticket: Ticket, who: AgentRef = "me", *, ctx: Context) -> list[Event]:
    """Watch the ticket, or let a colleague watch it."""
    return [*change(ticket, watchers=tuple(sorted({*ticket.watchers, who or ctx.agent.name})))]


@action()
def unwatch(ticket: Ticket, who: AgentRef = "me", *, ctx: Context) -> list[Event]:
    """Stop watching the ticket."""
    return [*change(ticket, watchers=tuple(w for w in ticket.watchers if w != (who or ctx.agent.name)))]
