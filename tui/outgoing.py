"""What is about to be said: to whom it goes, what it looks like, and whether somebody spoke meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from desk import lines
from desk.actions import find
from desk.errors import Conflict, Invalid
from desk.events import Posted
from desk.lines import Call
from desk.model import Direction, Identity, Message, Ticket
from desk.perform import Outcome, perform
from tui.columns import channel
from tui.draw import flat, plural, size, wrap
from tui.front import Front
from tui.thread import WIDEST
from tui.widgets.lines import Drawn

REPLY, NOTE = "reply", "note"
_TRIES = 3


def call(kind: str, body: str) -> Call:
    """The call that says `body` as a reply or a note."""
    return lines.bind(find(kind), {"body": body})


def preview(front: Front, kind: str, ticket: int, body: str = "…") -> Message:
    """The message as it would be written now, recipients and all; nothing is kept."""
    outcome = perform(
        front.desk,
        [call(kind, body)],
        [ticket],
        front.who,
        at=front.now(),
        batch_id=front.new_batch(),
        dry_run=True,
        read_file=front.read_file,
    )
    posted = next((event.message for event in outcome.events if isinstance(event, Posted)), None)
    if posted is None:
        raise Invalid(f"{kind} says nothing on #{ticket}")
    return posted


def recipients(message: Message) -> list[tuple[str, Identity]]:
    """Everybody it goes to, each with the way: to, cc or bcc."""
    groups = (("to", message.to), ("cc", message.cc), ("bcc", message.bcc))
    return [(way, person) for way, people in groups for person in people]


def heading(kind: str, message: Message | None) -> tuple[tuple[str, str], ...]:
    """What is being written, in words and colour; without a message nobody knows yet to whom it goes."""
    if kind == NOTE:
        return ((" NOTE ", "note_word"), ("  internal · only colleagues see it", "note"))
    if message is None:
        return (("REPLY", "reply_word"), ("  public · to whom is told before it is sent", "quiet"))
    parts: dict[str, list[str]] = {}
    for way, person in recipients(message):
        parts.setdefault(way, []).append(flat(person.value))
    people = " · ".join(f"{way} {', '.join(found)}" for way, found in parts.items())
    return (("REPLY", "reply_word"), (f"  public · {channel(message.channel)} · {people}", "quiet"))


def review(kind: str, message: Message, width: int) -> list[Drawn]:
    """The whole message as it goes out, recipients one a line."""
    drawn = [
        Drawn(
            heading(kind, message)
            if kind == NOTE
            else (("REPLY", "reply_word"), ("  as the customer gets it", "quiet")),
            _ground(kind),
        ),
        Drawn((), _ground(kind)),
    ]
    if kind == REPLY:
        sender = f"{flat(message.sender.display)} <{flat(message.sender.value)}>" if message.sender else ""
        drawn.append(_field("from", sender))
        drawn += [_field(way, _address(person)) for way, person in recipients(message)]
        drawn += [_field("by", channel(message.channel)), _field("subject", flat(message.subject)), Drawn()]
    text = "note" if kind == NOTE else "text"
    drawn += [Drawn((("  " + line, text),), _ground(kind)) for line in wrap(message.text, min(width - 4, WIDEST))]
    drawn += [
        Drawn(((f"  [{i}] {flat(a.name)}  {size(a.size)}", "quiet"),)) for i, a in enumerate(message.attachments, 1)
    ]
    return drawn


def _ground(kind: str) -> str:
    return "note" if kind == NOTE else "text"


def _field(name: str, value: str) -> Drawn:
    return Drawn(((f"  {name:>8}  ", "quiet"), (value, "text")))


def _address(person: Identity) -> str:
    return f"{flat(person.display)} <{flat(person.value)}>" if person.display else flat(person.value)


@dataclass(frozen=True, slots=True)
class News:
    """Messages that came while one was writing: nothing was sent."""

    messages: Sequence[Message]


def send(
    front: Front, calls: Sequence[Call], ticket: int, seen: int, batch: str, version: int | None = None
) -> Outcome | News:
    """Do `calls` on the ticket unless somebody else said something after the message `seen`.

    Where no `version` of it is expected, the ticket's version is read before its messages and expected afterwards, so that
    nothing can come in between looking and sending.
    """
    for turn in range(_TRIES):
        found: Ticket = front.desk.store.ticket(ticket)
        news = [m for m in front.desk.store.thread(ticket) if m.id > seen and not _mine(m, front.me)]
        if news:
            return News(news)
        try:
            return perform(
                front.desk,
                calls,
                [ticket],
                front.who,
                at=front.now(),
                batch_id=batch,
                expect={ticket: found.version if version is None else version},
                read_file=front.read_file,
            )
        except Conflict:
            # Something changed between reading and writing; look again, it may be a message.
            if turn == _TRIES - 1 or version is not None:
                raise
    raise AssertionError("unreachable")


def _mine(message: Message, me: str | None) -> bool:
    return message.direction is Direction.OUT and message.agent == me


def question(news: News) -> str:
    """What to ask when somebody spoke meanwhile."""
    last = news.messages[-1]
    return f"{plural(len(news.messages), 'new message')} since you began ({flat(last.author)}: “{flat(last.visible)[:60]}”)"
