"""A process that is killed at any statement: the file is whole, and the same work again loses and doubles nothing."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from desk.blobs import Blob
from desk.model import MINUTE, State
from desk.perform import Desk, Who
from desk.query import EVERYTHING
from desk.threads import Signer
from storage import open_store
from tests.connections import watch
from tests.desks import NOW, Room

pytestmark = pytest.mark.sqlite("dies at statements of SQLite")

MAILS = 4
"""Mails in the batch that comes in."""

LATER = NOW + 200 * MINUTE


class Counted(sqlite3.Connection):
    """A connection that counts the statements of the whole process, and kills it before the fatal one."""

    seen = 0
    fatal = 0

    @classmethod
    def count(cls) -> None:
        Counted.seen += 1
        if Counted.seen == Counted.fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    def execute(self, *args: Any) -> sqlite3.Cursor:
        self.count()
        return super().execute(*args)

    def executemany(self, *args: Any) -> sqlite3.Cursor:
        self.count()
        return super().executemany(*args)

    def executescript(self, *args: Any) -> sqlite3.Cursor:
        self.count()
        return super().executescript(*args)


# -- the work ---------------------------------------------------------------


def shift(folder: Path, turn: int) -> None:
    """Mail comes in, two tickets are answered, the answers go out; what is done already is not done again."""
    store = open_store(f"sqlite:///{folder}/desk.db")
    kim = store.agents()["kim"]
    room = Room(store, Desk(store, store.config, Signer(b"x" * 32)), Who(kim), turns=100 * turn)
    blobs = [Blob.of(b"raw %d" % n) for n in range(MAILS)]
    room.receive(*(room.mail(900 + n, raw=blobs[n].key, blobs=(blobs[n],)) for n in range(MAILS)))
    open_ones = [n for n in (1, 2) if not any(m.agent for m in store.thread(n))]
    if open_ones:
        room.do("take; tag vpn; reply hello", *open_ones)
    store.reclaim(LATER + turn * MINUTE)
    for claimed in store.claim(f"relay{turn}", LATER + turn * MINUTE, LATER + turn * MINUTE + 1):
        number = claimed.delivery.id
        assert store.phase(number, f"relay{turn}", "data", LATER + turn * MINUTE + 1)
        with (folder / "wire").open("a") as wire:
            wire.write(f"{claimed.message.message_id}\n")
        assert store.settle(number, f"relay{turn}", State.SENT, LATER + turn * MINUTE)
    store.close()


def looked_at(folder: Path) -> list[str]:
    """Everything that is wrong after the work was done to its end."""
    store = open_store(f"sqlite:///{folder}/desk.db")
    wrong = store.check()
    mails = Counter(m.message_id for n in store.ids(EVERYTHING) for m in store.thread(n) if not m.agent)
    wrong += [f"{count} times in the store: {mail}" for mail, count in mails.items() if count != 1]
    wrong += [f"lost: mail {900 + n}" for n in range(MAILS) if f"m{900 + n}@acme.example" not in mails]
    wire = Counter((folder / "wire").read_text().split() if (folder / "wire").exists() else ())
    for ticket in (1, 2):
        replies = [m for m in store.thread(ticket) if m.agent]
        wrong += [f"{len(replies)} replies on #{ticket}"] * (len(replies) != 1)
        for reply in replies:
            sent = wire[reply.message_id or ""]
            well = (sent == 1 and reply.state is State.SENT) or (sent <= 1 and reply.state is State.UNKNOWN)
            wrong += [f"reply of #{ticket} is {reply.state} and went out {sent} times"] * (not well)
    store.close()
    return wrong


# -- in a process of its own, which may fork ---------------------------------


def sweep(made: str, folder: str, first: int, step: int) -> None:
    """Kill the shift at every `step`-th statement until a run ends by itself; prints what was wrong, and how many there were."""
    watch(Counted)
    wrong: dict[int, list[str]] = {}
    for fatal in range(first, 100_000, step):
        here = Path(folder) / str(fatal)
        shutil.copytree(made, here)
        child = os.fork()
        if child == 0:
            Counted.fatal = fatal
            Counted.seen = 0
            shift(here, 1)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, status
        store = open_store(f"sqlite:///{here}/desk.db")
        found = store.check()
        store.close()
        shift(here, 2)
        found += looked_at(here)
        shutil.rmtree(here)
        if found:
            wrong[fatal] = found
        if not os.WIFSIGNALED(status):
            print(json.dumps({"wrong": wrong, "statements": fatal}))
            return


def _swept(tmp_path: Path, first: int, step: int) -> tuple[dict[str, list[str]], int]:
    made = tmp_path / "made"
    made.mkdir()
    Room.open(made).store.close()
    folder = tmp_path / "runs"
    folder.mkdir()
    program = f"from tests.storage.test_crash import sweep; sweep({str(made)!r}, {str(folder)!r}, {first}, {step})"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=Path(__file__).parents[2]
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    return told["wrong"], told["statements"]


def test_a_kill_at_some_statements_loses_and_doubles_nothing(tmp_path: Path) -> None:
    wrong, statements = _swept(tmp_path, 4, 9)
    assert wrong == {}
    assert statements > 100


@pytest.mark.torture
def test_a_kill_at_any_statement_loses_and_doubles_nothing(tmp_path: Path) -> None:
    wrong, statements = _swept(tmp_path, 1, 1)
    assert wrong == {}
    assert statements > 100
