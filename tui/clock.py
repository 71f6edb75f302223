"""Times as the screen shows them: how long until an answer is due, how old a ticket is, when something was said."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING

from desk.model import DAY, HOUR, MINUTE, SECOND, Millis, Status, Ticket
from desk.when import brief

if TYPE_CHECKING:
    from desk.sla import Promise

SOON: Millis = HOUR
"""From here on a due time is shown as near."""

_KINDS = {
    "first-reply": "first reply",
    "next-reply": "next reply",
    "resolution": "resolution",
    "call-back": "call back",
}
_DONE = (Status.SOLVED, Status.CLOSED)


def due(ticket: Ticket, now: Millis) -> tuple[str, str]:
    """The text of the clock and the style it has: `-2h 05m !` overdue, `14m ~` soon, `3h 10m`, `paused`, `none`."""
    if ticket.snoozed(now) and ticket.status not in _DONE:
        return "asleep", "quiet"
    if ticket.paused:
        return "paused", "quiet"
    if ticket.due_at is None:
        return "none", "faint"
    return _left(ticket.due_at, now)


def _left(due_at: Millis, now: Millis) -> tuple[str, str]:
    left = due_at - now
    if left <= 0:
        return f"{'now' if -left < MINUTE else '-' + brief(left)} !", "overdue"
    if left < 10 * MINUTE:
        return f"{left // MINUTE}m {left // SECOND % 60:02d}s ~", "soon"
    return (f"{brief(left)} ~", "soon") if left < SOON else (brief(left), "text")


def due_words(ticket: Ticket, now: Millis) -> tuple[str, str]:
    """The clock of an open ticket as a phrase, and its style: `next reply in 3h 10m`."""
    if asleep := _asleep(ticket, now):
        return asleep, "quiet"
    if ticket.due_at is None or ticket.paused:
        return ("paused" if ticket.paused else "nothing is due"), "quiet"
    return _running(_KINDS.get(ticket.due_kind or "", "answer"), ticket.due_at, now)


def _asleep(ticket: Ticket, now: Millis) -> str:
    if not ticket.snoozed(now) or ticket.status in _DONE:
        return ""
    until = ticket.snoozed_until
    return "asleep until somebody writes" if until is None else f"asleep, wakes in {brief(until - now)}"


def _running(what: str, due_at: Millis, now: Millis) -> tuple[str, str]:
    text, style = _left(due_at, now)
    text = text.removesuffix(" !").removesuffix(" ~")
    if due_at <= now:
        return f"{what} {text} overdue" if text != "now" else f"{what} is due now", style
    return f"{what} in {text}", style


def clocks(ticket: Ticket, promises: Sequence[Promise], now: Millis, room: int) -> list[tuple[str, str]]:
    """Every clock of a ticket as a phrase with its style; in less `room` what is done goes first, then what is far."""
    told = [(_told(promise, ticket, now), promise.state) for promise in promises]
    found = [phrase for phrase, _ in told]
    if found and (asleep := _asleep(ticket, now)):
        found.insert(0, (asleep, "quiet"))
    weakest = [phrase for phrase, state in told if state == "kept"] + [
        phrase for phrase, state in told if state == "paused"
    ]
    while sum(len(text) + _GAP for text, _ in found) - _GAP > room and weakest:
        found.remove(weakest.pop(0))
    return found or [due_words(ticket, now)]


_GAP = 3


def _told(promise: Promise, ticket: Ticket, now: Millis) -> tuple[str, str]:
    what = _KINDS[promise.clock]
    if promise.state == "paused":
        left = f", {brief(promise.left)} left" if promise.left is not None else ""
        return f"{what} paused in {ticket.status}{left}", "quiet"
    if promise.state != "kept":
        return (f"{what} due", "text") if promise.due is None else _running(what, promise.due, now)
    if promise.clock == "next-reply" or promise.kept_at is None:
        return f"{what} done", "quiet"
    late = promise.kept_at - promise.due if promise.due is not None else 0
    told = f"{what} done in {brief(promise.kept_at - promise.since)}"
    return (f"{told}, {brief(late)} late" if late >= MINUTE else told), "quiet"


def age(since: Millis, now: Millis) -> str:
    """How long ago, in one unit: `40m`, `3h`, `2d`."""
    length = max(0, now - since)
    if length < HOUR:
        return f"{length // MINUTE}m"
    return f"{length // HOUR}h" if length < 2 * DAY else f"{length // DAY}d"


def wall(now: Millis, zone: tzinfo) -> str:
    """The time of day: `14:02`."""
    return datetime.fromtimestamp(now / 1000, zone).strftime("%H:%M")
