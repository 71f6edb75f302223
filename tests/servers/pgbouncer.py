"""A private PgBouncer: shares few connections to a PostgreSQL among many clients, a transaction each."""

from __future__ import annotations

import os
import shutil
from typing import Self
from urllib.parse import urlsplit

from psycopg.conninfo import conninfo_to_dict

from tests.servers import Process, folder, missing
from tests.servers.hosts import starter
from tests.servers.postgres import OWNER, Postgres, as_owner, quiet_port

CONFIG = """
[databases]
* = host={host} port={port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {dir}/users.txt
pool_mode = transaction
max_client_conn = 500
default_pool_size = {size}
server_login_retry = 1
"""


class PgBouncer:
    """A running pool in front of a server; `size` is how many transactions there can be at once in a database."""

    def __init__(self, server: Postgres, size: int = 10) -> None:
        program = shutil.which("pgbouncer", path=os.environ["PATH"] + ":/usr/sbin")
        if not program:
            missing("pgbouncer", "no pgbouncer; run tests/servers/install.sh")
        self._server = server
        self.dir = folder("pgbouncer")
        try:
            self.port = quiet_port()
            to = conninfo_to_dict(server.url())
            config, users = self.dir / "pgbouncer.ini", self.dir / "users.txt"
            config.write_text(
                CONFIG.format(dir=self.dir, listen=self.port, size=size, host=to["host"], port=to.get("port", 5432))
            )
            users.write_text(f'"{to.get("user")}" "{to.get("password", "")}"\n')
            users.chmod(0o600)
            if os.geteuid() == 0:
                shutil.chown(users, OWNER)
            command = [*as_owner("--pdeathsig", "QUIT"), str(program), str(config)]
            self._process = starter.submit(Process, "pgbouncer", command, self.port, self.dir / "log").result()
        except BaseException:
            shutil.rmtree(self.dir, ignore_errors=True)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def url(self, database: str = "postgres", **params: str) -> str:
        """Where a database of the server is, through the pool."""
        parts = urlsplit(self._server.url(database, **params))
        who = parts.netloc.rpartition("@")[0]
        return parts._replace(netloc=f"{who}@127.0.0.1:{self.port}").geturl()

    def remove(self) -> None:
        """End it and remove its folder."""
        self._process.stop()
        shutil.rmtree(self.dir, ignore_errors=True)
