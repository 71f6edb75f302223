"""Verbs by key, by line and by palette; marks; undo; what a paste may do."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual import events

from desk.actions import load
from desk.config import KeysConfig
from desk.model import Priority, Status
from desk.perform import Who
from tests.desks import do, make_desk
from tests.tui.shown import front, run, shown
from tui.bindings import PLACES, bound


def test_solve_leaves_the_list_and_undo_brings_it_back(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("x")
            assert screen.status.strip() == "solve · #1 · u takes it back"
            await screen.see("4 tickets")
            assert screen.app.queue.list.current == 2
            await screen.press("u")
            assert "taken back: solve · #1" in screen.status
            await screen.see("5 tickets", "VPN drops")
            await screen.press("ctrl+r")
            assert store.ticket(1).status is Status.SOLVED

    run(body())


def test_commands_act_on_marks_as_one_batch(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("space", "space")
            await screen.see("2 marked")
            await screen.press("A")
            assert "take · 2 tickets" in screen.status
            assert [store.ticket(n).assignee for n in (1, 2, 3)] == ["kim", "kim", None]
            assert not screen.app.queue.list.marks
            await screen.press("u")
            assert [store.ticket(n).assignee for n in (1, 2)] == [None, None]

    run(body())


def test_star_marks_all_and_escape_none(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("*")
            await screen.see("5 marked")
            await screen.press("escape")
            assert "marked" not in screen.text

    run(body())


def test_what_was_left_alone_is_told(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)
    do(desk, who, "assign sam", 2, batch="s")

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("*", "A")
            assert "take · 4 tickets · 1 ticket left alone: #2 belongs to sam" in screen.status

    run(body())


def test_a_verb_that_needs_more_asks_for_it(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("a")
            await screen.see("assign #1 ·", "Give the ticket to an agent. To whom?", "kim", "sam")
            await screen.type("sa")
            await screen.press("enter")
            assert store.ticket(1).assignee == "sam"
            await screen.press(":")
            await screen.type("assign")
            await screen.press("enter")
            await screen.see("assign needs an agent; it is written: assign AGENT")
            await screen.press("escape")
            await screen.see("⏎ open")

    run(body())


def test_history_completion_and_repeat(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press(":")
            await screen.type("ta")
            await screen.see("tag", "Add tags.")
            await screen.press("tab")
            await screen.type("vpn")
            await screen.press("enter")
            assert store.ticket(1).tags == ("vpn",)
            await screen.press("j", ".")
            assert store.ticket(2).tags == ("vpn",)
            await screen.press("j", ":", "up", "enter")
            assert store.ticket(3).tags == ("vpn",)

    run(body())


def test_plus_and_minus_go_one_step_from_where_each_is(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)
    do(desk, who, "priority high", 2, batch="p")

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("space", "space", "+")
            assert [store.ticket(n).priority for n in (1, 2)] == [Priority.HIGH, Priority.URGENT]
            await screen.press("u")
            assert [store.ticket(n).priority for n in (1, 2)] == [Priority.NORMAL, Priority.HIGH]

    run(body())


def test_filter_follows_typing_and_shows_what_is_wrong(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("/")
            await screen.type("invoice")
            await screen.see("1 ticket", "Invoice shows")
            await screen.press("escape")
            await screen.see("5 tickets")
            await screen.press("/", "ctrl+u")
            await screen.type("is:opne")
            await screen.see('"is:opne" means nothing (did you mean "open"?)')
            await screen.press("enter")
            assert 'did you mean "open"' in screen.status
            assert screen.app.queue.query_text == "is:open"

    run(body())


def test_palette_and_help_find_and_run(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("ctrl+p")
            await screen.type("mark the ticket solved")
            await screen.see("solve")
            await screen.press("enter")
            assert store.ticket(1).status is Status.SOLVED
            await screen.press("?")
            await screen.type("recip nothing here")
            await screen.see("nothing has these words")
            await screen.press("escape")

    run(body())


def test_tab_goes_to_the_next_unread(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)
    for number in (1, 2, 3):
        store.seen("kim", number, 99)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("tab")
            assert screen.app.queue.list.current == 4
            await screen.press("tab", "tab")
            assert screen.app.queue.list.current == 4

    run(body())


@pytest.mark.parametrize("habit", ["q", "q!", "wq", "x"])
def test_what_other_programs_call_quit_leaves(tmp_path: Path, habit: str) -> None:
    store, desk, who = make_desk(tmp_path)
    before = store.last_seq()

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.app.hands.run_line(habit)
            await screen.until(lambda: not screen.app.is_running)

    run(body())
    assert store.last_seq() == before


@pytest.mark.parametrize(("typed", "meant"), [("lgo", "log"), ("quti", "quit"), ("sovle", "solve")])
def test_a_slip_is_told_the_nearest_verb_of_the_screen_and_the_desk(tmp_path: Path, typed: str, meant: str) -> None:
    _, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.run(typed)
            assert f'there is no verb "{typed}" (did you mean "{meant}"?); ? lists them' in screen.status

    run(body())


def test_a_digit_typed_for_a_view_is_told_its_key(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("1")
            first = next(iter(screen.app.queue.views.values()))
            assert "opens that ticket" in screen.status
            assert f"{screen.app.hands.key('view 1')} shows {first.title}" in screen.status
            await screen.press("2", "3", "4")
            assert "shows" not in screen.status

    run(body())


def test_open_with_a_number_goes_to_that_ticket(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.app.hands.run_line("open #3")
            await screen.until(lambda: screen.app.ticket.view and screen.app.ticket.view.ticket.id == 3)

    run(body())


def test_what_is_done_again_is_told_by_its_own_name(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("A", "u", "ctrl+r")
            assert "done again: take · #1" in screen.status
            await screen.press("u")
            assert "taken back: take · #1" in screen.status

    run(body())


def test_a_paste_into_the_list_runs_nothing(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)
    before = store.last_seq()

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            screen.app.post_message(events.Paste("x\nA\n:solve\nq"))
            await screen.settle()
            assert screen.app.is_running
            await screen.see("5 tickets")

    run(body())
    assert store.last_seq() == before


def test_keys_typed_ahead_wait_for_their_turn(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            # All at once: the text belongs to the reply, not to the list.
            for key, character in (("enter", None), ("J", "J"), ("r", "r"), ("x", "x"), ("q", "q")):
                screen.app.post_message(events.Key(key, character))
            await screen.until(lambda: screen.app.writing.body == "xq")
            await screen.settle()

    run(body())
    assert store.ticket(1).status is store.ticket(2).status is Status.NEW


def test_a_line_typed_ahead_is_done_where_it_was_typed(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            for key in (":", *"assign sam", "enter", "j", "x"):
                character = key if len(key) == 1 else None
                screen.app.post_message(events.Key({":": "colon", " ": "space"}.get(key, key), character))
            await screen.until(lambda: store.ticket(2).status is Status.SOLVED)
            await screen.settle()

    run(body())
    assert store.ticket(1).assignee == "sam"
    assert store.ticket(2).assignee is None


def test_a_list_that_makes_no_sense_is_said(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who, query="is:opne")) as screen:
            await screen.see("The list could not be read.")
            assert 'did you mean "open"' in screen.status
            await screen.press(":")
            await screen.type("filter is:open")
            await screen.press("enter")
            await screen.see("5 tickets")

    run(body())


def test_who_is_no_agent_may_look_and_is_told_whom_to_ask(tmp_path: Path) -> None:
    _, desk, _ = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, Who(None, 4711))) as screen:
            await screen.see("read only", "5 tickets")
            await screen.press("x")
            assert "an admin adds you with: deskhand agent add NAME --uid UID" in screen.status
            await screen.press("enter")
            await screen.see("this is mail 0")

    run(body())


@pytest.mark.parametrize("place", PLACES)
def test_every_verb_with_a_key_can_be_reached_by_it(place: str) -> None:
    keys = bound(place, KeysConfig())
    for action in load().values():
        for key in action.keys.split():
            # Priority goes up and down by + and -; its own key would only ask.
            assert keys[key].strip() == ("raise" if action.name == "priority" else action.name)


def test_error_stays_until_the_next_key(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("X")
            assert "there is nothing to reopen" in screen.status
            screen.app.meanwhile.tick()
            assert "there is nothing to reopen" in screen.status
            await screen.press("j")
            assert "⏎ open" in screen.status

    run(body())


def test_pending_keys_are_shown(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("g")
            assert "g top" in screen.status
            await screen.press("escape")
            assert "⏎ open" in screen.status

    run(body())
