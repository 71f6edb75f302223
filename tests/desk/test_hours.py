"""Working hours against a slow, obvious reference: the clock on the wall, minute by minute."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desk.config import load as read_file
from desk.config import parse
from desk.errors import Invalid, KeyProblem
from desk.hours import ROUND_THE_CLOCK, Calendar, Hours, ical_days, load
from desk.model import DAY, HOUR, MINUTE, Millis
from desk.when import millis

OFFICE = Calendar(
    "Europe/Berlin", ("mon-fri 09:00-12:30 13:00-18:00", "sat 10:00-14:00"), closed=("2026-05-14", "12-24")
)
NIGHT = Calendar("America/New_York", ("mon-sun 22:00-06:00",))
HALF = Calendar("Australia/Lord_Howe", ("mon-sun 00:30-03:00", "sun 20:00-24:00"))
LATE = Calendar("America/Sao_Paulo", ("mon-sun 00:00-01:30 23:00-24:00",))
DATE_LINE = Calendar("Pacific/Apia", ("mon-sun 08:00-16:00",))
ALL_DAY = Calendar("Africa/Casablanca", ("mon-sun 00:00-24:00",), closed=("2026-03-22",))

#: Days on which the clocks of these zones are changed, or a whole day is left out.
TURNS = {
    OFFICE: ("2026-03-29", "2026-10-25"),
    NIGHT: ("2026-03-08", "2026-11-01"),
    HALF: ("2026-04-05", "2026-10-04"),
    LATE: ("2017-10-15", "2018-02-17", "2018-02-18"),
    DATE_LINE: ("2011-12-29", "2011-12-31"),
    ALL_DAY: ("2026-02-15", "2026-03-22"),
}


def moment(text: str, zone: str = "UTC") -> Millis:
    return millis(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)))


def is_open(calendar: Calendar, at: Millis) -> bool:
    """Whether the wall clock stands in an interval: read off the table by hand, not by the code under test."""
    wall = datetime.fromtimestamp(at / 1000, ZoneInfo(calendar.zone))
    return any(
        start <= wall.hour * 60 + wall.minute < end
        for start, end in table(calendar)[wall.weekday()]
        if str(wall.date()) not in calendar.closed and f"{wall:%m-%d}" not in calendar.closed
    )


def table(calendar: Calendar) -> dict[int, list[tuple[int, int]]]:
    weekdays = [range(5), [5]] if calendar is OFFICE else [range(7), [6]]
    found: dict[int, list[tuple[int, int]]] = {day: [] for day in range(7)}
    for days, line in zip(weekdays, calendar.hours, strict=False):
        for part in line.split()[1:]:
            start, end = (int(t[:2]) * 60 + int(t[3:]) for t in part.split("-"))
            for day in days:
                found[day].append((start, end if end > start else 1440))
                if end < start:
                    found[(day + 1) % 7].append((0, end))
    return found


def counted(calendar: Calendar, start: Millis, end: Millis) -> Millis:
    return sum(MINUTE for at in range(start, end, MINUTE) if is_open(calendar, at))


@pytest.mark.parametrize("calendar", TURNS, ids=lambda c: c.zone)
def test_every_minute_around_a_change_of_the_clocks(calendar: Calendar) -> None:
    hours = Hours(calendar)
    for day in TURNS[calendar]:
        begin = moment(f"{day}T00:00") - DAY
        passed = 0
        for at in range(begin, begin + 3 * DAY, MINUTE):
            assert hours.open_at(at) == is_open(calendar, at), datetime.fromtimestamp(at / 1000, UTC)
            assert hours.between(begin, at) == passed
            passed += MINUTE * is_open(calendar, at)


@given(
    st.sampled_from(list(TURNS)), st.integers(0, 14 * 1440), st.integers(0, 5 * 1440), st.integers(0, 5), st.integers(0, 59_999),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_any_span_is_what_the_reference_counts(
    calendar: Calendar, lead: int, length: int, turn: int, millis_: int
) -> None:
    days = TURNS[calendar]
    start = moment(f"{days[turn % len(days)]}T00:00") - 7 * DAY + lead * MINUTE
    end = start + length * MINUTE
    hours = Hours(calendar)
    assert hours.between(start, end) == counted(calendar, start, end)
    # Milliseconds too: they count when the minute they stand in does.
    assert hours.between(start + millis_, end + MINUTE) == counted(calendar, start, end + MINUTE) - millis_ * is_open(
        calendar, start
    )


@given(st.sampled_from(list(TURNS)), st.integers(0, 20 * DAY), st.integers(1, 60 * HOUR))
@settings(max_examples=200, deadline=None)
def test_after_is_the_first_moment_at_which_the_span_has_passed(calendar: Calendar, lead: int, span: int) -> None:
    hours = Hours(calendar)
    start = moment(f"{TURNS[calendar][0]}T00:00") - 10 * DAY + lead
    end = hours.after(start, span)
    assert end is not None
    assert hours.between(start, end) == span
    assert hours.between(start, end - 1) == span - 1


def test_a_span_over_years_is_the_sum_of_its_years() -> None:
    hours = Hours(OFFICE)
    start, end = moment("2024-11-05T10:00"), moment("2027-02-03T11:17")
    assert hours.between(start, end) == sum(
        hours.between(a, b)
        for a, b in zip(
            [start, *(moment(f"{y}-01-01T00:00") for y in (2025, 2026, 2027))],
            [*(moment(f"{y}-01-01T00:00") for y in (2025, 2026, 2027)), end],
            strict=True,
        )
    )
    assert hours.after(start, hours.between(start, end)) is not None
    assert hours.between(end, start) == 0


def test_public_holidays_are_no_working_days() -> None:
    hours = Hours(Calendar("Europe/Berlin", ("mon-fri 09:00-17:00",), holidays=("DE-BY", "US")))
    assert not hours.open_at(moment("2026-01-06T12:00"))  # Epiphany, in Bavaria
    assert not hours.open_at(moment("2026-11-26T12:00"))  # Thanksgiving
    assert hours.open_at(moment("2026-01-07T12:00"))
    assert not hours.open_at(moment("2026-12-25T12:00"))


def test_a_calendar_that_never_opens_again_has_no_end() -> None:
    always_off = tuple(f"{year}-01-01..{year}-12-31" for year in range(2024, 2065))
    assert Hours(Calendar("UTC", closed=always_off)).after(moment("2026-05-05T10:00"), HOUR) is None


def test_round_the_clock_counts_everything() -> None:
    assert ROUND_THE_CLOCK.between(5, 3) == 0
    assert ROUND_THE_CLOCK.between(5, 9) == 4
    assert ROUND_THE_CLOCK.after(5, 9) == 14


@pytest.mark.parametrize(
    ("key", "table_", "words"),
    [
        ("zone", {"zone": "Berlin"}, 'there is no time zone "Berlin"; write one like Europe/Berlin'),
        ("hours", {"hours": ("monday to friday",)}, '"monday to friday" are no hours'),
        ("hours", {"hours": ("mon-fri 9-17",)}, '"9-17" in "mon-fri 9-17" is no interval'),
        ("hours", {"hours": ("fun 09:00-17:00",)}, '"fun" in .* is no day of the week \\(did you mean "sun"\\?\\)'),
        (
            "hours",
            {"hours": ("monkey 09:00-17:00",)},
            '"monkey" in .* is no day of the week \\(did you mean "mon"\\?\\)',
        ),
        ("hours", {"hours": (f"mon 09:00{' ' * 100_000}x",)}, "is no interval"),
        ("hours", {"hours": ("mon 09:00-12:00", "mon 11:00-13:00")}, "overlap at 11:00"),
        ("hours", {"hours": ("mon 09:00-09:00",)}, "is no interval of a day"),
        ("hours", {"hours": ()}, "there are no hours at all"),
        ("holidays", {"holidays": ("XX",)}, 'there are no holidays for "XX"'),
        ("holidays", {"holidays": ("DE-XX",)}, 'there are no holidays for "DE-XX"'),
        ("closed", {"closed": ("24.12.",)}, '"24.12." is no day'),
        ("closed", {"closed": ("2026-12-31..2026-12-24",)}, "does not end after it begins"),
        ("closed", {"closed": ("02-30",)}, '"02-30" is no day'),
    ],
)
def test_a_mistake_names_its_key(key: str, table_: dict[str, object], words: str) -> None:
    with pytest.raises(KeyProblem, match=words) as caught:
        Calendar(**{"zone": "UTC"} | table_)  # type: ignore[arg-type]
    assert caught.value.key == key


def test_calendars_come_from_the_teams_tables_and_mistakes_have_their_line() -> None:
    desk = parse(
        '[calendars.office]\nzone = "UTC"\nclosed = [2026-12-24]\n[calendars.odd]\nzone = "UTC"\n\nhours = ["x"]\n'
    ).desk
    found = load(desk)
    assert list(found.items) == ["office"]
    assert not found.items["office"].open_at(moment("2026-12-24T12:00"))
    assert [str(error) for error in found.errors] == [
        'config.toml, [calendars.odd] line 7: "x" are no hours; write "mon-fri 09:00-12:30 13:00-18:00"'
    ]


def test_whole_days_of_a_calendar_file_are_closed_days() -> None:
    text = "\r\n".join(
        [
            "BEGIN:VCALENDAR", "BEGIN:VEVENT", "SUMMARY:Company", "  outing", "DTSTART;VALUE=DATE:20260703", "DTEND;VALUE=DATE:20260704", "END:VEVENT",
            "BEGIN:VEVENT", "DTSTART;VALUE=DATE:20261224", "DTEND;VALUE=DATE:20270102", "END:VEVENT",
            "BEGIN:VEVENT", "DTSTART;VALUE=DATE:20200501", "RRULE:FREQ=YEARLY", "END:VEVENT",
            "BEGIN:VEVENT", "DTSTART:20260801T090000Z", "DTEND:20260801T100000Z", "END:VEVENT", "END:VCALENDAR",
        ]
    )  # fmt: skip
    assert ical_days(text) == ["2026-07-03", "2026-12-24..2027-01-01", "05-01"]
    assert Calendar("UTC", closed=tuple(ical_days(text)))


def test_days_of_a_calendar_file_that_repeat_or_are_none() -> None:
    event = "BEGIN:VEVENT\nDTSTART;VALUE=DATE:20201224\nDTEND;VALUE=DATE:20201227\nRRULE:FREQ=YEARLY\nEND:VEVENT\n"
    assert ical_days(event) == ["12-24", "12-25", "12-26"]
    with pytest.raises(Invalid, match='names a day that there is not: "DTSTART;VALUE=DATE:20201324"'):
        ical_days(event.replace("1224", "1324"))


def test_a_calendar_file_is_read_with_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "off.ics").write_text(
        "BEGIN:VEVENT\nDTSTART;VALUE=DATE:20260703\nEND:VEVENT\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20200501\n"
        "RRULE:FREQ=YEARLY\nEND:VEVENT\n"
    )
    (tmp_path / "config.toml").write_text(
        '[calendars.office]\nzone = "UTC"\nclosed = ["12-24"]\nical = "off.ics"\n[calendars.lost]\nzone = "UTC"\n\nical = "no.ics"\n'
    )
    desk = read_file(tmp_path / "config.toml").desk
    assert desk.tables["calendars"]["office"].values["closed"] == ["12-24", "2026-07-03", "05-01"]
    found = load(desk)
    assert list(found.items) == ["office"]
    assert "line 8: the calendar file could not be taken in" in str(found.errors[0])
    assert "no.ics: No such file or directory" in str(found.errors[0])
