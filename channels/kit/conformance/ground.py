"""The ground a channel is proven on, and what checks are made of."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec

import channels
from desk.channel import Batch, Channel, Inbound, Outgoing, Poller, Raw, Sender
from desk.model import Identity


class Broken(AssertionError):
    """The channel does not hold what every channel has to; the message says what."""


class NotHere(Exception):
    """The check is about something that this kind of channel, or its ground, has not."""


class Ground(msgspec.Struct):
    """One account of a kind, on something real.

    - `settings` are its table, read. `news` makes something to read, new ones each time.
    - `customer` is who may be written to, in `conversation` where the kind needs one.
    - `secret` is the password or token in the settings: it must turn up nowhere.

    What a ground can do besides lets more be checked:

    - `cut`: the next thing sent breaks off in the middle;
    - `revoke`: from now on the credentials are refused;
    - `expire`: from now on the customer may not be answered freely.
    """

    kind: str
    settings: Any
    news: Callable[[], object]
    customer: Identity = Identity("email", "ann@desk.test", "Ann")
    conversation: str | None = None
    secret: str = ""
    cut: Callable[[], object] | None = None
    revoke: Callable[[], object] | None = None
    expire: Callable[[], object] | None = None

    def open(self) -> Channel:
        """The account, as another process would open it."""
        return channels.load(self.kind).open("support", self.settings)


Check = Callable[[Ground], Awaitable[None]]
CHECKS: dict[str, Check] = {}
"""All checks by name."""


async def run(name: str, ground: Ground) -> None:
    """Do one check; raises Broken, also for an error that nobody expects there, or NotHere."""
    try:
        await CHECKS[name](ground)
    except (Broken, NotHere):
        raise
    except Exception as error:
        raise Broken(f"{type(error).__name__}: {error}") from error


def check(body: Check) -> Check:
    """A decorator: one more thing that every channel has to hold."""
    CHECKS[body.__name__] = body
    return body


def hold(condition: object, sentence: str) -> None:
    """Raise Broken with `sentence` unless `condition` holds."""
    if not condition:
        raise Broken(sentence)


# -- for checks to use ------------------------------------------------------------------


@asynccontextmanager
async def opened(ground: Ground) -> AsyncIterator[Channel]:
    """The account, closed at the end."""
    channel = ground.open()
    try:
        yield channel
    finally:
        await channel.close()


def reader(channel: Channel) -> Poller:
    """The channel as one that reads; NotHere for one that only sends."""
    if not isinstance(channel, Poller):
        raise NotHere("it only sends")
    return channel


def sender(channel: Channel) -> Sender:
    """The channel as one that answers; NotHere for one that only listens, and says so."""
    if not channel.capabilities.sends:
        raise NotHere("it only listens")
    if not isinstance(channel, Sender):
        raise Broken("its capabilities say that it sends, and it has no render and send")
    return channel


async def read(channel: Channel, cursor: str | None) -> list[Batch]:
    """One poll, confirmed as the relay does."""
    poller = reader(channel)
    batches = []
    async for batch in poller.poll(cursor):
        await poller.confirm(batch)
        batches.append(batch)
    return batches


async def read_anew(ground: Ground, cursor: str | None) -> list[Batch]:
    """One poll by a process of its own."""
    async with opened(ground) as channel:
        return await read(channel, cursor)


def messages(batches: Sequence[Batch]) -> list[Raw | Inbound]:
    """The messages in them; signals have rules of their own."""
    return [item for batch in batches for item in batch.items if isinstance(item, (Raw, Inbound))]


def names(batches: Sequence[Batch]) -> list[str]:
    """What the messages in them are called."""
    return [item.external_id for item in messages(batches)]


def draft(channel: Channel, ground: Ground, text: str = "**Hello** Ann") -> Outgoing:
    """A message to the customer."""
    return Outgoing(
        ticket=12,
        message_id="deskhand.12.0123456789abcdef.7@desk.test",
        at=1_790_000_000_000,
        sender=channel.addresses[0],
        to=(ground.customer,),
        text=text,
        subject="Re: Hello",
        references=("m1@example.com",),
        conversation=ground.conversation,
    )


class Phases(list[str]):
    """The phases that a sender told of."""

    async def __call__(self, name: str) -> None:
        self.append(name)
