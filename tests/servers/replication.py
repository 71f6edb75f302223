"""A private PostgreSQL and its synchronous standby, for tests that kill the one and go on with the other."""

from __future__ import annotations

from typing import Self

from tests.servers import eventually
from tests.servers.hosts import LOOPBACK, Host
from tests.servers.postgres import Postgres


class Pair:
    """A primary and a standby: while both are there, what is acknowledged is on the disks of both."""

    def __init__(self, one: Host = LOOPBACK, other: Host = LOOPBACK) -> None:
        self.primary = Postgres(durable=True, at=one)
        self.primary.own()
        try:
            self.standby = Postgres(durable=True, at=other, behind=self.primary)
        except BaseException:
            self.primary.remove()
            raise
        self._servers = (self.primary, self.standby)
        try:
            self._synchronous()
        except BaseException:
            self.remove()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def url(self, database: str = "postgres", **params: str) -> str:
        """Where a database is, on whichever of the two takes writes."""
        one, other = self._servers
        url = one.url(database, target_session_attrs="read-write", **params)
        address = f"{one.at.address}:{one.port}"
        return url.replace(address, f"{address},{other.at.address}:{other.port}")

    def kill_primary(self) -> None:
        """Kill all processes of the primary at one moment."""
        self.primary.crash()

    def promote(self) -> None:
        """Make the standby the primary; it has no standby and waits for none."""
        with self.standby.admin() as admin:
            assert admin.execute("SELECT pg_promote()").fetchone() == (True,)
        self.primary, self.standby = self.standby, self.primary

    def rejoin(self) -> None:
        """Make the former primary the standby, with a new copy of everything; commits wait for it from here on."""
        self.standby.follow(self.primary)
        self._synchronous()

    def remove(self) -> None:
        """End both and remove their folders."""
        for server in self._servers:
            server.remove()

    def _synchronous(self) -> None:
        seen = "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync' AND state = 'streaming'"
        with self.primary.admin() as admin:
            admin.execute("ALTER SYSTEM SET synchronous_standby_names = 'FIRST 1 (*)'")
            admin.execute("SELECT pg_reload_conf()")
            eventually(lambda: admin.execute(seen).fetchone(), "the standby to be synchronous")
            # It is the checkpointer that tells commits to wait, and only here is it known to have heard.
            admin.execute("CHECKPOINT")
