"""A private Prosody: accounts and rooms on `localhost` and `desk.test`, password `secret`; and a customer's client."""

from __future__ import annotations

import base64
import itertools
import re
import shutil
import socket
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tests.servers import Process, certificates, eventually, folder, free_port, listening, need

PASSWORD = "secret"
PATIENCE_S = 10.0

CONFIG = """
pidfile = "{dir}/prosody.pid"
data_path = "{dir}/data"
certificates = "{dir}/tls"
log = {{ info = "{dir}/prosody.log" }}
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {port} }}
c2s_direct_tls_ports = {{ {tls_port} }}
s2s_ports = {{ }}
http_ports = {{ }}
https_ports = {{ {https_port} }}
http_host = "localhost"
http_external_url = "https://localhost:{https_port}/"
ssl = {{ certificate = "{dir}/tls/cert.pem", key = "{dir}/tls/key.pem" }}
https_ssl = {{ certificate = "{dir}/tls/cert.pem", key = "{dir}/tls/key.pem" }}
authentication = "internal_plain"
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
modules_enabled = {{ "roster", "saslauth", "tls", "disco", "carbons", "ping", "smacks", {modules} }}
modules_disabled = {{ "s2s", "offline" }}
default_archive_policy = true
archive_expires_after = "never"
storage = "internal"
limits = {{ }}
VirtualHost "localhost"
VirtualHost "desk.test"
Component "rooms.localhost" "muc"
  modules_enabled = {{ {room_modules} }}
  muc_log_by_default = true
  restrict_room_creation = false
Component "files.localhost" "http_file_share"
  http_file_share_size_limit = 200000
"""


