"""What is about to be said: to whom it would go, and whether somebody spoke meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from desk import lines
from desk.actions import find
from desk.errors import Conflict, Invalid
from desk.events import Posted
from desk.lines import Call
from desk.model import Direction, Identity, Message, Millis
from desk.perform import Desk, Outcome, Who, perform

REPLY, NOTE = "reply", "note"
_TRIES = 3

ReadFile = Callable[[str], tuple[str, str, bytes]]
"""Gives (name, content type, bytes) of a path to attach."""


class News(Struct, frozen=True):
    """Messages that came while one was writing: nothing was sent."""

    messages: Sequence[Message]


def call(kind: str, body: str) -> Call:
    """The call that says `body` as a reply or a note."""
    return lines.bind(find(kind), {"body": body})


def preview(
    desk: Desk,
    who: Who,
    calls: Sequence[Call],
    ticket: int,
    *,
    at: Millis,
    batch_id: str,
    read_file: ReadFile | None = None,
) -> Message:
    """The message as the calls would write it now, recipients and all; nothing is kept."""
    outcome = perform(desk, calls, [ticket], who, at=at, batch_id=batch_id, dry_run=True, read_file=read_file)
    posted = next((event.message for event in outcome.events if isinstance(event, Posted)), None)
    if posted is None:
        raise Invalid(f"{calls[0].verb} says nothing on #{ticket}")
    return posted


def recipients(message: Message) -> list[tuple[str, Identity]]:
    """Everybody it goes to, each with the way: to, cc or bcc."""
    groups = (("to", message.to), ("cc", message.cc), ("bcc", message.bcc))
    return [(way, person) for way, people in groups for person in people]


def send(
    desk: Desk,
    who: Who,
    calls: Sequence[Call],
    ticket: int,
    seen: int,
    *,
    at: Millis,
    batch_id: str,
    source: str = "",
    version: int | None = None,
    read_file: ReadFile | None = None,
) -> Outcome | News:
    """Do `calls` on the ticket unless somebody else said something after the message `seen`.

    Where no `version` of it is expected, the ticket's version is read before its messages and expected afterwards, so that
    nothing can come in between looking and sending.
    """
    for turn in range(_TRIES):
        found = desk.store.ticket(ticket)
        news = [m for m in desk.store.thread(ticket) if m.id > seen and not _by(m, who)]
        if news:
            return News(news)
        try:
            return perform(
                desk,
                calls,
                [ticket],
                who,
                at=at,
                batch_id=batch_id,
                source=source,
                expect={ticket: found.version if version is None else version},
                read_file=read_file,
            )
        except Conflict:
            # Something changed between reading and writing; look again, it may be a message.
            if turn == _TRIES - 1 or version is not None:
                raise
    raise AssertionError("unreachable")


def _by(message: Message, who: Who) -> bool:
    return message.direction is Direction.OUT and who.agent is not None and message.agent == who.agent.name
