"""Times that come again, as cron writes them: `0 9 * * mon-fri` is nine o'clock on every working day.

The fields are minute, hour, day of the month, month, day of the week; each is `*`, a number
or name, a range `1-5`, a step `*/15`, or several of these with commas. Where both days are
named, either will do, as in cron.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from datetime import date as Date

from desk.errors import Invalid, suggest
from desk.model import Millis
from desk.when import millis

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_PARTS = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 7))
_FARTHEST = 366 * 8
"""Days to look back: 29 February may be eight years away."""


@dataclass(frozen=True)
class Cron:
    """Moments in a time zone."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...] | None
    months: tuple[int, ...]
    weekdays: tuple[int, ...] | None

    def last(self, at: Millis, zone: tzinfo) -> Millis | None:
        """The newest of the moments up to `at`.

        A time that the clock leaps over comes at the first moment after it; one that the clock
        shows twice comes once, the first time.
        """
        today = datetime.fromtimestamp(at / 1000, zone).date()
        for back in range(_FARTHEST):
            day = today - timedelta(back)
            if self._on(day):
                found = [moment for moment in self._of(day, zone) if moment <= at]
                if found:
                    return max(found)
        return None

    def _on(self, day: Date) -> bool:
        of_month = self.days is not None and day.day in self.days
        of_week = self.weekdays is not None and day.isoweekday() % 7 in self.weekdays
        some = of_month or of_week or (self.days is None and self.weekdays is None)
        return day.month in self.months and some

    def _of(self, day: Date, zone: tzinfo) -> Iterator[Millis]:
        for hour in self.hours:
            for minute in self.minutes:
                yield _moment(datetime.combine(day, time(hour, minute)), zone)


def _moment(local: datetime, zone: tzinfo) -> Millis:
    """When a clock there first shows this time, or leaps over it."""
    first = local.replace(tzinfo=zone)
    there = first.astimezone(UTC).astimezone(zone)
    if there.replace(tzinfo=None) == local:
        return millis(first)
    # It does not exist. Read with the offset before the leap it is as far behind the leap as it
    # was after its beginning; the leap itself is where the two offsets meet.
    before, after = first.utcoffset(), first.replace(fold=1).utcoffset()
    assert before is not None
    assert after is not None
    low, high = (
        millis((local - max(before, after)).replace(tzinfo=UTC)),
        millis((local - min(before, after)).replace(tzinfo=UTC)),
    )
    while high - low > 1:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle / 1000, zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high


def parse(text: str) -> Cron:
    """The moments that `text` names; Invalid says which field is wrong."""
    fields = text.split()
    if len(fields) != 5:
        raise Invalid(f'"{text}" is no such time: five fields, minute hour day month weekday: 0 9 * * mon-fri')
    minutes, hours, days, months, weekdays = (_values(field, *part) for field, part in zip(fields, _PARTS, strict=True))
    found = Cron(
        minutes,
        hours,
        days if fields[2] != "*" else None,
        months,
        tuple(sorted({day % 7 for day in weekdays})) if fields[4] != "*" else None,
    )
    if not any(found._on(Date(2000, 1, 1) + timedelta(n)) for n in range(_FARTHEST)):
        raise Invalid(f'"{text}" never comes')
    return found


def _values(text: str, name: str, low: int, high: int) -> tuple[int, ...]:
    found: set[int] = set()
    for part in text.lower().split(","):
        spread, slash, step = part.partition("/")
        if slash and (not step.isdigit() or not 0 < int(step) <= high):
            raise Invalid(f'the {name} "{part}": the step behind / is a number from 1 to {high}')
        first, dash, last = spread.partition("-")
        if spread == "*":
            start, end = low, high
        else:
            start = _value(first, name, low, high)
            end = _value(last, name, low, high) if dash else high if slash else start
        if name == "weekday" and end == 0 < start:
            end = 7
        if end < start:
            raise Invalid(f'the {name} "{part}" ends before it begins')
        found.update(range(start, end + 1, int(step) if slash else 1))
    return tuple(sorted(found))


def _value(text: str, name: str, low: int, high: int) -> int:
    names = _MONTHS if name == "month" else _DAYS if name == "weekday" else ()
    if text in names:
        return names.index(text) + low
    if not text.isascii() or not text.isdigit() or len(text) > 4 or not low <= int(text) <= high:
        hint = suggest(text, names) if names else f"; it is a number from {low} to {high}"
        raise Invalid(f'there is no {name} "{text}"{hint}')
    return int(text)
