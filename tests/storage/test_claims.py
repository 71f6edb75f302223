"""What many want at once, one gets: tickets by `next`, and deliveries by the relays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from desk import next as upcoming
from desk.model import DAY, State
from desk.perform import Who
from desk.query import EVERYTHING, Env, parse
from tests.contracts.conftest import ENGINES
from tests.desks import NOW
from tests.storage.crowd import Work, at_once, engines, furnished, opened

RELAYS = 8


@pytest.fixture
def url(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    return ENGINES[engine](request, tmp_path)


def take(number: int, url: str) -> Work:
    """Take the next ticket until none is left that is nobody's; the tickets that were got."""
    desk, _ = opened(url)
    agent = desk.store.agents()[f"agent{number}"]
    won: list[int] = []
    turns = 0
    yield

    def batch() -> str:
        nonlocal turns
        turns += 1
        return f"take-{number}-{turns}"

    while desk.store.ids(parse("is:open is:unassigned", Env(NOW)), limit=1):
        # What one has already is not offered again: it is looked at.
        found = upcoming.take(desk, Who(agent), at=NOW, new_batch=batch)
        if found is not None and found.row.ticket.id not in won:
            won.append(found.row.ticket.id)
        if found is not None:
            # Solved by hand, so that it is not the next one once more.
            upcoming.perform(desk, upcoming.script("solve"), [won[-1]], Who(agent), at=NOW, batch_id=batch())
    return won


def relay(number: int, url: str) -> Work:
    """Claim and send until nothing is left; the deliveries that went out."""
    desk, _ = opened(url)
    sent: list[int] = []
    yield
    name = f"relay{number}"
    while claimed := desk.store.claim(name, NOW + DAY, NOW + 2 * DAY, 3):
        for one in claimed:
            if desk.store.phase(one.delivery.id, name, "data", NOW + 2 * DAY):
                sent.append(one.delivery.id)
            assert desk.store.settle(one.delivery.id, name, State.SENT, NOW + DAY)
    return sent


def counted(told: list[list[Any]], all_of_them: set[int]) -> tuple[int, int]:
    """How many nobody got, and how many more than one."""
    got = Counter(n for one in told for n in one)
    return len(all_of_them - got.keys()), sum(count > 1 for count in got.values())


def taken(url: str, processes: int, tickets: int) -> str:
    """Let so many take so many; what was counted, in a sentence."""
    room = furnished(url, tickets, processes)
    everything = set(room.store.ids(EVERYTHING))
    told = at_once(take, processes, url)
    missing, double = counted(told, everything)
    theirs = sum(room.store.ticket(t).assignee != f"agent{n}" for n, won in enumerate(told) for t in won)
    said = f"{processes} processes, {tickets} tickets; taken by nobody {missing}, double {double}, now somebody else's {theirs}"
    assert (missing, double, theirs) == (0, 0, 0), said
    assert room.store.check() == [], said
    room.store.close()
    return said


def sent(url: str, deliveries: int) -> str:
    """Let eight relays send so many; what was counted, in a sentence."""
    room = furnished(url, deliveries)
    room.do("reply hello", *room.store.ids(EVERYTHING))
    waiting = {d.id for d, _ in room.store.outbox((State.QUEUED,), deliveries + 1)}
    missing, double = counted(at_once(relay, RELAYS, url), waiting)
    ended = room.store.outbox((State.SENT,), deliveries + 1)
    again = sum(d.attempts != 1 for d, _ in ended)
    said = f"{RELAYS} relays, {len(waiting)} deliveries; not sent {missing}, double {double}, tried again {again}"
    assert (missing, double, again, len(ended)) == (0, 0, 0, deliveries), said
    assert room.store.check() == [], said
    room.store.close()
    return said


@engines
def test_a_ticket_is_taken_by_one(engine: str, url: str) -> None:
    print(f"double claims on {engine}: {taken(url, 8, 100)}")


@engines
def test_a_delivery_is_claimed_by_one(engine: str, url: str) -> None:
    print(f"double claims on {engine}: {sent(url, 100)}")


@pytest.mark.torture
@engines
def test_a_ticket_of_many_is_taken_by_one(engine: str, url: str) -> None:
    print(f"double claims on {engine}: {taken(url, 32, 1_000)}")


@pytest.mark.torture
@engines
def test_a_delivery_of_many_is_claimed_by_one(engine: str, url: str) -> None:
    print(f"double claims on {engine}: {sent(url, 1_000)}")
