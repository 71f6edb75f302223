"""What the agent at this screen may do: keys that would only refuse are not offered."""

from __future__ import annotations

from desk.actions import load
from desk.model import Agent, Role
from desk.permissions import allowed

_MEANS = {"raise": "priority", "lower": "priority", "reply-all": "reply"}
"""Verbs of the screen by the verb of the desk that they end in."""

_WORK = frozenset({"macro", "record", "undo", "redo", "repeat", "preview", "draft", "unsent", "drafts"})
"""Verbs of the screen that are of no use to somebody who changes nothing."""


def works(agent: Agent | None) -> bool:
    """Whether the agent may change anything at all."""
    return agent is not None and agent.active and agent.role.rank >= Role.AGENT.rank


def may(agent: Agent | None, line: str) -> bool:
    """Whether a command line begins with something that the agent may do."""
    verb = line.split(";")[0].strip().partition(" ")[0]
    if verb in _WORK:
        return works(agent)
    action = load().get(_MEANS.get(verb, verb))
    return action is None or allowed(agent, action)
