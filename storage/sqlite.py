"""The store in one SQLite file, shared by every process of a host.

Writes are combined: whoever gets the writer's lock runs everything that waits in one
transaction, each body in a savepoint of its own, so that many small changes cost one
commit. Readers have a connection each and never wait for a writer (WAL).
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Generic, TypeVar

from desk.config import DeskConfig
from desk.errors import Busy, NotFound, StoreError
from desk.events import Changed, Delivered, Record
from desk.model import Account, Agent, Customer, Delivery, Message, Millis, State, Team, Ticket
from desk.query import LIVE, All, Node
from desk.store import SORTS, Batch, Lease, Numbers, Outbound, Page, Row, Tx
from desk.text import one_line, words
from storage import migrate, place, rows
from storage import project as pr
from storage.blobs import Blobs
from storage.search import behind, compile_query, key_columns, order_by
from storage.upkeep import backup, check

T = TypeVar("T")

_BUSY_S = 60
_POLL_S = 0.04
_SNIPPET = (
    "(SELECT substr(coalesce(visible, text), 1, 200) FROM message WHERE message.ticket = ticket.id AND withdrawn = 0 "
    "AND kind = 'public' ORDER BY at DESC, id DESC LIMIT 1)"
)
_TROUBLE = "(SELECT state FROM delivery WHERE delivery.ticket = ticket.id AND state IN ('failed', 'bounced', 'unknown') LIMIT 1)"
_SEEN = "coalesce((SELECT message FROM seen WHERE seen.agent = :agent AND seen.ticket = ticket.id), 0)"
_ROW = f"SELECT {rows.TICKET_COLUMNS}, {rows.CUSTOMER_COLUMNS}, {_SNIPPET}, ticket.heard > {_SEEN}, {_TROUBLE}"
_FROM = "FROM ticket JOIN customer ON customer.id = ticket.requester"
_CLAIMED = f"SELECT {rows.DELIVERY_COLUMNS} FROM delivery WHERE id = ? AND holder = ? AND state = 'sending'"


class _Job(Generic[T]):
    """A write that waits for its turn."""

    def __init__(self, body: Callable[[Tx], T]) -> None:
        self.body = body
        self.done = False
        self.result: T
        self.error: BaseException | None = None


class SqliteStore:
    """A `desk.store.Store` in one file (and a second one, for blobs, beside it)."""

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

    # -- connections ----------------------------------------------------------

    def connect(self) -> sqlite3.Connection:
        """A new connection with the settings that every one of ours has."""
        try:
            conn = sqlite3.connect(self.path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
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
            conn = self._local.conn = self.connect()
            with self._queued:
                self._readers.append(conn)
        return conn

    def _open_writer(self) -> sqlite3.Connection:
        if self._writer is None:
            self._writer = self.connect()
            self._writer.execute("PRAGMA journal_mode = WAL")
            self._writer.execute("PRAGMA synchronous = FULL")
        return self._writer

    def _open_blobs(self) -> Blobs:
        if self._blobs is None:
            path = blob_path(self.path)
            if not path.exists():
                with suppress(FileExistsError):
                    place.create(path)
            self._blobs = Blobs(path)
        return self._blobs

    # -- writing --------------------------------------------------------------

    def write(self, body: Callable[[Tx], T], *, bulk: bool = False) -> T:
        job = _Job(body)
        with self._queued:
            self._queue.append(job)
        with self._writing:
            if not job.done:
                with self._queued:
                    group = list(self._queue)
                    self._queue.clear()
                self._commit(group, bulk)
        if job.error is not None:
            raise job.error
        return job.result

    def _commit(self, group: list[_Job[Any]], bulk: bool) -> None:
        """Run `group` in one transaction; on failure of the commit itself all of them fail."""
        conn = self._open_writer()
        if self._full == bulk:
            self._full = not bulk
            conn.execute(f"PRAGMA synchronous = {'FULL' if self._full else 'NORMAL'}")
            self._open_blobs().durable(self._full)
        try:
            with _explained(self.path):
                conn.execute("BEGIN IMMEDIATE")
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

    def _run(self, conn: sqlite3.Connection, job: _Job[Any]) -> None:
        conn.execute("SAVEPOINT job")
        try:
            tx = pr.Transaction(conn, self._open_blobs, self.config)
            job.result = job.body(tx)
            tx.flush()
        except sqlite3.Error:
            # The transaction itself is in doubt (disk full, I/O error): nobody's part stands.
            raise
        except BaseException as error:
            conn.execute("ROLLBACK TO job")
            job.error = error
        conn.execute("RELEASE job")

    def _execute(self, statement: str, params: Sequence[Any] | dict[str, Any] = ()) -> list[Any]:
        """One small statement as a transaction of its own."""

        def body(tx: Tx) -> list[Any]:
            assert self._writer is not None
            return self._writer.execute(statement, params).fetchall()

        return self.write(body)

    # -- tickets and views ------------------------------------------------------

    def _compile(self, query: Node) -> tuple[str, dict[str, Any]]:
        def hits(text: str, limit: int) -> int:
            found = self._read.execute(
                "SELECT count(*) FROM (SELECT 1 FROM words WHERE words MATCH ? LIMIT ?)", (text, limit)
            )
            return int(found.fetchone()[0])

        compiled = compile_query(query, hits)
        return compiled.where, compiled.params

    def page(
        self,
        query: Node,
        *,
        sort: str = "urgency",
        after: tuple[Any, ...] | None = None,
        limit: int = 50,
        agent: str | None = None,
    ) -> Page:
        assert sort in SORTS, sort
        with _explained(self.path):
            where, params = self._compile(query)
            if after is not None:
                where = f"({where}) AND {behind(sort, after, params)}"
            # The keys first, so that what a row shows is looked up for the rows of the page only.
            keys = key_columns(sort)
            statement = f"SELECT ticket.id, {keys} FROM ticket WHERE {where} ORDER BY {order_by(sort)} LIMIT :limit"
            found = self._read.execute(statement, {**params, "limit": limit + 1}).fetchall()
        page = self.rows([row[0] for row in found[:limit]], agent=agent)
        return Page(page, tuple(found[limit - 1][1:]) if len(found) > limit else None)

    def ids(self, query: Node, *, sort: str = "urgency", limit: int | None = None) -> list[int]:
        with _explained(self.path):
            where, params = self._compile(query)
            statement = f"SELECT ticket.id FROM ticket WHERE {where} ORDER BY {order_by(sort)} LIMIT :limit"
            return [
                row[0] for row in self._read.execute(statement, {**params, "limit": -1 if limit is None else limit})
            ]

    def natural_sort(self, query: Node) -> str:
        return natural_sort(query)

    def count(self, query: Node) -> int:
        with _explained(self.path):
            where, params = self._compile(query)
            return int(self._read.execute(f"SELECT count(*) FROM ticket WHERE {where}", params).fetchone()[0])

    def rows(self, ids: Sequence[int], *, agent: str | None = None) -> list[Row]:
        found: dict[int, Row] = {}
        split = len(rows.TICKET)
        for start in range(0, len(ids), 500):
            marks = ",".join(str(int(i)) for i in ids[start : start + 500])
            for row in self._read.execute(f"{_ROW} {_FROM} WHERE ticket.id IN ({marks})", {"agent": agent or ""}):
                ticket = rows.ticket(row[:split])
                snippet, unread, trouble = row[-3:]
                found[ticket.id] = Row(
                    ticket,
                    rows.customer(row[split:-3]),
                    one_line(snippet or ""),
                    bool(unread and agent),
                    State(trouble) if trouble else None,
                )
        return [found[i] for i in ids if i in found]

    def ticket(self, number: int) -> Ticket:
        row = self._read.execute(f"SELECT {rows.TICKET_COLUMNS} FROM ticket WHERE id = ?", (number,)).fetchone()
        if row is None:
            raise NotFound(f"there is no ticket #{number}")
        return rows.ticket(row)

    def thread(self, ticket: int) -> list[Message]:
        query = f"SELECT {rows.MESSAGE_COLUMNS} FROM message WHERE ticket = ? AND withdrawn = 0 ORDER BY at, id"
        return [rows.message(row) for row in self._read.execute(query, (ticket,))]

    def log(
        self, *, ticket: int | None = None, after: int = 0, limit: int = 1000, newest: bool = False
    ) -> list[Record]:
        where = "event.entity = 'ticket' AND event.about = :about AND" if ticket is not None else ""
        order = "DESC" if newest else "ASC"
        query = (
            f"SELECT {rows.RECORD_COLUMNS} FROM event JOIN batch ON batch.id = event.batch "
            f"WHERE {where} event.seq > :after ORDER BY event.seq {order} LIMIT :limit"
        )
        found = [
            rows.record(row)
            for row in self._read.execute(query, {"about": str(ticket), "after": after, "limit": limit})
        ]
        return found[::-1] if newest else found

    def customer(self, number: int) -> Customer:
        return pr.read_customer(self._read, number)

    def customers(self, text: str, limit: int = 20) -> list[Customer]:
        query = f"SELECT {rows.CUSTOMER_COLUMNS} FROM customer WHERE instr(words, :wanted) > 0 ORDER BY id DESC LIMIT :limit"
        return [rows.customer(row) for row in self._read.execute(query, {"wanted": f" {words(text)}", "limit": limit})]

    def blob(self, key: str) -> bytes:
        with self._writing:
            return self._open_blobs().get(key)

    # -- change -----------------------------------------------------------------

    def last_batch(self, agent: str, *, undo: bool) -> str | None:
        kind = "batch.undoes IS NOT NULL" if undo else "batch.undoes IS NULL"
        # Doing again is itself marked as undoing an undo; only what took back plain work can be done again.
        first = "AND (SELECT b.undoes FROM batch b WHERE b.id = batch.undoes) IS NULL" if undo else ""
        query = f"SELECT id FROM batch WHERE agent = ? AND {kind} AND undone_by IS NULL {first} ORDER BY at DESC, rowid DESC LIMIT 1"
        row = self._read.execute(query, (agent,)).fetchone()
        return row[0] if row else None

    def seen(self, agent: str, ticket: int, message: int) -> None:
        row = self._read.execute("SELECT message FROM seen WHERE agent = ? AND ticket = ?", (agent, ticket)).fetchone()
        if row is None or row[0] < message:
            self.write(lambda tx: tx.seen(agent, ticket, message))

    def last_seq(self) -> int:
        return int(self._read.execute("SELECT value FROM counter WHERE name = 'seq'").fetchone()[0])

    def wait(self, after: int, seconds: float) -> int:
        conn = self._read
        end = time.monotonic() + seconds
        version = -1
        while True:
            # data_version changes with every commit of anybody else and costs 3 us to ask.
            now = conn.execute("PRAGMA data_version").fetchone()[0]
            if now != version:
                version = now
                seq = self.last_seq()
                if seq > after:
                    return seq
            if time.monotonic() >= end:
                return after
            time.sleep(min(_POLL_S, max(0.0, end - time.monotonic())))

    # -- outbox -----------------------------------------------------------------

    def claim(self, holder: str, at: Millis, until: Millis, limit: int = 10) -> list[Outbound]:
        due = "SELECT id FROM delivery WHERE state IN ('queued', 'failed for now') AND next_at <= ? ORDER BY next_at, id LIMIT ?"
        if not self._read.execute(due, (at, 1)).fetchone():
            return []

        def body(tx: Tx) -> list[Outbound]:
            assert self._writer is not None
            ids = [row[0] for row in self._writer.execute(due, (at, limit))]
            claimed = []
            for number in ids:
                self._writer.execute(
                    "UPDATE delivery SET state = 'sending', phase = 'connect', attempts = attempts + 1, holder = ?, held_until = ? WHERE id = ?",
                    (holder, until, number),
                )
                claimed.append(self._outbound(tx, number))
            return claimed

        return self.write(body)

    def _outbound(self, tx: Tx, number: int) -> Outbound:
        assert self._writer is not None
        delivery = rows.delivery(
            self._writer.execute(f"SELECT {rows.DELIVERY_COLUMNS} FROM delivery WHERE id = ?", (number,)).fetchone()
        )
        thread = tx.thread(delivery.ticket)
        message = next(m for m in thread if m.id == delivery.message)
        before = [
            m.message_id for m in thread if m.message_id and (m.at, m.id) < (message.at, message.id) and not m.withdrawn
        ]
        self._writer.execute("UPDATE message SET state = 'sending' WHERE id = ?", (message.id,))
        return Outbound(delivery, message, tx.tickets((delivery.ticket,))[delivery.ticket], tuple(before))

    def phase(self, delivery: int, holder: str, phase: str, until: Millis) -> bool:
        statement = "UPDATE delivery SET phase = ?, held_until = ? WHERE id = ? AND holder = ? AND state = 'sending' RETURNING id"
        return bool(self._execute(statement, (phase, until, delivery, holder)))

    def settle(
        self,
        delivery: int,
        holder: str,
        state: State,
        at: Millis,
        *,
        error: str = "",
        remote_id: str | None = None,
        next_at: Millis | None = None,
        again: Sequence[str] = (),
    ) -> bool:
        def body(tx: Tx) -> bool:
            assert self._writer is not None
            row = self._writer.execute(_CLAIMED, (delivery, holder)).fetchone()
            if row is None:
                return False
            claimed = rows.delivery(row)
            if again:
                self._split(tx, claimed, again, error, next_at or at)
            self._writer.execute(
                "UPDATE delivery SET remote_id = coalesce(?, remote_id), next_at = ?, phase = ? WHERE id = ?",
                (remote_id, next_at, "done" if state is State.SENT else claimed.phase, delivery),
            )
            self._record(tx, claimed, state, at, error)
            return True

        return self.write(body)

    def _split(self, tx: Tx, claimed: Delivery, again: Sequence[str], error: str, next_at: Millis) -> None:
        """The recipients that were refused for now go on as a delivery of their own."""
        assert self._writer is not None
        rest = tuple(a for a in claimed.recipients if a not in again)
        self._writer.execute("UPDATE delivery SET recipients = ? WHERE id = ?", (rows.dump(rest), claimed.id))
        values = [*rows.delivery_values(claimed), next_at]
        columns = (*rows.DELIVERY, "next_at")
        fresh = dict(zip(columns, values, strict=True)) | {
            "id": tx.new_id("delivery"), "recipients": rows.dump(list(again)), "state": State.DEFERRED.value, "phase": "", "error": error,
        }  # fmt: skip
        self._writer.execute(
            f"INSERT INTO delivery ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})",
            [fresh[c] for c in columns],
        )

    def _record(
        self, tx: Tx, delivery: Delivery, state: State, at: Millis, detail: str, source: str = "outbox"
    ) -> None:
        batch = Batch(f"{at:011x}{delivery.id:08x}{delivery.attempts:02x}", at, source=source)
        tx.append(batch, [Delivered(delivery.ticket, delivery.message, delivery.id, state, detail)])

    def reclaim(self, at: Millis) -> list[int]:
        lost = f"SELECT {rows.DELIVERY_COLUMNS} FROM delivery WHERE state = 'sending' AND held_until < ?"
        if not self._read.execute(lost, (at,)).fetchone():
            return []

        def body(tx: Tx) -> list[int]:
            assert self._writer is not None
            found = [rows.delivery(row) for row in self._writer.execute(lost, (at,)).fetchall()]
            for delivery in found:
                if delivery.phase in ("", "connect"):
                    state, detail = State.DEFERRED, "the sender was lost before it began; it is sent again"
                else:
                    state, detail = State.UNKNOWN, "the sender was lost in the middle; it may have gone out"
                self._writer.execute("UPDATE delivery SET next_at = ? WHERE id = ?", (at, delivery.id))
                self._record(tx, delivery, state, at, detail, "reclaim")
            return [d.id for d in found]

        return self.write(body)

    def outbox(self, states: Sequence[State] = (), limit: int = 100) -> list[tuple[Delivery, Millis | None]]:
        wanted = [s.value for s in states] or ["queued", "sending", "failed for now", "failed", "bounced", "unknown"]
        marks = ",".join("?" * len(wanted))
        query = (
            f"SELECT {rows.DELIVERY_COLUMNS}, next_at FROM delivery WHERE state IN ({marks}) ORDER BY id DESC LIMIT ?"
        )
        return [(rows.delivery(row[:-1]), row[-1]) for row in self._read.execute(query, (*wanted, limit))]

    def retry(self, delivery: int, batch: Batch) -> None:
        def body(tx: Tx) -> None:
            assert self._writer is not None
            row = self._writer.execute(
                f"SELECT {rows.DELIVERY_COLUMNS} FROM delivery WHERE id = ?", (delivery,)
            ).fetchone()
            if row is None:
                raise NotFound(f"there is no delivery {delivery}; deskhand outbox lists them")
            found = rows.delivery(row)
            if found.state not in (State.FAILED, State.UNKNOWN, State.DEFERRED, State.BOUNCED):
                raise NotFound(
                    f"delivery {delivery} is {found.state.value}; only what failed or is unknown can be sent again"
                )
            self._writer.execute("UPDATE delivery SET next_at = ?, phase = '' WHERE id = ?", (batch.at, delivery))
            tx.append(batch, [Delivered(found.ticket, found.message, found.id, State.QUEUED, "to be sent again")])

        self.write(body)

    # -- team -------------------------------------------------------------------

    def agents(self) -> dict[str, Agent]:
        return pr.read_agents(self._read)

    def agent_of(self, uid: int) -> Agent | None:
        row = self._read.execute(f"SELECT {', '.join(rows.AGENT)} FROM agent WHERE uid = ?", (uid,)).fetchone()
        return rows.agent(row) if row else None

    def save_agent(self, agent: Agent, batch: Batch) -> None:
        def body(tx: Tx) -> None:
            assert self._writer is not None
            before = tx.agents().get(agent.name)
            other = next(
                (a for a in tx.agents().values() if a.uid is not None and a.uid == agent.uid and a.name != agent.name),
                None,
            )
            if other:
                raise StoreError(
                    f"uid {agent.uid} is {other.name} already; take it from them first: deskhand agent set {other.name} --uid none"
                )
            marks = ", ".join("?" * len(rows.AGENT))
            self._writer.execute(
                f"INSERT OR REPLACE INTO agent ({', '.join(rows.AGENT)}) VALUES ({marks})", rows.agent_values(agent)
            )
            old = dict(zip(rows.AGENT, rows.agent_values(before), strict=True)) if before else dict.fromkeys(rows.AGENT)
            new = dict(zip(rows.AGENT, rows.agent_values(agent), strict=True))
            tx.append(batch, [Changed(agent.name, k, old[k], new[k], "agent") for k in rows.AGENT if old[k] != new[k]])

        self.write(body)

    def teams(self) -> dict[str, Team]:
        return pr.read_teams(self._read)

    def save_team(self, team: Team, batch: Batch) -> None:
        def body(tx: Tx) -> None:
            assert self._writer is not None
            before = tx.teams().get(team.name)
            self._writer.execute("INSERT OR REPLACE INTO team (name, title) VALUES (?, ?)", (team.name, team.title))
            tx.append(batch, [Changed(team.name, "title", before.title if before else None, team.title, "team")])

        self.write(body)

    def accounts(self) -> dict[str, Account]:
        return pr.read_accounts(self._read)

    def save_account(self, account: Account) -> None:
        if self.accounts().get(account.name) != account:
            marks = ", ".join("?" * len(rows.ACCOUNT))
            self._execute(
                f"INSERT OR REPLACE INTO account ({', '.join(rows.ACCOUNT)}) VALUES ({marks})",
                rows.account_values(account),
            )

    def known(self, account: str, external_ids: Sequence[str]) -> set[str]:
        return pr.read_known(self._read, account, external_ids)

    def cursor(self, account: str) -> str | None:
        row = self._read.execute("SELECT value FROM cursor WHERE account = ?", (account,)).fetchone()
        return row[0] if row else None

    def setting(self, name: str) -> str | None:
        row = self._read.execute("SELECT value FROM setting WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    def set_setting(self, name: str, value: str) -> None:
        self._execute("INSERT OR REPLACE INTO setting (name, value) VALUES (?, ?)", (name, value))

    def publish(self, config: str, version: int, changes: Mapping[str, tuple[Any, Any]], batch: Batch) -> None:
        def body(tx: Tx) -> None:
            assert self._writer is not None
            for name, value in (("config", config), ("config_version", str(version))):
                self._writer.execute("INSERT OR REPLACE INTO setting (name, value) VALUES (?, ?)", (name, value))
            tx.append(batch, [Changed(f"config {version}", name, *pair, "settings") for name, pair in changes.items()])

        self.write(body)

    # -- upkeep -----------------------------------------------------------------

    def lease(self, name: str, holder: str, at: Millis, until: Millis) -> bool:
        statement = (
            "INSERT INTO lease (name, holder, until) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE "
            "SET holder = excluded.holder, until = excluded.until WHERE lease.holder = excluded.holder OR lease.until < ? RETURNING name"
        )
        return bool(self._execute(statement, (name, holder, until, at)))

    def release(self, name: str, holder: str) -> None:
        self._execute("DELETE FROM lease WHERE name = ? AND holder = ?", (name, holder))

    def leases(self) -> list[Lease]:
        return [Lease(*row) for row in self._read.execute("SELECT name, holder, until FROM lease ORDER BY name")]

    def numbers(self) -> Numbers:
        read = self._read

        def one(query: str) -> int:
            return int(read.execute(query).fetchone()[0])

        return Numbers(
            tickets=one("SELECT count(*) FROM ticket"),
            live=one("SELECT count(*) FROM ticket WHERE live = 1 AND bin = '' AND merged_into IS NULL"),
            messages=one("SELECT count(*) FROM message"),
            queued=one("SELECT count(*) FROM delivery WHERE state IN ('queued', 'failed for now')"),
            unknown=one("SELECT count(*) FROM delivery WHERE state = 'unknown'"),
            last_seq=self.last_seq(),
        )

    def check(self) -> list[str]:
        return check(self._read, blob_path(self.path))

    def backup(self, path: str) -> None:
        backup(self._read, self.path, blob_path(self.path), Path(path))

    def close(self) -> None:
        with self._writing:
            for conn in [*self._readers, *([self._writer] if self._writer else [])]:
                conn.close()
            if self._blobs is not None:
                self._blobs.close()
            self._readers.clear()
            self._writer = self._blobs = None
            self._local = threading.local()


def natural_sort(query: Node) -> str:
    """The order people expect: what is open by urgency, an archive by what is newest."""
    parts = query.parts if isinstance(query, All) else (query,)
    return (
        "urgency"
        if any(p == LIVE or (isinstance(p, All) and natural_sort(p) == "urgency") for p in parts)
        else "newest"
    )


def blob_path(path: Path) -> Path:
    """The file beside the store that keeps its blobs: desk.db has desk-blobs.db."""
    return path.with_name(f"{path.stem}-blobs{path.suffix}")


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """SQLite's errors as sentences with a next step."""
    try:
        yield
    except sqlite3.OperationalError as error:
        text = str(error)
        if "locked" in text or "busy" in text:
            raise Busy(
                f"{path}: another process holds the store for over {_BUSY_S} s; deskhand doctor names it"
            ) from error
        if "full" in text:
            raise StoreError(f"{path}: the disk is full; nothing was changed, make room and do it again") from error
        raise StoreError(f"{path}: {text}; nothing was changed") from error
    except sqlite3.DatabaseError as error:
        raise StoreError(f"{path}: {error}; look at it with: deskhand doctor") from error


