"""A private PostgreSQL: fresh databases in milliseconds, and a server that can be frozen, crashed and started again.

`DESKHAND_TEST_POSTGRES` may name the URL of another server to make the databases on; that one is
never stopped.
"""

from __future__ import annotations

import contextlib
import functools
import os
import random
import secrets
import select
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

import psycopg
import pytest
from psycopg import sql

from tests.servers import STOP_S, eventually, folder, missing
from tests.servers.hosts import LOOPBACK, Host, starter

GIVEN = "DESKHAND_TEST_POSTGRES"
OWNER = "postgres"
"""Who runs the server when we are root, whom PostgreSQL refuses."""

PASSWORD = secrets.token_hex(8)
BUILD = Path(__file__).parents[2] / "build" / "servers"
INITDB = ["--username=desk", "--encoding=UTF8", "--locale=C.UTF-8", "--wal-segsize=4", "--no-sync", "--no-instructions"]

SETTINGS = """
listen_addresses = '{host}'
port = {port}
unix_socket_directories = '{dir}'
max_connections = 300
shared_buffers = 64MB
jit = off
timezone = 'UTC'
log_line_prefix = '%m [%p] %a '
# Goes with the folder, also when nobody was left to clean up.
dynamic_shared_memory_type = mmap
"""

DURABLE = """
wal_level = replica
wal_keep_size = 256MB
wal_retrieve_retry_interval = 100ms
"""

CARELESS = """
fsync = off
full_page_writes = off
wal_level = minimal
max_wal_senders = 0
max_wal_size = 64MB
"""

ACCESS = """
local all all trust
local replication all trust
host all all all scram-sha-256
host replication all all scram-sha-256
"""


