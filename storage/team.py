"""Who works here and by which accounts; settings, leases, and upkeep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from desk.errors import Conflict, NotFound, StoreError
from desk.hosts import Lease
from desk.model import Account, Agent, Millis, Team
from desk.store import Batch, Numbers
from storage import reads, rows
from storage.engine import Engine
from storage.sql import adding, keeping

if TYPE_CHECKING:
    from storage.project import Transaction


_SETTING = keeping("setting", ("name", "value"))


class TeamRoom(Engine):
    """The part of the store that is not about tickets."""

    def agents(self) -> dict[str, Agent]:
        return reads.read_agents(self._read)

    def me(self, uid: int) -> Agent | None:
        mine = f"login = {self._read.sql.login}"
        row = self._read.execute(
            f"SELECT {', '.join(rows.AGENT)} FROM agent WHERE {mine} OR uid = ? ORDER BY CASE WHEN {mine} THEN 0 ELSE 1 END LIMIT 1",
            (uid,),
        ).fetchone()
        return rows.agent(row) if row else None

    def save_agent(self, agent: Agent, batch: Batch) -> None:
        self.change(lambda tx: keep_agent(tx, agent, batch))

    def teams(self) -> dict[str, Team]:
        return reads.read_teams(self._read)

    def save_team(self, team: Team, batch: Batch) -> None:
        def body(tx: Transaction) -> None:
            before = tx.teams().get(team.name)
            tx.conn.execute(keeping("team", ("name", "title")), (team.name, team.title))
            from desk.events import Changed

            tx.append(batch, [Changed(team.name, "title", before.title if before else None, team.title, "team")])

        self.change(body)

    def accounts(self) -> dict[str, Account]:
        return reads.read_accounts(self._read)

    def save_account(self, account: Account) -> None:
        before = self.accounts().get(account.name)
        if before is None or before != replace(account, held=before.held):
            self._execute(keeping("account", rows.ACCOUNT), rows.account_values(account))

    def hold_account(self, name: str, why: str, batch: Batch) -> None:
        def body(tx: Transaction) -> None:
            before = tx.accounts().get(name)
            if before is None:
                raise NotFound(f'there is no account "{name}"; deskhand channel list names them')
            tx.conn.execute("UPDATE account SET held = ? WHERE name = ?", (why, name))
            from desk.events import Changed

            tx.append(batch, [Changed(name, "held", before.held, why, "account")])

        self.change(body)

    def known(self, account: str, external_ids: Sequence[str]) -> set[str]:
        return reads.read_known(self._read, account, external_ids)

    def cursor(self, account: str) -> str | None:
        return reads.read_cursor(self._read, account)

    def setting(self, name: str) -> str | None:
        row = self._read.execute("SELECT value FROM setting WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    def first_setting(self, name: str, value: str) -> bool:
        # Who does it again, because no answer came the first time, was first, too.
        mine = "ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE setting.value = excluded.value"
        return bool(
            self._execute(f"INSERT INTO setting (name, value) VALUES (?, ?) {mine} RETURNING name", (name, value))
        )

    def set_setting(self, name: str, value: str) -> None:
        self._execute(_SETTING, (name, value))

    def publish(self, config: str, version: int, changes: Mapping[str, tuple[Any, Any]], batch: Batch) -> None:
        def body(tx: Transaction) -> None:
            # There to be locked, also before the first one.
            tx.conn.execute(adding("setting", ("name", "value")), ("config_version", "0"))
            version_of = f"SELECT value FROM setting WHERE name = 'config_version'{tx.conn.sql.lock}"
            row = tx.conn.execute(version_of).fetchone()
            if int(row[0]) >= version:
                raise Conflict("somebody else has published meanwhile; look at theirs, then: deskhand config apply")
            for name, value in (("config", config), ("config_version", str(version))):
                tx.conn.execute(_SETTING, (name, value))
            from desk.events import Changed

            tx.append(batch, [Changed(f"config {version}", name, *pair, "settings") for name, pair in changes.items()])

        self.change(body)

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
            last_seq=one("SELECT value FROM counter WHERE name = 'seq'"),
        )


def keep_agent(tx: Transaction, agent: Agent, batch: Batch) -> None:
    """Add or change an agent."""
    before = tx.agents().get(agent.name)
    # Whose turn it is changes by distributing alone, also while somebody edits the agent.
    fresh = replace(agent, turn=before.turn if before else 0)
    for other in (a for a in tx.agents().values() if a.name != agent.name):
        if agent.uid is not None and other.uid == agent.uid:
            raise StoreError(
                f"uid {agent.uid} is {other.name} already; take it from them first: deskhand agent set {other.name} --uid none"
            )
        if agent.login is not None and other.login == agent.login:
            raise StoreError(
                f"the login {agent.login} is {other.name} already; take it from them first: deskhand store revoke {other.name}"
            )
    old = dict(zip(rows.AGENT, rows.agent_values(before), strict=True)) if before else dict.fromkeys(rows.AGENT)
    new = dict(zip(rows.AGENT, rows.agent_values(fresh), strict=True))
    changed = [k for k in rows.AGENT if old[k] != new[k]]
    if before is None:
        tx.conn.insert("agent", rows.AGENT, [rows.agent_values(fresh)])
    elif changed:
        # Only that, since who may change this need not be let change that.
        sets = ", ".join(f"{column} = ?" for column in changed)
        tx.conn.execute(f"UPDATE agent SET {sets} WHERE name = ?", (*(new[k] for k in changed), agent.name))
    from desk.events import Changed

    tx.append(batch, [Changed(agent.name, k, old[k], new[k], "agent") for k in changed])
