"""Events become rows."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from desk import events as ev
from desk.errors import Conflict
from desk.model import BY_MACHINE, Direction, Message, Millis, State
from desk.sla import rung
from desk.store import Batch, Held
from desk.telling import called
from desk.text import words
from storage import rows
from storage.dealing import Dealing
from storage.search import SHIFT
from storage.taking import Taking


class Transaction(Taking, Dealing):
    """A `desk.store.Tx`: what it is told to append, it writes into the rows and the log."""

    def append(self, batch: Batch, events: Sequence[ev.Event]) -> None:
        # Doing again what was taken back is no going back.
        back = batch.undoes is not None and not self._was_undo(batch.undoes)
        for event in events:
            self._project(event, batch.at, back)
            self._touch(event, batch)
        self._log(batch, events)

    def _was_undo(self, batch: str) -> bool:
        row = self.conn.execute("SELECT undoes FROM batch WHERE id = ?", (batch,)).fetchone()
        return row is not None and row[0] is not None

    def _touch(self, event: ev.Event, batch: Batch) -> None:
        """Note on the ticket who is behind its change: clocks are logged under it, and only people end idleness."""
        if getattr(event, "entity", "ticket") != "ticket":
            return
        number = int(event.about)
        self._headers[number] = batch
        if isinstance(event, ev.Moved):
            self._headers[event.to] = batch
        if isinstance(event, ev.Posted) and event.silent and not event.deliveries:
            # An archive is taken in; what goes out by itself is silent too, and is no archive.
            self._silent[number] = batch.at
        at = person_at(event, batch)
        if at is not None and number in self._now:
            ticket = self._now[number]
            self._now[number] = replace(ticket, idle_since=max(at, ticket.idle_since))

    def _project(self, event: ev.Event, at: Millis, back: bool) -> None:
        match event:
            case ev.Opened(ticket):
                self._before[ticket.id] = None
                self._now[ticket.id] = ticket
                self._words.append((ticket.id << SHIFT, words(ticket.subject)))
            case ev.Changed(entity="ticket"):
                before = self._at_hand(int(event.about))
                self._evolve(event, at, back)
                if event.field == "subject":
                    self._unindex(before.id << SHIFT, words(before.subject))
                    self._words.append((before.id << SHIFT, words(str(event.added))))
            case ev.Changed(entity="customer", field="identities"):
                # What is taken from somebody is given to somebody else: the giving says all.
                self.hand_over(int(event.about), [(kind, value) for kind, value in event.added or ()])
            case ev.Changed(entity="customer"):
                assert event.field in ("blocked", "name", "notes", "organisation", "tier")
                self._flush_people()
                self.conn.execute(f"UPDATE customer SET {event.field} = ? WHERE id = ?", (event.added, event.about))
                self._index_customer(self.customer(int(event.about)))
                self._people.clear()
            case ev.Changed(entity="agent", field="turn"):
                self.conn.execute("UPDATE agent SET turn = ? WHERE name = ?", (event.added, event.about))
            case ev.Posted():
                self._post(event, at)
            case ev.Reread(message, line):
                self._reread(message, line)
            case ev.Amended(_, message, name, _, added):
                was = self.message(message)
                fresh = replace(was, **{name: added}, **({"visible": added} if name == "text" else {}))
                self._reread(fresh, None)
            case ev.Withdrawn(_, message):
                self._withdraw(self.message(message), True)
            case ev.Restored(_, message, not_before):
                self._withdraw(self.message(message), False, not_before)
            case ev.Moved():
                self._move(event)
            case ev.Clock(what="warn" | "breach"):
                self._now[event.about] = rung(self._at_hand(event.about), event)
            case ev.Delivered(about, message, delivery, state, detail):
                self._flush_messages()
                self.conn.execute(
                    "UPDATE delivery SET state = ?, error = ?, holder = NULL, held_until = NULL WHERE id = ?",
                    (state.value, detail, delivery),
                )
                self._derive_state(message)
                if state not in (State.SENDING, State.DEFERRED):
                    self._recount.add(about)

    def _evolve(self, event: ev.Event, at: Millis, back: bool = False) -> None:
        number = int(event.about)
        self._now[number] = ev.evolve(self._at_hand(number), event, at, back=back)

    def _post(self, event: ev.Posted, at: Millis) -> None:
        message = event.message
        self._messages[message.id] = message
        self._threads.setdefault(message.ticket, []).append(message)
        self._deliveries += event.deliveries
        before = self._at_hand(message.ticket)
        self._evolve(event, at)
        ours = message.direction is Direction.OUT and message.state is not State.QUEUED
        if message.at < (before.updated_at if ours else max(before.waiting_since or 0, before.replied_at or 0)):
            # It came late: it answers, or asks, something else than the newest message would.
            self._recount.add(message.ticket)
        if not event.silent:
            ticket = self._now[message.ticket]
            self._now[message.ticket] = replace(ticket, heard=max(ticket.heard, message.id))
        line = event.words if event.words is not None else message_words(message)
        self._words.append((message.ticket << SHIFT | message.id, line))
        held = Held(message.ticket, message.id, message.message_id or "", message.flags)
        for key in (message.message_id, message.conversation):
            if key:
                self._outside.setdefault(key, []).append(held)

    def _withdraw(self, message: Message, away: bool, not_before: Millis = 0) -> None:
        states = {d.state for d in self.deliveries(message.id)}
        left = states - {State.QUEUED, State.DEFERRED, State.WITHDRAWN, State.FAILED}
        if away and left:
            raise Conflict(f"{called(message)} is {min(left).value} and cannot be taken back; write again instead")
        state = State.WITHDRAWN if away else State.QUEUED
        # What was to go out later still does.
        later = "CASE WHEN not_before > ? THEN not_before ELSE ? END"
        self.conn.execute(
            f"UPDATE delivery SET state = ?, next_at = {later}, not_before = {later}, phase = '' WHERE message = ?",
            (state.value, *[not_before] * 4, message.id),
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

    def _reread(self, message: Message, line: str | None) -> None:
        before = self.message(message.id)
        sets = ", ".join(f"{column} = ?" for column in rows.MESSAGE)
        self.conn.execute(f"UPDATE message SET {sets} WHERE id = ?", (*rows.message_values(message), message.id))
        if message.automatic != before.automatic:
            # A machine wrote it, or a person, and it seemed the other way round.
            self._recount.add(message.ticket)
        if not message.withdrawn:
            key = message.ticket << SHIFT | message.id
            self._unindex(key, message_words(before))
            self._words.append((key, line if line is not None else message_words(message)))

    def _move(self, event: ev.Moved) -> None:
        for number in event.messages:
            message = self.message(number)
            if message.ticket != event.about:
                raise Conflict(f"{called(message)} was on #{event.about} and is moved; do it there")
            flags = rows.dump(_flags(message, event)) if _flags(message, event) else None
            self.conn.execute("UPDATE message SET ticket = ?, flags = ? WHERE id = ?", (event.to, flags, number))
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


def message_words(message: Message) -> str:
    """The search words of a message: subject, text and the names of its files."""
    return words(message.subject, message.text, *(a.name for a in message.attachments))


def _flags(message: Message, event: ev.Moved) -> tuple[str, ...]:
    """The flags of a message that goes over: a merge leaves the clocks of its target alone, also later on."""
    mark = f"{ev.MERGED}{event.keeps}"
    kept = tuple(flag for flag in message.flags if flag != mark)
    return (*kept, mark) if event.keeps == event.to else kept


def person_at(event: ev.Event, batch: Batch) -> Millis | None:
    """When a person did what the event says; None for what rules, clocks, programs and servers do."""
    if batch.source.startswith(BY_ITSELF) or isinstance(event, (ev.Clock, ev.Delivered, ev.Reread)):
        return None
    if isinstance(event, ev.Posted):
        return None if event.message.automatic in BY_MACHINE else event.message.at
    if isinstance(event, ev.Opened):
        return event.ticket.created_at
    return batch.at


BY_ITSELF = ("rule:", "clock")
"""How the source of a batch begins that nobody asked for."""
