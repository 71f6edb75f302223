"""A primary that dies under load: nothing that was acknowledged is lost or doubled, and work goes on by itself."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from random import Random

import pytest

from desk.errors import Away, Unsure
from desk.lines import script
from desk.model import DAY, State
from desk.perform import perform
from desk.store import Store
from tests.contracts.conftest import prepared
from tests.desks import NOW, Room
from tests.servers import eventually
from tests.servers.postgres import name
from tests.servers.replication import Pair
from tests.storage.crowd import Crowd, Work, furnished, notes, opened, told_to_stop

WRITERS = 3
TICKETS = 30
AGAIN_S = 10.0
"""Within so many seconds from the new primary's start everybody writes again."""

PAUSE_S = 0.02

WAITING = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep' LIMIT 1"
SENDER = "SELECT pid FROM pg_stat_replication WHERE state = 'streaming'"


def write(number: int, url: str) -> Work:
    """Answer, note, claim and settle, whatever becomes of the server; notes each change once it is acknowledged."""
    desk, who = opened(url)
    store, dice, told = desk.store, Random(number), Counter[str]()
    yield
    with notes(number) as note:
        turn = 0
        while not told_to_stop():
            turn += 1
            batch = f"w{number}-{turn}"
            ticket = dice.randint(1, TICKETS)
            line = script(f"reply {batch}" if turn % 3 else f"note {batch}")
            while True:
                try:
                    perform(desk, line, [ticket], who, at=NOW + turn, batch_id=batch)
                except Unsure:
                    told["unsure"] += 1
                    if _stands(store, batch):
                        break
                except Away:
                    told["away"] += 1
                    time.sleep(PAUSE_S)
                    if told_to_stop():
                        return told
                else:
                    break
            note(f"{time.monotonic():.3f} {batch}")
            time.sleep(PAUSE_S / 4)
            if turn % 5 == 0:
                _send(store, f"relay{number}", note, told)
    return told


def _stands(store: Store, batch: str) -> bool:
    while True:
        try:
            return bool(store.done(batch))
        except Away:
            time.sleep(PAUSE_S)


def _send(store: Store, holder: str, note: object, told: Counter[str]) -> None:
    """Claim what is due, pretend to send it, settle; a relay that cannot settle tries until it can."""
    try:
        claimed = store.claim(holder, NOW + DAY, NOW + 2 * DAY, 5)
    except Away:
        return
    for one in claimed:
        note(f"{time.monotonic():.3f} sent {one.delivery.id}")
        while not told_to_stop():
            try:
                told["settled"] += store.settle(one.delivery.id, holder, State.SENT, NOW + DAY)
                break
            except Away:
                told["away"] += 1
                time.sleep(PAUSE_S)


class Reader:
    """Follows the log, as a screen does."""

    def __init__(self, url: str) -> None:
        self.store = opened(url)[0].store
        self.seen: list[tuple[int, str]] = []
        self.away = 0
        self.errors: list[str] = []
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._follow)
        self._thread.start()

    def _follow(self) -> None:
        while not self._done.is_set():
            after = self.seen[-1][0] if self.seen else 0
            try:
                if self.store.wait(after, 0.5) > after:
                    self.seen += [(r.seq, r.batch) for r in self.store.log(after=after, limit=200)]
            except Away:
                self.away += 1
                time.sleep(PAUSE_S)
            except Exception as error:
                self.errors.append(repr(error))
                return

    def end(self) -> None:
        self._done.set()
        self._thread.join(30)
        self.store.close()


@pytest.fixture
def pair() -> Iterator[Pair]:
    with Pair() as pair:
        yield pair


