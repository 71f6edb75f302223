"""The store in PostgreSQL: many hosts, one desk.

Every change is a transaction of its own, on a connection from a small pool. A body that
met another (a deadlock, a key taken meanwhile) or whose connection was lost before it
asked to commit is run again; when the answer to the commit itself is lost, the log tells
whether it stands, for the number and batch of a line in it are nobody else's.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import psycopg
from psycopg.types.array import ListBinaryDumper
from psycopg.types.numeric import Int8Dumper
from psycopg.types.string import StrDumperUnknown

from desk.errors import Away, Busy, NotFound, StoreError, Unsure
from storage import migrate
from storage.engine import Engine
from storage.outbox import Outbox
from storage.pool import MET, Lost, Pool, Server
from storage.seats import Seats
from storage.sql import Dialect, Found, Params, marks
from storage.team import TeamRoom
from storage.views import Views

if TYPE_CHECKING:
    from desk.blobs import Blob
    from desk.config import DeskConfig
    from desk.query import Node
    from storage.find import Finder
    from storage.listening import Listener

T = TypeVar("T")

_ATTEMPTS = 8
"""So often a body is run when others keep getting in its way."""

_UNSURE_S = 30.0
"""So long we try to find out whether a commit stands before saying that we do not know."""

_IN_ONE_GO = 100
"""So many lines of the log are sent together with the commit; more are copied."""

_COPIED = 4
"""From so many rows on COPY is faster than INSERT."""

_BEGIN = "BEGIN; SET LOCAL lock_timeout = '60s'; SET LOCAL idle_in_transaction_session_timeout = '20s'"
# Planned for each value: what is right for a rare word is not for a common one.
_MOMENT = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL plan_cache_mode = force_custom_plan"
_HASTY = "; SET LOCAL synchronous_commit = off"
_PLACES = re.compile(r"'(?:[^']|'')*'|\?|:([a-z]\w*)")
_SEQ = "SELECT value FROM counter WHERE name = 'seq'"
_ONLY_READS = "only a transaction changes anything"
_BLOBS = (
    "INSERT INTO blob (key, size, packed) SELECT * FROM unnest(CAST(? AS BYTEA[]), CAST(? AS BIGINT[]), CAST(? AS BYTEA[])) "
    "ON CONFLICT DO NOTHING"
)
_BLOBS_AT_ONCE = 4 << 20
_HANDFUL = 256


def _phrase(needle: str, prefix: bool) -> str:
    """A token line as tsquery looks for it."""
    from storage.tsvector import quoted

    return " <-> ".join(quoted(token) for token in needle.split(" ")) + (":*" if prefix else "")


DIALECT = Dialect(
    name="postgresql",
    distant=True,
    lock=" FOR UPDATE",
    skip=" FOR UPDATE SKIP LOCKED",
    among=lambda column, values: (f"{column} = ANY(?)", [list(values)]),
    listed="unnest(CAST(:ids AS BIGINT[])) AS listed (value) JOIN ticket ON ticket.id = value",
    numbers=list,
    one_of="{0} = ANY(CAST({1} AS BIGINT[]))",
    along=lambda index: "ticket",
    member="EXISTS (SELECT 1 FROM json_array_elements_text(CAST({0} AS JSON)) AS member (value) WHERE value = {1})",
    key="(CAST({0} AS JSON) ->> '{1}')",
    length="json_array_length(CAST({0} AS JSON))",
    within="strpos({0}, {1}) > 0",
    matches="text @@ CAST({0} AS TSQUERY)",
    phrase=_phrase,
    login="session_user",
)


class _Text(StrDumperUnknown):
    """A string; PostgreSQL refuses NUL, which nothing that was stored has."""

    def dump(self, obj: str) -> Any:
        return super().dump(obj.replace("\x00", "\ufffd") if "\x00" in obj else obj)


class _Binary(list[bytes]):
    """Bytes that are sent as they are; a list of them would be twice as long."""


class _YesOrNo(Int8Dumper):
    """A truth: a number, as all engines keep it."""

    def dump(self, obj: bool) -> Any:
        return b"1" if obj else b"0"


def adapt(conn: psycopg.Connection[Any]) -> None:
    """Numbers of one size, so that a statement is prepared once; text without what PostgreSQL refuses."""
    conn.adapters.register_dumper(int, Int8Dumper)
    conn.adapters.register_dumper(bool, _YesOrNo)
    conn.adapters.register_dumper(_Binary, ListBinaryDumper)
    conn.adapters.register_dumper(str, _Text)


@lru_cache(4096)
def translated(statement: str) -> tuple[str, tuple[str, ...] | None]:
    """A statement with `$1` for its values, and their names where they have some."""
    names: dict[str, int] = {}
    count = 0

    def place(found: re.Match[str]) -> str:
        nonlocal count
        if found[0].startswith("'"):
            return found[0]
        if found[1]:
            return f"${names.setdefault(found[1], len(names) + 1)}"
        count += 1
        return f"${count}"

    text = _PLACES.sub(place, statement)
    return text, tuple(names) if names else None


class PostgresConnection:
    """A connection as `storage.sql` wants it."""

    sql = DIALECT

    def __init__(self, raw: psycopg.Connection[Any]) -> None:
        self.raw = raw

    def execute(self, statement: str, parameters: Params = (), /) -> Found:
        """Run one statement."""
        text, names = translated(statement)
        if names is not None:
            assert isinstance(parameters, Mapping)
            parameters = [parameters[name] for name in names]
        found = self.raw.execute(text, parameters or None)
        return found if found.description else _Rows([])

    def executemany(self, statement: str, parameters: Any, /) -> None:
        """Run one statement for each of some rows of values."""
        rows = list(parameters)
        if len(rows) == 1:
            self.execute(statement, rows[0])
        elif rows:
            self.raw.cursor().executemany(translated(statement)[0], rows)

    def insert(self, table: str, columns: Sequence[str], values: Sequence[Sequence[Any]]) -> None:
        """Add new rows."""
        named = f"{table} ({', '.join(columns)})"
        if len(values) < _COPIED or self.raw.pgconn.pipeline_status:
            self.executemany(f"INSERT INTO {named} VALUES ({marks(columns)})", values)
            return
        with self.raw.cursor().copy(f"COPY {named} FROM STDIN") as copy:
            for row in values:
                copy.write_row(row)

    def index(self, gone: Sequence[tuple[int, str]], fresh: Sequence[tuple[int, str]]) -> None:
        """Take token lines out of the word index, and put others in."""
        from storage.tsvector import vectors

        if gone:
            self.execute("DELETE FROM words WHERE rowid = ANY(?)", [[number for number, _ in gone]])
        if fresh:
            self.insert("words", ("rowid", "text"), [(n, vector) for n, line in fresh for vector in vectors(line)])


class _Rows:
    """Rows that were all fetched, after the connection went back."""

    def __init__(self, rows: list[Any]) -> None:
        self._rows = rows
        self._at = 0

    def fetchone(self) -> Any:
        return next(iter(self.fetchmany(1)), None)

    def fetchmany(self, size: int = 1) -> list[Any]:
        self._at += size
        return self._rows[self._at - size : self._at]

    def fetchall(self) -> list[Any]:
        return self.fetchmany(len(self._rows))

    def __iter__(self) -> Iterator[Any]:
        return iter(self.fetchall())


class _Reads:
    """Single statements that change nothing, each on whatever connection is free."""

    sql = DIALECT

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def execute(self, statement: str, parameters: Params = (), /) -> Found:
        """Run one statement."""

        def read(raw: psycopg.Connection[Any]) -> _Rows:
            return _Rows(PostgresConnection(raw).execute(statement, parameters).fetchall())

        return self._pool.twice(read)

    def executemany(self, statement: str, parameters: Any, /) -> None:
        raise AssertionError(_ONLY_READS)

    def insert(self, table: str, columns: Sequence[str], values: Sequence[Sequence[Any]]) -> None:
        raise AssertionError(_ONLY_READS)

    def index(self, gone: Sequence[tuple[int, str]], fresh: Sequence[tuple[int, str]]) -> None:
        raise AssertionError(_ONLY_READS)


class _Keeper:
    """Numbers from sequences, and bytes in a table."""

    def __init__(self, conn: PostgresConnection) -> None:
        self._conn = conn
        self._alone: set[str] = set()
        self._numbers: dict[str, list[int]] = {}
        self._asked: dict[str, int] = {}
        self._blobs: dict[str, Blob] = {}
        self._size = 0

    def new_id(self, kind: str) -> int:
        left = self._numbers.get(kind)
        if not left:
            # Who needs many gets them in ever larger handfuls; tickets one by one, for people see their numbers.
            count = 1 if kind == "ticket" else min(self._asked.get(kind, 1), _HANDFUL)
            self._asked[kind] = 2 * count
            drawn = self._conn.execute(f"SELECT nextval('{kind}_id') FROM generate_series(1, ?)", (count,))
            left = self._numbers[kind] = [row[0] for row in reversed(drawn.fetchall())]
        return left.pop()

    def met(self) -> None:
        # What an agent has seen of a ticket is the number of its last message.
        self._numbers.pop("message", None)

    def flush(self) -> None:
        if self._blobs:
            # In the order of their keys, so that two who keep the same bytes never wait for each other.
            kept = [self._blobs[key] for key in sorted(self._blobs)]
            packed = _Binary(b.packed for b in kept)
            self._conn.execute(_BLOBS, (_Binary(bytes.fromhex(b.key) for b in kept), [b.size for b in kept], packed))
            self._blobs.clear()
            self._size = 0

    def put_blobs(self, blobs: list[Blob]) -> None:
        self._blobs |= {blob.key: blob for blob in blobs}
        self._size += sum(len(blob.packed) for blob in blobs)
        if self._size > _BLOBS_AT_ONCE:
            self.flush()

    def alone(self, work: str) -> None:
        if work not in self._alone:
            self._alone.add(work)
            self._conn.execute("SELECT value FROM counter WHERE name = ? FOR UPDATE", (work,)).fetchone()


class _Silence(Exception):
    """No answer came to a commit: what line it wrote into the log last (0: none), of what batch, and what it is to return."""

    def __init__(self, seq: int, batch: str, result: object) -> None:
        super().__init__("no answer to a commit")
        self.seq, self.batch, self.result = seq, batch, result


class PostgresEngine(Engine):
    """A database, and everything about connections and commits."""

    def __init__(self, url: str, server: Server, config: DeskConfig) -> None:
        super().__init__(server.name, config)
        self.shared = True
        self.server = server
        self._pool = Pool(server)
        self._reads = _Reads(self._pool)
        self._listener: Listener | None = None
        self._starting = threading.Lock()

    @property
    def _read(self) -> _Reads:
        return self._reads

    @contextmanager
    def _moment(self) -> Iterator[PostgresConnection]:
        with self._pool.begun(_MOMENT) as raw:
            yield PostgresConnection(raw)
            raw.execute("COMMIT")

    def _finder(self, conn: Any, query: Node) -> Finder:
        from storage.find import Finder
        from storage.tsvector import Tsvector

        return Finder(conn, query, Tsvector(conn))

    def _packed(self, key: str) -> bytes:
        row = self._read.execute("SELECT packed FROM blob WHERE key = ?", (bytes.fromhex(key),)).fetchone()
        if row is None:
            raise NotFound(f"the store does not hold the bytes {key[:12]}…; look for more with: deskhand store check")
        return bytes(row[0])

    # -- writing --------------------------------------------------------------

    def change(self, body: Callable[[Any], T], *, bulk: bool = False) -> T:
        """Run `body` in a transaction, as often as it takes, and commit it once."""
        silent: _Silence | None = None
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._once(body, _BEGIN + _HASTY if bulk else _BEGIN)
            except _Silence as lost:
                # Asked only now that its connection was given back: all may have lost theirs at once.
                if lost.seq and self._stands(lost.seq, lost.batch):
                    return cast(T, lost.result)
                # What writes no log is done again, for it comes to the same; but then it may stand already.
                silent = None if lost.seq else lost
                if attempt == _ATTEMPTS:
                    raise self._unsure() from lost
            except Lost as error:
                # Nothing of it stands, and the next connection is a fresh one.
                if attempt == _ATTEMPTS:
                    if silent:
                        raise self._unsure() from error
                    raise
            except MET as error:
                if attempt == _ATTEMPTS:
                    raise self.server.told(error) from error
                time.sleep(0.005 * attempt)
            except (Away, Busy) as error:
                if silent:
                    raise self._unsure() from error
                raise
        raise AssertionError

    def _once(self, body: Callable[[Any], T], begin: str) -> T:
        with self._pool.begun(begin) as raw:
            conn = PostgresConnection(raw)
            tx = self._begun(conn, _Keeper(conn))
            result = body(tx)
            tx.flush()
            try:
                # In one go: everybody else who writes waits for this commit from here on.
                with raw.pipeline() if tx.lines <= _IN_ONE_GO else nullcontext():
                    tx.record()
                    if tx.seq:
                        conn.execute("SELECT pg_notify(?, ?)", (self.server.channel, str(tx.seq)))
                    done = raw.execute("COMMIT")
                status = done.statusmessage
            except psycopg.OperationalError as error:
                if not raw.closed:
                    raise
                raise _Silence(tx.seq, tx.batch, result) from error
            assert status == "COMMIT", status
            return result

    def _stands(self, seq: int, batch: str) -> bool:
        """Whether line `seq` of the log was written by `batch`; Unsure when nobody can be asked."""
        end = time.monotonic() + _UNSURE_S
        while True:
            try:
                with self._pool.begun(_BEGIN) as raw:
                    conn = PostgresConnection(raw)
                    # Who lost its client may be at work still: it holds this row until it has ended.
                    conn.execute(f"{_SEQ} FOR UPDATE")
                    found = conn.execute("SELECT 1 FROM event WHERE seq = ? AND batch = ?", (seq, batch)).fetchone()
                    raw.execute("ROLLBACK")
                    return found is not None
            except StoreError as error:
                if time.monotonic() > end:
                    raise self._unsure() from error
                time.sleep(0.2)

    def _unsure(self) -> Unsure:
        return Unsure(
            f"{self.server.name}: went away while it saved; whether it did is not known. "
            "Look at the ticket before you do it again"
        )

    def _known_version(self) -> int:
        with self._moment() as conn:
            return migrate.postgres_version(conn)

    def _upgrade(self) -> list[int]:
        with self._pool.begun("BEGIN") as raw:
            done = migrate.postgres_upgrade(PostgresConnection(raw))
            raw.execute("COMMIT")
            return done

    # -- what else differs from engine to engine ----------------------------------------

    def wait(self, after: int, seconds: float) -> int:
        with self._starting:
            if self._listener is None:
                from storage.listening import Listener

                self._listener = Listener(self.server, lambda: int(self._read.execute(_SEQ).fetchone()[0]))
        return self._listener.wait(after, seconds)

    def check(self) -> list[str]:
        from storage.upkeep import postgres_check

        with self._moment() as conn:
            return postgres_check(conn)

    def circumstances(self) -> list[tuple[bool, str]]:
        from storage.circumstances import circumstances

        with self._moment() as conn:
            assert self.server.hello is not None
            return circumstances(conn, self.server.hello)

    def skew(self) -> int:
        return self.server.hello.skew if self.server.hello else 0

    def backup(self, path: str) -> None:
        from storage.copying import into_folder

        into_folder(self, Path(path))

    def close(self) -> None:
        if self._listener is not None:
            self._listener.stop()
        with suppress(psycopg.Error):
            self._pool.close()


class PostgresStore(Views, Outbox, TeamRoom, Seats, PostgresEngine):
    """A `desk.store.Store` in a database."""


def open_postgres(
    url: str, config: DeskConfig, *, create: bool, upgrade: bool, unfinished: bool = False
) -> PostgresStore:
    """The store at `url`, made where there is none and `create` says so; StoreError says what is in the way."""
    server = Server(url)
    store = PostgresStore(url, server, config)
    try:
        found = store._known_version()
        if found > migrate.VERSION or (found and not upgrade):
            migrate.demand_current(found, server.name)
        elif found == 0 and not create:
            raise NotFound(f"there is no store at {server.name} yet; make one with: deskhand store init {server.name}")
        elif found < migrate.VERSION:
            store._upgrade()
        if not unfinished:
            migrate.demand_whole(store._read, server.name)
    except BaseException:
        store.close()
        raise
    return store


def pending_steps(url: str) -> list[str]:
    """What an upgrade of the store at `url` would do, a line a step; nothing is changed."""
    from desk.config import DeskConfig

    server = Server(url)
    store = PostgresStore(url, server, DeskConfig())
    try:
        found = store._known_version()
    finally:
        store.close()
    if found == 0:
        raise NotFound(f"there is no store at {server.name} yet; make one with: deskhand store init {server.name}")
    if found > migrate.VERSION:
        migrate.demand_current(found, server.name)
    return migrate.ahead(found)
