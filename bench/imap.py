"""A mailbox on a real Dovecot into tickets: the relay as it is run, from its start to the last commit."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bench.corpus import SUPPORT_ADDRESS
from bench.intake import maildir
from bench.process import DESKHAND, ROOT, environment
from bench.stores import OUT
from bench.terminal import tree_cpu, tree_memory
from tests.servers.dovecot import Dovecot, User

PATIENCE_S = 300.0


@dataclass(frozen=True)
class Found:
    """Seconds from the relay's start to the last ticket, the CPU time that took, and the most memory meanwhile."""

    seconds: float
    cpu_s: float
    memory_mib: float


_CONFIG = """\
[store]
url = "sqlite:///{store}"

[relay]
{relay}

[channels.support]
kind = "email"
address = "{address}"

[channels.support.imap]
host = "localhost"
port = {port}
tls = "{tls}"
ca_file = "{ca_file}"
user = "{user}"
password = "secret"

[channels.support.smtp]
host = "localhost"
port = 1
tls = "none"
login = false
"""


def installed() -> bool:
    """Whether this machine can run the server."""
    return os.geteuid() == 0 and Path("/usr/sbin/dovecot").exists()


def measure(messages: int, turns: int, tls: str = "tls", relay: str = "") -> list[Found]:
    """A fresh store each turn, the same mailbox."""
    server = Dovecot()
    try:
        user = server.user()
        user.fill(maildir(messages))
        return [_turn(server, user, messages, tls, relay) for _ in range(turns)]
    finally:
        server.stop()


def _turn(server: Dovecot, user: User, messages: int, tls: str, relay: str) -> Found:
    folder = OUT / "imap"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    port = server.tls_port if tls == "tls" else server.port
    config = folder / "config.toml"
    config.write_text(
        _CONFIG.format(
            store=folder / "desk.db",
            relay=relay,
            address=SUPPORT_ADDRESS,
            port=port,
            tls=tls,
            ca_file=server.ca_file,
            user=user.name,
        )
    )
    config.chmod(0o600)
    with (folder / "relay.log").open("w") as log:
        begun = time.perf_counter()
        process = subprocess.Popen(
            (*DESKHAND, "--config", str(config), "relay"), cwd=ROOT, env=environment(), stdout=log, stderr=log
        )
        try:
            with _watched(process.pid) as most:
                while _kept(folder / "desk.db") < messages:
                    if process.poll() is not None or time.perf_counter() - begun > PATIENCE_S:
                        raise RuntimeError(f"the relay did not get there; see {folder}/relay.log")
                    time.sleep(0.02)
                seconds = time.perf_counter() - begun
                cpu = tree_cpu(process.pid)
            return Found(seconds, cpu, max(most))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def _kept(store: Path) -> int:
    """How many messages of the mailbox the store knows."""
    with suppress(sqlite3.Error):
        conn = sqlite3.connect(f"file:{store}?mode=ro", uri=True)
        try:
            return int(conn.execute("SELECT count(*) FROM external").fetchone()[0])
        finally:
            conn.close()
    return 0


@contextmanager
def _watched(pid: int) -> Iterator[list[float]]:
    """The memory of a process and its workers (their share of what they share) in MiB, looked at again and again."""
    most, over = [0.0], threading.Event()

    def look() -> None:
        while not over.wait(0.1):
            most.append(tree_memory(pid)[1] / 1024)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield most
    finally:
        over.set()
        watcher.join()
