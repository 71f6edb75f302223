"""The private PostgreSQL servers do what the tests that use them count on."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import sys
from collections.abc import Iterator

import psycopg
import pytest

from tests.servers.postgres import GIVEN, Postgres


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """A server of our own, to do with as we like."""
    with Postgres() as server:
        yield server


def rows(url: str, query: str = "SELECT a FROM t ORDER BY a") -> list[int]:
    """The numbers a query finds."""
    with psycopg.connect(url, connect_timeout=5) as connection:
        return [row[0] for row in connection.execute(query)]


def fill(url: str) -> None:
    """A table with one row."""
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE t (a int)")
        connection.execute("INSERT INTO t VALUES (1)")


def test_databases_are_new_and_apart(server: Postgres) -> None:
    one, two = server.empty(), server.empty()
    fill(one)
    with pytest.raises(psycopg.errors.UndefinedTable):
        rows(two)
    assert rows(server.copy_of(one)) == [1]
    server.drop(one)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        rows(one)


def test_a_copy_is_prepared_once(server: Postgres) -> None:
    filled = []

    def prepare(url: str) -> None:
        filled.append(url)
        fill(url)

    copies = {server.copy_of(prepare) for _ in range(3)}
    assert len(copies) == 3
    assert len(filled) == 1
    assert all(rows(url) == [1] for url in copies)


def test_passwords_are_asked_for(server: Postgres) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(server.url(), password="wrong")


def test_the_given_parameters_are_part_of_the_url(server: Postgres) -> None:
    assert rows(
        server.url(options="-c work_mem=77kB"), "SELECT setting::int FROM pg_settings WHERE name = 'work_mem'"
    ) == [77]


def test_what_was_acknowledged_is_there_after_a_crash(server: Postgres) -> None:
    url = server.empty()
    fill(url)
    with psycopg.connect(url) as open_one:
        server.crash()
        with pytest.raises(psycopg.OperationalError):
            rows(url)
        with pytest.raises(psycopg.OperationalError):
            open_one.execute("SELECT 1")
    server.start()
    assert rows(url) == [1]


def test_stopped_and_started_again(server: Postgres) -> None:
    url = server.empty()
    fill(url)
    server.stop()
    with pytest.raises(psycopg.OperationalError, match="refused"):
        rows(url)
    server.start()
    assert rows(url) == [1]


def test_frozen_connections_hang_until_thawed(server: Postgres) -> None:
    with psycopg.connect(server.url()) as connection:
        server.freeze()
        try:
            connection.pgconn.send_query(b"SELECT 1")
            with pytest.raises(psycopg.errors.ConnectionTimeout):
                psycopg.connect(server.url(), connect_timeout=2)
            assert not select.select([connection], [], [], 0)[0]
        finally:
            server.thaw()
        assert select.select([connection], [], [], 10)[0]
        connection.close()
    assert rows(server.url(), "SELECT 1") == [1]


def test_a_run_that_is_killed_leaves_no_server_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(GIVEN, raising=False)
    code = (
        "from tests.servers.postgres import Postgres; p = Postgres(); print(p.dir, p._pids()[0], flush=True); input()"
    )
    run = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert run.stdout
    folder, pid = run.stdout.readline().split()
    server = os.pidfd_open(int(pid))
    run.kill()
    run.communicate()
    assert select.select([server], [], [], 10)[0]
    os.close(server)
    shutil.rmtree(folder)


def test_a_given_server_is_used_and_never_stopped(server: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(GIVEN, server.url("postgres", application_name="given"))
    monkeypatch.delenv("CI", raising=False)
    with Postgres() as given:
        url = given.empty()
        fill(url)
        assert rows(given.copy_of(url)) == [1]
        for end in (given.stop, given.crash, given.freeze, given.start):
            with pytest.raises(pytest.skip.Exception):
                end()
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        rows(url)
