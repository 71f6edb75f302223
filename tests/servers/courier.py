"""A private Courier: an IMAP server with habits of its own, one process a connection, already logged in.

Debian lets one IMAP server be installed at a time, so install.sh unpacks Courier under
build/ and nothing of it runs by itself. What differs from Dovecot: no UIDNEXT when a
folder is opened, no MOVE, folders below INBOX with dots, IDLE that looks every minute.
"""

from __future__ import annotations

import itertools
import os
import shutil
import socket
import socketserver
import subprocess
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.servers import folder, missing

UNPACKED = Path(__file__).resolve().parents[2] / "build" / "servers" / "courier"

CAPABILITIES = "IMAP4rev1 UIDPLUS CHILDREN NAMESPACE THREAD=ORDEREDSUBJECT THREAD=REFERENCES SORT QUOTA IDLE"


class _Connection(socketserver.BaseRequestHandler):
    server: _Listener

    def handle(self) -> None:
        self.server.courier.serve(self.request)


class _Listener(socketserver.ThreadingTCPServer):
    daemon_threads = True
    courier: Courier


class Courier:
    """A mailbox on a running server."""

    def __init__(self) -> None:
        self._program = UNPACKED / "usr" / "bin" / "imapd"
        if not self._program.exists():
            missing("courier", "it is not unpacked; run tests/servers/install.sh")
        self.dir = folder("courier")
        self._counter = itertools.count(1)
        self._processes: list[subprocess.Popen[bytes]] = []
        for part in ("cur", "new", "tmp"):
            (self.dir / part).mkdir()
        self._listener = _Listener(("127.0.0.1", 0), _Connection)
        self._listener.courier = self
        self.port = self._listener.server_address[1]
        threading.Thread(target=self._listener.serve_forever, args=(0.01,), daemon=True).start()

    def serve(self, connection: socket.socket) -> None:
        """Run one connection to its end."""
        library = UNPACKED / "usr" / "lib"
        environment = {
            "LD_LIBRARY_PATH": f"{library}:{library}/{os.uname().machine}-linux-gnu",
            "AUTHENTICATED": "support@desk.test",
            "PROTOCOL": "IMAP",
            "TCPREMOTEIP": "127.0.0.1",
            "IMAP_CAPABILITY": CAPABILITIES,
            "IMAP_USELOCKS": "0",
            "IMAP_ENHANCEDIDLE": "0",
            "IMAP_IDLE_TIMEOUT": "1",
            "PATH": os.environ["PATH"],
        }
        with (self.dir / "log").open("ab") as log:
            process = subprocess.Popen(
                [self._program, "."],
                stdin=connection,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=self.dir,
                env=environment,
            )
        self._processes.append(process)
        assert process.stdout is not None
        greeting = b""
        # Without a File Access Monitor on this machine it complains before it greets.
        while not greeting.startswith(b"* PREAUTH") and (greeting := process.stdout.readline()):
            pass
        with suppress(OSError):
            connection.sendall(greeting)
            while data := process.stdout.read1(65536):  # type: ignore[attr-defined]
                connection.sendall(data)
        process.wait()

    def stop(self) -> None:
        """End it and remove its folder."""
        self._listener.shutdown()
        self._listener.server_close()
        for process in self._processes:
            if process.poll() is None:
                process.terminate()
                process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def imap(self, **other: Any) -> dict[str, Any]:
        """The `imap` table of an account on this mailbox."""
        return {"host": "127.0.0.1", "port": self.port, "tls": "none", "password": "unused", "timeout_s": 10.0} | other

    def deliver(self, *messages: bytes) -> None:
        """Put messages into the inbox: complete from the first moment."""
        for message in messages:
            name = f"1700000000.M{next(self._counter):06}.test"
            (self.dir / "tmp" / name).write_bytes(message.replace(b"\r\n", b"\n"))
            (self.dir / "tmp" / name).rename(self.dir / "new" / name)

    def renumber(self) -> None:
        """Give the inbox a new UIDVALIDITY: Courier makes it of the time when its list of UIDs is lost."""
        uids = self.dir / "courierimapuiddb"
        first, _, _ = uids.read_text().partition("\n")
        version, validity, _ = first.split()
        uids.write_text(f"{version} {int(validity) + 1} 1\n")
