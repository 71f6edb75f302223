"""What every test of the screen begins with."""

from __future__ import annotations

import pytest

from tui import feed


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that is slow to answer is not away: many tests run at once, on machines with little to spare."""
    monkeypatch.setattr(feed, "SILENT_S", 20.0)
