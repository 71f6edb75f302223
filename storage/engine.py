"""Connections, and one writer that commits for everybody who waits."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from desk.errors import Busy, StoreError
from storage import place

if TYPE_CHECKING:
    from desk.config import DeskConfig
    from desk.store import Tx
    from storage.blobs import Blobs
    from storage.project import Transaction

T = TypeVar("T")

_BUSY_S = 60

_LINE_S = 1.0
"""How long one stands in line before asking SQLite all the same."""


class _Job(Generic[T]):
    """A write that waits for its turn."""

    def __init__(self, body: Callable[[Transaction], T], bulk: bool) -> None:
        self.body, self.bulk = body, bulk
        self.done = False
        self.result: T
        self.error: BaseException | None = None


class Engine:
    """One SQLite file, its blobs, and everything about connections and commits."""

    def __init__(self, path: Path, url: str, config: DeskConfig) -> None:
        self.path, self.url, self.config = path, url, config
        self.shared = place.is_shared(path)
        self._local = threading.local()
        self._readers: list[sqlite3.Connection] = []
        self._queue: deque[_Job[Any]] = deque()
        self._queued = threading.Lock()
        self._writing = threading.Lock()
        self._writer: sqlite3.Connection | None = None
        self._blobs: Blobs | None = None
        self._full = True
        self._folder = -1
        self._version: int | None = None

    # -- connections ----------------------------------------------------------

    def connect(self, kind: type[sqlite3.Connection] = sqlite3.Connection) -> sqlite3.Connection:
        """A new connection with the settings that every one of ours has."""
        try:
            conn = sqlite3.connect(
                self.path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False, factory=kind
            )
            if isinstance(conn, Reader):
                conn.path = self.path
            conn.execute("PRAGMA trusted_schema = OFF")
            conn.execute("PRAGMA temp_store = MEMORY")
            conn.execute("PRAGMA mmap_size = 268435456")
            conn.execute("PRAGMA cache_size = -16000")
            return conn
        except sqlite3.Error as error:
            raise StoreError(f"{self.path}: {error}; check the path and its modes with: deskhand doctor") from error

    @property
    def _read(self) -> sqlite3.Connection:
        conn: sqlite3.Connection | None = getattr(self._local, "conn", None)
        if conn is None:
            conn = self._local.conn = self.connect(Reader)
            with self._queued:
                self._readers.append(conn)
        return conn

    def _open_writer(self) -> sqlite3.Connection:
        if self._writer is None:
            conn = self.connect()
            conn.execute("PRAGMA journal_mode = WAL")
            conn.execute("PRAGMA synchronous = FULL")
            # Pages of a file that are mapped count as ours: a relay that writes for hours would hold all of it.
            conn.execute("PRAGMA mmap_size = 0")
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

    def write(self, body: Callable[[Tx], T], *, bulk: bool = False) -> T:
        return self.change(body, bulk=bulk)

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

    def _begin(self, *, full: bool) -> sqlite3.Connection:
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

    def _run(self, conn: sqlite3.Connection, job: _Job[Any]) -> None:
        conn.execute("SAVEPOINT job")
        try:
            from storage.project import Transaction

            self._take_up(conn)
            tx = Transaction(conn, self._open_blobs, self.config)
            job.result = job.body(tx)
            tx.flush()
        except sqlite3.Error:
            # The transaction itself is in doubt (disk full, I/O error): nobody's part stands.
            raise
        except BaseException as error:
            conn.execute("ROLLBACK TO job")
            job.error = error
        conn.execute("RELEASE job")

    def _take_up(self, conn: sqlite3.Connection) -> None:
        """Go by the configuration that was published last, also if that was while we ran."""
        row = conn.execute("SELECT value FROM setting WHERE name = 'config_version'").fetchone()
        version = int(row[0]) if row else 0
        if self._version not in (None, version) or self.config.version not in (0, version):
            from json import loads

            from desk.config import published

            text = conn.execute("SELECT value FROM setting WHERE name = 'config'").fetchone()[0]
            self.config = published(loads(text), version)
        self._version = version

    def _execute(self, statement: str, params: Sequence[Any] | dict[str, Any] = ()) -> list[Any]:
        """One small statement as a transaction of its own."""

        return self.change(lambda tx: tx.conn.execute(statement, params).fetchall())

    def close(self) -> None:
        with self._writing:
            for conn in [*self._readers, *([self._writer] if self._writer else [])]:
                conn.close()
            if self._blobs is not None:
                self._blobs.close()
            self._readers.clear()
            self._writer = self._blobs = None
            if self._folder >= 0:
                os.close(self._folder)
                self._folder = -1
            self._local = threading.local()


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


class Reader(sqlite3.Connection):
    """A connection that reads, and fails in sentences."""

    path: Path

    def execute(self, statement: str, parameters: Any = (), /) -> sqlite3.Cursor:
        """Run a statement; StoreError."""
        try:
            return super().execute(statement, parameters)
        except sqlite3.DatabaseError as error:
            raise told(self.path, error) from error
