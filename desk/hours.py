"""Working hours: `[calendars.NAME]`, and how much of a time lies in them.

A moment is inside working hours when the clock on the wall of the calendar's zone shows one
of its intervals and the day is not closed. So a night in which the clock goes back has its
repeated hour twice, and one in which it goes forward lacks the hour that was left out.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from msgspec import Struct

from desk import tables
from desk.config import DeskConfig
from desk.errors import Invalid, KeyProblem
from desk.model import DAY, MINUTE, Millis
from desk.query import suggest
from desk.tables import Checked, Entry
from desk.when import zone_named

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FULL = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_LINE = re.compile(r"([a-z][a-z,\s-]*?)\s+(\d.*)")
_INTERVAL = re.compile(r"(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})")
_YEARLY = re.compile(r"(\d\d)-(\d\d)")
_YEARS = 30
"""How far ahead working time is looked for: a calendar that is closed for longer never opens."""


class Calendar(Struct, frozen=True):
    """`[calendars.NAME]`: when people work.

    `hours` are lines such as "mon-fri 09:00-12:30 13:00-18:00"; an interval that ends before it
    begins goes on after midnight. `holidays` are countries and parts of them ("DE", "DE-BY"),
    `closed` days of one's own: "2026-12-24", "2026-12-24..2026-12-31", or "12-24" in every
    year. `ical` is a file of such days, read when the configuration is.
    """

    zone: str
    hours: tuple[str, ...] = ("mon-fri 09:00-17:00",)
    holidays: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()
    ical: str = ""

    def __post_init__(self) -> None:
        for key, check in (
            ("zone", zone_named), ("hours", _week), ("holidays", _countries), ("closed", _Closed.of),
        ):  # fmt: skip
            try:
                check(getattr(self, key))
            except Invalid as error:
                raise KeyProblem(key, str(error)) from error


@tables.once
def load(config: DeskConfig) -> Checked[Hours]:
    """The calendars of the team, by name."""
    return tables.checked(config, "calendars", lambda entry: Hours(_calendar(entry)))


def _calendar(entry: Entry) -> Calendar:
    calendar = tables.built(entry, Calendar)
    if calendar.ical:
        # Where it could be read, its days are in `closed` by now.
        raise KeyProblem("ical", f"the calendar file could not be taken in: {calendar.ical}")
    return calendar


class Hours:
    """Working time as a measure: how much of it lies between two moments, and when so much has passed."""

    def __init__(self, calendar: Calendar) -> None:
        self.calendar = calendar
        self._zone = zone_named(calendar.zone)
        self._week = _week(calendar.hours)
        self._closed = _Closed.of(calendar.closed)
        self._years: dict[int, _Year] = {}

    def open_at(self, at: Millis) -> bool:
        """Whether it is working time at this moment."""
        return self._year(_year_of(at)).open_at(at)

    def between(self, start: Millis, end: Millis) -> Millis:
        """How much working time lies from `start` to `end`; 0 when `end` is not after it."""
        if end <= start:
            return 0
        first, last = _year_of(start), _year_of(end)
        if first == last:
            year = self._year(first)
            return year.passed(end) - year.passed(start)
        whole = self._year(first).total - self._year(first).passed(start)
        whole += sum(self._year(number).total for number in range(first + 1, last))
        return whole + self._year(last).passed(end)

    def after(self, start: Millis, span: Millis) -> Millis | None:
        """The moment at which `span` of working time has passed since `start`; None when it never has."""
        if span <= 0:
            return start
        number = _year_of(start)
        wanted = span + self._year(number).passed(start)
        for number in range(number, number + _YEARS):  # noqa: B020 - from this year on
            year = self._year(number)
            if wanted <= year.total:
                return year.when(wanted)
            wanted -= year.total
        return None

    def _year(self, number: int) -> _Year:
        if number not in self._years:
            self._years[number] = _Year(list(self._intervals(number)))
        return self._years[number]

    def _intervals(self, year: int) -> Iterator[tuple[Millis, Millis]]:
        """The open intervals of a year (UTC), in order."""
        low, high = _year_start(year), _year_start(year + 1)
        off = self._closed.days(year) | _public_holidays(self.calendar.holidays, year)
        # The year begins and ends at other moments here than in UTC: a day more at each end.
        off |= self._closed.days(year - 1) | self._closed.days(year + 1)
        off |= _public_holidays(self.calendar.holidays, year - 1) | _public_holidays(self.calendar.holidays, year + 1)
        day = date(year, 1, 1) - timedelta(1)
        while day <= date(year + 1, 1, 1):
            if day not in off and (wall := self._week[day.weekday()]):
                for start, end in _on(day, wall, self._zone):
                    if max(start, low) < min(end, high):
                        yield max(start, low), min(end, high)
            day += timedelta(1)


class Always:
    """Every hour of every day: the clock that does without a calendar."""

    def open_at(self, at: Millis) -> bool:
        """Always."""
        return True

    def between(self, start: Millis, end: Millis) -> Millis:
        """The time from `start` to `end`; 0 when `end` is not after it."""
        return max(0, end - start)

    def after(self, start: Millis, span: Millis) -> Millis | None:
        """`span` after `start`."""
        return start + max(0, span)


ROUND_THE_CLOCK = Always()


class _Year:
    """The open intervals of one year, and how much was open before each."""

    def __init__(self, intervals: list[tuple[Millis, Millis]]) -> None:
        self.starts = [start for start, _ in intervals]
        self.ends = [end for _, end in intervals]
        self.before: list[Millis] = []
        self.total = 0
        for start, end in intervals:
            self.before.append(self.total)
            self.total += end - start

    def open_at(self, at: Millis) -> bool:
        place = bisect_right(self.starts, at) - 1
        return place >= 0 and at < self.ends[place]

    def passed(self, at: Millis) -> Millis:
        """How much of the year was open before `at`."""
        place = bisect_right(self.starts, at) - 1
        return self.before[place] + min(at, self.ends[place]) - self.starts[place] if place >= 0 else 0

    def when(self, wanted: Millis) -> Millis:
        """The first moment before which so much was open; `wanted` is over 0 and not over `total`."""
        place = bisect_right(self.before, wanted - 1) - 1
        return self.starts[place] + wanted - self.before[place]


def _on(day: date, wall: Iterable[tuple[int, int]], zone: ZoneInfo) -> Iterator[tuple[Millis, Millis]]:
    """The wall-clock intervals (minutes) of a local day as moments, in order and without overlap."""
    midnight = _millis(datetime(day.year, day.month, day.day, tzinfo=UTC))
    first = _offset(zone, datetime(day.year, day.month, day.day, tzinfo=zone))
    # What holds at the end of the day, were the day to end a moment before midnight.
    last = _offset(zone, datetime(day.year, day.month, day.day, 23, 59, 59, 999_000, fold=1, tzinfo=zone))
    spans = [(midnight + start * MINUTE, midnight + end * MINUTE) for start, end in wall]
    if first == last:
        yield from ((start - first, end - first) for start, end in spans)
        return
    turn = _turn(zone, midnight - max(first, last) - MINUTE, midnight + DAY - min(first, last) + MINUTE, last)
    parts = [(start - first, min(end - first, turn)) for start, end in spans]
    parts += [(max(start - last, turn), end - last) for start, end in spans]
    joined: list[tuple[Millis, Millis]] = []
    for start, end in sorted(part for part in parts if part[0] < part[1]):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    yield from joined


def _offset(zone: ZoneInfo, moment: datetime) -> Millis:
    return round((zone.utcoffset(moment) or timedelta()).total_seconds() * 1000)


def _turn(zone: ZoneInfo, low: Millis, high: Millis, after: Millis) -> Millis:
    """The moment between `low` and `high` from which on the offset is `after`."""
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(zone, datetime.fromtimestamp(middle / 1000, zone)) == after:
            high = middle
        else:
            low = middle
    return high


def _millis(moment: datetime) -> Millis:
    return round(moment.timestamp()) * 1000


@lru_cache(maxsize=256)
def _year_start(year: int) -> Millis:
    return _millis(datetime(year, 1, 1, tzinfo=UTC))


def _year_of(at: Millis) -> int:
    return datetime.fromtimestamp(at // 1000, UTC).year


# -- what a table says -------------------------------------------------------


def _week(lines: tuple[str, ...]) -> tuple[tuple[tuple[int, int], ...], ...]:
    """The intervals of each weekday in minutes, in order."""
    week: list[list[tuple[int, int]]] = [[] for _ in _DAYS]
    for line in lines:
        # With single spaces: a search through many would take forever.
        found = _LINE.fullmatch(" ".join(line.lower().split()))
        if not found:
            raise Invalid(f'"{line}" are no hours; write "mon-fri 09:00-12:30 13:00-18:00"')
        intervals = [_interval(text, line) for text in re.split(r"[,\s]+(?=\d{1,2}:\d{2}\s*-)", found[2].strip())]
        for day in _weekdays(found[1], line):
            for start, end in intervals:
                week[day].append((start, end if end > start else 24 * 60))
                if end < start:
                    week[(day + 1) % 7].append((0, end))
    if not any(week):
        raise Invalid('there are no hours at all; write "mon-fri 09:00-17:00"')
    return tuple(tuple(_apart(sorted(day))) for day in week)


def _apart(intervals: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    for place, (start, end) in enumerate(intervals):
        if place and start < intervals[place - 1][1]:
            raise Invalid(f"two intervals of a day overlap at {start // 60:02d}:{start % 60:02d}; make one of them")
        if start < end:
            yield start, end


def _interval(text: str, line: str) -> tuple[int, int]:
    found = _INTERVAL.fullmatch(text.strip())
    if not found:
        raise Invalid(f'"{text}" in "{line}" is no interval; write 09:00-17:00')
    start, end = int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])
    if max(int(found[2]), int(found[4])) > 59 or start >= 24 * 60 or end > 24 * 60 or start == end:
        raise Invalid(f'"{text}" in "{line}" is no interval of a day; write 09:00-17:00, or 00:00-24:00 for all of it')
    return start, end


def _weekdays(text: str, line: str) -> Iterator[int]:
    for part in re.split(r"[,\s]+", text.strip()):
        first, dash, last = part.partition("-")
        for name in (first, last) if dash else (first,):
            if len(name) < 3 or not any(full.startswith(name) for full in _FULL):
                raise Invalid(f'"{name}" in "{line}" is no day of the week{suggest(name, _DAYS)}')
        begin = _DAYS.index(first[:3])
        count = (_DAYS.index(last[:3]) - begin) % 7 if dash else 0
        yield from ((begin + step) % 7 for step in range(count + 1))


class _Closed(Struct, frozen=True, dict=True):
    """Days on which nobody works: single ones, and those of every year."""

    single: frozenset[date] = frozenset()
    yearly: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of(cls, texts: tuple[str, ...]) -> _Closed:
        single: set[date] = set()
        yearly: list[tuple[int, int]] = []
        for text in texts:
            if found := _YEARLY.fullmatch(text):
                month, day = int(found[1]), int(found[2])
                _date(f"2024-{text}", text)
                yearly.append((month, day))
                continue
            first, dots, last = text.partition("..")
            start, end = _date(first, text), _date(last if dots else first, text)
            if not 0 <= (end - start).days <= 3_660:
                raise Invalid(f'"{text}" does not end after it begins; write 2026-12-24..2026-12-31')
            single.update(start + timedelta(step) for step in range((end - start).days + 1))
        return cls(frozenset(single), tuple(yearly))

    @cached_property
    def _by_year(self) -> dict[int, set[date]]:
        found: dict[int, set[date]] = {}
        for day in self.single:
            found.setdefault(day.year, set()).add(day)
        return found

    def days(self, year: int) -> set[date]:
        """The closed days of a year."""
        leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        every = {date(year, month, day) for month, day in self.yearly if leap or (month, day) != (2, 29)}
        return self._by_year.get(year, set()) | every


def _date(text: str, whole: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Invalid(f'"{whole}" is no day; write 2026-12-24, 2026-12-24..2026-12-31 or 12-24') from None


def _countries(names: tuple[str, ...]) -> None:
    for name in names:
        _public_holidays((name,), 2026)


@lru_cache(maxsize=256)
def _public_holidays(names: tuple[str, ...], year: int) -> frozenset[date]:
    """The public holidays of these countries or parts of them."""
    if not names:
        return frozenset()
    from holidays import country_holidays

    found: set[date] = set()
    for name in names:
        country, _, part = name.upper().partition("-")
        try:
            found.update(country_holidays(country, subdiv=part or None, years=year))
        except NotImplementedError:
            raise Invalid(
                f'there are no holidays for "{name}"; write a country ("DE"), or a country and its part ("DE-BY")'
            ) from None
    return frozenset(found)


# -- days from a calendar file ---------------------------------------------


def ical_days(text: str) -> list[str]:
    """The whole days of an iCalendar file as entries of `closed`; what repeats, repeats every year (RFC 5545)."""
    unfolded = re.sub(r"\r?\n[ \t]", "", text)
    found: list[str] = []
    for event in re.findall(r"^BEGIN:VEVENT\r?\n(.*?)^END:VEVENT", unfolded, re.DOTALL | re.MULTILINE | re.IGNORECASE):
        start = re.search(r"^DTSTART[^:\r\n]*:(\d{4})(\d\d)(\d\d)\s*$", event, re.MULTILINE | re.IGNORECASE)
        if not start:
            continue  # an appointment, no day off
        rule = re.search(r"^RRULE:(.*?)\s*$", event, re.MULTILINE | re.IGNORECASE)
        if rule and not re.fullmatch(r"FREQ=YEARLY(;INTERVAL=1)?", rule[1], re.IGNORECASE):
            raise Invalid(
                f'the calendar file repeats a day by "{rule[1]}"; only FREQ=YEARLY is understood, write it as closed'
            )
        first = _day(start)
        end = re.search(r"^DTEND[^:\r\n]*:(\d{4})(\d\d)(\d\d)\s*$", event, re.MULTILINE | re.IGNORECASE)
        # The end of a whole-day event is the day after its last.
        last = max(first, _day(end) - timedelta(1)) if end else first
        if rule:
            days = min((last - first).days, 365)
            found += [f"{first + timedelta(step):%m-%d}" for step in range(days + 1)]
        else:
            found.append(f"{first}..{last}" if last > first else str(first))
    return found


def _day(found: re.Match[str]) -> date:
    try:
        return date(*(int(group) for group in found.groups()))
    except ValueError:
        raise Invalid(f'the calendar file names a day that there is not: "{found[0].strip()}"') from None
