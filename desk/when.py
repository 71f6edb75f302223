"""Times as people write them: `2h`, `tomorrow 9:00`, `2026-01-31`, `1w..`.

Nothing here reads the clock: the moment "now" and the time zone are passed in.
"""

from __future__ import annotations

import re
from datetime import MAXYEAR, MINYEAR, UTC, datetime, time, timedelta, tzinfo
from datetime import date as Date
from typing import TYPE_CHECKING

from msgspec import Struct

from desk.errors import Invalid
from desk.model import DAY, HOUR, MINUTE, SECOND, Millis

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_UNITS: dict[str, Millis] = {
    "s": SECOND,
    "m": MINUTE,
    "h": HOUR,
    "d": DAY,
    "w": 7 * DAY,
    "mo": 30 * DAY,
    "y": 365 * DAY,
}
_SPAN = re.compile(r"(?:\d+(?:mo|[smhdwy]))+")
_SPAN_PART = re.compile(r"(\d+)(mo|[smhdwy])")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})")
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_FARTHEST = 200 * 365 * DAY

HINT = "write a span (90s, 20m, 2h, 3d, 1w), a date (2026-01-31), a date and time (2026-01-31 09:00), today, tomorrow 9:00 or a weekday"


def span(text: str) -> Millis | None:
    """The length `text` names (`2h`, `1d12h`), or None when it names none."""
    if not _SPAN.fullmatch(text):
        return None
    length = sum(int(number[:18]) * _UNITS[unit] for number, unit in _SPAN_PART.findall(text))
    if length > _FARTHEST:
        raise Invalid(f"{text[:40]} is longer than anybody waits")
    return length


def day(text: str, at: Millis, zone: tzinfo, *, ahead: bool = True) -> tuple[Millis, Millis] | None:
    """The first and last+1 millisecond of the day (or minute) that `text` names, or None.

    A weekday is the next one, or with `ahead` false the last one, today included.
    """
    here = datetime.fromtimestamp(at / 1000, zone)
    word = text.lower()
    if word in ("today", "yesterday", "tomorrow"):
        date = here.date() + timedelta({"today": 0, "yesterday": -1, "tomorrow": 1}[word])
    elif len(word) >= 3 and (names := [d for d in _DAYS if d.startswith(word)]):
        wanted, today = _DAYS.index(names[0]), here.weekday()
        date = here.date() + timedelta((wanted - today - 1) % 7 + 1 if ahead else -((today - wanted) % 7))
    else:
        try:
            if len(text) > 10:
                exact = datetime.fromisoformat(text)
                date = exact.date()
            else:
                exact, date = None, Date.fromisoformat(text)
        except ValueError:
            return None
        if not MINYEAR < date.year < MAXYEAR:
            # The calendar ends there: no day has another behind it in every zone.
            return None
        if exact:
            start = millis(exact if exact.tzinfo else exact.replace(tzinfo=zone))
            return start, start + MINUTE
    midnight = datetime.combine(date, time.min, zone)
    return millis(midnight), millis(datetime.combine(date + timedelta(1), time.min, zone))


def moment(text: str, at: Millis, zone: tzinfo, *, morning: str = "09:00") -> Millis:
    """The moment `text` names: a span from `at` on, or a day (at `morning` unless a time is named)."""
    text = " ".join(text.split())
    length = span(text)
    if length is not None:
        return at + length
    name, _, clock = text.partition(" ")
    if _CLOCK.fullmatch(name) and not clock:
        name, clock = "today", name
    if len(text) > 10 and (found := day(text, at, zone)):
        return found[0]
    whole = day(name, at, zone)
    hours = _CLOCK.fullmatch(clock or morning)
    if whole is None or hours is None or int(hours[1]) > 23 or int(hours[2]) > 59:
        raise Invalid(f'"{text}" is not a time: {HINT}')
    exact = datetime.combine(datetime.fromtimestamp(whole[0] / 1000, zone), time(int(hours[1]), int(hours[2])), zone)
    if name == "today" and millis(exact) <= at:
        exact += timedelta(1)
    return millis(exact)


