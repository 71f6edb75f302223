"""Small reads that the store and a transaction share."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from desk.errors import NotFound
from desk.model import Account, Agent, Contact, Customer, Identity, Millis, Team
from desk.query import VISIBLE, All, Not, Snoozed
from storage import rows
from storage.search import compile_query
from storage.sql import Connection


def read_customer(conn: Connection, number: int) -> Customer:
    row = conn.execute(f"SELECT {rows.CUSTOMER_COLUMNS} FROM customer WHERE id = ?", (number,)).fetchone()
    if row is None:
        raise NotFound(f"there is no customer {number}")
    return rows.customer(row)


def read_agents(conn: Connection) -> dict[str, Agent]:
    return {
        a.name: a for a in map(rows.agent, conn.execute(f"SELECT {', '.join(rows.AGENT)} FROM agent ORDER BY name"))
    }


def read_teams(conn: Connection) -> dict[str, Team]:
    return {name: Team(name, title or "") for name, title in conn.execute("SELECT name, title FROM team ORDER BY name")}


def read_accounts(conn: Connection) -> dict[str, Account]:
    return {
        a.name: a for a in map(rows.account, conn.execute(f"SELECT {rows.ACCOUNT_COLUMNS} FROM account ORDER BY name"))
    }


def read_contacts(conn: Connection, customer: int) -> list[Contact]:
    query = (
        f"SELECT {rows.CONTACT_COLUMNS}, identity.display FROM identity JOIN contact USING (kind, value) "
        "WHERE identity.customer = ? ORDER BY contact.at DESC, contact.account"
    )
    return [rows.contact(row, display or "") for *row, display in conn.execute(query, (customer,))]


def read_identities(conn: Connection, customer: int) -> list[Identity]:
    query = "SELECT kind, value, display FROM identity WHERE customer = ? ORDER BY kind, value"
    return [Identity(kind, value, display or "") for kind, value, display in conn.execute(query, (customer,))]


def read_taken(conn: Connection, account: str, external_ids: Collection[str]) -> dict[str, int]:
    where, params = conn.sql.among("external_id", sorted(external_ids))
    query = f"SELECT external_id, message FROM external WHERE account = ? AND message IS NOT NULL AND {where}"
    return dict(conn.execute(query, (account, *params)).fetchall())


def read_workload(conn: Connection, at: Millis) -> dict[str, int]:
    awake = compile_query(All((VISIBLE, Not(Snoozed(at)))), conn.sql)
    query = (
        f"SELECT assignee, count(*) FROM ticket WHERE {awake.where} AND live = 1 "
        "AND assignee IS NOT NULL AND status <> 'pending' GROUP BY assignee"
    )
    return dict(conn.execute(query, awake.params).fetchall())


def mark_seen(conn: Connection, agent: str, ticket: int, message: int) -> None:
    conn.execute(
        "INSERT INTO seen (agent, ticket, message) VALUES (?, ?, ?) "
        "ON CONFLICT (agent, ticket) DO UPDATE SET message = excluded.message WHERE seen.message < excluded.message",
        (agent, ticket, message),
    )


def read_cursor(conn: Connection, account: str, lock: str = "") -> str | None:
    row = conn.execute(f"SELECT value FROM cursor WHERE account = ?{lock}", (account,)).fetchone()
    return row[0] if row else None


def read_known(conn: Connection, account: str, external_ids: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for start in range(0, len(external_ids), 500):
        chunk = external_ids[start : start + 500]
        where, params = conn.sql.among("external_id", chunk)
        found |= {
            e
            for (e,) in conn.execute(
                f"SELECT external_id FROM external WHERE account = ? AND {where}", (account, *params)
            )
        }
    return found
