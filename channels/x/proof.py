"""How a request proves whose it is: a token, one that is refreshed, or a signature.

Sources: docs.x.com, "OAuth 2.0 Authorization Code Flow with PKCE" (tokens last two hours; each refresh
gives another refresh token and ends the old one; confidential clients prove themselves with Basic) and
"OAuth 1.0a User Context" (RFC 5849, HMAC-SHA1; bodies in JSON and with files are not signed).
"""

from __future__ import annotations

import asyncio
import base64
import fcntl
import hashlib
import hmac
import json
import os
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from msgspec import Struct

from channels.kit.fields import number, string
from channels.kit.secrets import Secret, from_file
from channels.x.settings import OAUTH1, Settings
from desk.channel import AuthRequired, Permanent, Retry

if TYPE_CHECKING:
    from channels.kit.http import Http

EARLY_S = 120.0
"""A token is refreshed so long before it ends."""


class Proof:
    """What proves that requests are those of the account."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self._settings, self._clock = settings, clock
        self._given: Secret | None = None
        self._refused = ""
        self._kept: Kept | None = None
        self._turn = asyncio.Lock()

    async def headers(self, http: Http, method: str, url: str, params: Mapping[str, Any]) -> dict[str, str]:
        """The header for a request."""
        if self._given is None:
            self._given = await asyncio.to_thread(self._settings.secret, self._settings.user)
        if self._settings.login == OAUTH1:
            return {"Authorization": signed(self._given, method, url, params, self._clock())}
        if not self._settings.client_id:
            return {"Authorization": f"Bearer {self._given.reveal()}"}
        async with self._turn:
            return {"Authorization": f"Bearer {(await self._fresh(http, self._given)).reveal()}"}

    def refused(self) -> None:
        """X does not know what was proven with: look for something newer."""
        if self._kept is not None:
            self._refused = self._kept.access.reveal()
        self._given = None

    async def _fresh(self, http: Http, given: Secret) -> Secret:
        """An access token that lasts, refreshed by us or by another process that uses the same file."""
        if self._kept is None or not self._lasts(self._kept):
            if not self._settings.keep_file:
                raise AuthRequired("a refresh token needs a place for those that follow it: set keep_file")
            path = Path(self._settings.keep_file).expanduser()
            async with _alone(path):
                first, _, client = given.reveal().partition(" ")
                seed = hashlib.sha256(first.encode()).hexdigest()[:32]
                kept = Kept.read(path, seed)
                if kept is None or not self._lasts(kept):
                    kept = await self._refreshed(http, kept.refresh.reveal() if kept else first, client.strip())
                    kept.write(path, seed)
                self._kept = kept
        return self._kept.access

    def _lasts(self, kept: Kept) -> bool:
        return kept.until > self._clock() + EARLY_S and kept.access.reveal() != self._refused

    async def _refreshed(self, http: Http, refresh: str, client_secret: str) -> Kept:
        client = self._settings.client_id
        form = {"grant_type": "refresh_token", "refresh_token": refresh, "client_id": client}
        proof = base64.b64encode(f"{quote(client, safe='')}:{quote(client_secret, safe='')}".encode()).decode()
        headers = {"Authorization": f"Basic {proof}"} if client_secret else {}
        try:
            found = (await http.ask("POST", "/2/oauth2/token", form=form, headers=headers)).fields
        except (AuthRequired, Permanent) as error:
            raise AuthRequired(
                f"X gives no new token ({error}): let the app be authorized again and set the refresh token"
            ) from None
        access = string(found, "access_token")
        if not access:
            raise Retry("X answered with something else than a token")
        until = int(self._clock()) + (number(found, "expires_in") or 7_200)
        return Kept(Secret(string(found, "refresh_token") or refresh), Secret(access), until)


class Kept(Struct):
    """What the last refresh gave."""

    refresh: Secret
    access: Secret
    until: int

    @classmethod
    def read(cls, path: Path, seed: str) -> Kept | None:
        """What is kept at `path` of the token whose digest is `seed`; None for another one's."""
        if not path.exists():
            return None
        try:
            found = json.loads(from_file(path, "keep_file").reveal())
        except ValueError:
            return None
        if not isinstance(found, dict) or string(found, "seed") != seed or not string(found, "refresh"):
            return None
        return cls(Secret(string(found, "refresh")), Secret(string(found, "access")), number(found, "until") or 0)

    def write(self, path: Path, seed: str) -> None:
        """Keep it, whole or not at all, for nobody else to read."""
        told = {
            "seed": seed, "refresh": self.refresh.reveal(), "access": self.access.reveal(), "until": self.until
        }  # fmt: skip
        beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        try:
            with os.fdopen(os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
                file.write(json.dumps(told) + "\n")
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        except OSError as error:
            beside.unlink(missing_ok=True)
            raise AuthRequired(f"keep_file: {path}: {error.strerror}") from None


@asynccontextmanager
async def _alone(path: Path) -> AsyncIterator[None]:
    """Only one process refreshes at a time: the second would show a token that the first has used up."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(path.with_name(f".{path.name}.lock"), os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as error:
        raise AuthRequired(f"keep_file: {path}: {error.strerror}") from None
    try:
        await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def signed(given: Secret, method: str, url: str, params: Mapping[str, Any], at: float, nonce: str = "") -> str:
    """The header of a signed request: app's key and secret, then the account's, are the words of `given`."""
    words = given.reveal().split()
    if len(words) != 4:
        raise AuthRequired("oauth1 needs four words in the token's line: API key, its secret, access token, its secret")
    key, key_secret, token, token_secret = words
    oauth = {
        "oauth_consumer_key": key,
        "oauth_nonce": nonce or secrets.token_hex(16),
        "oauth_signature_method": "HMAC-SHA1",
        "oauth_timestamp": str(int(at)),
        "oauth_token": token,
        "oauth_version": "1.0",
    }
    pairs = sorted((_written(name), _written(value)) for name, value in (*oauth.items(), *params.items()))
    base = "&".join((method.upper(), _written(url), _written("&".join(f"{name}={value}" for name, value in pairs))))
    digest = hmac.new(f"{_written(key_secret)}&{_written(token_secret)}".encode(), base.encode(), hashlib.sha1)
    oauth["oauth_signature"] = base64.b64encode(digest.digest()).decode()
    return "OAuth " + ", ".join(f'{name}="{_written(value)}"' for name, value in sorted(oauth.items()))


def _written(value: object) -> str:
    return quote(str(value), safe="-._~")


__all__ = ["Kept", "Proof", "signed"]
