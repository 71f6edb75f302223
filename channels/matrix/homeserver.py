"""One homeserver and our account on it: logging in, asking, and what its refusals mean.

Endpoints and errors are those of the Matrix Client-Server API, version 1.11 and later
("Standard error response", "Login", "Content repository").
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from channels.kit.http import PATIENCE_S, Answer, Http, retry_after, segment, usual_words
from channels.kit.secrets import Secret
from channels.matrix.settings import Settings
from desk.channel import AuthRequired, ChannelError, Permanent, Phase, RateLimited, Retry

CLIENT = "/_matrix/client/v3"

MESSAGES = "messages"
"""The bucket of what goes out; every server has limits of its own, and says so when they are reached."""

_FAILURES = tuple(status for status in range(400, 600) if status not in (401, 429))

_SILENT_S = 600.0
"""How long another server that did not answer is not asked for files."""


class Url(NamedTuple):
    """The address of a file: mxc://server/media."""

    server: str
    media: str


class Homeserver:
    """What our account may ask. `device` is the name of its session: what is sent twice under it counts once."""

    def __init__(self, settings: Settings, device: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings, self._device, self._clock = settings, device, clock
        self._silent: dict[str, float] = {}
        self._http = Http(settings, login=dict, words=usual_words, judge=self._judge)
        self._access: Secret | None = None
        self._entering = asyncio.Lock()

    @property
    def host(self) -> str:
        """Its name, for what is said to people."""
        return self._http.host

    async def ask(self, method: str, path: str, *, limit: int = 64 * 1024 * 1024, **more: Any) -> Answer:
        """One request as ourselves; with a password, a session that was ended is begun anew."""
        access = await self._enter()
        proof = {"Authorization": f"Bearer {access.reveal()}", **(more.pop("headers", None) or {})}
        try:
            return await self._http.ask(method, path, limit=limit, headers=proof, **more)
        except AuthRequired:
            if self._access is access:
                # Another one may be in its place by now.
                self._access = None
            if not self._settings.login.given:
                raise
        access = await self._enter()
        proof = {**proof, "Authorization": f"Bearer {access.reveal()}"}
        return await self._http.ask(method, path, limit=limit, headers=proof, **more)

    async def get(self, path: str, params: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        """Ask for something; an object."""
        return (await self.ask("GET", CLIENT + path, params=params, **more)).fields

    async def post(self, path: str, body: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        """Have something done; an object."""
        return (await self.ask("POST", CLIENT + path, json=body or {}, **more)).fields

    async def found(self, path: str) -> dict[str, Any]:
        """Ask for something that need not be there, or not for us; nothing when it is not."""
        answer = await self.ask("GET", CLIENT + path, accept=(403, 404))
        return answer.fields if answer.status == 200 else {}

    async def state(self, room: str, kind: str, key: str = "") -> dict[str, Any]:
        """The content of a room's state."""
        return await self.found(f"/rooms/{segment(room)}/state/{segment(kind)}/{segment(key)}")

    async def event(self, room: str, event: str) -> dict[str, Any]:
        """An event of a room; nothing when it cannot be had, whatever the reason: anybody can name any event."""
        path = f"{CLIENT}/rooms/{segment(room)}/event/{segment(event)}"
        answer = await self.ask("GET", path, accept=_FAILURES)
        return answer.fields if answer.status == 200 else {}

    async def versions(self) -> list[str]:
        """What it speaks; `Permanent` when that is not Matrix."""
        answer = await self._http.ask("GET", "/_matrix/client/versions", accept=_FAILURES)
        if answer.status >= 500:
            raise Retry(f"{self.host} says: {usual_words(answer) or f'status {answer.status}'}")
        try:
            said = answer.fields.get("versions") if answer.status == 200 else None
        except Retry:
            said = None
        if isinstance(said, list):
            return [str(version) for version in said]
        raise Permanent(f"{self.host} is no Matrix homeserver{await self._elsewhere()}: mend the url of this account")

    async def _elsewhere(self) -> str:
        """Where the homeserver is, if this is the site of its domain ("Server Discovery")."""
        try:
            said = (await self._http.ask("GET", "/.well-known/matrix/client", accept=_FAILURES)).fields
        except ChannelError:
            return ""
        place = said.get("m.homeserver")
        found = place.get("base_url") if isinstance(place, dict) else None
        return f", it names {found[:200]} as one" if isinstance(found, str) else ""

    async def send(
        self, room: str, kind: str, content: Mapping[str, Any], key: str, phase: Phase | None = None
    ) -> Answer:
        """Put an event into a room; the same `key` twice is one event. An answer of 403 is handed back."""
        path = f"{CLIENT}/rooms/{segment(room)}/send/{segment(kind)}/{segment(key)}"
        return await self.ask(
            "PUT", path, json=content, bucket=MESSAGES, phase=phase, idempotent=True, accept=(403,)
        )  # fmt: skip

    async def upload(self, name: str, content_type: str, data: bytes) -> str:
        """Put a file on it; its address."""
        answer = await self.ask(
            "POST", "/_matrix/media/v3/upload", params={"filename": name}, content=data,
            headers={"Content-Type": content_type or "application/octet-stream"},
        )  # fmt: skip
        uri = answer.fields.get("content_uri")
        if not isinstance(uri, str) or media(uri) is None:
            raise Retry(f"{self.host} took {name} and did not say where it is")
        return uri

    async def upload_limit(self) -> int | None:
        """How many bytes it takes in one file, where it says so."""
        for path in ("/_matrix/client/v1/media/config", "/_matrix/media/v3/config"):
            answer = await self.ask("GET", path, accept=_FAILURES)
            if answer.status == 200:
                limit = answer.fields.get("m.upload.size")
                return limit if isinstance(limit, int) and limit > 0 else None
        return None

    async def download(self, url: Url, limit: int) -> bytes:
        """The bytes of a file; `Permanent` when it cannot be had.

        Servers before 1.11 have them at the older address, where newer ones keep only what is old.
        """
        if self._silent.get(url.server, 0.0) > self._clock():
            raise Permanent(f"{url.server} does not answer")
        place = f"download/{segment(url.server)}/{segment(url.media)}"
        for path in (f"/_matrix/client/v1/media/{place}", f"/_matrix/media/v3/{place}"):
            answer = await self.ask("GET", path, params={"timeout_ms": 10_000}, limit=limit, accept=_FAILURES)
            if answer.status == 200:
                return answer.data
            if _code(answer) not in ("M_UNRECOGNIZED", "M_NOT_FOUND", ""):
                break
        if answer.status in (502, 504):
            # One picture after the other on a server that is away would keep everybody waiting.
            self._silent[url.server] = self._clock() + _SILENT_S
        raise Permanent(usual_words(answer) or f"status {answer.status}")

    async def close(self) -> None:
        """Hang up."""
        await self._http.close()

    async def _enter(self) -> Secret:
        async with self._entering:
            if self._access is None:
                login = self._settings.login.given
                self._access = await (
                    self._log_in() if login else asyncio.to_thread(self._settings.secret, self._settings.user)
                )
            return self._access

    async def _log_in(self) -> Secret:
        user = self._settings.user
        password = await asyncio.to_thread(self._settings.login.resolve, user)
        wanted = {
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": user},
            "password": password.reveal(),
            # The same session each time: else every start left one behind, and keys were no longer the same.
            "device_id": self._device,
            "initial_device_display_name": "deskhand",
        }
        answer = await self._http.ask("POST", f"{CLIENT}/login", json=wanted, accept=(400, 403))
        token = answer.fields.get("access_token")
        if answer.status != 200 or not isinstance(token, str):
            said = usual_words(answer)
            raise AuthRequired(f"{self.host} does not let {user} in with that password ({said or 'no reason given'})")
        return Secret(token)

    def _judge(self, answer: Answer) -> ChannelError | None:
        code, user = _code(answer), self._settings.user
        said = usual_words(answer) or f"status {answer.status}"
        if code == "M_LIMIT_EXCEEDED" or answer.status == 429:
            pause = _field(answer, "retry_after_ms")
            told = pause / 1000 if isinstance(pause, int) and 0 <= pause < 86_400_000 else None
            return RateLimited(f"{self.host} asks for patience", retry_after(answer) or told or PATIENCE_S)
        if code in ("M_USER_DEACTIVATED", "M_USER_LOCKED", "M_USER_SUSPENDED"):
            return AuthRequired(f"{self.host} has shut the account {user} ({said}): ask who runs that server")
        if answer.status == 401:
            return AuthRequired(
                f"{self.host} does not take the access token of {user} ({said}): give this account a new one"
            )
        if code == "M_TOO_LARGE":
            return Permanent(f"it is larger than {self.host} takes ({said})")
        if answer.status in (404, 405) and code in ("", "M_UNRECOGNIZED"):
            return Permanent(
                f"{self.host} does not know what it was asked: is the url of this account a Matrix homeserver?"
            )
        return None


def media(uri: object) -> Url | None:
    """A file's address, taken apart; None for anything else ("Matrix Content (mxc://) URIs")."""
    if not isinstance(uri, str) or not uri.startswith("mxc://") or len(uri) > 1000:
        return None
    server, _, name = uri.removeprefix("mxc://").partition("/")
    plain = server and name and not set(name) - _MEDIA and not set(server) & set("/?#@%\\ ")
    return Url(server, name) if plain else None


_MEDIA = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


def _field(answer: Answer, name: str) -> object:
    try:
        found = answer.json
    except Retry:
        return None
    return found.get(name) if isinstance(found, dict) else None


def _code(answer: Answer) -> str:
    code = _field(answer, "errcode")
    return code if isinstance(code, str) else ""


def listed(value: object) -> Sequence[Any]:
    """A list, or an empty one where there is something else."""
    return value if isinstance(value, list) else ()


def mapped(value: object) -> Mapping[str, Any]:
    """An object, or an empty one where there is something else."""
    return value if isinstance(value, dict) else {}


__all__ = ["CLIENT", "MESSAGES", "Homeserver", "Url", "listed", "mapped", "media"]
