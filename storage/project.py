"""Events become rows: what one transaction reads under lock and writes at its end.

Rows wait in memory until the transaction is flushed, so that a batch of a thousand
messages is a few large statements; what has been written is seen by later reads of the
same transaction all the same.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from msgspec.structs import replace

from desk import events as ev
from desk.blobs import Blob
from desk.config import DeskConfig
from desk.errors import Conflict, NotFound
from desk.model import Account, Agent, Customer, Delivery, Identity, Message, Millis, State, Team, Ticket
from desk.sla import settle
from desk.store import Batch, Held
from desk.text import words
from storage import reads, rows
from storage.blobs import Blobs
from storage.search import SHIFT

_INSERT_TICKET = (
    f"INSERT INTO ticket ({', '.join(rows.TICKET)}, live) VALUES ({', '.join('?' * (len(rows.TICKET) + 1))})"
)
_INSERT_MESSAGE = (
    f"INSERT INTO message ({', '.join(rows.MESSAGE)}, digest) VALUES ({', '.join('?' * (len(rows.MESSAGE) + 1))})"
)
_INSERT_DELIVERY = (
    f"INSERT INTO delivery ({', '.join(rows.DELIVERY)}, next_at) VALUES ({', '.join('?' * (len(rows.DELIVERY) + 1))})"
)
_HELD = "SELECT ticket, id, message_id, flags, conversation FROM message WHERE withdrawn = 0 AND "
_COLUMNS = (*rows.TICKET, "live")


class Transaction:
    """A `desk.store.Tx` on SQLite."""

    def __init__(self, conn: sqlite3.Connection, blobs: Callable[[], Blobs], config: DeskConfig) -> None:
        self.conn, self._blobs, self._config = conn, blobs, config
        self._before: dict[int, Ticket | None] = {}
        self._now: dict[int, Ticket] = {}
        self._recount: set[int] = set()
        self._messages: dict[int, Message] = {}
        self._digests: dict[int, str] = {}
        self._outside: dict[str, list[Held]] = {}
        self._twins: dict[str, Held] = {}
        self._deliveries: list[Delivery] = []
        self._records: list[tuple[str, Millis, str, str, str, str]] = []
        self._batches: dict[str, Batch] = {}
        self._words: list[tuple[int, str]] = []
        self._gone: list[tuple[int, str]] = []
        self._external: list[tuple[str, str, int | None]] = []
        self._counters: dict[str, int] = {}
        self._people: dict[tuple[str, str], Customer] = {}
        self._held_blobs = False

    # -- reading ------------------------------------------------------------

    def tickets(self, ids: Iterable[int]) -> dict[int, Ticket]:
        wanted = list(ids)
        missing = [i for i in wanted if i not in self._now]
        for start in range(0, len(missing), 500):
            chunk = missing[start : start + 500]
            marks = ",".join("?" * len(chunk))
            for row in self.conn.execute(f"SELECT {rows.TICKET_COLUMNS} FROM ticket WHERE id IN ({marks})", chunk):
                ticket = rows.ticket(row)
                self._before[ticket.id] = self._now[ticket.id] = ticket
        return {i: self._now[i] for i in wanted if i in self._now}

    def thread(self, ticket: int) -> list[Message]:
        self._flush_messages()
        found = self.conn.execute(
            f"SELECT {rows.MESSAGE_COLUMNS} FROM message WHERE ticket = ? ORDER BY at, id", (ticket,)
        )
        return [rows.message(row) for row in found]

    def deliveries(self, message: int) -> list[Delivery]:
        self._flush_messages()
        found = self.conn.execute(
            f"SELECT {rows.DELIVERY_COLUMNS} FROM delivery WHERE message = ? ORDER BY id", (message,)
        )
        return [rows.delivery(row) for row in found]

    def customer(self, number: int) -> Customer:
        return reads.read_customer(self.conn, number)

    def agents(self) -> dict[str, Agent]:
        return reads.read_agents(self.conn)

    def teams(self) -> dict[str, Team]:
        return reads.read_teams(self.conn)

    def accounts(self) -> dict[str, Account]:
        return reads.read_accounts(self.conn)

    def records(self, batch: str) -> list[ev.Record]:
        self._flush_events()
        query = f"SELECT {rows.RECORD_COLUMNS} FROM event JOIN batch ON batch.id = event.batch WHERE event.batch = ? ORDER BY seq"
        return [rows.record(row) for row in self.conn.execute(query, (batch,))]

    def known(self, account: str, external_ids: Sequence[str]) -> set[str]:
        fresh = {e for a, e, _ in self._external if a == account}
        return (fresh & set(external_ids)) | reads.read_known(self.conn, account, external_ids)

    def held(self, message_ids: Sequence[str]) -> list[Held]:
        found: dict[str, Held] = {}
        stored = [i for i in message_ids if i not in self._outside]
        for column in ("message_id", "conversation"):
            keys = [i for i in stored if ("\x1f" in i) == (column == "conversation")]
            if keys:
                marks = ",".join("?" * len(keys))
                order = "id DESC" if column == "conversation" else "id"
                for row in self.conn.execute(f"{_HELD}{column} IN ({marks}) ORDER BY {order}", keys):
                    # The newest ticket of a conversation is the one that goes on.
                    found.setdefault(row[4] if column == "conversation" else row[2], _held(row))
        for key in message_ids:
            if key in self._outside:
                found[key] = self._outside[key][-1 if "\x1f" in key else 0]
        return [found[i] for i in message_ids if i in found]

    def twin(self, message_id: str | None, digest: str) -> Held | None:
        if digest in self._twins and (message_id is None or self._twins[digest].message_id == message_id):
            return self._twins[digest]
        if message_id is None:
            row = self.conn.execute(f"{_HELD}digest = ? AND message_id IS NULL", (digest,)).fetchone()
        else:
            row = self.conn.execute(f"{_HELD}message_id = ? AND digest = ?", (message_id, digest)).fetchone()
        return _held(row) if row else None

    # -- writing ------------------------------------------------------------

    def new_id(self, kind: str) -> int:
        if kind not in self._counters:
            self._counters[kind] = self.conn.execute("SELECT value FROM counter WHERE name = ?", (kind,)).fetchone()[0]
        self._counters[kind] += 1
        return self._counters[kind]

    def customer_for(self, identity: Identity, at: Millis) -> Customer:
        key = (identity.kind, identity.value)
        if key not in self._people:
            row = self.conn.execute(
                f"SELECT {rows.CUSTOMER_COLUMNS} FROM identity JOIN customer ON customer.id = identity.customer "
                "WHERE identity.kind = ? AND identity.value = ?",
                key,
            ).fetchone()
            self._people[key] = rows.customer(row) if row else self._new_customer(identity, at)
        known = self._people[key]
        if identity.display and known.name == known.address != identity.display:
            known = self._people[key] = replace(known, name=identity.display)
            self.conn.execute("UPDATE customer SET name = ? WHERE id = ?", (known.name, known.id))
            self._index_customer(known)
        return known

    def _index_customer(self, customer: Customer) -> None:
        self.conn.execute(
            "UPDATE customer SET words = ?, organisation_words = ? WHERE id = ?",
            (customer_words(customer), f" {words(customer.organisation or '')} ", customer.id),
        )

    def _new_customer(self, identity: Identity, at: Millis) -> Customer:
        organisation = organisation_of(identity)
        person = Customer(self.new_id("customer"), identity.label, identity.value, organisation, created_at=at)
        self.conn.execute(
            "INSERT INTO customer (id, name, address, organisation, notes, blocked, created_at, words, organisation_words) "
            "VALUES (?, ?, ?, ?, '', 0, ?, ?, ?)",
            (
                person.id,
                person.name,
                person.address,
                organisation,
                at,
                customer_words(person),
                f" {words(organisation or '')} ",
            ),
        )
        self.conn.execute(
            "INSERT INTO identity VALUES (?, ?, ?, ?)", (identity.kind, identity.value, person.id, identity.display)
        )
        return person

    def append(self, batch: Batch, events: Sequence[ev.Event]) -> int:
        for event in events:
            self._project(event, batch.at)
            entity, about, data = ev.payload(event)
            self._records.append((batch.id, batch.at, entity, str(about), type(event).__name__, rows.dump(data)))
        if events:
            self._batches[batch.id] = batch
        return self._seq() + len(self._records)

    def _seq(self) -> int:
        if "seq" not in self._counters:
            self._counters["seq"] = self.conn.execute("SELECT value FROM counter WHERE name = 'seq'").fetchone()[0]
        return self._counters["seq"]

    def _project(self, event: ev.Event, at: Millis) -> None:
        match event:
            case ev.Opened(ticket):
                self._before[ticket.id] = None
                self._now[ticket.id] = ticket
                self._words.append((ticket.id << SHIFT, words(ticket.subject)))
            case ev.Changed(entity="ticket"):
                before = self._at_hand(int(event.about))
                self._evolve(event, at)
                if event.field == "subject":
                    self._unindex(before.id << SHIFT, words(before.subject))
                    self._words.append((before.id << SHIFT, words(str(event.added))))
            case ev.Changed(entity="customer"):
                assert event.field in ("blocked", "name", "notes", "organisation")
                self.conn.execute(f"UPDATE customer SET {event.field} = ? WHERE id = ?", (event.added, event.about))
                self._index_customer(self.customer(int(event.about)))
                self._people.clear()
            case ev.Posted():
                self._post(event, at)
            case ev.Withdrawn(_, message):
                self._withdraw(self._message(message), True)
            case ev.Restored(_, message, not_before):
                self._withdraw(self._message(message), False, not_before)
            case ev.Moved():
                self._move(event)
            case ev.Delivered(about, message, delivery, state, detail):
                self._flush_messages()
                self.conn.execute(
                    "UPDATE delivery SET state = ?, error = ?, holder = NULL, held_until = NULL WHERE id = ?",
                    (state.value, detail, delivery),
                )
                self._derive_state(message)
                if state in (State.FAILED, State.BOUNCED, State.SENT):
                    self._recount.add(about)

    def _at_hand(self, number: int) -> Ticket:
        self.tickets((number,))
        if number not in self._now:
            raise NotFound(f"there is no ticket #{number}")
        return self._now[number]

    def _evolve(self, event: ev.Event, at: Millis) -> None:
        number = int(event.about)
        self._now[number] = ev.evolve(self._at_hand(number), event, at)

    def _post(self, event: ev.Posted, at: Millis) -> None:
        message = event.message
        self._messages[message.id] = message
        self._deliveries += event.deliveries
        self._evolve(event, at)
        if not event.silent:
            ticket = self._now[message.ticket]
            self._now[message.ticket] = replace(ticket, heard=max(ticket.heard, message.id))
        line = event.words if event.words is not None else message_words(message)
        self._words.append((message.ticket << SHIFT | message.id, line))
        held = Held(message.ticket, message.id, message.message_id or "", message.flags)
        for key in (message.message_id, message.conversation):
            if key:
                self._outside.setdefault(key, []).append(held)

    def _message(self, number: int) -> Message:
        self._flush_messages()
        row = self.conn.execute(f"SELECT {rows.MESSAGE_COLUMNS} FROM message WHERE id = ?", (number,)).fetchone()
        if row is None:
            raise NotFound(f"there is no message {number}")
        return rows.message(row)

    def _withdraw(self, message: Message, away: bool, not_before: Millis = 0) -> None:
        states = {d.state for d in self.deliveries(message.id)}
        left = states - {State.QUEUED, State.DEFERRED, State.WITHDRAWN, State.FAILED}
        if away and left:
            raise Conflict(f"message {message.id} is {min(left).value} and cannot be taken back; write again instead")
        state = State.WITHDRAWN if away else State.QUEUED
        # What was to go out later still does.
        self.conn.execute(
            "UPDATE delivery SET state = ?, next_at = max(not_before, ?), not_before = max(not_before, ?), phase = '' WHERE message = ?",
            (state.value, not_before, not_before, message.id),
        )
        if not away:
            ticket = self._at_hand(message.ticket)
            self._now[ticket.id] = replace(ticket, heard=max(ticket.heard, message.id))
        self.conn.execute("UPDATE message SET withdrawn = ? WHERE id = ?", (int(away), message.id))
        self._derive_state(message.id)
        self._recount.add(message.ticket)
        key, line = message.ticket << SHIFT | message.id, message_words(message)
        if away:
            self._unindex(key, line)
        else:
            self._words.append((key, line))

    def _move(self, event: ev.Moved) -> None:
        for number in event.messages:
            message = self._message(number)
            if message.ticket != event.about:
                raise Conflict(f"message {number} is on #{message.ticket} by now")
            self.conn.execute("UPDATE message SET ticket = ? WHERE id = ?", (event.to, number))
            self.conn.execute("UPDATE delivery SET ticket = ? WHERE message = ?", (event.to, number))
            if not message.withdrawn:
                line = message_words(message)
                self._unindex(event.about << SHIFT | number, line)
                self._words.append((event.to << SHIFT | number, line))
        for ticket in (event.about, event.to):
            self._at_hand(ticket)
            self._recount.add(ticket)
        target = self._now[event.to]
        self._now[event.to] = replace(target, heard=max(target.heard, self._now[event.about].heard))

    def _unindex(self, key: int, line: str) -> None:
        # The index forgets only what it was given: words that still wait to be written are not written.
        if (key, line) in self._words:
            self._words.remove((key, line))
        else:
            self._gone.append((key, line))

    def _derive_state(self, message: int) -> None:
        state = ev.overall(d.state for d in self.deliveries(message))
        self.conn.execute("UPDATE message SET state = ? WHERE id = ?", (state.value if state else None, message))

    def seen(self, agent: str, ticket: int, message: int) -> None:
        reads.mark_seen(self.conn, agent, ticket, message)

    def put_blobs(self, blobs: Iterable[Blob]) -> None:
        found = list(blobs)
        if found:
            self._held_blobs = True
            self._blobs().put(found)

    def remember(self, account: str, external_id: str, message: int | None) -> None:
        self._external.append((account, external_id, message))

    def set_digest(self, message: int, digest: str) -> None:
        found = self._messages.get(message)
        if found is not None:
            self._digests[message] = digest
        else:
            # Written already: what the same item did to others (a bounce) made us look at the rows.
            self.conn.execute("UPDATE message SET digest = ? WHERE id = ?", (digest, message))
            found = self._message(message)
        self._twins.setdefault(digest, Held(found.ticket, message, found.message_id or ""))

    def set_cursor(self, account: str, cursor: str) -> None:
        self.conn.execute("INSERT OR REPLACE INTO cursor (account, value) VALUES (?, ?)", (account, cursor))

    # -- the end ------------------------------------------------------------

    def _flush_messages(self) -> None:
        if self._messages:
            values = [[*rows.message_values(m), self._digests.get(m.id)] for m in self._messages.values()]
            self.conn.executemany(_INSERT_MESSAGE, values)
            self._messages.clear()
        if self._deliveries:
            self.conn.executemany(
                _INSERT_DELIVERY, [[*rows.delivery_values(d), d.not_before] for d in self._deliveries]
            )
            self._deliveries.clear()

    def _flush_tickets(self) -> None:
        for number in self._recount:
            self._now[number] = ev.recounted(self._at_hand(number), self.thread(number))
        self._recount.clear()
        fresh: list[list[Any]] = []
        for number, ticket in self._now.items():
            before = self._before.get(number)
            if ticket == before:
                continue
            ticket = replace(settle(ticket, self._config), version=ticket.version + 1)
            values = rows.ticket_values(ticket)
            if before is None:
                fresh.append(values)
            else:
                self._update_ticket(number, rows.ticket_values(before), values)
            self._retag(number, before.tags if before else (), ticket.tags)
            self._before[number] = self._now[number] = ticket
        if fresh:
            self.conn.executemany(_INSERT_TICKET, fresh)

    def _update_ticket(self, number: int, before: list[Any], after: list[Any]) -> None:
        changed = [i for i, value in enumerate(after) if value != before[i]]
        sets = ", ".join(f"{_COLUMNS[i]} = ?" for i in changed)
        self.conn.execute(f"UPDATE ticket SET {sets} WHERE id = ?", (*(after[i] for i in changed), number))

    def _retag(self, number: int, before: tuple[str, ...], after: tuple[str, ...]) -> None:
        if before != after:
            self.conn.executemany(
                "DELETE FROM tag WHERE tag = ? AND ticket = ?", [(t, number) for t in before if t not in after]
            )
            self.conn.executemany(
                "INSERT OR IGNORE INTO tag VALUES (?, ?)", [(t, number) for t in after if t not in before]
            )

    def _flush_words(self) -> None:
        # In the order of their keys: FTS5 writes a segment whenever a key goes back.
        if self._gone:
            self.conn.executemany("INSERT INTO words (words, rowid, text) VALUES ('delete', ?, ?)", sorted(self._gone))
            self._gone.clear()
        if self._words:
            self._words.sort()
            self.conn.executemany("INSERT INTO words (rowid, text) VALUES (?, ?)", self._words)
            self._words.clear()

    def _flush_events(self) -> None:
        if not self._records:
            return
        for batch in self._batches.values():
            self.conn.execute(
                "INSERT OR IGNORE INTO batch (id, at, agent, uid, host, line, source, undoes) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (batch.id, batch.at, batch.agent, batch.uid, batch.host, batch.line, batch.source, batch.undoes),
            )
            if batch.undoes:
                # What is taken back can be done again, and what is done again can be taken back.
                self.conn.execute("UPDATE batch SET undone_by = ? WHERE id = ?", (batch.id, batch.undoes))
                self.conn.execute(
                    "UPDATE batch SET undone_by = NULL WHERE id = (SELECT undoes FROM batch WHERE id = ?)",
                    (batch.undoes,),
                )
        first = self.conn.execute(
            "UPDATE counter SET value = value + ? WHERE name = 'seq' RETURNING value", (len(self._records),)
        ).fetchone()[0] - len(self._records)
        self.conn.executemany(
            "INSERT INTO event (seq, batch, at, entity, about, kind, payload) VALUES (?, ?, ?, ?, ?, ?, ?)",
            [(first + i, *record) for i, record in enumerate(self._records, 1)],
        )
        self._counters["seq"] = first + len(self._records)
        self._records.clear()
        self._batches.clear()

    def flush(self) -> None:
        """Write everything that waits; the log last."""
        self._flush_messages()
        self._flush_tickets()
        self._flush_words()
        if self._external:
            self.conn.executemany("INSERT OR IGNORE INTO external VALUES (?, ?, ?)", self._external)
            self._external.clear()
        for name, value in self._counters.items():
            if name != "seq":
                self.conn.execute("UPDATE counter SET value = ? WHERE name = ?", (value, name))
        self._flush_events()


def message_words(message: Message) -> str:
    """The search words of a message: subject, text and the names of its files."""
    return words(message.subject, message.text, *(a.name for a in message.attachments))


def customer_words(customer: Customer) -> str:
    """The search words of a customer, with a space at both ends."""
    return f" {words(customer.name, customer.address)} "


_MAIL_PROVIDERS = frozenset(
    [
        "gmail.com",
        "googlemail.com",
        "outlook.com",
        "hotmail.com",
        "live.com",
        "msn.com",
        "yahoo.com",
        "icloud.com",
        "me.com",
        "mac.com",
        "aol.com",
        "gmx.net",
        "gmx.de",
        "web.de",
        "t-online.de",
        "proton.me",
        "protonmail.com",
        "fastmail.com",
        "mail.ru",
        "yandex.ru",
        "bk.ru",
        "list.ru",
        "qq.com",
        "163.com",
        "126.com",
        "orange.fr",
        "free.fr",
        "wanadoo.fr",
        "laposte.net",
        "libero.it",
        "posteo.de",
        "mailbox.org",
        "zoho.com",
        "comcast.net",
        "verizon.net",
        "att.net",
    ]
)


def organisation_of(identity: Identity) -> str | None:
    """The organisation an address speaks for: its domain, unless that belongs to a mail provider."""
    domain = identity.value.rpartition("@")[2] if identity.kind == "email" and "@" in identity.value else ""
    return domain if domain and domain not in _MAIL_PROVIDERS else None


def _held(row: Sequence[Any]) -> Held:
    ticket, number, message_id, flags, _ = row
    return Held(ticket, number, message_id or "", tuple(json.loads(flags)) if flags else ())
