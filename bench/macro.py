"""A macro over many tickets, and what others wait meanwhile: one process runs it, another acts on a ticket of its own."""

from __future__ import annotations

import multiprocessing
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

from bench.stores import store_of
from desk import lines, macros
from desk.config import DeskConfig
from desk.macros import Macro
from desk.perform import Desk, Who, new_batch_id, perform
from desk.query import Env, parse
from desk.threads import Signer
from storage import open_store

MACRO = Macro(
    when="is:open",
    inputs=(macros.Input("reason"),),
    do=(
        'note "{{ customer.name|default("somebody") }} wrote: {{ message.text|truncate(200) }}"',
        "tag swept {{ ticket.status }}",
        "assign {{ agent.name }}",
        "status pending",
    ),
)
"""What it does to each ticket: a note that quotes the customer, tags, an agent, a status."""


def measure(tickets: int, turns: int) -> tuple[list[float], list[float]]:
    """Seconds of a run over so many tickets, and seconds of each single action of another process meanwhile."""
    source = store_of(tickets + 1, 1.0).parent
    runs: list[float] = []
    others: list[float] = []
    for turn in range(turns):
        with tempfile.TemporaryDirectory(prefix="deskhand-bench-") as folder:
            place = Path(folder) / "store"
            shutil.copytree(source, place)
            place.chmod(0o700)
            url = f"sqlite:///{place / 'desk.db'}"
            with _colleague(url) as waits:
                runs.append(_run(url, tickets, turn))
            others += waits
    return runs, others


def _desk(url: str) -> tuple[Desk, Who]:
    config = DeskConfig()
    store = open_store(url, config)
    return Desk(store, config, Signer(b"bench")), Who(store.agents()["ash"])


def _run(url: str, tickets: int, turn: int) -> float:
    desk, who = _desk(url)
    at = time.time_ns() // 1_000_000
    ids = desk.store.ids(parse("is:open id:2..", Env(at)), limit=tickets)
    begun = time.perf_counter()
    ready = macros.prepare(desk, "sweep", MACRO, ids, who, at=at, given={"reason": "bench"})
    outcome = macros.run(desk, ready, who, at=at, batch_id=new_batch_id(at, b"%d" % turn))
    took = time.perf_counter() - begun
    assert len(outcome.done) == len(ids), next(iter(outcome.skipped.values()), "")
    desk.store.close()
    return took * tickets / len(ids)


@contextmanager
def _colleague(url: str) -> Iterator[list[float]]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_act, args=(url, theirs))
    process.start()
    waits: list[float] = []
    ours.recv()
    try:
        yield waits
    finally:
        ours.send("enough")
        waits += ours.recv()
        process.join()


def _act(url: str, told: Connection) -> None:
    """Change the priority of ticket 1 again and again, as somebody who types fast."""
    desk, who = _desk(url)
    waits: list[float] = []
    told.send("ready")
    while not told.poll(0.02):
        at = time.time_ns() // 1_000_000
        line = f"priority {('low', 'high')[len(waits) % 2]}"
        begun = time.perf_counter()
        perform(desk, lines.script(line), [1], who, at=at, batch_id=new_batch_id(at, line.encode()))
        waits.append(time.perf_counter() - begun)
    told.send(waits)
    desk.store.close()
