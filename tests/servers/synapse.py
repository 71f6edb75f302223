"""A private Synapse: a Matrix homeserver for desk.test on SQLite, with people who write.

It lives in an environment of its own under build/, made by install.sh: what it needs besides
is much, and none of it is ours.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import shutil
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from tests.servers import Process, folder, free_port, missing

PYTHON = Path(__file__).resolve().parents[2] / "build" / "servers" / "synapse" / "bin" / "python"

DOMAIN, SECRET = "desk.test", "registration for tests"

PLENTY = {"per_second": 10_000, "burst_count": 10_000}

CLIENT = "/_matrix/client/v3"


def segment(text: str) -> str:
    """Something as one segment of a path."""
    return quote(text, safe="")


class Refused(Exception):
    """The server said no."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(f"{status} {words}")
        self.status = status


class Synapse:
    """A running homeserver."""

    def __init__(self) -> None:
        if not PYTHON.exists():
            missing("synapse", "it is not set up; run tests/servers/install.sh")
        self.dir = folder("synapse", quick=True)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._numbers = itertools.count(1)
        (self.dir / "homeserver.yaml").write_text(json.dumps(self._config()))
        (self.dir / "log.yaml").write_text(json.dumps({"version": 1, "root": {"level": "WARNING"}}))
        (self.dir / "signing.key").write_text("ed25519 a_test Dfi1ykAnbu5ZZWTmiKHrxqkYFsBdsz7rgDgDRPHzMx8\n")
        self._process: Process | None = None
        self.start()
        self.admin = self.person("admin", admin=True)

    def _config(self) -> dict[str, Any]:
        """What JSON says is YAML too."""
        rooms = {"rc_joins": {"local": PLENTY, "remote": PLENTY}, "rc_invites": {"per_room": PLENTY, "per_user": PLENTY, "per_issuer": PLENTY}}  # fmt: skip
        logins = {"rc_login": {"address": PLENTY, "account": PLENTY, "failed_attempts": PLENTY}}
        rest = ("rc_message", "rc_registration", "rc_admin_redaction", "rc_joins_per_room", "rc_room_creation", "rc_media_create")  # fmt: skip
        return {
            "server_name": DOMAIN,
            "public_baseurl": self.url,
            "pid_file": str(self.dir / "pid"),
            "listeners": [
                {
                    "port": self.port,
                    "type": "http",
                    "bind_addresses": ["127.0.0.1"],
                    "resources": [{"names": ["client", "media"]}],
                }
            ],
            "database": {"name": "sqlite3", "args": {"database": str(self.dir / "homeserver.db")}},
            "media_store_path": str(self.dir / "media"),
            "signing_key_path": str(self.dir / "signing.key"),
            "registration_shared_secret": SECRET,
            "bcrypt_rounds": 4,
            "report_stats": False,
            "presence": {"enabled": False},
            "trusted_key_servers": [],
            "federation_domain_whitelist": [],
            "max_upload_size": "2M",
            "enable_authenticated_media": True,
            "forget_rooms_on_leave": False,
            # What nobody asks for here would cost as much as what is tested.
            "stats": {"enabled": False},
            "user_directory": {"enabled": False},
            "push": {"enabled": False},
            "log_config": str(self.dir / "log.yaml"),
            **rooms,
            **logins,
            **dict.fromkeys(rest, PLENTY),
        }

    def start(self) -> None:
        """Begin, or begin again where it was stopped."""
        command = [str(PYTHON), "-m", "synapse.app.homeserver", "--config-path", str(self.dir / "homeserver.yaml")]
        self._process = Process("synapse", command, self.port, self.dir / "log")

    def halt(self) -> None:
        """End it; it keeps what it has."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def stop(self) -> None:
        """End it and remove its folder."""
        self.halt()
        shutil.rmtree(self.dir, ignore_errors=True)

    def person(self, name: str, *, admin: bool = False) -> Person:
        """Somebody with an account, whose name begins with `name`."""
        name = name if admin else f"{name}{next(self._numbers)}"
        nobody = Person(self.url, "", "")
        nonce = nobody.ask("GET", "/_synapse/admin/v1/register")["nonce"]
        said = "\x00".join((nonce, name, "secret", "admin" if admin else "notadmin"))
        mac = hmac.new(SECRET.encode(), said.encode(), hashlib.sha1).hexdigest()
        wanted = {"nonce": nonce, "username": name, "password": "secret", "admin": admin, "mac": mac}
        made = nobody.ask("POST", "/_synapse/admin/v1/register", wanted)
        return Person(self.url, made["user_id"], made["access_token"])

    def slow(self, person: Person, a_second: int, burst: int) -> None:
        """Let somebody say only so much."""
        path = f"/_synapse/admin/v1/users/{segment(person.id)}/override_ratelimit"
        self.admin.ask("POST", path, {"messages_per_second": a_second, "burst_count": burst})


class Person:
    """Somebody with an account, and what they do with it."""

    def __init__(self, url: str, id: str, token: str) -> None:
        self._url, self.id, self.token = url, id, token
        self._numbers = itertools.count(1)

    def ask(self, method: str, path: str, body: Any = None, **params: str) -> Any:
        """One request, as JSON."""
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        address = self._url + path + (f"?{urlencode(params)}" if params else "")
        request = urllib.request.Request(address, data, {"Authorization": f"Bearer {self.token}"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise Refused(error.code, error.read().decode()) from None

    def opens(self, *guests: str, public: bool = False, direct: bool = False, **more: Any) -> str:
        """Open a room; its id."""
        preset = "public_chat" if public else "private_chat"
        wanted = {"preset": preset, "invite": list(guests), "is_direct": direct, **more}
        return str(self.ask("POST", f"{CLIENT}/createRoom", wanted)["room_id"])

    def does(self, room: str, what: str, body: Mapping[str, Any] | None = None) -> Any:
        """join, leave, invite, kick, ban, unban."""
        return self.ask("POST", f"{CLIENT}/rooms/{segment(room)}/{what}", body or {})

    def says(self, room: str, text: str, **more: Any) -> str:
        """Write a message; its event id."""
        return self.sends(room, "m.room.message", {"msgtype": "m.text", "body": text, **more})

    def sends(self, room: str, kind: str, content: Mapping[str, Any]) -> str:
        """Send an event of any kind; its id."""
        path = f"{CLIENT}/rooms/{segment(room)}/send/{kind}/{next(self._numbers)}"
        return str(self.ask("PUT", path, content)["event_id"])

    def sets(self, room: str, kind: str, content: Mapping[str, Any], key: str = "") -> str:
        """Send a state event; its id."""
        return str(self.ask("PUT", f"{CLIENT}/rooms/{segment(room)}/state/{kind}/{segment(key)}", content)["event_id"])

    def redacts(self, room: str, event: str) -> str:
        """Take an event back."""
        path = f"{CLIENT}/rooms/{segment(room)}/redact/{segment(event)}/{next(self._numbers)}"
        return str(self.ask("PUT", path, {})["event_id"])

    def uploads(self, data: bytes, name: str) -> str:
        """Put a file on the server; its address."""
        return str(self.ask("POST", "/_matrix/media/v3/upload", data, filename=name)["content_uri"])

    def reads(self, room: str, event: str) -> None:
        """Say that one has read up to an event."""
        self.ask("POST", f"{CLIENT}/rooms/{segment(room)}/receipt/m.read/{segment(event)}", {})

    def types(self, room: str, typing: bool = True) -> None:
        """Say that one is writing."""
        path = f"{CLIENT}/rooms/{segment(room)}/typing/{segment(self.id)}"
        self.ask("PUT", path, {"typing": typing, "timeout": 30_000} if typing else {"typing": False})

    def sees(self, room: str) -> list[dict[str, Any]]:
        """What was said in a room, oldest first."""
        path = f"{CLIENT}/rooms/{segment(room)}/messages"
        found = self.ask("GET", path, dir="b", limit="100")["chunk"]
        return [event for event in reversed(found) if event["type"] == "m.room.message"]

    def invited(self) -> list[str]:
        """The rooms one may enter."""
        return [*self.ask("GET", f"{CLIENT}/sync", timeout="0").get("rooms", {}).get("invite", {})]
