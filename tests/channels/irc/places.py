"""Accounts on IRC servers, and what is read from them."""

from __future__ import annotations

import time
from typing import Any

from channels.irc import Irc, Settings
from desk.channel import Inbound, Item, Outgoing, Part
from desk.model import Identity

CUSTOMER = Identity("irc", "~ann@net", "ann")


class Clock:
    """Seconds since 1970 as a test says."""

    def __init__(self, at: float | None = None) -> None:
        self.at = time.time() if at is None else at

    def __call__(self) -> float:
        return self.at


def account(port: int, clock: Clock | None = None, **other: Any) -> Irc:
    """The desk in #help."""
    table: dict[str, Any] = {
        "host": "localhost", "port": port, "tls": "none", "nick": "desk", "rooms": ("#help",), "network": "net",
        "gather_s": 0.0, "timeout_s": 5.0,
    }  # fmt: skip
    return Irc("irc", Settings(**(table | other)), clock or time.time)


async def read(channel: Irc, cursor: str | None = None) -> tuple[list[Item], str]:
    """One poll, confirmed; the cursor behind it."""
    found: list[Item] = []
    after = cursor or ""
    async for batch in channel.poll(cursor):
        found += batch.items
        after = batch.cursor
        await channel.confirm(batch)
    return found, after


async def until(channel: Irc, count: int = 1) -> list[Item]:
    """Poll as the relay does until there are so many items."""
    found = (await read(channel))[0]
    while len(found) < count:
        await channel.wait(5.0)
        found += (await read(channel))[0]
    return found


def said(items: list[Item]) -> list[tuple[str, str]]:
    """Who said what."""
    return [(item.sender.value, item.text) for item in items if isinstance(item, Inbound) and item.sender]


def draft(text: str = "Have you tried it?", conversation: str | None = "#help ~ann@net", **other: Any) -> Outgoing:
    """An answer."""
    return Outgoing(7, "deskhand.7.x@desk.test", 1, Identity("irc", "desk@net"), (CUSTOMER,), text, conversation=conversation, **other)  # fmt: skip


class Phases(list[str]):
    """Notes the phases of a sending."""

    async def __call__(self, name: str) -> None:
        self.append(name)


def body(part: Part) -> list[str]:
    """The lines of a part."""
    import json

    return list(json.loads(part.data)["lines"])
