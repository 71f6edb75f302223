"""From a key to a message that waits to go out, and back again."""

from __future__ import annotations

from pathlib import Path

from textual import events

from desk.model import Kind, State, Status
from tests.desks import ADDRESS, NOW, answer, make_desk
from tests.tui.shown import front, run, shown


def test_reply_is_reviewed_and_sent(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("r")
            await screen.see("REPLY", "public · mail · to c0@acme.example", "this is mail 0")
            await screen.type("Which firmware")
            await screen.press("ctrl+s")
            await screen.see(
                "as the customer gets it",
                "to  Customer 0 <c0@acme.example>",
                f"Kim <{ADDRESS}>",
                "Which firmware",
                "y send",
            )
            assert len(store.thread(1)) == 1
            await screen.press("y")
            await screen.see("sent in 10 s  u to take it back", "Kim → Customer 0", "queued")

    run(body())
    said = store.thread(1)[-1]
    assert (said.text, said.kind, said.state) == ("Which firmware", Kind.PUBLIC, State.QUEUED)
    assert store.ticket(1).status is Status.OPEN


def test_send_and_solve_is_one_batch_and_one_undo(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("r")
            await screen.type("Done")
            await screen.press("ctrl+s", "s")
            await screen.see("sent and solved in 10 s")
            assert store.ticket(1).status is Status.SOLVED
            await screen.press("u")
            assert "taken back, nothing was sent" in screen.status
            assert store.ticket(1).status is Status.NEW
            assert len(store.thread(1)) == 1
            await screen.press("r")
            await screen.see("REPLY", "Done")

    run(body())


def test_send_and_pending(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("r")
            await screen.type("Which")
            await screen.press("ctrl+s", "p")

    run(body())
    assert store.ticket(1).status is Status.PENDING


def test_countdown_runs_out(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)
    clock = [NOW]

    async def body() -> None:
        async with shown(front(desk, who, now=lambda: clock[0])) as screen:
            await screen.press("r")
            await screen.type("Which")
            await screen.press("ctrl+s", "y")
            clock[0] += 1_000
            screen.app.edges.refresh()
            assert screen.status.startswith("sent in 9 s")
            clock[0] += 9_000
            screen.app.edges.refresh()
            assert "sent in" not in screen.status

    run(body())


def test_note_is_told_apart_and_goes_nowhere(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("i")
            await screen.see("NOTE", "internal · only colleagues see it")
            assert "REPLY" not in screen.text
            assert "^s review" in screen.status
            assert "^y to" not in screen.status
            await screen.type("Ask for the MTU")
            await screen.press("ctrl+s")
            await screen.see("y keep it")
            await screen.press("z")
            assert "y keeps it, e edits, q leaves" in screen.status
            assert "acme.example>" not in screen.app.writing.review.text
            await screen.press("y")
            assert "u takes it back" in screen.status

    run(body())
    said = store.thread(1)[-1]
    assert (said.kind, said.to, said.state) == (Kind.NOTE, (), None)


def test_escape_keeps_the_text_for_its_ticket(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("r")
            await screen.type("Half a tho")
            await screen.press("escape")
            assert "kept on #1, unsent" in screen.status
            await screen.press("J", "K")
            await screen.see("unsent reply: r goes on")
            await screen.press("r")
            await screen.see("Half a tho")

    run(body())
    assert len(store.thread(1)) == 1


def test_leaving_with_a_kept_text_asks_nothing(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("r")
            await screen.type("Half")
            await screen.press("escape", "q")
            await screen.pilot.press("q")
            await screen.until(lambda: not screen.app.is_running)

    run(body())
    assert [draft.text for draft in store.drafts(agent="kim")] == ["Half"]


def test_discard_asks_and_throws_away(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("r")
            await screen.type("Nonsense")
            await screen.press("ctrl+s", "q")
            assert "throw this text away?" in screen.status
            await screen.press("q")
            await screen.see("as the customer gets it")
            await screen.press("q", "d")
            assert screen.app.writing.stage == ""
            await screen.until(lambda: not screen.app.writing.drafts.kept)

    run(body())
    assert len(store.thread(1)) == 1


def test_a_message_that_came_meanwhile_stops_the_sending(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("r")
            await screen.type("Which firmware")
            answer(desk, 1, "Found it myself, thanks!", batch="late")
            await screen.press("ctrl+s", "y")
            assert "1 new message since you began" in screen.status
            assert "Found it myself" in screen.status
            assert len(store.thread(1)) == 2
            await screen.press("y")
            assert len(store.thread(1)) == 2
            await screen.press("y", "g")
            await screen.see("Found it myself, thanks!", "REPLY", "Which firmware")
            await screen.press("ctrl+s", "y")

    run(body())
    assert [m.text for m in store.thread(1) if m.agent] == ["Which firmware"]


def test_sending_over_a_new_message_is_possible(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("r")
            await screen.type("Which")
            answer(desk, 1, "Hello?", batch="late")
            await screen.press("ctrl+s", "s", "o")

    run(body())
    assert len(store.thread(1)) == 3
    assert store.ticket(1).status is Status.SOLVED


def test_an_empty_reply_cannot_be_sent(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("r", "ctrl+s")
            assert "there is nothing in it; write some words" in screen.status
            assert screen.app.writing.stage == "writing"

    run(body())


def test_the_last_message_stays_in_sight_while_writing(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path, tickets=1)
    for number in range(20):
        answer(desk, 1, f"answer number {number}", batch=f"a{number}", at=NOW + number)

    async def body() -> None:
        async with shown(front(desk, who), (80, 24)) as screen:
            await screen.press("enter", "g", "g", "r")
            await screen.see("answer number 19", "REPLY")

    run(body())


def test_an_editor_that_cannot_be_had_is_said(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("r")
            await screen.type("Half")
            await screen.press("ctrl+e")
            assert "cannot be lent to an editor" in screen.status
            assert screen.app.writing.body == "Half"

    run(body())


def test_what_is_typed_in_one_breath_comes_in_its_order(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("r")
            for key in ("t", "e", "backspace", "backspace", "h", "enter", "i", "left", "g", "ctrl+y", "ctrl+u", "x"):
                screen.app.post_message(events.Key(key, key if len(key) == 1 else None))
            await screen.settle()
            assert screen.app.writing.body == "h\ngi"
            assert screen.text.endswith("recipients x")

    run(body())
