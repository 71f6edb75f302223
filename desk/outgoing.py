"""What is about to be said: to whom it would go, and whether somebody spoke meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from msgspec import Struct

from desk import lines
from desk.actions import find
from desk.errors import Conflict, Invalid
from desk.events import Changed, Posted
from desk.lines import Call
from desk.model import Direction, Draft, Identity, Message, Millis
from desk.perform import Desk, Outcome, Who, perform

REPLY, NOTE, FORWARD = "reply", "note", "forward"
WRITTEN = (REPLY, NOTE, FORWARD)
"""The verbs that say a text which takes a while to write."""
_TRIES = 3

ReadFile = Callable[[str], tuple[str, str, bytes]]
"""Gives (name, content type, bytes) of a path to attach."""


class News(Struct, frozen=True):
    """Messages that came while one was writing: nothing was sent."""

    messages: Sequence[Message]


class Foreseen(Struct, frozen=True):
    """What sending would do: the message it posts, and the status that the ticket has then ("" when it stays)."""

    message: Message
    status: str = ""


def begun(line: str) -> tuple[str, dict[str, str]] | None:
    """The verb and the options of a line whose text is still to be written: `reply`, `reply --all`; None for any other."""
    verb, _, rest = line.strip().partition(" ")
    if verb not in WRITTEN:
        return None
    if not rest.strip():
        return verb, {}
    if not rest.lstrip().startswith("--"):
        return None
    if verb != FORWARD:
        with suppress(Invalid):
            lines.parse(line)
            return None
    # It needs nothing but a text.
    found = lines.parse(f"{line} …")
    return (verb, _typed(found)) if found.args.get("body") == "…" else None


def _typed(found: Call) -> dict[str, str]:
    """The options of a call as a draft keeps them."""
    typed = {}
    for argument in find(found.verb).arguments:
        if argument.option and argument.name in found.args:
            value = found.args[argument.name]
            match argument.param.word:
                case "flag":
                    typed[argument.name] = "yes" if value else ""
                case "files":
                    typed[argument.name] = "\n".join(value)
                case _:
                    typed[argument.name] = argument.param.format(value)
    return typed


def call(draft: Draft) -> Call:
    """The call that says a draft: its text, and its options as they were typed."""
    given: dict[str, Any] = {"body": draft.text, **draft.options}
    if "attach" in given:
        given["attach"] = paths(draft)
    return lines.bind(find(draft.kind), given)


def paths(draft: Draft) -> tuple[str, ...]:
    """The files that a draft is to carry."""
    return tuple(path for path in draft.options.get("attach", "").split("\n") if path)


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
    return foresee(desk, who, calls, ticket, at=at, batch_id=batch_id, read_file=read_file).message


def foresee(
    desk: Desk,
    who: Who,
    calls: Sequence[Call],
    ticket: int,
    *,
    at: Millis,
    batch_id: str,
    read_file: ReadFile | None = None,
) -> Foreseen:
    """What the calls would do now; nothing is kept."""
    outcome = perform(desk, calls, [ticket], who, at=at, batch_id=batch_id, dry_run=True, read_file=read_file)
    posted = next((event.message for event in outcome.events if isinstance(event, Posted)), None)
    if posted is None:
        raise Invalid(f"{calls[0].verb} says nothing on #{ticket}")
    became = [event.added for event in outcome.events if isinstance(event, Changed) and event.field == "status"]
    return Foreseen(posted, str(became[-1]) if became else "")


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
