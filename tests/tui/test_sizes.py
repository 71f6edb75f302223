"""The screen at every size, and while its size changes."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.desks import do, mail, make_desk, receive
from tests.tui.shown import front, run, shown

pytestmark = pytest.mark.sqlite("what is drawn does not depend on the engine")

SIZES = [(40, 10), (80, 24), (120, 40), (141, 30), (250, 70)]
WAYS = {"list": "escape", "preview": "p", "ticket": "enter", "log": "L", "dashboard": "D", "composer": "r"}


@pytest.mark.parametrize("size", SIZES)
def test_every_line_is_as_wide_as_the_screen_and_the_last_one_in_sight(size: tuple[int, int], tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path, 40)
    receive(desk, [mail(50, subject="家族の請求書について 👨‍👩‍👧 " * 4, name="佐藤 花子")], batch="wide")

    async def body() -> None:
        async with shown(front(desk, who), size) as screen:
            for key in WAYS.values():
                await screen.press("G", key)
                await screen.rest()
                for strip in screen.app.screen._compositor.render_strips():
                    assert strip.cell_length == size[0], key
                assert screen.lines[-1].strip(), key
                await screen.back()

    run(body())


@pytest.mark.parametrize("way", WAYS)
def test_after_a_storm_of_sizes_all_is_as_if_it_had_been_that_size_before(way: str, tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path, 40)
    do(desk, who, "note Look at this again.", 1, batch="n")
    chance = random.Random(way)

    async def body(storm: bool) -> None:
        async with shown(front(desk, who), (120, 40)) as screen:
            await screen.press(WAYS[way])
            for _ in range(12 if storm else 0):
                await screen.pilot.resize_terminal(chance.randint(20, 250), chance.randint(6, 70))
            await screen.pilot.resize_terminal(100, 31)
            await screen.pilot.resize_terminal(100, 30)
            await screen.rest()
            found.append(screen.text)

    found: list[str] = []
    run(body(False))
    run(body(True))
    assert found[0] == found[1]
