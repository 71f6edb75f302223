"""What a request would do, before it does: the events of a dry run, by ticket and in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from desk.events import Event, Posted, Record, payload
from desk.model import Kind, Millis
from desk.perform import Outcome
from desk.telling import describe, utc


def by_ticket(outcome: Outcome) -> dict[int, list[Event]]:
    """The events of a dry run by the ticket for which they were asked."""
    found: dict[int, list[Event]] = {}
    for event in outcome.events:
        about = getattr(event, "about", None)
        number = about if isinstance(about, int) and getattr(event, "entity", "ticket") == "ticket" else None
        # What happens to a customer belongs to the ticket before it.
        found.setdefault(number if number is not None else next(reversed(found), 0), []).append(event)
    return found


def told(event: Event, moment: Callable[[Millis], str] = utc) -> str:
    """An event as a short phrase: a change as the log has it, a message with whom it goes to; `moment` says a time."""
    if isinstance(event, Posted):
        to = recipients(event)
        return f"{_word(event, to)} to {', '.join(to)}" if to else _word(event, to)
    entity, about, plain = payload(event)
    return describe(Record(0, 0, "", entity, about, type(event).__name__, plain), moment)


def recipients(event: Posted) -> Sequence[str]:
    """Everybody whom a message goes to."""
    return [recipient for delivery in event.deliveries for recipient in delivery.recipients]


def _word(event: Posted, to: Sequence[str]) -> str:
    if event.message.kind is Kind.NOTE and not to:
        return "note"
    return "reply" if event.message.kind is Kind.PUBLIC else "forward"
