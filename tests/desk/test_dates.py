"""Dates as customers read them, in their language and zone."""

from __future__ import annotations

from datetime import UTC
from zoneinfo import ZoneInfo

import pytest

from desk.dates import LANGUAGES, iso, written
from desk.errors import Invalid
from tests.desks import NOW

MOMENT = "2026-02-01T23:30:00+01:00"


@pytest.mark.parametrize(
    ("language", "long"),
    [
        ("en", "Sunday, 1 February 2026"),
        ("de", "Sonntag, 1. Februar 2026"),
        ("fr", "dimanche 1er février 2026"),
        ("es", "domingo, 1 de febrero de 2026"),
        ("it", "domenica 1 febbraio 2026"),
        ("nl", "zondag 1 februari 2026"),
    ],
)
def test_a_date_is_written_as_its_language_writes_it(language: str, long: str) -> None:
    assert written(MOMENT, "long", language) == long
    assert written(MOMENT, "medium", language) in long
    assert written(MOMENT, "short", language) == "2026-02-01"
    assert written(MOMENT, "time", language) == "23:30"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_all_months_and_days(language: str) -> None:
    months = {written(f"2026-{month:02}-15", "medium", language) for month in range(1, 13)}
    days = {written(f"2026-02-{day:02}", "long", language).split()[0] for day in range(2, 9)}
    assert (len(months), len(days)) == (12, 7)


def test_a_zone_moves_the_day() -> None:
    assert written(MOMENT, "medium", "en", "Asia/Tokyo") == "2 February 2026"
    assert written(MOMENT, "time", "en", "Asia/Tokyo") == "07:30"


def test_a_moment_has_the_offset_of_its_own_day() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    assert iso(NOW, berlin) == "2026-02-02T03:40:00+01:00"
    assert iso(NOW + 150 * 86_400_000, berlin) == "2026-07-02T04:40:00+02:00"
    assert iso(None, UTC) is None


@pytest.mark.parametrize("asked", [("x",), ("2026-02-30",), (MOMENT, "wide"), (MOMENT, "long", "xx"), (MOMENT, "long", "en", "../x")])  # fmt: skip
def test_what_is_no_date_style_language_or_zone_is_refused(asked: tuple[str, ...]) -> None:
    with pytest.raises(Invalid):
        written(*asked)
