"""Bringing a store's schema up to date, one step at a time, whoever else tries at once."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

from desk.errors import StoreError
from storage.migrations import STEPS

if TYPE_CHECKING:
    from storage.sql import Connection

VERSION = len(STEPS)

UNFINISHED = "SELECT value FROM setting WHERE name = 'copying'"
"""What a copy that is under way notes in its target: the source, and the command that goes on with it."""


def version(conn: sqlite3.Connection) -> int:
    """The schema version of a SQLite file; 0 for an empty one."""
    return int(conn.execute("PRAGMA user_version").fetchone()[0])


def postgres_version(conn: Connection) -> int:
    """The schema version of a database; 0 where there is no store in it."""
    if conn.execute("SELECT to_regclass('counter')").fetchone()[0] is None:
        return 0
    row = conn.execute("SELECT value FROM counter WHERE name = 'schema'").fetchone()
    return int(row[0]) if row else 0


def demand_current(found: int, name: str) -> None:
    """Refuse a store that this version of deskhand must not touch."""
    if found > VERSION:
        raise StoreError(
            f"{name}: written by a newer deskhand (schema {found}, this one knows {VERSION}); upgrade deskhand on this host"
        )
    if 0 < found < VERSION:
        raise StoreError(
            f"{name}: needs an upgrade (schema {found}, now {VERSION}); start the relay, or run: deskhand store upgrade"
        )


def demand_whole(conn: Any, name: str) -> None:
    """Refuse a store of which only a part is there so far."""
    row = conn.execute(UNFINISHED).fetchone()
    if row:
        from json import loads

        raise StoreError(f"{name}: is being copied into; finish it with: {loads(row[0])['finish']}")


def ahead(found: int) -> list[str]:
    """What an upgrade from the version `found` would do, a line a step."""
    return [
        f"{number}: {(step.__doc__ or '').splitlines()[0]}" for number, step in enumerate(STEPS, 1) if number > found
    ]


def upgrade(conn: sqlite3.Connection, name: str) -> list[int]:
    """Run the missing steps on a SQLite file, each in a transaction of its own; returns their numbers.

    BEGIN IMMEDIATE makes a second process wait, and look again at the version when it
    gets its turn. A step that is killed leaves nothing behind.
    """
    if version(conn) > VERSION:
        demand_current(version(conn), name)
    done: list[int] = []
    while version(conn) < VERSION:
        from storage.schema import SqliteSchema

        conn.execute("BEGIN IMMEDIATE")
        try:
            at = version(conn)
            if at < VERSION:
                STEPS[at](SqliteSchema(conn))
                if not conn.in_transaction:
                    raise StoreError(f"{name}: step {at + 1} of the upgrade ended its own transaction")
                conn.execute(f"PRAGMA user_version = {at + 1}")
                done.append(at + 1)
            conn.execute("COMMIT")
        except BaseException:
            if conn.in_transaction:
                conn.execute("ROLLBACK")
            raise
    return done


def postgres_upgrade(conn: Connection) -> list[int]:
    """Run the missing steps on a database, inside the transaction of the caller; returns their numbers.

    A second process waits for the first, and then finds nothing left to do.
    """
    from storage.grants import renew
    from storage.schema import PostgresSchema

    conn.execute("SELECT pg_advisory_xact_lock(hashtext('deskhand upgrade'))")
    found = postgres_version(conn)
    for step in STEPS[found:]:
        step(PostgresSchema(conn))
    counted = (
        "INSERT INTO counter (name, value) VALUES ('schema', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
    )
    if found < VERSION:
        conn.execute(counted, (VERSION,))
        renew(conn)
    return list(range(found + 1, VERSION + 1))
