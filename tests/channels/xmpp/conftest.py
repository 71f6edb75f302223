"""A customer, and an account that is read."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers.prosody import Client, Prosody


@pytest.fixture
def ann(prosody: Prosody) -> Iterator[Client]:
    """A customer who is online."""
    client = prosody.client(prosody.account("ann", "desk.test")).online()
    yield client
    client.close()


@pytest.fixture
def bob(prosody: Prosody) -> Iterator[Client]:
    """Another customer."""
    client = prosody.client(prosody.account("bob", "desk.test")).online()
    yield client
    client.close()


@pytest.fixture
def desk(prosody: Prosody) -> str:
    """The address of an account of the desk."""
    return prosody.account()
