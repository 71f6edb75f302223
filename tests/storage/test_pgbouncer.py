"""A store through PgBouncer in transaction mode: whatever is asked runs on whichever connection is free."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from desk.config import DeskConfig
from desk.errors import Away
from desk.lines import script
from desk.perform import perform
from desk.query import EVERYTHING, Env, parse
from desk.store import Store
from storage import open_store
from storage.postgres import PostgresStore
from tests.contracts.conftest import prepared
from tests.contracts.test_store import (  # noqa: F401
    hand,
    test_a_failing_change_leaves_nothing,
    test_a_job_is_held_by_one_until_its_time_is_over,
    test_a_message_comes_back_as_it_was_written,
    test_bulk_writes_are_there_and_the_next_is_durable_again,
    test_bytes_are_kept_once_and_come_back,
    test_many_threads_write_at_once_and_one_failing_harms_nobody,
    test_numbers_count_what_is_there,
    test_one_of_two_who_publish_at_once_is_told,
    test_only_the_holder_goes_on,
    test_settings_and_cursors_are_kept,
    test_the_log_numbers_every_event_once_and_in_order,
    test_two_openers_see_each_others_changes,
    test_wait_returns_at_once_when_there_is_news_and_in_time_when_there_is_none,
    test_wait_wakes_when_another_process_commits,
    test_what_is_due_is_claimed_once,
    test_what_was_seen_only_advances,
    waiting,
)
from tests.desks import NOW
from tests.servers import eventually
from tests.servers.pgbouncer import PgBouncer
from tests.servers.postgres import Postgres
from tests.storage.crowd import at_once, furnished
from tests.storage.test_claims import RELAYS, counted, relay

CONNECTIONS = 3
"""So few that everything changes its connection all the time."""


@pytest.fixture(scope="module")
def pool(postgres: Postgres) -> Iterator[PgBouncer]:
    with PgBouncer(postgres, size=CONNECTIONS) as pool:
        yield pool


@pytest.fixture
def url(postgres: Postgres, pool: PgBouncer) -> Iterator[str]:
    direct = postgres.copy_of(prepared)
    yield pool.url(direct)
    postgres.drop(direct)


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    made = open_store(url, create=True)
    yield made
    made.close()


@pytest.fixture
def other(url: str, store: Store) -> Iterator[Store]:
    opened = open_store(url)
    yield opened
    opened.close()


@contextmanager
def watched(store: Store) -> Iterator[list[str]]:
    """What goes over the connections of a store."""
    assert isinstance(store, PostgresStore)
    said: list[str] = []
    connect = store.server.connect

    def listening() -> psycopg.Connection:
        raw = connect()
        execute = raw.execute
        raw.execute = lambda query, *args, **more: (said.append(str(query)), execute(query, *args, **more))[1]  # type: ignore[method-assign]
        return raw

    store.server.connect = listening  # type: ignore[method-assign]
    yield said


def test_a_store_is_made_through_it(postgres: Postgres, pool: PgBouncer) -> None:
    direct = postgres.empty()
    made = open_store(pool.url(direct), DeskConfig(), create=True)
    assert made.check() == []
    made.close()
    postgres.drop(direct)


def test_it_is_known_for_what_it_is(url: str, postgres: Postgres, pool: PgBouncer) -> None:
    through, direct = (open_store(u, DeskConfig()) for u in (url, postgres.copy_of(prepared)))
    assert isinstance(through, PostgresStore)
    assert isinstance(direct, PostgresStore)
    for store, pooled in ((through, True), (direct, False)):
        assert store.server.hello
        assert store.server.hello.pooled is pooled
        assert (store.server.connect().prepare_threshold is None) is pooled
        store.close()


def test_nothing_is_prepared_and_nobody_listens(url: str) -> None:
    room = furnished(url, 3)
    with watched(room.store) as said:
        followed = open_store(url, DeskConfig())
        with watched(followed) as heard:
            last = room.store.last_seq()
            for turn in range(30):
                room.do(f"rename title {turn}", 1)
            assert followed.wait(last, 10) > last
        assert not [line for line in (*said, *heard) if "LISTEN" in line]
    with room.store._pool.begun("BEGIN") as raw:  # type: ignore[attr-defined]
        assert raw.execute("SELECT count(*) FROM pg_prepared_statements").fetchone() == (0,)
    followed.close()
    room.store.close()


def test_a_list_is_of_one_moment(url: str) -> None:
    """Several statements that read, while others commit on the same few connections."""
    room = furnished(url, 20)
    ids = room.store.ids(EVERYTHING)
    done = threading.Event()
    turns = 0

    def write() -> None:
        nonlocal turns
        while not done.is_set():
            turns += 1
            room.do("priority high" if turns % 2 else "priority low", *ids)

    writer = threading.Thread(target=write)
    writer.start()
    looked = 0
    try:
        while looked < 40 or turns < 5:
            looked += 1
            high = parse("priority:high", Env(NOW))
            with room.store._moment() as conn:  # type: ignore[attr-defined]
                seen = [conn.execute("SELECT version FROM ticket ORDER BY id").fetchall() for _ in range(3)]
            assert seen[0] == seen[1] == seen[2]
            assert len({*seen[0]}) == 1
            assert len(room.store.page(high).rows) in (0, len(ids))
    finally:
        done.set()
        writer.join()
    assert room.store.check() == []
    print(f"PgBouncer: {looked} looks at one moment while {turns} changes of {len(ids)} tickets were made, torn 0")
    room.store.close()


def test_eight_relays_through_three_connections_send_everything_once(url: str) -> None:
    room = furnished(url, 40)
    room.do("reply hello", *room.store.ids(EVERYTHING))
    told = at_once(relay, RELAYS, url)
    missing, double = counted(told, {d.id for d, _ in room.store.outbox([], 100)} | {n for one in told for n in one})
    print(f"PgBouncer: {RELAYS} relays, {sum(map(len, told))} sent, double {double}")
    assert (missing, double, sum(map(len, told))) == (0, 0, 40)
    assert room.store.check() == []
    room.store.close()


def test_a_pooler_that_ends_is_away_and_comes_back(postgres: Postgres) -> None:
    direct = postgres.copy_of(prepared)
    with PgBouncer(postgres) as first:
        room = furnished(first.url(direct), 1)
        port = first.port
        last = room.store.last_seq()
        assert room.store.wait(last, 0) == last
    with pytest.raises(Away, match="is the server up"):
        room.do("rename lost", 1)
    with pytest.raises(Away):
        room.store.wait(last, 3)
    again = _on(port, postgres)
    try:
        room.do("rename found", 1)
        eventually(lambda: _news(room.store, last) > last, "news to come again")
    finally:
        again.remove()
    assert room.store.ticket is not None
    room.store.close()
    postgres.drop(direct)


def _news(store: Store, last: int) -> int:
    try:
        return store.wait(last, 0.2)
    except Away:
        return last


def _on(port: int, server: Postgres) -> PgBouncer:
    """A pooler on a port that is free again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.servers.pgbouncer.quiet_port", lambda: port)
        return PgBouncer(server)


def test_only_transactions_are_needed(url: str) -> None:
    """Every verb that writes a log, on a connection that is another one each time."""
    room = furnished(url, 2)
    for line in ("reply hello", "note looked", "tag vpn", "assign kim", "priority high", "solve", "reopen"):
        perform(room.desk, script(line), [1, 2], room.who, at=NOW, batch_id=f"b {line}")
    room.undo()
    room.redo()
    assert room.store.check() == []
    room.store.close()
