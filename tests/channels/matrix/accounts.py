"""Accounts on Synapse, and ways of reading and sending for the tests of Matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from channels.matrix import Matrix, Settings
from desk.channel import Inbound, Item, Outgoing, Sent
from desk.model import Attachment, Identity
from tests.servers.synapse import Person, Synapse

T = TypeVar("T", bound=Item)


def account(synapse: Synapse, person: Person, **other: Any) -> Settings:
    """The settings of somebody's account."""
    return Settings(**({"url": synapse.url, "user": person.id, "token": person.token, "timeout_s": 10.0} | other))


class Desk:
    """What a desk does with an account: keep what comes, go on behind its cursor, answer."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.channel = Matrix("support", settings)
        self.cursor: str | None = None
        self.phases: list[str] = []

    async def read(self) -> list[Item]:
        """Poll once."""
        found: list[Item] = []
        async for batch in self.channel.poll(self.cursor):
            found += batch.items
            self.cursor = batch.cursor
        return found

    async def heard(self) -> list[Inbound]:
        """Poll once; the messages."""
        return only(Inbound, await self.read())

    async def phase(self, name: str) -> None:
        """Keep how far a sending is."""
        self.phases.append(name)

    async def say(self, text: str, *, key: str = "deskhand-1-1", **more: Any) -> list[Sent]:
        """Answer."""
        parts = self.channel.render(draft(self.channel, text, **more))
        return [await self.channel.send(part, f"{key}-{n}", self.phase) for n, part in enumerate(parts)]

    async def restart(self) -> None:
        """As another process would go on."""
        await self.channel.close()
        self.channel = Matrix("support", self.settings)


def draft(channel: Matrix, text: str, to: Sequence[str] = (), **more: Any) -> Outgoing:
    """Something to say."""
    people = tuple(Identity("matrix", person, person[1:].partition(":")[0]) for person in to)
    return Outgoing(12, "deskhand.12.0123456789abcdef.7", 1_790_000_000_000, channel.addresses[0], people, text, **more)


def only(kind: type[T], items: Sequence[Item]) -> list[T]:
    """Those of a kind."""
    return [item for item in items if isinstance(item, kind)]


def picture(name: str = "photo.png", size: int = 1000, content_type: str = "image/png") -> tuple[Attachment, bytes]:
    """A file to send."""
    data = b"\x89PNG" + bytes(size - 4)
    return Attachment(name, content_type, size, "0" * 64), data
