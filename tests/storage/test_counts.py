"""Shipped views are counted along the index that holds all they ask for, not ticket by ticket."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest

from desk.query import Env, parse
from desk.views import SHIPPED, View
from storage import open_store
from storage.find import Finder
from storage.fts5 import Fts5
from storage.sqlite import SqliteConnection

pytestmark = pytest.mark.sqlite("plans and steps of SQLite")

INDEXES = {
    "mine": ["ticket_assignee"],
    "unassigned": ["ticket_assignee"],
    "due-soon": ["ticket_due"],
    "breached": ["ticket_due"],
    "waiting": ["ticket_waiting"],
    "snoozed": ["ticket_snoozed", "ticket_snoozed"],
    "open": ["ticket_due"],
    "solved": ["ticket_solved"],
}


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_view_is_counted_along_its_index(name: str, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    open_store(f"sqlite:///{tmp_path}/desk.db", create=True).close()
    conn = sqlite3.connect(tmp_path / "desk.db", factory=SqliteConnection)
    asked: list[str] = []
    conn.set_trace_callback(asked.append)
    try:
        node = parse(View(**SHIPPED[name]).terms(), Env(1_770_000_000_000, "kim"))
        assert Finder(conn, node, Fts5(conn)).count() == 0
        conn.set_trace_callback(None)
        plan = " ".join(row[3] for row in conn.execute(f"EXPLAIN QUERY PLAN {asked[-1]}"))
    finally:
        conn.close()
    assert re.findall(r"INDEX (ticket_\w+)", plan) == INDEXES[name]
