"""What is put into a text, and what is told before it goes out."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from msgspec.structs import replace
from textual import events

from desk.capabilities import Capabilities
from desk.config import DeskConfig
from desk.errors import Invalid
from desk.model import HOUR, Account, State, Status
from tests.desks import ADDRESS, NOW, answer, do, mail, make_desk, receive
from tests.tui.shown import Shown, front, run, shown
from tests.tui.test_macros import Shelf
from tui import editor, writing
from tui.putting import selected

# -- quotes -----------------------------------------------------------------------


def test_the_newest_message_is_quoted_and_internal_ones_never(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)
    answer(desk, 1, "First line\n\nThird line", batch="a", at=NOW)
    do(desk, who, "note Not for them", 1, batch="n")

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("r", "ctrl+q")
            assert screen.app.writing.body == "> First line\n>\n> Third line\n\n"
            await screen.run("quote 3")
            assert "message 3 is internal" in screen.status
            await screen.run("quote 9")
            assert "there is no message 9 to quote; #1 has 3" in screen.status
            await screen.press("escape", "i")
            await screen.run("quote 3")
            assert screen.app.writing.body == "> Not for them\n\n"

    run(body())


def test_quoting_begins_a_reply_and_takes_a_place(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)
    answer(desk, 1, "Second", batch="a", at=NOW)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.app.hands.run_line("quote 1")
            await screen.see("REPLY", "> Hello, this is mail 0.")
            await screen.type("So")
            await screen.press("ctrl+q")
            assert screen.app.writing.body.endswith("\n\nSo\n> Second\n\n")

    run(body())


# -- what is pasted ---------------------------------------------------------------


def test_the_lines_of_a_paste_stay_lines_however_the_terminal_ends_them(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("r")
            screen.app.post_message(events.Paste("Dear all,\r\rone\r\ntwo\nthree"))
            await screen.until(lambda: screen.app.writing.body == "Dear all,\n\none\ntwo\nthree")

    run(body())


# -- canned texts and macros --------------------------------------------------------


def test_letters_that_begin_several_snippets_list_them(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who, macros=Shelf(desk, who))) as screen:
            await screen.press("r")
            await screen.type("So: he")
            await screen.press("ctrl+t")
            await screen.see("hello  Hello, this is about", "help   See the manual")
            assert "Bye" not in screen.text
            await screen.press("enter")
            assert screen.app.writing.body == "So: Hello,\n\nthis is about #1."
            await screen.press("enter")
            await screen.type("hell")
            await screen.press("ctrl+t")
            assert screen.app.writing.body.endswith("#1.\nHello,\n\nthis is about #1.")

    run(body())


def test_a_macro_gives_its_text_and_tells_what_it_does_not_do(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who, macros=Shelf(desk, who))) as screen:
            await screen.press("enter", "r")
            await screen.type("Dear Ann, ")
            await screen.run("macro greet what=all")
            assert screen.app.writing.body == "Dear Ann, Hello Customer, all"
            assert "only the text of greet is put in; not done: solve" in screen.status
            await screen.run("macro sort")
            assert "the macro sort says nothing" in screen.status

    run(body())
    assert store.ticket(1).status is Status.NEW
    assert len(store.thread(1)) == 1


# -- the editor -----------------------------------------------------------------------


@pytest.mark.parametrize(("script", "left"), [("pass", "Kept"), ("open(sys.argv[1], 'w').close()", "")])
def test_an_editor_gives_back_what_is_in_the_file(script: str, left: str) -> None:
    assert editor.edit("Kept", (sys.executable, "-c", f"import sys; {script}")) == left


def test_an_emptied_file_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, desk, who = make_desk(tmp_path)
    monkeypatch.setattr(writing, "edit", lambda text, command: "\n")

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            monkeypatch.setattr(type(screen.app), "suspend", type(screen.app).batch_update)
            await screen.press("r")
            await screen.type("Kept")
            await screen.press("ctrl+e")
            assert "the editor left nothing in the file" in screen.status
            assert screen.app.writing.body == "Kept"

    run(body())


# -- what is told while one writes ----------------------------------------------------


def test_a_message_that_comes_is_told_at_once_and_read_with_a_key(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("r")
            await screen.type("Which")
            answer(desk, 1, "Found it!", batch="late", at=NOW)
            await screen.see("! 1 new message since you began (02:40, Customer 0): “Found it!”", "^g reads it")
            await screen.press("ctrl+g")
            assert "since you began" not in screen.text
            assert "Found it!" in screen.text
            await screen.press("ctrl+g")
            assert "nothing came since you began" in screen.status
            await screen.press("ctrl+s", "y")
            await screen.see("sent in 10 s")

    run(body())
    assert store.thread(1)[-1].text == "Which"


def test_a_message_that_comes_during_the_review_stands_in_it(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("r")
            await screen.type("Which")
            await screen.press("ctrl+s")
            answer(desk, 1, "Found it!", batch="late", at=NOW)
            await screen.see("as the customer gets it", "! 1 new message since you began")

    run(body())


# -- the review -----------------------------------------------------------------------


async def reviewed(screen: Shown, text: str) -> None:
    """Write a reply, and look at it."""
    await screen.press("r")
    await screen.type(text)
    await screen.press("ctrl+s")


def test_the_customer_gets_the_signature_and_the_review_shows_it(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path, config=DeskConfig(signature="{{ agent.display }}, #{{ ticket.id }}"))

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await reviewed(screen, "Hello")
            await screen.see("  Hello", "  --", "  Kim, #1", "status  open; solved with s, pending with p")

    run(body())


def test_addresses_that_mail_came_back_from_are_marked(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)
    store.write(lambda tx: tx.set_undeliverable("c0@acme.example", "550 no such user"))

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await reviewed(screen, "Hello")
            await screen.see("Customer 0 <c0@acme.example>   ! mail to it came back")

    run(body())


def test_a_forgotten_attachment_is_asked_about_once_with_another_key(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await reviewed(screen, "The log is attached.")
            await screen.see("! you speak of an attachment (“attached”) and there is none")
            await screen.press("y")
            assert "you speak of an attachment" in screen.status
            assert "a attach" in screen.status
            await screen.press("y")
            assert len(store.thread(1)) == 1
            await screen.press("y", "o")

    run(body())
    assert len(store.thread(1)) == 2


def test_it_goes_out_later_and_the_ticket_says_when(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await reviewed(screen, "Later")
            await screen.press("l")
            await screen.see("When is it to go out?")
            await screen.type("tom")
            await screen.press("enter")
            await screen.see("goes out  tomorrow 09:00")
            await screen.press("y")
            assert screen.status.startswith("goes out tomorrow 09:00 · u takes it back")
            await screen.press("q", "enter")
            await screen.see("goes out tomorrow 09:00")
            await screen.press("u")
            assert "taken back, nothing was sent" in screen.status
            await screen.press("r", "ctrl+s")
            await screen.see("goes out  tomorrow 09:00")
            await screen.press("l", "enter")
            assert "goes out" not in screen.text

    run(body())
    (delivery, _) = store.outbox(tuple(State))[0]
    assert delivery.not_before > NOW + HOUR


def test_a_time_that_is_none_is_refused(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await reviewed(screen, "Later")
            for when, why in (("someday", "is not a time"), ("2020-01-01", "has passed")):
                await screen.run(f"later {when}")
                assert why in screen.status

    run(body())


def test_the_mail_is_seen_as_it_goes_over_the_wire(tmp_path: Path) -> None:
    from cli.rendering import as_sent

    _, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who, raw=as_sent)) as screen:
            await reviewed(screen, "Hello there")
            await screen.press("v")
            await screen.see("To: Customer 0 <c0@acme.example>", "Content-Type:", "Hello there")
            await screen.press("v")
            await screen.see("as the customer gets it")

    run(body())


def test_a_channel_without_subjects_shows_none(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)
    store.save_account(replace(Account("support", "email", ADDRESS), capabilities=Capabilities(may_start=True)))

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await reviewed(screen, "Hello")
            await screen.see("as the customer gets it")
            assert "subject  " not in screen.text

    run(body())


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_a_long_text_takes_half_and_the_last_message_stays(tmp_path: Path, size: tuple[int, int]) -> None:
    _, desk, who = make_desk(tmp_path, tickets=1)
    answer(desk, 1, "the newest of all", batch="a", at=NOW)

    async def body() -> None:
        async with shown(front(desk, who), size) as screen:
            await screen.press("r")
            screen.app.writing.body = "\n".join(f"line {n}" for n in range(60))
            await screen.settle()
            await screen.see("the newest of all", "REPLY", "line 59")
            composer, pane = screen.app.query_one("#composer"), screen.app.ticket
            assert composer.size.height <= pane.size.height // 2 + 1

    run(body())


def test_a_message_too_long_for_an_editor_is_not_quoted(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path, 0)
    receive(desk, [mail(1, text="many words\n" * 30_000)], batch="long")

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("enter", "r", "ctrl+q")
            assert "too much to quote" in screen.status

    run(body())


@pytest.mark.parametrize(
    ("part", "quoted"),
    [
        ("", "One.\nStill one.\n\nThe MTU is 1400.\nOf course.\n\nThanks"),
        ("mtu is", "The MTU is 1400.\nOf course."),
        ("2", "Still one."),
        ("1-2", "One.\nStill one."),
        ("4-99", "The MTU is 1400.\nOf course.\n\nThanks"),
    ],
)
def test_a_part_is_quoted_by_its_lines_or_its_words(part: str, quoted: str) -> None:
    assert selected("One.\nStill one.\n\nThe MTU is 1400.\nOf course.\n\nThanks", part) == quoted


@pytest.mark.parametrize(("part", "why"), [("9", "has 7 lines"), ("no such words", 'does not say "no such words"')])
def test_a_part_that_is_not_there_is_told(part: str, why: str) -> None:
    with pytest.raises(Invalid, match=why):
        selected("One.\nStill one.\n\nThe MTU is 1400.\nOf course.\n\nThanks", part)
