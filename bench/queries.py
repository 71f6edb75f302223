"""Each query of bench/queries.txt against a store: the first page, in this process, warm."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench.stores import LIVE, store_of
from desk.query import Env, parse
from storage import open_store

if TYPE_CHECKING:
    from desk.store import Store

LIST = Path(__file__).with_name("queries.txt")


def queries(tickets: int, turns: int, live: float = LIVE) -> dict[str, tuple[float, float]]:
    """(median, worst) seconds of each query, first page of 50 in its natural order."""
    store = open_store(f"sqlite:///{store_of(tickets, live)}")
    lines = [line for line in LIST.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    try:
        return {line: _timed(store, line, turns) for line in lines}
    finally:
        store.close()


def _timed(store: Store, line: str, turns: int) -> tuple[float, float]:
    spent = []
    for turn in range(turns + 1):
        begun = time.perf_counter()
        node = parse(line, Env(time.time_ns() // 1_000_000, "ash", ("billing",)))
        store.page(node, sort=store.natural_sort(node), agent="ash")
        if turn:
            spent.append(time.perf_counter() - begun)
    return statistics.median(spent), max(spent)


__all__ = ["LIST", "queries"]
