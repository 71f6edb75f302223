"""A conversation as lines: who said what to whom, by which channel, and how far it got."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, tzinfo

from msgspec import Struct

from desk import flags
from desk.model import Attachment, Direction, Kind, Message, Millis, State
from desk.when import said
from tui.columns import channel
from tui.draw import cut, flat, plural, size, wrap
from tui.widgets.lines import Drawn

WIDEST = 110
"""Longer lines are hard to read, however wide the screen is."""

_INDENT = "  "
_BAD = (State.FAILED, State.BOUNCED, State.UNKNOWN, State.DEFERRED)


class Telling(Struct, frozen=True):
    """How a conversation is told: for which width, moment and zone, which messages unfolded, with reasons or not."""

    width: int
    now: Millis
    zone: tzinfo = UTC
    unfolded: frozenset[int] = frozenset()
    why: bool = False


def told(thread: Sequence[Message], how: Telling) -> list[Drawn]:
    """The conversation as lines, a blank one after each message."""
    lines: list[Drawn] = []
    number = 0
    for message in thread:
        lines += _message(message, how, number)
        number += len(_listed(message))
        lines.append(Drawn())
    return lines[:-1]


def _message(message: Message, how: Telling, number: int) -> Iterable[Drawn]:
    note = message.kind is Kind.NOTE
    ground = "note" if note else "text"
    yield Drawn(tuple(_head(message, how)), "note_word" if note else "text")
    if how.why and message.threaded_by:
        yield Drawn(
            (
                (
                    f"{_INDENT}here because {flags.THREADED.get(message.threaded_by, flat(message.threaded_by))}",
                    "system",
                ),
            ),
            ground,
        )
    if message.flags:
        yield Drawn(((f"{_INDENT}! {flat('; '.join(flags.told(message.flags)))}", "notice"),), ground)
    style = "note" if note else "system" if message.kind is Kind.SYSTEM else "text"
    for line in _body(message, how):
        quoted = style == "text" and line.lstrip().startswith(">")
        yield Drawn(((_INDENT + line, "quoted" if quoted else style),), ground)
    yield from (Drawn((part,), ground) for part in _below(message, how, number))


def _head(message: Message, how: Telling) -> Iterable[tuple[str, str]]:
    # Names are cut before the time and the state of a message are.
    most = max(12, how.width // 3)
    author = cut(flat(message.author) or "somebody", most)
    quiet = "note" if message.kind is Kind.NOTE else "quiet"
    when = said(message.at, how.now, how.zone)
    if message.kind is Kind.NOTE:
        yield " NOTE ", "note_word"
        away = message.direction is Direction.OUT and message.to
        to = f" → {cut(_people(message), most)}" if away else ""
        yield (
            f" {author}{to} · {'answered by a third party' if message.direction is Direction.IN else 'internal'} · {when}",
            quiet,
        )
    elif message.direction is Direction.IN:
        yield f" {author}", "customer"
        word = {Kind.CALL: "called", Kind.SYSTEM: "system"}.get(message.kind, "wrote")
        yield f" {word} · {channel(message.channel)} · {when}", quiet
    else:
        yield f" {author}", "agent"
        yield f" → {cut(_people(message), most)} · {channel(message.channel)} · {when}", quiet
    if message.automatic:
        yield f" · automatic ({flat(message.automatic)})", quiet
    if message.state:
        yield " · ", quiet
        yield (
            message.state.value,
            "trouble" if message.state in _BAD else "quiet" if message.state is State.QUEUED else "good",
        )


def _people(message: Message) -> str:
    people = [*message.to, *message.cc, *message.bcc]
    if not people:
        return "nobody"
    rest = f" and {len(people) - 2} more" if len(people) > 2 else ""
    return ", ".join(flat(person.label) for person in people[:2]) + rest


def _body(message: Message, how: Telling) -> list[str]:
    text = message.text if message.id in how.unfolded else message.visible
    return list(wrap(text.strip("\n"), min(how.width - 2 * len(_INDENT), WIDEST)))


def hidden(message: Message) -> int:
    """How many lines of the message are folded away: quotes and signatures."""
    return max(0, len(message.text.strip().splitlines()) - len(message.visible.strip().splitlines()))


def _listed(message: Message) -> list[Attachment]:
    return [a for a in message.attachments if not a.inline]


def _below(message: Message, how: Telling, number: int) -> Iterable[tuple[str, str]]:
    quiet = "note" if message.kind is Kind.NOTE else "quiet"
    for place, attachment in enumerate(_listed(message), number + 1):
        yield f"{_INDENT}[{place}] {flat(attachment.name) or 'unnamed'}  {size(attachment.size)}", quiet
    if folded := hidden(message):
        mark, word = ("▾", "shown") if message.id in how.unfolded else ("▸", "folded")
        yield f"{_INDENT}{mark} {plural(folded, 'quoted line')} {word}", quiet
