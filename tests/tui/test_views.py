"""Saved views on the screen: J and K, g and a key, by name; the title, the columns, the way back."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.cells import cell_len

from desk.config import parse
from desk.views import COLUMNS
from tests.desks import do, make_desk
from tests.tui.shown import front, run, shown
from tui import columns

VIEWS = (
    '[views.vpn]\ntitle = "Tunnels"\nquery = "tag:vpn"\ncolumns = ["number", "tags", "subject", "team"]\nkey = "t"\n'
)


def test_keys_go_from_view_to_view_and_escape_goes_back(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path, config=parse(VIEWS).desk)
    do(desk, who, "take; tag vpn", 2, batch="t")

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.see("5 tickets")
            await screen.press("J")
            await screen.see("Mine", "1 ticket", "Cannot log in")
            await screen.press("J")
            await screen.see("Unassigned", "4 tickets")
            await screen.press("K", "K")
            await screen.see("Tunnels", "NO", "TAGS", "SUBJECT", "TEAM", "vpn")
            assert "REQUESTER" not in screen.text
            await screen.press("escape")
            await screen.see("REQUESTER", "5 tickets")
            assert "Tunnels" not in screen.text
            await screen.press("g", "t")
            await screen.see("Tunnels", "1 ticket")
            await screen.press("g", "o")
            await screen.see("All open", "5 tickets")
            await screen.press("escape")
            await screen.until(lambda: "All open" not in screen.text)
            await screen.press("2", "g", "v")
            await screen.see("Unassigned")

    run(body())


def test_a_view_is_asked_for_by_name(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.see("5 tickets")
            await screen.press("g", "v")
            await screen.type("waiting")
            await screen.press("enter")
            await screen.see("Waiting on us", "by waiting", "5 tickets")
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
