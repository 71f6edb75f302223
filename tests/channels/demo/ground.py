"""Customers in their own heads."""

from __future__ import annotations

import pytest

from channels.demo import Settings
from tests.channels.grounds import Ground


def ground(request: pytest.FixtureRequest) -> Ground:
    """The sample desk; its customers write by themselves."""
    return Ground("demo", Settings(), lambda: None)
