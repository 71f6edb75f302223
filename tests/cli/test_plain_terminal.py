"""The line mode in a real terminal, as somebody types there: a whole day, an interruption, a narrow line, a paste."""

from __future__ import annotations

import fcntl
import os
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from desk.text import columns
from tests.desks import Room

DEADLINE_S = 20.0
EDITOR = [sys.executable, "-m", "tests.tui.typist"]

Open = Callable[..., "Line"]


class Line:
    """A terminal with the line mode in it."""

    def __init__(self, width: int, height: int, env: dict[str, str]) -> None:
        self.raw = ""
        self._read = 0
        self.master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        given = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS", "LINES")}
        # A terminal of its own, so that Ctrl-C is an interrupt.
        code = "import fcntl, os, signal, sys, termios; signal.signal(2, signal.SIG_DFL); os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, sys.executable, "-m", "cli.main", "--plain"],
            stdin=slave, stdout=slave, stderr=slave, env={**given, "TERM": "dumb", **env},
        )  # fmt: skip
        os.close(slave)

    def hear(self, text: str, within: float = DEADLINE_S) -> str:
        """Wait for a text behind what was heard before; all that was said up to its end."""
        end = time.monotonic() + within
        while (place := self.raw.find(text, self._read)) < 0:
            assert time.monotonic() < end, f"{text!r} never came; behind what was heard:\n{self.raw[self._read :]}"
            if select.select([self.master], [], [], 0.1)[0]:
                try:
                    self.raw += os.read(self.master, 65_536).decode().replace("\r", "")
                except OSError:
                    time.sleep(0.01)
        said = self.raw[self._read : place + len(text)]
        self._read = place + len(text)
        return said

    def type(self, keys: str) -> None:
        """Type, as fast as a paste."""
        os.write(self.master, keys.encode())

    def do(self, line: str, then: str) -> str:
        """Type a line; what is said up to `then`."""
        self.type(f"{line}\n")
        return self.hear(then)

    def interrupt(self, then: str) -> str:
        """Press Ctrl-C; what is said up to `then`. Just before it waits for a key, Python notices only the second one."""
        self.listens()
        for _ in range(5):
            self.type("\x03")
            with suppress(AssertionError):
                return self.hear(then, DEADLINE_S / 4)
        raise AssertionError(f"{then!r} never came")

    def listens(self) -> None:
        """Wait until the program waits: what it has not read yet, an interrupt throws away."""
        end = time.monotonic() + DEADLINE_S
        waiting = 0
        while waiting < 20:
            assert time.monotonic() < end
            waiting = 0 if termios.tcgetattr(self.master)[3] & termios.ECHO else waiting + 1
            select.select([], [], [], 0.01)

    def ended(self) -> int:
        """Wait for the end; the exit code."""
        return self.process.wait(DEADLINE_S)


@pytest.fixture
def opened(room: Room) -> Iterator[Open]:
    """Opens the line mode in a terminal, which ends with the test."""
    lines: list[Line] = []

    def make(width: int = 80, height: int = 24, **env: str) -> Line:
        lines.append(Line(width, height, env))
        return lines[-1]

    yield make
    for line in lines:
        line.process.kill()
        line.process.wait()
        os.close(line.master)


def test_a_day_at_the_desk(opened: Open, room: Room) -> None:
    line = opened()
    assert "deskhand; kim, admin; 5 tickets for is:open;" in line.hear("\n> ")
    assert "2 tickets" not in line.do("/ VPN", "\n> ")
    assert "Message 1 of 1. Customer 0 wrote" in line.do("1", "#1> ")
    assert "done: note" in line.do("note Same firmware as last week.", "#1> ")
    line.do("reply", "keeps it unsent.\n")
    line.type("Thank you.\nIt is on its way.\n")
    review = line.do(".", "answer: ")
    assert "\nto Customer 0 <c0@acme.example>\n" in review
    assert (
        "\n\nThank you.\nIt is on its way.\n\nsend? y / s send and solve / p send and pending / e edit / n keep\n"
        in review
    )
    sent = line.do("y", "#1> ")
    assert re.search(r"it goes to c0@acme.example in \d+ seconds; until then undo takes it back", sent)
    assert "taken back: reply" in line.do("undo", "#1> ")
    assert [m.kind.value for m in room.store.thread(1)] == ["public", "note"]
    line.do("/", "\n> ")
    assert "\n#2 Cannot log in after the reset\n" in line.do("next", "#2> ")
    question = line.do("q", "answer: ")
    assert "unsent, but kept: the reply on #1. Leave all the same? y / n" in question
    line.type("y\n")
    assert line.ended() == 0


def test_nothing_moves_the_cursor_or_colours_anything(opened: Open, room: Room) -> None:
    room.do("priority urgent", 1)
    line = opened()
    line.hear("> ")
    for typed in ("help", "", "1", "why", "all", "list"):
        line.do(typed, "> ")
    assert {c for c in line.raw if not c.isprintable()} <= {"\n"}


