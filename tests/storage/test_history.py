"""No change is lost and none is done twice, whoever else changes the same thing: the log is a history the rows follow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from desk.errors import Conflict
from desk.lines import script
from desk.perform import perform
from desk.query import EVERYTHING
from desk.store import Tx
from tests.contracts.conftest import ENGINES
from tests.desks import NOW, Room
from tests.storage.crowd import Work, at_once, engines, furnished, opened

WRITERS = 8
TICKETS = 3


@pytest.fixture
def url(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    return ENGINES[engine](request, tmp_path)


def edit(number: int, url: str, edits: int) -> Work:
    """Change a few tickets, every other time only as they were seen; what was accepted: batch, ticket, version expected."""
    desk, who = opened(url)
    dice, accepted, refused = Random(number), [], 0
    yield
    for turn in range(edits):
        ticket = dice.randint(1, TICKETS)
        seen = desk.store.ticket(ticket).version if turn % 2 else None
        expect = {} if seen is None else {ticket: seen}
        own = f"own{number}"
        line = f"rename {number}-{turn}" if turn % 4 < 2 else f"tag {own}" if turn % 8 < 4 else f"untag {own}"
        batch = f"{number}-{turn}"
        try:
            done = perform(desk, script(line), [ticket], who, at=NOW + turn, batch_id=batch, expect=expect)
        except Conflict:
            refused += 1
            continue
        if done.changed:
            accepted.append((batch, ticket, seen))
    return {"accepted": accepted, "refused": refused}


def count(number: int, url: str, steps: int) -> Work:
    """Move a place on as the relay does: only from where it was thought to be; how often that was so."""
    desk, _ = opened(url)
    yield
    moved = 0
    for _ in range(steps):
        here = int(desk.store.cursor("place") or 0)

        def on(tx: Tx, here: int = here) -> bool:
            if int(tx.cursor("place") or 0) != here:
                return False
            tx.set_cursor("place", str(here + 1))
            return True

        moved += desk.store.write(on)
    return moved


def history(room: Room, ticket: int, first: int, versions: dict[str, int | None]) -> list[str]:
    """What is wrong with the history of a ticket: each line goes on from where the one before it ended."""
    wrong = []
    log = [r for r in room.store.log(ticket=ticket, after=first, limit=1 << 30) if r.kind == "Changed"]
    now = room.store.ticket(ticket)
    subject: Any = None
    tags: set[str] = set()
    for place, record in enumerate(log):
        data = record.data
        if data["field"] == "subject":
            wrong += [f"#{ticket} {record.batch}: from {data['removed']}, it was {subject}"] * (
                subject not in (None, data["removed"])
            )
            subject = data["added"]
        else:
            came, went = set(data["added"] or ()), set(data["removed"] or ())
            wrong += [f"#{ticket} {record.batch}: {sorted(tags)} +{came} -{went}"] * (
                bool(came & tags) or not went <= tags
            )
            tags = tags - went | came
        expected = versions.get(record.batch, -1)
        if expected is not None and expected != BEFORE + place:
            wrong.append(f"#{ticket} {record.batch}: accepted as of version {expected}, came at {BEFORE + place}")
    wrong += [f"#{ticket} is called {now.subject}, by the log {subject}"] * (now.subject != subject)
    wrong += [f"#{ticket} has {now.tags}, by the log {sorted(tags)}"] * (set(now.tags) != tags)
    wrong += [f"#{ticket} is at {now.version}, by the log {BEFORE + len(log)}"] * (now.version != BEFORE + len(log))
    return wrong


BEFORE = 1
"""The version of a ticket that has just come in."""


def edited(url: str, edits: int) -> str:
    """Let eight edit; what was counted, in a sentence."""
    room = furnished(url, TICKETS)
    first = room.store.last_seq()
    assert {t.ticket.version for t in room.store.rows(room.store.ids(EVERYTHING))} == {BEFORE}
    told = at_once(edit, WRITERS, url, edits)
    accepted = {batch: (ticket, seen) for one in told for batch, ticket, seen in one["accepted"]}
    log = Counter(r.batch for r in room.store.log(after=first, limit=1 << 30))
    lost, doubled, uninvited = (
        len(accepted.keys() - log),
        sum(n > 1 for n in log.values()),
        len(log.keys() - accepted.keys()),
    )
    wrong = [
        w
        for ticket in range(1, TICKETS + 1)
        for w in history(room, ticket, first, {b: seen for b, (t, seen) in accepted.items() if t == ticket})
    ]
    said = (
        f"{WRITERS} writers x {edits} edits, {len(accepted)} accepted, {sum(one['refused'] for one in told)} refused; "
        f"lost {lost}, doubled {doubled}, not accepted {uninvited}, out of order {len(wrong)}"
    )
    assert lost == doubled == uninvited == 0, said
    assert wrong == [], f"{said}: {wrong[:5]}"
    assert len(accepted) >= WRITERS * edits // 4, said
    assert room.store.check() == [], said
    room.store.close()
    return said


def moved(url: str, steps: int) -> str:
    """Let eight move one place on; what was counted, in a sentence."""
    room = furnished(url, 0)
    room.store.write(lambda tx: tx.set_cursor("place", "0"))
    told = at_once(count, WRITERS, url, steps)
    place = int(room.store.cursor("place") or 0)
    room.store.close()
    said = f"{WRITERS} x {steps} guarded steps, {sum(told)} taken, the place is {place}"
    assert sum(told) == place >= steps, said
    return said


@engines
def test_no_change_is_lost(engine: str, url: str) -> None:
    print(f"lost updates on {engine}: {edited(url, 200)}")


@engines
def test_a_place_is_moved_on_by_one_at_a_time(engine: str, url: str) -> None:
    print(f"guarded places on {engine}: {moved(url, 25)}")


@pytest.mark.torture
@engines
def test_no_change_of_many_is_lost(engine: str, url: str) -> None:
    print(f"lost updates on {engine}: {edited(url, 5_000)}")


@pytest.mark.torture
@engines
def test_a_place_is_moved_on_by_one_at_a_time_for_long(engine: str, url: str) -> None:
    print(f"guarded places on {engine}: {moved(url, 1_000)}")
