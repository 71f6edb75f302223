"""The engines that must keep the contract of `desk.store.Store`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from desk.store import Store
from storage import open_store
from tests.servers.postgres import Postgres


def in_a_file(request: pytest.FixtureRequest, folder: Path) -> str:
    """The address of an empty file."""
    return f"sqlite:///{folder}/desk.db"


def in_a_database(request: pytest.FixtureRequest, folder: Path) -> str:
    """The address of a database with an empty store."""
    server: Postgres = request.getfixturevalue("postgres")
    url = server.copy_of(prepared)
    request.addfinalizer(lambda: server.drop(url))
    return url


def prepared(url: str) -> None:
    """Make an empty store."""
    open_store(url, create=True).close()


ENGINES: dict[str, Callable[[pytest.FixtureRequest, Path], str]] = {
    "postgresql": in_a_database,
    "sqlite": in_a_file,
}
"""Each engine by name, with the address of an empty store of its own."""


@pytest.fixture(params=sorted(ENGINES))
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a store of the engine may be made."""
    return ENGINES[request.param](request, tmp_path)


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """An empty store."""
    made = open_store(url, create=True)
    yield made
    made.close()


@pytest.fixture
def other(url: str, store: Store) -> Iterator[Store]:
    """The same store, opened once more, as another process has it."""
    opened = open_store(url)
    yield opened
    opened.close()
