"""Calls written down by hand: which of them answer the customer, and the promise to call back."""

from __future__ import annotations

from pathlib import Path

import pytest

from desk.errors import Invalid
from desk.model import HOUR, MINUTE, Direction, Kind, Status
from tests.desks import Room


def test_a_call_that_reached_them_answers_the_ticket(tmp_path: Path) -> None:
    room = Room.open(tmp_path, 1)
    room.do('call --duration 4m "It was the cable."', 1)
    message = room.store.thread(1)[-1]
    assert (message.kind, message.direction, message.channel) == (Kind.CALL, Direction.OUT, "phone")
    assert message.text == "Spoke with them, 4m.\nIt was the cable."
    ticket = room.store.ticket(1)
    assert (ticket.waiting_since, ticket.first_reply_at, ticket.status) == (None, room.clock, Status.OPEN)
    room.undo()
    assert room.store.ticket(1).first_reply_at is None


@pytest.mark.parametrize("outcome", ["voicemail", "no-answer", "busy", "wrong-number"])
def test_whom_nobody_reached_waits_on(tmp_path: Path, outcome: str) -> None:
    room = Room.open(tmp_path, 1)
    since = room.store.ticket(1).waiting_since
    room.do(f"call --outcome {outcome}", 1)
    ticket = room.store.ticket(1)
    assert ticket.waiting_since == since is not None
    assert ticket.first_reply_at is None


def test_a_message_on_our_voicemail_is_a_question(tmp_path: Path) -> None:
    room = Room.open(tmp_path, 1)
    room.do('reply "done"; solve', 1)
    room.do('call --theirs --outcome voicemail "still broken"', 1)
    message = room.store.thread(1)[-1]
    assert (message.direction, message.customer) == (Direction.IN, room.store.ticket(1).requester)
    assert room.store.ticket(1).waiting_since is not None


def test_a_promise_to_call_back_is_due_then_and_kept_by_reaching_them(tmp_path: Path) -> None:
    room = Room.open(tmp_path, 1)
    room.do('reply "soon"', 1)
    room.do("call --outcome no-answer --back 2h", 1)
    promised = room.clock + 2 * HOUR
    ticket = room.store.ticket(1)
    assert (ticket.callback_at, ticket.due_at, ticket.due_kind) == (
        promised,
        min(promised, ticket.due_at or 0),
        ticket.due_kind,
    )
    assert any(p.clock == "call-back" and p.due == promised for p in room.store.write(lambda tx: tx.promises(ticket)))
    room.clock = promised + MINUTE
    assert room.store.alarms(room.clock, 5) == [1]
    room.do("call --outcome busy", 1)
    assert room.store.ticket(1).callback_at == promised, "they still wait for the call"
    room.do("call", 1)
    assert room.store.ticket(1).callback_at is None
    assert [r.data["what"] for r in room.store.log(ticket=1) if r.kind == "Clock" and r.data["clock"] == "call-back"][
        -1
    ] == "fulfil"


def test_the_promise_of_a_call_goes_along_when_its_ticket_is_merged(tmp_path: Path) -> None:
    room = Room.open(tmp_path, 2)
    room.do("call --back 2h", 1)
    promised = room.store.ticket(1).callback_at
    room.do("merge #2", 1)
    assert (room.store.ticket(2).callback_at, promised is None) == (promised, False)
    room.undo()
    assert room.store.ticket(2).callback_at is None


def test_a_solved_ticket_owes_no_call(tmp_path: Path) -> None:
    room = Room.open(tmp_path, 1)
    room.do("call --back 2h; solve", 1)
    assert room.store.ticket(1).due_kind != "call-back"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("call --back 2020-01-01", "is over"),
        ("call --duration never", "is no length"),
        ("call --outcome maybe", "there is no outcome"),
    ],
)
def test_what_makes_no_sense_is_told(tmp_path: Path, line: str, why: str) -> None:
    room = Room.open(tmp_path, 1)
    with pytest.raises(Invalid, match=why):
        room.do(line, 1)
    assert len(room.store.thread(1)) == 1
