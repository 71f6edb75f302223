"""Who gets a ticket: turns, loads, skills, and who is passed over."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from msgspec.structs import replace

from desk import assign, config
from desk.errors import Invalid
from desk.lines import script
from desk.model import DAY, HOUR, Agent, Role, Skill, Team, Ticket
from desk.perform import Who, perform, perform_in
from desk.permissions import RULES
from desk.store import Batch, Tx
from desk.telling import describe
from tests.desks import NOW, Room, mail

OFFICE = '[calendars.office]\nzone = "UTC"\nhours = ["mon-fri 09:00-17:00"]\n'
"""The test desk opens on a Monday at 02:40 UTC."""


def staff(room: Room, **names: Agent) -> None:
    """Let the team network be these agents."""
    for name, agent in names.items():
        room.store.save_agent(replace(agent, name=name, teams=("network",)), Batch(f"staff-{name}-{room.turn()}", NOW))


def now(room: Room, *ids: int) -> list[str | None]:
    """Who has these tickets."""
    return [room.store.ticket(number).assignee for number in ids]


ANA, BEA, CLEO = Agent("ana"), Agent("bea"), Agent("cleo")


# -- in turn ----------------------------------------------------------------------


def test_tickets_go_round_and_on_from_where_they_stopped(room: Room) -> None:
    staff(room, ana=ANA, bea=BEA, cleo=CLEO)
    room.do("distribute network", 1)
    room.do("distribute network", 2)
    room.do("distribute network", 3, 4, 5)
    assert now(room, 1, 2, 3, 4, 5) == ["ana", "bea", "cleo", "ana", "bea"]
    assert room.store.ticket(1).status.value == "open"


def test_a_hundred_tickets_at_once_are_spread_evenly(tmp_path: Path) -> None:
    room = Room.open(tmp_path, tickets=100)
    staff(room, ana=ANA, bea=BEA, cleo=CLEO)
    for way in assign.WAYS:
        assert not room.do(f"distribute --by {way} network", *range(1, 101)).skipped
        found = Counter(now(room, *range(1, 101)))
        assert set(found.values()) <= {33, 34}, way
        room.do("unassign", *range(1, 101))


def test_many_at_once_get_their_turns_fairly(tmp_path: Path) -> None:
    room = Room.open(tmp_path, tickets=60)
    staff(room, ana=ANA, bea=BEA, cleo=CLEO)
    who = room.be("kim")

    def one(number: int) -> None:
        perform(room.desk, script("distribute network"), (number,), who, at=NOW, batch_id=f"deal-{number}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(1, 61)))
    assert Counter(now(room, *range(1, 61))) == {"ana": 20, "bea": 20, "cleo": 20}
    turns = sorted(a.turn for a in room.store.agents().values() if a.turn)
    assert turns == [58, 59, 60]


def test_to_edit_an_agent_leaves_their_turn(room: Room) -> None:
    staff(room, ana=ANA, bea=BEA)
    ana = room.store.agents()["ana"]
    room.do("distribute network", 1)
    room.store.save_agent(replace(ana, capacity=5), Batch("edited", NOW))
    assert (room.store.agents()["ana"].turn, room.store.agents()["ana"].capacity) == (1, 5)


def test_undo_takes_the_tickets_back_and_leaves_the_turn(room: Room) -> None:
    staff(room, ana=ANA, bea=BEA)
    room.do("distribute network", 1, 2, 3)
    room.do("assign kim", 2)
    undone = room.undo(batch="turn-0003")
    assert sorted(undone.done) == [1, 3]
    assert list(undone.skipped) == [2]
    assert now(room, 1, 2, 3) == [None, "kim", None]
    room.do("distribute network", 1)
    assert now(room, 1) == ["bea"]


# -- the other ways ---------------------------------------------------------------


def test_the_least_loaded_gets_it_and_of_equals_who_waited_longest(room: Room) -> None:
    staff(room, ana=ANA, bea=BEA, cleo=CLEO)
    room.do("assign ana", 1)
    room.do("distribute --by least-loaded network", 2)
    assert now(room, 2) == ["bea"]
    room.do("distribute --by least-loaded network", 3, 4)
    assert now(room, 3, 4) == ["cleo", "ana"]


def test_what_sleeps_waits_for_the_customer_or_is_done_loads_nobody(room: Room) -> None:
    staff(room, ana=replace(ANA, capacity=1))
    for number, line in enumerate(("status pending", "snooze 2d", "solve", "spam"), 1):
        room.do(f"assign ana; {line}", number)
    room.do("distribute network", 5)
    assert now(room, 5) == ["ana"]


def test_who_knows_most_gets_it_then_who_likes_it_then_who_has_least(room: Room) -> None:
    staff(
        room,
        ana=replace(ANA, skills=(Skill("vpn", 4, 1), Skill("email", 5, 5))),
        bea=replace(BEA, skills=(Skill("vpn", 5, 1),)),
        cleo=replace(CLEO, skills=(Skill("vpn", 5, 2), Skill("billing", 1))),
    )
    room.do("tag vpn", 1, 2)
    room.do("tag billing", 3)
    room.do("distribute --by skill network", 1, 2, 3)
    # All came by mail, which ana knows best.
    assert now(room, 1, 2, 3) == ["ana", "ana", "ana"]
    room.store.save_agent(replace(room.store.agents()["ana"], skills=(Skill("vpn", 4, 1),)), Batch("less", NOW))
    room.do("distribute --by skill network", 1, 2, 3)
    assert now(room, 1, 2, 3) == ["cleo", "cleo", "cleo"]
    room.do("distribute --by skill network", 4)
    assert now(room, 4) == ["bea"]


def test_an_account_and_a_channel_are_topics_too() -> None:
    ticket = Ticket(1, "", 1, 0, 0, tags=("vpn",), channel="email", account="support")
    assert assign.topics(ticket) == {"vpn", "email", "support"}
    assert assign.best_skill(replace(ANA, skills=(Skill("support", 2), Skill("email", 2, 5))), ticket) == Skill(
        "email", 2, 5
    )
    assert assign.best_skill(ANA, ticket) is None


# -- who is passed over ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("why", "agent"),
    [
        ("ana is away until 2026-02-03T02:40:00Z", replace(ANA, away_until=NOW + DAY)),
        ("ana is out of the hours office", replace(ANA, hours="office")),
        ("ana has 1 of 1", replace(ANA, capacity=1)),
        ("ana takes no tickets", replace(ANA, role=Role.READ_ONLY)),
        ("there is no agent", replace(ANA, active=False)),
    ],
)
def test_nobody_can_and_the_reason_is_told(tmp_path: Path, why: str, agent: Agent) -> None:
    room = Room.open(tmp_path, config=config.parse(OFFICE).desk)
    staff(room, ana=agent)
    if agent.active:
        room.do("assign ana", 5)
    with pytest.raises(Invalid, match=f"nobody of the team network can take #1 now: {why}; deskhand agent set"):
        room.do("distribute network", 1)
    assert now(room, 1) == [None]
    assert list(room.do("distribute network", 1, 2).skipped) == [1, 2]


def test_a_capacity_is_kept_within_one_run_and_the_rest_stays(room: Room) -> None:
    staff(room, ana=replace(ANA, capacity=2), bea=replace(BEA, capacity=1))
    outcome = room.do("distribute network", 1, 2, 3, 4, 5)
    assert list(outcome.skipped) == [4, 5]
    assert "ana has 2 of 2; bea has 1 of 1" in outcome.skipped[4]
    assert now(room, 1, 2, 3, 4, 5) == ["ana", "bea", "ana", None, None]


def test_agents_are_given_tickets_in_their_hours(tmp_path: Path) -> None:
    room = Room.open(tmp_path, config=config.parse(OFFICE).desk)
    staff(room, ana=replace(ANA, hours="office"), bea=replace(BEA, hours="gone"))
    assert not assign.on_duty(replace(ANA, hours="office"), NOW, room.desk.config)
    room.do("distribute network", 1, 2)
    assert now(room, 1, 2) == ["bea", "bea"]
    room.clock += 7 * HOUR
    room.do("distribute network", 3)
    assert now(room, 3) == ["ana"]


def test_the_tickets_own_team_is_asked_else_everybody(room: Room) -> None:
    staff(room, ana=ANA)
    room.do("team network; distribute", 1)
    assert now(room, 1) == ["ana"]
    room.store.save_team(Team("empty"), Batch("team-empty", NOW))
    with pytest.raises(Invalid, match="nobody of the team empty"):
        room.do("distribute empty", 1)
    room.do("distribute", 2)
    assert now(room, 2) == ["kim"]


def test_what_is_solved_is_not_given_away(room: Room) -> None:
    room.do("solve", 1)
    with pytest.raises(Invalid, match="#1 is solved; there is nothing left to give"):
        room.do("distribute", 1)


# -- keeping who had it -------------------------------------------------------------------


def test_keep_prefers_who_had_the_ticket_and_passes_them_over_when_away(room: Room) -> None:
    staff(room, ana=ANA, bea=BEA)
    room.do("assign bea", 1)
    room.do("unassign", 1)
    room.do("distribute --keep network", 1)
    assert now(room, 1) == ["bea"]
    room.store.save_agent(replace(room.store.agents()["bea"], away_until=NOW + DAY), Batch("away", NOW))
    room.do("distribute --keep network", 1)
    assert now(room, 1) == ["ana"]


def test_keep_prefers_who_has_the_customers_other_tickets(room: Room) -> None:
    staff(room, ana=ANA, bea=BEA)
    room.do("assign bea", 1)
    room.do("solve", 1)
    first = room.store.thread(1)[0].sender
    room.receive(replace(mail(900, at=room.clock), sender=first), replace(mail(901, at=room.clock), sender=first))
    room.do("distribute --keep network", 6, 7)
    assert now(room, 6, 7) == ["bea", "bea"]
    room.do("distribute network", 2, 3)
    assert now(room, 2, 3) == ["ana", "bea"]


def test_the_ticket_itself_does_not_fill_the_one_who_keeps_it(room: Room) -> None:
    staff(room, ana=replace(ANA, capacity=1))
    room.do("assign ana", 1)
    assert room.do("distribute --keep network", 1).events == []
    assert now(room, 1) == ["ana"]


def test_rules_get_what_people_get(room: Room) -> None:
    """A line of a rule is the same line, in the transaction of the rule."""
    staff(room, ana=ANA, bea=BEA)

    def acts(tx: Tx) -> list[int]:
        batch = Batch("ruled", room.clock, source="rule: vpn")
        calls = script("tag vpn; distribute network --by skill")
        return [done for number in (1, 2) for done in perform_in(tx, room.desk, calls, number, Who(RULES), batch).done]

    assert room.store.write(acts) == [1, 2]
    assert now(room, 1, 2) == ["ana", "bea"]
    assert [describe(r) for r in room.store.log() if r.batch == "ruled" and r.entity == "agent"] == [
        "turn in distributing 0 → 1",
        "turn in distributing 0 → 2",
    ]
