"""Sheets: opened over the list or a ticket, acted on, left again to where one was."""

from __future__ import annotations

from pathlib import Path

from tests.desks import do, make_desk
from tests.tui.shown import front, run, shown


def test_the_log_of_a_ticket_tells_who_did_what_and_leads_back(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)
    do(desk, who, "priority high", 1, batch="p")

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("L")
            await screen.see("What happened to #1", "kim", "high")
            assert screen.app.place == "sheet"
            await screen.press("q")
            assert screen.app.place == "queue"
            await screen.press("enter", "L")
            await screen.see("What happened")
            await screen.press("escape")
            assert screen.app.place == "ticket"
            await screen.press("q")
            assert screen.app.place == "queue"

    run(body())


def test_verbs_act_on_the_ticket_of_a_line(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("L", "x")
            await screen.until(lambda: store.ticket(1).status == "solved")
            await screen.see("What happened to #1", "solved")
            assert store.ticket(2).status == "new"

    run(body())
