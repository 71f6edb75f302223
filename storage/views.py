"""What lists, tickets and screens read."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from msgspec.json import decode

from desk.alike import Alike, named_alike
from desk.errors import NotFound
from desk.model import Contact, Customer, Delivery, Identity, Message, Millis, State, Ticket
from desk.query import Node
from desk.snippets import SEEN_LIMIT, Needle, Snippet, snippet
from desk.store import SORTS, Batch, Deed, Page, Row
from desk.text import one_line, words
from storage import reads, rows
from storage.engine import Engine
from storage.find import natural_sort
from storage.search import compile_query

if TYPE_CHECKING:
    from desk.events import Record
    from storage.project import Transaction

_ALL = 1 << 62
_UNPROCESSABLE = "'unprocessable'"
_LOOKED_AT = 50
_ALIKE = 5
_SNIPPET = (
    "(SELECT substr(coalesce(visible, text), 1, 200) FROM message WHERE message.ticket = ticket.id AND withdrawn = 0 "
    "AND kind = 'public' ORDER BY at DESC, id DESC LIMIT 1)"
)
_TROUBLE = "(SELECT state FROM delivery WHERE delivery.ticket = ticket.id AND state IN ('failed', 'bounced', 'unknown') LIMIT 1)"
_SEEN = "coalesce((SELECT message FROM seen WHERE seen.agent = :agent AND seen.ticket = ticket.id), 0)"
_ROW = (
    f"SELECT {rows.TICKET_COLUMNS}, {rows.CUSTOMER_COLUMNS}, {_SNIPPET}, ticket.heard > {_SEEN}, {_TROUBLE} "
    "FROM {} JOIN customer ON customer.id = ticket.requester"
)

_DEED = Batch.__struct_fields__
# The team, the settings, another attempt to send or to read are not taken back like work on tickets.
_WORK = "EXISTS (SELECT 1 FROM event WHERE event.batch = batch.id AND entity IN ('ticket', 'customer') AND kind NOT IN ('Delivered', 'Reread'))"


class Views(Engine):
    """The reading half of the store: tickets and views, and waiting for news."""

    def _find(self, query: Node, sort: str, after: tuple[Any, ...] | None, limit: int) -> list[tuple[Any, ...]]:
        """Numbers and keys, all as of one moment."""
        assert sort in SORTS, sort
        with self._moment() as conn:
            return self._finder(conn, query).page(sort, after, limit)

    def page(
        self,
        query: Node,
        *,
        sort: str = "urgency",
        after: tuple[Any, ...] | None = None,
        limit: int = 50,
        agent: str | None = None,
    ) -> Page:
        found = self._find(query, sort, after, limit + 1)
        page = self.rows([row[0] for row in found[:limit]], agent=agent)
        return Page(page, tuple(found[limit - 1][1:]) if len(found) > limit else None)

    def ids(self, query: Node, *, sort: str = "urgency", limit: int | None = None) -> list[int]:
        return [row[0] for row in self._find(query, sort, None, _ALL if limit is None else limit)]

    def natural_sort(self, query: Node) -> str:
        return natural_sort(query)

    def alarms(self, at: Millis, limit: int) -> list[int]:
        found = self._read.execute("SELECT id FROM ticket WHERE alarm_at <= ? ORDER BY alarm_at LIMIT ?", (at, limit))
        return [row[0] for row in found]

    def count(self, query: Node) -> int:
        with self._moment() as conn:
            return self._finder(conn, query).count()

    def rows(self, ids: Sequence[int], *, agent: str | None = None) -> list[Row]:
        found: dict[int, Row] = {}
        split = len(rows.TICKET)
        for start in range(0, len(ids), 500):
            wanted = {"agent": agent or "", "ids": self._read.sql.numbers(ids[start : start + 500])}
            for row in self._read.execute(_ROW.format(self._read.sql.listed), wanted):
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

    def snippets(self, ids: Sequence[int], needles: Sequence[Needle], room: int) -> dict[int, Snippet]:
        found = ((number, self._snippet(number, needles, room)) for number in ids)
        return {number: piece for number, piece in found if piece is not None}

    def _snippet(self, ticket: int, needles: Sequence[Needle], room: int) -> Snippet | None:
        # The words of a message are its text and the names of its files. Looked at, not looked up:
        # what is found in a list mostly stands in its newest message.
        query = (
            f"SELECT substr(text, 1, {SEEN_LIMIT}), attachments FROM message WHERE ticket = ? AND withdrawn = 0 "
            f"ORDER BY at DESC, id DESC LIMIT {_LOOKED_AT}"
        )
        for text, files in self._read.execute(query, (ticket,)):
            names = ", ".join(file[0] for file in decode(files or "[]"))
            piece = snippet(text, needles, room) or snippet(names, needles, room)
            if piece is not None:
                return piece
        return None

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

    def done(self, batch: str) -> list[Record]:
        def body(tx: Transaction) -> list[Record]:
            # Who lost its client may be at work still: it holds this row until it has ended.
            tx.conn.execute(f"SELECT value FROM counter WHERE name = 'seq'{tx.conn.sql.lock}").fetchone()
            return tx.records(batch)

        return self.change(body)

    def causes(self, batch: str) -> list[str]:
        chain = (
            "WITH RECURSIVE chain (depth, source, caused_by) AS (SELECT 0, source, caused_by FROM batch WHERE id = ? UNION ALL "
            "SELECT depth + 1, batch.source, batch.caused_by FROM chain JOIN batch ON batch.id = chain.caused_by WHERE depth < 100) "
            "SELECT source FROM chain ORDER BY depth"
        )
        return [source or "" for (source,) in self._read.execute(chain, (batch,))]

    def resting(self, rule: str, query: Node, until: Millis, limit: int) -> list[int]:
        wanted = compile_query(query, self._read.sql)
        statement = (
            f"SELECT ticket.id FROM ticket WHERE ({wanted.where}) AND ticket.idle_since < :until AND NOT EXISTS (SELECT 1 FROM rest "
            "WHERE rest.rule = :rule AND rest.ticket = ticket.id AND rest.since = ticket.idle_since) ORDER BY ticket.id LIMIT :limit"
        )
        found = self._read.execute(statement, {**wanted.params, "rule": rule, "until": until, "limit": limit})
        return [number for (number,) in found]

    def originals(self, after: int, limit: int, *, unprocessable: bool = False) -> list[Message]:
        only = f"{self._read.sql.within.format('flags', _UNPROCESSABLE)} AND " if unprocessable else ""
        query = f"SELECT {rows.MESSAGE_COLUMNS} FROM message WHERE {only}id > ? AND raw IS NOT NULL ORDER BY id LIMIT ?"
        return [rows.message(row) for row in self._read.execute(query, (after, limit))]

    def customer(self, number: int) -> Customer:
        return reads.read_customer(self._read, number)

    def customers(self, text: str, limit: int = 20) -> list[Customer]:
        named = self._read.sql.within.format("words", ":wanted")
        query = f"SELECT {rows.CUSTOMER_COLUMNS} FROM customer WHERE {named} ORDER BY id DESC LIMIT :limit"
        return [rows.customer(row) for row in self._read.execute(query, {"wanted": f" {words(text)}", "limit": limit})]

    def identities(self, customer: int) -> list[Identity]:
        return reads.read_identities(self._read, customer)

    def alike(self, customer: int, mentioned: Collection[str] = ()) -> list[Alike]:
        me, mine = self.customer(customer), self.identities(customer)
        values = {identity.value: "the same address" for identity in mine if len(identity.value) > 4}
        values |= {address: f"they wrote {address}" for address in mentioned}
        found: dict[int, Alike] = {}
        query = f"SELECT {rows.CUSTOMER_COLUMNS}, identity.kind, identity.value, identity.display FROM identity JOIN customer ON customer.id = identity.customer WHERE "
        where, params = self._read.sql.among("identity.value", sorted(values)[:_ALIKE])
        asked: list[tuple[str, Sequence[Any]]] = [(where, params)] if values else []
        if named_alike(me.name):
            asked.append((f"customer.name = ? ORDER BY customer.id DESC LIMIT {_ALIKE}", (me.name,)))
        for clause, given in asked:
            for *person, kind, value, display in self._read.execute(query + clause, given):
                other = rows.customer(person)
                if other.id != customer and other.id not in found:
                    reason = values.get(value, "the same name")
                    found[other.id] = Alike(other, Identity(kind, value, display or ""), reason)
        return list(found.values())[:_ALIKE]

    def contacts(self, customer: int) -> list[Contact]:
        return reads.read_contacts(self._read, customer)

    def returned(self, customer: int) -> dict[str, str]:
        query = "SELECT value, undeliverable FROM identity WHERE customer = ? AND undeliverable IS NOT NULL"
        return dict(self._read.execute(query, (customer,)).fetchall())

    def trouble(self, ticket: int) -> list[Delivery]:
        query = f"SELECT {rows.DELIVERY_COLUMNS} FROM delivery WHERE ticket = ? AND state IN ('failed', 'bounced', 'unknown')"
        return sorted((rows.delivery(row) for row in self._read.execute(query, (ticket,))), key=lambda found: found.id)

    def blob(self, key: str) -> bytes:
        from desk.blobs import unpack

        return unpack(self._packed(key))

    def last_batch(self, agent: str, *, undo: bool) -> str | None:
        kind = "batch.undoes IS NOT NULL" if undo else "batch.undoes IS NULL"
        # Doing again is itself marked as undoing an undo; only what took back plain work can be done again.
        first = "AND (SELECT b.undoes FROM batch b WHERE b.id = batch.undoes) IS NULL" if undo else ""
        query = (
            f"SELECT id FROM batch WHERE agent = ? AND {kind} AND undone_by IS NULL {first} AND {_WORK} "
            "ORDER BY batch.seq DESC LIMIT 1"
        )
        row = self._read.execute(query, (agent,)).fetchone()
        return row[0] if row else None

    def deeds(self, agent: str, limit: int = 100) -> list[Deed]:
        query = (
            f"SELECT {', '.join(_DEED)}, batch.seq, undone_by, "
            "(SELECT count(DISTINCT about) FROM event WHERE event.batch = batch.id AND entity = 'ticket') "
            f"FROM batch WHERE agent = ? AND {_WORK} ORDER BY batch.seq DESC LIMIT ?"
        )
        return [
            Deed(Batch(*header), seq, tickets, undone_by)
            for *header, seq, undone_by, tickets in self._read.execute(query, (agent, limit))
        ]

    def seen(self, agent: str, ticket: int, message: int) -> None:
        if self.seen_to(agent, ticket) < message:
            self.write(lambda tx: tx.seen(agent, ticket, message))

    def seen_to(self, agent: str, ticket: int) -> int:
        row = self._read.execute("SELECT message FROM seen WHERE agent = ? AND ticket = ?", (agent, ticket)).fetchone()
        return int(row[0]) if row else 0

    def last_seq(self) -> int:
        return int(self._read.execute("SELECT value FROM counter WHERE name = 'seq'").fetchone()[0])
