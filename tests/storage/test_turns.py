"""Writers stand in line: who has just committed goes behind those who wait."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from desk.store import Store
from storage import open_store, sqlite

pytestmark = pytest.mark.sqlite("the line before the writer of a file")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = open_store(f"sqlite:///{tmp_path}/desk.db", create=True)
    made.set_setting("begun", "yes")
    yield made
    made.close()


@contextmanager
def first_in_line(folder: Path) -> Iterator[None]:
    """Stand in line before everybody else, as another process would."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def test_a_writer_waits_for_who_came_before(store: Store, tmp_path: Path) -> None:
    wrote = threading.Event()

    def write() -> None:
        store.set_setting("late", "yes")
        wrote.set()

    with first_in_line(tmp_path):
        writer = threading.Thread(target=write)
        writer.start()
        assert not wrote.wait(0.1)
    assert wrote.wait(5)
    writer.join()


def test_a_line_that_does_not_move_keeps_nobody_for_ever(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "_LINE_S", 0.01)
    with first_in_line(tmp_path):
        store.set_setting("anyway", "yes")
    assert store.setting("anyway") == "yes"


def test_nobody_stands_in_line_while_they_write(store: Store, tmp_path: Path) -> None:
    def body(tx: object) -> str:
        with first_in_line(tmp_path):
            return "the line is free"

    assert store.write(body) == "the line is free"
