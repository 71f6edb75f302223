"""The tests once more, on PostgreSQL: with `DESKHAND_TEST_ENGINE=postgresql` each store is a database of its own.

Tests make their stores at `sqlite:///…/desk.db`. Here, and in every Python that a test starts, the
module that opens such addresses is replaced (`tests/redirected`); the product knows nothing of it.
What is about SQLite is marked `sqlite("why")` and left out.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage import open_store
from tests.servers.postgres import Postgres

ENGINE = "DESKHAND_TEST_ENGINE"
HERE = Path(__file__).with_name("redirected")
WANTED = os.environ.get(ENGINE, "sqlite") == "postgresql"

if WANTED:
    import tests.redirected.sitecustomize  # noqa: F401  (it is what does it)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is about SQLite, and what has no store: they are made in folders of tests."""
    if WANTED:
        folders = {"tmp_path", "tmp_path_factory"}
        without = [item for item in items if not folders & _fixtures(item)]
        about = [item for item in items if item.get_closest_marker("sqlite")]
        # Run by `make test` already: they choose their engine themselves.
        chosen = [item for item in items if {"postgresql", "sqlite", "postgres"} & {*_params(item), *_fixtures(item)}]
        left_out = {*without, *about, *chosen}
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=[*left_out])


def _fixtures(item: pytest.Item) -> set[str]:
    """What the test asks for, by whatever way; what comes by itself is left out."""
    return set(getattr(item, "fixturenames", ())) - {"stores", "dropped"}


def _params(item: pytest.Item) -> list[object]:
    """What the test was parametrised with, as far as it is words."""
    call = getattr(item, "callspec", None)
    return [value for value in call.params.values() if isinstance(value, str)] if call else []


def prepared(url: str) -> None:
    """Make an empty store."""
    open_store(url, create=True).close()


@pytest.fixture(scope="session", autouse=WANTED)
def stores(request: pytest.FixtureRequest) -> Iterator[Path]:
    """The list of the stores that were made on the server: path and URL."""
    from storage.opening import MADE, TEMPLATE

    server: Postgres = request.getfixturevalue("postgres")
    with tempfile.TemporaryDirectory(prefix="deskhand-stores-") as folder, pytest.MonkeyPatch.context() as patch:
        made = Path(folder) / "made"
        made.touch()
        template = server.empty()
        prepared(template)
        patch.setenv(TEMPLATE, template)
        patch.setenv(MADE, str(made))
        patch.setenv("PYTHONPATH", str(HERE), prepend=os.pathsep)
        yield made
        drop(server, made, "")


@pytest.fixture(autouse=WANTED)
def dropped(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a test made in its folder goes with it."""
    server, made, folder = (request.getfixturevalue(name) for name in ("postgres", "stores", "tmp_path"))
    yield
    drop(server, made, f"{folder}/")


def drop(server: Postgres, made: Path, folder: str) -> None:
    """Remove the databases of stores in a folder, whoever is connected."""
    from storage.opening import opened

    stores = [line.split("\t") for line in made.read_text().splitlines()]
    for store, path in [*opened.items()]:
        if str(path).startswith(folder):
            store.close()
    for path, url in stores:
        if path.startswith(folder):
            server.drop(url)
    made.write_text("".join(f"{path}\t{url}\n" for path, url in stores if not path.startswith(folder)))
