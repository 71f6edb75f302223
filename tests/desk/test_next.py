"""The next ticket: what comes first, what is left to others, and that nobody gets another's."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC
from itertools import count
from pathlib import Path

from msgspec.structs import replace

from desk import next as following
from desk.lines import script
from desk.model import DAY, MINUTE, Agent, Skill, Team
from desk.perform import Who, perform
from desk.store import Batch
from storage import open_store
from tests.desks import NOW, Room


def order(room: Room, name: str = "sam", at: int | None = None, busy: tuple[int, ...] = ()) -> list[int]:
    """What `name` could do next."""
    agent = room.store.agents()[name]
    return [c.row.ticket.id for c in following.choices(room.store, agent, at or room.clock, UTC, busy)]


def why(room: Room, name: str = "sam", at: int | None = None) -> str:
    """Why the first of it."""
    return following.choices(room.store, room.store.agents()[name], at or room.clock, UTC)[0].why


def change(room: Room, name: str, **fields: object) -> None:
    """Change an agent."""
    room.store.save_agent(replace(room.store.agents()[name], **fields), Batch(room.turn(), NOW))


def test_what_is_due_first_comes_first_and_skill_decides_among_equals(room: Room) -> None:
    assert order(room) == [1, 2, 3, 4, 5]
    change(room, "sam", skills=(Skill("vpn", 2), Skill("invoice", 2, 5)))
    room.do("tag vpn", 4)
    room.do("tag invoice", 5)
    assert order(room) == [5, 4, 1, 2, 3]
    due = room.store.ticket(1).due_at
    assert due is not None
    # One of them is overdue: then that is next, whoever knows it.
    assert order(room, at=due)[0] == 1


def test_a_customer_who_waits_comes_before_a_ticket_nobody_waits_for(room: Room) -> None:
    room.do("reply done", 1)
    room.send()
    assert order(room)[-1] == 1


def test_others_tickets_other_teams_sleepers_and_what_waits_for_the_customer_are_not_mine_to_do(room: Room) -> None:
    room.store.save_team(Team("billing"), Batch("billing", NOW))
    room.do("assign kim", 1)
    room.do("team billing", 2)
    room.do("snooze 2d", 3)
    room.do("status pending", 4)
    assert order(room) == [5]
    change(room, "sam", teams=("billing",))
    assert order(room) == [2, 5]
    room.do("assign sam", 4)
    assert order(room) == [2, 5]
    assert order(room, "kim") == [1, 5]


def test_what_a_colleague_wrote_on_just_now_or_looks_at_is_left_to_them(room: Room) -> None:
    room.do("note 'I look into it.'", 1, by="lee")
    assert order(room) == [2, 3, 4, 5]
    assert order(room, "lee")[0] == 1
    assert order(room, busy=(2,)) == [3, 4, 5]
    room.clock += following.RECENTLY
    assert order(room) == [1, 2, 3, 4, 5]


def test_what_a_colleague_looks_at_stays_mine_when_it_is(room: Room) -> None:
    room.do("assign sam", 2)
    assert order(room, busy=(2,)) == [1, 2, 3, 4, 5]


def test_it_says_why(room: Room) -> None:
    change(room, "sam", skills=(Skill("vpn", 4),), teams=("network",))
    room.do("tag vpn; team network", 3)
    due = room.store.ticket(3).due_at
    assert due is not None
    assert why(room, at=due - 65 * MINUTE) == "due in 1h 05m; nobody's in network; you know vpn (4 of 5)"
    room.do("assign sam", 3)
    assert why(room, at=due + DAY) == "overdue by 1d; yours already; you know vpn (4 of 5)"


def test_take_gives_it_and_undo_takes_it_back(room: Room) -> None:
    taken = following.take(room.desk, room.be("sam"), at=room.clock, new_batch=room.turn)
    assert taken is not None
    assert (taken.row.ticket.id, taken.row.ticket.assignee, taken.why.split("; ")[1]) == (1, "sam", "nobody's")
    room.undo(by="sam")
    assert room.store.ticket(1).assignee is None


def test_with_nothing_to_do_there_is_nothing(room: Room) -> None:
    room.do("solve", 1, 2, 3, 4, 5)
    assert order(room) == []
    assert following.take(room.desk, room.be("sam"), at=room.clock, new_batch=room.turn) is None


def test_agents_who_ask_at_once_never_get_the_same_ticket(tmp_path: Path) -> None:
    tickets, agents = 40, 8
    room = Room.open(tmp_path, tickets=tickets)
    for i in range(agents):
        room.store.save_agent(Agent(f"a{i}"), Batch(f"agent-{i}", NOW))
    room.store.close()
    numbers = count()

    def shift(i: int) -> list[int]:
        # A store of one's own, as each process has one.
        desk = replace(room.desk, store=open_store(room.store.url))
        who = Who(desk.store.agents()[f"a{i}"])
        got: list[int] = []
        try:
            while taken := following.take(desk, who, at=NOW, new_batch=lambda: f"take-{i}-{next(numbers)}"):
                got.append(taken.row.ticket.id)
                perform(desk, script("solve"), got[-1:], who, at=NOW, batch_id=f"solve-{i}-{next(numbers)}")
        finally:
            desk.store.close()
        return got

    with ThreadPoolExecutor(agents) as pool:
        taken = [number for shift_ in pool.map(shift, range(agents)) for number in shift_]
    assert sorted(taken) == list(range(1, tickets + 1))
