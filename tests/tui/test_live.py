"""What others do appears by itself, and moves nothing."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from desk.config import DeskConfig
from desk.errors import Away
from desk.perform import Desk, Who
from desk.store import Store
from storage import open_store
from tests.desks import answer, do, mail, make_desk, receive
from tests.tui.shown import front, run, shown


def elsewhere(desk: Desk, who: Who) -> tuple[Desk, Who]:
    """The same desk as another process sees it, with sam at the keys."""
    store = open_store(desk.store.url, DeskConfig())
    return Desk(store, desk.config, desk.signer), Who(store.agents()["sam"], 1001, "there")


def test_a_change_by_another_process_repaints_its_row(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)
    there, sam = elsewhere(desk, who)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            thread = threading.Thread(target=lambda: do(there, sam, "take; priority urgent", 2, batch="sam"))
            thread.start()
            await screen.until(
                lambda: any("Cannot log in" in line and " sam " in line and " urg " in line for line in screen.lines)
            )
            thread.join()

    run(body())


def test_new_tickets_are_announced_and_shown_when_asked(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("j")
            receive(desk, [mail(50 + i, subject=f"brand new {i}") for i in range(3)], batch="new")
            await screen.see("3 new  ^l to show")
            assert "brand new" not in screen.text
            assert screen.app.queue.list.current == 2
            await screen.press("ctrl+l")
            await screen.see("brand new 0", "8 tickets")
            assert screen.app.queue.list.current == 2
            assert "^l to show" not in screen.text

    run(body())


def test_what_others_solve_stays_in_its_place_until_asked(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)
    there, sam = elsewhere(desk, who)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            do(there, sam, "solve", 1, batch="sam")
            await screen.until(lambda: any("VPN drops" in line and " solv " in line for line in screen.lines))
            assert list(screen.app.queue.list.ids) == [1, 2, 3, 4, 5]
            await screen.press("ctrl+l")
            assert list(screen.app.queue.list.ids) == [2, 3, 4, 5]

    run(body())


def test_an_answer_appears_in_the_open_ticket(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("enter")
            answer(desk, 1, "It works again", batch="late")
            await screen.see("It works again")

    run(body())


class Flaky:
    """A store that can be taken away."""

    def __init__(self, store: Store) -> None:
        self._store, self.gone = store, False

    def __getattr__(self, name: str) -> Any:
        if self.gone and name in (
            "page",
            "rows",
            "ids",
            "ticket",
            "thread",
            "write",
            "wait",
            "log",
            "leases",
            "last_seq",
        ):
            raise Away("the disk is gone")
        return getattr(self._store, name)


def test_a_store_that_is_away_is_told_and_comes_back(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)
    flaky = Flaky(store)
    given = front(Desk(flaky, desk.config, desk.signer), who)  # type: ignore[arg-type]

    async def body() -> None:
        async with shown(given) as screen:
            flaky.gone = True
            await screen.press("x")
            await screen.see("store away since 02:40 · 1 thing waits", "the disk is gone", "VPN drops", "5 tickets")
            flaky.gone = False
            await screen.until(lambda: "store away" not in screen.text)
            await screen.see("4 tickets", "the store is back: 1 thing that waited is done")

    run(body())
