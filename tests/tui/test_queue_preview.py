"""The preview: the ticket under the cursor in a few lines, beside the list or below."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.cells import cell_len

from desk.config import ScreenConfig
from tests.desks import answer, do, mail, make_desk, receive
from tests.tui.shown import front, run, shown
from tests.tui.test_live import elsewhere


def test_p_shows_the_ticket_under_the_cursor_and_hides_it(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who), (100, 30)) as screen:
            await screen.press("p")
            await screen.see(
                "1  VPN drops every 20 minutes",
                "Customer 0 · acme.example · new",
                "It has two lines.",
                "first reply in 23h",
            )
            await screen.press("j", "j")
            await screen.see("3  Invoice shows the wrong VAT id", "this is mail 2")
            # Looking is not reading: it is unread still, and nobody is told.
            assert screen.app.queue.list.rows[3].unread
            assert [one for one in store.present(screen.app.front.now()) if one.ticket] == []
            await screen.press("p")
            assert "this is mail 2.\n" not in screen.text
            assert "first reply" not in screen.text

    run(body())


def test_it_follows_what_happens(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)
    there, sam = elsewhere(desk, who)

    async def body() -> None:
        async with shown(front(desk, who, screen=ScreenConfig(preview="below"))) as screen:
            await screen.see("It has two lines.")
            answer(desk, 1, "It works again", batch="late")
            await screen.until(lambda: any(line.strip() == "It works again" for line in screen.lines))
            do(there, sam, "priority urgent", 1, batch="sam")
            await screen.see("acme.example · new · urgent")
            await screen.press("x")
            await screen.see("2  Cannot log in after the reset")

    run(body())


@pytest.mark.parametrize("size", [(80, 24), (100, 30), (120, 40), (160, 45), (200, 50), (250, 60)])
@pytest.mark.parametrize("side", ["auto", "right", "below"])
def test_list_and_preview_share_the_screen(tmp_path: Path, size: tuple[int, int], side: str) -> None:
    _, desk, who = make_desk(tmp_path)
    receive(desk, [mail(9, subject="プリンターが動かない " * 9, name="陈强", text="登录失败 " * 200)], batch="wide")

    async def body() -> None:
        async with shown(front(desk, who, screen=ScreenConfig(preview=side)), size) as screen:
            await screen.see("It has two lines.")
            beside = size[0] >= (100 if side == "right" else 160) and side != "below"
            assert {cell_len(line) for line in screen.lines} == {size[0]}
            rows = [line for line in screen.lines if "VPN drops" in line]
            assert any("│" in row for row in rows) == beside
            height = screen.app.query_one("#preview").size.height
            assert height == (size[1] - 6 if beside else max(8, (size[1] - 6) * 2 // 5))
            await screen.press("G")
            await screen.see("登录失败")
            assert {cell_len(line) for line in screen.lines} == {size[0]}
            await screen.press("P")
            await screen.until(lambda: screen.app.query_one("#preview").size.height != height or size[0] < 100)
            assert {cell_len(line) for line in screen.lines} == {size[0]}

    run(body())


def test_a_place_that_there_is_not_is_told(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press(":")
            await screen.type("peek rihgt")
            await screen.press("enter")
            await screen.see('there is no place "rihgt" for the preview (did you mean "right"?)')
            await screen.press(":")
            await screen.type("peek right")
            await screen.press("enter")
            await screen.see("It has two lines.")

    run(body())
