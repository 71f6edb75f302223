"""deskhand next."""

from __future__ import annotations

from tests.cli.conftest import Deskhand
from tests.desks import Room


def test_next_shows_the_ticket_and_says_why(deskhand: Deskhand, room: Room) -> None:
    ran = deskhand("next")
    first, second = ran.out.splitlines()
    assert "VPN drops every 20 minutes" in first
    assert second.strip().startswith("overdue by ")
    assert second.endswith("; nobody's")
    found = deskhand("next", "--json").object
    assert (found["id"], found["assignee"], found["taken"]) == (1, None, False)
    assert found["why"] == second.strip()


def test_next_take_takes_it(deskhand: Deskhand, room: Room) -> None:
    found = deskhand("next", "--take", "--json").object
    assert (found["id"], found["assignee"], found["status"], found["taken"]) == (1, "kim", "open", True)
    number, _, why = deskhand("next", "--take", "--plain").out.rstrip("\n").split("\t")
    assert number == "1"
    assert "yours already" in why
    assert deskhand("log", "1").out.count("assignee") == 1


def test_next_with_nothing_to_do_is_not_found(deskhand: Deskhand, room: Room) -> None:
    room.do("solve", 1, 2, 3, 4, 5)
    ran = deskhand("next", "--take")
    assert (ran.code, ran.out) == (3, "")
    assert "nothing for you to do next" in ran.err
