"""Who is at which ticket: told by each terminal, shown on all, forgotten when it says no more; and the work that it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from desk.model import HOUR, MINUTE, SECOND, Effort, Millis, Presence
from desk.perform import Desk, Who
from tests.desks import NOW, make_desk
from tests.tui.shown import front, run, shown
from tests.tui.test_live import elsewhere
from tui.columns import people
from tui.presence import Seat, around


class Clock:
    """The time, which passes when told."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> Millis:
        return self.now


def seat(desk: Desk, who: Who, clock: Clock) -> Seat:
    """A terminal whose thread is not started: a test says when it tells."""
    found = Seat(front(desk, who, now=clock, terminal="kim-1"), lambda: None)
    found._thread = found  # type: ignore[assignment]
    return found


def test_a_terminal_tells_where_it_is_and_is_forgotten_after_half_a_minute(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)
    clock = Clock()
    kim = seat(desk, who, clock)
    kim.be(2, "views")
    kim.beat()
    assert store.present(NOW) == [Presence("kim-1", "kim", "test", 2, "views", NOW + 30 * SECOND)]
    assert store.present(NOW + 30 * SECOND) == []
    clock.now += 10 * SECOND
    kim.beat()
    assert store.present(NOW + 30 * SECOND)
    kim.be(2, "writes")
    kim.beat()
    assert [one.doing for one in store.present(clock())] == ["writes"]
    kim.be(0, "")
    kim.beat()
    assert store.present(clock()) == [Presence("kim-1", "kim", "test", 0, "", clock() + 3 * MINUTE)], "at no ticket"
    kim._thread = None
    kim.stop()
    kim.beat()
    assert store.present(clock()) == []


def test_time_at_a_ticket_is_effort_as_long_as_keys_are_pressed(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)
    clock = Clock()
    kim = seat(desk, who, clock)

    def passes(length: Millis) -> None:
        for _ in range(length // (10 * SECOND)):
            clock.now += 10 * SECOND
            kim.beat()

    kim.active()
    kim.be(2, "views")
    kim.beat()
    passes(MINUTE)
    kim.active()
    kim.be(2, "writes")
    kim.beat()
    passes(2 * MINUTE)
    kim.active()
    # Lunch: what is left open is no work after five minutes.
    passes(HOUR)
    assert store.effort(2) == [Effort("kim", "views", MINUTE), Effort("kim", "writes", 7 * MINUTE)]
    # An editor that has the terminal hides the keys; longer than half an hour nobody believes it.
    kim.lend()
    passes(HOUR)
    kim.take_back()
    kim.be(0, "")
    kim.beat()
    assert store.effort(2)[1].spent == 37 * MINUTE


def test_while_the_store_is_away_nothing_is_told_and_nothing_is_lost_when_it_fails(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)
    clock = Clock()
    kim = seat(desk, who, clock)
    kim.active()
    kim.be(2, "views")
    kim.beat()
    store.attend, whole = None, store.attend  # type: ignore[assignment, method-assign]
    clock.now += 10 * SECOND
    with pytest.raises(TypeError):
        kim.beat()
    store.attend = whole  # type: ignore[method-assign]
    clock.now += 10 * SECOND
    kim.beat()
    assert store.effort(2) == [Effort("kim", "views", 20 * SECOND)]


def test_two_screens_see_each_other(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)
    there, sam = elsewhere(desk, who)
    clock = Clock()

    async def body() -> None:
        async with shown(front(desk, who, now=clock, terminal="kim")) as ours:
            assert " here" not in ours.app.edges.top.text
            async with shown(front(there, sam, now=clock, terminal="sam"), (80, 24)) as theirs:
                # Who looks at the list is here as well.
                await ours.see("2 here")
                await theirs.press("j", "enter")
                await ours.until(lambda: any("Cannot log in" in line and "sam looks" in line for line in ours.lines))
                await ours.see("2 here")
                await theirs.press("r")
                await ours.until(lambda: any("Cannot log in" in line and "sam writes" in line for line in ours.lines))
                assert "kim" not in "".join(line for line in theirs.lines if "looks" in line or "writes" in line)
            # Whoever leaves says so.
            await ours.until(lambda: "sam writes" not in ours.text and " here" not in ours.app.edges.top.text)
            # Whoever is killed cannot.
            store.attend(Presence("sam-2", "sam", "", 3, "views", clock() + 30 * SECOND))
            await ours.see("sam looks")
            clock.now += 31 * SECOND
            await ours.until(lambda: "sam looks" not in ours.text)

    run(body())


def test_people_are_told_in_words_the_writers_first() -> None:
    def at(agent: str, doing: str, session: str = "") -> Presence:
        return Presence(session or agent, agent, "", 7, doing, NOW)

    assert people(()) == ""
    assert people([at("kim", "views")]) == "kim looks"
    assert people([at("kim", "views"), at("sam", "writes"), at("kim", "views", "kim-2")]) == "sam writes, kim looks"
    assert people([at(name, "views") for name in ("a", "b", "c", "d")]) == "a looks, b looks +2"
    assert list(around([at("kim", "views"), at("sam", "writes")], "kim")) == [7]
