"""What a store knows of people at work: what they have begun to write, where they are, and what customers may see of it.

None of it is an action: it has no line in the log, and nobody is woken by it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

if TYPE_CHECKING:
    from desk.model import Draft, Effort, Millis, Presence


class Attended(Struct, frozen=True):
    """A conversation before which agents are now: what customers may see of that.

    `heard` is the external id of the newest message in it that one of them has read, None where
    nobody has; `typing` says that one of them is writing an answer.
    """

    ticket: int
    account: str
    conversation: str
    heard: str | None = None
    typing: bool = False


class Seats(Protocol):
    """The part of a store that is about people at work."""

    def drafts(self, *, agent: str | None = None, ticket: int | None = None) -> list[Draft]:
        """What was begun and not sent (by this agent, on this ticket), the newest first."""

    def keep_draft(self, draft: Draft) -> None:
        """Keep a draft in place of the agent's earlier one of its kind on the ticket, never of a later one."""

    def drop_draft(self, ticket: int, agent: str, kind: str) -> None:
        """Forget a draft, for it was sent or thrown away."""

    def attend(self, presence: Presence, spent: Millis = 0) -> None:
        """Say where a terminal is, in place of what it said before, and that `spent` of work went into that ticket.

        Ticket 0 is none: somebody is at the desk, and no work is counted. Who says the same once more, for no
        answer came, has said it once.
        """

    def depart(self, session: str) -> None:
        """Say that a terminal is at no ticket any more."""

    def present(self, at: Millis) -> list[Presence]:
        """Who is at which ticket at that time, by ticket and agent."""

    def attended(self, at: Millis, accounts: Collection[str], fresh: Millis) -> list[Attended]:
        """The conversations on `accounts` that agents have before them at that time, by ticket.

        A ticket counts where its last message from outside came over one of them. Who has
        changed their answer within `fresh` before that time is typing.
        """

    def effort(self, ticket: int) -> list[Effort]:
        """The work that went into a ticket, by agent and what they did."""


__all__ = ["Attended", "Seats"]
