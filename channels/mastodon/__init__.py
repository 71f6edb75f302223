"""An account on Mastodon, or on another server that speaks its API: mentions, direct messages, words to watch.

Importing this costs next to nothing; the HTTP library is loaded by the first request.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from channels.mastodon.posting import Posting, render
from channels.mastodon.reading import Reading
from channels.mastodon.server import RATES, Server
from channels.mastodon.settings import Settings
from desk.capabilities import Capabilities
from desk.channel import Batch, Outgoing, Part, Phase, Sent
from desk.lengths import SHORTENED
from desk.model import Identity


class Mastodon:
    """One account: poller and sender."""

    def __init__(self, name: str, settings: Settings) -> None:
        self.name = name
        self._settings = settings
        self._server = Server(settings)
        self._reading = Reading(self._server)
        self._posting = Posting(self._server)

    @property
    def capabilities(self) -> Capabilities:
        """What a post can carry; the server's own limits for files are asked for as they go out."""
        return Capabilities(
            kinds=("mastodon",),
            threads=True,
            markup="plain",
            text_limit=self._settings.characters,
            unit=SHORTENED,
            splits=True,
            attachment_limit_bytes=self._settings.file_limit,
            attachment_count=4,
            attachment_types=("image/*", "video/*", "audio/*"),
            public=True,
            private=True,
            may_start=True,
            edits=True,
            deletes=True,
            reactions=self._settings.reactions,
            idempotent=True,
            rates=RATES,
        )

    @property
    def addresses(self) -> Sequence[Identity]:
        """The account of the settings."""
        return (self._server.own,)

    def poll(self, cursor: str | None) -> AsyncIterator[Batch]:
        """Everything after `cursor`."""
        self._server.http.settled()
        return self._reading.poll(cursor)

    async def confirm(self, batch: Batch) -> None:
        """Nobody to tell: what was read stays there."""
        self._server.http.settled()

    def render(self, draft: Outgoing) -> Sequence[Part]:
        """The posts that `draft` becomes."""
        return render(draft, self.capabilities)

    async def send(self, part: Part, key: str, phase: Phase) -> Sent:
        """Post it; the same `key` posts it once."""
        return await self._posting.send(part, key, phase)

    async def archive(self, part: Part) -> None:
        """The server shows what we sent."""

    async def check(self) -> Sequence[str]:
        """Log in, read notifications and what is watched, and say what the server grants."""
        from channels.kit.http import segment

        server, settings = self._server, self._settings
        me = await server.me()
        found = [f"{server.http.host} knows the token of @{me.name}"]
        limits = await server.limits()
        if limits.characters is not None and limits.characters != settings.characters:
            found.append(f"a post may have {limits.characters:,} characters: set characters = {limits.characters}")
        page, _ = await server.page("/api/v1/notifications", {"limit": 1})
        found.append("there are notifications" if page else "there are no notifications yet")
        for tag in settings.hashtags:
            page, _ = await server.page(f"/api/v1/timelines/tag/{segment(tag.lstrip('#'))}", {"limit": 1})
            found.append(
                f"#{tag.lstrip('#')} has posts" if page else f"#{tag.lstrip('#')} has no posts that are known here"
            )
        for word in settings.keywords:
            answer = await server.get("/api/v2/search", {"q": word, "type": "statuses", "limit": 1})
            hits = answer.fields.get("statuses")
            found.append(
                f'a search for "{word}" finds posts'
                if hits
                else f'a search for "{word}" finds no post; not every server searches'
            )
        return found

    async def close(self) -> None:
        """Hang up."""
        await self._server.close()


def open(name: str, settings: Settings) -> Mastodon:
    """The account `name`, not yet connected."""
    return Mastodon(name, settings)


__all__ = ["Mastodon", "Settings", "open"]
