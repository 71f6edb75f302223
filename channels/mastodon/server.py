"""The server's API: what is asked of it, what it grants, and what its refusals mean.

Sources: docs.joinmastodon.org ("Rate limits": 300 requests in 5 minutes, 30 uploads in 30; "Instance":
configuration; "statuses API methods": visibility, Idempotency-Key; "notifications API methods").
"""

from __future__ import annotations

import asyncio
import email.utils
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from msgspec import Struct

from channels.kit.fields import moment, number, string, table
from channels.kit.http import Answer, Http, segment, usual_words
from channels.mastodon.settings import Settings
from desk.capabilities import Rate
from desk.channel import AuthRequired, ChannelError, Permanent, RateLimited, Retry
from desk.model import Identity

RATES = (Rate("requests", 300, 300.0), Rate("uploads", 30, 1_800.0))

PATIENCE_S = 300.0
"""How long a server is left alone that says "too many" and not until when."""

PROCESSING_S = (0.5, 1, 2, 4, 8, 15, 30)
"""The pauses in which a file is asked for while the server works on it."""

Fields = Mapping[str, Any]
"""Something out of an answer; whatever stands in it may be missing or of another type."""


class Limits(Struct, frozen=True):
    """What the server says of itself (`/api/v2/instance`, configuration); None where it does not."""

    characters: int | None = None
    files: int | None = None
    types: tuple[str, ...] = ()
    picture: int | None = None
    film: int | None = None


class Self(Struct, frozen=True):
    """Our account there: its number, its name, and where the server keeps its files."""

    number: str
    name: str
    files: str


class Server:
    """One account's way to its server."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.http = Http(settings, rates=RATES, words=usual_words, judge=_judge)
        self._self: Self | None = None
        self._limits: Limits | None = None

    async def get(self, path: str, params: Mapping[str, Any] | None = None, accept: Sequence[int] = ()) -> Answer:
        """Ask for something."""
        answer = await self.http.get(path, params, bucket="requests", accept=accept)
        self.heed(answer)
        return answer

    def heed(self, answer: Answer) -> None:
        """Where the server says that nothing is left, ask nothing until it says there is."""
        if answer.headers.get("x-ratelimit-remaining") == "0" and (pause := _reset(answer)):
            self.http.buckets.shut("requests", pause)

    async def page(self, path: str, params: Mapping[str, Any]) -> tuple[list[Fields], dict[str, dict[str, str]]]:
        """A page of a list, and the parameters of those before and behind it (its Link header)."""
        answer = await self.get(path, params)
        found = answer.json
        rows: list[Fields] = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
        return rows, links(answer.headers.get("link", ""))

    async def me(self) -> Self:
        """Who the token belongs to; `AuthRequired` when that is not the account of the settings."""
        if self._self is None:
            found = (await self.get("/api/v1/accounts/verify_credentials")).fields
            name = string(found, "acct") or string(found, "username")
            if not name:
                raise Retry("the server does not say whose the token is: is the url right?")
            if name.lower() != self.settings.handle.partition("@")[0]:
                raise AuthRequired(
                    f"the token belongs to @{name}, not to @{self.settings.handle}: mend account or token"
                )
            self._self = Self(string(found, "id"), name, urlsplit(string(found, "avatar")).hostname or "")
        return self._self

    async def limits(self) -> Limits:
        """What the server grants, asked for once."""
        if self._limits is None:
            answer = await self.get("/api/v2/instance", accept=(404,))
            found = table(answer.fields, "configuration")
            posts, media = table(found, "statuses"), table(found, "media_attachments")
            types = media.get("supported_mime_types")
            self._limits = Limits(
                number(posts, "max_characters"),
                number(posts, "max_media_attachments"),
                tuple(one for one in types if isinstance(one, str)) if isinstance(types, list) else (),
                number(media, "image_size_limit"),
                number(media, "video_size_limit"),
            )
        return self._limits

    async def status(self, name: str) -> tuple[int, Fields]:
        """A post by its id, and the status: 404 when there is none for us, 410 when it is gone."""
        answer = await self.get(f"/api/v1/statuses/{segment(name)}", accept=(403, 404, 410))
        return answer.status, answer.fields if answer.status == 200 else {}

    async def upload(self, name: str, content_type: str, data: bytes) -> str:
        """Put a file there and wait until the server has made of it what it shows; its id."""
        await self.http.buckets.take("requests")
        answer = await self.http.ask(
            "POST", "/api/v2/media", form={"description": name}, files={"file": (name, data, content_type)},
            bucket="uploads", timeout_s=max(120.0, self.settings.timeout_s),
        )  # fmt: skip
        self.heed(answer)
        media = string(answer.fields, "id")
        if not media:
            raise Retry(f"the server took {name} and does not say as what")
        if answer.status == 202:
            await self._processed(name, media)
        return media

    async def _processed(self, name: str, media: str) -> None:
        for pause in PROCESSING_S:
            await asyncio.sleep(pause)
            if (await self.get(f"/api/v1/media/{segment(media)}")).status == 200:
                return
        raise Retry(f"the server is still working on {name}", 60.0)

    def identity(self, account: Fields) -> Identity | None:
        """Somebody; who lives on our server is named there without it."""
        name = string(account, "acct").lower()
        if not name:
            return None
        whole = name if "@" in name else f"{name}@{self.settings.place}"
        return Identity("mastodon", whole, string(account, "display_name") or string(account, "username") or name)

    @property
    def own(self) -> Identity:
        """The account of the settings."""
        return Identity("mastodon", self.settings.handle)

    async def close(self) -> None:
        """Hang up."""
        with suppress(Exception):
            await self.http.close()


def links(header: str) -> dict[str, dict[str, str]]:
    """The parameters that a Link header names, by relation; its addresses are not followed anywhere else."""
    found: dict[str, dict[str, str]] = {}
    for address, relation in re.findall(r'<([^<>]*)>\s*;\s*rel="(\w+)"', header):
        with suppress(ValueError):
            query = dict(parse_qsl(urlsplit(address).query))
            found[relation] = {k: v for k, v in query.items() if k in ("max_id", "min_id", "since_id")}
    return found


def _reset(answer: Answer) -> float | None:
    """Seconds until the server grants more, by its own clock."""
    until = moment({"at": answer.headers.get("x-ratelimit-reset", "")}, "at")
    try:
        now = email.utils.parsedate_to_datetime(answer.headers.get("date", "")).timestamp()
    except ValueError:
        return None
    return None if until is None else min(3_600.0, max(1.0, until / 1000 - now))


def _judge(answer: Answer) -> ChannelError | None:
    words = usual_words(answer) or f"status {answer.status}"
    match answer.status:
        case 429:
            return RateLimited(f"the server asks for patience: {words}", _reset(answer) or PATIENCE_S)
        case 403 if re.search(r"scope|disabled|suspended|confirm|approv|pending", words, re.I):
            return AuthRequired(f"the server says: {words}; look at the account, and at the application's scopes")
        case 410:
            return Permanent(f"the server says that it is gone: {words}")
    return None


__all__ = ["RATES", "Fields", "Limits", "Self", "Server", "links"]
