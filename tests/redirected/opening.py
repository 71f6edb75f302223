"""What stands in for `storage.opening`: a file that names a database, which is the store.

So each path is a store of its own, is there or is not, and can be given to another process, as
with SQLite. `TEMPLATE` in the environment is the URL of an empty store, `MADE` the file that lists
what was made, for whoever removes it.
"""

from __future__ import annotations

import os
import secrets
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from desk.config import DeskConfig
from desk.errors import NotFound
from storage import migrate
from storage.postgres import PostgresStore, open_postgres

TEMPLATE = "DESKHAND_TEST_TEMPLATE"
MADE = "DESKHAND_TEST_MADE"

_real = spec_from_file_location("storage.opening.real", Path(migrate.__file__).with_name("opening.py"))
assert _real
assert _real.loader
real = module_from_spec(_real)
_real.loader.exec_module(real)

opened: WeakKeyDictionary[PostgresStore, Path] = WeakKeyDictionary()
"""The stores of this process, and where they seem to be."""


def open_sqlite(path: Path, url: str, config: DeskConfig, *, create: bool, upgrade: bool, **_: Any) -> PostgresStore:
    """The store whose database `path` names, made when it is not there and `create` says so."""
    path = path.absolute()
    if not path.exists():
        if not create:
            raise NotFound(
                f"there is no store at {path} yet; make one with: deskhand init, or look around with: deskhand demo"
            )
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        fresh.touch(0o600)
        fresh.write_text(database := _database())
        try:
            os.link(fresh, path)
        except FileExistsError:
            pass  # somebody else was faster
        finally:
            fresh.unlink()
            with Path(os.environ[MADE]).open("a") as made:
                made.write(f"{path}\t{database}\n")
    found = path.read_text("latin-1")
    assert found.startswith("postgresql://"), f"{path} is no store of this run: is the test about SQLite?"
    store = open_postgres(found, config, create=create, upgrade=upgrade)
    # As it was asked for: whoever opens it by its address once more gets here again.
    store.url = url
    opened[store] = path
    return store


def pending_steps(path: Path) -> list[str]:
    """What an upgrade of the database would do."""
    from storage import pending_steps as of_database

    if not path.exists():
        return list(real.pending_steps(path))
    return of_database(path.read_text())


def __getattr__(name: str) -> Any:
    """Whatever else the module has is as it was."""
    return getattr(real, name)


def _database() -> str:
    """The URL of a new copy of the empty store."""
    import psycopg
    from psycopg import sql

    template = urlsplit(os.environ[TEMPLATE])
    name = f"desk_{secrets.token_hex(6)}"
    with psycopg.connect(template._replace(path="/postgres").geturl(), autocommit=True) as admin:
        how = sql.SQL("STRATEGY file_copy" if admin.info.server_version >= 150_000 else "")
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {} {}")
        admin.execute(create.format(sql.Identifier(name), sql.Identifier(template.path[1:]), how))
    return template._replace(path=f"/{name}").geturl()
