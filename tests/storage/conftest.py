"""A desk in a SQLite file, and what a test of its inside needs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.desks import Room


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    """Five tickets and a few agents, in tmp_path/desk.db."""
    here = Room.open(tmp_path)
    yield here
    here.store.close()
