"""agent list, show and set: skills, capacity, hours, absence, and who may say so."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from desk.model import Role, Skill
from desk.store import Batch
from tests.cli.conftest import Deskhand
from tests.desks import Room


def become(room: Room, role: Role) -> None:
    """Let who runs the tests have this role; lee is the admin instead."""
    agents = room.store.agents()
    room.store.save_agent(replace(agents["lee"], role=Role.ADMIN), Batch("lee-rules", room.clock))
    room.store.save_agent(replace(agents["kim"], role=role), Batch("kim-is", room.clock))


def test_skills_are_learnt_changed_and_lost(deskhand: Deskhand, room: Room) -> None:
    deskhand("agent", "set", "sam", "--skill", "vpn:4:2", "--skill", "email:3", "--skill", "router")
    assert room.store.agents()["sam"].skills == (Skill("email", 3), Skill("router"), Skill("vpn", 4, 2))
    deskhand("agent", "set", "sam", "--skill", "vpn::5", "--no-skill", "router")
    assert room.store.agents()["sam"].skills == (Skill("email", 3), Skill("vpn", 4, 5))
    assert "email:3:3 vpn:4:5" in deskhand("agent", "list").out
    ran = deskhand("agent", "set", "sam", "--no-skill", "vnp")
    assert (ran.code, ran.err) == (3, 'deskhand: sam has no skill "vnp" (did you mean "vpn"?)\n')


@pytest.mark.parametrize("text", ["vpn:9", "vpn:4:0", ":3", "-", "two words", ""])
def test_what_is_no_skill_is_told(deskhand: Deskhand, room: Room, text: str) -> None:
    ran = deskhand("agent", "set", "sam", "--skill", text)
    assert ran.code == 2
    assert "is no skill: write a tag, channel or account" in ran.err


def test_capacity_hours_and_absence_are_shown(deskhand: Deskhand, room: Room, home: Path) -> None:
    path = home / "config" / "deskhand" / "config.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text('[calendars.office]\nzone = "Europe/Berlin"\n')
    deskhand("agent", "set", "sam", "--capacity", "8", "--hours", "office", "--away", "2099-12-01")
    shown = deskhand("agent", "show", "sam", "--json").object
    assert (shown["capacity"], shown["hours"], shown["turn"]) == (8, "office", 0)
    assert shown["away_until"].startswith("2099-1")
    assert "away until 2099-1" in deskhand("agent").out
    assert "capacity   8\n" in deskhand("agent", "show", "sam").out
    deskhand("agent", "set", "sam", "--hours", "none", "--away", "none", "--capacity", "0")
    sam = room.store.agents()["sam"]
    assert (sam.capacity, sam.hours, sam.away_until) == (0, "", None)
    assert deskhand("agent", "set", "sam", "--hours", "ofice").code == 3
    assert deskhand("agent", "set", "sam", "--away", "2001-01-01").code == 2


def test_a_change_of_an_agent_is_in_the_log(deskhand: Deskhand, room: Room) -> None:
    deskhand("agent", "set", "sam", "--capacity", "8", "--skill", "vpn:4:2")
    told = {r["data"]["field"]: r["data"]["added"] for r in deskhand("log", "--json").objects if r["about"] == "sam"}
    assert (told["capacity"], told["skills"]) == (8, '[["vpn",4,2]]')


def test_everybody_says_when_they_are_away_and_what_they_like(deskhand: Deskhand, room: Room) -> None:
    deskhand("agent", "set", "kim", "--skill", "vpn:4:2")
    become(room, Role.AGENT)
    assert deskhand("agent", "set", "kim", "--away", "2d").code == 0
    assert deskhand("agent", "set", "kim", "--skill", "vpn::5").code == 0
    assert room.store.agents()["kim"].skills == (Skill("vpn", 4, 5),)
    for own in (
        ("--skill", "vpn:5"),
        ("--skill", "chat"),
        ("--no-skill", "vpn"),
        ("--capacity", "1"),
        ("--role", "admin"),
    ):
        assert deskhand("agent", "set", "kim", *own).code == 4, own
    assert deskhand("agent", "set", "sam", "--away", "2d").code == 4


def test_a_lead_says_how_much_others_get_but_not_who_they_are(deskhand: Deskhand, room: Room) -> None:
    become(room, Role.LEAD)
    assert deskhand("agent", "set", "sam", "--capacity", "3", "--skill", "vpn:4", "--away", "1d").code == 0
    assert deskhand("agent", "set", "kim", "--capacity", "3").code == 0
    assert deskhand("agent", "set", "sam", "--role", "lead").code == 4
    assert deskhand("agent", "set", "sam", "--display", "Sam the Great").code == 4


def test_distribute_tells_who_gets_what(deskhand: Deskhand, room: Room) -> None:
    room.store.save_agent(replace(room.store.agents()["lee"], active=False), Batch("lee-goes", room.clock))
    assert deskhand("distribute", "1-3", "--dry-run").out.splitlines()[1:] == [
        "kim would get #1, #3",
        "sam would get #2",
    ]
    assert deskhand("distribute", "1-3", "--by", "least-loaded").out.splitlines()[1:] == [
        "kim gets #1, #3",
        "sam gets #2",
    ]
    assert deskhand("distribute", "4,5", "--json").object["given"] == {"sam": [4], "kim": [5]}
    assert deskhand("assign", "1", "sam", "--json").object["given"] == {}


def test_doctor_names_hours_that_are_not_there(deskhand: Deskhand, room: Room) -> None:
    room.store.save_agent(replace(room.store.agents()["sam"], hours="office"), Batch("sam-works", room.clock))
    assert "sam works in the hours office, which are not there" in deskhand("doctor", "--offline").out
