"""A wire to PostgreSQL that is cut at any moment of a change."""

from __future__ import annotations

import socket
import struct
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field

WAYS = ("before", "after", "late", "half")
"""The message never comes to the server; it comes, and the answer gets lost; it comes when the client has long
been told that the wire is cut; half of the answer comes back."""

LATE_S = 0.1
TURNS = b"QS"
"""Messages of the client that are answered: a query, and the end of a prepared one."""


@dataclass
class Wire:
    """Passes everything between clients and a server, and cuts the connection with the n-th message that is answered."""

    target: int
    left: int = 0
    way: str = ""
    seen: int = 0
    dead: bool = False
    """Whether nobody can connect after the cut."""
    cuts: int = 0
    cut: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._ends: list[socket.socket] = []
        self._fates: list[_Fate] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def arm(self, turn: int, way: str, *, dead: bool = False) -> None:
        """Cut with the message `turn` from now (0: never; they are counted)."""
        with self._lock:
            self.left, self.way, self.dead, self.seen = turn, way, dead, 0
            self.cut.clear()
            self.over.clear()

    def arm_each(self, turn: int) -> None:
        """Cut each connection there is with the message `turn` from now of its own; the server hears it."""
        self.left, self.way, self.cuts = 0, "after", 0
        for fate in self._fates:
            fate.left = turn

    def heal(self) -> None:
        """Let everybody connect again."""
        self.left, self.dead = 0, False

    def close(self) -> None:
        """End all there is."""
        for end in (self._listening, *self._ends):
            _close(end)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            if self.dead and self.cut.is_set():
                _close(client)
                continue
            server = socket.create_connection(("127.0.0.1", self.target))
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._ends = [end for end in self._ends if end.fileno() >= 0] + [client, server]
            self._fates = [fate for fate in self._fates if not fate.answered.is_set()]
            self._fates.append(fate := _Fate())
            threading.Thread(target=self._ask, args=(client, server, fate), daemon=True).start()
            threading.Thread(target=self._answer, args=(client, server, fate), daemon=True).start()

    def _ask(self, client: socket.socket, server: socket.socket, fate: _Fate) -> None:
        with suppress(OSError), client.makefile("rb") as asked:
            first = True
            while head := asked.read(4 if first else 5):
                body = asked.read(struct.unpack("!i", head[-4:])[0] - 4)
                if not first and head[:1] in TURNS and self._due(fate):
                    self._end(client, server, fate, head + body)
                    return
                server.sendall(head + body)
                first = False
        _close(server)

    def _due(self, fate: _Fate) -> bool:
        with self._lock:
            self.seen += 1
            self.left -= 1
            fate.left -= 1
            due = 0 in (self.left, fate.left)
            self.cuts += due
            if due:
                self.cut.set()
            return due

    def _end(self, client: socket.socket, server: socket.socket, fate: _Fate, message: bytes) -> None:
        if self.way == "before":
            _close(client)
            _close(server)
        elif self.way == "late":
            _close(client)
            time.sleep(LATE_S)
            fate.hear(server, message, None)
        else:
            fate.hear(server, message, client if self.way == "half" else None)
            _close(client)
        self.over.set()

    def _answer(self, client: socket.socket, server: socket.socket, fate: _Fate) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                if fate.doomed:
                    fate.answered.set()
                    if fate.rest:
                        # Of CommandComplete all, of ReadyForQuery nothing: it is known to us alone.
                        fate.rest.sendall(data[:-6])
                    break
                client.sendall(data)
        fate.answered.set()
        _close(server)
        _close(client)


@dataclass
class _Fate:
    """What is to become of one connection."""

    doomed: bool = False
    left: int = 0
    rest: socket.socket | None = None
    answered: threading.Event = field(default_factory=threading.Event)

    def hear(self, server: socket.socket, message: bytes, rest: socket.socket | None) -> None:
        """Let the server have the message, and do what it says."""
        self.doomed, self.rest = True, rest
        with suppress(OSError):
            server.sendall(message)
        self.answered.wait(10)
        _close(server)


def _close(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    with suppress(OSError):
        end.close()
