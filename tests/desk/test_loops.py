"""Automatic answers: off by default, never to a program, and never for long (invariant 18)."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from desk.channel import Bounce, Undelivered
from desk.config import DeskConfig
from desk.loops import A_DAY, SAME_A_DAY, bare
from desk.model import DAY, HOUR, Bin, Direction, Identity, Message, State
from tests.desks import ADDRESS, Room

ACKNOWLEDGE = DeskConfig(acknowledge="Thank you, {{ customer.name }}. This is ticket {{ ticket.id }}.")


def answers(room: Room) -> list[Message]:
    """The automatic answers that went out."""
    numbers = range(1, room.store.numbers().tickets + 1)
    return [m for n in numbers for m in room.store.thread(n) if m.direction is Direction.OUT and m.automatic]


def test_nothing_is_acknowledged_unless_the_desk_says_so(tmp_path: Path) -> None:
    room = Room.open(tmp_path, tickets=0)
    room.receive(room.mail(1))
    assert answers(room) == []


def test_new_ticket_is_acknowledged_once_and_its_clock_runs_on(tmp_path: Path) -> None:
    room = Room.open(tmp_path, tickets=0, config=ACKNOWLEDGE)
    room.receive(room.mail(1, name="Ann"))
    (sent,) = answers(room)
    assert sent.text == "Thank you, Ann. This is ticket 1."
    assert [i.value for i in sent.to] == ["c1@acme.example"]
    ticket = room.store.ticket(1)
    assert ticket.first_reply_at is None
    assert ticket.waiting_since is not None
    assert ticket.due_kind == "first-reply"
    assert [d.state for d, _ in room.store.outbox()] == [State.QUEUED]
    room.answer(1)
    assert len(answers(room)) == 1, "only the first message of a ticket is acknowledged"


@pytest.mark.parametrize("automatic", ["auto-reply", "bounce", "list", "feedback"])
def test_no_program_is_answered(tmp_path: Path, automatic: str) -> None:
    room = Room.open(tmp_path, tickets=0, config=ACKNOWLEDGE)
    room.receive(room.mail(1, automatic=automatic))
    assert answers(room) == []


def test_we_never_answer_ourselves_and_keep_it_out_of_the_queue(tmp_path: Path) -> None:
    room = Room.open(tmp_path, tickets=0, config=ACKNOWLEDGE)
    room.receive(room.mail(1, sender=Identity("email", ADDRESS)))
    assert answers(room) == []
    assert room.store.ticket(1).bin is Bin.SUSPENDED
    assert "suspended:ourselves" in room.store.thread(1)[0].flags


def test_blocked_sender_is_not_answered(tmp_path: Path) -> None:
    room = Room.open(tmp_path, tickets=1, config=ACKNOWLEDGE)
    before = len(answers(room))
    room.do("block", 1)
    room.receive(room.mail(0, external_id="y", message_id="y@acme.example"))
    assert room.store.ticket(2).bin is Bin.SPAM
    assert len(answers(room)) == before


def test_address_that_bounced_for_good_is_not_answered_until_it_is_heard_of(tmp_path: Path) -> None:
    room = Room.open(tmp_path, tickets=0, config=ACKNOWLEDGE)
    room.receive(room.mail(1))
    (sent,) = answers(room)
    report = Bounce((Undelivered("c1@acme.example", "5.1.1", True),), sent.message_id)
    room.receive(
        room.mail(2, sender=Identity("email", "mailer-daemon@acme.example"), automatic="bounce", bounce=report)
    )
    assert room.store.thread(1)[1].state is State.BOUNCED
    room.receive(room.mail(3, sender=Identity("email", "c1@acme.example"), automatic="list"))
    assert len(answers(room)) == 1


@pytest.mark.sqlite("a thousand mails, to the same rules of the desk")
def test_two_desks_that_answer_each_other_stop(tmp_path: Path) -> None:
    """A responder without any header that answers everything with a new mail, for a thousand virtual hours."""
    room = Room.open(tmp_path, tickets=0, config=ACKNOWLEDGE)
    days: Counter[int] = Counter()
    sent = 0
    for hour in range(1000):
        room.clock += HOUR
        before = len(answers(room)) if hour % 100 == 99 else None
        room.receive(
            room.mail(hour, sender=Identity("email", "robot@loop.example"), subject=f"Ticket received {hour % 7}")
        )
        if before is not None:
            sent = before
    for message in answers(room):
        days[message.at // DAY] += 1
    assert sent
    # A calendar day may see the end of one day's allowance and the beginning of the next.
    assert max(days.values()) <= 2 * A_DAY
    window = sorted(m.at for m in answers(room))
    assert max(sum(start <= at < start + DAY for at in window) for start in window) <= A_DAY
    stopped = room.store.ticket(room.store.numbers().tickets)
    assert stopped.bin in (Bin.SUSPENDED, Bin.NONE)
    flagged = [n for n in range(1, 1001) if "loop" in room.store.thread(n)[0].flags]
    assert flagged, "where the silence begins an agent sees why"
    assert all(room.store.ticket(n).bin is Bin.SUSPENDED for n in flagged)


def test_same_subject_is_answered_twice_a_day(tmp_path: Path) -> None:
    room = Room.open(tmp_path, tickets=0, config=ACKNOWLEDGE)
    for number in range(5):
        room.receive(
            room.mail(number, sender=Identity("email", "robot@loop.example"), subject="Re: " * number + "Received")
        )
    assert len(answers(room)) == SAME_A_DAY


@pytest.mark.parametrize(
    ("subject", "same"),
    [
        ("Re: Hello", "hello"),
        ("AW: Re[2]: Hello  World", "hello world"),
        ("回复：Hello", "hello"),
        ("Reply", "reply"),
        ("", ""),
    ],
)
def test_prefixes_do_not_make_another_subject(subject: str, same: str) -> None:
    assert bare(subject) == same


def test_report_about_nothing_we_sent_is_suspended_with_its_cause(tmp_path: Path) -> None:
    room = Room.open(tmp_path, tickets=0)
    room.receive(room.mail(1, automatic="bounce", bounce=Bounce((), "unknown@elsewhere.example")))
    assert room.store.ticket(1).bin is Bin.SUSPENDED
    assert "suspended:bounce" in room.store.thread(1)[0].flags


def test_mistake_in_the_template_keeps_no_mail_out(tmp_path: Path) -> None:
    room = Room.open(tmp_path, tickets=0, config=DeskConfig(acknowledge="{{ nobody.name }}"))
    room.receive(room.mail(1))
    assert len(room.store.thread(1)) == 1
