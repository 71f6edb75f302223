"""A wire between clients and a server that can hold an answer back, so that whoever waits for it can be killed."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress


class Holding:
    """Passes everything on to `port`. Once armed, the server still gets what has `marker` in it, and its answer never comes."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._marker = b""
        self.held = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._ends: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def arm(self, marker: bytes) -> None:
        """From now on hold back what answers `marker`."""
        self.held.clear()
        self._marker = marker

    def heal(self) -> None:
        """Pass everything on again; what was held back stays lost."""
        self._marker = b""

    def close(self) -> None:
        """End all there is."""
        for end in (self._listening, *self._ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                self._ends += [client, server]
                mute = threading.Event()
                threading.Thread(target=self._ask, args=(client, server, mute), daemon=True).start()
                threading.Thread(target=self._answer, args=(client, server, mute), daemon=True).start()

    def _ask(self, client: socket.socket, server: socket.socket, mute: threading.Event) -> None:
        asked = b""
        with suppress(OSError):
            while data := client.recv(65536):
                asked = asked[-200:] + data
                if self._marker and self._marker in asked:
                    mute.set()
                server.sendall(data)
                if mute.is_set():
                    self.held.set()
        with suppress(OSError):
            server.shutdown(socket.SHUT_WR)

    def _answer(self, client: socket.socket, server: socket.socket, mute: threading.Event) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                if not mute.is_set():
                    client.sendall(data)
        if not mute.is_set():
            with suppress(OSError):
                client.shutdown(socket.SHUT_WR)
