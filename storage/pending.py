"""What one transaction has read under lock, and the rows that wait for its end.

Rows wait in memory until the transaction is flushed, so that a batch of a thousand
messages is a few large statements; what has been written is seen by later reads of the
same transaction all the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from msgspec.json import Decoder
from msgspec.structs import replace

from desk import events as ev
from desk.blobs import Blob
from desk.config import DeskConfig
from desk.errors import NotFound
from desk.model import Account, Agent, Customer, Delivery, Message, Millis, Team, Ticket
from desk.sla import Promise, logged, policy_of, promises, settle, turns
from desk.store import Batch, Held
from storage import reads, rows
from storage.sql import Connection, adding

_BATCH = adding("batch", ("id", "seq", "at", "agent", "uid", "host", "line", "source", "undoes", "caused_by"))
_TAG = adding("tag", ("tag", "ticket"))
_EXTERNAL = adding("external", ("account", "external_id", "message"))
_EVENT = ("seq", "batch", "at", "entity", "about", "kind", "payload")
_CLOCKS = "SELECT payload FROM event WHERE entity = 'ticket' AND about = ? AND kind = 'Clock' ORDER BY seq"
_DECODER = Decoder(dict[str, Any])
_COLUMNS = (*rows.TICKET, "live")


class Keeper(Protocol):
    """What an engine does for a transaction in a way of its own."""

    def new_id(self, kind: str) -> int:
        """The next number of a kind."""

    def flush(self) -> None:
        """Write what waits of it, before the log."""

    def put_blobs(self, blobs: list[Blob]) -> None:
        """Keep bytes before a row refers to them."""

    def alone(self, work: str) -> None:
        """Wait until nobody else does `work`, and keep everybody else from it until the commit."""

    def met(self) -> None:
        """A ticket came in that others may have written on: numbers that are given out now follow theirs."""


class Pending:
    """The lower half of a transaction: reads, and the flush.

    `seq` is the number of the last line that it wrote into the log, `batch` what that
    belongs to: known when it has been flushed.
    """

    def __init__(self, conn: Connection, keeper: Keeper, config: DeskConfig) -> None:
        self.conn, self._keeper, self._config = conn, keeper, config
        self.seq, self.batch = 0, ""
        self._before: dict[int, Ticket | None] = {}
        self._now: dict[int, Ticket] = {}
        self._recount: set[int] = set()
        self._unsettled: set[int] = set()
        self._headers: dict[int, Batch] = {}
        self._silent: dict[int, Millis] = {}
        self._messages: dict[int, Message] = {}
        self._threads: dict[int, list[Message]] = {}
        self._digests: dict[int, str] = {}
        self._outside: dict[str, list[Held]] = {}
        self._twins: dict[str, Held] = {}
        self._deliveries: list[Delivery] = []
        self._records: list[tuple[str, Millis, str, str, str, str]] = []
        self._batches: dict[str, Batch] = {}
        self._words: list[tuple[int, str]] = []
        self._gone: list[tuple[int, str]] = []
        self._external: list[tuple[str, str, int | None]] = []
        self._people: dict[tuple[str, str], Customer] = {}

    def tickets(self, ids: Iterable[int]) -> dict[int, Ticket]:
        wanted = list(ids)
        missing = sorted({i for i in wanted if i not in self._now})
        for start in range(0, len(missing), 500):
            where, params = self.conn.sql.among("id", missing[start : start + 500])
            locked = f"SELECT {rows.TICKET_COLUMNS} FROM ticket WHERE {where} ORDER BY id{self.conn.sql.lock}"
            for row in self.conn.execute(locked, params):
                ticket = rows.ticket(row)
                self._before[ticket.id] = self._now[ticket.id] = ticket
                self._keeper.met()
        return {i: self._now[i] for i in wanted if i in self._now}

    def _at_hand(self, number: int) -> Ticket:
        self.tickets((number,))
        if number not in self._now:
            raise NotFound(f"there is no ticket #{number}")
        return self._now[number]

    def message(self, number: int) -> Message:
        self._flush_messages()
        row = self.conn.execute(f"SELECT {rows.MESSAGE_COLUMNS} FROM message WHERE id = ?", (number,)).fetchone()
        if row is None:
            raise NotFound(f"there is no message {number}")
        return rows.message(row)

    def thread(self, ticket: int) -> list[Message]:
        self._flush_messages()
        found = self.conn.execute(
            f"SELECT {rows.MESSAGE_COLUMNS} FROM message WHERE ticket = ? ORDER BY at, id", (ticket,)
        )
        return [rows.message(row) for row in found]

    def took_part(self, ticket: int, customer: int, address: str) -> bool:
        # Asked for every third mail that comes in: the messages themselves need not be made for it, nor written first.
        waiting = self._threads.get(ticket, ())
        if any(m.customer == customer or address in {i.value for i in (*m.to, *m.cc)} for m in waiting):
            return True
        found = self.conn.execute("SELECT customer, people FROM message WHERE ticket = ?", (ticket,))
        return any(other == customer or address in rows.addressed(people) for other, people in found)

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
        self._number()
        self.record()
        query = f"SELECT {rows.RECORD_COLUMNS} FROM event JOIN batch ON batch.id = event.batch WHERE event.batch = ? ORDER BY event.seq"
        return [rows.record(row) for row in self.conn.execute(query, (batch,))]

    def new_id(self, kind: str) -> int:
        return self._keeper.new_id(kind)

    def put_blobs(self, blobs: Iterable[Blob]) -> None:
        found = list(blobs)
        if found:
            self._keeper.put_blobs(found)

    def seen(self, agent: str, ticket: int, message: int) -> None:
        reads.mark_seen(self.conn, agent, ticket, message)

    # -- the end ------------------------------------------------------------

    def _flush_messages(self) -> None:
        if self._messages:
            values = [[*rows.message_values(m), self._digests.get(m.id)] for m in self._messages.values()]
            self.conn.insert("message", (*rows.MESSAGE, "digest"), values)
            self._messages.clear()
            self._threads.clear()
        if self._deliveries:
            waiting = [[*rows.delivery_values(d), d.not_before] for d in self._deliveries]
            self.conn.insert("delivery", (*rows.DELIVERY, "next_at"), waiting)
            self._deliveries.clear()

    def _flush_tickets(self) -> None:
        for number in self._recount:
            self._now[number] = ev.recounted(self._at_hand(number), self.thread(number))
        self._recount.clear()
        fresh: list[list[Any]] = []
        for number, ticket in self._now.items():
            before = self._before.get(number)
            if ticket == before and number not in self._unsettled:
                continue
            ticket = self._settled(before, ticket)
            self._unsettled.discard(number)
            if ticket == before:
                continue
            ticket = replace(ticket, version=ticket.version + 1)
            values = rows.ticket_values(ticket)
            if before is None:
                fresh.append(values)
            else:
                self._update_ticket(number, rows.ticket_values(before), values)
            self._retag(number, before.tags if before else (), ticket.tags)
            self._before[number] = self._now[number] = ticket
        if fresh:
            self.conn.insert("ticket", _COLUMNS, fresh)

    def _settled(self, before: Ticket | None, ticket: Ticket) -> Ticket:
        """`ticket` with its clocks set, and what became of them in the log."""
        quiet = self._silent.get(ticket.id)
        if quiet is not None and not ticket.status.live:
            return settle(ticket, ())  # an archive: nothing is promised of what is over
        owed, header = self.promises(ticket), self._headers.get(ticket.id)
        settled = settle(ticket, owed, quiet_until=quiet)
        if header is not None and quiet is None:
            told = turns(ticket.id, self._owed_before(before), owed)
            if any(turn.what == "resume" for turn in told):
                # What was kept need not have begun by the policies of that time.
                told = turns(ticket.id, self._logged(ticket.id), owed)
            self._log(header, told)
        return settled

    def _owed_before(self, ticket: Ticket | None) -> tuple[Promise, ...]:
        if ticket is None:
            return ()
        if ticket.id not in self._unsettled:
            owed = self.promises(ticket)
            if settle(ticket, owed) is ticket:
                return owed
        return self._logged(ticket.id)

    def _logged(self, ticket: int) -> tuple[Promise, ...]:
        """The clocks of a ticket by the policies of their time."""
        found = self.conn.execute(_CLOCKS, (str(ticket),))
        return logged(ev.Clock(ticket, **_DECODER.decode(payload)) for (payload,) in found)

    def promises(self, ticket: Ticket) -> tuple[Promise, ...]:
        return promises(ticket, policy_of(ticket, self._config, lambda: self.customer(ticket.requester)))

    def _log(self, batch: Batch, events: Iterable[ev.Event]) -> None:
        for event in events:
            entity, about, data = ev.payload(event)
            self._records.append((batch.id, batch.at, entity, str(about), type(event).__name__, rows.dump(data)))
            self._batches[batch.id] = batch

    def resettle(self, batch: Batch, ids: Iterable[int]) -> int:
        """Work out the clocks of these tickets anew, by policies that may be others now; how many changed."""
        found = self.tickets(ids)
        for number in found:
            self._unsettled.add(number)
            self._headers[number] = batch
        before = dict(self._now)
        self._flush_tickets()
        return sum(self._now[number] != before[number] for number in found)

    def _update_ticket(self, number: int, before: list[Any], after: list[Any]) -> None:
        changed = [i for i, value in enumerate(after) if value != before[i]]
        sets = ", ".join(f"{_COLUMNS[i]} = ?" for i in changed)
        self.conn.execute(f"UPDATE ticket SET {sets} WHERE id = ?", (*(after[i] for i in changed), number))

    def _retag(self, number: int, before: tuple[str, ...], after: tuple[str, ...]) -> None:
        if before != after:
            gone = [(tag, number) for tag in before if tag not in after]
            fresh = [(tag, number) for tag in after if tag not in before]
            if gone:
                self.conn.executemany("DELETE FROM tag WHERE tag = ? AND ticket = ?", gone)
            if fresh:
                self.conn.executemany(_TAG, fresh)

    def _flush_words(self) -> None:
        if self._gone or self._words:
            # In the order of their keys: FTS5 writes a segment whenever a key goes back.
            self.conn.index(sorted(self._gone), sorted(self._words))
            self._gone.clear()
            self._words.clear()

    def flush(self) -> None:
        """Write everything that waits but the lines of the log, and number these.

        From here to the commit nobody else writes into the log, so its order is the order of the commits.
        """
        self._flush_messages()
        self._flush_tickets()
        self._flush_words()
        if self._external:
            self.conn.executemany(_EXTERNAL, self._external)
            self._external.clear()
        self._keeper.flush()
        self._number()

    def _number(self) -> None:
        if not self._records:
            return
        for batch in self._batches.values():
            if batch.undoes:
                # What is taken back can be done again, and what is done again can be taken back.
                again = "UPDATE batch SET undone_by = NULL WHERE id = (SELECT undoes FROM batch WHERE id = ?)"
                self.conn.execute("UPDATE batch SET undone_by = ? WHERE id = ?", (batch.id, batch.undoes))
                self.conn.execute(again, (batch.undoes,))
        counted = "UPDATE counter SET value = value + ? WHERE name = 'seq' RETURNING value"
        self.seq, self.batch = self.conn.execute(counted, (self.lines,)).fetchone()[0], self._records[-1][0]

    @property
    def lines(self) -> int:
        """How many lines wait to be written into the log."""
        return len(self._records)

    def record(self) -> None:
        """Write the lines, which asks nothing of the store any more."""
        if self._records:
            first = self.seq - self.lines + 1
            begun = {batch: seq for seq, (batch, *_) in reversed(list(enumerate(self._records, first)))}
            self.conn.executemany(_BATCH, [_header(batch, begun[batch.id]) for batch in self._batches.values()])
            self.conn.insert("event", _EVENT, [(seq, *record) for seq, record in enumerate(self._records, first)])
            self._records.clear()
            self._batches.clear()


def _header(batch: Batch, seq: int) -> tuple[Any, ...]:
    return (
        batch.id, seq, batch.at, batch.agent, batch.uid, batch.host, batch.line, batch.source, batch.undoes, batch.caused_by,
    )  # fmt: skip
