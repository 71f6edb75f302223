"""The way in: everything exactly once, and what a message does to its ticket."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from desk.blobs import Blob
from desk.channel import Bounce, Inbound, Raw, Undelivered
from desk.intake import Intake, digest, prepare, take_in
from desk.model import DAY, HOUR, MINUTE, Attachment, Bin, Direction, Identity, Kind, Message, State, Status
from desk.query import Env, parse
from desk.store import Batch
from tests.desks import ADDRESS, NOW, Room


def tickets(room: Room) -> int:
    return room.store.numbers().tickets


def last(room: Room, ticket: int) -> Message:
    return room.store.thread(ticket)[-1]


# -- exactly once -----------------------------------------------------------


def test_the_same_item_again_is_a_double(room: Room) -> None:
    item = room.mail(60)
    assert room.receive(item).messages == 1
    again = room.receive(item)
    assert (again.messages, again.doubles) == (0, 1)
    assert tickets(room) == 6


def test_the_same_item_twice_in_one_batch_is_a_double(room: Room) -> None:
    item = room.mail(60)
    taken = room.receive(item, item, replace(item, external_id="INBOX/1/61"))
    assert (taken.messages, taken.tickets, taken.doubles) == (1, 1, 2)


def test_one_mail_to_two_of_our_accounts_is_one_message(room: Room) -> None:
    item = room.mail(60)
    room.receive(item)
    taken = room.receive(replace(item, external_id="Sales/1/1", received_at=item.received_at + MINUTE), account="sales")
    assert (taken.messages, taken.doubles) == (0, 1)
    assert room.store.known("sales", ["Sales/1/1"]) == {"Sales/1/1"}


@pytest.mark.parametrize(
    "fields",
    [
        {"text": "another text"},
        {"subject": "another subject"},
        {"sender": Identity("email", "other@acme.example")},
        {"attachments": (Attachment("a", "x/y", 1, "1" * 64),)},
    ],
)
def test_one_message_id_on_different_contents_is_two_messages(room: Room, fields: dict[str, Any]) -> None:
    item = room.mail(60)
    room.receive(item)
    taken = room.receive(replace(item, external_id="INBOX/1/61", **fields))
    assert (taken.messages, taken.doubles) == (1, 0)


def test_without_a_message_id_the_same_bytes_are_the_same_message(room: Room) -> None:
    item = room.mail(60, message_id=None, raw=Blob.of(b"the bytes").key, blobs=(Blob.of(b"the bytes"),))
    room.receive(item)
    assert room.receive(replace(item, external_id="INBOX/1/61")).doubles == 1
    other = replace(item, external_id="INBOX/1/62", raw=Blob.of(b"other bytes").key, blobs=(Blob.of(b"other bytes"),))
    assert room.receive(other).messages == 1


def test_without_message_id_and_bytes_every_item_is_a_message(room: Room) -> None:
    item = room.mail(60, message_id=None)
    assert digest(item) is None
    assert room.receive(item, replace(item, external_id="INBOX/1/61")).messages == 2


def test_a_mailbox_that_was_made_anew_opens_nothing_twice(room: Room) -> None:
    items = [
        room.mail(60),
        room.mail(61, message_id=None, raw=Blob.of(b"61").key, blobs=(Blob.of(b"61"),)),
        room.mail(62, message_id="m60@acme.example", text="same id, other text"),
    ]
    room.receive(*items)
    assert tickets(room) == 8
    renumbered = [replace(item, external_id=f"INBOX/2/{n}") for n, item in enumerate(items)]
    taken = room.receive(*renumbered, room.mail(63))
    assert (taken.messages, taken.doubles) == (1, 3)
    assert tickets(room) == 9
    assert room.receive(*renumbered).doubles == 3


def test_the_cursor_moves_with_the_messages(room: Room) -> None:
    assert room.store.cursor("support") == "filled"
    how = Intake("support", "email", room.desk.config, room.desk.signer)

    def body(tx: Any) -> None:
        take_in(tx, how, [prepare(room.mail(60))], Batch("b", NOW), "further")
        raise RuntimeError("lost")

    with pytest.raises(RuntimeError):
        room.store.write(body)
    assert (room.store.cursor("support"), tickets(room)) == ("filled", 5)


def test_the_bytes_are_kept_as_they_came(room: Room) -> None:
    raw, file = Blob.of(b"From: a\r\n\r\nhello"), Blob.of(b"%PDF")
    room.receive(
        room.mail(
            60, raw=raw.key, blobs=(raw, file), attachments=(Attachment("a.pdf", "application/pdf", 4, file.key),)
        )
    )
    message = last(room, 6)
    assert room.store.blob(message.raw or "") == b"From: a\r\n\r\nhello"
    assert room.store.blob(message.attachments[0].sha256) == b"%PDF"
    assert room.store.check() == []


def test_parsing_makes_words_and_digest_once() -> None:
    raw = Raw("1", b"hello", 5)
    item = prepare(
        raw, lambda r: Inbound(r.external_id, r.received_at, None, r.data.decode(), subject="Ünï", message_id="m")
    )
    assert (item.words, item.digest is not None) == ("uni hello", True)
    assert prepare(item) is item


# -- what a message does ----------------------------------------------------


@pytest.mark.parametrize("status", Status)
def test_a_customers_message_opens_what_waited(room: Room, status: Status) -> None:
    room.do(f"status {status}", 1)
    room.answer(1)
    follow_up = status is Status.CLOSED
    reopened = status in (Status.PENDING, Status.ON_HOLD, Status.SOLVED)
    assert room.store.ticket(1).status is (Status.OPEN if reopened else status)
    assert tickets(room) == (6 if follow_up else 5)
    assert (last(room, 1).text == "One more thing.") is not follow_up


@pytest.mark.parametrize("kind", ["auto-reply", "bounce", "feedback"])
@pytest.mark.parametrize("status", [Status.PENDING, Status.ON_HOLD, Status.SOLVED])
def test_automatic_mail_opens_nothing_and_waits_for_nothing(room: Room, kind: str, status: Status) -> None:
    room.do("reply hello", 1)
    room.send()
    room.do(f"status {status}; snooze reply" if status.live else f"status {status}", 1)
    room.answer(1, automatic=kind)
    ticket = room.store.ticket(1)
    assert (ticket.status, ticket.snoozed_for_reply, ticket.waiting_since) == (status, status.live, None)
    assert last(room, 1).automatic == kind


def test_a_person_who_writes_by_a_list_is_a_person(room: Room) -> None:
    room.do("status pending", 1)
    room.answer(1, automatic="list")
    assert room.store.ticket(1).status is Status.OPEN


@pytest.mark.parametrize(
    ("line", "wakes"),
    [("snooze reply", True), ("snooze 2h", True), ("snooze --only 2h", False)],
)
def test_a_message_wakes_what_slept_for_it(room: Room, line: str, wakes: bool) -> None:
    room.do(line, 1)
    room.answer(1)
    ticket = room.store.ticket(1)
    assert ticket.snoozed(room.clock) is not wakes
    assert (ticket.snoozed_until is None) is wakes


def test_a_message_brings_a_ticket_out_of_the_trash_but_not_out_of_the_spam(room: Room) -> None:
    room.do("trash", 1)
    room.do("spam", 2)
    room.answer(1)
    room.answer(2)
    assert [room.store.ticket(n).bin for n in (1, 2)] == [Bin.NONE, Bin.SPAM]


def test_a_new_message_is_news_to_everybody(room: Room) -> None:
    room.store.seen("kim", 1, 1)
    room.answer(1)
    assert room.store.rows([1], agent="kim")[0].unread


@pytest.mark.parametrize("before", ["", "trash", "status pending"])
def test_what_a_blocked_sender_writes_is_spam(room: Room, before: str) -> None:
    room.do("block", 1)
    if before:
        room.do(f"untrash; {before}", 1)
    room.answer(1)
    room.receive(room.mail(60, sender=Identity("email", "c0@acme.example")))
    assert [room.store.ticket(n).bin for n in (1, 6)] == [Bin.SPAM, Bin.SPAM]
    assert room.store.ticket(1).status is (Status.PENDING if "pending" in before else Status.NEW)


def test_a_blocked_sender_drags_nobody_elses_ticket_into_the_spam(room: Room) -> None:
    room.do("block", 1)
    first = room.store.thread(2)[0].message_id or ""
    room.receive(room.mail(60, sender=Identity("email", "c0@acme.example"), in_reply_to=(first,)))
    assert room.store.ticket(2).bin is Bin.NONE
    assert len(room.store.thread(2)) == 1
    assert room.store.ticket(6).bin is Bin.SPAM


def test_a_person_without_a_name_gets_it_when_they_tell(room: Room) -> None:
    nameless = Identity("email", "nia@new.example")
    room.receive(room.mail(60, sender=nameless))
    (nia,) = room.store.customers("nia")
    assert nia.name == "nia@new.example"
    room.receive(room.mail(61, sender=Identity("email", "nia@new.example", "Nia New")))
    room.receive(room.mail(62, sender=Identity("email", "nia@new.example", "Nia Other")))
    assert [c.name for c in room.store.customers("nia new")] == ["Nia New"]


@pytest.mark.parametrize(
    ("fields", "subject"),
    [
        ({"subject": " Two\n lines\x1b[2J "}, "Two lines␛[2J"),
        ({"subject": "", "text": "The first words\nof the text"}, "The first words of the text"),
        ({"subject": " ", "text": "x" * 200}, "x" * 80),
        ({"subject": "", "text": " "}, "(no subject)"),
    ],
)
def test_a_ticket_has_a_subject_fit_for_a_line(room: Room, fields: dict[str, Any], subject: str) -> None:
    room.receive(replace(room.mail(60), **fields))
    assert room.store.ticket(6).subject == subject


def test_a_mail_without_a_sender_and_with_bytes_no_store_takes_is_kept(room: Room) -> None:
    room.receive(replace(room.mail(60), sender=None, text="nul \x00 and half \ud800", subject="\x00\udfff"))
    message = last(room, 6)
    assert message.author == "unknown sender"
    assert message.text == "nul � and half ?"
    room.do("note look", 6)


@pytest.mark.parametrize(
    ("received", "kept"), [(NOW - DAY, NOW - DAY), (NOW + DAY, None), (0, None), (-5, None), (10**15, None)]
)
def test_a_clock_that_is_wrong_is_not_believed(room: Room, received: int, kept: int | None) -> None:
    room.receive(replace(room.mail(60), received_at=received, at=123))
    assert last(room, 6).at == (room.clock if kept is None else kept)


# -- bounces ----------------------------------------------------------------


def bounce(room: Room, message: Message, *recipients: Undelivered, **fields: Any) -> Inbound:
    report = Bounce(recipients, message.message_id)
    sender = Identity("email", "mailer-daemon@acme.example")
    return replace(room.mail(400 + room.turns), sender=sender, bounce=report, automatic="bounce", **fields)


GONE, FULL = Undelivered("C0@acme.example", "5.1.1", True), Undelivered("c0@acme.example", "4.2.2", False)


def test_a_bounce_stands_by_the_message_that_did_not_arrive(room: Room) -> None:
    room.do("reply hello; status pending", 1)
    waiting = room.store.thread(1)[0].at
    room.send()
    room.receive(bounce(room, last(room, 1), GONE))
    reply, report = room.store.thread(1)[1:]
    assert (reply.state, report.kind, report.threaded_by) == (State.BOUNCED, Kind.SYSTEM, "bounce")
    assert tickets(room) == 5
    ((delivery, _),) = room.store.outbox((State.BOUNCED,))
    assert delivery.error == "C0@acme.example 5.1.1"
    ticket = room.store.ticket(1)
    assert (ticket.status, ticket.waiting_since, ticket.first_reply_at) == (Status.PENDING, waiting, None)
    assert room.store.rows([1])[0].trouble is State.BOUNCED


def test_a_delay_is_noted_and_changes_nothing(room: Room) -> None:
    room.do("reply hello", 1)
    room.send()
    room.receive(bounce(room, last(room, 1), FULL))
    assert [m.state for m in room.store.thread(1)] == [None, State.SENT, None]


def test_only_who_is_gone_bounces(room: Room) -> None:
    room.do("reply --to a@x.example hello", 1)
    room.send()
    room.receive(bounce(room, last(room, 1), Undelivered("b@x.example", "5.1.1", True)))
    assert room.store.thread(1)[1].state is State.SENT
    assert room.store.thread(1)[2].kind is Kind.SYSTEM


def test_a_bounce_of_something_else_is_a_ticket_like_any_mail(room: Room) -> None:
    item = replace(room.mail(60), bounce=Bounce((GONE,), "unknown@elsewhere.example"), automatic="bounce")
    room.receive(item)
    assert (tickets(room), last(room, 6).kind, last(room, 6).automatic) == (6, Kind.PUBLIC, "bounce")


# -- archives ---------------------------------------------------------------


def test_an_import_is_silent(room: Room) -> None:
    room.do("solve", 1)
    first = room.store.thread(1)[0]
    old = replace(room.mail(60), sender=first.sender, in_reply_to=(first.message_id or "",), at=NOW - 300 * DAY)
    room.receive(old, replace(room.mail(61), at=NOW - 200 * DAY), silent=True, status=Status.SOLVED, account="import")
    assert room.store.ticket(1).status is Status.SOLVED
    assert not room.store.rows([6], agent="kim")[0].unread
    ticket = room.store.ticket(6)
    assert (ticket.status, ticket.due_at) == (Status.SOLVED, None)
    assert ticket.created_at == ticket.solved_at == ticket.updated_at == NOW - 200 * DAY
    assert room.store.thread(1)[0].at == NOW - 300 * DAY


def test_an_import_goes_on_with_closed_tickets(room: Room) -> None:
    room.do("status closed", 1)
    first = room.store.thread(1)[0]
    room.receive(
        replace(room.mail(60), sender=first.sender, in_reply_to=(first.message_id or "",)),
        silent=True,
        status=Status.OPEN,
    )
    assert (tickets(room), len(room.store.thread(1)), room.store.ticket(1).status) == (5, 2, Status.CLOSED)


def test_mail_from_our_own_address_is_an_answer(room: Room) -> None:
    asked = replace(room.mail(60), at=NOW - 2 * DAY)
    answered = replace(
        room.mail(61),
        sender=Identity("email", ADDRESS, "Desk"),
        to=(Identity("email", "c60@acme.example"),),
        in_reply_to=("m60@acme.example",),
        at=NOW - 2 * DAY + HOUR,
    )
    room.receive(asked, answered, silent=True, status=Status.SOLVED, account="import")
    ticket, answer = room.store.ticket(6), last(room, 6)
    assert (answer.direction, answer.state, answer.customer, answer.flags) == (Direction.OUT, State.SENT, None, ())
    assert (ticket.first_reply_at, ticket.waiting_since) == (NOW - 2 * DAY + HOUR, None)
    assert room.store.customers("help desk") == []


def test_mail_that_we_began_belongs_to_who_got_it(room: Room) -> None:
    ours = replace(
        room.mail(60),
        sender=Identity("email", ADDRESS),
        to=(Identity("email", "nia@new.example", "Nia"),),
        at=NOW - DAY,
    )
    room.receive(ours, silent=True, account="import")
    requester = room.store.customer(room.store.ticket(6).requester)
    assert (requester.name, requester.address) == ("Nia", "nia@new.example")
    assert last(room, 6).direction is Direction.OUT


def test_words_of_a_message_are_found(room: Room) -> None:
    room.receive(
        replace(room.mail(60), text="Ёлка горит", attachments=(Attachment("Übersicht.pdf", "x/y", 1, "1" * 64),))
    )
    for query in ("елка", "ubersicht", '"ёлка горит"', "has:attachment"):
        assert room.store.ids(parse(query, Env(NOW))) == [6], query
