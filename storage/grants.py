"""Who may do what in a database that is shared by logins of their own.

Nothing of this is there until the first `deskhand store grant`. It makes a group of the
server for each role of the desk, and one for the relay, gives them the rights below, and
puts triggers where a right on columns says too little: the log is signed by whose login
it is, what people say of themselves is said by them, and so is where they are and what they write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from psycopg.sql import Identifier, Literal

from desk.errors import Forbidden
from desk.model import Agent, Role

if TYPE_CHECKING:
    import psycopg

    from storage.postgres import PostgresEngine
    from storage.project import Transaction
    from storage.sql import Connection

RELAY = "relay"
BEFORE: dict[str, str] = {Role.AGENT: Role.READ_ONLY, Role.LEAD: Role.AGENT, Role.ADMIN: Role.LEAD, RELAY: Role.LEAD}
"""Each group may also do what the one before it may; the relay acts as the rules do, who are a lead."""

GROUPS: tuple[str, ...] = (Role.READ_ONLY, *BEFORE)

_READ = "SELECT"
_ADD = "INSERT"
_KEEP = "INSERT, UPDATE"

RIGHTS: dict[str, dict[str, str]] = {
    "setting": {Role.READ_ONLY: _READ, Role.ADMIN: _KEEP, RELAY: _KEEP},
    "counter": {Role.READ_ONLY: _READ, Role.AGENT: "UPDATE (value)"},
    "agent": {
        Role.READ_ONLY: _READ,
        Role.AGENT: "UPDATE (display, signature, skills, away_until, turn)",
        Role.LEAD: "UPDATE (capacity, hours)",
        Role.ADMIN: _KEEP,
    },
    "team": {Role.READ_ONLY: _READ, Role.LEAD: _KEEP},
    "account": {Role.READ_ONLY: _READ, Role.LEAD: "UPDATE (held)", RELAY: _KEEP},
    "customer": {
        Role.READ_ONLY: _READ,
        # Whoever joins two of them joins what is known of them.
        Role.AGENT: "INSERT, UPDATE (name, organisation, notes, tier, words, organisation_words)",
        Role.LEAD: "UPDATE (blocked)",
    },
    "identity": {Role.READ_ONLY: _READ, Role.AGENT: "INSERT, UPDATE (customer)", RELAY: "UPDATE (undeliverable)"},
    "contact": {Role.READ_ONLY: _READ, RELAY: _KEEP},
    "ticket": {Role.READ_ONLY: _READ, Role.AGENT: _KEEP},
    "message": {
        Role.READ_ONLY: _READ,
        Role.AGENT: "INSERT, UPDATE (ticket, flags, state, withdrawn, customer)",
        Role.LEAD: "UPDATE",
    },
    "delivery": {
        Role.READ_ONLY: _READ,
        Role.AGENT: "INSERT, UPDATE (ticket, not_before, part, state, phase, error, next_at, holder, held_until)",
        RELAY: "UPDATE",
    },
    "cursor": {RELAY: "SELECT, INSERT, UPDATE"},
    "batch": {Role.READ_ONLY: _READ, Role.AGENT: "INSERT, UPDATE (undone_by)"},
    "event": {Role.READ_ONLY: _READ, Role.AGENT: _ADD},
    "lease": {Role.READ_ONLY: _READ, RELAY: "INSERT, UPDATE, DELETE"},
    "tag": {Role.READ_ONLY: _READ, Role.AGENT: "INSERT, DELETE"},
    "external": {RELAY: "SELECT, INSERT"},
    "answered": {RELAY: "SELECT, INSERT, DELETE"},
    "rest": {RELAY: "SELECT, INSERT, UPDATE"},
    "seen": {Role.READ_ONLY: "SELECT, INSERT, UPDATE (message)"},
    "draft": {Role.READ_ONLY: _READ, Role.AGENT: "INSERT, UPDATE (at, text, options, seen), DELETE"},
    "presence": {Role.READ_ONLY: "SELECT, INSERT, UPDATE, DELETE"},
    "effort": {Role.READ_ONLY: "SELECT, INSERT, UPDATE (spent)"},
    "words": {Role.READ_ONLY: _READ, Role.AGENT: "INSERT, DELETE"},
    "blob": {Role.READ_ONLY: _READ, Role.AGENT: _ADD},
}
"""What a group may do with a table, besides what those before it may. What is in no line, only the owner may."""

NUMBERS = ("ticket_id", "message_id", "delivery_id", "customer_id")
"""The sequences, from which agents draw, and which the relay also reads when it makes a backup."""

# Whoever keeps cursors is the relay, or owns the tables, and speaks for everybody.
_SIGNED = """
CREATE OR REPLACE FUNCTION {schema}.desk_signed() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, {schema}, pg_temp AS $$
DECLARE
  me text;
  other text;