class Postgres:
    """A running server with the superuser `desk`; with `durable` it can be replicated and would outlive a power cut.

    `at` is where it runs, one of `Hosts`; `behind` a server to replicate.
    """

    def __init__(self, *, durable: bool = False, at: Host = LOOPBACK, behind: Postgres | None = None) -> None:
        self._made: list[str] = []
        self._templates: dict[Callable[[str], object], str] = {}
        self._given = os.environ.get(GIVEN, "")
        if self._given:
            return
        self.at, self.port = at, quiet_port()
        self._process: subprocess.Popen[bytes] | None = None
        template = _template()
        # To make a database is to copy files: ten times as fast in memory.
        self.dir = folder("postgres", quick=not durable)
        self.data, self.log = self.dir / "data", self.dir / "postgres.log"
        self._settings = SETTINGS.format(host=at.address, port=self.port, dir=self.dir) + (
            DURABLE if durable else CARELESS
        )
        try:
            if os.geteuid() == 0:
                shutil.chown(self.dir, OWNER, OWNER)
            if behind:
                self.follow(behind)
            else:
                subprocess.run(["cp", "-a", "--reflink=auto", template, self.data], check=True)
                (self.data / "postgresql.conf").write_text(self._settings)
                self.start()
                with self.admin() as admin:
                    admin.execute(sql.SQL("ALTER USER desk PASSWORD {}").format(PASSWORD))
        except BaseException:
            self.remove()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def url(self, database: str = "postgres", **params: str) -> str:
        """Where a database is, as libpq reads it; of a URL, the database counts."""
        parts = urlsplit(self._given or f"postgresql://desk:{PASSWORD}@{self.at.address}:{self.port}")
        query = urlencode(dict(parse_qsl(parts.query)) | params, quote_via=quote)
        return parts._replace(path="/" + quote(name(database)), query=query).geturl()

    def empty(self) -> str:
        """The URL of a new, empty database."""
        return self._create("template1")

    def copy_of(self, source: str | Callable[[str], object]) -> str:
        """The URL of a new copy of a database nobody is connected to, or of one that a function was once given to fill."""
        if not callable(source):
            return self._create(name(source))
        if source not in self._templates:
            url = self.empty()
            source(url)
            self._templates[source] = url
        return self._create(name(self._templates[source]))

    def drop(self, url: str) -> None:
        """Remove a database, whoever is connected."""
        with self.admin() as admin:
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name(url))))
        with contextlib.suppress(ValueError):
            self._made.remove(url)

    @contextlib.contextmanager
    def admin(self, database: str = "postgres") -> Iterator[psycopg.Connection[Any]]:
        """A connection of the superuser, each statement for itself; by the socket, which no network can cut."""
        address = self.url(database) if self._given else f"host={self.dir} port={self.port} user=desk dbname={database}"
        with psycopg.connect(address, autocommit=True, connect_timeout=10) as connection:
            yield connection

    def own(self) -> None:
        """Skip the test when the server is a given one."""
        if self._given:
            missing("postgresql of our own", f"{GIVEN} names one that is not ours to stop")

    def start(self) -> None:
        """Start it, at first or once more, on the same port; returns when it answers."""
        self.own()
        with self.log.open("ab") as log:
            process = starter.submit(
                subprocess.Popen,
                [*self.at.inside, *as_owner("--pdeathsig", "QUIT"), _program("postgres"), "-D", str(self.data)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            ).result()
        self._process = process
        eventually(lambda: process.poll() is not None or self._answers(), "PostgreSQL to answer")
        if process.poll() is not None:
            pytest.fail(f"PostgreSQL ended at once: {self.log.read_text(errors='replace')[-2000:]}")

    def stop(self) -> None:
        """End it in good order; `start()` brings it back."""
        self.own()
        self._end(signal.SIGINT)

    def crash(self) -> None:
        """Kill all its processes at one moment; `start()` brings it back."""
        # By descriptors, since numbers of processes may come to mean others.
        watched = [os.pidfd_open(pid) for pid in self._stopped()]
        for each in watched:
            signal.pidfd_send_signal(each, signal.SIGKILL)
        for each in watched:
            select.select([each], [], [], STOP_S)
            os.close(each)
        if self._process:
            self._process.wait()

    def freeze(self) -> None:
        """Let connections hang, those there are and new ones, until `thaw()`."""
        self._stopped()

    def thaw(self) -> None:
        """Go on after `freeze()`."""
        for pid in reversed(self._pids()):
            _signal(pid, signal.SIGCONT)

    def follow(self, primary: Postgres) -> None:
        """Become a standby of another durable server, with a new copy of its data."""
        self._forget()
        where = ["-d", primary.url("replication"), "-D", str(self.data)]
        how = ["--write-recovery-conf", "--checkpoint=fast", "--no-sync"]
        done = subprocess.run(
            [*self.at.inside, *as_owner(), _program("pg_basebackup"), *where, *how], capture_output=True
        )
        if done.returncode:
            pytest.fail(f"pg_basebackup: {done.stderr.decode()}")
        (self.data / "postgresql.conf").write_text(self._settings)
        with (self.data / "postgresql.auto.conf").open("a") as settings:
            settings.write("synchronous_standby_names = ''\n")
        self.start()

    def remove(self) -> None:
        """End it and remove its folder; of a server that was given, the databases made here."""
        if self._given:
            for url in [*self._made]:
                self.drop(url)
        else:
            self._forget()
            shutil.rmtree(self.dir, ignore_errors=True)

    def _forget(self) -> None:
        self.own()
        self._end(signal.SIGQUIT)
        with contextlib.suppress(OSError, IndexError):
            # What a crash leaves behind: a few bytes of shared memory that guard the folder.
            segment = (self.data / "postmaster.pid").read_text().splitlines()[6].split()[1]
            subprocess.run(["ipcrm", "--shmem-id", segment], capture_output=True)
        shutil.rmtree(self.data, ignore_errors=True)

    def _create(self, template: str) -> str:
        new = f"desk_{secrets.token_hex(6)}"
        with self.admin() as admin:
            # Twice as fast as by the log, and before version 15 the only way.
            how = sql.SQL("STRATEGY file_copy" if admin.info.server_version >= 150_000 else "")
            create = sql.SQL("CREATE DATABASE {} TEMPLATE {} {}")
            admin.execute(create.format(sql.Identifier(new), sql.Identifier(template), how))
        self._made.append(self.url(new))
        return self._made[-1]

    def _answers(self) -> bool:
        with contextlib.suppress(psycopg.OperationalError), self.admin():
            return True
        return False

    def _end(self, how: signal.Signals) -> None:
        if self._process:
            self.thaw()
            self._process.send_signal(how)
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.crash()

    def _stopped(self) -> list[int]:
        """Its processes, after all of them were stopped; the first one first, so that it makes no more."""
        self.own()
        if self._process and self._process.poll() is None:
            pid = self._process.pid
            _signal(pid, signal.SIGSTOP)
            os.waitid(os.P_PID, pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
            for child in _children(pid):
                _signal(child, signal.SIGSTOP)
        return self._pids()

    def _pids(self) -> list[int]:
        if not self._process or self._process.poll() is not None:
            return []
        return [self._process.pid, *_children(self._process.pid)]


def quiet_port() -> int:
    """A port nobody listens on, below those the kernel gives to clients: one that knocks in vain could meet itself there."""
    while True:
        with socket.socket() as probe, contextlib.suppress(OSError):
            port = random.randrange(20_000, 32_000)
            probe.bind(("127.0.0.1", port))
            return port


def _template() -> Path:
    """A new cluster to copy, made once for all runs of the tests: initdb takes a second."""
    version = subprocess.check_output([_program("postgres"), "--version"], text=True).split()[2]
    made = BUILD / f"postgres-{version}-{os.geteuid()}"
    if not made.exists():
        fresh = folder("initdb")
        try:
            if os.geteuid() == 0:
                shutil.chown(fresh, OWNER, OWNER)
            command = [*as_owner(), _program("initdb"), *INITDB, "-D", str(fresh / "data")]
            subprocess.run(command, check=True, capture_output=True)
            (fresh / "data" / "pg_hba.conf").write_text(ACCESS)
            BUILD.mkdir(parents=True, exist_ok=True)
            subprocess.run(["cp", "-a", fresh / "data", f"{made}.{os.getpid()}"], check=True)
            with contextlib.suppress(OSError):  # somebody else was faster
                Path(f"{made}.{os.getpid()}").rename(made)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
            shutil.rmtree(f"{made}.{os.getpid()}", ignore_errors=True)
    return made


@functools.cache
def _program(name: str) -> str:
    """The newest server's program of that name."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if shutil.which("pg_config"):
        found.insert(0, Path(subprocess.check_output(["pg_config", "--bindir"], text=True).strip()))
    for place in reversed(found):
        if (place / "postgres").exists():
            return str(place / name)
    if beside := shutil.which("postgres"):
        return str(Path(beside).parent / name)
    missing("postgresql", "no postgres; run tests/servers/install.sh")
    return name


def as_owner(*options: str) -> list[str]:
    """What to put before a command of PostgreSQL, to run it as somebody who may."""
    if os.geteuid() == 0:
        options = (f"--reuid={OWNER}", f"--regid={OWNER}", "--clear-groups", *options)
    return ["setpriv", *options, "--"] if options else []


def name(url: str) -> str:
    """The name of the database in a URL, or just the name."""
    return unquote(urlsplit(url).path.rpartition("/")[2])


def _signal(pid: int, what: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, what)


def _children(parent: int) -> list[int]:
    """The processes that one started; each of PostgreSQL's is a group of its own."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(stat.read_text(errors="replace").rpartition(")")[2].split()[1]) == parent:
                found.append(int(stat.parent.name))
    return found
