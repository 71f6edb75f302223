"""Sheets: opened over the list or a ticket, acted on, left again to where one was."""

from __future__ import annotations

from datetime import timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from desk.model import HOUR, MINUTE, Account, Presence, State
from desk.store import Batch
from tests.desks import NOW, Room, do, make_desk
from tests.tui.shown import Shown, front, run, shown
from tui.sheets import SHEETS, Entry, Page, Sheet

KEYS = {"dashboard": "D", "outbox": "O", "history": "H", "log": "L", "changes": "U"}


def of(room: Room, **more: Any) -> Any:
    """What the screen is given for a room whose clock goes on."""
    return front(room.desk, room.who, now=lambda: room.clock, **more)


def title(screen: Shown) -> str:
    return screen.lines[1].strip()


def current(screen: Shown) -> str:
    """The line under the cursor."""
    entry = screen.app.sheet.current
    return entry.text if entry else ""


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


def test_whatever_is_told_of_a_ticket_is_told_in_the_agents_own_time(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who, zone=timezone(timedelta(hours=9)))) as screen:
            await screen.run("preview snooze 4h")
            await screen.see("snoozed until none → today 15:40")
            await screen.press("y")
            await screen.run("log 1")
            await screen.see("What happened to #1", "today 11:40  kim", "snoozed until none → today 15:40")
            assert "UTC" not in screen.text
            await screen.press("enter", "e")
            await screen.see("snoozed until none → today 15:40")
            assert "UTC" not in screen.text

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


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 50)])
@pytest.mark.parametrize("name", [*SHEETS])
def test_every_sheet_fits_every_terminal(tmp_path: Path, name: str, size: tuple[int, int]) -> None:
    room = Room.open(tmp_path)
    room.receive(room.mail(70, subject="\x1b]52;c;aGk=\x07 陈" * 30, name="Ä" * 200))
    room.do("reply Thanks.", 1)
    room.send(state=State.UNKNOWN, error="the line broke " * 20)
    room.store.save_account(Account("s" * 31, "sms", "+49", health="paused: " + "no " * 200, paused=True))

    async def body() -> None:
        async with shown(of(room), size) as screen:
            await screen.run(name)
            assert screen.app.place == "sheet"
            assert "\x1b" not in screen.text
            for drawn in screen.app.sheet.list.lines:
                from rich.cells import cell_len

                assert sum(cell_len(text) for text, _ in drawn.parts) <= size[0] - 1, drawn

    run(body())


def test_the_desk_at_a_glance_counts_and_leads_on(tmp_path: Path) -> None:
    room = Room.open(tmp_path)
    room.do("take", 1, 2)
    room.do("reply Thanks.", 2)
    room.do("solve", 3, by="sam")
    room.store.attend(Presence("t", "sam", "there", 5, "writes", room.clock + HOUR))

    async def body() -> None:
        async with shown(of(room)) as screen:
            await screen.press("D")
            await screen.see("Due in the next two hours", "1 reply, 0 solved", "writes on #5", "waiting to go out")
            lines = screen.text.split("\n")
            (loads,) = [line for line in lines if line.strip().startswith("kim ")]
            assert loads.split()[1] == "2"
            (opened,) = {line.split("opened")[1].split()[-3] for line in lines if "opened" in line}
            assert opened == "5"
            assert current(screen).split() == ["Mine", "2"]
            await screen.press("enter")
            assert (screen.app.place, screen.app.queue.view) == ("queue", "mine")
            await screen.press("D", "j")
            assert current(screen).split() == ["Unassigned", "2"]
            await screen.press("q", "D")
            assert current(screen).split() == ["Unassigned", "2"], "the place on it is remembered"

    run(body())


def test_the_cursor_goes_to_the_other_column_and_opens_what_is_due(tmp_path: Path) -> None:
    room = Room.open(tmp_path)
    room.clock = NOW + 23 * HOUR  # of the 24 in which each wants a reply

    async def body() -> None:
        async with shown(of(room)) as screen:
            await screen.press("D", "tab")
            entry = screen.app.sheet.current
            assert entry is not None
            assert entry.ticket == 1
            assert screen.lines[4][screen.app.sheet.list._split] == "▌"
            await screen.press("enter")
            assert screen.app.ticket.view is not None
            assert screen.app.ticket.view.ticket.id == 1
            await screen.press("q")
            assert screen.app.place == "sheet"
            assert current(screen) == entry.text
            assert screen.app.sheet.list.column == 1

    run(body())


