"""The list: what it shows in which width, how it moves, what it repaints."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.cells import cell_len
from textual import events
from textual.geometry import Region

from desk.model import HOUR, MINUTE, Presence, State
from desk.perform import Who
from desk.query import Env, parse
from tests.desks import NOW, do, mail, make_desk, receive
from tests.tui.shown import front, run, shown
from tui.columns import Case, cell, layout


def test_first_screen_shows_clock_number_subject_and_who(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)
    do(desk, who, "take", 2, batch="t")

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.see("VPN drops every 20 minutes", "Customer 0", "5 tickets", "23h")
            row = next(line for line in screen.lines if "Cannot log in" in line)
            assert " me " in row
            assert " 2 " in row
            assert "“Hello, thi" in row

    run(body())


HARD = (
    "无法登录 重置密码后",
    "プリンターが動かない " * 9,
    "👨‍👩‍👧 ❤️ 🙏🏽 plan",
    "e\u0301te\u0301 " * 40,
    "שלום עולם",
    "\x1b[31m\u202eevil",
    "a\u200bb\u200dc\u2060d\ufeff",
)


@pytest.mark.parametrize("size", [(80, 24), (100, 30), (120, 40), (200, 50), (250, 60)])
def test_every_line_is_as_wide_as_the_screen(tmp_path: Path, size: tuple[int, int]) -> None:
    _, desk, who = make_desk(tmp_path)
    receive(desk, [mail(100 + i, subject=s, name=s, text=s) for i, s in enumerate(HARD)], batch="hard")

    async def body() -> None:
        async with shown(front(desk, who), size) as screen:
            await screen.see("VPN drops")
            assert {cell_len(line) for line in screen.lines} == {size[0]}
            heading = next(line for line in screen.lines if "SUBJECT" in line)
            place = cell_len(heading[: heading.index("WHO")])
            rows = [line for line in screen.lines if " new " in line]
            assert len(rows) == 12
            # A dash for nobody stands below WHO in each row, whatever is before it.
            assert all(_cell(row, place) == "-" for row in rows)

    run(body())


def test_cells_are_as_wide_as_their_columns_in_every_width(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path, tickets=0)
    receive(desk, [mail(i, subject=s, name=s, text=s) for i, s in enumerate(HARD)], batch="hard")
    do(desk, who, 'reply "On it."; take; tag 長い-タグ vpn', 1, 2, batch="r")
    delivery = store.claim("relay", NOW + HOUR, NOW + 2 * HOUR)[0].delivery
    store.settle(delivery.id, "relay", State.FAILED, NOW + HOUR, error="no such user")
    there = (Presence("s", "プリンター", "", 1, "writes", NOW), Presence("t", "sam", "", 1, "views", NOW))
    rows = store.rows(store.ids(parse("", Env(NOW))), agent="kim")
    assert sum(row.trouble is not None for row in rows) == 1
    cases = [Case(row, NOW, "kim", who_is, gone) for row in rows for who_is in ((), there) for gone in (False, True)]
    for width in range(60, 251):
        placed = layout(width)
        assert placed[-1].x + placed[-1].width <= width
        for column in placed:
            for case in cases:
                assert sum(cell_len(text) for text, _ in cell(column, case)) == column.width


def _cell(line: str, place: int) -> str:
    at = 0
    for character in line:
        if at >= place and cell_len(character):
            return character
        at += cell_len(character)
    return ""


def test_eighty_columns_keep_the_essential(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who), (80, 24)) as screen:
            await screen.see("DUE", "NO", "SUBJECT", "WHO", "VPN drops every 20 minutes")
            assert "REQUESTER" not in screen.text

    run(body())


def test_clock_tells_overdue_soon_and_far(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path, tickets=0)
    for number, ago in enumerate((26 * HOUR + 5 * MINUTE, 23 * HOUR + 46 * MINUTE, 23 * HOUR + 55 * MINUTE, HOUR)):
        receive(desk, [mail(number, at=NOW - ago, subject=f"case {number}")], batch=f"b{number}")

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.see("case 3")
            rows = [line for line in screen.lines if "case" in line]
            assert [row[2:12].strip() for row in rows] == ["-2h 05m !", "5m 00s ~", "14m ~", "23h"]

    run(body())


def test_a_tick_repaints_only_the_line_whose_clock_changed(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path, tickets=0)
    receive(desk, [mail(1, at=NOW - 24 * HOUR + 9 * MINUTE), mail(2, at=NOW - HOUR - 30_000)], batch="b")
    clock = [NOW]

    async def body() -> None:
        async with shown(front(desk, who, now=lambda: clock[0])) as screen:
            await screen.see("9m 00s")
            tickets, painted = screen.app.queue.list, []
            tickets.refresh = lambda *regions, **more: painted.extend(regions) or tickets  # type: ignore[method-assign]
            clock[0] += 1_000
            tickets.repaint()
            assert {region.y for region in painted} == {0}

    run(body())


def test_cursor_rewrites_two_cells(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.see("VPN drops")
            tickets, painted = screen.app.queue.list, []
            tickets.refresh = lambda *regions, **more: painted.extend(regions) or tickets  # type: ignore[method-assign]
            await screen.press("j")
            assert painted == [Region(0, 0, 1, 1), Region(0, 1, 1, 1)]

    run(body())


def test_counts_and_ends(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path, tickets=150)

    async def body() -> None:
        async with shown(front(desk, who), (100, 24)) as screen:
            await screen.see("150 tickets")
            tickets = screen.app.queue.list
            await screen.press("5", "j")
            assert tickets.cursor == 5
            await screen.press("G")
            assert tickets.cursor == 149
            await screen.see(f" {tickets.current} ")
            await screen.press("1", "0", "G")
            assert tickets.cursor == 9
            await screen.press("g", "g")
            assert tickets.cursor == 0
            await screen.press("ctrl+d")
            assert tickets.cursor == tickets.size.height // 2

    run(body())


def test_the_edge_jumps_by_half_a_page(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path, tickets=60)

    async def body() -> None:
        async with shown(front(desk, who), (100, 24)) as screen:
            await screen.see("60 tickets")
            tickets = screen.app.queue.list
            height = tickets.size.height
            tickets.move_to(height - 1)
            assert tickets.scroll_offset.y == 0
            await screen.press("j")
            assert tickets.scroll_offset.y == pytest.approx(height / 2, abs=1.5)

    run(body())


def test_an_empty_list_says_why(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path, tickets=1)
    do(desk, who, "snooze 2h", 1, batch="z")

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.see("Nothing to do here.", "1 asleep, the next wakes at 04:40")
            await screen.press("/")
            await screen.type("zebra")
            await screen.press("enter")
            await screen.see("No ticket matches this filter.")
            await screen.press("escape")
            await screen.see("Nothing to do here.")

    run(body())


def test_an_empty_view_says_so(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("g", "m")
            await screen.see("[1 Mine 0]", "Nothing in this view.", "Escape goes back to is:open")

    run(body())


def test_a_snooze_that_ends_is_new_and_one_that_others_begin_is_gone(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)
    do(desk, who, "snooze 2h", 2, batch="z")
    clock = [NOW]

    async def body() -> None:
        async with shown(front(desk, who, now=lambda: clock[0])) as screen:
            await screen.see("4 tickets", "6 Snoozed 1")
            assert "Cannot log in" not in screen.text
            # Nobody touches it: no relay runs that would wake it.
            clock[0] += 2 * HOUR
            await screen.see("1 new  ^l to show", "6 Snoozed 0")
            assert "Cannot log in" not in screen.text
            await screen.press("ctrl+l")
            await screen.see("Cannot log in", "5 tickets")
            assert "^l to show" not in screen.text
            do(desk, Who(desk.store.agents()["sam"], 1001, "there"), "snooze 1h", 3, batch="sam", at=clock[0])
            await screen.until(lambda: any(" gone " in line and "Invoice" in line for line in screen.lines))
            clock[0] += HOUR
            # It is where it was, and in the list again.
            await screen.until(lambda: not any(" gone " in line for line in screen.lines))
            assert "^l to show" not in screen.text

    run(body())


def test_what_time_alone_brings_into_a_view_is_new(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)
    clock = [NOW]

    async def body() -> None:
        async with shown(front(desk, who, now=lambda: clock[0])) as screen:
            await screen.press("g", "d")
            await screen.see("[3 Due soon 0]", "Nothing in this view.")
            clock[0] += 22 * HOUR
            await screen.see("5 new  ^l to show", "[3 Due soon 5]")

    run(body())


def test_while_nobody_looks_only_minutes_pass(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path, tickets=0)
    receive(desk, [mail(1, at=NOW - 24 * HOUR + 9 * MINUTE)], batch="b")
    clock = [NOW + 10_000]

    async def body() -> None:
        async with shown(front(desk, who, now=lambda: clock[0])) as screen:
            await screen.see("8m 50s")
            screen.app.post_message(events.AppBlur())
            await screen.until(lambda: not screen.app.app_focus)
            tickets, painted = screen.app.queue.list, []
            tickets.refresh = lambda *regions, **more: painted.extend(regions) or tickets  # type: ignore[method-assign]
            clock[0] += 5_000
            screen.app.meanwhile.tick()
            await screen.settle()
            assert painted == []
            screen.app.post_message(events.AppFocus())
            await screen.until(lambda: screen.app.app_focus)
            await screen.settle()
            clock[0] += 5_000
            screen.app.meanwhile.tick()
            assert {region.y for region in painted} == {0}

    run(body())


def test_a_new_desk_says_how_tickets_come(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path, tickets=0)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.see("No tickets yet.", "deskhand relay")

    run(body())


def test_no_relay_is_told_and_a_relay_is_not(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.see("no relay is running: nothing is fetched or sent; start: deskhand relay")
        store.lease("relay:host:1", "somebody", NOW, NOW + HOUR)
        async with shown(front(desk, who)) as screen:
            await screen.see("VPN drops")
            assert "no relay" not in screen.text

    run(body())