def open_sqlite(
    path: Path, url: str, config: DeskConfig, *, create: bool, upgrade: bool, mounts: Path = place.MOUNTS
) -> SqliteStore:
    """The store at `path`, made when it is not there and `create` says so; StoreError says what is in the way."""
    # Not resolved: a symbolic link is to be seen.
    path = path.absolute()
    place.demand_fit(path, mounts)
    if not path.exists():
        if not create:
            raise NotFound(
                f"there is no store at {path} yet; make one with: deskhand init, or look around with: deskhand demo"
            )
        try:
            place.create(path)
        except FileExistsError:
            pass
        except OSError as error:
            raise StoreError(f"{path}: cannot be created ({error.strerror})") from error
    store = SqliteStore(path, url, config)
    conn = store._read
    try:
        found = migrate.version(conn)
        if found == 0 and not create and conn.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
            raise NotFound(
                f"the store at {path} is empty; make one with: deskhand init, or look around with: deskhand demo"
            )
        if found == 0 or upgrade:
            conn.execute("PRAGMA journal_mode = WAL")
            conn.execute("PRAGMA synchronous = FULL")
            migrate.upgrade(conn, str(path))
        migrate.demand_current(conn, str(path))
        planted = conn.execute("SELECT type, name FROM sqlite_master WHERE type IN ('trigger', 'view')").fetchall()
    except sqlite3.DatabaseError as error:
        store.close()
        raise StoreError(f"{path}: {error}; is this file a deskhand store?") from error
    except BaseException:
        store.close()
        raise
    if planted:
        store.close()
        raise StoreError(
            f"{path}: somebody added the {planted[0][0]} {planted[0][1]!r}, which deskhand never makes; ask who, then drop it"
        )
    return store
