"""A reader that follows the log misses nothing: its lines appear in the order of their numbers, on every engine."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from desk.lines import script
from desk.perform import perform
from desk.store import Store
from tests.contracts.conftest import ENGINES
from tests.desks import NOW
from tests.storage.crowd import Work, at_once, engines, furnished, opened

WRITERS = 8
TICKETS = 40
READERS = 2
QUIET = 10
"""So many seconds without news are the end."""


@pytest.fixture
def url(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    return ENGINES[engine](request, tmp_path)


def write_or_follow(number: int, url: str, changes: int, first: int) -> Work:
    """One of the writers, or of the readers: what was seen in the log, as it was seen."""
    desk, who = opened(url)
    desk.store.last_seq()
    yield
    if number >= WRITERS:
        return _follow(desk.store, first, accepted(changes), patient=number == WRITERS)
    dice = Random(number)
    for turn in range(changes):
        ids = sorted(dice.sample(range(1, TICKETS + 1), 1 + turn % 3))
        # Some write a line, some several: some take longer than others between their first lock and their last.
        line = script(f"rename {number}-{turn}") if turn % 2 else script(f"tag t{turn % 7}; note {number}-{turn}")
        perform(desk, line, ids, who, at=NOW + turn, batch_id=f"{number}-{turn}", dry_run=turn % 10 == 9)
    return []


def accepted(changes: int) -> int:
    """How many of their changes the writers do not take back before the commit."""
    return WRITERS * sum(turn % 10 != 9 for turn in range(changes))


def _follow(store: Store, first: int, batches: int, *, patient: bool) -> list[tuple[int, str]]:
    """The log behind `first` as one sees it who always goes on from the last line they know."""
    seen: list[tuple[int, str]] = []
    known: set[str] = set()
    quiet = 0
    while quiet < QUIET:
        after = seen[-1][0] if seen else first
        newest = store.wait(after, 1.0 if patient or len(known) == batches else 0.002)
        assert newest >= after
        found = store.log(after=after, limit=50)
        assert newest == after or found, f"line {newest} was told of and is not there"
        seen += [(r.seq, f"{r.batch} {r.about} {r.kind}") for r in found]
        known |= {r.batch for r in found}
        # The last one has several lines; if one was missed there is an end, too.
        quiet = 0 if found else QUIET if len(known) == batches else quiet + patient + 0.002 * (not patient)
    return seen


def followed(url: str, changes: int) -> str:
    """Let eight write and two read; what was counted, in a sentence."""
    room = furnished(url, TICKETS)
    first = room.store.last_seq()
    told = at_once(write_or_follow, WRITERS + READERS, url, changes, first)
    last = room.store.last_seq()
    log = [(r.seq, f"{r.batch} {r.about} {r.kind}") for r in room.store.log(after=first, limit=last)]
    assert [seq for seq, _ in log] == list(range(first + 1, last + 1))
    batches = len({line.split()[0] for _, line in log})
    missed = [len(set(log) - {(seq, line) for seq, line in seen}) for seen in told[WRITERS:]]
    back = [sum(b[0] <= a[0] for a, b in pairwise(seen)) for seen in told[WRITERS:]]
    said = f"{WRITERS} writers, {batches} batches, {len(log)} lines; readers missed {missed}, went back {back}"
    assert batches == accepted(changes), said
    assert missed == back == [0] * READERS, said
    assert room.store.check() == [], said
    room.store.close()
    return said


@engines
def test_a_reader_of_the_log_misses_nothing(engine: str, url: str) -> None:
    print(f"order on {engine}: {followed(url, 25)}")


@pytest.mark.torture
@engines
def test_a_reader_of_a_long_log_misses_nothing(engine: str, url: str) -> None:
    print(f"order on {engine}: {followed(url, 2_000)}")
