"""Marks: one, a range, a customer's, what a query asks for, all, the others; and what is then done to them."""

from __future__ import annotations

from pathlib import Path

from desk.model import Status
from tests.desks import do, mail, make_desk, receive
from tests.tui.shown import Shown, front, run, shown


def marked(screen: Shown) -> list[int]:
    """The numbers of the marked tickets."""
    return sorted(screen.app.queue.list.marks)


def test_moving_marks_from_here_and_back_again(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path, tickets=12)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("space", "j", "v")
            assert "moving marks: 2 tickets" in screen.status
            assert marked(screen) == [1, 3]
            await screen.press("3", "j")
            assert marked(screen) == [1, 3, 4, 5, 6]
            await screen.see("5 marked")
            await screen.press("k", "k")
            assert marked(screen) == [1, 3, 4]
            await screen.press("g", "g")
            assert marked(screen) == [1, 2, 3]
            assert "v keeps them" in screen.status
            await screen.press("v", "G")
            assert marked(screen) == [1, 2, 3]
            assert "moving marks" not in screen.status
            await screen.press("v", "escape")
            assert marked(screen) == []
            assert "moving marks" not in screen.status

    run(body())


def test_what_is_done_is_done_to_the_range(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("v", "j", "j", "x")
            await screen.see("2 tickets")
            assert [store.ticket(number).status is Status.SOLVED for number in range(1, 6)] == [True] * 3 + [False] * 2
            assert screen.app.queue.marking() is None
            assert marked(screen) == []

    run(body())


def test_all_of_a_customer_are_marked(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)
    receive(desk, [mail(20 + i, sender=mail(2).sender) for i in range(2)], batch="more")
    receive(desk, [mail(30, sender=mail(2).sender)], batch="solved")
    do(desk, who, "solve", 8, batch="s")

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("space", "j", "V")
            # Those that the list does not show are left alone.
            assert marked(screen) == [1, 3, 6, 7]
            assert "3 tickets more marked: Customer 2" in screen.status

    run(body())


def test_marks_by_query_all_none_and_the_others(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)
    do(desk, who, "tag vpn", 2, 4, batch="t")

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press(":")
            await screen.type("mark tag:vpn")
            await screen.press("enter")
            assert marked(screen) == [2, 4]
            await screen.see("2 marked")
            await screen.press("~")
            assert marked(screen) == [1, 3, 5]
            await screen.press("*")
            assert marked(screen) == []
            await screen.press("2", "space")
            assert marked(screen) == [1, 2]
            await screen.press(":")
            await screen.type("mark tagg:vpn")
            await screen.press("enter")
            await screen.see('there is no field "tagg:"')
            assert marked(screen) == [1, 2]

    run(body())
