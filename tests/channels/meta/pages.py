"""A page and an Instagram account, and what the tests ask of them."""

from __future__ import annotations

from typing import Any

from channels.meta import facebook, instagram
from channels.meta.account import Meta
from desk.channel import Inbound, Item, Outgoing, Sent
from desk.model import Attachment, Identity
from tests.servers.meta import ACCOUNT, PAGE, TOKEN, MetaServer

ANN = Identity("facebook", "3001", "Ann Lee")
ANN_THERE = Identity("instagram", "4001", "@ann")


def page(server: MetaServer, **more: Any) -> Meta:
    """The page, as another process would open it."""
    return facebook.open("page", facebook.Settings(**{"page": PAGE, "url": server.url, "token": TOKEN, **more}))


def account(server: MetaServer, **more: Any) -> Meta:
    """The Instagram account that is linked with it."""
    given = {"page": PAGE, "account": ACCOUNT, "url": server.url, "token": TOKEN, **more}
    return instagram.open("insta", instagram.Settings(**given))


async def told(channel: Meta, cursor: str | None = None) -> tuple[list[Item], str | None]:
    """All items of one poll, and the cursor behind them."""
    items: list[Item] = []
    async for batch in channel.poll(cursor):
        await channel.confirm(batch)
        items += batch.items
        cursor = batch.cursor
    return items, cursor


async def messages(channel: Meta, cursor: str | None = None) -> list[Inbound]:
    """The messages of one poll."""
    return [item for item in (await told(channel, cursor))[0] if isinstance(item, Inbound)]


def draft(text: str = "Hello", to: Identity = ANN, conversation: str | None = "chat", **more: Any) -> Outgoing:
    """An answer of the desk."""
    conversation = f"chat/{to.value}" if conversation == "chat" else conversation
    ours = Identity(to.kind, PAGE)
    return Outgoing(12, "m@desk.test", 1_790_000_000_000, ours, (to,), text, conversation=conversation, **more)


def attached(name: str, content_type: str, data: bytes) -> tuple[Attachment, bytes]:
    """A file of an answer."""
    return Attachment(name, content_type, len(data), "0" * 64), data


async def say(channel: Meta, answer: Outgoing) -> list[Sent]:
    """Send all parts of an answer."""

    async def phase(name: str) -> None:
        assert name == "data"

    return [await channel.send(part, f"key-{at}", phase) for at, part in enumerate(channel.render(answer))]
