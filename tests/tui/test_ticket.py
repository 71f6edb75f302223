"""The open ticket: who said what, and in which words."""

from __future__ import annotations

from pathlib import Path

import pytest

from desk.model import HOUR, MINUTE, Attachment, Identity, State
from desk.perform import Desk
from tests.desks import NOW, answer, do, mail, make_desk, receive
from tests.tui.shown import front, run, shown

LOG = Attachment("vpn.log", "text/plain", 18_234, "0" * 64)


def test_enter_opens_and_q_goes_back(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("enter")
            await screen.see("Customer 0 wrote · mail", "this is mail 0", "first reply in 23h", "c0@acme.example")
            await screen.press("q")
            await screen.see("SUBJECT")
            assert not screen.app.reading

    run(body())


def test_messages_tell_author_channel_direction_and_state(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)
    do(desk, who, "note Ask for the MTU.", 1, batch="n")
    do(desk, who, "reply Which firmware?", 1, batch="r")

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("1", "enter")
            await screen.see("Customer 0 wrote · mail", "NOTE", "Kim · internal", "Kim → Customer 0 · mail", "queued")

    run(body())


def test_notes_have_a_ground_of_their_own(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)
    do(desk, who, "note Ask for the MTU.", 1, batch="n")

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("enter")
            grounds = {
                line.ground
                for line in screen.app.ticket.conversation.lines
                if any("MTU" in text for text, _ in line.parts)
            }
            assert grounds == {"note"}

    run(body())


def test_quotes_fold_and_unfold(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path, tickets=0)
    text = "New words.\n\nOn Monday you wrote:\n> old words\n> more old words"
    receive(desk, [mail(1, text=text, visible="New words.", attachments=(LOG,))], batch="b")

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("enter")
            await screen.see("New words.", "▸ 4 quoted lines folded", "[1] vpn.log  18 kB")
            assert "old words" not in screen.text
            await screen.press("f")
            await screen.see("> old words", "▾ 4 quoted lines shown")
            await screen.press("f")
            assert "old words" not in screen.text

    run(body())


def test_w_tells_why_a_message_is_here(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)
    answer(desk, 1, "And another thing", batch="again")

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("enter", "w")
            await screen.see(
                "here because it began the ticket",
                "here because it answers a message on this ticket",
            )

    run(body())


def test_j_and_k_walk_through_the_list(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("enter", "J")
            await screen.see("this is mail 1")
            await screen.press("J", "K", "K")
            await screen.see("this is mail 0")
            await screen.press("K")
            assert "first ticket of the list" in screen.status

    run(body())


def test_a_number_and_enter_open_that_ticket(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("4", "enter")
            await screen.see("this is mail 3")
            await screen.press(":")
            await screen.type("2")
            await screen.press("enter")
            await screen.see("this is mail 1")
            await screen.press("9", "9", "enter")
            await screen.press(":")
            await screen.type("99")
            await screen.press("enter")
            assert "there is no ticket #99" in screen.status

    run(body())


def test_opening_marks_as_seen(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            assert screen.app.queue.list.rows[1].unread
            await screen.press("enter", "q")
            await screen.until(lambda: not screen.app.queue.list.rows[1].unread)

    run(body())
    assert [row.unread for row in store.rows([1, 2], agent="kim")] == [False, True]


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 50)])
def test_a_long_thread_opens_where_reading_ended(tmp_path: Path, size: tuple[int, int]) -> None:
    store, desk, who = make_desk(tmp_path, tickets=1)
    for number in range(30):
        answer(desk, 1, f"answer number {number}\nsecond line", batch=f"a{number}", at=NOW + number)
    store.seen("kim", 1, 5)

    async def body() -> None:
        async with shown(front(desk, who), size) as screen:
            await screen.press("enter")
            assert screen.lines[4 + (size[0] < 140)].startswith(" Customer 0 wrote")
            assert "answer number 4" in screen.lines[5 + (size[0] < 140)]
            await screen.press("g", "g")
            await screen.see("this is mail 0")
            await screen.press("G")
            await screen.see("answer number 29")

    run(body())


def test_a_thread_whose_news_fit_opens_at_its_end(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path, tickets=1)
    for number in range(30):
        answer(desk, 1, f"answer number {number}\nsecond line", batch=f"a{number}", at=NOW + number)
    store.seen("kim", 1, 29)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("enter")
            await screen.see("answer number 29", "answer number 27")
            assert screen.app.ticket.conversation.at_end

    run(body())


def test_two_thousand_messages_open_at_the_end_and_can_be_read_from_the_top(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path, tickets=1)
    first = store.thread(1)[0]
    whose = {"sender": first.sender, "in_reply_to": (first.message_id or "",)}
    receive(desk, [mail(9000 + n, at=NOW + n, text=f"part {n}.", **whose) for n in range(2_000)], batch="many")
    store.seen("kim", 1, 1_000_000)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("enter")
            await screen.see("part 1999.")
            await screen.press("g", "g")
            await screen.see("this is mail 0", "part 0.")
            assert len(screen.app.ticket.conversation.lines) > 6_000

    run(body())


def test_the_clock_keeps_its_words_where_it_is_narrow(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path, tickets=0)
    receive(desk, [mail(1, at=NOW - 28 * 3_600_000, name="Maria Petrova of the Northern Branch")], batch="late")
    assert store.ticket(1).due_at is not None

    async def body() -> None:
        async with shown(front(desk, who), size=(80, 24)) as screen:
            await screen.press("enter")
            await screen.see("first reply -4h 00m overdue", "Maria Petrova")

    run(body())


# -- searching, folding, events -------------------------------------------------------


def test_search_looks_into_folded_text_and_goes_from_place_to_place(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path, tickets=1)
    for number in range(30):
        answer(
            desk,
            1,
            f"answer {number}\nthe MTU is {number}" if number % 10 == 0 else "no\n" * 4,
            batch=f"a{number}",
            at=NOW + number,
        )
    receive_folded(desk)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            conversation = screen.app.ticket.conversation
            await screen.press("1", "enter", "g", "g", "slash")
            await screen.type("mtu")
            await screen.press("enter")
            await screen.see("the MTU is 0")
            assert "in 4 lines" in screen.status
            assert any("found" in style for line in conversation.lines for _, style in line.parts)
            await screen.press("n")
            await screen.see("the MTU is 10")
            await screen.press("n", "n")
            await screen.see("> the old mtu")
            await screen.press("n")
            assert "line 1 of 4" in screen.status
            await screen.press("N", "N")
            await screen.see("the MTU is 20")
            await screen.press("slash")
            await screen.type("nowhere")
            await screen.press("enter")
            assert '"nowhere" does not stand in this conversation' in screen.status

    run(body())


def receive_folded(desk: Desk) -> None:
    """One more answer on ticket 1, with a quote that is folded away."""
    first = desk.store.thread(1)[0]
    again = mail(
        50, at=NOW + HOUR, text="Yes.\n\n> the old mtu", visible="Yes.", sender=first.sender, in_reply_to=(first.message_id or "",)
    )  # fmt: skip
    receive(desk, [again], batch="folded", at=NOW + HOUR)


def test_of_very_long_mail_the_beginning_is_told_and_the_rest_beside_the_screen(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path, tickets=0)
    text = "".join(f"line {number} of the log\n" for number in range(20_000)) + "the needle"
    receive(desk, [mail(1, text=text)], batch="b")

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            conversation = screen.app.ticket.conversation
            await screen.press("enter", "G")
            assert len(conversation.lines) < 5_000
            await screen.see("more lines folded")
            conversation.fold()
            assert len(conversation.lines) < 5_000, "what takes long is told by a thread"
            await screen.settle()
            assert len(conversation.lines) > 20_000
            await screen.press("f")
            assert len(conversation.lines) < 5_000
            await screen.press("slash")
            await screen.type("needle")
            await screen.press("enter")
            await screen.see("the needle")

    run(body())


def test_only_what_is_in_sight_is_unfolded_and_the_place_stays(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path, tickets=0)
    text = "New words.\n" + "more\n" * 30 + "\n> old"
    maria = Identity("email", "m@acme.example")
    receive(desk, [mail(1, text=text, visible=text.partition("\n>")[0], sender=maria, message_id="a@x")], batch="a")
    receive(desk, [mail(2, text=text, visible=text.partition("\n>")[0], sender=maria, in_reply_to=("a@x",))], batch="b")

    async def body() -> None:
        async with shown(front(desk, who), (120, 30)) as screen:
            conversation = screen.app.ticket.conversation
            await screen.press("enter", "G")
            first = conversation.lines[conversation.scroll_offset.y]
            await screen.press("k", "f")
            assert conversation.unfolded == {2}
            await screen.press("F")
            assert conversation.unfolded == {1, 2}
            assert first in conversation.lines[conversation.scroll_offset.y :][:6]
            await screen.press("left_curly_bracket", "left_curly_bracket")
            assert conversation.scroll_offset.y == 0
            await screen.press("right_curly_bracket")
            assert "wrote" in screen.lines[5]

    run(body())


def test_what_happened_stands_between_the_messages(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path, tickets=1)
    do(desk, who, "tag vpn; priority high", 1, batch="t", at=NOW + MINUTE)
    answer(desk, 1, "And another thing", batch="again", at=NOW + 2 * MINUTE)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("1", "enter", "e")
            await screen.see("· today 02:41  kim: tags +vpn, priority normal → high")
            text = screen.text
            assert text.index("this is mail 0") < text.index("tags +vpn") < text.index("And another thing")
            await screen.press("e")
            assert "tags +vpn" not in screen.text

    run(body())


# -- what did not get through ---------------------------------------------------------


def test_what_did_not_get_through_says_why_and_is_sent_again(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)
    do(desk, who, 'reply "Which firmware?"', 1, batch="r")
    (ours,) = store.claim("relay", NOW + HOUR, NOW + 2 * HOUR)
    store.settle(ours.delivery.id, "relay", State.FAILED, NOW + HOUR, error="550 no\x1b such user")

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("1", "enter")
            await screen.see(
                "· failed", "! to c0@acme.example it was not delivered: 550 no␛ such user", ":retry sends it again"
            )
            await screen.press("colon")
            await screen.type("retry")
            await screen.press("enter")
            await screen.see("· queued")
            assert "queued again" in screen.status
            assert "not delivered" not in screen.text

    run(body())
    assert store.trouble(1) == []