def test_a_live_sheet_follows_what_happens_and_an_idle_one_draws_nothing(tmp_path: Path) -> None:
    room = Room.open(tmp_path)
    reads = []

    def read(width: int) -> Page:
        reads.append(width)
        return Page([Entry(((row.ticket.subject, "text"),), ticket=row.ticket.id) for row in room.store.rows([1])])

    async def body() -> None:
        async with shown(of(room)) as screen:
            await screen.app.open_sheet(Sheet("Watched", read))
            await screen.settle()
            before = len(reads)
            for _ in range(5):
                screen.app.sheet.tick()
            await screen.settle()
            assert len(reads) == before
            for _ in range(5):
                screen.app.sheet.touched()
            screen.app.sheet.tick()
            screen.app.sheet.tick()
            await screen.settle()
            assert len(reads) == before + 1, "what comes together is read once"
            room.clock += MINUTE
            screen.app.sheet.tick()
            await screen.settle()
            assert len(reads) == before + 2, "each full minute"
            reads.clear()
            room.do("tag vpn", 1, by="sam")
            await screen.until(lambda: reads)

    run(body())


def test_lines_are_narrowed_by_words_and_the_last_one_counts(tmp_path: Path) -> None:
    room = Room.open(tmp_path)
    for number in (1, 2, 3):
        room.do(f"tag t{number}", number)

    async def body() -> None:
        async with shown(of(room)) as screen:
            await screen.press("U")
            await screen.see("tag t1", "tag t3", "3 changes")
            await screen.press("/")
            await screen.type("TAG t2")
            await screen.see("1 of 3 changes", "/ TAG t2")
            assert "tag t1" not in screen.text
            await screen.press("enter")
            assert "tag t2" in current(screen)
            await screen.press("/")
            await screen.type(" nothing")
            await screen.see("No line has these words")
            await screen.press("escape")
            await screen.see("1 of 3 changes")

    run(body())


def test_a_sheet_that_cannot_be_read_says_why_and_keeps_what_it_had(tmp_path: Path) -> None:
    from desk.errors import StoreError

    room = Room.open(tmp_path)
    broken = []

    def read(width: int) -> Page:
        if broken:
            raise StoreError("the disk is gone")
        return Page([Entry((("all there", "text"),), key=1)])

    async def body() -> None:
        async with shown(of(room)) as screen:
            await screen.app.open_sheet(Sheet("Fragile", read))
            await screen.see("all there")
            broken.append(1)
            await screen.app.sheet.reload()
            await screen.see("as it was; the disk is gone", "all there")

    run(body())


def test_a_sheet_that_takes_long_says_that_it_is_read(tmp_path: Path) -> None:
    import threading

    room = Room.open(tmp_path)
    gate = threading.Event()

    def read(width: int) -> Page:
        gate.wait(20)
        return Page([Entry((("there", "text"),), key=1)])

    async def body() -> None:
        async with shown(of(room)) as screen:
            await screen.app.open_sheet(Sheet("Slow", read))
            assert screen.app.place == "sheet"
            await screen.until(lambda: "reading" in title(screen))
            gate.set()
            await screen.see("there")
            assert "reading" not in title(screen)

    run(body())


def test_sheets_lie_above_each_other_each_once(tmp_path: Path) -> None:
    room = Room.open(tmp_path)

    async def body() -> None:
        async with shown(of(room)) as screen:
            await screen.press("D", "O", "g", "h")
            assert [getattr(one, "title", one) for one in screen.app.trail] == [
                "The desk",
                "Going out",
                "How the desk fares",
            ]
            await screen.press("D")
            assert len(screen.app.trail) == 1
            await screen.press("O", "q")
            await screen.until(lambda: title(screen).startswith("The desk"))
            await screen.press("q")
            assert screen.app.place == "queue"

    run(body())


