"""Many processes on one store: what they get done together, and how soon each sees what another did."""

from __future__ import annotations

import multiprocessing
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.stores import fill
from desk import lines
from desk.config import DeskConfig
from desk.errors import DeskError
from desk.model import Agent
from desk.next import take
from desk.perform import Desk, Who, new_batch_id, perform
from desk.query import EVERYTHING
from desk.store import Batch, Store
from desk.threads import Signer
from storage import open_store

ENGINES = ("sqlite", "postgresql")
_TICKETS = 2_000


@dataclass
class Work:
    """What so many processes did: actions a second, and what went wrong (all of it should be 0)."""

    per_second: float
    lost: int
    doubled: int
    errors: int


@contextmanager
def desk_on(engine: str) -> Iterator[str]:
    """The address of a desk with two thousand open tickets."""
    if engine == "sqlite":
        with TemporaryDirectory(prefix="deskhand-bench-") as folder:
            place = Path(folder) / "store"
            place.mkdir(mode=0o700)
            url = f"sqlite:///{place}/desk.db"
            fill(url, _TICKETS, 1.0)
            yield url
        return
    from tests.servers.postgres import Postgres

    with Postgres(durable=True) as server:
        url = server.empty()
        fill(url, _TICKETS, 1.0)
        yield url


def work(url: str, processes: int, seconds: float) -> Work:
    """Let so many processes act on random tickets, and then take tickets until none is left."""
    store = open_store(url)
    for number in range(processes):
        store.save_agent(Agent(f"agent{number}"), Batch(f"agent{number}", _now()))
    before = _versions(store)
    told = list(_each(partial(_act, url=url, seconds=seconds), processes))
    lost = sum(changed for changed, _, _ in told) - (_versions(store) - before)
    taken = [number for _, numbers, _ in told for number in numbers]
    store.close()
    acted = sum(changed for changed, _, _ in told) - 2 * len(taken)
    return Work(acted / seconds, lost, len(taken) - len(set(taken)), sum(errors for _, _, errors in told))


def seen(url: str, terminals: int, changes: int) -> list[float]:
    """Seconds from each commit until each of so many others has heard of it."""
    desk, who = _desk(url, 0)
    context = multiprocessing.get_context("spawn")
    pipes = [context.Pipe() for _ in range(terminals)]
    watchers = [context.Process(target=_watch, args=(url, theirs)) for _, theirs in pipes]
    for watcher in watchers:
        watcher.start()
    for ours, _ in pipes:
        ours.recv()
    found: list[float] = []
    for turn in range(changes):
        time.sleep(0.1)
        _do(desk, who, 1, f"note change {turn}", random.Random(turn))
        done = time.time()
        seq = desk.store.last_seq()
        for ours, _ in pipes:
            while (heard := ours.recv())[0] < seq:
                pass
            found.append(max(heard[1] - done, 0.0))
    for ours, _ in pipes:
        ours.send("enough")
    for watcher in watchers:
        watcher.join()
    desk.store.close()
    return found


def _versions(store: Store) -> int:
    return sum(row.ticket.version for row in store.rows(store.ids(EVERYTHING)))


def _desk(url: str, number: int) -> tuple[Desk, Who]:
    config = DeskConfig()
    store = open_store(url, config)
    return Desk(store, config, Signer(b"bench")), Who(store.agents()[f"agent{number}"])


def _each(run: Callable[..., None], processes: int) -> Iterator[Any]:
    """What each of so many processes says in the end; they begin together."""
    context = multiprocessing.get_context("spawn")
    pipes = [context.Pipe() for _ in range(processes)]
    started = [context.Process(target=run, args=(number, theirs)) for number, (_, theirs) in enumerate(pipes)]
    for process in started:
        process.start()
    for step in ("begin", "take"):
        for ours, _ in pipes:
            ours.recv()
        for ours, _ in pipes:
            ours.send(step)
    for ours, _ in pipes:
        yield ours.recv()
    for process in started:
        process.join()


def _act(number: int, told: Connection, url: str, seconds: float) -> None:
    desk, who = _desk(url, number)
    dice = random.Random(number)
    changed = errors = 0
    told.send("ready")
    told.recv()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        line = dice.choice(
            ("priority low", "priority high", "priority urgent", f"tag t{dice.randrange(9)}", "note looked at")
        )
        try:
            changed += bool(_do(desk, who, dice.randrange(1, _TICKETS), line, dice).events)
        except DeskError:
            errors += 1
    told.send("ready")
    told.recv()
    taken: list[int] = []
    for _ in range(10):
        choice = take(desk, who, at=_now(), new_batch=lambda: new_batch_id(_now(), dice.randbytes(8)))
        if choice is not None:
            taken.append(choice.row.ticket.id)
            # Out of the way, so that the next is another one.
            changed += 1 + bool(_do(desk, who, taken[-1], "status pending", dice).events)
    told.send((changed, taken, errors))
    desk.store.close()


def _do(desk: Desk, who: Who, ticket: int, line: str, dice: random.Random) -> Any:
    at = _now()
    return perform(desk, lines.script(line), [ticket], who, at=at, batch_id=new_batch_id(at, dice.randbytes(8)))


def _watch(url: str, told: Connection) -> None:
    """What a screen does: wait, and say when something came."""
    store = open_store(url)
    seq = store.last_seq()
    told.send((seq, 0.0))
    while not told.poll(0):
        now = store.wait(seq, 0.5)
        if now > seq:
            told.send((now, time.time()))
            seq = now
    store.close()


def _now() -> int:
    return time.time_ns() // 1_000_000
