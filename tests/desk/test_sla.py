"""When the next answer is due."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from desk.config import DeskConfig
from desk.model import HOUR, Bin, Millis, Priority, Status, Ticket
from desk.sla import settle

SINCE = 1_770_000_000_000
WAITING = Ticket(1, "VPN", 1, SINCE, SINCE, status=Status.OPEN, waiting_since=SINCE)
CONFIG = DeskConfig(reply_target_h=8)


@pytest.mark.parametrize(
    ("fields", "due_at", "due_kind"),
    [
        ({}, SINCE + 8 * HOUR, "first-reply"),
        ({"first_reply_at": SINCE - HOUR}, SINCE + 8 * HOUR, "next-reply"),
        ({"priority": Priority.URGENT}, SINCE + 2 * HOUR, "first-reply"),
        ({"priority": Priority.HIGH}, SINCE + 8 * HOUR, "first-reply"),
        ({"status": Status.PENDING}, SINCE + 8 * HOUR, "first-reply"),
        ({"waiting_since": None}, None, None),
        ({"status": Status.SOLVED}, None, None),
        ({"status": Status.CLOSED}, None, None),
        ({"bin": Bin.SPAM}, None, None),
        ({"merged_into": 2}, None, None),
    ],
)
def test_a_waiting_customer_is_owed_an_answer(
    fields: dict[str, Any], due_at: Millis | None, due_kind: str | None
) -> None:
    settled = settle(replace(WAITING, **fields), CONFIG)
    assert (settled.due_at, settled.due_kind) == (due_at, due_kind)


def test_what_no_longer_holds_is_taken_away() -> None:
    due = settle(WAITING, CONFIG)
    assert settle(replace(due, status=Status.SOLVED), CONFIG).due_at is None


def test_a_ticket_that_is_right_already_stays_the_very_same() -> None:
    due = settle(WAITING, CONFIG)
    assert settle(due, CONFIG) is due
