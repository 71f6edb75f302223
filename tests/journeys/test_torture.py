"""The long forms: relays killed and frozen at random while mail comes and goes (make torture)."""

from __future__ import annotations

import random
import re
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.shift import Shift, soon
from tests.journeys.test_first_answer import letter
from tests.servers.dovecot import Dovecot, User
from tests.servers.exim import Exim

pytestmark = [pytest.mark.torture, pytest.mark.servers]

MAILS = 200
KILLS = 200


@pytest.fixture
def shift(tmp_path: Path, dovecot: Dovecot, user: User, exim: Exim) -> Iterator[Shift]:
    mailbox = {"kind": "email", "address": "support@desk.test", "poll_s": 5, "imap": user.imap(), "smtp": exim.smtp()}
    found = Shift(tmp_path, {"support": mailbox}, undo_s=0)
    found.run("init", "--no-account")
    yield found
    found.end()


def test_every_mail_is_kept_once_through_two_hundred_kills(shift: Shift, user: User) -> None:
    """Invariant 1: 200 mails on a real server, the relay killed 200 times at random moments."""
    dice = random.Random(1)
    for number in range(KILLS):
        if number < MAILS:
            user.deliver(letter(number, f"c{number % 40}@desk.test"))
        process = shift.relay()
        # The relay has just said that it started; what it does next is cut off somewhere.
        with pytest.raises(TimeoutError):
            _wait(process, dice.uniform(0.0, 0.6))
        shift.kill(process)
    shift.relay()
    soon(lambda: user.count(criteria="UNSEEN") == 0, "every mail to be flagged", 120)
    kept = Counter(m["message_id"] for t in shift.tickets() for m in shift.messages(t["id"]))
    expected = [f"letter.{i}@customer.example" for i in range(MAILS)]
    missing, doubled = set(expected) - set(kept), [i for i, n in kept.items() if n > 1]
    print(f"invariant 1: {MAILS} mails, {KILLS} kills, missing {len(missing)}, doubled {len(doubled)}")
    assert not missing
    assert not doubled
    assert "all is well" in shift.run("store", "check")


def test_every_reply_is_sent_once_or_known_to_be_unknown(shift: Shift, user: User, exim: Exim) -> None:
    """Invariants 5 and 7: replies while relays are killed and frozen; nothing lost in silence, nothing sent twice by the program."""
    dice = random.Random(2)
    user.deliver(*(letter(1000 + i, f"d{i}@desk.test") for i in range(40)))
    first = shift.relay()
    soon(lambda: int(shift.run("ls", "id:1..", "--count")) == 40, "the mail to come in")
    shift.stop(first)
    for number in range(40):
        shift.run("reply", str(number + 1), f"answer-{number:03}.")
        process = shift.relay()
        with pytest.raises(TimeoutError):
            _wait(process, dice.uniform(0.0, 0.8))
        if number % 3 == 0:
            process.send_signal(signal.SIGSTOP)
            other = shift.relay()
            with pytest.raises(TimeoutError):
                _wait(other, 2.5)
            process.send_signal(signal.SIGCONT)
            shift.kill(other)
        shift.kill(process)
    shift.relay()
    soon(
        lambda: not re.search(r"\b(queued|sending|failed for now)\b", shift.run("outbox")), "the outbox to settle", 120
    )
    states = Counter(m["state"] for t in shift.tickets() for m in shift.messages(t["id"]) if m["direction"] == "out")
    sent, lost, twice = 0, [], []
    for number in range(40):
        arrived = exim.delivered(f"answer-{number:03}.".encode())
        state = next(m["state"] for m in shift.messages(number + 1) if m["direction"] == "out")
        sent += state == "sent"
        lost += [number] if state == "sent" and not arrived else []
        twice += [number] if len(arrived) > 1 else []
    print(f"invariants 5, 7: 40 replies, states {dict(states)}, silently lost {len(lost)}, sent twice {len(twice)}")
    assert set(states) <= {"sent", "unknown"}
    assert not lost
    assert not twice


def _wait(process: object, seconds: float) -> None:
    """Let a process work for a while; TimeoutError when it still does."""
    import subprocess

    try:
        process.wait(seconds)  # type: ignore[attr-defined]
    except subprocess.TimeoutExpired:
        raise TimeoutError from None
