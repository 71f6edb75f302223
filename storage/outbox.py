"""The way out: deliveries claimed under a lease, and what becomes of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from desk.errors import Conflict, NotFound
from desk.model import Delivery, Direction, Message, Millis, State
from desk.store import Batch, Outbound
from desk.threads import PRIVATE, conversation_key
from storage import rows
from storage.engine import Engine
from storage.sql import marks

if TYPE_CHECKING:
    from storage.project import Transaction

_CLAIMED = f"SELECT {rows.DELIVERY_COLUMNS} FROM delivery WHERE id = ? AND holder = ? AND state = 'sending'"


class Outbox(Engine):
    """The outbox half of the store."""

    def claim(
        self, holder: str, at: Millis, until: Millis, limit: int = 10, *, without: Collection[str] = ()
    ) -> list[Outbound]:
        others = f" AND account NOT IN ({marks(list(without))})" if without else ""
        due = f"SELECT id FROM delivery WHERE state IN ('queued', 'failed for now') AND next_at <= ?{others} ORDER BY next_at, id LIMIT ?"
        if not self._read.execute(due, (at, *without, 1)).fetchone():
            return []

        def body(tx: Transaction) -> list[Outbound]:
            ids = [row[0] for row in tx.conn.execute(due + tx.conn.sql.skip, (at, *without, limit))]
            claimed = []
            for number in ids:
                tx.conn.execute(
                    "UPDATE delivery SET state = 'sending', phase = 'connect', attempts = attempts + 1, holder = ?, held_until = ? WHERE id = ?",
                    (holder, until, number),
                )
                claimed.append(self._outbound(tx, number))
            return claimed

        return self.change(body)

    def _outbound(self, tx: Transaction, number: int) -> Outbound:
        delivery = rows.delivery(
            tx.conn.execute(f"SELECT {rows.DELIVERY_COLUMNS} FROM delivery WHERE id = ?", (number,)).fetchone()
        )
        thread = tx.thread(delivery.ticket)
        message = next(m for m in thread if m.id == delivery.message)
        before = [
            m.message_id for m in thread if m.message_id and (m.at, m.id) < (message.at, message.id) and not m.withdrawn
        ]
        tx.conn.execute("UPDATE message SET state = 'sending' WHERE id = ?", (message.id,))
        ticket = tx.tickets((delivery.ticket,))[delivery.ticket]
        return Outbound(delivery, message, ticket, tuple(before), _answers(tx, thread, message))

    def phase(self, delivery: int, holder: str, phase: str, until: Millis) -> bool:
        # A phase that is only said again takes back nothing that was seen meanwhile.
        kept = "CASE WHEN phase = ? THEN phase ELSE ? END"
        statement = f"UPDATE delivery SET phase = {kept}, held_until = ? WHERE id = ? AND holder = ? AND state = 'sending' RETURNING id"
        return bool(self._execute(statement, (rows.ARRIVED, phase, until, delivery, holder)))

    def settle(
        self,
        delivery: int,
        holder: str,
        state: State,
        at: Millis,
        *,
        error: str = "",
        remote_id: str | None = None,
        conversation: str | None = None,
        next_at: Millis | None = None,
        again: Sequence[str] = (),
    ) -> bool:
        def body(tx: Transaction) -> bool:
            row = tx.conn.execute(_CLAIMED + tx.conn.sql.lock, (delivery, holder)).fetchone()
            if row is None:
                return False
            claimed = rows.delivery(row)
            end = State.SENT if state is State.UNKNOWN and claimed.phase == rows.ARRIVED else state
            if again:
                self._split(tx, claimed, again, error, next_at or at)
            tx.conn.execute(
                "UPDATE delivery SET remote_id = coalesce(?, remote_id), next_at = ?, phase = ? WHERE id = ?",
                (remote_id, next_at, "done" if end is State.SENT else claimed.phase, delivery),
            )
            self._named(tx, claimed, remote_id, conversation)
            self._record(tx, claimed, end, at, error)
            return True

        return self.change(body)

    def sent_part(self, delivery: int, holder: str, part: int, remote_id: str | None) -> bool:
        def body(tx: Transaction) -> bool:
            row = tx.conn.execute(_CLAIMED + tx.conn.sql.lock, (delivery, holder)).fetchone()
            if row is None:
                return False
            tx.conn.execute("UPDATE delivery SET part = ?, phase = 'connect' WHERE id = ?", (part + 1, delivery))
            self._named(tx, rows.delivery(row), remote_id, None)
            return True

        return self.change(body)

    def _named(self, tx: Transaction, delivery: Delivery, remote_id: str | None, conversation: str | None) -> None:
        """Note what a message is called where it went, and the conversation it began."""
        if conversation is not None:
            key = conversation_key(delivery.account, conversation)
            tx.conn.execute("UPDATE message SET conversation = ? WHERE id = ?", (key, delivery.message))
        if remote_id is not None and tx.message(delivery.message).conversation is not None:
            tx.remember(delivery.account, remote_id, delivery.message)

    def _split(self, tx: Transaction, claimed: Delivery, again: Sequence[str], error: str, next_at: Millis) -> None:
        """The recipients that were refused for now go on as a delivery of their own."""
        rest = tuple(a for a in claimed.recipients if a not in again)
        tx.conn.execute("UPDATE delivery SET recipients = ? WHERE id = ?", (rows.dump(rest), claimed.id))
        values = [*rows.delivery_values(claimed), next_at]
        columns = (*rows.DELIVERY, "next_at")
        fresh = dict(zip(columns, values, strict=True)) | {
            "id": tx.new_id("delivery"), "recipients": rows.dump(list(again)), "state": State.DEFERRED.value, "phase": "", "error": error,
        }  # fmt: skip
        tx.conn.insert("delivery", columns, [[fresh[c] for c in columns]])

    def _record(
        self, tx: Transaction, delivery: Delivery, state: State, at: Millis, detail: str, source: str = "outbox"
    ) -> None:
        batch = Batch(f"{at:011x}{delivery.id:08x}{delivery.attempts:02x}", at, source=source)
        from desk.events import Delivered

        tx.append(batch, [Delivered(delivery.ticket, delivery.message, delivery.id, state, detail)])

    def reclaim(self, at: Millis, *, without: Collection[int] = ()) -> list[int]:
        others = f" AND id NOT IN ({marks(list(without))})" if without else ""
        lost = f"SELECT {rows.DELIVERY_COLUMNS} FROM delivery WHERE state = 'sending' AND held_until < ?{others}"
        if not self._read.execute(lost, (at, *without)).fetchone():
            return []

        def body(tx: Transaction) -> list[int]:
            found = [rows.delivery(row) for row in tx.conn.execute(lost + tx.conn.sql.skip, (at, *without)).fetchall()]
            accounts = tx.accounts()
            for delivery in found:
                can = accounts[delivery.account].capabilities if delivery.account in accounts else None
                if delivery.phase == rows.ARRIVED:
                    state, detail = State.SENT, "the sender was lost; it was seen there"
                elif delivery.phase in ("", "connect") or (can is not None and can.idempotent):
                    state, detail = State.DEFERRED, "the sender was lost; it is sent again"
                else:
                    state, detail = State.UNKNOWN, "the sender was lost in the middle; it may have gone out"
                tx.conn.execute("UPDATE delivery SET next_at = ? WHERE id = ?", (at, delivery.id))
                self._record(tx, delivery, state, at, detail, "reclaim")
            return [d.id for d in found]

        return self.change(body)

    def outbox(self, states: Sequence[State] = (), limit: int = 100) -> list[tuple[Delivery, Millis | None]]:
        wanted = [s.value for s in states] or ["queued", "sending", "failed for now", "failed", "bounced", "unknown"]
        query = f"SELECT {rows.DELIVERY_COLUMNS}, next_at FROM delivery WHERE state IN ({marks(wanted)}) ORDER BY id DESC LIMIT ?"
        return [(rows.delivery(row[:-1]), row[-1]) for row in self._read.execute(query, (*wanted, limit))]

    def retry(self, delivery: int, batch: Batch) -> None:
        def body(tx: Transaction) -> None:
            query = f"SELECT {rows.DELIVERY_COLUMNS} FROM delivery WHERE id = ?{tx.conn.sql.lock}"
            row = tx.conn.execute(query, (delivery,)).fetchone()
            if row is None:
                raise NotFound(f"there is no delivery {delivery}; deskhand outbox lists them")
            found = rows.delivery(row)
            if found.state not in (State.FAILED, State.UNKNOWN, State.DEFERRED, State.BOUNCED):
                raise Conflict(
                    f"delivery {delivery} is {found.state.value}; only what failed or is unknown can be sent again"
                )
            # All of it went out and came back: nobody knows which part of it is missing.
            part = 0 if found.phase == "done" else found.part
            tx.conn.execute(
                "UPDATE delivery SET next_at = ?, phase = '', part = ? WHERE id = ?", (batch.at, part, delivery)
            )
            from desk.events import Delivered

            tx.append(batch, [Delivered(found.ticket, found.message, found.id, State.QUEUED, "to be sent again")])

        self.change(body)


def _answers(tx: Transaction, thread: Sequence[Message], message: Message) -> str | None:
    """What the message that this one answers is called on its account: the newest they wrote before it, there."""
    to = {person.value for person in message.to}
    for heard in reversed(thread):
        if heard.direction is not Direction.IN or heard.account != message.account or heard.id > message.id:
            continue
        if PRIVATE in message.flags:
            fits = heard.sender is not None and heard.sender.value in to
        else:
            fits = heard.conversation is not None and heard.conversation == message.conversation
        if fits:
            found = "SELECT external_id FROM external WHERE account = ? AND message = ? ORDER BY external_id LIMIT 1"
            row = tx.conn.execute(found, (message.account, heard.id)).fetchone()
            return row[0] if row else None
    return None
