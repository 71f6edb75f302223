"""Who gets a ticket: skills, capacity, hours and absence, and the ways to choose among those who can."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from desk.config import DeskConfig
from desk.errors import Invalid
from desk.model import Agent, Millis, Role, Skill, Ticket
from desk.when import iso

WAYS = ("round-robin", "least-loaded", "skill")
"""In turn; to whoever has the fewest tickets; to whoever knows most about it."""

_SKILL = re.compile(r"(?P<topic>.+?)(?::(?P<level>[1-5]?))?(?::(?P<interest>[1-5]))?")


def topics(ticket: Ticket) -> frozenset[str]:
    """What a skill can be in: the ticket's tags, its channel and its account."""
    return frozenset((*ticket.tags, ticket.channel, ticket.account)) - {""}


def best_skill(agent: Agent, ticket: Ticket) -> Skill | None:
    """What the agent knows best of the ticket's topics, the dearest to them of equals."""
    about = topics(ticket)
    return max((s for s in agent.skills if s.topic in about), key=lambda s: (s.level, s.interest), default=None)


def learnt(skills: Iterable[Skill], text: str) -> tuple[Skill, ...]:
    """`skills` with what `text` says: `vpn:4:2` (level 4, interest 2), `vpn:4`, `vpn::2`, `vpn`; what it leaves out stays."""
    found = _SKILL.fullmatch(text.strip().lower())
    if (
        found is None
        or not re.fullmatch(r"[^\W_][\w:./-]{0,49}", found["topic"])
        or re.search(r":\d*$", found["topic"])
    ):
        raise Invalid(
            f'"{text}" is no skill: write a tag, channel or account with level and interest from 1 to 5, vpn:4:2'
        )
    known = {skill.topic: skill for skill in skills}
    before = known.get(found["topic"], Skill(found["topic"]))
    known[found["topic"]] = Skill(
        before.topic, int(found["level"] or before.level), int(found["interest"] or before.interest)
    )
    return tuple(known[topic] for topic in sorted(known))


def hindrance(agent: Agent, at: Millis, load: int, config: DeskConfig) -> str:
    """Why the agent cannot be given a ticket now; "" when they can."""
    if not agent.active or agent.role.rank < Role.AGENT.rank:
        return "takes no tickets"
    if agent.away_until is not None and at < agent.away_until:
        return f"is away until {iso(agent.away_until)}"
    if not on_duty(agent, at, config):
        return f"is out of the hours {agent.hours}"
    if agent.capacity and load >= agent.capacity:
        return f"has {load} of {agent.capacity}"
    return ""


def on_duty(agent: Agent, at: Millis, config: DeskConfig) -> bool:
    """Whether the agent works now; hours that nobody has written down (any more) keep nobody away."""
    if not agent.hours:
        return True
    from desk.hours import load

    hours = load(config).items.get(agent.hours)
    return hours is None or hours.open_at(at)


def choose(
    ticket: Ticket, agents: Iterable[Agent], *, team: str | None, way: str, at: Millis, config: DeskConfig,
    workload: Mapping[str, int], first: Callable[[], Sequence[str]] = tuple,
) -> Agent:  # fmt: skip
    """Who of `team` (None: of all) gets the ticket; Invalid tells why nobody can.

    `first` names those who have it before all others when they can, the dearest first.
    """
    own = ticket.assignee if ticket.status.live else None
    candidates, reasons = [], []
    # In the order of their turns, so that equals come in turn.
    for agent in sorted(agents, key=lambda a: (a.turn, a.name)):
        if agent.active and (team is None or team in agent.teams):
            # The ticket itself is no reason not to keep it.
            load = max(0, workload.get(agent.name, 0) - (agent.name == own))
            reason = hindrance(agent, at, load, config)
            if reason:
                reasons.append(f"{agent.name} {reason}")
            else:
                candidates.append((agent, load))
    if not candidates:
        whom = f"of the team {team}" if team else "here"
        raise Invalid(
            f"nobody {whom} can take #{ticket.id} now: {'; '.join(sorted(reasons)) or 'there is no agent'}; "
            "deskhand agent set changes --capacity, --hours and --away"
        )
    free = {agent.name: agent for agent, _ in candidates}
    if kept := next((name for name in first() if name in free), None):
        return free[kept]

    def rank(candidate: tuple[Agent, int]) -> tuple[int, ...]:
        agent, load = candidate
        if way == "round-robin":
            return ()
        if way == "least-loaded":
            return (load,)
        skill = best_skill(agent, ticket)
        return (-skill.level, -skill.interest, load) if skill else (0, 0, load)

    return min(candidates, key=rank)[0]
