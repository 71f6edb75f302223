"""The store in one SQLite file, shared by every process of a host.

Writes are combined: whoever gets the writer's lock runs everything that waits in one
transaction, each body in a savepoint of its own, so that many small changes cost one
commit. Readers have a connection each and never wait for a writer (WAL).
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from desk.errors import Busy, StoreError
from storage import place
from storage.engine import Engine
from storage.sql import Connection, Dialect, marks

if TYPE_CHECKING:
    from desk.blobs import Blob
    from desk.config import DeskConfig
    from desk.query import Node
    from storage.blobs import Blobs
    from storage.find import Finder
    from storage.project import Transaction

T = TypeVar("T")

_BUSY_S = 60

_LINE_S = 1.0
"""How long one stands in line before asking SQLite all the same."""

_POLL_S = 0.125
"""How often the log is looked at: each look wakes a thread, and a desk has many screens on which nothing happens."""


def _phrase(needle: str, prefix: bool) -> str:
    """A token line as FTS5 looks for it."""
    return f'"{needle}"' + (" *" if prefix else "")


def _numbers(ids: Sequence[int]) -> str:
    return f"[{','.join(map(str, ids))}]"


DIALECT = Dialect(
    name="sqlite",
    distant=False,
    lock="",
    skip="",
    among=lambda column, values: (f"{column} IN ({marks(values)})", list(values)),
    # CROSS keeps the order: these tickets first, whatever else there is an index for.
    listed="json_each(:ids) CROSS JOIN ticket ON ticket.id = value",
    numbers=_numbers,
    one_of="{0} IN (SELECT value FROM json_each({1}))",
    along=lambda index: f"ticket INDEXED BY {index}" if index else "ticket NOT INDEXED",
    member="EXISTS (SELECT 1 FROM json_each({0}) WHERE value = {1})",
    key="json_extract({0}, '$.{1}')",
    length="json_array_length({0})",
    within="instr({0}, {1}) > 0",
    matches="words MATCH {0}",
    phrase=_phrase,
    login="NULL",
)


class SqliteConnection(sqlite3.Connection):
    """A connection as `storage.sql` wants it."""

    sql: ClassVar[Dialect] = DIALECT
    path: Path

    def insert(self, table: str, columns: Sequence[str], values: Sequence[Sequence[Any]]) -> None:
        """Add new rows."""
        self.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks(columns)})", values)

    def index(self, gone: Sequence[tuple[int, str]], fresh: Sequence[tuple[int, str]]) -> None:
        """Take token lines out of the word index, and put others in."""
        if gone:
            self.executemany("INSERT INTO words (words, rowid, text) VALUES ('delete', ?, ?)", gone)
        if fresh:
            self.executemany("INSERT INTO words (rowid, text) VALUES (?, ?)", fresh)


class Reader(SqliteConnection):
    """A connection that reads, and fails in sentences."""

    def execute(self, statement: str, parameters: Any = (), /) -> sqlite3.Cursor:
        """Run a statement; StoreError."""
        try:
            return super().execute(statement, parameters)
        except sqlite3.DatabaseError as error:
            raise told(self.path, error) from error


C = TypeVar("C", bound=SqliteConnection)


class _Counters:
    """Numbers from the table `counter`: nobody else writes while we do."""

    def __init__(self, conn: SqliteConnection, blobs: Callable[[], Blobs]) -> None:
        self._conn, self._blobs = conn, blobs
        self._values: dict[str, int] = {}

    def new_id(self, kind: str) -> int:
        if kind not in self._values:
            found = self._conn.execute("SELECT value FROM counter WHERE name = ?", (kind,))
            self._values[kind] = found.fetchone()[0]
        self._values[kind] += 1
        return self._values[kind]

    def flush(self) -> None:
        for name, value in self._values.items():
            self._conn.execute("UPDATE counter SET value = ? WHERE name = ?", (value, name))

    def put_blobs(self, blobs: list[Blob]) -> None:
        self._blobs().put(blobs)

    def alone(self, work: str) -> None:
        pass  # one writes at a time

    def met(self) -> None:
        pass


class _Job(Generic[T]):
    """A write that waits for its turn."""

    def __init__(self, body: Callable[[Transaction], T], bulk: bool) -> None:
        self.body, self.bulk = body, bulk
        self.done = False
        self.result: T
        self.error: BaseException | None = None


class SqliteEngine(Engine):
    """One SQLite file, its blobs, and everything about connections and commits."""

    def __init__(self, path: Path, url: str, config: DeskConfig) -> None:
        super().__init__(url, config)
        self.path = path
        self.shared = place.is_shared(path)
        self._local = threading.local()
        self._readers: list[tuple[int, Reader]] = []
        """Each with the thread that reads in it."""
        self._queue: deque[_Job[Any]] = deque()
        self._queued = threading.Lock()
        self._writing = threading.Lock()
        self._writer: SqliteConnection | None = None
        self._blobs: Blobs | None = None
        self._full = True
        self._folder = -1

    # -- connections ----------------------------------------------------------

    def connect(self, kind: type[C]) -> C:
        """A new connection with the settings that every one of ours has."""
        try:
            conn = sqlite3.connect(
                self.path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False, factory=kind
            )
            conn.path = self.path
            for pragma in (
                "trusted_schema = OFF",
                "temp_store = MEMORY",
                # Pages of a file that are mapped count as ours, and answer no sooner than those of a small cache.
                "mmap_size = 0",
                "cache_size = -8000",
            ):
                conn.execute(f"PRAGMA {pragma}")
            return conn
        except sqlite3.Error as error:
            raise StoreError(f"{self.path}: {error}; check the path and its modes with: deskhand doctor") from error

    @property
    def _read(self) -> Reader:
        conn: Reader | None = getattr(self._local, "conn", None)
        if conn is None:
            conn = self._local.conn = self.connect(Reader)
            with self._queued:
                self._readers.append((threading.get_ident(), conn))
        return conn

    @contextmanager
    def _moment(self) -> Iterator[Connection]:
        conn = self._read
        conn.execute("BEGIN")
        try:
            yield conn
        finally:
            conn.execute("COMMIT")

    def _finder(self, conn: Connection, query: Node) -> Finder:
        from storage.find import Finder
        from storage.fts5 import Fts5

        return Finder(conn, query, Fts5(conn))

    def _open_writer(self) -> SqliteConnection:
        if self._writer is None:
            conn = self.connect(SqliteConnection)
            conn.execute("PRAGMA journal_mode = WAL")
            conn.execute("PRAGMA synchronous = FULL")
            conn.execute("PRAGMA cache_size = -16000")
            self._writer, self._full = conn, True
        return self._writer

    def _open_blobs(self) -> Blobs:
        if self._blobs is None:
            path = blob_path(self.path)
            if not path.exists():
                with suppress(FileExistsError):
                    place.create(path)
            from storage.blobs import Blobs

            self._blobs = Blobs(path)
        return self._blobs

    # -- writing --------------------------------------------------------------

    def change(self, body: Callable[[Transaction], T], *, bulk: bool = False) -> T:
        """Run `body` in a transaction, together with whatever else waits, and commit."""
        job = _Job(body, bulk)
        with self._queued:
            self._queue.append(job)
        with self._writing:
            if not job.done:
                with self._queued:
                    group = list(self._queue)
                    self._queue.clear()
                self._commit(group)
        if job.error is not None:
            raise job.error
        return job.result

    def _commit(self, group: list[_Job[Any]]) -> None:
        """Run `group` in one transaction; on failure of the commit itself all of them fail."""
        try:
            with explained(self.path):
                # One who was promised durability gets it, whoever shares the commit.
                conn = self._begin(full=not all(job.bulk for job in group))
                try:
                    for job in group:
                        self._run(conn, job)
                    if self._blobs is not None:
                        self._blobs.commit()
                    conn.execute("COMMIT")
                except BaseException:
                    if conn.in_transaction:
                        conn.execute("ROLLBACK")
                    if self._blobs is not None:
                        self._blobs.rollback()
                    raise
        except BaseException as error:
            for job in group:
                job.error = job.error or error
            if not isinstance(error, Exception):
                raise
        finally:
            for job in group:
                job.done = True

    def _begin(self, *, full: bool) -> SqliteConnection:
        conn = self._open_writer()
        if self._full != full:
            conn.execute(f"PRAGMA synchronous = {'FULL' if full else 'NORMAL'}")
            self._open_blobs().durable(full)
            self._full = full
        with self._turn():
            conn.execute("BEGIN IMMEDIATE")
        return conn

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Stand in line to begin.

        SQLite lets whoever asks at the right moment begin, and one that waits asks ever more
        rarely: a run in chunks would keep everybody else out for a second. So one waits at a time,
        and who has just committed goes behind. The line is a lock on the folder: it needs no file,
        and ends with whoever holds it. After a while we go on without it.
        """
        if self._folder < 0:
            with suppress(OSError):  # a folder one may not list has no line
                self._folder = os.open(self.path.parent, os.O_RDONLY | os.O_CLOEXEC)
        end, pause = time.monotonic() + _LINE_S, 0.0005
        while not (mine := _locked(self._folder)) and self._folder >= 0 and time.monotonic() < end:
            time.sleep(pause)
            pause = min(pause * 2, 0.004)
        try:
            yield
        finally:
            if mine:
                fcntl.flock(self._folder, fcntl.LOCK_UN)

    def _run(self, conn: SqliteConnection, job: _Job[Any]) -> None:
        conn.execute("SAVEPOINT job")
        try:
            tx = self._begun(conn, _Counters(conn, self._open_blobs))
            job.result = job.body(tx)
            tx.flush()
            tx.record()
        except sqlite3.Error:
            # The transaction itself is in doubt (disk full, I/O error): nobody's part stands.
            raise
        except BaseException as error:
            conn.execute("ROLLBACK TO job")
            job.error = error
        conn.execute("RELEASE job")

    # -- what else differs from engine to engine ----------------------------------------

    def _packed(self, key: str) -> bytes:
        with self._writing:
            return self._open_blobs().get(key)

    def wait(self, after: int, seconds: float) -> int:
        conn = self._read
        end = time.monotonic() + seconds
        version = -1
        while True:
            # data_version changes with every commit of anybody else and costs 3 us to ask.
            now = conn.execute("PRAGMA data_version").fetchone()[0]
            if now != version:
                version = now
                seq = int(conn.execute("SELECT value FROM counter WHERE name = 'seq'").fetchone()[0])
                if seq > after:
                    return seq
            if time.monotonic() >= end:
                return after
            time.sleep(min(_POLL_S, max(0.0, end - time.monotonic())))

    def check(self) -> list[str]:
        from storage.upkeep import check

        with closing(self.connect(SqliteConnection)) as conn:
            return check(conn, blob_path(self.path))

    def backup(self, path: str) -> None:
        from storage.upkeep import backup

        with closing(self.connect(SqliteConnection)) as conn:
            backup(conn, self.path, blob_path(self.path), Path(path))

    def circumstances(self) -> list[tuple[bool, str]]:
        return [(True, "shared by its group: a trusted team, roles are advisory" if self.shared else "yours alone")]

    def skew(self) -> int:
        return 0

    def close(self) -> None:
        with self._writing:
            if self._writer is not None:
                self._writer.close()
            # What another thread may be reading in is not closed beneath it, but let go: it ends with that.
            others = {thread.ident for thread in threading.enumerate()} - {threading.get_ident()}
            for thread, conn in self._readers:
                if thread not in others:
                    conn.close()
            self._readers.clear()
            self._local = threading.local()
            if self._blobs is not None:
                self._blobs.close()
            self._writer = self._blobs = None
            if self._folder >= 0:
                os.close(self._folder)
                self._folder = -1


def _locked(folder: int) -> bool:
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def blob_path(path: Path) -> Path:
    """The file beside the store that keeps its blobs: desk.db has desk-blobs.db."""
    return path.with_name(f"{path.stem}-blobs{path.suffix}")


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """SQLite's errors as sentences with a next step."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise told(path, error) from error


def told(path: Path, error: sqlite3.DatabaseError) -> StoreError:
    """What SQLite says, as a sentence with a next step."""
    text = str(error)
    if not isinstance(error, sqlite3.OperationalError):
        return StoreError(f"{path}: {text}; look at it with: deskhand doctor")
    if "locked" in text or "busy" in text:
        return Busy(f"{path}: another process holds the store for over {_BUSY_S} s; deskhand doctor names it")
    if "full" in text:
        return StoreError(f"{path}: the disk is full; nothing was changed, make room and do it again")
    return StoreError(f"{path}: {text}; nothing was changed")
