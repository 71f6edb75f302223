"""What stands under an answer: the agent's own signature, else the desk's."""

from __future__ import annotations

from desk.config import DeskConfig
from desk.model import Agent, Ticket
from desk.templates import expand

MARK = "\n\n-- \n"
"""Between a text and its signature, as mail programs know it."""


def signature(agent: Agent | None, config: DeskConfig, ticket: Ticket) -> str:
    """The signature under what `agent` writes on a ticket; "" for none, Invalid when its template is wrong."""
    template = (agent.signature if agent else "") or config.signature
    if not template.strip():
        return ""
    named = {"name": agent.name, "display": agent.label, "address": agent.address or ""} if agent else {}
    return expand(template, {"agent": named, "desk": {"name": config.name}, "ticket": {"id": ticket.id}}).strip()


def signed(text: str, signature: str) -> str:
    """The text with the signature under it."""
    return f"{text}{MARK}{signature}" if signature else text