def test_the_outbox_explains_and_sends_again(tmp_path: Path) -> None:
    room = Room.open(tmp_path)
    room.do("reply One.", 1)
    room.send(state=State.FAILED, error="550 no such user")
    room.do("reply Two.", 2)
    (unknown,) = room.send(state=State.UNKNOWN)
    room.do("reply --at 2026-02-20 See you then.", 4)
    room.do("reply Three.", 3)

    async def body() -> None:
        async with shown(of(room)) as screen:
            await screen.press("O")
            await screen.see("Later", "Fri 20 Feb 09:00", "4 messages")
            await screen.see("Nobody knows", "it may have arrived", "550 no such user", "goes in", "1 try")
            assert "unknown" in current(screen)
            await screen.press("S")
            await screen.see(f"delivery {unknown} may have arrived already; send it again?")
            await screen.press("n")
            assert len(room.store.outbox((State.UNKNOWN,))) == 1
            await screen.press("S", "y")
            await screen.until(lambda: not room.store.outbox((State.UNKNOWN,)))
            await screen.settle()
            assert "Nobody knows" not in screen.text
            assert "goes now" in current(screen)
            await screen.press("g", "g")
            assert "failed" in current(screen)
            await screen.press("S")
            await screen.until(lambda: not room.store.outbox((State.FAILED,)))
            await screen.settle()
            await screen.press("S")
            await screen.see("only what failed or is unknown can be sent again")
            assert room.store.log(limit=1, newest=True)[0].line.startswith("outbox retry")

    run(body())


def test_nobody_sends_again_who_may_only_read(tmp_path: Path) -> None:
    room = Room.open(tmp_path)
    room.do("reply One.", 1)
    room.send(state=State.FAILED)

    async def body() -> None:
        async with shown(front(room.desk, room.be("rob"), now=lambda: room.clock)) as screen:
            await screen.press("O", "S")
            await screen.see("this needs the role agent")
            assert room.store.outbox((State.FAILED,))

    run(body())


def test_a_paused_account_says_who_and_why_and_how_it_goes_on(tmp_path: Path) -> None:
    room = Room.open(tmp_path)
    room.store.hold_account("support", "by lee: spam wave", Batch("pause", room.clock))

    async def body() -> None:
        async with shown(of(room)) as screen:
            await screen.see("support paused")
            await screen.run("health")
            await screen.see("paused: by lee: spam wave", "deskhand channel resume support")
            room.store.hold_account("support", "", Batch("resume", room.clock))
            await screen.press("q")
            await screen.see("support ok")

    run(body())


def test_health_names_what_is_wrong_and_what_to_do(tmp_path: Path) -> None:
    room = Room.open(tmp_path)
    room.do("reply Hello", 1)
    paused = Account(
        "sms", "sms", "+49", health="paused: the token has run out", paused=True, health_at=room.clock - HOUR
    )
    room.store.save_account(paused)

    async def body() -> None:
        async with shown(of(room)) as screen:
            await screen.press("g", "h")
            await screen.see("2 things to look at", "the token has run out, for 1h 00m", "start one: deskhand relay")
            room.store.save_account(Account("sms", "sms", "+49", health="ok", health_at=room.clock))
            room.store.lease("relay:here:12:ab", "here:12:ab", room.clock, room.clock + HOUR)
            await screen.app.sheet.reload()
            await screen.see("all is well", "runs on here, process 12")
            assert "To look at" not in screen.text
            await screen.see("5 in · 1 out today", "5 in · 1 out in 7 days")
            room.store.hold_account("support", "by lee: spam wave", Batch("held", room.clock))
            await screen.app.sheet.reload()
            await screen.see("paused: by lee: spam wave", "deskhand channel resume support")

    run(body())


def test_history_lists_what_the_customer_ever_asked(tmp_path: Path) -> None:
    room = Room.open(tmp_path)
    again = room.store.thread(1)[0].sender
    room.receive(room.mail(50, subject="Quite another matter", sender=again))
    room.do("solve", 1)

    async def body() -> None:
        async with shown(of(room)) as screen:
            await screen.app.hands.run_line("history 1")
            await screen.see("Who asked #1", "2 tickets · 1 open", "Quite another matter", "solved", "wrote")
            assert current(screen).startswith("#6")
            await screen.press("j", "enter")
            assert screen.app.ticket.view is not None
            assert screen.app.ticket.view.ticket.id == 1

    run(body())


