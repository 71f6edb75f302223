"""What lists, tickets and screens read."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from desk.errors import NotFound
from desk.model import Customer, Message, State, Ticket
from desk.query import LIVE, All, Node
from desk.store import SORTS, Page, Row
from desk.text import one_line, words
from storage import reads, rows
from storage.engine import Engine, explained
from storage.search import behind, compile_query, key_columns, order_by

if TYPE_CHECKING:
    from desk.events import Record

_POLL_S = 0.04
_SNIPPET = (
    "(SELECT substr(coalesce(visible, text), 1, 200) FROM message WHERE message.ticket = ticket.id AND withdrawn = 0 "
    "AND kind = 'public' ORDER BY at DESC, id DESC LIMIT 1)"
)
_TROUBLE = "(SELECT state FROM delivery WHERE delivery.ticket = ticket.id AND state IN ('failed', 'bounced', 'unknown') LIMIT 1)"
_SEEN = "coalesce((SELECT message FROM seen WHERE seen.agent = :agent AND seen.ticket = ticket.id), 0)"
_ROW = f"SELECT {rows.TICKET_COLUMNS}, {rows.CUSTOMER_COLUMNS}, {_SNIPPET}, ticket.heard > {_SEEN}, {_TROUBLE}"
_FROM = "FROM ticket JOIN customer ON customer.id = ticket.requester"


class Views(Engine):
    """The reading half of the store: tickets and views, and waiting for news."""

    def _compile(self, query: Node, *, walked: bool = False) -> tuple[str, dict[str, Any]]:
        """The condition; `walked` when tickets are met in the order of an index and few are wanted."""

        def hits(text: str, limit: int) -> int:
            if not walked:
                return 0
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
        with explained(self.path):
            walked = sort in ("newest", "oldest", "updated") or natural_sort(query) == "urgency"
            where, params = self._compile(query, walked=walked)
            if after is not None:
                where = f"({where}) AND {behind(sort, after, params)}"
            # The keys first, so that what a row shows is looked up for the rows of the page only.
            keys = key_columns(sort)
            statement = f"SELECT ticket.id, {keys} FROM ticket WHERE {where} ORDER BY {order_by(sort)} LIMIT :limit"
            found = self._read.execute(statement, {**params, "limit": limit + 1}).fetchall()
        page = self.rows([row[0] for row in found[:limit]], agent=agent)
        return Page(page, tuple(found[limit - 1][1:]) if len(found) > limit else None)

    def ids(self, query: Node, *, sort: str = "urgency", limit: int | None = None) -> list[int]:
        with explained(self.path):
            where, params = self._compile(query)
            statement = f"SELECT ticket.id FROM ticket WHERE {where} ORDER BY {order_by(sort)} LIMIT :limit"
            return [
                row[0] for row in self._read.execute(statement, {**params, "limit": -1 if limit is None else limit})
            ]

    def natural_sort(self, query: Node) -> str:
        return natural_sort(query)

    def count(self, query: Node) -> int:
        with explained(self.path):
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
        return reads.read_customer(self._read, number)

    def customers(self, text: str, limit: int = 20) -> list[Customer]:
        query = f"SELECT {rows.CUSTOMER_COLUMNS} FROM customer WHERE instr(words, :wanted) > 0 ORDER BY id DESC LIMIT :limit"
        return [rows.customer(row) for row in self._read.execute(query, {"wanted": f" {words(text)}", "limit": limit})]

    def blob(self, key: str) -> bytes:
        with self._writing:
            return self._open_blobs().get(key)

    def last_batch(self, agent: str, *, undo: bool) -> str | None:
        kind = "batch.undoes IS NOT NULL" if undo else "batch.undoes IS NULL"
        # Doing again is itself marked as undoing an undo; only what took back plain work can be done again.
        first = "AND (SELECT b.undoes FROM batch b WHERE b.id = batch.undoes) IS NULL" if undo else ""
        # The team, the settings and another attempt to send are not taken back like work on tickets.
        work = "EXISTS (SELECT 1 FROM event WHERE event.batch = batch.id AND entity IN ('ticket', 'customer') AND kind <> 'Delivered')"
        query = (
            f"SELECT id FROM batch WHERE agent = ? AND {kind} AND undone_by IS NULL {first} AND {work} "
            "ORDER BY at DESC, rowid DESC LIMIT 1"
        )
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


def natural_sort(query: Node) -> str:
    """The order people expect: what is open by urgency, an archive by what is newest."""
    parts = query.parts if isinstance(query, All) else (query,)
    return (
        "urgency"
        if any(p == LIVE or (isinstance(p, All) and natural_sort(p) == "urgency") for p in parts)
        else "newest"
    )
