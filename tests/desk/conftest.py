"""The desk that most tests of the core work at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.desks import Room


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    """Five tickets, the agents kim (admin), lee (lead), sam (agent) and rob (read-only), the team network."""
    here = Room.open(tmp_path)
    yield here
    here.store.close()
