"""Many processes at one store: one claim wins, and no change is lost."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

from desk.errors import Conflict
from desk.lines import parse
from desk.model import DAY, Agent, State
from desk.perform import Desk, Who, perform
from desk.query import EVERYTHING, Env
from desk.query import parse as query
from desk.store import Batch
from desk.threads import Signer
from storage import open_store
from tests.desks import NOW, Room

PROCESSES = 8
ROOT = Path(__file__).parents[2]


def at_once(work: str, url: str) -> list[list[int]]:
    """Run the function `work` of this module in eight processes at once; what each printed."""
    program = f"from tests.storage.test_many import {work}; import sys; {work}(*sys.argv[1:])"
    children = [
        subprocess.Popen([sys.executable, "-c", program, url, str(n)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        for n in range(PROCESSES)
    ]  # fmt: skip
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    said = [json.loads(child.communicate(timeout=120)[0]) for child in children]
    assert [child.returncode for child in children] == [0] * PROCESSES
    return said


def _ready(url: str) -> Desk:
    store = open_store(url)
    store.last_seq()
    print("ready", flush=True)
    sys.stdin.readline()
    return Desk(store, store.config, Signer(b"x" * 32))


def send(url: str, name: str) -> None:
    """Claim and send until nothing is left; prints the deliveries."""
    store = _ready(url).store
    sent: list[int] = []
    while claimed := store.claim(name, NOW + DAY, NOW + 2 * DAY, 3):
        for one in claimed:
            if store.phase(one.delivery.id, name, "data", NOW + 2 * DAY):
                sent.append(one.delivery.id)
            assert store.settle(one.delivery.id, name, State.SENT, NOW + DAY)
    print(json.dumps(sent))


def take(url: str, name: str) -> None:
    """Take every ticket that is nobody's; prints the ones that were won."""
    desk = _ready(url)
    agent = desk.store.agents()[f"agent{name}"]
    won: list[int] = []
    while free := desk.store.ids(query("is:open is:unassigned", Env(NOW)), limit=1):
        try:
            perform(desk, [parse("take")], free, Who(agent), at=NOW, batch_id=f"{name}-{free[0]}-{len(won)}")
            won.append(free[0])
        except Conflict:
            continue
    print(json.dumps(won))


def edit(url: str, name: str) -> None:
    """Change one ticket 200 times, each time only as it was seen; prints how often that was accepted."""
    desk = _ready(url)
    kim = desk.store.agents()["kim"]
    accepted = 0
    for turn in range(200):
        ticket = desk.store.ticket(1)
        try:
            perform(
                desk, [parse(f"rename {name} {turn}")], [1], Who(kim), at=NOW, batch_id=f"{name}-{turn}", expect={1: ticket.version}
            )  # fmt: skip
            accepted += 1
        except Conflict:
            continue
    print(json.dumps([accepted]))


def test_every_delivery_is_claimed_by_one(tmp_path: Path) -> None:
    room = Room.open(tmp_path, 200)
    room.do("reply hello", *room.store.ids(EVERYTHING))
    claims = Counter(n for sent in at_once("send", room.store.url) for n in sent)
    assert len(claims) == 200
    assert set(claims.values()) == {1}
    assert len(room.store.outbox((State.SENT,), 1_000)) == 200
    assert {d.attempts for d, _ in room.store.outbox((State.SENT,), 1_000)} == {1}
    assert room.store.check() == []


def test_every_ticket_is_taken_by_one(tmp_path: Path) -> None:
    room = Room.open(tmp_path, 200)
    for n in range(PROCESSES):
        room.store.save_agent(Agent(f"agent{n}"), Batch(f"agent{n}", NOW))
    won = at_once("take", room.store.url)
    assert Counter(n for mine in won for n in mine) == Counter(range(1, 201))
    for n, mine in enumerate(won):
        assert all(room.store.ticket(number).assignee == f"agent{n}" for number in mine)
    assert room.store.check() == []


def test_no_change_is_lost(tmp_path: Path) -> None:
    room = Room.open(tmp_path, 1)
    before = room.store.ticket(1).version
    accepted = sum(n for (n,) in at_once("edit", room.store.url))
    assert accepted >= 200
    assert room.store.ticket(1).version == before + accepted
    assert len([r for r in room.store.log(ticket=1, limit=5_000) if r.kind == "Changed"]) == accepted
    assert room.store.check() == []
