"""Times as the screen shows them: how long until an answer is due, how old a ticket is, when something was said."""

from __future__ import annotations

from datetime import datetime, tzinfo

from desk.model import DAY, HOUR, MINUTE, SECOND, Millis, Status, Ticket
from desk.when import brief

SOON: Millis = HOUR
"""From here on a due time is shown as near."""

_KINDS = {"first-reply": "first reply", "next-reply": "next reply", "resolution": "resolution"}
_DONE = (Status.SOLVED, Status.CLOSED)


def due(ticket: Ticket, now: Millis) -> tuple[str, str]:
    """The text of the clock and the style it has: `-2h 05m !` overdue, `14m ~` soon, `3h 10m`, `paused`, `-`."""
    if ticket.snoozed(now) and ticket.status not in _DONE:
        return "asleep", "quiet"
    if ticket.paused:
        return "paused", "quiet"
    if ticket.due_at is None:
        return "-", "faint"
    left = ticket.due_at - now
    if left <= 0:
        return f"{'now' if -left < MINUTE else '-' + brief(left)} !", "overdue"
    if left < 10 * MINUTE:
        return f"{left // MINUTE}m {left // SECOND % 60:02d}s ~", "soon"
    return (f"{brief(left)} ~", "soon") if left < SOON else (brief(left), "text")


def due_words(ticket: Ticket, now: Millis) -> tuple[str, str]:
    """The clock of an open ticket as a phrase, and its style: `next reply in 3h 10m`."""
    text, style = due(ticket, now)
    text = text.removesuffix(" !").removesuffix(" ~")
    if ticket.snoozed(now) and ticket.status not in _DONE:
        until = ticket.snoozed_until
        return ("asleep until somebody writes" if until is None else f"asleep, wakes in {brief(until - now)}"), style
    if ticket.due_at is None or ticket.paused:
        return ("nothing is due" if text == "-" else text), "quiet"
    what = _KINDS.get(ticket.due_kind or "", "answer")
    if ticket.due_at <= now:
        return f"{what} {text} overdue" if text != "now" else f"{what} is due now", style
    return f"{what} in {text}", style


def age(since: Millis, now: Millis) -> str:
    """How long ago, in one unit: `40m`, `3h`, `2d`."""
    length = max(0, now - since)
    if length < HOUR:
        return f"{length // MINUTE}m"
    return f"{length // HOUR}h" if length < 2 * DAY else f"{length // DAY}d"


def wall(now: Millis, zone: tzinfo) -> str:
    """The time of day: `14:02`."""
    return datetime.fromtimestamp(now / 1000, zone).strftime("%H:%M")
