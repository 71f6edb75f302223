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


def allowed(agent: Agent | None, action: Action) -> bool:
    """Whether `agent` may use the verb."""
    return agent is not None and agent.active and agent.role.rank >= action.role.rank
