"""Shipped views are counted in an index alone, never ticket by ticket."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from desk.query import Env, parse
from desk.views import SHIPPED, View
from storage import open_store
from storage.find import Finder


@pytest.mark.parametrize("name", [name for name in SHIPPED if name not in ("snoozed", "solved")])
def test_a_shipped_view_is_counted_in_an_index_alone(name: str, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    open_store(f"sqlite:///{tmp_path}/desk.db", create=True).close()
    conn = sqlite3.connect(tmp_path / "desk.db")
    asked: list[str] = []
    conn.set_trace_callback(asked.append)
    try:
        node = parse(View(**SHIPPED[name]).terms(), Env(1_770_000_000_000, "kim"))
        assert Finder(conn, node).count() == 0
        conn.set_trace_callback(None)
        (plan,) = (row[3] for row in conn.execute(f"EXPLAIN QUERY PLAN {asked[-1]}"))
    finally:
        conn.close()
    assert "USING COVERING INDEX" in plan
