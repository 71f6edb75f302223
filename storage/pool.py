"""Connections to a PostgreSQL server: made as the URL says, kept a few at a time, and explained when they fail.

A pool of our own and not psycopg's: after a failover the next connection is tried at once
and not after a growing pause, and who cannot connect is told why by the server itself.
"""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any, NamedTuple, TypeVar, cast

import psycopg
from psycopg import errors as pg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from desk.errors import Away, Busy, ConfigError, DeskError, Forbidden, StoreError
from storage.watching import Watch

T = TypeVar("T")

OLDEST = 13
"""The first PostgreSQL whose words we use."""

MOST = 8
"""So many connections has a process at most; one that lists and writes uses two, and a third to listen."""

_ROOM_S = 30.0
_CONNECT_S = 5
_DEFAULTS = {
    "application_name": "deskhand",
    "client_encoding": "UTF8",
    "connect_timeout": _CONNECT_S,
    # A host that is gone without a word is given up after 15 s, and not after the two hours of TCP.
    "keepalives_idle": 5,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
_NOTICED = {
    # The same for the server: a client that is gone in the middle of a change holds up everybody else.
    "tcp_keepalives_idle": 5,
    "tcp_keepalives_interval": 3,
    "tcp_keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
_HELLO = "SELECT pg_backend_pid(), coalesce(current_schema(), 'public'), CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT), "
_HELLO += ", ".join(f"set_config('{name}', '{value}', false)" for name, value in _NOTICED.items())


class Lost(Away):
    """The connection broke before anything was committed."""


class Hello(NamedTuple):
    """What a server says of itself: whether a pooler stands before it, the schema, and how far our clock is from its own."""

    pooled: bool
    schema: str
    skew: int


class Server:
    """Where a store is, and how to reach it. `name` is its URL without the password."""

    def __init__(self, url: str) -> None:
        try:
            given: dict[str, Any] = conninfo_to_dict(url)
        except psycopg.Error as error:
            raise ConfigError(f"the address of the store cannot be read ({one_line(error)}); {HOW}") from error
        self.name = _named(url)
        several = "," in str(given.get("host", "")) or "," in str(given.get("hostaddr", ""))
        more = {"target_session_attrs": "read-write"} if several else {}
        self._conninfo = make_conninfo(**cast(dict[str, Any], {**_DEFAULTS, **more, **given}))
        self.hello: Hello | None = None
        self.watch = Watch(self.answers)

    @property
    def channel(self) -> str:
        """What news of the store is told under; stores in schemas of one database have one each."""
        return f"deskhand_{self.hello.schema if self.hello else ''}"

    def connect(self) -> psycopg.Connection[Any]:
        """A new connection; StoreError says what is in the way."""
        from storage.postgres import adapt

        try:
            raw = psycopg.connect(self._conninfo, autocommit=True, cursor_factory=psycopg.RawCursor)
            adapt(raw)
            if raw.info.server_version < OLDEST * 10_000:
                found = raw.info.server_version
                raw.close()
                raise StoreError(
                    f"{self.name}: PostgreSQL {found // 10_000} is too old; deskhand needs {OLDEST} or newer on the server"
                )
            before = time.time()
            with self.watch.on(raw):
                pid, schema, there = (raw.execute(_HELLO).fetchone() or (0, "", 0))[:3]
        except psycopg.Error as error:
            raise self.told(error) from error
        here = (before + time.time()) * 500
        # A pooler hands out numbers of its own for the processes behind it.
        pooled = pid != raw.info.backend_pid
        if pooled:
            raw.prepare_threshold = None
        self.hello = Hello(pooled, schema, round(here - there))
        return raw

    def answers(self) -> bool:
        """Whether somebody new would get an answer, be it a refusal; waits for it only so long."""
        try:
            with closing(psycopg.connect(self._conninfo, autocommit=True)) as raw:
                # A pooler lets everybody in, whether or not there is a server behind it.
                raw.pgconn.send_query(b"SELECT 1")
                return bool(select.select([raw.fileno()], [], [], _CONNECT_S)[0])
        except psycopg.errors.ConnectionTimeout:
            return False
        except (psycopg.Error, OSError):
            return True

    def told(self, error: psycopg.Error) -> DeskError:
        """What the server or its absence says, as a sentence with a next step."""
        said = one_line(error)
        if isinstance(error, pg.InsufficientPrivilege):
            from storage import grants

            said = error.diag.message_primary or said
            return Forbidden(f"{self.name}: {said}; {grants.advice(said)}")
        unconnected = isinstance(error, psycopg.OperationalError) and error.sqlstate is None
        for kinds, words, kind, advice in _ADVICE:
            if isinstance(error, kinds) or (unconnected and any(word in said for word in words)):
                return kind(f"{self.name}: {said}; {advice}")
        if unconnected or isinstance(error, psycopg.InterfaceError):
            return Away(f"{self.name}: cannot be reached ({said}); is the server up, and the address right?")
        return StoreError(f"{self.name}: {said}; nothing was changed")


HOW = "it is written postgresql://USER@HOST/DATABASE, with the password in ~/.pgpass or a service file"


def one_line(error: BaseException) -> str:
    """What an error says, in one line."""
    return " ".join(str(error).split()).removesuffix(".") or type(error).__name__


def _named(url: str) -> str:
    """The URL without a password."""
    from urllib.parse import parse_qsl, urlencode, urlsplit

    parts = urlsplit(url)
    user, at, hosts = parts.netloc.rpartition("@")
    query = urlencode([(k, v) for k, v in parse_qsl(parts.query) if "password" not in k], safe="/:,")
    # Put together by hand: with a socket for a host nothing stands between the slashes.
    return f"{parts.scheme}://{user.partition(':')[0]}{at}{hosts}{parts.path}{f'?{query}' if query else ''}"


_ADVICE: tuple[tuple[tuple[type[psycopg.Error], ...], tuple[str, ...], type[DeskError], str], ...] = (
    # First, for "the database system is starting up" has words of others in it.
    ((pg.IdleInTransactionSessionTimeout, pg.AdminShutdown, pg.CrashShutdown, pg.CannotConnectNow),
     ("the database system is",), Away, "wait for it to come back"),
    ((pg.DiskFull,), (), StoreError, "the disk of the server is full: nothing was changed, make room and do it again"),
    ((), ("permission denied",), Forbidden, "an admin lets a login in with: deskhand store grant AGENT"),
    ((pg.TooManyConnections,), ("too many", "remaining connection slots"), Away,
     "raise max_connections, or put PgBouncer before it (docs/cluster.md)"),
    # Before those that follow, for a refusal names the database too.
    ((pg.InvalidAuthorizationSpecification,), ("pg_hba.conf", 'role "'), StoreError,
     "whoever runs the server lets you in by pg_hba.conf, and: deskhand store grant"),
    ((pg.InvalidPassword,), ("password", "authentication failed"), StoreError, "put the right one into ~/.pgpass (mode 0600) or a service file"),
    ((pg.InvalidCatalogName,), ('database "',), StoreError, "whoever runs the server makes it with: createdb"),
    ((pg.UndefinedTable, pg.InvalidSchemaName), (), StoreError, "there is no store here yet; make one with: deskhand store init"),
    ((pg.ReadOnlySqlTransaction,), ("read-only",), Away, "this server only reads (a replica); name the primary, or all hosts"),
    ((pg.LockNotAvailable,), (), Busy, "another session holds it for over 60 s; deskhand doctor names it"),
    ((), ("certificate", "SSL"), StoreError, "see sslmode, sslrootcert, sslcert and sslkey in docs/cluster.md"),
)  # fmt: skip
"""What to do about an error: by its class, or by words of a connection that failed, where it has none."""


class Pool:
    """A few connections, lent one at a time; what is found broken takes the idle ones with it."""

    def __init__(self, server: Server, most: int = MOST) -> None:
        self._server, self._most = server, most
        self._room = threading.BoundedSemaphore(most)
        self._idle: list[psycopg.Connection[Any]] = []
        self._lock = threading.Lock()

    def twice(self, work: Callable[[psycopg.Connection[Any]], T]) -> T:
        """`work`, which only reads and is one statement; again on a fresh connection when the first had died."""
        try:
            with self._lent() as raw:
                return work(raw)
        except Lost:
            with self._lent() as raw:
                return work(raw)

    @contextmanager
    def begun(self, begin: str) -> Iterator[psycopg.Connection[Any]]:
        """A connection in a transaction, which the caller commits; else it is rolled back."""
        with self._lent(begin) as raw:
            try:
                yield raw
            finally:
                if not raw.closed and raw.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                    with suppress(psycopg.Error):
                        raw.execute("ROLLBACK")

    @contextmanager
    def _lent(self, begin: str | None = None) -> Iterator[psycopg.Connection[Any]]:
        if not self._room.acquire(timeout=_ROOM_S):
            raise Busy(
                f"{self._server.name}: all {self._most} connections of this process were in use for {_ROOM_S:.0f} s; "
                "do it again, and look for what takes so long with: deskhand doctor"
            )
        try:
            raw = self._taken(begin)
            try:
                with self._server.watch.on(raw):
                    yield raw
            except psycopg.Error as error:
                if raw.closed:
                    self._drop()
                    raise Lost(
                        f"{self._server.name}: the connection was lost ({one_line(error)}); do it again"
                    ) from error
                if isinstance(error, MET):
                    raise
                raise self._server.told(error) from error
            finally:
                if not raw.closed:
                    with self._lock:
                        self._idle.append(raw)
        finally:
            self._room.release()

    def _taken(self, begin: str | None) -> psycopg.Connection[Any]:
        with self._lock:
            raw = self._idle.pop() if self._idle else None
        if raw is not None and begin is not None:
            try:
                with self._server.watch.on(raw):
                    return _in(raw, begin)
            except psycopg.Error:
                # It died while it was idle, and so did the others.
                raw.close()
                self._drop()
                raw = None
        if raw is None:
            raw = self._server.connect()
            if begin is not None:
                try:
                    with self._server.watch.on(raw):
                        _in(raw, begin)
                except psycopg.Error as error:
                    raw.close()
                    raise Lost(
                        f"{self._server.name}: the connection was lost ({one_line(error)}); do it again"
                    ) from error
        return raw

    def _drop(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for raw in idle:
            with suppress(psycopg.Error):
                raw.close()

    def close(self) -> None:
        """Let go of all that is idle."""
        self._drop()


MET = (pg.SerializationFailure, pg.DeadlockDetected, pg.UniqueViolation)
"""What a transaction that met another is told; it tries again."""


def _in(raw: psycopg.Connection[Any], begin: str) -> psycopg.Connection[Any]:
    raw.execute(begin, prepare=False)
    return raw
