"""What intake asks of a transaction: who somebody is, what came before, what was answered by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.json import decode
from msgspec.structs import replace

from desk.loops import Answered
from desk.model import DAY, Customer, Identity, Millis
from desk.store import Held
from desk.text import words
from storage import reads, rows
from storage.pending import Pending
from storage.sql import adding, keeping

_ANSWERED = adding("answered", ("address", "at", "subject"))
_CURSOR = keeping("cursor", ("account", "value"))
_HELD = "SELECT ticket, id, message_id, flags, conversation FROM message WHERE withdrawn = 0 AND "


class Taking(Pending):
    """The part of a transaction that takes messages in."""

    def known(self, account: str, external_ids: Sequence[str]) -> set[str]:
        # Two that take in one mail at once, from two accounts, must see each other's.
        self._keeper.alone("intake")
        fresh = {e for a, e, _ in self._external if a == account}
        return (fresh & set(external_ids)) | reads.read_known(self.conn, account, external_ids)

    def held(self, message_ids: Sequence[str]) -> list[Held]:
        found: dict[str, Held] = {}
        stored = [i for i in message_ids if i not in self._outside]
        for column in ("message_id", "conversation"):
            keys = [i for i in stored if ("\x1f" in i) == (column == "conversation")]
            if keys:
                where, params = self.conn.sql.among(column, keys)
                order = "id DESC" if column == "conversation" else "id"
                for row in self.conn.execute(f"{_HELD}{where} ORDER BY {order}", params):
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
            "INSERT INTO identity (kind, value, customer, display) VALUES (?, ?, ?, ?)",
            (identity.kind, identity.value, person.id, identity.display),
        )
        return person

    def remember(self, account: str, external_id: str, message: int | None) -> None:
        self._external.append((account, external_id, message))

    def set_digest(self, message: int, digest: str) -> None:
        found = self._messages.get(message)
        if found is not None:
            self._digests[message] = digest
        else:
            # Written already: what the same item did to others (a bounce) made us look at the rows.
            self.conn.execute("UPDATE message SET digest = ? WHERE id = ?", (digest, message))
            found = self.message(message)
        self._twins.setdefault(digest, Held(found.ticket, message, found.message_id or ""))

    def answered(self, address: str, since: Millis) -> list[Answered]:
        found = self.conn.execute("SELECT at, subject FROM answered WHERE address = ? AND at > ?", (address, since))
        return [Answered(at, subject) for at, subject in found]

    def note_answer(self, address: str, answer: Answered) -> None:
        # Only the last day counts; what is older goes as it is met.
        self.conn.execute("DELETE FROM answered WHERE address = ? AND at < ?", (address, answer.at - 2 * DAY))
        self.conn.execute(_ANSWERED, (address, answer.at, answer.subject))

    def undeliverable(self, address: str) -> bool:
        query = "SELECT 1 FROM identity WHERE kind = 'email' AND value = ? AND undeliverable IS NOT NULL"
        return self.conn.execute(query, (address,)).fetchone() is not None

    def set_undeliverable(self, address: str, detail: str | None) -> None:
        other = "coalesce(undeliverable, '') <> coalesce(CAST(? AS TEXT), '')"
        statement = f"UPDATE identity SET undeliverable = ? WHERE kind = 'email' AND value = ? AND {other}"
        self.conn.execute(statement, (detail, address, detail))

    def set_cursor(self, account: str, cursor: str) -> None:
        self.conn.execute(_CURSOR, (account, cursor))

    def cursor(self, account: str) -> str | None:
        return reads.read_cursor(self.conn, account)

    def first_rest(self, rule: str, ticket: int, since: Millis) -> bool:
        statement = (
            "INSERT INTO rest (rule, ticket, since) VALUES (?, ?, ?) ON CONFLICT (rule, ticket) DO UPDATE "
            "SET since = excluded.since WHERE rest.since <> excluded.since RETURNING ticket"
        )
        return bool(self.conn.execute(statement, (rule, ticket, since)).fetchall())


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
    return Held(ticket, number, message_id or "", tuple(decode(flags)) if flags else ())
