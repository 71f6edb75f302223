"""Opening a store: fit to be trusted, ours, and of this version's schema."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from desk.config import DeskConfig
from desk.errors import NotFound, StoreError
from storage import migrate, place
from storage.outbox import Outbox
from storage.seats import Seats
from storage.sqlite import SqliteConnection, SqliteEngine, blob_path, explained
from storage.team import TeamRoom
from storage.views import Views


class SqliteStore(Views, Outbox, TeamRoom, Seats, SqliteEngine):
    """A `desk.store.Store` in one file (and a second one, for blobs, beside it)."""


def open_sqlite(
    path: Path,
    url: str,
    config: DeskConfig,
    *,
    create: bool,
    upgrade: bool,
    unfinished: bool = False,
    mounts: Path = place.MOUNTS,
) -> SqliteStore:
    """The store at `path`, made when it is not there and `create` says so; StoreError says what is in the way."""
    # Not resolved: a symbolic link is to be seen.
    path = path.absolute()
    place.demand_fit(path, mounts)
    place.demand_file(blob_path(path))
    if not path.exists():
        if not create:
            raise NotFound(
                f"there is no store at {path} yet; make one with: deskhand init, or look around with: deskhand demo"
            )
        try:
            place.create(path)
        except FileExistsError:
            pass
        except OSError as error:
            raise StoreError(f"{path}: cannot be created ({error.strerror})") from error
    store = SqliteStore(path, url, config)
    conn = store.connect(SqliteConnection)
    try:
        with explained(path):
            fresh = migrate.version(conn) == 0
            _prepare(conn, path, create=create, upgrade=upgrade)
            if not unfinished:
                migrate.demand_whole(conn, str(path))
            if fresh:
                # By whoever makes the store: made by the first who keeps mail, it would be a stranger's to the others.
                store._open_blobs()
    except BaseException:
        store.close()
        raise
    finally:
        conn.close()
    return store


def _prepare(conn: sqlite3.Connection, path: Path, *, create: bool, upgrade: bool) -> None:
    """Make or bring up to date what is in the file, and see that it is ours."""
    found = migrate.version(conn)
    if found == 0 and not create and conn.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
        raise NotFound(
            f"the store at {path} is empty; make one with: deskhand init, or look around with: deskhand demo"
        )
    if found == 0 or upgrade:
        conn.execute("PRAGMA journal_mode = WAL")
        conn.execute("PRAGMA synchronous = FULL")
        migrate.upgrade(conn, str(path))
    migrate.demand_current(migrate.version(conn), str(path))
    planted = conn.execute("SELECT type, name FROM sqlite_master WHERE type IN ('trigger', 'view')").fetchall()
    if planted:
        raise StoreError(
            f"{path}: somebody added the {planted[0][0]} {planted[0][1]!r}, which deskhand never makes; ask who, then drop it"
        )


def pending_steps(path: Path) -> list[str]:
    """What an upgrade of the file would do, a line a step; nothing is changed."""
    path = path.absolute()
    place.demand_fit(path)
    if not path.exists():
        raise NotFound(f"there is no store at {path} yet; make one with: deskhand store init")
    with explained(path), closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as conn:
        found = migrate.version(conn)
    if found == 0 or found > migrate.VERSION:
        migrate.demand_current(found, str(path))
        raise NotFound(f"the store at {path} is empty; make one with: deskhand store init")
    return migrate.ahead(found)
