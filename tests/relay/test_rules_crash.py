"""Invariant 19: rules end, and run once an event; rules that set each other off, killed at every statement."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from desk.config import DeskConfig
from desk.model import DAY
from desk.perform import Desk, Who
from desk.threads import Signer
from relay.rules import Work, begin
from storage import open_store
from tests.connections import watch
from tests.desks import Room
from tests.ruled import Ruled, configured
from tests.storage.test_crash import Counted

pytestmark = pytest.mark.sqlite("dies at statements of SQLite")

RULES = """
[rules.ping]
on = ["changed", "message-in"]
when = "-tag:ball"
do = ["tag ball", "note ping"]

[rules.pong]
on = "changed"
when = "tag:ball"
do = ["untag ball", "note pong"]

[rules.thanks]
on = "message-in"
do = "reply Thank you, {{ customer.name }}."

[rules.remind]
on = "idle"
idle = "3d"
when = "is:live"
do = "reply Did it help?"

[rules.morning]
on = "at"
at = "0 9 * * *"
when = "is:live"
do = "note Good morning."
"""


class Shift(Ruled):
    """The same desk, opened again by another process."""

    def __init__(self, folder: Path, clock: int) -> None:
        config: DeskConfig = configured(RULES)
        self.store = open_store(f"sqlite:///{folder}/desk.db", config)
        self.room = Room(self.store, Desk(self.store, config, Signer(b"x" * 32)), Who(None), clock)
        self.engine = self.relay("one")
        self.work = Work(self.engine)


def prepare(folder: Path) -> int:
    """A desk where things happened that no rule has seen; what time it is there."""
    here = Ruled(folder, RULES, tickets=3)
    here.settle()
    for ticket in (1, 2, 3, 1):
        here.room.answer(ticket)
    here.room.do("priority high", 1, 2)
    here.store.close()
    return here.room.clock


def shift(folder: Path, clock: int) -> None:
    """The rules run to their end, now and four days later."""
    here = Shift(folder, clock)
    begin(here.engine)
    here.settle()
    here.later(4 * DAY)
    here.store.close()


def acts(folder: Path) -> dict[int, list[tuple[str, str]]]:
    """What the rules did, by ticket, in order."""
    here = Shift(folder, 0)
    found = {ticket: here.acts(ticket) for ticket in (1, 2, 3)}
    wrong = here.store.check()
    here.store.close()
    assert not wrong, wrong
    return found


def sweep(made: str, folder: str, clock: int, first: int, step: int) -> None:
    """Kill the rules at every `step`-th statement until a run ends by itself; prints what differed, and how many there were."""
    watch(Counted)
    whole = Path(folder) / "whole"
    shutil.copytree(made, whole)
    shift(whole, clock)
    expected = acts(whole)
    wrong: list[int] = []
    for fatal in range(first, 100_000, step):
        here = Path(folder) / str(fatal)
        shutil.copytree(made, here)
        child = os.fork()
        if child == 0:
            Counted.fatal, Counted.seen = fatal, 0
            shift(here, clock)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, status
        shift(here, clock)
        if acts(here) != expected:
            wrong.append(fatal)
        shutil.rmtree(here)
        if not os.WIFSIGNALED(status):
            count = sum(map(len, expected.values()))
            print(json.dumps({"wrong": wrong, "statements": fatal, "acts": count}))
            return


def _swept(tmp_path: Path, first: int, step: int) -> None:
    made, folder = tmp_path / "made", tmp_path / "runs"
    made.mkdir()
    folder.mkdir()
    clock = prepare(made)
    program = f"from tests.relay.test_rules_crash import sweep; sweep({str(made)!r}, {str(folder)!r}, {clock}, {first}, {step})"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=Path(__file__).parents[2]
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    print(
        f"invariant 19: killed at every {step}. of {told['statements']} statements, {told['acts']} acts, different {len(told['wrong'])}"
    )
    assert told["wrong"] == []
    assert told["acts"] > 15


def test_a_kill_at_some_statements_changes_nothing_of_what_rules_do(tmp_path: Path) -> None:
    _swept(tmp_path, 3, 11)


@pytest.mark.torture
def test_a_kill_at_any_statement_changes_nothing_of_what_rules_do(tmp_path: Path) -> None:
    _swept(tmp_path, 1, 1)
