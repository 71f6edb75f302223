"""Sentences are told whole, lists stay while a query is half typed, and nobody is offered what would only refuse."""

from __future__ import annotations

from pathlib import Path

from desk.completion import unfinished
from desk.model import Agent, Role
from desk.perform import Who
from desk.store import Batch
from tests.desks import NOW, make_desk
from tests.tui.shown import front, run, shown
from tui.rights import may


def test_the_list_stays_while_the_name_of_a_field_is_typed(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who), (80, 24)) as screen:
            await screen.press("slash")
            await screen.type("due:<2x")
            await screen.see('"2x" is not a time', "5 tickets", "Question about the export")
            await screen.press("escape")
            await screen.press("slash")
            await screen.type("export")
            await screen.see("1 ticket")

    run(body())


def test_only_what_may_become_a_field_is_unfinished() -> None:
    assert all(map(unfinished, ("d", "is:open -ta", "is:open due")))
    assert not any(map(unfinished, ("", "is:open ", "vpn", "is:open due:", "tag vpn")))


def test_a_sentence_too_long_for_the_last_line_begins_above_it(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who), (80, 24)) as screen:
            screen.app.say("one sentence, " * 7 + "and its end")
            await screen.settle()
            assert " ".join(line.strip() for line in screen.lines[-2:]) == "one sentence, " * 7 + "and its end"
            await screen.press("j")
            assert "sentence" not in screen.text

    run(body())


def test_a_line_whose_mistake_takes_more_to_tell_comes_back_to_be_mended(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who), (80, 24)) as screen:
            await screen.press("colon")
            await screen.type("snooze some words")
            await screen.press("enter")
            await screen.see(": snooze some words", '"some words" is not a time')
            assert " ".join(screen.text.split()).count("tomorrow 9:00 or a weekday") == 1
            await screen.press(*["backspace"] * 10)
            await screen.type("3h")
            await screen.press("enter")
            assert store.ticket(1).snoozed_until == NOW + 3 * 3_600_000

    run(body())


def test_what_is_wrong_in_an_answer_is_told_whole_at_once(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who), (80, 24)) as screen:
            await screen.press("z")
            await screen.type("nonsense")
            await screen.see('"nonsense" is not a time: write a span')
            assert "tomorrow 9:00 or a weekday" in " ".join(screen.text.split())
            await screen.press("enter")
            await screen.see("snooze #1 · nonsense")
            await screen.press("ctrl+u")
            await screen.type("3h")
            assert "is not a time" not in screen.text
            await screen.press("enter")
            assert store.ticket(1).snoozed_until == NOW + 3 * 3_600_000

    run(body())


def test_what_is_about_one_ticket_asks_which_of_those_marked(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("space", "space", "L")
            assert screen.status.startswith("2 tickets are marked; log is about one: :log 1 tells of that one")
            await screen.press("colon")
            await screen.type("log 2")
            await screen.press("enter")
            await screen.see("What happened to #2")

    run(body())


def test_the_chosen_verb_is_told_whole(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who), (80, 24)) as screen:
            await screen.press("ctrl+p")
            await screen.type("health")
            summary = next(v.summary for name, v in _verbs().items() if name == "health")
            told = " ".join(" ".join(screen.text.split()).split())
            assert summary in told
            await screen.press("escape", "g")
            await screen.see(summary.rstrip("."))

    run(body())


def test_who_may_only_read_is_offered_no_key_that_would_refuse(tmp_path: Path) -> None:
    store, desk, _ = make_desk(tmp_path)
    rob = Agent("rob", role=Role.READ_ONLY, uid=1002)
    store.save_agent(rob, Batch("agent-rob", NOW))

    async def body() -> None:
        async with shown(front(desk, Who(rob, 1002, "test"))) as screen:
            assert "reply" not in screen.status
            assert "L log" in screen.status
            await screen.press("question_mark")
            await screen.see("dashboard")
            offered = {choice.label for choice in screen.app.prompting.prompt.found}  # type: ignore[union-attr]
            assert not offered & {"reply", "note", "assign", "solve", "raise", "undo", "macro"}
            assert {"show", "log", "filter"} <= offered
            await screen.press("escape", "enter")
            assert "reply" not in screen.status

    run(body())


def test_rights_go_by_the_verb_behind_a_key() -> None:
    agent, lead = Agent("sam"), Agent("lee", role=Role.LEAD)
    assert may(agent, "raise")
    assert may(agent, "reply ")
    assert may(None, "show")
    assert not may(None, "raise")
    assert not may(Agent("rob", role=Role.READ_ONLY), "undo")
    assert may(lead, "quit")


def _verbs():  # type: ignore[no-untyped-def]
    from tui.verbs import VERBS

    return VERBS
