"""A bot, its server, and what the tests ask of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from channels.telegram import Settings, Telegram
from desk.channel import Batch, Inbound, Item, Outgoing, Sent
from desk.model import Attachment, Identity
from tests.servers.telegram import TOKEN, TelegramServer

ANN = Identity("telegram", "1001", "Ann Lee")
US = Identity("telegram", "@desk_bot")
GROUP = {"id": -77, "type": "group", "title": "Users"}
FORUM = {"id": -1005, "type": "supergroup", "title": "Help", "is_forum": True, "username": "helpers"}


@pytest.fixture
def server() -> Iterator[TelegramServer]:
    """A Bot API of our own."""
    with TelegramServer() as running:
        yield running


def bot(server: TelegramServer, **more: Any) -> Telegram:
    """The account, as another process would open it."""
    return Telegram("support", Settings(**{"username": "desk_bot", "url": server.url, "token": TOKEN, **more}))


async def read(channel: Telegram, cursor: str | None = None) -> list[Batch]:
    """One poll, confirmed as the relay does."""
    batches = []
    async for batch in channel.poll(cursor):
        await channel.confirm(batch)
        batches.append(batch)
    return batches


async def told(channel: Telegram, cursor: str | None = None) -> list[Item]:
    """All items of one poll."""
    return [item for batch in await read(channel, cursor) for item in batch.items]


async def messages(channel: Telegram, cursor: str | None = None) -> list[Inbound]:
    """The messages of one poll."""
    return [item for item in await told(channel, cursor) if isinstance(item, Inbound)]


def draft(text: str = "Hello", conversation: str | None = "1001", to: Identity = ANN, **more: Any) -> Outgoing:
    """An answer of the desk."""
    return Outgoing(12, "m@desk.test", 1_790_000_000_000, US, (to,), text, conversation=conversation, **more)


def attached(name: str, content_type: str, data: bytes) -> tuple[Attachment, bytes]:
    """A file of an answer."""
    return Attachment(name, content_type, len(data), "0" * 64), data


async def say(channel: Telegram, answer: Outgoing) -> list[Sent]:
    """Send all parts of an answer."""
    phases: list[str] = []

    async def phase(name: str) -> None:
        phases.append(name)

    sent = [await channel.send(part, f"key-{at}", phase) for at, part in enumerate(channel.render(answer))]
    assert phases
    assert set(phases) == {"data"}
    return sent
