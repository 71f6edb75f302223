"""Who may do what. A verb's name is the permission's name; its role is the least that may use it."""

from __future__ import annotations

from desk.actions import Action
from desk.errors import Forbidden
from desk.model import Agent, Role

RULES = Agent("rules", role=Role.LEAD)
"""Who acts when a rule does: no person, so nobody's uid and in no list of agents."""


def demand(agent: Agent | None, verb: str, role: Role) -> Agent:
    """`agent`, if known here and of at least this role; Forbidden says who can help."""
    if agent is None or not agent.active:
        raise Forbidden(
            f"{verb}: you are not an agent of this desk; an admin adds you with: deskhand agent add NAME --uid UID"
        )
    if agent.role.rank < role.rank:
        raise Forbidden(
            f"{verb}: you are {agent.name} with the role {agent.role}, this needs the role {role}; ask an admin"
        )
    return agent


_PERSONAL = {"display", "signature", "away_until", "interest"}
_OF_A_LEAD = {"skills", "interest", "capacity", "hours", "away_until"}


def role_to_change(before: Agent, after: Agent, *, own: bool) -> Role:
    """The least role that may make `before` into `after`; `own` says that it is who asks.

    Everybody says of themselves how they are called, when they are away and what interests
    them; how good they are and how much they get is a lead's to say, all else an admin's.
    """
    changed = {name for name in Agent.__struct_fields__ if getattr(before, name) != getattr(after, name)}
    if "skills" in changed and _levels(before) == _levels(after):
        changed = changed - {"skills"} | {"interest"}
    if own and changed <= _PERSONAL:
        return Role.READ_ONLY
    return Role.LEAD if changed and changed <= _OF_A_LEAD else Role.ADMIN


def _levels(agent: Agent) -> dict[str, int]:
    return {skill.topic: skill.level for skill in agent.skills}


def allowed(agent: Agent | None, action: Action) -> bool:
    """Whether `agent` may use the verb."""
    return agent is not None and agent.active and agent.role.rank >= action.role.rank
