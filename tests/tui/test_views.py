"""Saved views on the screen: J and K, g and a key, by name; the title, the columns, the way back."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.cells import cell_len

from desk.config import parse
from desk.model import HOUR
from desk.views import COLUMNS
from tests.desks import NOW, do, make_desk
from tests.tui.shown import front, run, shown
from tests.tui.test_live import elsewhere
from tui import columns
from tui.widgets.tabs import fitted

VIEWS = (
    '[views.vpn]\ntitle = "Tunnels"\nquery = "tag:vpn"\ncolumns = ["number", "tags", "subject", "team"]\nkey = "t"\n'
)


def test_keys_go_from_view_to_view_and_escape_goes_back(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path, config=parse(VIEWS).desk)
    do(desk, who, "take; tag vpn", 2, batch="t")

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.see("5 tickets", "[7 All open 5]")
            await screen.press("g", "m")
            await screen.see("[1 Mine 1]", "1 ticket", "Cannot log in")
            await screen.press("J")
            await screen.see("[2 Unassigned 4]", "4 tickets")
            await screen.press("K", "K")
            await screen.see("[9 Tunnels 1]", "NO", "TAGS", "SUBJECT", "TEAM", "vpn")
            assert "REQUESTER" not in screen.text
            await screen.press("escape")
            await screen.see("REQUESTER", "5 tickets", "[7 All open 5]")
            await screen.press("g", "t")
            await screen.see("[9 Tunnels 1]", "1 ticket")
            await screen.press("alt+2")
            await screen.see("[2 Unassigned 4]", "4 tickets")
            await screen.press("3", "g", "v")
            await screen.see("[3 Due soon 0]")
            await screen.press("g", "minus")
            await screen.see("[2 Unassigned 4]")
            await screen.press("g", "minus")
            await screen.see("[3 Due soon 0]")

    run(body())


def test_counts_follow_what_happens_without_opening_a_view(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)
    there, sam = elsewhere(desk, who)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.see("1 Mine 0", "2 Unassigned 5", "6 Snoozed 0")
            await screen.press("A")
            await screen.see("1 Mine 1", "2 Unassigned 4")
            do(there, sam, "snooze 2h", 4, batch="sam")
            await screen.see("6 Snoozed 1", "2 Unassigned 3")

    run(body())


def test_counts_follow_the_clock(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)
    clock = [NOW]

    async def body() -> None:
        async with shown(front(desk, who, now=lambda: clock[0])) as screen:
            await screen.see("4 Breached 0")
            clock[0] += 25 * HOUR
            await screen.see("4 Breached 5")

    run(body())


def test_a_view_can_be_clicked(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.see("2 Unassigned 5")
            line = next(line for line in screen.lines if "Unassigned" in line)
            await screen.pilot.click("#tabs", offset=(line.index("Unassigned") + 2, 0))
            await screen.see("[2 Unassigned 5]")

    run(body())


@pytest.mark.parametrize("current", [None, 0, 4, 8])
def test_the_view_that_is_shown_is_in_sight_in_every_width(current: int | None) -> None:
    tabs = [
        ("Mine", 4),
        ("Unassigned", 12),
        ("無法登入", 1_234),
        ("Breached", None),
        ("Waiting on us", 31),
        *[("Open", 5)] * 4,
    ]
    for width in range(30, 251):
        parts, ends = fitted(tabs, current, width)
        line = "".join(text for text, _ in parts)
        assert cell_len(line) <= width
        places = [place for place, _ in ends]
        assert places == list(range(places[0], places[-1] + 1))
        assert line.startswith(" …") == (places[0] > 0)
        assert line.endswith(" …") == (places[-1] < 8)
        if current is not None:
            assert f"[{current + 1} " in line
            assert current in places


def test_a_view_is_asked_for_by_name(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.see("5 tickets")
            await screen.press("g", "v")
            await screen.type("waiting")
            await screen.press("enter")
            await screen.see("[5 Waiting on us 5]", "by waiting", "5 tickets")
            await screen.press(":")
            await screen.type("view wating")
            await screen.press("enter")
            await screen.see('there is no view "wating" (did you mean "waiting"?)')

    run(body())


def test_the_screen_has_every_column_that_a_view_can_name() -> None:
    for name in COLUMNS:
        assert [column.name for column in columns.layout(80, 4, (name,))] == [name]
        assert name in columns._CELLS


@pytest.mark.parametrize("width", [40, 80, 120, 250])
@pytest.mark.parametrize("chosen", [COLUMNS, ("number", "who"), ("subject",), ("due", "subject", "team")])
def test_columns_of_a_view_fill_the_line(width: int, chosen: tuple[str, ...]) -> None:
    found = columns.layout(width, 4, chosen)
    assert found
    assert sum(column.width for column in found) <= width
    assert cell_len(columns.heading(found)) <= width
    assert found[-1].x + found[-1].width >= width - 2
