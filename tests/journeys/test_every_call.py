"""Invariants 1 and 5: a relay that dies at any call loses nothing, doubles nothing, and sends nothing twice."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from desk import lines
from desk.config import DeskConfig
from desk.model import State
from desk.perform import Desk, Who, perform
from desk.store import Store
from desk.threads import Signer
from storage import open_store
from tests.journeys.shift import ROOT, Shift, soon
from tests.journeys.test_first_answer import letter
from tests.servers.dovecot import Dovecot, User
from tests.servers.exim import Exim

pytestmark = [pytest.mark.servers, pytest.mark.sqlite("dies at statements of SQLite")]

ROUND_S = 40.0


class Bench:
    """A desk whose relays die: mail goes in and answers go out while they do."""

    def __init__(self, folder: Path, user: User, exim: Exim) -> None:
        mailbox = {"kind": "email", "address": "support@desk.test", "poll_s": 5, "imap": user.imap(), "smtp": exim.smtp()}  # fmt: skip
        self.shift = Shift(folder, {"support": mailbox}, undo_s=0)
        self.shift.run("init", "--no-account")
        self.user, self.exim = user, exim
        self.store: Store = open_store(f"sqlite:///{folder}/desk.db", DeskConfig(undo_s=0))
        self.mark = re.sub(r"\W", "", user.name)
        self.letters = self.answers = 0
        self.states: list[State] = []

    def write(self) -> None:
        """A customer writes."""
        self.letters += 1
        self.user.deliver(letter(self.letters, f"c{self.letters}@desk.test"))

    def answer(self) -> None:
        """Somebody answers the first ticket."""
        self.answers += 1
        agent = next(iter(self.store.agents().values()))
        desk = Desk(self.store, DeskConfig(undo_s=0), Signer(b"test" * 8))
        line = f"reply answer-{self.mark}-{self.answers:04}."
        perform(desk, lines.script(line), (1,), Who(agent, 0, "host"), at=_now(), batch_id=f"a{self.answers:04}")

    def live(self, at: int) -> bool:
        """Run a relay that dies at call `at`; True when it got through all there is to do before."""
        log = self.shift.folder / "doomed.log"
        with log.open("ab") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.journeys.doomed", str(at), "relay"],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=self.shift.environment, cwd=ROOT,
            )  # fmt: skip
        try:
            end = time.monotonic() + ROUND_S
            while process.poll() is None:
                if self.at_rest():
                    return True
                assert time.monotonic() < end, f"call {at}: a relay that neither worked nor died"
                time.sleep(0.02)
            assert process.returncode == -9, f"call {at}: it ended with {process.returncode}: {log.read_text()[-2000:]}"
            return False
        finally:
            process.kill()
            process.wait()

    def at_rest(self) -> bool:
        """True when every mail is here and flagged, and every answer settled."""
        waiting = self.store.outbox((State.QUEUED, State.SENDING, State.DEFERRED))
        here = len(self.known()) >= self.letters and not waiting
        return here and self.user.count(criteria="UNSEEN") == 0

    def known(self) -> list[str]:
        """The names under which the store knows messages of the mailbox."""
        rows = self.store._execute("SELECT external_id FROM external WHERE account = 'support'")  # type: ignore[attr-defined]
        return [row[0] for row in rows]

    def hurry(self) -> None:
        """What failed for now is due at once."""
        self.store._execute("UPDATE delivery SET next_at = 0 WHERE state = 'failed for now'")  # type: ignore[attr-defined]

    def verdict(self) -> str:
        """Count what was lost and doubled; fails when anything was."""
        kept = Counter(
            row[0]
            for row in self.store._execute("SELECT message_id FROM message WHERE direction = 'in'")  # type: ignore[attr-defined]
        )
        expected = {f"letter.{n}@customer.example" for n in range(1, self.letters + 1)}
        missing, doubled = expected - set(kept), [i for i, n in kept.items() if n > 1]
        states = Counter(d.state for d, _ in self.store.outbox(tuple(State), limit=10_000))
        arrived = Counter({n: len(self.exim.delivered(f"answer-{self.mark}-{n:04}.".encode())) for n in range(1, self.answers + 1)})  # fmt: skip
        sent = states[State.SENT]
        twice = [n for n, count in arrived.items() if count > 1]
        told = ", ".join(f"{n} {s.value}" for s, n in states.items())
        said = (
            f"{self.letters} mails: missing {len(missing)}, doubled {len(doubled)}; {self.answers} answers: "
            f"{told}, arrived {sum(arrived.values())}, twice {len(twice)}"
        )
        assert not missing, said
        assert not doubled, said
        assert not twice, said
        assert set(states) <= {State.SENT, State.UNKNOWN}, said
        assert sum(1 for n in arrived.values() if n) >= sent, said
        assert "all is well" in self.shift.run("store", "check")
        return said

    def close(self) -> None:
        """Leave nothing behind."""
        self.store.close()
        self.shift.end()


def _now() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture
def bench(tmp_path: Path, dovecot: Dovecot, user: User, exim: Exim) -> Iterator[Bench]:
    found = Bench(tmp_path, user, exim)
    yield found
    found.close()


def _torment(bench: Bench, step: int, sign: int) -> str:
    bench.write()
    assert bench.live(10**9), "the first mail came in undisturbed"
    kills = 0
    for at in itertools.count(step, step):
        bench.write()
        bench.answer()
        if bench.live(sign * at):
            break
        kills += 1
        bench.hurry()
    while not bench.live(10**9):
        bench.hurry()
    soon(bench.at_rest, "everything to settle")
    return f"killed at every {step}. call, {'before' if sign > 0 else 'after'} it, {kills} times; {bench.verdict()}"


def test_relay_that_dies_at_some_calls_loses_and_doubles_nothing(bench: Bench) -> None:
    print("invariants 1, 5:", _torment(bench, 61, 1))


@pytest.mark.torture
@pytest.mark.parametrize("sign", [1, -1])
def test_relay_that_dies_at_any_call_loses_and_doubles_nothing(bench: Bench, sign: int) -> None:
    print("invariants 1, 5:", _torment(bench, 1, sign))
