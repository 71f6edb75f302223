"""What would be done, one line a ticket, and whom it would be written to: `y` does it, leaving does not."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len

from desk.events import Posted
from desk.preview import by_ticket, recipients, told
from desk.telling import utc
from tui.draw import cut, flat, pad, plural, wrap
from tui.sheets import Entry, Page, Sheet
from tui.sheets.kit import groups, heading

if TYPE_CHECKING:
    from desk.model import Millis
    from desk.perform import Outcome

_WHOLE = 10
"""Of so many tickets at most all that would change is shown, and each message as it would go out; of more, how each begins."""

_LINES = 30
_BETWEEN = " · "


def sheet(
    title: str, would: Outcome, subjects: Mapping[int, str], do: Callable[[], Coroutine[Any, Any, None]], *, word: str = "do it",
    moment: Callable[[Millis], str] = utc,
) -> Sheet:  # fmt: skip
    """The outcome of a dry run; `do` is what `y` does, `moment` says a time."""
    of_each = by_ticket(would)
    messages = [event for event in would.events if isinstance(event, Posted)]
    texts = {event.message.text for event in messages}
    told_apart, few = len(texts) > 1, len(of_each) <= _WHOLE

    def read(width: int) -> Page:
        tickets: list[Entry] = []
        every = {*of_each, *would.skipped, *would.done}
        digits = max((len(str(number)) for number in every), default=0) + 2
        changed = {
            number: [("+ " if isinstance(event, Posted) else "") + flat(told(event, moment)) for event in events]
            for number, events in of_each.items()
        }
        longest = max((cell_len(flat(subjects.get(number, ""))) for number in of_each), default=0)
        # The subject gives way to what changes, but never all of its room.
        room = width - digits - 4 - max((cell_len(_BETWEEN.join(each)) for each in changed.values()), default=0)
        room = min(longest, max(12, width // 3, room))
        for number, events in of_each.items():
            lead = (
                (pad(f"#{number}" if number else "new", digits), "quiet"),
                (f"  {pad(flat(subjects.get(number, '')), room)}  ", "text"),
            )
            beside = width - room - digits - 4
            first, *rest = _beside(changed[number], beside) if few else [cut(_BETWEEN.join(changed[number]), beside)]
            tickets.append(Entry((*lead, (first, "good")), ticket=number or None, key=number))
            tickets += [Entry(((f"{'':{digits + room + 4}}{line}", "good"),), heads=True) for line in rest]
            if told_apart:
                shown = 3 if few else 1
                for event in (e for e in events if isinstance(e, Posted)):
                    for line in list(wrap(event.message.text, width - 14))[:shown]:
                        tickets.append(Entry((("          | ", "quiet"), (line, "quoted")), heads=True))
        same = [
            Entry((("  | ", "quiet"), (line, "text")), heads=True)
            for line in (list(wrap(next(iter(texts)), width - 4))[:_LINES] if len(texts) == 1 else ())
        ]
        left = [
            Entry(
                ((pad(f"#{number}", digits), "quiet"), (f"  {cut(flat(why), width - digits - 2)}", "notice")),
                ticket=number,
            )
            for number, why in would.skipped.items()
        ]
        idle = [
            Entry(
                (
                    (pad(f"#{number}", digits), "quiet"),
                    (f"  {cut(flat(subjects.get(number, '')), width - digits - 2)}", "quiet"),
                ),
                ticket=number,
            )
            for number in would.done
            if number not in of_each
        ]
        return Page(
            groups(
                (heading("The message", "the same to all" if len(messages) > 1 else ""), same),
                (heading("What would change"), tickets), (heading("Left alone"), left), (heading("Nothing to change"), idle),
            ),
            ((_totals(would, messages), "quiet"),),
        )  # fmt: skip

    answers = {"y": (word, do)} if would.events else {}
    return Sheet(
        title, read, hints=(("show", "open the ticket"), ("narrow", "narrow"), ("back", "leave, nothing is done")), answers=answers,
        live=False, empty="Nothing would be done.",
    )  # fmt: skip


def _beside(changes: Sequence[str], width: int) -> Iterator[str]:
    """The changes in lines: a new line begins with a change, where it can."""
    line = ""
    for change in changes:
        longer = f"{line}{_BETWEEN}{change}" if line else change
        if line and cell_len(longer) > width:
            yield from wrap(line, width)
            longer = change
        line = longer
    yield from wrap(line, width)


def _totals(would: Outcome, messages: list[Posted]) -> str:
    to = {one for event in messages for one in recipients(event)}
    sent = sum(bool(event.deliveries) for event in messages)
    parts = [plural(len(would.done), "ticket")]
    if sent:
        parts.append(f"{plural(sent, 'message')} to {len(to):,} {'person' if len(to) == 1 else 'people'}")
    if would.skipped:
        parts.append(f"{len(would.skipped):,} left alone")
    return ", ".join(parts)
