"""Notices: what an agent is told of by itself, how, and that nothing of it can break out of the terminal's hand."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from desk.config import NotifyConfig, parse
from desk.errors import ConfigError
from desk.events import Clock
from desk.model import MINUTE, SECOND, State
from desk.store import Batch
from tests.desks import Room
from tests.tui.shown import Shown, front, run, shown
from tui import signals
from tui.notices import heard


def of(room: Room, **more: Any) -> Any:
    """What the screen is given for a room whose clock goes on."""
    return front(room.desk, room.who, now=lambda: room.clock, **more)


def told(room: Room, after: int, me: str = "kim") -> list[tuple[str, int]]:
    """What the lines of the log behind `after` have to say to an agent."""
    return [(one.event, one.ticket) for one in heard(room.store, me, room.store.log(after=after))]


def clock(room: Room, ticket: int, what: str) -> None:
    batch = Batch(room.turn(), room.clock, source="clock")
    room.store.write(lambda tx: tx.append(batch, [Clock(ticket, "next-reply", what, room.clock, at=room.clock)]))


def test_everything_worth_a_notice_is_one(tmp_path: Path) -> None:
    room = Room.open(tmp_path)
    room.do("take", 1)
    room.do("watch", 2)
    after = room.store.last_seq()
    room.do("assign kim", 3, by="sam")
    room.answer(1)
    room.answer(2)
    room.do("note @kim, please look", 4, by="sam")
    clock(room, 1, "warn")
    clock(room, 2, "breach")
    room.do("reply Hello.", 5)
    room.send(state=State.FAILED)
    assert told(room, after) == [
        ("assigned", 3), ("reply", 1), ("reply", 2), ("mention", 4), ("due", 1), ("breached", 2), ("failed", 5),
    ]  # fmt: skip


def test_what_concerns_others_or_was_ones_own_doing_is_none(tmp_path: Path) -> None:
    room = Room.open(tmp_path)
    after = room.store.last_seq()
    room.do("take", 1)
    room.do("note @kim to myself", 1)
    room.do("assign sam", 2, by="lee")
    room.answer(2)
    clock(room, 2, "breach")
    for text in ("write to x@kim", "@kimberley has it", "ask sam@kim.example"):
        room.do(f"note {text}", 2, by="sam")
    room.do("reply Hello.", 2, by="sam")
    room.send(state=State.FAILED)
    assert told(room, after) == []
    assert told(room, after, "sam") == [("assigned", 2), ("reply", 2), ("breached", 2), ("failed", 2)]


async def fresh(screen: Shown, count: int) -> None:
    """Wait until so many notices are unread."""
    await screen.until(lambda: screen.app.notices.unread == count)
    await screen.settle()


def test_a_notice_stands_in_the_last_line_and_counts_in_the_first(tmp_path: Path) -> None:
    room = Room.open(tmp_path)
    room.do("take", 1)

    async def body() -> None:
        async with shown(of(room)) as screen:
            room.answer(1)
            await fresh(screen, 1)
            assert "Customer 0 wrote on #1: VPN drops every 20 minutes · gn shows it" in screen.status
            assert "1 notice " in screen.lines[0]
            await screen.press("g", "n")
            await screen.see("In this session", "Customer 0 wrote on #1")
            assert "1 notice " not in screen.lines[0]
            await screen.press("enter")
            assert screen.app.ticket.view is not None
            assert screen.app.ticket.view.ticket.id == 1

    run(body())


def test_after_a_while_the_keys_that_matter_stand_there_again(tmp_path: Path) -> None:
    room = Room.open(tmp_path)
    room.do("take", 1)

    async def body() -> None:
        async with shown(of(room)) as screen:
            room.answer(1)
            await fresh(screen, 1)
            at = room.clock
            room.clock = at + 7 * SECOND
            screen.app.meanwhile.tick()
            assert "wrote on #1" in screen.status
            room.clock = at + 9 * SECOND
            screen.app.meanwhile.tick()
            assert "wrote on #1" not in screen.status
            assert "r reply" in screen.status
            assert "1 notice " in screen.lines[0]

    run(body())


def test_what_comes_together_is_told_together(tmp_path: Path) -> None:
    room = Room.open(tmp_path)
    room.do("take", 1, 2, 3)

    async def body() -> None:
        async with shown(of(room)) as screen:
            room.answer(1)
            await fresh(screen, 1)
            await screen.press("k")
            at = room.clock
            room.answer(2)
            room.answer(3)
            clock(room, 3, "breach")
            room.clock = at + SECOND
            await fresh(screen, 4)
            assert "gn shows" not in screen.status, "not so soon after the last one"
            room.clock = at + 11 * SECOND
            screen.app.notices.tick()
            assert "2 new replies, 1 overdue · gn shows them" in screen.status

    run(body())


def test_nobody_is_talked_into_what_they_type(tmp_path: Path) -> None:
    room = Room.open(tmp_path)
    room.do("take", 1)

    async def body() -> None:
        async with shown(of(room)) as screen:
            await screen.press(":")
            await screen.type("tag ")
            room.answer(1)
            await fresh(screen, 1)
            assert "gn shows" not in screen.status
            await screen.press("escape")
            screen.app.notices.tick()
            assert "gn shows it" in screen.status

    run(body())


def test_nothing_is_told_while_the_store_is_away(tmp_path: Path) -> None:
    room = Room.open(tmp_path)
    room.do("take", 1)

    async def body() -> None:
        async with shown(of(room)) as screen:
            await screen.press(":")
            room.answer(1)
            await fresh(screen, 1)
            # It would be found again with the next second.
            screen.app.meanwhile._retrying = True
            screen.app.runner.lost(Exception("gone"))
            await screen.press("escape")
            screen.app.notices.tick()
            assert "gn shows" not in screen.status
            screen.app.runner.found()
            screen.app.notices.tick()
            assert "gn shows it" in screen.status

    run(body())


def test_the_ways_are_chosen_by_event(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room.open(tmp_path)
    room.do("take", 1, 2)
    how = NotifyConfig(reply=("title", "desktop"), breached=("bell",), due=(), assigned=("line",), desktop="777")
    monkeypatch.delenv("TMUX", raising=False)
    written: list[str] = []

    async def body() -> None:
        async with shown(of(room, notify=how)) as screen:
            monkeypatch.setattr(screen.app.notices, "_signal", written.append)
            room.answer(1)
            await fresh(screen, 1)
            assert written == [
                "\x1b]777;notify;deskhand;Customer 0 wrote on #1: VPN drops every 20 minutes\x1b\\",
                signals.SAVE_TITLE + "\x1b]2;deskhand 1 new reply\x1b\\",
            ]
            assert "wrote on" not in screen.status
            written.clear()
            room.clock += MINUTE
            clock(room, 2, "breach")
            clock(room, 2, "warn")
            await fresh(screen, 2 + 1)
            assert written == [signals.BELL]
            await screen.press("g", "n")
            assert written[1:] == [signals.RESTORE_TITLE], "what was looked at is no news"

    run(body())


def test_what_happened_before_this_session_is_told_from_the_log(tmp_path: Path) -> None:
    room = Room.open(tmp_path)
    room.answer(1, "Before I did anything.")
    room.do("take", 1, 2)
    room.answer(2, "While I was away.")
    room.do("note @kim, it was for you", 4, by="sam")

    async def body() -> None:
        async with shown(of(room)) as screen:
            assert screen.app.notices.unread == 0
            room.do("tag vpn", 5)
            await screen.press("g", "n")
            await screen.see("Since you last did something here", "wrote on #2", "sam names you on #4", "2 notices")

    run(body())


# -- what reaches the terminal ------------------------------------------------------------

HOSTILE = (
    "\x1b]0;pwned\x07", "a\x07b\x1b\\c", "\x9c\x9d2;x\x9c", "\x1bP+q\x1b\\", "semi;colon;777;notify", "line\nbreak\r\x00",
    "\u202e\u2066turned\u2069", "\ud800 lone", "x" * 5_000, "陈强 \U0001f4a9 ok",
)  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_breaks_out_of_a_sequence(text: str) -> None:
    for way in signals.WAYS_TO_A_DESKTOP:
        sequence = signals.desktop(text, way)
        assert re.fullmatch(
            r"\x1b\][0-9]+;[^\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]*\x1b\\", sequence
        )
        assert len(sequence) < 200
        assert sequence.count(";") == {"9": 1, "777": 3, "99": 2}[way]
        through = signals.desktop(text, way, tmux=True)
        assert re.fullmatch(r"\x1bPtmux;\x1b\x1b[^\x1b]*\x1b\x1b\\\x1b\\", through)
        assert through[len("\x1bPtmux;") : -2].replace("\x1b\x1b", "\x1b") == sequence
    title = signals.title(text)
    assert re.fullmatch(r"\x1b\]2;[^\x00-\x1f\x7f-\x9f]*\x1b\\", title)
    assert len(title) < 80


@pytest.mark.parametrize(
    ("environment", "way"),
    [
        ({"TERM": "xterm-kitty"}, "99"), ({"TERM": "tmux-256color", "KITTY_WINDOW_ID": "1"}, "99"), ({"TERM": "foot"}, "777"),
        ({"TERM_PROGRAM": "ghostty"}, "777"), ({"VTE_VERSION": "7600"}, "777"), ({"TERM_PROGRAM": "iTerm.app"}, "9"), ({}, "9"),
    ],
)  # fmt: skip
def test_the_sequence_goes_by_the_terminal(environment: dict[str, str], way: str) -> None:
    assert signals.way_to_a_desktop(environment) == way


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ('reply = ["lien"]', 'config.toml, [notify] line 2: there is no way "lien" (did you mean "line"?)'),
        ('desktop = "8"', 'config.toml, [notify] line 2: there is no sequence "8": "auto", "9", "777" or "99"'),
        ('replay = ["line"]', 'config.toml, [notify] line 2: unknown key "replay" (did you mean "reply"?)'),
    ],
)
def test_a_mistake_in_the_table_is_named_with_its_line(line: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        parse(f"[notify]\n{line}")