def rounds(pair: Pair, count: int) -> str:
    """So many times: kill the primary, promote the standby, let the other follow; what was counted, in a sentence."""
    database = name(pair.primary.copy_of(prepared))
    url = pair.url(database)
    room = furnished(url, TICKETS)
    first = room.store.last_seq()
    reader = Reader(url)
    worst = 0.0
    with Crowd(write, WRITERS, url) as crowd:
        try:
            for number in range(1, count + 1):
                _all_go_on(crowd, time.monotonic())
                _lag(pair, heard=number % 2 == 1)
                pair.kill_primary()
                pair.standby.thaw()
                pair.promote()
                begun = time.monotonic()
                worst = max(worst, _all_go_on(crowd, begun))
                if number < count:
                    pair.rejoin()
        finally:
            crowd.stop()
        told = sum((Counter(one) for one in crowd.results()), Counter[str]())
        noted = [line.split(" ", 1)[1] for lines in crowd.noted().values() for line in lines]
    last = room.store.last_seq()
    eventually(lambda: reader.errors or (reader.seen and reader.seen[-1][0] == last), "the reader to see the last line")
    reader.end()
    began = f"{count} rounds, {WRITERS} writers, away {told['away']} and unsure {told['unsure']} times"
    said = _judged(room, reader, first, noted, f"{began}; writing again after {worst:.2f} s at worst")
    assert worst < AGAIN_S, said
    return said


def _lag(pair: Pair, *, heard: bool) -> None:
    """Let commits wait for the standby, which does not answer: it has what was done, or (not `heard`) was never told."""
    with pair.primary.admin() as admin:
        if heard:
            pair.standby.freeze()
        else:
            (sender,) = admin.execute(SENDER).fetchone() or (0,)
            os.kill(sender, signal.SIGSTOP)
        eventually(lambda: admin.execute(WAITING).fetchone(), "commits to wait")


def _all_go_on(crowd: Crowd, since: float) -> float:
    """Wait until every writer has done something after `since`; how long the last one took."""

    def first_ones() -> list[float]:
        lines = [[float(line.split()[0]) for line in lines] for lines in crowd.noted().values()]
        return [after[0] for after in ([t for t in times if t > since] for times in lines) if after]

    def all_did() -> bool:
        assert crowd.going(), crowd.results()
        return len(first_ones()) == WRITERS

    eventually(all_did, "every writer to write again", 60)
    return max(first_ones()) - since


def _judged(room: Room, reader: Reader, first: int, noted: list[str], said: str) -> str:
    log = room.store.log(after=first, limit=1 << 30)
    stands = Counter(r.batch for r in log if r.kind == "Posted" and r.batch.startswith("w"))
    acknowledged = Counter(line for line in noted if not line.startswith("sent"))
    sent = Counter(line.split()[1] for line in noted if line.startswith("sent"))
    delivered = Counter(str(r.data["delivery"]) for r in log if r.kind == "Delivered")
    missing, doubled = len(acknowledged.keys() - stands), sum(n > 1 for n in stands.values())
    twice = sum(n > 1 for n in (sent + Counter()).values())
    settled_twice = sum(n > 1 for n in delivered.values())
    gone_by = {(r.seq, r.batch) for r in room.store.log(limit=1 << 30)} ^ set(reader.seen)
    texts = Counter(m.text.strip() for t in range(1, TICKETS + 1) for m in room.store.thread(t) if m.agent)
    said = (
        f"{said}; {len(acknowledged)} acknowledged, missing {missing}, doubled {doubled}; {len(sent)} sent, twice {twice}, "
        f"settled twice {settled_twice}; reader away {reader.away} times, missed {len(gone_by)}"
    )
    assert reader.errors == [], said
    assert missing == doubled == twice == settled_twice == len(gone_by) == 0, said
    assert texts == stands, said
    assert room.store.check() == [], said
    room.store.close()
    return said


def test_a_failover_loses_and_doubles_nothing(pair: Pair) -> None:
    print(f"failover: {rounds(pair, 2)}")


@pytest.mark.torture
def test_twenty_failovers_lose_and_double_nothing(pair: Pair) -> None:
    print(f"failover: {rounds(pair, 20)}")
