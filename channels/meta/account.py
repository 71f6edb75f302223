"""A Facebook page, or the Instagram account that is linked with one: conversations and comments."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

from channels.kit.fields import string
from channels.meta.graph import RATES, Graph
from channels.meta.network import Network
from channels.meta.reading import HUMAN_MS, WINDOW_MS, Reading
from channels.meta.settings import PageSettings
from channels.meta.writing import Writing, render
from desk.capabilities import Capabilities
from desk.channel import Batch, ChannelError, Outgoing, Part, Permanent, Phase, Sent
from desk.model import Identity


class Meta:
    """One page or account: poller and sender."""

    def __init__(self, name: str, settings: PageSettings, network: Network) -> None:
        self.name = name
        self._settings, self._network = settings, network
        self.graph = Graph(settings)
        self.reading = Reading(self.graph, network)
        self._writing = Writing(self.graph, network)

    @property
    def capabilities(self) -> Capabilities:
        """What a message can carry, and how long one may answer."""
        network, human = self._network, self._settings.human_agent
        return Capabilities(
            kinds=(network.kind,),
            threads=True,
            markup="plain",
            text_limit=network.text_limit,
            unit=network.unit,
            splits=True,
            attachment_limit_bytes=self._settings.file_limit,
            attachment_types=network.types,
            public=bool(self._settings.comments_s),
            private=bool(self._settings.comments_s),
            window_ms=HUMAN_MS if human else WINDOW_MS,
            live=True,
            rates=RATES,
        )

    @property
    def addresses(self) -> Sequence[Identity]:
        """The page, or the account."""
        return (Identity(self._network.kind, self._network.me),)

    def poll(self, cursor: str | None) -> AsyncIterator[Batch]:
        """Everything after `cursor`."""
        self.graph.http.settled()
        return self.reading.poll(cursor)

    async def confirm(self, batch: Batch) -> None:
        """Nobody to tell: Meta keeps what it shows."""
        self.graph.http.settled()

    def render(self, draft: Outgoing) -> Sequence[Part]:
        """The messages, or the comment, that `draft` becomes."""
        return render(draft, self.capabilities, self._network)

    async def send(self, part: Part, key: str, phase: Phase) -> Sent:
        """Send it. Meta takes no key: what was cut off stays unknown until it is seen there."""
        return await self._writing.send(part, phase)

    async def archive(self, part: Part) -> None:
        """The page's inbox shows what we sent."""

    async def attend(self, conversation: str, *, seen: str | None = None, typing: bool = False) -> None:
        """Show that an agent has read, or writes."""
        with suppress(ChannelError):
            if seen is not None:
                await self._writing.attend(conversation, "mark_seen")
            if typing:
                await self._writing.attend(conversation, "typing_on")

    async def check(self) -> Sequence[str]:
        """Ask whose token it is, and look at conversations and comments."""
        network, page = self._network, self._settings.page
        me = await self.graph.get("me", {"fields": "id,name"})
        if string(me, "id") != page:
            raise Permanent(
                f"the token belongs to {string(me, 'name') or 'something else'}, not to the page {page}: "
                "take the page's own token, not a person's"
            )
        found = [f"Meta knows the token of {string(me, 'name') or page}"]
        if network.me != page:
            account = await self.graph.get(network.me, {"fields": "id,username"})
            found.append(f"it reaches @{string(account, 'username')} on {network.name}")
        listed = await self.graph.get(
            f"{page}/conversations", {"platform": network.platform, "fields": "id", "limit": 1}
        )
        found.append("there are conversations" if listed.get("data") else "there are no conversations yet")
        if self._settings.comments_s:
            posts = await self.graph.get(network.posts_path, {"fields": "id", "limit": 1})
            found.append("there are posts to comment on" if posts.get("data") else "there are no posts yet")
        if self.graph.busy:
            found.append(f"{self.graph.busy:.0f} of 100 parts of what Meta grants are used up")
        return found

    async def close(self) -> None:
        """Hang up."""
        await self.graph.close()


__all__ = ["Meta"]
