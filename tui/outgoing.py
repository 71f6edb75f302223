"""What is about to be said: to whom it goes, what it looks like, and what to ask when somebody spoke meanwhile."""

from __future__ import annotations

from collections.abc import Sequence

from desk import outgoing
from desk.lines import Call
from desk.model import Draft, Identity, Message
from desk.outgoing import NOTE, REPLY, News, call, recipients
from desk.perform import Outcome
from tui.columns import channel
from tui.draw import flat, plural, size, wrap
from tui.front import Front
from tui.thread import WIDEST
from tui.widgets.lines import Drawn


def preview(front: Front, kind: str, ticket: int, body: str = "…") -> Message:
    """The message as it would be written now, recipients and all; nothing is kept."""
    return outgoing.preview(
        front.desk,
        front.who,
        [call(Draft(ticket, "", kind, 0, body, {}))],
        ticket,
        at=front.now(),
        batch_id=front.new_batch(),
        read_file=front.read_file,
    )


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


def send(
    front: Front, calls: Sequence[Call], ticket: int, seen: int, batch: str, version: int | None = None
) -> Outcome | News:
    """Do `calls` on the ticket unless somebody else said something after the message `seen`."""
    return outgoing.send(
        front.desk,
        front.who,
        calls,
        ticket,
        seen,
        at=front.now(),
        batch_id=batch,
        version=version,
        read_file=front.read_file,
    )


def question(news: News) -> str:
    """What to ask when somebody spoke meanwhile."""
    last = news.messages[-1]
    return f"{plural(len(news.messages), 'new message')} since you began ({flat(last.author)}: “{flat(last.visible)[:60]}”)"
