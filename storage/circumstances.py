"""What `deskhand doctor` tells of a server: whose word counts there, and how it fares."""

from __future__ import annotations

from typing import TYPE_CHECKING

from desk.hosts import MAY_DIFFER_MS, astray
from storage import reads
from storage.grants import out_of_step

if TYPE_CHECKING:
    from storage.pool import Hello
    from storage.postgres import PostgresConnection

_WHO = (
    "SELECT CAST(session_user AS TEXT), has_table_privilege(session_user, 'cursor', 'INSERT'), "
    "(SELECT name FROM agent WHERE login = session_user), inet_client_addr() IS NOT NULL"
)
_SERVER = "SELECT current_setting('server_version'), current_setting('synchronous_standby_names') <> '', count(*) FROM pg_stat_replication"


def circumstances(conn: PostgresConnection, hello: Hello) -> list[tuple[bool, str]]:
    """Whether each is well, and a sentence; the first says whether roles are enforced."""
    agents = reads.read_agents(conn).values()
    found = [(True, _whose_word(conn, sum(a.login is not None for a in agents if a.active)))]
    found += [(False, words) for words in out_of_step(conn.raw, agents)]
    version, synchronous, standbys = conn.execute(_SERVER).fetchone()
    way = "behind a pooler, so news is asked for four times a second" if hello.pooled else "reached directly"
    copies = (
        f"{standbys} {'standby follows' if standbys == 1 else 'standbys follow'}" if standbys else "no standby follows"
    )
    found.append((True, f"PostgreSQL {version}, {way}; {copies}{', synchronously' if synchronous else ''}"))
    words = astray(hello.skew, MAY_DIFFER_MS)
    found.append((not words, words or f"this host's clock and the server's are {abs(hello.skew)} ms apart"))
    return found


def _whose_word(conn: PostgresConnection, logins: int) -> str:
    login, free, name, far = conn.execute(_WHO).fetchone()
    if name and not free:
        return f"roles are enforced by the server, which knows you as {name}"
    if name:
        return f"the server knows you as {name}; the login {login} may do everything here, whatever the role"
    if not free:
        return f"roles are enforced by the server, and the login {login} is no agent's"
    uids = "; over a network, each host says itself who its users are" if far else ""
    if logins:
        return f"the login {login} is no agent's: roles are advisory for who uses it, and enforced for {logins} with logins of their own{uids}"
    return f"one login for all, {login}: a trusted team, roles are advisory{uids}"