BEGIN
  IF has_table_privilege(session_user, 'cursor', 'INSERT') THEN
    RETURN NULL;
  END IF;
  SELECT name INTO me FROM agent WHERE login = session_user AND active = 1;
  IF TG_TABLE_NAME = 'batch' THEN
    SELECT coalesce(fresh.agent, 'nobody') INTO other FROM fresh WHERE fresh.agent IS DISTINCT FROM me LIMIT 1;
  ELSE
    SELECT coalesce(batch.agent, 'nobody') INTO other FROM fresh LEFT JOIN batch ON batch.id = fresh.batch
    WHERE batch.agent IS DISTINCT FROM me LIMIT 1;
  END IF;
  IF me IS NULL OR other IS NOT NULL THEN
    RAISE insufficient_privilege USING MESSAGE =
      format('the login %s is %s and cannot act as %s', session_user, coalesce(me, 'no agent'), coalesce(other, 'one'));
  END IF;
  RETURN NULL;
END $$
"""

_OWN = """
CREATE OR REPLACE FUNCTION {schema}.desk_own() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, {schema}, pg_temp AS $$
BEGIN
  IF OLD.login = session_user OR has_column_privilege(session_user, 'agent', TG_ARGV[0], 'UPDATE') THEN
    RETURN NEW;
  END IF;
  RAISE insufficient_privilege USING MESSAGE = format('the login %s cannot speak for %s', session_user, OLD.name);
END $$
"""

# A terminal that ended without a word is taken off the list by whoever comes by.
_SEATED = """
CREATE OR REPLACE FUNCTION {schema}.desk_seated() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, {schema}, pg_temp AS $$
DECLARE
  me text;
  other text;
BEGIN
  IF has_table_privilege(session_user, 'cursor', 'INSERT') THEN
    RETURN NULL;
  END IF;
  IF TG_OP = 'DELETE' AND TG_TABLE_NAME = 'presence' THEN
    IF OLD.until < extract(epoch FROM clock_timestamp()) * 1000 THEN
      RETURN NULL;
    END IF;
  END IF;
  SELECT name INTO me FROM agent WHERE login = session_user AND active = 1;
  IF TG_OP <> 'INSERT' THEN
    other := nullif(OLD.agent, me);
  END IF;
  IF TG_OP <> 'DELETE' THEN
    other := coalesce(other, nullif(NEW.agent, me));
  END IF;
  IF me IS NULL OR other IS NOT NULL THEN
    RAISE insufficient_privilege USING MESSAGE =
      format('the login %s is %s and cannot act as %s', session_user, coalesce(me, 'no agent'), coalesce(other, 'one'));
  END IF;
  RETURN NULL;
