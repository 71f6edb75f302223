"""A shift at the screen, in a real terminal with a relay beside it: keys alone, and what they did is looked up in the store."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from desk.model import Status
from desk.query import Env, parse
from storage import open_store
from tests.journeys.shift import soon
from tests.tui.terminals import DEADLINE_S, Terminal, running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the sample desk lies."""
    return tmp_path / "desk"


@pytest.fixture
def screen(folder: Path, tmp_path: Path) -> Iterator[Terminal]:
    """The sample desk, where nobody new writes for an hour."""
    homes = {f"XDG_{kind}_HOME": str(tmp_path) for kind in ("CONFIG", "DATA", "STATE")}
    homes |= {"PYTHONPATH": os.getcwd(), "XDG_RUNTIME_DIR": str(tmp_path)}
    command = (sys.executable, "-m", "cli.main", "demo", "--keep", str(folder), "--every", "3600")
    with running(command, (120, 40), **homes) as terminal:
        terminal.see("VPN drops")
        yield terminal


@pytest.mark.sqlite("the sample desk lies in a file")
def test_a_shift(screen: Terminal, folder: Path) -> None:
    store = open_store(f"sqlite:///{folder}/desk.db")
    me = next(agent.name for agent in store.agents().values() if agent.uid == os.getuid())

    def numbers(query: str) -> list[int]:
        return store.ids(parse(query, Env(int(time.time() * 1000), me)))

    # Triage: what nobody has; the first is taken, tagged and made urgent.
    screen.press(b"\x1b")
    screen.press(b"gu")
    screen.see("[2 Unassigned")
    unassigned = numbers("is:open is:unassigned")
    first = unassigned[0]
    screen.press(b"toutage shift\r")
    screen.see(f"tag outage shift · #{first}")
    screen.press(b"+")
    screen.press(b"A")
    soon(lambda: store.ticket(first).assignee == me, "taken")
    assert set(store.ticket(first).tags) >= {"outage", "shift"}
    assert first not in numbers("is:open is:unassigned")

    # The rest of them at once, with the one that comes in meanwhile, and taken back at once.
    soon(lambda: len(numbers("is:open is:unassigned")) == 3, "one more")
    screen.press(b"\x0c")
    screen.see("3 tickets")
    rest = numbers("is:open is:unassigned")
    screen.press(b"*")
    screen.see(f"{len(rest)} marked")
    screen.press(b"akim\r")
    soon(lambda: all(store.ticket(n).assignee == "kim" for n in rest), "assigned in bulk")
    screen.press(b"u")
    soon(lambda: all(store.ticket(n).assignee is None for n in rest), "taken back in bulk")

    # Snoozed, and out of the list.
    screen.see("taken back")
    screen.press(b"gu")
    asleep = numbers("is:open is:unassigned")[0]
    screen.press(b"z3h\r")
    soon(lambda: store.ticket(asleep).snoozed_until, "asleep")

    # Mine: the first answered with a canned text, solved with it, and the solving taken back in time.
    screen.press(b"gm")
    screen.see("[1 Mine")
    mine = numbers("is:open assignee:me")[0]
    messages = store.ticket(mine).message_count
    screen.press(b"\rr")
    screen.see("REPLY")
    screen.press(b"hi\x14")
    screen.see("I am looking into it")
    screen.press(b"\x13")
    screen.see("as the customer gets it")
    screen.press(b"s")
    soon(lambda: store.ticket(mine).status is Status.SOLVED, "answered and solved")
    screen.see("take it back")
    screen.press(b"u")
    soon(lambda: store.ticket(mine).status is not Status.SOLVED, "taken back")
    screen.see("the text is kept")
    assert store.ticket(mine).message_count == messages
    screen.press(b"r")
    screen.see("I am looking into it")
    screen.press(b"\x13")
    screen.see("as the customer gets it")
    screen.press(b"y")
    soon(lambda: store.ticket(mine).message_count == messages + 1, "answered")
    # The relay beside it sends when the time to take it back is over, and the customer answers.
    soon(lambda: any(m.state and m.state.value == "sent" for m in store.thread(mine)[-2:]), "sent")
    soon(lambda: store.ticket(mine).message_count == messages + 2, "the customer answered")
    screen.see("wrote · demo · today")

    # Merged into another, found by a word of its subject.
    screen.press(b"q")
    screen.press(b"go")
    screen.see("All open")
    last = numbers("is:open")[-1]
    other = numbers('is:open "export"')[0]
    screen.press(b"GMexport")
    screen.see(f"#{other}  ")
    screen.press(b"\r")
    soon(lambda: store.ticket(last).merged_into == other, "merged")
    screen.press(b"u")
    soon(lambda: store.ticket(last).merged_into is None, "unmerged")

    # The desk at a glance, what was done, and out.
    screen.press(b"D")
    screen.see("Your day")
    screen.press(b"q")
    screen.press(b"U")
    screen.see("merge")
    screen.press(b"q")
    screen.press(b"q")
    assert screen.process.wait(DEADLINE_S) == 0
    assert store.check() == []
    store.close()
