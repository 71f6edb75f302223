"""The private PostgreSQL servers do what the tests that use them count on."""

from __future__ import annotations

import contextlib
import itertools
import os
import select
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import psycopg
import pytest

from tests.servers import eventually
from tests.servers.hosts import Hosts
from tests.servers.pgbouncer import PgBouncer
from tests.servers.postgres import GIVEN, Postgres
from tests.servers.replication import Pair


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
    insert(url, 1)


def insert(url: str, number: int) -> None:
    """One more row."""
    with psycopg.connect(url) as connection:
        connection.execute("INSERT INTO t VALUES (%s)", [number])


@contextlib.contextmanager
def hanging(server: Postgres, url: str, query: bytes) -> Iterator[None]:
    """A query that is not answered while a server is frozen, and then is."""
    with psycopg.connect(url) as connection:
        server.freeze()
        try:
            connection.pgconn.send_query(query)
            yield
            assert not select.select([connection], [], [], 0.2)[0]
        finally:
            server.thaw()
        assert select.select([connection], [], [], 10)[0]
        connection.close()


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
    with hanging(server, server.url(), b"SELECT 1"), pytest.raises(psycopg.errors.ConnectionTimeout):
        psycopg.connect(server.url(), connect_timeout=2)
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


def test_a_pair_keeps_what_it_acknowledged() -> None:
    with Pair() as pair:
        fill(pair.url())
        for number in (2, 3):
            pair.kill_primary()
            pair.promote()
            insert(pair.url(), number)
            pair.rejoin()
        assert rows(pair.standby.url()) == [1, 2, 3]
        with hanging(pair.standby, pair.url(), b"INSERT INTO t VALUES (4)"):
            pass


def test_hosts_reach_each_other_until_they_are_cut_off() -> None:
    with Hosts("a", "b") as hosts, Postgres(at=hosts["a"]) as server:
        assert rows(server.url(), "SELECT 1") == [1]
        ask = [sys.executable, "-c", f"import psycopg; psycopg.connect({server.url()!r}, connect_timeout=2)"]
        quiet = {"stderr": subprocess.DEVNULL}
        assert hosts.run("b", ask).wait(20) == 0
        hosts.cut("a")
        assert hosts.run("b", ask, **quiet).wait(20) == 1
        hosts.heal("a")
        assert hosts.run("b", ask).wait(20) == 0


def test_hosts_can_be_far_away() -> None:
    with Hosts("a", "b") as hosts:
        hosts.delay("a", 50)
        ping = f"import socket; socket.create_connection(('{hosts['a'].address}', 9))"
        began = time.monotonic()
        assert hosts.run("b", [sys.executable, "-S", "-c", ping], stderr=subprocess.DEVNULL).wait(20) == 1
        assert time.monotonic() - began > 0.1


def test_a_pool_changes_its_connections_with_the_transactions(server: Postgres) -> None:
    url = server.empty()
    fill(url)
    with (
        PgBouncer(server, size=1) as pool,
        psycopg.connect(pool.url(url)) as one,
        psycopg.connect(pool.url(url)) as other,
    ):
        used = set()
        for each in (one, other, one):
            used.add(each.execute("SELECT pg_backend_pid()").fetchone())
            each.commit()
        assert len(used) == 1
        assert rows(pool.url(url)) == [1]


@pytest.mark.torture
def test_nothing_acknowledged_is_lost_in_twenty_rounds() -> None:
    with Pair() as pair:
        fill(pair.url())
        acknowledged, done = [1], threading.Event()

        def write() -> None:
            numbers = itertools.count(2)
            while not done.wait(0.01):
                with contextlib.suppress(psycopg.OperationalError), psycopg.connect(pair.url(), autocommit=True) as one:
                    for number in numbers:
                        one.execute("INSERT INTO t VALUES (%s)", [number])
                        acknowledged.append(number)
                        if done.is_set():
                            break

        def more() -> Callable[[], bool]:
            goal = len(acknowledged) + 20
            return lambda: len(acknowledged) > goal

        writer = threading.Thread(target=write)
        writer.start()
        try:
            for number in range(-20, 0):
                eventually(more(), "writes to go on")
                pair.kill_primary()
                pair.promote()
                pair.rejoin()
                with hanging(pair.standby, pair.url(), b"INSERT INTO t VALUES (%d)" % number):
                    pass
        finally:
            done.set()
            writer.join()
        assert set(acknowledged) <= set(rows(pair.url()))