END $$
"""

_EACH = "AFTER INSERT ON {schema}.%s REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION {schema}.desk_signed()"
_BY = "BEFORE UPDATE OF %s ON {schema}.agent FOR EACH ROW EXECUTE FUNCTION {schema}.desk_own('%s')"
_SEAT = "AFTER INSERT OR UPDATE OR DELETE ON {schema}.%s FOR EACH ROW EXECUTE FUNCTION {schema}.desk_seated()"
_TRIGGERS = {
    "batch_signed": _EACH % "batch",
    "event_signed": _EACH % "event",
    # Whoever may say more of an agent may also say this of others.
    "agent_own": _BY % ("display, signature", "role"),
    "agent_own_time": _BY % ("skills, away_until", "capacity"),
    **{f"{table}_seated": _SEAT % table for table in ("draft", "presence", "effort")},
}


class Place(NamedTuple):
    """Where the tables are: groups belong to the whole server, so their names say of which desk they are."""

    database: str
    schema: str

    def group(self, role: str) -> str:
        """What the group of a role is called on the server."""
        desk = self.database if self.schema == "public" else f"{self.database}_{self.schema}"
        if len(desk.encode()) > _LONGEST:
            desk = sha256(desk.encode()).hexdigest()[:16]
        return f"deskhand_{desk}_{role.replace('-', '_')}"


_LONGEST = 63 - len("deskhand__read_only")


def place(conn: psycopg.Connection[Any]) -> Place:
    """Where this connection is."""
    return Place(*_row(conn, "SELECT current_database(), current_schema()"))


def granted(conn: psycopg.Connection[Any], login: str, role: str, verifier: str | None = None) -> list[str]:
    """What lets `login` do what `role` may, and no more; what of it is there already is left out where it would cost."""
    here = place(conn)
    statements = [f"CREATE ROLE {_name(login)} LOGIN"] if not _roles(conn, [login]) else []
    if verifier is not None:
        statements.append(f"ALTER ROLE {_name(login)} LOGIN PASSWORD {Literal(verifier).as_string(conn)}")
    wanted, has = here.group(role), memberships(conn, here, login)
    statements += [f"REVOKE {_name(group)} FROM {_name(login)}" for group in sorted(has - {wanted})]
    statements += [f"GRANT {_name(wanted)} TO {_name(login)}"] if wanted not in has else []
    return [*founded(conn), *statements]


def revoked(conn: psycopg.Connection[Any], login: str) -> list[str]:
    """What takes all of it from `login`, from its sessions too; the login itself stays."""
    return [f"REVOKE {_name(group)} FROM {_name(login)}" for group in sorted(memberships(conn, place(conn), login))]


def founded(conn: psycopg.Connection[Any]) -> list[str]:
    """The groups, their rights, and the triggers."""
    here = place(conn)
    groups = {role: here.group(role) for role in GROUPS}
    there = _roles(conn, groups.values())
    made = [f"CREATE ROLE {_name(name)} NOLOGIN" for name in groups.values() if name not in there]
    for role, before in BEFORE.items():
        if groups[before] not in memberships(conn, here, groups[role]):
            made.append(f"GRANT {_name(groups[before])} TO {_name(groups[role])}")
    return [*made, *_rights(here, groups), *_triggers(conn, here)]


def renew(conn: Connection) -> None:
    """See to the rights after an upgrade, which may have made tables; nothing where nobody has a login of their own."""
    raw: psycopg.Connection[Any] = conn.raw  # type: ignore[attr-defined]
    if _roles(raw, [place(raw).group(Role.READ_ONLY)]):
        _run(raw, founded(raw))


def _rights(here: Place, groups: dict[str, str]) -> Iterator[str]:
    schema, database, readers = _name(here.schema), _name(here.database), _name(groups[Role.READ_ONLY])
    tables = ", ".join(f"{schema}.{_name(table)}" for table in RIGHTS)
    numbers = ", ".join(f"{schema}.{number}" for number in NUMBERS)
    every = ", ".join(_name(group) for group in groups.values())
    # Who is no agent neither connects nor tells the others of news that are none.
    yield f"REVOKE ALL ON DATABASE {database} FROM PUBLIC"
    yield f"GRANT CONNECT ON DATABASE {database} TO {readers}"
    yield f"REVOKE CREATE ON SCHEMA {schema} FROM PUBLIC"
    yield f"GRANT USAGE ON SCHEMA {schema} TO {readers}"
    yield f"REVOKE ALL ON {tables} FROM {every}"
    yield f"REVOKE ALL ON SEQUENCE {numbers} FROM {every}"
    for table, rights in RIGHTS.items():
        for role, right in rights.items():
            yield f"GRANT {right} ON {schema}.{_name(table)} TO {_name(groups[role])}"
    yield f"GRANT USAGE ON SEQUENCE {numbers} TO {_name(groups[Role.AGENT])}"
    yield f"GRANT SELECT ON SEQUENCE {numbers} TO {_name(groups[RELAY])}"


def _triggers(conn: psycopg.Connection[Any], here: Place) -> Iterator[str]:
    schema = _name(here.schema)
    query = "SELECT tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid WHERE relnamespace = CAST($1 AS regnamespace)"
    there = {name for (name,) in conn.execute(query, (schema,))}
    for name, function in (("desk_signed", _SIGNED), ("desk_own", _OWN), ("desk_seated", _SEATED)):
        yield function.strip().replace("{schema}", schema)
        # Whoever runs the server may have been asked to do this.
        yield f"ALTER FUNCTION {schema}.{name}() OWNER TO {_name(_owner(conn)[0])}"
    for name, words in _TRIGGERS.items():
        # Made anew it would have to wait for everybody who writes.
        if name not in there:
            yield f"CREATE TRIGGER {name} {words.replace('{schema}', schema)}"


def memberships(conn: psycopg.Connection[Any], here: Place, role: str) -> set[str]:
    """The groups of the desk that a role of the server was put into itself."""
    query = "SELECT pg_get_userbyid(roleid) FROM pg_auth_members WHERE member = (SELECT oid FROM pg_roles WHERE rolname = $1)"
    return {name for (name,) in conn.execute(query, (role,))} & {here.group(each) for each in GROUPS}


def out_of_step(conn: psycopg.Connection[Any], agents: Iterable[Agent]) -> list[str]:
    """The agents who may do other things on the server than the desk says, each with the command that mends it."""
    here = place(conn)
    found = []
    for agent in agents:
        if agent.login is None:
            continue
        wanted = {here.group(agent.role)} if agent.active else set()
        if memberships(conn, here, agent.login) != wanted:
            what = f"{agent.role} here" if agent.active else "not active"
            verb = "grant" if agent.active else "revoke"
            found.append(
                f"{agent.name} is {what}, and the server lets the login {agent.login} do other things; "
                f"deskhand store {verb} {agent.name}"
            )
    return found


def advice(said: str) -> str:
    """Who may do what the server has just refused, and how somebody becomes one."""
    if said.startswith("the login "):
        return "come with the login of whom you act for"
    if "admin option" in said.lower() or "role" in said:
        return "whoever runs the server lets you (ALTER ROLE … CREATEROLE), or runs what you get with --dry-run"
    table = said.removeprefix("permission denied for table ").strip('"')
    rights = RIGHTS.get(table, {RELAY: ""} if "for sequence" in said else {})
    people = [role for role in rights if role != RELAY]
    # What a lead may do with an account they are not refused; to add one is the relay's all the same.
    ours = _ADD in rights.get(RELAY, "") and not any(_ADD in rights[role] for role in people)
    if RELAY in rights and (ours or len(people) < 2):
        return "that is the relay's (deskhand store grant --relay LOGIN) and the owner's"
    takes = f"it takes the role {' or '.join(people[1:] or people)}; " if people else ""
    return f"{takes}an admin gives a login the rights of its agent with: deskhand store grant AGENT"


def grant(
    store: PostgresEngine, login: str, role: str, password: str | None, keep: Callable[[Transaction], None]
) -> None:
    """Let a login do what `role` may, and `keep` whose it is: both, or neither."""

    def body(tx: Transaction) -> None:
        conn = _alone(tx)
        verifier = None
        if password is not None:
            # The server, its log and whoever reads them never see the password itself.
            scram = conn.pgconn.encrypt_password(password.encode(), login.encode(), b"scram-sha-256")
            verifier = scram.decode()
        _run(conn, granted(conn, login, role, verifier))
        keep(tx)

    store.change(body)


def revoke(store: PostgresEngine, login: str, keep: Callable[[Transaction], None]) -> None:
    """Take from a login all that it may do here, and `keep` that it is nobody's."""

    def body(tx: Transaction) -> None:
        conn = _alone(tx)
        _run(conn, revoked(conn, login))
        if left := memberships(conn, place(conn), login):
            raise Forbidden(f"somebody else made {login} a member of {', '.join(sorted(left))}, and has to undo it")
        keep(tx)

    store.change(body)


