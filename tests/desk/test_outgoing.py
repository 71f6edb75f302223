"""A text that is about to go out: what becomes of a draft, and what it would do."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from desk.errors import Invalid
from desk.model import HOUR, Draft, Identity, Status
from desk.outgoing import begun, call, foresee, paths, recipients
from desk.signatures import signature, signed
from tests.desks import Room

DRAFT = Draft(1, "kim", "reply", 0, "Thank you.", {})


def would(room: Room, draft: Draft) -> list[tuple[str, str]]:
    """Whom the draft would go to."""
    found = foresee(room.desk, room.who, [call(draft)], 1, at=room.clock, batch_id=room.turn())
    return [(way, person.value) for way, person in recipients(found.message)]


def test_a_draft_is_said_with_its_options(tmp_path: Path) -> None:
    draft = replace(DRAFT, options={"to": "ann@example.com", "cc": "Bo <bo@example.com>", "at": "2h"})
    room = Room.open(tmp_path)
    assert would(room, draft) == [("to", "ann@example.com"), ("cc", "bo@example.com")]
    found = foresee(room.desk, room.who, [call(draft)], 1, at=room.clock, batch_id="b")
    assert found.status == Status.OPEN


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("reply", ("reply", {})),
        ("reply --all", ("reply", {"all": "yes"})),
        ('forward --to "ann@example.com, bo@example.com"', ("forward", {"to": "ann@example.com, bo@example.com"})),
        ("forward --to ann@example.com Please look.", None),
        ("reply --attach a.txt", ("reply", {"attach": "a.txt"})),
        ("reply --all Thank you.", None),
        ("reply Thank you.", None),
        ("note", ("note", {})),
        ("solve", None),
    ],
)
def test_a_line_without_its_text_is_begun(line: str, found: tuple[str, dict[str, str]] | None) -> None:
    assert begun(line) == found


def test_files_of_a_draft_are_one_a_line() -> None:
    draft = replace(DRAFT, options={"attach": "a b.txt\nc.txt"})
    assert paths(draft) == ("a b.txt", "c.txt")
    assert call(draft).args["attach"] == ("a b.txt", "c.txt")


def test_a_wrong_address_of_a_draft_is_told() -> None:
    with pytest.raises(Invalid, match="not a mail address"):
        call(replace(DRAFT, options={"to": "ann@"}))


def test_the_copies_of_the_ticket_can_be_left_out(tmp_path: Path) -> None:
    room = Room.open(tmp_path)
    room.do("cc bo@example.com", 1)
    assert would(room, DRAFT) == [("to", "c0@acme.example"), ("cc", "bo@example.com")]
    assert would(room, replace(DRAFT, options={"only": "yes"})) == [("to", "c0@acme.example")]
    assert would(room, replace(DRAFT, options={"only": "yes", "cc": "cy@example.com"})) == [
        ("to", "c0@acme.example"),
        ("cc", "cy@example.com"),
    ]


def test_a_reply_to_all_goes_to_whom_the_customer_wrote(tmp_path: Path) -> None:
    room = Room.open(tmp_path)
    room.answer(1, "Me too.", cc=(Identity("email", "dee@example.com"),))
    assert would(room, DRAFT) == [("to", "c0@acme.example")]
    assert would(room, replace(DRAFT, options={"all": "yes"})) == [
        ("to", "c0@acme.example"),
        ("cc", "dee@example.com"),
    ]


def test_a_forward_can_wait_and_have_blind_copies(tmp_path: Path) -> None:
    room = Room.open(tmp_path)
    room.do("forward --to ann@example.com --bcc bo@example.com --at 2h Please look.", 1)
    (delivery, _) = room.store.outbox()[0]
    assert delivery.recipients == ("ann@example.com", "bo@example.com")
    assert delivery.not_before == room.clock + 2 * HOUR


def test_the_agents_signature_covers_the_desks(tmp_path: Path) -> None:
    room = Room.open(tmp_path)
    ticket, kim = room.store.ticket(1), room.store.agents()["kim"]
    assert signature(kim, room.desk.config, ticket) == ""
    config = replace(room.desk.config, signature="{{ agent.display }}, #{{ ticket.id }}")
    assert signature(kim, config, ticket) == "Kim, #1"
    assert signature(replace(kim, signature="K."), config, ticket) == "K."
    assert signed("Yes", "K.") == "Yes\n\n-- \nK."
    assert signed("Yes", "") == "Yes"
