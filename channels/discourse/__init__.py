"""A forum that runs on Discourse: topics and private messages, read and answered as one of its users.

Importing this costs next to nothing; the HTTP library is loaded by the first request.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from channels.discourse.forum import RATES, Forum
from channels.discourse.reading import Reading
from channels.discourse.settings import Settings
from channels.kit.fields import string, table
from desk.capabilities import Capabilities
from desk.channel import Batch, Outgoing, Part, Permanent, Phase, Sent
from desk.model import Identity


class Discourse:
    """One user of a forum: poller and sender."""

    def __init__(self, name: str, settings: Settings) -> None:
        self.name = name
        self._settings = settings
        self._forum = Forum(settings)
        self._reading = Reading(self._forum)

    @property
    def capabilities(self) -> Capabilities:
        """What a post can carry."""
        return Capabilities(
            kinds=("discourse",),
            subject=True,
            threads=True,
            markup="markdown",
            text_limit=self._settings.characters,
            splits=True,
            attachment_limit_bytes=self._settings.file_limit,
            attachment_count=10,
            public=True,
            private=True,
            may_start=True,
            edits=True,
            deletes=True,
            reactions=True,
            rates=RATES,
        )

    @property
    def addresses(self) -> Sequence[Identity]:
        """The user whose key we have."""
        return (self._reading.own,)

    def poll(self, cursor: str | None) -> AsyncIterator[Batch]:
        """Everything after `cursor`."""
        self._forum.http.settled()
        return self._reading.poll(cursor)

    async def confirm(self, batch: Batch) -> None:
        """Nobody to tell: a forum keeps what it shows."""
        self._forum.http.settled()

    def render(self, draft: Outgoing) -> Sequence[Part]:
        """The posts that `draft` becomes."""
        from channels.discourse.posting import render

        return render(draft, self.capabilities)

    async def send(self, part: Part, key: str, phase: Phase) -> Sent:
        """Make the post. `key` is not needed: what was lost is looked for on the forum."""
        from channels.discourse.posting import send

        return await send(self._forum, part, phase)

    async def archive(self, part: Part) -> None:
        """The forum shows what we sent."""

    async def check(self) -> Sequence[str]:
        """Log in, look at topics and inboxes, and say what was found."""
        from channels.kit.http import segment

        settings, forum = self._settings, self._forum
        answer = await forum.get(f"/u/{segment(settings.user)}.json", accept=(404,))
        if answer.status == 404:
            raise Permanent(f'the forum has no user "{settings.user}": mend user')
        user = table(answer.fields, "user")
        found = [f"{forum.http.host} knows the key of {string(user, 'username') or settings.user}"]
        if settings.public:
            await self._reading.check_categories()
            found.append(f"the page of the newest posts has {len(await forum.latest())}")
        for group in ("", *settings.groups):
            whose = f"the group {group}" if group else settings.user
            found.append(f"the inbox of {whose} has {len(await forum.inbox(group, 0))} conversations on its first page")
        return found

    async def close(self) -> None:
        """Hang up."""
        await self._forum.close()


def open(name: str, settings: Settings) -> Discourse:
    """The account `name`, not yet connected."""
    return Discourse(name, settings)


__all__ = ["Discourse", "Settings", "open"]