def test_a_narrow_terminal_gets_lines_that_fit_into_it(opened: Open, room: Room) -> None:
    room.receive(
        room.mail(
            9, text=f"{'many words ' * 30}\n{'wide 漢字 ' * 30}\nhttps://example.com/{'a' * 90}", subject="x" * 90
        )
    )
    line = opened(40)
    line.hear("> ")
    for typed in ("6", "", "", "why", "", "help", "/ id:6"):
        line.do(typed, "> ")
    said = [text for text in line.raw.split("\n") if not re.match(r"(#6)?> ", text)]
    assert max(map(columns, said)) <= 40
    assert "many words many words many words many" in said


def test_what_is_long_comes_a_page_at_a_time(opened: Open, room: Room) -> None:
    room.receive(room.mail(9, text="\n".join(f"line {number}" for number in range(60))))
    line = opened()
    line.hear("> ")
    first = line.do("6", "#6> ")
    assert first.count("\n") <= 24
    assert re.search(r"\n\(\d+ more lines; Enter goes on\)\n", first)
    line.type("\n\n\n")
    rest = line.do("", "that is all")
    assert rest.count("; Enter goes on)") == 2
    assert "line 59\n" in rest


def test_an_interrupt_leaves_what_is_being_done_and_not_the_desk(opened: Open, room: Room) -> None:
    line = opened()
    line.hear("> ")
    line.do("1", "#1> ")
    line.do("reply", "keeps it unsent.\n")
    line.listens()
    line.type("Half a sent\n")
    line.hear("Half a sent\n")
    assert "the reply on #1 is kept, unsent; reply goes on with it" in line.interrupt("#1> ")
    line.listens()
    line.type("half a comm")
    line.hear("half a comm")
    line.interrupt("q leaves\n#1> ")
    assert "So far you have written:\nHalf a sent\n" in line.do("reply", "keeps it unsent.\n")
    line.interrupt("#1> ")
    # The end of the input leaves as q does, and does not ask for ever.
    line.type("\x04")
    line.hear("Leave all the same? y / n\nanswer: ")
    line.type("\x04")
    assert line.ended() == 0
    assert room.store.drafts(agent="kim")[0].text == "Half a sent"


def test_an_error_is_a_sentence_and_the_dialogue_goes_on(opened: Open, room: Room) -> None:
    line = opened()
    line.hear("> ")
    assert "no ticket is open; a number opens one" in line.do("solve", "> ")
    line.do("1", "#1> ")
    assert 'there is no "slove" (did you mean "solve"?)' in line.do("slove", "#1> ")
    assert "done: solve" in line.do("solve", "#1> ")


def test_the_editor_has_the_terminal_and_a_heading_stays(opened: Open, room: Room) -> None:
    line = opened(EDITOR=" ".join(EDITOR))
    line.hear("> ")
    line.do("1", "#1> ")
    line.do("reply", "keeps it unsent.\n")
    assert "Written elsewhere\n" in line.do("e", "answer: ")
    assert "Written elsewhere\n" in line.do("e", "answer: ")
    line.do("y", "#1> ")
    assert room.store.thread(1)[-1].text == "Written elsewhere"


def test_what_was_typed_before_a_question_does_not_answer_it(opened: Open, room: Room) -> None:
    """A paste whose lines go on behind the dot sends nothing."""
    line = opened()
    line.hear("> ")
    line.do("1", "#1> ")
    line.do("note", "keeps it unsent.\n")
    line.type("pasted\n.\ny\n")
    line.hear("answer: ")
    line.do("", "#1> ")
    assert len(room.store.thread(1)) == 1


def test_what_others_do_is_told_before_the_next_prompt(opened: Open, room: Room) -> None:
    line = opened()
    line.hear("> ")
    line.do("1", "#1> ")
    room.answer(1, "Hello?")
    room.receive(room.mail(20))
    said = line.do("take", "#1> ")
    assert (
        "done: take; undo takes it back\n#1: Customer 0 wrote by mail; show reads it\n1 new ticket; list shows it\n#1> "
        in said
    )
    assert "Message 2 of 2. Customer 0 wrote" in line.do("show", "#1> ")


def test_tab_completes_verbs_arguments_views_and_fields(opened: Open, room: Room) -> None:
    line = opened(TERM="xterm")
    line.hear("> ")
    line.type("view min\t\n")
    line.hear("0 tickets in Mine")
    line.type("/ assig\t")
    line.hear("/ assignee:")
    line.type("sam\n")
    line.hear("0 tickets for assignee:sam")
    line.hear("> ")
    line.type("1\n")
    line.hear("#1> ")
    line.type("assign s\t\n")
    line.hear("done: assign sam")
    line.hear("#1> ")
    line.type("un\t\t")
    assert "untag: " in line.hear("unwatch: ")


def test_a_pasted_text_of_several_lines_runs_nothing(opened: Open, room: Room) -> None:
    line = opened(TERM="xterm")
    line.hear("> ")
    line.type("1\n")
    line.hear("#1> ")
    line.type("\x1b[200~solve\nspam\n\x1b[201~\n")
    line.hear("at once: nothing was done")
    line.hear("#1> ")
    assert room.store.ticket(1).status.value == "new"


def test_what_is_typed_is_kept_in_no_file(opened: Open, home: Path) -> None:
    line = opened()
    line.hear("> ")
    line.type("q\n")
    assert line.ended() == 0
    assert not any(path.is_file() for path in (home / "state").rglob("*"))