def test_any_of_ones_changes_is_taken_back_after_it_was_shown(tmp_path: Path) -> None:
    room = Room.open(tmp_path)
    room.do("tag vpn", 1, 2)
    room.do("priority high", 1)
    room.do("untag vpn", 2, by="sam")

    async def body() -> None:
        async with shown(of(room)) as screen:
            await screen.press("U", "j")
            assert "2 tickets  tag vpn" in current(screen)
            await screen.press("enter")
            await screen.see("Preview of undo: tag vpn", "tags -vpn", "y take it back")
            assert room.store.ticket(1).tags == ("vpn",), "nothing is done before y"
            await screen.press("y")
            await screen.until(lambda: room.store.ticket(1).tags == ())
            await screen.settle()
            assert "taken back: tag vpn" in screen.status
            assert room.store.ticket(1).priority == 3
            await screen.see("taken back")
            await screen.press("G")
            await screen.press("enter")
            await screen.see("that was taken back before")

    run(body())


def test_what_cannot_be_taken_back_says_why(tmp_path: Path) -> None:
    room = Room.open(tmp_path)
    room.do("priority high", 1)
    room.do("priority low", 1, by="sam")

    async def body() -> None:
        async with shown(of(room)) as screen:
            await screen.press("U", "enter")
            await screen.see("#1 priority is low by now")
            assert room.store.ticket(1).priority == 1

    run(body())


def test_what_the_last_line_said_can_be_read_again(tmp_path: Path) -> None:
    room = Room.open(tmp_path)

    async def body() -> None:
        async with shown(of(room)) as screen:
            await screen.press("x", "j", "k")
            await screen.app.hands.run_line("messages")
            await screen.see("What was said", "solve · #1 · u takes it back")

    run(body())


# -- before it is done ------------------------------------------------------------------


def test_what_writes_to_several_is_shown_before_it_is_done(tmp_path: Path) -> None:
    room = Room.open(tmp_path)
    room.do("trash", 3)
    posted = room.store.last_seq()

    async def body() -> None:
        async with shown(of(room)) as screen:
            await screen.press("space", "space", ":")
            await screen.type("reply Thank you.; tag told")
            await screen.press("enter")
            await screen.see("2 tickets, 2 messages to 2 people", "the same to all", "| Thank you.")
            await screen.see("+ reply to c0@acme.example · status new → open · tags +told", "y do it")
            assert room.store.last_seq() == posted, "nothing is done before y"
            await screen.press("q")
            assert room.store.last_seq() == posted
            assert len(screen.app.queue.list.marks) == 2
            await screen.press(":")
            await screen.type("reply Thank you.; tag told")
            await screen.press("enter")
            await screen.see("y do it")
            await screen.press("y")
            await screen.until(lambda: room.store.ticket(2).tags == ("told",))
            await screen.settle()
            assert screen.app.place == "queue"
            assert not screen.app.queue.list.marks
            assert "2 tickets" in screen.status
            await screen.press("u")
            assert room.store.ticket(2).tags == ()

    run(body())


def test_what_writes_to_nobody_runs_at_once(tmp_path: Path) -> None:
    room = Room.open(tmp_path)

    async def body() -> None:
        async with shown(of(room)) as screen:
            await screen.press("space", "space", ":")
            await screen.type("tag vpn")
            await screen.press("enter")
            await screen.until(lambda: room.store.ticket(2).tags == ("vpn",))

    run(body())


def test_preview_cuts_nothing_of_what_would_change(tmp_path: Path) -> None:
    room = Room.open(tmp_path)

    async def body() -> None:
        async with shown(of(room), (80, 24)) as screen:
            await screen.run("preview reply Hello; tag vpn; team network; solve")
            await screen.see(
                "+ reply to c0@acme.example",
                "status new → open · tags +vpn",
                "team none → network · status open → solved",
            )
            assert "VPN drops every 20 minut…" in screen.text

    run(body())


def test_preview_shows_any_line_with_what_is_left_alone_and_why(tmp_path: Path) -> None:
    room = Room.open(tmp_path)
    room.do("tag vpn", 1)

    async def body() -> None:
        async with shown(of(room)) as screen:
            await screen.press("space", "space", "space", ":")
            await screen.type("preview tag vpn")
            await screen.press("enter")
            await screen.see("tags +vpn", "Nothing to change", "3 tickets")
            await screen.press("escape")
            assert room.store.ticket(2).tags == ()
            await screen.press(":")
            await screen.type("preview merge 1")
            await screen.press("enter")
            await screen.see("Left alone", "What would change")

    run(body())