def zone_named(name: str) -> ZoneInfo:
    """The time zone called so ("Europe/Berlin"); Invalid."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        # OSError: the name of a whole continent is that of a folder.
        raise Invalid(f'there is no time zone "{name[:40]}"; write one like Europe/Berlin') from error


def millis(moment_: datetime) -> Millis:
    """An aware datetime as milliseconds since 1970 in UTC."""
    return int(moment_.timestamp() * 1000)


def iso(at: Millis | None) -> str | None:
    """`at` as ISO 8601 in UTC, seconds precise; None stays None."""
    if at is None:
        return None
    return datetime.fromtimestamp(at // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def brief(length: Millis) -> str:
    """A span in at most two units, as a person says it: `2h 05m`, `14m`, `3d`."""
    minutes = abs(length) // MINUTE
    if minutes < 60:
        return f"{minutes}m"
    if minutes < 24 * 60:
        return f"{minutes // 60}h {minutes % 60:02d}m" if minutes < 10 * 60 else f"{minutes // 60}h"
    return f"{minutes // (24 * 60)}d"


def said(at: Millis, now: Millis, zone: tzinfo) -> str:
    """When something was said: `today 09:41`, `yesterday 17:02`, `Mon 12 Jan 09:41`, with the year when it is another."""
    moment, here = (datetime.fromtimestamp(t / 1000, zone) for t in (at, now))
    days = (here.date() - moment.date()).days
    clock = moment.strftime("%H:%M")
    if days in (0, 1):
        return f"{('today', 'yesterday')[days]} {clock}"
    date = moment.strftime("%a %d %b") if moment.year == here.year else moment.strftime("%d %b %Y")
    return f"{date} {clock}"


def coming(at: Millis, now: Millis, zone: tzinfo) -> str:
    """When something is going to be: `today 17:00`, `tomorrow 09:00`, `Mon 12 Jan 09:00`."""
    moment, here = (datetime.fromtimestamp(t / 1000, zone) for t in (at, now))
    if (moment.date() - here.date()).days == 1:
        return f"tomorrow {moment.strftime('%H:%M')}"
    return said(at, now, zone)


class Range(Struct, frozen=True):
    """Moments between `start` (included) and `end` (excluded); None is open."""

    start: Millis | None
    end: Millis | None

    def holds(self, at: Millis | None) -> bool:
        """Whether `at` lies inside; no moment lies in no range."""
        return at is not None and (self.start is None or at >= self.start) and (self.end is None or at < self.end)


def span_range(text: str, at: Millis, zone: tzinfo, *, ahead: bool = False) -> Range:
    """The moments a query means by `>2h`, `<2026-01-31`, `1w..`, `2026-01-01..2026-02-01`, `today`.

    Spans count back from `at` (`>2h` is older than two hours); with `ahead` they count
    forward (a due time `<2h` comes within two hours, or has passed). Dates compare as dates.
    """
    if ".." in text:
        first, _, last = text.partition("..")
        if not first and not last:
            raise Invalid(f"a range needs a beginning or an end: {HINT}")
        return Range(
            _edge(first, at, zone, ahead)[0] if first else None, _edge(last, at, zone, ahead)[1] if last else None
        )
    sign = text[:1]
    if sign not in "<>" or not sign:
        length = span(text)
        if length is not None:
            # A bare span is "within": the last two hours, or the next two.
            return Range(None, at + length) if ahead else Range(at - length, None)
        start, end = _edge(text, at, zone, ahead)
        return Range(start, end)
    rest = text[1:].removeprefix("=")
    inclusive = text[1:2] == "="
    begins, ends = _edge(rest, at, zone, ahead)
    a_span = span(rest) is not None
    if (sign == ">") != (a_span and not ahead):
        return Range(begins if inclusive or a_span else ends, None)
    return Range(None, ends if inclusive and not a_span else begins)


def _edge(text: str, at: Millis, zone: tzinfo, ahead: bool) -> tuple[Millis, Millis]:
    length = span(text)
    if length is not None:
        point = at + length if ahead else at - length
        return point, point
    found = day(text, at, zone, ahead=ahead)
    if found is None:
        raise Invalid(f'"{text}" is not a time: {HINT}')
    return found
