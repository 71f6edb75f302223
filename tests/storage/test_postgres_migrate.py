"""A schema of PostgreSQL is brought up to date whole or not at all, whoever is killed on the way."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from desk.errors import DeskError, StoreError
from storage import migrate, open_store, pending_steps
from storage.postgres import PostgresConnection
from storage.schema import Schema
from tests.servers.postgres import Postgres

NUMBER = migrate.VERSION + 1


def another(schema: Schema) -> None:
    """Another table, and what is in it."""
    schema.table("another", {"x": int, "y": str}, "x")
    for number in range(3):
        schema.run(f"INSERT INTO another (x, y) VALUES ({number}, 'y')")
    schema.run("ALTER TABLE team ADD COLUMN colour TEXT")


def made(url: str) -> None:
    """Make a store of the first schema."""
    open_store(url, create=True).close()


@pytest.fixture
def older(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A store that lacks the last step."""
    url = postgres.copy_of(made)
    monkeypatch.setattr(migrate, "STEPS", (*migrate.STEPS, another))
    monkeypatch.setattr(migrate, "VERSION", NUMBER)
    yield url
    postgres.drop(url)


def test_an_older_schema_waits_for_whoever_may_upgrade(older: str) -> None:
    for _ in range(2):
        assert pending_steps(older) == [f"{NUMBER}: Another table, and what is in it."]
    with pytest.raises(StoreError, match=r"needs an upgrade .* start the relay, or run: deskhand store upgrade"):
        open_store(older)
    open_store(older, upgrade=True).close()
    assert pending_steps(older) == []
    open_store(older).close()


def test_a_newer_schema_is_refused(postgres: Postgres) -> None:
    url = postgres.copy_of(made)
    with psycopg.connect(url) as conn:
        conn.execute("UPDATE counter SET value = %s WHERE name = 'schema'", (NUMBER,))
    for how in ({}, {"create": True}, {"upgrade": True}):
        with pytest.raises(StoreError, match=r"written by a newer deskhand .* upgrade deskhand on this host"):
            open_store(url, **how)
    with pytest.raises(StoreError, match="written by a newer deskhand"):
        pending_steps(url)
    postgres.drop(url)


def test_two_who_upgrade_at_once_do_it_once(older: str) -> None:
    def upgraded(_: int) -> None:
        open_store(older, upgrade=True).close()

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(upgraded, range(3)))
    assert pending_steps(older) == []


class Killed(BaseException):
    """What the death of the client looks like from inside."""


@pytest.mark.parametrize("who", ["client", "server"])
def test_an_upgrade_that_is_killed_at_any_statement_leaves_nothing(
    older: str, postgres: Postgres, monkeypatch: pytest.MonkeyPatch, who: str
) -> None:
    killed_at_every_statement(older, postgres, monkeypatch, who, 1, upgrade=True)


@pytest.mark.parametrize("who", ["client", "server"])
def test_a_store_that_is_killed_while_it_is_made_is_made_by_the_next(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch, who: str
) -> None:
    url = postgres.empty()
    killed_at_every_statement(url, postgres, monkeypatch, who, 9, create=True)
    postgres.drop(url)


def killed_at_every_statement(
    url: str, postgres: Postgres, monkeypatch: pytest.MonkeyPatch, who: str, every: int, **how: bool
) -> None:
    """Upgrade, and die at a statement, then at a later one, and so on, until a run is clean."""
    execute = PostgresConnection.execute
    left = 0

    def dying(conn: PostgresConnection, *args: Any) -> Any:
        nonlocal left
        left -= 1
        if left == 0:
            pid = conn.raw.info.backend_pid
            if who == "client":
                # Nobody says goodbye to the server: it finds the wire cut.
                conn.raw.pgconn.finish()
                raise Killed
            with postgres.admin() as admin:
                admin.execute("SELECT pg_terminate_backend(%s, 10000)", (pid,))
        return execute(conn, *args)

    monkeypatch.setattr(PostgresConnection, "execute", dying)
    with psycopg.connect(url, autocommit=True) as look:
        before = tables(look)
        for stop in range(1, 1_000, every):
            left = stop
            try:
                open_store(url, **how).close()
            except (Killed, DeskError):
                left = 0
                # All of it or nothing; and the last look at it comes after the commit.
                assert tables(look) == before or pending_steps(url) == []
                continue
            break
    left = 0
    assert stop > 5
    assert pending_steps(url) == []
    open_store(url).close()


def tables(conn: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    """All columns of all tables."""
    statement = (
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2"
    )
    return conn.execute(statement).fetchall()
