"""What small servers of providers have in common: loopback, requests in order, and faults when a test wants them."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from email.message import Message as Headers
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from msgspec import Struct, field

CUT_BEFORE, CUT_AFTER = "(cut before)", "(cut after)"
"""Hang up instead of doing what was asked, or when it is done and not yet said."""


class Upload(Struct, frozen=True):
    """A file that came in a form."""

    name: str
    content_type: str
    data: bytes


class Request(Struct, frozen=True):
    """What was asked: names of headers are in lower case, of a parameter all values are kept."""

    method: str
    path: str
    query: Mapping[str, Sequence[str]]
    headers: Mapping[str, str]
    body: bytes
    fields: Mapping[str, Any] = field(default_factory=dict)
    files: Sequence[Upload] = ()

    def one(self, name: str, otherwise: str = "") -> str:
        """A parameter of the query."""
        return (self.query.get(name) or [otherwise])[0]


class Reply(Struct, frozen=True):
    """What is answered; anything but bytes goes as JSON."""

    status: int = 200
    content: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


class LocalHttp:
    """A server on a free loopback port. A provider's server says in `answer` what its documentation says.

    `faults` are used up by requests whose "METHOD /path" begins as they do: a `Reply`, or a cut.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.faults: deque[tuple[str, Reply | str]] = deque()
        self.lock = threading.RLock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def handle_any(self) -> None:
                outer._handle(self)

            do_GET = do_POST = do_PUT = do_DELETE = handle_any

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def answer(self, request: Request) -> Reply:
        """What the provider would say."""
        raise NotImplementedError

    def stop(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()

    def asked(self, beginning: str) -> list[Request]:
        """The requests that began so: "GET /posts.json"."""
        return [one for one in self.requests if f"{one.method} {one.path}".startswith(beginning)]

    def _handle(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("content-length") or 0))
        parts = urlsplit(handler.path)
        headers = {name.lower(): value for name, value in handler.headers.items()}
        fields, files = _form(headers.get("content-type", ""), body)
        request = Request(handler.command, parts.path, parse_qs(parts.query), headers, body, fields, files)
        with self.lock:
            self.requests.append(request)
            fault = self._fault(f"{request.method} {request.path}")
            if fault == CUT_BEFORE:
                return _cut(handler)
            reply = fault if isinstance(fault, Reply) else self.answer(request)
        if fault == CUT_AFTER:
            return _cut(handler)
        data = reply.content if isinstance(reply.content, bytes) else json.dumps(reply.content).encode()
        handler.send_response(reply.status)
        for name, value in {"content-type": "application/json", **reply.headers}.items():
            handler.send_header(name, value)
        handler.send_header("content-length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)
        return None

    def _fault(self, line: str) -> Reply | str | None:
        for fault in self.faults:
            if line.startswith(fault[0]):
                self.faults.remove(fault)
                return fault[1]
        return None


def _cut(handler: BaseHTTPRequestHandler) -> None:
    # No linger: the other side sees a reset, as when a machine goes down.
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True
    handler.connection.close()


def _form(content_type: str, body: bytes) -> tuple[dict[str, Any], list[Upload]]:
    if content_type.startswith("application/json"):
        found = json.loads(body or b"null")
        return (found if isinstance(found, dict) else {}), []
    if content_type.startswith("application/x-www-form-urlencoded"):
        return {k: v if k.endswith("[]") else v[0] for k, v in parse_qs(body.decode(), True).items()}, []
    if not content_type.startswith("multipart/form-data"):
        return {}, []
    message: Headers = BytesParser(policy=HTTP).parsebytes(
        b"content-type: " + content_type.encode() + b"\r\n\r\n" + body
    )
    fields: dict[str, Any] = {}
    files: list[Upload] = []
    for part in message.iter_parts():  # type: ignore[attr-defined]
        data = part.get_payload(decode=True) or b""
        if part.get_filename() is not None:
            files.append(Upload(part.get_filename(), part.get_content_type(), data))
        else:
            fields[part.get_param("name", header="content-disposition")] = data.decode()
    return fields, files
