"""An account on X, and what the tests ask of it."""

from __future__ import annotations

from typing import Any

from channels.x import X
from desk.channel import Batch, Inbound, Item, Outgoing, Sent
from desk.model import Attachment, Identity
from tests.channels.x.ground import ANN, settings
from tests.servers.x import XServer

US = Identity("x", "@desk", "@desk")


class Clock:
    """A clock that stands until it is moved, in milliseconds."""

    def __init__(self, at: int) -> None:
        self.at = at

    def __call__(self) -> int:
        return self.at


def account(server: XServer, clock: Clock | None = None, **more: Any) -> X:
    """The account, as another process would open it."""
    channel = X("social", settings(server, **more))
    if clock is not None:
        channel.spending._clock = channel.reading._clock = clock
    return channel


async def read(channel: X, cursor: str | None = None) -> list[Batch]:
    """One poll, confirmed as the relay does."""
    batches = []
    async for batch in channel.poll(cursor):
        await channel.confirm(batch)
        batches.append(batch)
    return batches


async def told(channel: X, cursor: str | None = None) -> tuple[list[Item], str | None]:
    """All items of one poll, and the cursor behind them."""
    batches = await read(channel, cursor)
    return [item for batch in batches for item in batch.items], batches[-1].cursor if batches else cursor


async def messages(channel: X, cursor: str | None = None) -> list[Inbound]:
    """The messages of one poll."""
    return [item for item in (await told(channel, cursor))[0] if isinstance(item, Inbound)]


def draft(text: str = "Hello", to: Identity = ANN, **more: Any) -> Outgoing:
    """An answer of the desk."""
    return Outgoing(12, "m@desk.test", 1_790_000_000_000, US, (to,), text, **more)


def attached(name: str, content_type: str, data: bytes) -> tuple[Attachment, bytes]:
    """A file of an answer."""
    return Attachment(name, content_type, len(data), "0" * 64), data


async def say(channel: X, answer: Outgoing) -> list[Sent]:
    """Send all parts of an answer."""

    async def phase(name: str) -> None:
        assert name == "data"

    return [await channel.send(part, f"key-{at}", phase) for at, part in enumerate(channel.render(answer))]
