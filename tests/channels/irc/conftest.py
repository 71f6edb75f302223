"""IRC servers for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers.ngircd import Inspircd, Ngircd


@pytest.fixture
def ngircd() -> Iterator[Ngircd]:
    """A plain server."""
    server = Ngircd()
    yield server
    server.stop()


@pytest.fixture
def inspircd() -> Iterator[Inspircd]:
    """A server with tags and replay."""
    server = Inspircd()
    yield server
    server.stop()
