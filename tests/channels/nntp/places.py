"""Accounts on news servers, and what is read from them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from channels.nntp import Nntp, Settings, parse
from desk.channel import Inbound, Item, Outgoing, Raw, Removal
from desk.model import Identity

OUR_ID = "deskhand.7.0123456789abcdef.1@desk.test"


def account(port: int, clock: Callable[[], float] = time.time, **other: Any) -> Nntp:
    """The desk, reading test.help of the last week."""
    table: dict[str, Any] = {
        "host": "localhost", "port": port, "tls": "none", "address": "help@desk.test", "name": "Help", "groups": ("test.help",),
        "first_d": 7, "timeout_s": 10.0,
    }  # fmt: skip
    return Nntp("news", Settings(**(table | other)), clock)


async def read(channel: Nntp, cursor: str | None = None) -> tuple[list[Item], str]:
    """One poll, confirmed; the cursor behind it."""
    found: list[Item] = []
    after = cursor or ""
    async for batch in channel.poll(cursor):
        found += batch.items
        after = batch.cursor
        await channel.confirm(batch)
    return found, after


def names(items: list[Item]) -> list[str]:
    """The ids of articles."""
    return [item.external_id for item in items if isinstance(item, Raw)]


def removed(items: list[Item]) -> list[str]:
    """What was taken back."""
    return [item.target for item in items if isinstance(item, Removal)]


def parsed(items: list[Item]) -> list[Inbound]:
    """Articles, read."""
    return [parse(item) for item in items if isinstance(item, Raw)]


def draft(text: str = "Press the *other* button.", **other: Any) -> Outgoing:
    """An answer to <q@example.com>."""
    table: dict[str, Any] = {
        "ticket": 7, "message_id": OUR_ID, "at": round(time.time() * 1000), "sender": Identity("news", "help@desk.test", "Help"),
        "to": (Identity("news", "ann@example.com", "Ann"),), "text": text, "subject": "Re: Help", "references": ("q@example.com",),
        "conversation": "q@example.com", "answers": "q@example.com", "public": True,
    }  # fmt: skip
    return Outgoing(**(table | other))


class Phases(list[str]):
    """Notes the phases of a sending."""

    async def __call__(self, name: str) -> None:
        self.append(name)
