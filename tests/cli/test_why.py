"""`deskhand why`: what explains a ticket."""

from __future__ import annotations

from pathlib import Path

import pytest

from desk.model import HOUR, MINUTE
from desk.why import explain
from tests.cli.conftest import Deskhand
from tests.desks import Room

POLICIES = """
[calendars.office]
zone = "UTC"
hours = ["mon-fri 09:00-17:00"]

[policies.vip]
when = "tag:vip"
first_reply = "1h"

[policies.rest]
calendar = "office"
first_reply = "4h"
resolution = { normal = "20h", pause = ["pending"] }
"""


@pytest.fixture
def told(room: Room, home: Path, deskhand: Deskhand) -> Room:
    (home / "policies.toml").write_text(POLICIES)
    assert deskhand("--config", home / "policies.toml", "config", "apply").code == 0
    return room


def test_why_names_the_policies_and_every_clock(told: Room, deskhand: Deskhand) -> None:
    told.do("reply Hello", 1)
    told.send()
    told.do("status pending", 1)
    (found,) = deskhand("why", 1, "--json").objects
    assert (found["policy"], found["calendar"]) == ("rest", "office")
    assert [(look["name"], look["holds"]) for look in found["policies"]] == [("vip", False), ("rest", True)]
    first, resolution = found["clocks"]
    assert (first["clock"], first["paused"], first["breached"]) == ("first-reply", False, False)
    assert first["fulfilled_at"] is not None
    assert (resolution["clock"], resolution["paused"], resolution["within_seconds"]) == ("resolution", True, 72_000)
    assert resolution["left_seconds"] == 72_000, "the test desk is at work at night"
    assert len(resolution["pauses"]) == 1
    assert found["messages"][0]["threaded_by"] == "new"
    text = deskhand("why", 1).out
    assert "vip: asks for tag:vip, which it is not" in text
    assert "rest: is for every ticket, and that holds" in text
    assert "Resolution, within 20h of calendar office" in text
    assert "left    20h, stands still" in text
    assert "it began the ticket" in text


def test_why_tells_what_is_late(told: Room) -> None:
    told.do("tag vip", 2)
    ticket = told.store.ticket(2)
    because = explain(told.desk.store, 2, ticket.created_at + HOUR + 5 * MINUTE)
    (clock,) = because.clocks
    assert (because.policy, clock.left, clock.breached) == ("vip", -5 * MINUTE, True)
    assert [look.policy for look in because.looks] == ["vip"]


def test_why_tells_what_rules_and_macros_did(told: Room, deskhand: Deskhand) -> None:
    told.do("tag a", 3, source="macro:thanks")
    (found,) = deskhand("why", 3, "--json").objects
    assert [(deed["by"], deed["line"]) for deed in found["changes"]] == [("macro:thanks", "tag a")]
    assert "macro thanks: tag a" in deskhand("why", 3).out


def test_why_asks_for_a_ticket_that_is_there(deskhand: Deskhand, room: Room) -> None:
    assert deskhand("why", 99).code == 3
    assert 'why does not take "please"' in deskhand("why", 1, "please").err


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("spam", "it is spam: nothing is promised"),
        ("trash", "it is in the trash: nothing is promised"),
        ("merge 2", "merged into #2, whose clocks count: nothing is promised here"),
        ("solve", "nobody waits: no clock runs"),
    ],
)
def test_why_nothing_is_promised(room: Room, deskhand: Deskhand, line: str, said: str) -> None:
    room.do(line, 1)
    told = deskhand("why", 1)
    assert said in told.out
    assert "is for every ticket, which it is not" not in told.out
    assert deskhand("why", 1, "--json").object["clocks"] == []


def test_why_a_message_that_was_merged_is_here(room: Room, deskhand: Deskhand) -> None:
    room.do("merge 2", 1)
    lines = deskhand("why", 2).out.splitlines()
    assert [line.rpartition(": ")[2] for line in lines[-2:]] == ["it came by a merge", "it began the ticket"]


def test_why_shows_that_a_clock_stood_still_from_the_beginning(told: Room, deskhand: Deskhand, home: Path) -> None:
    (home / "policies.toml").write_text('[policies.all]\nresolution = { normal = "9h", pause = ["new"] }\n')
    assert deskhand("--config", home / "policies.toml", "config", "apply").code == 0
    (clock,) = deskhand("why", 1, "--json").object["clocks"]
    assert clock["pauses"] == [[clock["started_at"], None]]