class Prosody:
    """A running server. `stop` and `start` are an outage: everything but the connections is kept."""

    host = "localhost"

    def __init__(self, *, archive: bool = True, management: bool = True) -> None:
        need("prosody", "prosody", "openssl", "runuser")
        self._counter = itertools.count(1)
        self.dir = folder("prosody", quick=True)
        try:
            self.ca_file = str(certificates(self.dir / "tls") / "ca.pem")
            self.port, self.tls_port, self.https_port = free_port(), free_port(), free_port()
            modules = ['"mam"'] * archive
            self._config = self.dir / "prosody.cfg.lua"
            fields = {"dir": self.dir, "port": self.port, "tls_port": self.tls_port, "https_port": self.https_port}
            text = CONFIG.format(**fields, modules=", ".join(modules), room_modules='"muc_mam"' if archive else "")
            self._config.write_text(text if management else text.replace('"smacks", ', ""))
            self._owned(self.dir / "data")
            self.process: Process | None = None
            self.start()
        except BaseException:
            shutil.rmtree(self.dir, ignore_errors=True)
            raise

    def start(self) -> None:
        """Come (back) up."""
        command = ["runuser", "-u", "prosody", "--", "prosody", "--config", str(self._config), "-F"]
        shutil.chown(self.dir, "prosody")
        self.process = Process("prosody", command, self.port, self.dir / "start.log")

    def stop(self) -> None:
        """Go down, from one moment to the next."""
        if self.process is not None:
            self.process.kill()
        self.process = None
        eventually(lambda: not listening(self.port), "prosody to be gone")

    def end(self) -> None:
        """End it and remove its folder."""
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    def account(self, name: str = "support", host: str = "localhost", password: str = PASSWORD) -> str:
        """A new account's address; with a number behind the name, so that each test has its own."""
        return self.named(f"{name}{next(self._counter)}", host, password)

    def named(self, name: str, host: str = "localhost", password: str = PASSWORD) -> str:
        """An account of exactly this name, or its new password."""
        place = self.dir / "data" / _escaped(host) / "accounts"
        for path in (place.parent, place):
            self._owned(path)
        file = place / f"{_escaped(name)}.dat"
        file.write_text(f'return {{ ["password"] = "{password}"; }};\n')
        shutil.chown(file, "prosody")
        return f"{name}@{host}"

    def room(self) -> str:
        """The address of a room that is not there yet."""
        return f"room{next(self._counter)}@rooms.localhost"

    def settings(self, jid: str, **other: Any) -> dict[str, Any]:
        """The keys of `[channels.NAME]` for an account here."""
        return {
            "address": jid,
            "password": PASSWORD,
            "host": "127.0.0.1",
            "port": self.port,
            "ca_file": self.ca_file,
            "timeout_s": 10.0,
        } | other

    def client(self, jid: str, resource: str = "phone", password: str = PASSWORD) -> Client:
        """A customer's client, logged in."""
        return Client(self.port, jid, resource, password)

    def _owned(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        shutil.chown(path, "prosody")


class Client:
    """A plain client that blocks: what it sends is XML as written in the test, what comes is kept until expected."""

    def __init__(self, port: int, jid: str, resource: str, password: str) -> None:
        self.bare = jid
        self.jid = f"{jid}/{resource}"
        self._numbers = itertools.count(1)
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
        # Small stanzas go out at once: the server waits for more as long as we would.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        user, _, host = jid.partition("@")
        self._open(host)
        proof = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
        self.send(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{proof}</auth>")
        answer = self._next()
        assert answer.tag.endswith("success"), ET.tostring(answer)
        self._open(host)
        self.ask(f"<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>{resource}</resource></bind>", kind="set")
        self.kept: list[ET.Element] = []

    def online(self, inner: str = "") -> Client:
        """Say that we are there."""
        self.send(f"<presence id='here'>{inner}</presence>")
        self.expect("presence", lambda e: e.get("from") == self.jid)
        return self

    def say(self, to: str, text: str, *, id: str | None = None, kind: str = "chat", more: str = "") -> str:
        """Write to somebody; the message's id."""
        id = id or f"message-number-{next(self._numbers):06}-of-{self.bare}"
        text = text.replace("&", "&amp;").replace("<", "&lt;")
        body = f"<body>{text}</body>" if text else ""
        self.send(f"<message to='{to}' type='{kind}' id='{id}'>{body}{more}</message>")
        self.settle()
        return id

    def settle(self) -> None:
        """Return when the server has taken all that was sent (RFC 6120, 10.1: in order)."""
        self.ask("<ping xmlns='urn:xmpp:ping'/>")

    def ask(self, inner: str, *, kind: str = "get", to: str = "") -> ET.Element:
        """A question and its answer."""
        id = f"ask{next(self._numbers)}"
        self.send(f"<iq type='{kind}' id='{id}'{f' to={to!r}' if to else ''}>{inner}</iq>")
        return self.expect("iq", lambda e: e.get("id") == id)

    def join(self, room: str, nick: str, inner: str = "") -> None:
        """Enter a room; a new one is opened with the defaults."""
        x = f"<x xmlns='http://jabber.org/protocol/muc'>{inner}</x>"
        self.send(f"<presence to='{room}/{nick}'>{x}</presence>")
        self.expect("presence", lambda e: e.get("from") == f"{room}/{nick}")
        self.ask("<query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'/></query>", kind="set", to=room)  # fmt: skip

    def configure(self, room: str, **fields: str) -> None:
        """Change a room that is ours: `roomsecret="x"` is the field muc#roomconfig_roomsecret."""
        form = "".join(f"<field var='muc#roomconfig_{k}'><value>{v}</value></field>" for k, v in fields.items())
        kind = "<field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#roomconfig</value></field>"
        answer = self.ask(f"<query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'>{kind}{form}</x></query>", kind="set", to=room)  # fmt: skip
        assert answer.get("type") == "result", ET.tostring(answer)

    def send(self, xml: str) -> None:
        """These bytes."""
        self._socket.sendall(xml.encode())

    def expect(self, tag: str, condition: Any = lambda e: True, seconds: float = PATIENCE_S) -> ET.Element:
        """The next stanza `tag` that fits, now or soon; others are kept for later."""
        for number, element in enumerate(getattr(self, "kept", ())):
            if _fits(element, tag, condition):
                return self.kept.pop(number)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            element = self._next()
            if _fits(element, tag, condition):
                return element
            if hasattr(self, "kept"):
                self.kept.append(element)
        pytest.fail(f"waited in vain for <{tag}>; there were {[ET.tostring(e) for e in self.kept]}")

    def message(self, inner: str = "{jabber:client}body") -> ET.Element:
        """The next message with this element."""
        return self.expect("message", lambda e: e.find(inner) is not None)

    def close(self) -> None:
        """Go away without a word."""
        self._socket.close()

    def _open(self, host: str) -> None:
        self._parser = ET.XMLPullParser(("start", "end"))
        self._depth = 0
        self.send(
            f"<?xml version='1.0'?><stream:stream to='{host}' xmlns='jabber:client' "
            "xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>"
        )
        self._next()  # its features

    def _next(self) -> ET.Element:
        while True:
            for event, element in self._parser.read_events():
                self._depth += 1 if event == "start" else -1
                if event == "end" and self._depth == 1:
                    return element
            data = self._socket.recv(65536)
            if not data:
                raise ConnectionError("the server hung up")
            self._parser.feed(data)


def _fits(element: ET.Element, tag: str, condition: Any) -> bool:
    return element.tag == f"{{jabber:client}}{tag}" and bool(condition(element))


def _escaped(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]", lambda m: f"%{ord(m[0]):02x}", name)
