"""An account as the relay uses it, and drafts to send."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from channels.xmpp import Settings
from channels.xmpp.account import Account
from desk.channel import Inbound, Outgoing, Permanent, Sent, Told
from desk.model import Identity
from tests.servers.prosody import Client, Prosody

T = TypeVar("T")

SIGNED = "deskhand.12.0123456789abcdef.7@desk.test"


class Seat:
    """Reads with its cursor, confirms, and keeps what was told."""

    def __init__(self, server: Prosody, address: str, cursor: str | None = None, **settings: Any) -> None:
        self.account = Account("support", Settings(**server.settings(address, **settings)))
        self.cursor = cursor
        self.told: list[Told] = []
        self.troubles: list[str] = []

    async def read(self, *, confirm: bool = True) -> list[Told]:
        """What is new."""
        before = len(self.told)
        async for batch in self.account.poll(self.cursor):
            self.told += batch.items
            if confirm:
                self.cursor = batch.cursor
                try:
                    await self.account.confirm(batch)
                except Permanent as trouble:
                    self.troubles.append(str(trouble))
        return self.told[before:]

    async def texts(self) -> list[str]:
        """The texts of new messages."""
        return [item.text for item in await self.read() if isinstance(item, Inbound)]

    async def until(self, kind: type[T], fits: Callable[[T], bool] = lambda item: True) -> T:
        """The next item of a kind, as soon as it is told."""
        seen = 0
        while True:
            await self.read()
            for item in self.told[seen:]:
                if isinstance(item, kind) and fits(item):
                    del self.told[: self.told.index(item) + 1]
                    return item
            seen = len(self.told)
            await self.account.wait(5)

    async def send(self, to: str, text: str = "Hello", key: str = "deskhand-1-7", **draft: Any) -> Sent:
        """Send the first part of an answer."""
        part, *_ = self.account.render(answer(to, text, **draft))
        return await self.account.send(part, key, nothing)

    async def close(self) -> None:
        """Hang up."""
        await self.account.close()


def answer(to: str, text: str = "Hello", **more: Any) -> Outgoing:
    """A draft to somebody, or into a conversation."""
    ours = Identity("xmpp", "support@localhost", "Support")
    draft = Outgoing(12, SIGNED, time.time_ns() // 1_000_000, ours, (Identity("xmpp", to),), text)
    return msgspec.structs.replace(draft, **more)


async def nothing(phase: str) -> None:
    """Nobody notes the phase."""


async def hears(client: Client, inner: str = "{jabber:client}body") -> Any:
    """The next message of a client with this element, while our own loop goes on."""
    return await asyncio.to_thread(client.message, inner)
