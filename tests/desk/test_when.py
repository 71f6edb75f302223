"""Times as people write them, in their own zone."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.errors import Invalid
from desk.model import DAY, HOUR, MINUTE, SECOND, Millis
from desk.when import Range, brief, coming, day, iso, millis, moment, span, span_range, zone_named

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str, zone: tzinfo = UTC) -> Millis:
    return millis(datetime.fromisoformat(text).replace(tzinfo=zone))


WEDNESDAY = at("2026-02-04 12:00")


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("90s", 90 * SECOND),
        ("20m", 20 * MINUTE),
        ("2h", 2 * HOUR),
        ("1d12h", 36 * HOUR),
        ("1w", 7 * DAY),
        ("2mo", 60 * DAY),
        ("1y", 365 * DAY),
        ("h", None),
        ("2", None),
        ("2 h", None),
        ("-2h", None),
        ("2H", None),
    ],
)
def test_a_span_is_numbers_with_units(text: str, length: Millis | None) -> None:
    assert span(text) == length


@pytest.mark.parametrize("text", ["300y", "9" * 12 + "w", "9" * 5000 + "h"])
def test_a_span_beyond_all_patience_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="longer than anybody waits"):
        span(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2h", "2026-02-04 14:00"),
        ("tomorrow", "2026-02-05 09:00"),
        ("tomorrow 15:30", "2026-02-05 15:30"),
        ("today 15:30", "2026-02-04 15:30"),
        ("15:30", "2026-02-04 15:30"),
        ("9:00", "2026-02-05 09:00"),
        ("friday", "2026-02-06 09:00"),
        ("fri 8:15", "2026-02-06 08:15"),
        ("wednesday", "2026-02-11 09:00"),
        ("2026-03-01", "2026-03-01 09:00"),
        ("2026-03-01 16:45", "2026-03-01 16:45"),
        ("2026-03-01T16:45", "2026-03-01 16:45"),
        ("2026-03-01T16:45+02:00", "2026-03-01 14:45"),
    ],
)
def test_a_moment_is_read_from_now_on(text: str, expected: str) -> None:
    assert moment(text, WEDNESDAY, UTC) == at(expected)


@pytest.mark.parametrize(
    "text", ["", "soon", "25:00", "tomorrow 9:60", "2026-02-30", "12-24", "9999-12-31", "friday x"]
)
def test_what_is_no_time_is_answered_with_how_to_write_one(text: str) -> None:
    with pytest.raises(Invalid, match="is not a time: write a span"):
        moment(text, WEDNESDAY, UTC)


def test_times_are_meant_in_the_zone_of_who_writes() -> None:
    assert moment("tomorrow 9:00", at("2026-02-04 23:30"), BERLIN) == at("2026-02-06 09:00", BERLIN)


def test_a_clock_time_that_has_passed_means_tomorrow_even_when_clocks_change() -> None:
    before_the_change = at("2026-03-28 10:00", BERLIN)
    assert moment("9:00", before_the_change, BERLIN) == at("2026-03-29 09:00", BERLIN)


def test_a_day_has_as_many_hours_as_it_has() -> None:
    short, long = (day(text, WEDNESDAY, BERLIN) for text in ("2026-03-29", "2026-10-25"))
    assert short is not None
    assert long is not None
    assert short[1] - short[0] == 23 * HOUR
    assert long[1] - long[0] == 25 * HOUR


def test_yesterday_ends_where_today_begins() -> None:
    yesterday, today = (day(text, WEDNESDAY, BERLIN) for text in ("yesterday", "today"))
    assert yesterday is not None
    assert today is not None
    assert yesterday[1] == today[0] <= WEDNESDAY < today[1]


# -- ranges in queries ------------------------------------------------------

TWO_HOURS_AGO, IN_TWO_HOURS = WEDNESDAY - 2 * HOUR, WEDNESDAY + 2 * HOUR
JAN_31, FEB_1 = at("2026-01-31"), at("2026-02-01")


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        (">2h", None, TWO_HOURS_AGO),
        ("<2h", TWO_HOURS_AGO, None),
        ("2h", TWO_HOURS_AGO, None),
        ("2h..", TWO_HOURS_AGO, None),
        ("..2h", None, TWO_HOURS_AGO),
        (">2026-01-31", FEB_1, None),
        (">=2026-01-31", JAN_31, None),
        ("<2026-01-31", None, JAN_31),
        ("<=2026-01-31", None, FEB_1),
        ("2026-01-31", JAN_31, FEB_1),
        ("2026-01-31..2026-01-31", JAN_31, FEB_1),
        ("2026-01-31..", JAN_31, None),
        ("..2026-01-31", None, FEB_1),
        ("today", at("2026-02-04"), at("2026-02-05")),
        ("2026-02-04T11:30", at("2026-02-04 11:30"), at("2026-02-04 11:31")),
    ],
)
def test_a_range_of_the_past(text: str, start: Millis | None, end: Millis | None) -> None:
    assert span_range(text, WEDNESDAY, UTC) == Range(start, end)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("<2h", None, IN_TWO_HOURS),
        (">2h", IN_TWO_HOURS, None),
        ("2h", None, IN_TWO_HOURS),
        ("1h..2h", WEDNESDAY + HOUR, IN_TWO_HOURS),
    ],
)
def test_a_range_of_what_is_due_counts_forward(text: str, start: Millis | None, end: Millis | None) -> None:
    assert span_range(text, WEDNESDAY, UTC, ahead=True) == Range(start, end)


def test_a_weekday_lies_behind_us_in_a_question_and_before_us_in_a_plan() -> None:
    assert span_range("monday", WEDNESDAY, UTC) == Range(at("2026-02-02"), at("2026-02-03"))
    assert span_range("wednesday", WEDNESDAY, UTC) == Range(at("2026-02-04"), at("2026-02-05"))
    assert span_range("monday", WEDNESDAY, UTC, ahead=True) == Range(at("2026-02-09"), at("2026-02-10"))


@pytest.mark.parametrize("text", ["..", ">", "<soon", "x..y", ">9999-12-31"])
def test_a_range_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        span_range(text, WEDNESDAY, UTC)


@given(st.text(st.sampled_from("<>=.0129hdwmoytodayfri-: T"), max_size=20), st.sampled_from([UTC, BERLIN]))
def test_no_text_breaks_the_reader(text: str, zone: tzinfo) -> None:
    for read in (moment, span_range):
        try:
            found = read(text, WEDNESDAY, zone)
        except Invalid:
            continue
        assert isinstance(found, (int, Range))


def test_a_range_holds_its_start_and_not_its_end() -> None:
    assert [Range(1, 3).holds(n) for n in (0, 1, 2, 3, None)] == [False, True, True, False, False]
    assert Range(None, None).holds(5)
    assert not Range(None, None).holds(None)


# -- saying times -----------------------------------------------------------


@pytest.mark.parametrize(
    ("length", "said"),
    [(0, "0m"), (59 * MINUTE, "59m"), (125 * MINUTE, "2h 05m"), (-125 * MINUTE, "2h 05m"), (11 * HOUR, "11h"), (3 * DAY + HOUR, "3d")],
)  # fmt: skip
def test_a_span_is_said_briefly(length: Millis, said: str) -> None:
    assert brief(length) == said


def test_a_moment_is_written_in_utc_to_the_second() -> None:
    assert iso(at("2026-02-04 13:00:05", BERLIN) + 999) == "2026-02-04T12:00:05Z"
    assert iso(None) is None


@pytest.mark.parametrize("name", ["Europe/Berln", "Europe", "", "../etc/passwd", "/etc", "a\x00b"])
def test_what_is_no_time_zone_says_what_one_looks_like(name: str) -> None:
    with pytest.raises(Invalid, match=r"there is no time zone .*; write one like Europe/Berlin"):
        zone_named(name)


@pytest.mark.parametrize(
    ("when", "told"),
    [
        ("2026-02-04 17:00", "today 17:00"),
        ("2026-02-05 09:00", "tomorrow 09:00"),
        ("2026-02-09 09:00", "Mon 09 Feb 09:00"),
        ("2027-02-09 09:00", "09 Feb 2027 09:00"),
    ],
)
def test_what_is_coming_is_told_by_its_day(when: str, told: str) -> None:
    assert coming(at(f"{when}:00", BERLIN), at("2026-02-04 13:00:00", BERLIN), BERLIN) == told
