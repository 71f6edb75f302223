"""A conversation as lines: who said what to whom, by which channel, how far it got, and what happened in between."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, tzinfo

from msgspec import Struct
from rich.cells import cell_len, chop_cells

from desk import flags
from desk.events import Record
from desk.model import MINUTE, Attachment, Delivery, Direction, Kind, Message, Millis, State
from desk.telling import describe
from desk.when import said
from tui.columns import channel
from tui.draw import ELLIPSIS, breaks, cut, flat, middle, plural, size, wrap
from tui.links import Item, Link, host, shown
from tui.markup import read
from tui.widgets.lines import Drawn

WIDEST = 110
"""Longer lines are hard to read, however wide the screen is."""

LONG = 50_000
"""Characters of a message that are shown at first."""

_INDENT = "  "
_SHARES: Millis = 2 * MINUTE
_BAD = (State.FAILED, State.BOUNCED, State.UNKNOWN, State.DEFERRED)
_SHOWN_LINKS = 6
_LINK_LINES = 4
_HAPPENED = {
    State.FAILED: "was not delivered",
    State.BOUNCED: "came back",
    State.UNKNOWN: "may have gone out or not: the connection broke off",
}
_NEXT = {
    State.FAILED: "{} sends it again",
    State.BOUNCED: "reach them by another address or channel; {} tries this one again",
    State.UNKNOWN: "ask whether it came, or look into the server's log; {} sends it again, perhaps a second time",
    State.DEFERRED: "it is tried again by itself",
}
_OVER_NOTES = ("strong", "emphasis", "code", "found")
"""What may lie over a note; other colours are chosen for another ground."""


class Telling(Struct, frozen=True):
    """How a conversation is told: for which width, moment and zone, which messages unfolded, with reasons or not.

    `trouble` are the deliveries that went wrong, by message; `retry` is how one asks for another attempt.
    """

    width: int
    now: Millis
    zone: tzinfo = UTC
    unfolded: frozenset[int] = frozenset()
    why: bool = False
    trouble: Mapping[int, Sequence[Delivery]] = {}
    retry: str = ":retry"


def goes_on(before: Item, item: Item) -> bool:
    """Whether a message of a chat follows one of the same speaker so closely that one head is enough for both."""
    first, next = before.message, item.message
    if next.conversation is None or next.kind is not Kind.PUBLIC or first.state in _BAD:
        return False
    below = before.links or first.marks or first.attachments
    return not below and 0 <= next.at - first.at <= _SHARES and _spoken(first) == _spoken(next)


def _spoken(message: Message) -> object:
    """By whom, where and to whom: what a head tells besides the time."""
    who = message.sender.value if message.sender and message.direction is Direction.IN else message.agent
    return message.kind, message.direction, message.conversation, who, message.to, message.flags, message.automatic, message.state  # fmt: skip


def told(item: Item, how: Telling, *, headed: bool = True) -> list[Drawn]:
    """A message as lines; without its head where it shares that of the one before."""
    message = item.message
    if message.kind is Kind.SYSTEM and message.automatic and message.direction is Direction.IN:
        # Who came and went is no speech.
        return event((message.at, "", flat(message.visible)), how)
    note = message.kind is Kind.NOTE
    ground = "note" if note else "text"
    lines = [Drawn(tuple(_head(message, how)), ground)] if headed else []
    if how.why and message.threaded_by:
        because = flags.THREADED.get(message.threaded_by, flat(message.threaded_by))
        lines.append(Drawn(((f"{_INDENT}here because {because}", "system"),), ground))
    if odd := flags.told(message.flags):
        lines.append(Drawn(((f"{_INDENT}! {flat('; '.join(odd))}", "notice"),), ground))
    text, links = shown(item, message.text if message.id in how.unfolded else beginning(message))
    gone = message.kind is Kind.SYSTEM or flags.TAKEN_BACK in message.flags
    base = "note" if note else "system" if gone else "text"
    for parts in read(text.strip("\n"), min(how.width - 2 * len(_INDENT), WIDEST), typed=not message.html):
        lines.append(Drawn(tuple(_laid(base, parts)), ground))
    if message.marks:
        told = "  ".join(f"{flat(mark.mark)} {flat(mark.who)}" for mark in message.marks)
        lines += [
            Drawn(((f"{_INDENT}{piece}", "quiet"),), ground) for piece in wrap(told, how.width - 2 * len(_INDENT))
        ]
    lines += [Drawn(parts, ground) for parts in _below(item, links, how)]
    return lines


def _laid(base: str, parts: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    yield _INDENT, base
    for text, style in parts:
        if base == "note":
            yield text, f"note+{style}" if style in _OVER_NOTES else base
        else:
            yield text, style or base


def _head(message: Message, how: Telling) -> Iterable[tuple[str, str]]:
    # Names are cut before the time and the state of a message are.
    most = max(12, how.width // 3)
    author = cut(flat(message.author) or "somebody", most)
    quiet = "note" if message.kind is Kind.NOTE else "quiet"
    when = " · ".join((said(message.at, how.now, how.zone), *flags.aside(message.flags)))
    if message.kind is Kind.NOTE:
        yield from ((" ", quiet), ("NOTE", "note_word"), (" ", quiet))
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
        yield " ", quiet
        yield author, "agent"
        word = "called" if message.kind is Kind.CALL else "→"
        yield f" {word} {cut(_people(message), most)} · {channel(message.channel)} · {when}", quiet
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


# -- below the text -----------------------------------------------------------------


def long(message: Message) -> bool:
    """Whether there is so much of a message that telling all of it takes longer than a frame may."""
    return len(message.text) > LONG


def beginning(message: Message) -> str:
    """What is shown of a message at first: no quotes and signatures, and of very much text the beginning."""
    text = message.visible
    return text if len(text) <= LONG else text[: max(text.rfind("\n", 0, LONG), LONG // 2)]


def folded(message: Message) -> int:
    """How many lines of the message are folded away: quotes and signatures, or the most of very much text."""
    if message.text == (first := beginning(message)):
        return 0
    lines = message.text.strip().count("\n") - first.strip().count("\n")
    return max(int(first != message.visible), lines)


def folds(item: Item) -> bool:
    """Whether there is more of a message than is shown at first."""
    return len(item.links) > _SHOWN_LINKS or folded(item.message) > 0


def attached(message: Message) -> list[Attachment]:
    """The files of a message that have a number."""
    return [attachment for attachment in message.attachments if not attachment.inline]


def _below(item: Item, links: Sequence[Link], how: Telling) -> Iterator[tuple[tuple[str, str], ...]]:
    message = item.message
    quiet = "note" if message.kind is Kind.NOTE else "quiet"
    yield from _trouble(message, how)
    for place, attachment in enumerate(attached(message), item.first):
        lead, end = f"{_INDENT}[{place}] ", f"  {size(attachment.size)}"
        name = middle(flat(attachment.name) or "unnamed", how.width - cell_len(lead + end) - 1)
        yield ((f"{lead}{name}{end}", quiet),)
    every = message.id in how.unfolded
    # A warning is never folded away.
    listed = [link for place, link in enumerate(links) if every or place < _SHOWN_LINKS or link.doubt]
    for link in listed:
        yield from _link(link, how.width - 2 * len(_INDENT), quiet)
    if len(listed) < len(links):
        yield ((f"{_INDENT}▸ {plural(len(links) - len(listed), 'more link')} folded", quiet),)
    if lines := folded(message):
        mark, word = ("▾", "shown") if every else ("▸", "folded")
        what = "quoted line" if len(message.visible) <= LONG else "more line"
        yield ((f"{_INDENT}{mark} {plural(lines, what)} {word}", quiet),)


def _trouble(message: Message, how: Telling) -> Iterator[tuple[tuple[str, str], ...]]:
    if message.state not in _BAD:
        return
    for delivery in how.trouble.get(message.id, ()):
        what = f"! to {', '.join(map(flat, delivery.recipients))} it {_HAPPENED.get(delivery.state, delivery.state)}"
        why = f": {flat(delivery.error)}" if delivery.error else ""
        left = len(what)
        for start, end in breaks(what + why, max(8, min(how.width - 4, WIDEST))):
            piece = (what + why)[start:end]
            yield ((_INDENT, "text"), (piece[:left], "trouble"), (piece[left:], "text"))
            left = max(0, len(what) - end - 1)
    step = _NEXT[message.state].format(how.retry)
    for line in read(step, min(how.width - 6, WIDEST)):
        yield ((2 * _INDENT + "".join(text for text, _ in line), "quiet"),)


def _link(link: Link, room: int, quiet: str) -> Iterator[tuple[tuple[str, str], ...]]:
    """A link with its whole target; only one that would fill the screen is cut, in the middle."""
    lead = f"[{link.letter}] "
    room = max(8, room - len(lead))
    target = flat(link.target)
    if cell_len(target) > _LINK_LINES * room:
        pieces = chop_cells(target, room)
        target = "".join(pieces[: _LINK_LINES - 1])[:-1] + ELLIPSIS + target[-room:]
    where = host(link.target)
    begin = target.find(where) if where else -1
    for number, piece in enumerate(chop_cells(target, room)):
        parts = [(_INDENT + (lead if not number else " " * len(lead)), quiet)]
        if not number and begin >= 0 and begin + len(where) <= len(piece):
            strong = f"{quiet}+strong" if quiet == "note" else "text"
            end = begin + len(where)
            parts += [(piece[:begin], quiet), (piece[begin:end], strong), (piece[end:], quiet)]
        else:
            parts.append((piece, quiet))
        yield tuple(part for part in parts if part[0])
    if link.doubt:
        yield (
            (
                f"{_INDENT}{' ' * len(lead)}! {cut(flat(link.doubt), room)}",
                "note+strong" if quiet == "note" else "notice",
            ),
        )


# -- what happened in between -------------------------------------------------------

_TOLD = ("Changed", "Moved", "Withdrawn", "Restored", "Clock", "Delivered")


def happened(records: Iterable[Record], moment: Callable[[Millis], str]) -> list[tuple[Millis, str, str]]:
    """What happened besides messages: (when, who, what), all that one batch did in one; `moment` says a time."""
    found: dict[str, tuple[Millis, str, list[str]]] = {}
    for record in records:
        data = record.data
        if record.kind not in _TOLD or (
            record.kind == "Changed" and data["field"] in ("solved_at", "snoozed_for_reply")
        ):
            continue
        if record.kind == "Clock" and data["what"] not in ("warn", "breach", "pause", "resume"):
            continue
        if record.kind == "Delivered" and data["state"] not in _BAD:
            continue
        source = record.source.replace(":", " ", 1) if record.source.startswith(("rule:", "macro:")) else ""
        who = " · ".join(filter(None, (record.agent or "", source))) or record.source or "the desk"
        found.setdefault(record.batch, (record.at, who, []))[2].append(describe(record, moment))
    return [(at, flat(who), flat(", ".join(what))) for at, who, what in found.values()]


def event(one: tuple[Millis, str, str], how: Telling) -> list[Drawn]:
    """What happened, as quiet lines between messages."""
    at, who, what = one
    lead = f"{_INDENT}· {said(at, how.now, how.zone)}  " + (f"{who}: " if who else "")
    first, *rest = read(what, max(20, min(how.width - 2, WIDEST) - cell_len(lead)))
    lines = [Drawn(((lead + "".join(text for text, _ in first), "system"),))]
    return lines + [Drawn(((" " * cell_len(lead) + "".join(text for text, _ in line), "system"),)) for line in rest]
