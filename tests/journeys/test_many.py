"""Invariant 23: many terminals do not starve the mail, nobody is locked out, and the write-ahead log stays small."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from desk.config import DeskConfig
from desk.store import Store
from storage import open_store
from tests.journeys.shift import ROOT, Shift
from tests.journeys.test_first_answer import letter
from tests.servers.dovecot import Dovecot, User

pytestmark = pytest.mark.servers

WAL_LIMIT_MIB = 64
"""SQLite begins to write the log back at 4 MiB; readers and large transactions may hold it off for a while."""


@pytest.fixture
def shift(tmp_path: Path, user: User) -> Iterator[Shift]:
    mailbox = {"kind": "email", "address": "support@desk.test", "poll_s": 5, "imap": user.imap(), "smtp": {"host": "localhost", "port": 1}}  # fmt: skip
    found = Shift(tmp_path, {"support": mailbox}, undo_s=0)
    found.run("init", "--no-account")
    yield found
    found.end()


def crowd(shift: Shift, user: User, clients: int, mails: int, seconds: float, deadline_s: float) -> str:
    """Let `clients` read and act while `mails` come in; what was counted, in a sentence."""
    store: Store = open_store(f"sqlite:///{shift.folder}/desk.db", DeskConfig())
    user.deliver(letter(0))
    relay = shift.relay()
    _until(lambda: _known(store) == 1, "the first mail", 30)
    started = [_client(shift, number, seconds) for number in range(clients)]
    begun, delivered, last, taken, largest = time.monotonic(), 0, 0.0, 0.0, 0
    try:
        while not taken or any(client.poll() is None for client in started):
            # Mail keeps coming for as long as most of the clients work.
            due = min(mails, int(mails * (time.monotonic() - begun) / seconds))
            if due > delivered:
                user.deliver(*(letter(n, f"c{n % 50}@desk.test") for n in range(delivered + 1, due + 1)))
                delivered, last = due, time.monotonic()
            largest = max(largest, _wal(shift.folder))
            if not taken and _known(store) == mails + 1:
                taken = time.monotonic() - last
            assert time.monotonic() - begun < deadline_s, f"{_known(store)} of {mails + 1} mails in {deadline_s:.0f} s"
            time.sleep(0.02)
        told = [json.loads(client.communicate()[0]) for client in started]
    finally:
        for client in started:
            client.kill()
            client.wait()
    assert shift.stop(relay) == 0
    store.close()
    return _sentence(shift, told, f"{mails} mails, the last one in after {taken:.1f} s", largest)


def _sentence(shift: Shift, told: list[dict[str, Any]], intake: str, largest: int) -> str:
    errors = [error for one in told for error in one["errors"]]
    done = sum((Counter(one["done"]) for one in told), Counter[str]())
    slowest = {kind: max(one["slowest"][kind] for one in told) for kind in ("read", "act")}
    logged = [line for line in shift.logs().splitlines() if "holds the store" in line or "locked" in line]
    said = (
        f"invariant 23: {len(told)} clients, {done['read']} reads and {done['act']} actions (slowest {slowest['read']:.0f} "
        f"and {slowest['act']:.0f} ms), {intake}, "
        f'"locked" errors {len(errors) + len(logged)}, largest WAL {largest / 2**20:.1f} MiB'
    )
    assert not errors, f"{said}: {errors[:3]}"
    assert not logged, f"{said}: {logged[:3]}"
    assert largest < WAL_LIMIT_MIB * 2**20, said
    assert "all is well" in shift.run("store", "check")
    return said


def _client(shift: Shift, number: int, seconds: float) -> subprocess.Popen[bytes]:
    url = f"sqlite:///{shift.folder}/desk.db"
    return subprocess.Popen(
        [sys.executable, "-m", "tests.journeys.client", url, str(number), str(seconds)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=shift.environment, cwd=ROOT,
    )  # fmt: skip


def _known(store: Store) -> int:
    return int(store._read.execute("SELECT count(*) FROM external").fetchone()[0])  # type: ignore[attr-defined]


def _wal(folder: Path) -> int:
    """Bytes of all write-ahead logs."""
    return sum(file.stat().st_size for file in folder.glob("*-wal"))


def _until(condition: Any, what: str, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds:.0f} s in vain: {what}"
        time.sleep(0.05)


def test_eight_terminals_and_the_relay_do_not_lock_each_other_out(shift: Shift, user: User, dovecot: Dovecot) -> None:
    print(crowd(shift, user, 8, 150, 3, 60))


@pytest.mark.torture
def test_fifty_terminals_and_the_relay_do_not_lock_each_other_out(shift: Shift, user: User, dovecot: Dovecot) -> None:
    print(crowd(shift, user, 50, 2_000, 45, 300))
