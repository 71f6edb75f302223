"""A small HTTP server on loopback, in a thread: one function answers, faults come from a script.

What a provider's server does is said in a subclass; here is only what all of them need.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qsl, urlsplit


class Asked(NamedTuple):
    """A request."""

    method: str
    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


class Said(NamedTuple):
    """An answer."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = {}


Script = Said | Callable[[Asked], Said | None] | None
"""What the next request gets: an answer, what a function says, or None: the connection is cut."""


def as_json(value: Any, status: int = 200, *, packed: bool = False, **headers: str) -> Said:
    """An answer in JSON, compressed where `packed`."""
    data = json.dumps(value).encode()
    told = {"Content-Type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}}
    return (
        Said(status, gzip.compress(data), {**told, "Content-Encoding": "gzip"}) if packed else Said(status, data, told)
    )


class SmallHttp:
    """Answers with `answer`, or with what stands in `script` first for a path that ends as its key says."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.script: dict[str, deque[Script]] = {}
        self.stopping = threading.Event()
        self._server: ThreadingHTTPServer | None = None
        self.port = 0

    def answer(self, asked: Asked) -> Said | None:
        """What a request gets; None hangs up."""
        raise NotImplementedError

    def next(self, path: str, *script: Script) -> None:
        """What the next requests for `path` get instead."""
        self.script.setdefault(path, deque()).extend(script)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Self:
        """Listen; on the same port again after a `stop`."""
        self.stopping.clear()
        self._server = _Server(("127.0.0.1", self.port), self._handler())
        self.port = self._server.server_address[1]
        # Asks ten times a second whether it is to end; the tests are to be quick.
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def stop(self) -> None:
        """Refuse connections from now on."""
        self.stopping.set()
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _answered(self, asked: Asked) -> Said | None:
        self.asked.append(asked)
        for ending, script in self.script.items():
            if asked.path.endswith(ending) and script:
                said = script.popleft()
                return said(asked) if callable(said) else said
        return self.answer(asked)

    def _handler(outer) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self) -> None:
                parts = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                params = dict(parse_qsl(parts.query, keep_blank_values=True))
                said = outer._answered(Asked(self.command, parts.path, params, headers, body))
                self.close_connection = True
                if said is None:
                    # With nothing lingering, a close is a reset: the other side sees the cut at once.
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self.connection.close()
                    return
                self.send_response(said.status)
                for name, value in {
                    "Content-Length": str(len(said.body)),
                    "Connection": "close",
                    **said.headers,
                }.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(said.body)

            do_GET = do_POST = _serve

            def handle(self) -> None:
                # Whoever asked may have left.
                with contextlib.suppress(OSError, ValueError):
                    super().handle()

            def log_message(self, format: str, *args: object) -> None:
                """Tests say themselves what they saw."""

        return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A cut connection is part of the play."""
