"""How many messages went over each account: what counts, and that no older one is looked at."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from desk.model import DAY, Volume
from storage import open_store
from storage.seats import _VOLUME
from tests.desks import Room


def test_what_came_and_went_counts_by_account_and_day(room: Room) -> None:
    began = room.clock
    room.clock += 2 * DAY
    room.do("reply Hello", 1)
    room.do("note they called", 1)
    room.do("reply Never mind", 2)
    room.undo()
    store, today = room.store, began + DAY
    assert store.volume(began - DAY, today) == {"support": Volume(came=5, went=1, went_today=1)}
    assert store.volume(today, today) == {"support": Volume(went=1, went_today=1)}
    assert store.volume(room.clock + DAY, room.clock + DAY) == {}


@pytest.mark.sqlite("a plan of SQLite")
def test_only_the_messages_of_those_days_are_counted(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    open_store(f"sqlite:///{tmp_path}/desk.db", create=True).close()
    conn = sqlite3.connect(tmp_path / "desk.db")
    plan = " ".join(row[3] for row in conn.execute(f"EXPLAIN QUERY PLAN {_VOLUME}", (0, 0)))
    conn.close()
    assert "INDEX message_volume (at>?)" in plan, plan
