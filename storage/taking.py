"""What intake asks of a transaction: who somebody is, what came before, what was answered by itself."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from msgspec.json import decode
from msgspec.structs import replace

from desk.config import DeskConfig
from desk.loops import Answered
from desk.model import DAY, Contact, Customer, Identity, Millis
from desk.store import Held
from desk.text import words
from storage import reads, rows
from storage.pending import Keeper, Pending
from storage.sql import Connection, adding, keeping

_ANSWERED = adding("answered", ("address", "at", "subject"))
_CONTACT = (
    f"INSERT INTO contact ({', '.join(rows.CONTACT)}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (kind, value, account, public) "
    "DO UPDATE SET conversation = excluded.conversation, at = excluded.at, external_id = excluded.external_id, "
    "reply_until = excluded.reply_until WHERE contact.at <= excluded.at"
)
_CURSOR = keeping("cursor", ("account", "value"))
_HELD = "SELECT ticket, id, message_id, flags, conversation, digest FROM message WHERE withdrawn = 0 AND "
_KEYS = {"message_id": 2, "conversation": 4, "digest": 5}
_PEOPLE = (
    f"SELECT {rows.CUSTOMER_COLUMNS}, identity.kind, identity.value, identity.undeliverable "
    "FROM identity JOIN customer ON customer.id = identity.customer"
)
_PERSON = ("id", "name", "address", "organisation", "notes", "blocked", "created_at", "words", "organisation_words")


class Taking(Pending):
    """The part of a transaction that takes messages in."""

    def __init__(self, conn: Connection, keeper: Keeper, config: DeskConfig) -> None:
        super().__init__(conn, keeper, config)
        self._asked: dict[str, list[Any]] = {}
        self._strangers: set[tuple[str, str]] = set()
        self._returned: dict[str, str | None] = {}
        self._newcomers: list[tuple[Customer, Identity]] = []

    def known(self, account: str, external_ids: Sequence[str]) -> set[str]:
        # Two that take in one mail at once, from two accounts, must see each other's.
        self._keeper.alone("intake")
        fresh = {e for a, e, _ in self._external if a == account}
        return (fresh & set(external_ids)) | reads.read_known(self.conn, account, external_ids)

    def expect(self, outside: Collection[str], digests: Collection[str], people: Collection[Identity]) -> None:
        if not self.conn.sql.distant:
            return
        named = set(outside) - self._asked.keys()
        for column, keys in (
            ("message_id", [n for n in named if "\x1f" not in n]),
            ("conversation", [n for n in named if "\x1f" in n]),
        ):
            self._asked |= self._stored(column, keys)
        self._asked |= self._stored("digest", [d for d in digests if d not in self._asked])
        asked = {(i.kind, i.value) for i in people} - self._people.keys() - self._strangers
        where, values = self.conn.sql.among("identity.value", sorted({value for _, value in asked}))
        for row in self.conn.execute(f"{_PEOPLE} WHERE {where}", values):
            *person, kind, value, undeliverable = row
            self._people[kind, value] = rows.customer(person)
            if kind == "email":
                self._returned[value] = undeliverable
        self._strangers |= asked - self._people.keys()

    def _stored(self, column: str, keys: list[str]) -> dict[str, list[Any]]:
        """The messages in the store with these keys, the first in line first."""
        found: dict[str, list[Any]] = {key: [] for key in keys}
        if keys:
            where, params = self.conn.sql.among(column, keys)
            only = " AND message_id IS NULL" if column == "digest" else ""
            # The newest ticket of a conversation is the one that goes on.
            order = "id DESC" if column == "conversation" else "id"
            for row in self.conn.execute(f"{_HELD}{where}{only} ORDER BY {order}", params):
                found[row[_KEYS[column]]].append(row)
        return found

    def _by_key(self, column: str, keys: Sequence[str]) -> dict[str, list[Any]]:
        known = {key: self._asked[key] for key in keys if key in self._asked}
        return known | self._stored(column, [key for key in keys if key not in known])

    def held(self, message_ids: Sequence[str]) -> list[Held]:
        stored = [i for i in message_ids if i not in self._outside]
        rows_of = self._by_key("message_id", [i for i in stored if "\x1f" not in i])
        rows_of |= self._by_key("conversation", [i for i in stored if "\x1f" in i])
        found = {key: _held(held[0]) for key, held in rows_of.items() if held}
        for key in message_ids:
            if key in self._outside:
                found[key] = self._outside[key][-1 if "\x1f" in key else 0]
        return [found[i] for i in message_ids if i in found]

    def twin(self, message_id: str | None, digest: str) -> Held | None:
        if digest in self._twins and (message_id is None or self._twins[digest].message_id == message_id):
            return self._twins[digest]
        if message_id is None:
            (found,) = self._by_key("digest", [digest]).values()
        else:
            (named,) = self._by_key("message_id", [message_id]).values()
            found = [row for row in named if row[_KEYS["digest"]] == digest]
        return _held(found[0]) if found else None

    def customer_for(self, identity: Identity, at: Millis) -> Customer:
        key = (identity.kind, identity.value)
        if key not in self._people:
            one = f"{_PEOPLE} WHERE identity.kind = ? AND identity.value = ?"
            row = None if key in self._strangers else self.conn.execute(one, key).fetchone()
            self._people[key] = rows.customer(row[:-3]) if row else self._new_customer(identity, at)
        known = self._people[key]
        if identity.display and known.name == known.address != identity.display:
            known = self._people[key] = replace(known, name=identity.display)
            self._flush_people()
            self.conn.execute("UPDATE customer SET name = ? WHERE id = ?", (known.name, known.id))
            self._index_customer(known)
        return known

    def _index_customer(self, customer: Customer) -> None:
        self.conn.execute(
            "UPDATE customer SET words = ?, organisation_words = ? WHERE id = ?",
            (customer_words(customer), organisation_words(customer), customer.id),
        )

    def _new_customer(self, identity: Identity, at: Millis) -> Customer:
        organisation = organisation_of(identity)
        person = Customer(self.new_id("customer"), identity.label, identity.value, organisation, created_at=at)
        self._newcomers.append((person, identity))
        self._strangers.discard((identity.kind, identity.value))
        return person

    def _flush_people(self) -> None:
        if self._newcomers:
            self.conn.insert("customer", _PERSON, [_person(p) for p, _ in self._newcomers])
            identities = [(i.kind, i.value, p.id, i.display) for p, i in self._newcomers]
            self.conn.insert("identity", ("kind", "value", "customer", "display"), identities)
            self._newcomers.clear()

    def customer(self, number: int) -> Customer:
        self._flush_people()
        return super().customer(number)

    def flush(self) -> None:
        self._flush_people()
        super().flush()

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
        if ("email", address) in self._strangers:
            return False
        self._flush_people()
        query = "SELECT 1 FROM identity WHERE kind = 'email' AND value = ? AND undeliverable IS NOT NULL"
        return self.conn.execute(query, (address,)).fetchone() is not None

    def arrived(self, delivery: int) -> None:
        self.conn.execute("UPDATE delivery SET phase = ? WHERE id = ? AND state = 'sending'", (rows.ARRIVED, delivery))

    def set_undeliverable(self, address: str, detail: str | None) -> None:
        if ("email", address) in self._strangers or self._returned.get(address, "") == detail:
            return
        self._flush_people()
        self._returned[address] = detail
        other = "coalesce(undeliverable, '') <> coalesce(CAST(? AS TEXT), '')"
        statement = f"UPDATE identity SET undeliverable = ? WHERE kind = 'email' AND value = ? AND {other}"
        self.conn.execute(statement, (detail, address, detail))

    def taken(self, account: str, external_ids: Collection[str]) -> dict[str, int]:
        if not external_ids:
            return {}
        fresh = {e: message for a, e, message in self._external if a == account and message is not None}
        return reads.read_taken(self.conn, account, external_ids) | {e: fresh[e] for e in external_ids if e in fresh}

    def contacts(self, customer: int) -> list[Contact]:
        self._flush_people()
        return reads.read_contacts(self.conn, customer)

    def identities(self, customer: int) -> list[Identity]:
        self._flush_people()
        return reads.read_identities(self.conn, customer)

    def tickets_of(self, customer: int) -> list[int]:
        stored = self.conn.execute("SELECT id FROM ticket WHERE requester = ? ORDER BY id", (customer,))
        numbers = {number for (number,) in stored} | {t.id for t in self._now.values() if t.requester == customer}
        return sorted(n for n in numbers if n not in self._now or self._now[n].requester == customer)

    def separate(self, identity: Identity, at: Millis) -> Customer:
        person = Customer(
            self.new_id("customer"), identity.label, identity.value, organisation_of(identity), created_at=at
        )
        self.conn.insert("customer", _PERSON, [_person(person)])
        return person

    def hand_over(self, customer: int, identities: Collection[tuple[str, str]]) -> None:
        """These identities are this customer's from now on, and what was said by them with them."""
        self._flush_people()
        self._flush_messages()
        self._people.clear()
        unknown, givers = not reads.read_identities(self.conn, customer), set()
        for kind, value in identities:
            row = self.conn.execute(
                "SELECT customer FROM identity WHERE kind = ? AND value = ?", (kind, value)
            ).fetchone()
            if row is None or row[0] == customer:
                continue
            givers.add(row[0])
            self.conn.execute("UPDATE identity SET customer = ? WHERE kind = ? AND value = ?", (customer, kind, value))
            said = self.conn.execute(
                "SELECT message.id, message.people FROM message JOIN ticket ON ticket.id = message.ticket "
                "WHERE ticket.requester IN (?, ?) AND message.customer = ?",
                (row[0], customer, row[0]),
            ).fetchall()
            theirs = [(customer, number) for number, people in said if rows.said_by(people) == (kind, value)]
            if theirs:
                self.conn.executemany("UPDATE message SET customer = ? WHERE id = ?", theirs)
        for giver in givers:
            self._hand_over_the_rest(customer, giver, unknown)

    def _hand_over_the_rest(self, customer: int, giver: int, unknown: bool) -> None:
        """What was said by no identity (a call, under another address) goes with the last one, and comes back with the ticket."""
        left = {(identity.kind, identity.value) for identity in reads.read_identities(self.conn, giver)}
        if left and not unknown:
            return
        for ticket in self.tickets_of(customer if left else giver):
            said = self.conn.execute(
                "SELECT id, people FROM message WHERE ticket = ? AND customer = ?", (ticket, giver)
            )
            theirs = [(customer, number) for number, people in said.fetchall() if rows.said_by(people) not in left]
            if theirs:
                self.conn.executemany("UPDATE message SET customer = ? WHERE id = ?", theirs)

    def contact(self, identity: Identity, account: str) -> list[Contact]:
        query = (
            f"SELECT {rows.CONTACT_COLUMNS} FROM contact WHERE kind = ? AND value = ? AND account = ? ORDER BY at DESC"
        )
        found = self.conn.execute(query, (identity.kind, identity.value, account))
        return [rows.contact(row, identity.display) for row in found]

    def heard_from(self, contact: Contact) -> None:
        self.conn.execute(
            _CONTACT,
            (
                contact.identity.kind, contact.identity.value, contact.account, int(contact.public), contact.conversation, contact.at,
                contact.external_id, contact.reply_until,
            ),
        )  # fmt: skip

    def set_cursor(self, account: str, cursor: str) -> None:
        self.conn.execute(_CURSOR, (account, cursor))

    def cursor(self, account: str) -> str | None:
        # Under lock: who goes on from here goes on alone.
        return reads.read_cursor(self.conn, account, self.conn.sql.lock)

    def first_rest(self, rule: str, ticket: int, since: Millis) -> bool:
        statement = (
            "INSERT INTO rest (rule, ticket, since) VALUES (?, ?, ?) ON CONFLICT (rule, ticket) DO UPDATE "
            "SET since = excluded.since WHERE rest.since <> excluded.since RETURNING ticket"
        )
        return bool(self.conn.execute(statement, (rule, ticket, since)).fetchall())


def _person(customer: Customer) -> tuple[Any, ...]:
    """Somebody new as values for the columns _PERSON."""
    return (
        customer.id, customer.name, customer.address, customer.organisation, "", 0, customer.created_at, customer_words(customer),
        organisation_words(customer),
    )  # fmt: skip


def customer_words(customer: Customer) -> str:
    """The search words of a customer, with a space at both ends."""
    return f" {words(customer.name, customer.address)} "


def organisation_words(customer: Customer) -> str:
    """The same of whom they speak for."""
    return f" {words(customer.organisation or '')} "


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
    ticket, number, message_id, flags, *_ = row
    return Held(ticket, number, message_id or "", tuple(decode(flags)) if flags else ())
