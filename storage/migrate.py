"""Bringing a store's schema up to date, one step at a time, whoever else tries at once."""

from __future__ import annotations

import sqlite3

from desk.errors import StoreError
from storage.migrations import STEPS

VERSION = len(STEPS)


def version(conn: sqlite3.Connection) -> int:
    """The schema version of the store; 0 for an empty file."""
    return int(conn.execute("PRAGMA user_version").fetchone()[0])


def demand_current(conn: sqlite3.Connection, name: str) -> None:
    """Refuse a store that this version of deskhand must not touch."""
    found = version(conn)
    if found > VERSION:
        raise StoreError(
            f"{name}: written by a newer deskhand (schema {found}, this one knows {VERSION}); upgrade deskhand on this host"
        )
    if 0 < found < VERSION:
        raise StoreError(
            f"{name}: needs an upgrade (schema {found}, now {VERSION}); start the relay, or run: deskhand store upgrade"
        )


def upgrade(conn: sqlite3.Connection, name: str) -> list[int]:
    """Run the missing steps, each in a transaction of its own; returns their numbers.

    BEGIN IMMEDIATE makes a second process wait, and look again at the version when it
    gets its turn. A step that is killed leaves nothing behind.
    """
    if version(conn) > VERSION:
        demand_current(conn, name)
    done: list[int] = []
    while version(conn) < VERSION:
        from sqlite_utils import Database

        conn.execute("BEGIN IMMEDIATE")
        try:
            at = version(conn)
            if at < VERSION:
                STEPS[at](Database(conn, execute_plugins=False))
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
