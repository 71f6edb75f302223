"""Times that come again: fields, days, and clocks that leap forward and back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from desk.cron import parse
from desk.errors import Invalid
from desk.when import millis

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str, zone: ZoneInfo = BERLIN, fold: int = 0) -> int:
    return millis(datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold))


def last(cron: str, text: str, zone: ZoneInfo = BERLIN, fold: int = 0) -> str:
    found = parse(cron).last(at(text, zone, fold), zone)
    assert found is not None
    return datetime.fromtimestamp(found / 1000, zone).isoformat(timespec="minutes")


@pytest.mark.parametrize(
    ("cron", "now", "expected"),
    [
        ("0 9 * * mon-fri", "2026-11-21T12:00", "2026-11-20T09:00+01:00"),
        ("0 9 * * mon-fri", "2026-11-23T08:59", "2026-11-20T09:00+01:00"),
        ("0 9 * * mon-fri", "2026-11-23T09:00", "2026-11-23T09:00+01:00"),
        ("*/15 8-17 * * *", "2026-11-23T12:44", "2026-11-23T12:30+01:00"),
        ("30 6 1 * *", "2026-11-23T12:44", "2026-11-01T06:30+01:00"),
        ("0 0 29 feb *", "2026-11-23T12:44", "2024-02-29T00:00+01:00"),
        ("0 12 13 * fri", "2026-11-21T00:00", "2026-11-20T12:00+01:00"),
        ("0 12 * * sat,0", "2026-11-23T00:00", "2026-11-22T12:00+01:00"),
        ("0 12 * * fri-sun", "2026-11-23T00:00", "2026-11-22T12:00+01:00"),
        ("5 4 * * 7", "2026-11-23T00:00", "2026-11-22T04:05+01:00"),
    ],
)
def test_the_newest_moment(cron: str, now: str, expected: str) -> None:
    assert last(cron, now) == expected


def test_a_time_that_is_leapt_over_comes_right_behind_the_leap() -> None:
    # 2026-03-29: after 01:59 comes 03:00.
    assert last("30 2 * * *", "2026-03-29T01:59") == "2026-03-28T02:30+01:00"
    assert last("30 2 * * *", "2026-03-29T03:00") == "2026-03-29T03:00+02:00"
    assert last("30 2 * * *", "2026-03-29T03:29") == "2026-03-29T03:00+02:00"
    lord_howe = ZoneInfo("Australia/Lord_Howe")
    # Half an hour: after 01:59 comes 02:30.
    assert last("10 2 * * *", "2026-10-04T12:00", lord_howe) == "2026-10-04T02:30+11:00"
    apia = ZoneInfo("Pacific/Apia")
    # A whole day was left out.
    assert last("0 9 30 12 *", "2011-12-31T12:00", apia) == "2011-12-31T00:00+14:00"


def test_a_time_that_comes_twice_comes_once() -> None:
    # 2026-10-25: after 02:59 comes 02:00 again.
    cron = parse("30 2 * * *")
    moments = {cron.last(at("2026-10-25T00:00") + minute * 60_000, BERLIN) for minute in range(6 * 60)}
    assert len(moments) == 2
    assert last("30 2 * * *", "2026-10-25T02:45", fold=1) == "2026-10-25T02:30+02:00"


def test_over_a_year_every_day_has_its_moment() -> None:
    cron, found = parse("30 2 * * *"), set()
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for day in range(365):
        moment = cron.last(millis(start + timedelta(day, hours=12)), BERLIN)
        assert moment is not None
        found.add(moment)
    assert len(found) == 365


@pytest.mark.parametrize(
    ("cron", "said"),
    [
        ("0 9 * *", "five fields"),
        ("60 9 * * *", 'no minute "60"'),
        ("0 9 * * mno", 'no weekday "mno" (did you mean "mon"?)'),
        ("0 9-7 * * *", "ends before it begins"),
        ("*/0 9 * * *", "the step behind /"),
        ("0 9 31 2 *", "never comes"),
        ("0 9 ² * *", 'no day "²"'),
    ],
)
def test_mistakes(cron: str, said: str) -> None:
    with pytest.raises(Invalid, match=r".") as caught:
        parse(cron)
    assert said in str(caught.value)
