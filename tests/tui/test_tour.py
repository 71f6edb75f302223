"""The tour: each step is told where it is needed, and it is never in the way."""

from __future__ import annotations

from pathlib import Path

from desk.model import DAY, MINUTE
from desk.perform import Desk, Who
from desk.store import Store
from tests.desks import NOW, make_desk
from tests.tui.shown import Shown, front, run, shown


def _desk(folder: Path) -> tuple[Store, Desk, Who]:
    """A desk at which a relay runs."""
    store, desk, who = make_desk(folder)
    store.lease("relay:test", "test", NOW, NOW + DAY)
    return store, desk, who


def _tour(screen: Shown) -> str:
    return screen.app.edges.notice.text


def test_six_keys_lead_to_the_first_answer(tmp_path: Path) -> None:
    """Each stands on the screen before it is pressed; the letters of an answer are the agent's own."""

    async def test() -> None:
        clock = [NOW]
        store, desk, who = _desk(tmp_path)
        async with shown(front(desk, who, demo=True, now=lambda: clock[0]), size=(80, 24)) as screen:
            assert _tour(screen).startswith("1/6  j k go down")
            await screen.press("j")
            assert _tour(screen).startswith("2/6  ⏎ opens")
            await screen.press("enter")
            assert _tour(screen).startswith("3/6  r answers")
            await screen.press("r")
            assert _tour(screen).startswith("4/6  hi ^t writes")
            await screen.type("On it.")
            screen.app.edges.refresh()
            assert _tour(screen).startswith("5/6  ^s shows")
            await screen.press("ctrl+s")
            assert _tour(screen).startswith("6/6  y sends")
            await screen.press("y")
            assert _tour(screen).startswith("That is all.  ? lists the rest")
            assert len(store.outbox()) == 1
            clock[0] += MINUTE
            screen.app.edges.refresh()
            assert not screen.app.edges.notice.display
            await screen.press("h")
            assert not screen.app.edges.notice.display

    run(test())


def test_who_goes_another_way_is_told_what_leads_on_from_there(tmp_path: Path) -> None:
    async def test() -> None:
        _, desk, who = _desk(tmp_path)
        async with shown(front(desk, who, demo=True)) as screen:
            await screen.press("enter")
            assert _tour(screen).startswith("3/6")
            await screen.press("i")
            assert _tour(screen) == ""
            await screen.press("escape")
            assert _tour(screen).startswith("3/6")
            await screen.press("h")
            assert _tour(screen).startswith("2/6")

    run(test())


def test_a_tour_that_was_left_does_not_come_back_by_itself(tmp_path: Path) -> None:
    async def test() -> None:
        _, desk, who = _desk(tmp_path)
        async with shown(front(desk, who, demo=True)) as screen:
            await screen.press(":")
            await screen.type("tour off")
            await screen.press("enter")
            assert _tour(screen) == ""
            await screen.press("j", "enter", "h")
            assert _tour(screen) == ""
            await screen.press(":")
            await screen.type("tour")
            await screen.press("enter")
            assert _tour(screen).startswith("1/6")

    run(test())


def test_there_is_no_tour_outside_the_demo_until_it_is_asked_for(tmp_path: Path) -> None:
    async def test() -> None:
        _, desk, who = _desk(tmp_path)
        async with shown(front(desk, who)) as screen:
            assert _tour(screen) == ""
            screen.app.tour.begin()
            await screen.press("enter", "r")
            assert _tour(screen).startswith("4/6  write an answer")

    run(test())


def test_what_is_wrong_comes_before_the_tour(tmp_path: Path) -> None:
    class Dying:
        def look(self, running: bool) -> None: ...

        def told(self) -> str:
            return "the relay ended: no disk"

        def choose(self, word: str) -> str:
            return word

    async def test() -> None:
        _, desk, who = make_desk(tmp_path)
        async with shown(front(desk, who, demo=True, relay=Dying())) as screen:
            assert _tour(screen) == "the relay ended: no disk"

    run(test())