def planned(store: PostgresEngine, login: str, role: str | None) -> list[str]:
    """What `grant`, or `revoke` where there is no role, would have the server do; no password is among it."""
    with store._moment() as conn:
        return granted(conn.raw, login, role) if role else revoked(conn.raw, login)


def exists(store: PostgresEngine, login: str) -> bool:
    """Whether the server has the login."""
    with store._moment() as conn:
        return bool(_roles(conn.raw, [login]))


def database(store: PostgresEngine) -> str:
    """The name of the database."""
    with store._moment() as conn:
        return place(conn.raw).database


def _alone(tx: Transaction) -> psycopg.Connection[Any]:
    """The connection of a transaction that nobody else who gives rights comes between."""
    conn: psycopg.Connection[Any] = tx.conn.raw  # type: ignore[attr-defined]
    conn.execute("SELECT pg_advisory_xact_lock(hashtext('deskhand upgrade'))")
    owner, ours = _owner(conn)
    if not ours:
        raise Forbidden(f"the tables are {owner}'s, who alone gives rights on them: --store postgresql://{owner}@…")
    return conn


def _owner(conn: psycopg.Connection[Any]) -> tuple[str, bool]:
    """Whose the tables are, and whether we are that."""
    query = "SELECT pg_get_userbyid(relowner), pg_has_role(relowner, 'MEMBER') FROM pg_class WHERE oid = to_regclass('agent')"
    owner, ours = _row(conn, query)
    return owner, ours


def _run(conn: psycopg.Connection[Any], statements: Sequence[str]) -> None:
    if statements:
        conn.execute("; ".join(statements).encode(), prepare=False)


def _roles(conn: psycopg.Connection[Any], names: Iterable[str]) -> set[str]:
    return {name for (name,) in conn.execute("SELECT rolname FROM pg_roles WHERE rolname = ANY($1)", (list(names),))}


def _row(conn: psycopg.Connection[Any], query: str, params: Sequence[Any] = ()) -> Any:
    return conn.execute(query, params or None).fetchone()


def _name(name: str) -> str:
    return Identifier(name).as_string()
