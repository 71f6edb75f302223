"""Mail that could not be read is kept, listed and read again; what agents did is not touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from channels.kit.mail.parser import parse
from desk.channel import Raw
from desk.intake import prepare
from desk.query import Env
from desk.query import parse as parse_query
from desk.reading_again import read_again
from desk.store import Batch
from relay.workers import unparsed
from tests.desks import Room

MAIL = (
    b"From: Ann Example <ann@example.com>\nTo: help@desk.test\nSubject: The tunnel drops\n"
    b"Message-ID: <hard@example.com>\n\nIt drops every 20 minutes.\n"
)


@pytest.fixture
def room(tmp_path: Path) -> Room:
    room = Room.open(tmp_path, tickets=0)
    room.receive(unparsed(Raw("INBOX/1/1", MAIL, room.clock), "it broke the parser"))
    return room


def again(room: Room) -> bool:
    (message,) = room.store.originals(0, 10)
    item = prepare(Raw(str(message.id), room.store.blob(message.raw or ""), message.at), parse)
    return room.store.write(
        lambda tx: read_again(tx, message, item, Batch(room.turn(), room.clock, "kim", line="reparse"))
    )


def test_mail_that_could_not_be_read_is_listed_with_its_bytes(room: Room) -> None:
    (listed,) = room.store.originals(0, 10, unprocessable=True)
    assert room.store.blob(listed.raw or "") == MAIL
    assert "could not be read" in listed.text
    assert room.store.ids(parse_query("", Env(room.clock))) == [1]


def test_reading_again_mends_text_ticket_and_sender(room: Room) -> None:
    assert again(room)
    (message,) = room.store.thread(1)
    assert (message.text.strip(), message.author, message.flags) == ("It drops every 20 minutes.", "Ann Example", ())
    assert message.sender is not None
    assert message.sender.value == "ann@example.com"
    ticket = room.store.ticket(1)
    assert ticket.subject == "The tunnel drops"
    assert room.store.customer(ticket.requester).address == "ann@example.com"
    assert room.store.originals(0, 10, unprocessable=True) == []
    assert room.store.ids(parse_query("minutes from:ann@example.com", Env(room.clock))) == [1]
    assert room.store.ids(parse_query("unreadable", Env(room.clock))) == []
    assert room.store.check() == []
    assert not again(room), "the second time there is nothing left to do"


def test_reading_again_leaves_alone_what_an_agent_changed(room: Room) -> None:
    room.do("rename Kept by hand; requester bob@example.com; tag odd; take", 1)
    before = room.store.ticket(1)
    assert again(room)
    after = room.store.ticket(1)
    assert (after.subject, after.requester, after.tags, after.assignee, after.status) == (
        "Kept by hand",
        before.requester,
        ("odd",),
        "kim",
        before.status,
    )
    assert room.store.thread(1)[0].text.strip() == "It drops every 20 minutes."
