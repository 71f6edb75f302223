"""A text that goes as several messages: no part is lost, and none is sent twice by the program (invariants 5 to 7)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from desk.capabilities import Capabilities
from desk.channel import Outgoing, Part, Phase, RateLimited, Sent
from desk.errors import Busy
from desk.model import Identity, State
from relay import outbox as module
from relay.engine import Engine, Station
from relay.outbox import outbox
from relay.workers import Workers
from tests.relays import CONFIG, SIGNER, Room, batch, now, running, until


class Lost(Exception):
    """The connection broke."""


class Chunks:
    """A channel that takes three messages for every text; at `breaks` it breaks off, before or after it took the part."""

    addresses: Sequence[Identity] = (Identity("email", "support@desk.test"),)

    def __init__(self, breaks: tuple[int, str] = (-1, ""), *, idempotent: bool = False) -> None:
        self.capabilities = Capabilities(splits=True, text_limit=100, idempotent=idempotent)
        self.breaks, self.took, self.keys = breaks, [b""][:0], [""][:0]
        self.name = "$%d"

    def render(self, draft: Outgoing) -> Sequence[Part]:
        return [Part(b"one", ()), Part(b"two", ()), Part(b"three", ())]

    async def send(self, part: Part, key: str, phase: Phase) -> Sent:
        number = len(self.took)
        if self.breaks == (number, "connect"):
            self.breaks = (-1, "")
            raise Lost
        await phase("data")
        if self.breaks == (number, "before"):
            self.breaks = (-1, "")
            raise Lost
        if not (self.capabilities.idempotent and key in self.keys):
            self.took.append(part.data)
            self.keys.append(key)
        if self.breaks == (number, "after"):
            self.breaks = (-1, "")
            raise Lost
        return Sent(self.name % number, conversation="x")

    async def archive(self, part: Part) -> None: ...

    async def check(self) -> Sequence[str]:
        return ()

    async def close(self) -> None: ...


WHOLE = [b"one", b"two", b"three"]


def engine(room: Room, channel: Any, holder: str = "a", lease_ms: int = 30_000) -> Engine:
    """A relay with this channel alone."""
    found = Engine(
        room.store, CONFIG, SIGNER, [Station("support", "email", channel)], holder, now, Workers(0), lease_ms
    )
    room.store.save_account(found.describe(found.stations[0], "ok"))
    return found


@pytest.mark.parametrize("step", ["connect", "before", "after"])
@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("idempotent", [False, True])
async def test_wherever_it_breaks_off_it_goes_on_there(
    tmp_path: Path, number: int, step: str, idempotent: bool
) -> None:
    channel, room = Chunks((number, step), idempotent=idempotent), Room(tmp_path)
    room.do("reply Hello")
    async with running(outbox(engine(room, channel))):
        await until(lambda: room.states()[0][0] not in (State.QUEUED, State.SENDING), "the break")
        sure = step == "connect" or idempotent
        assert room.states()[0][0] is (State.DEFERRED if sure else State.UNKNOWN)
        assert channel.took == WHOLE[: number + (step == "after")]
        room.hurry()
        if not sure:
            await asyncio.sleep(2 * module.IDLE_S)
            assert channel.took == WHOLE[: number + (step == "after")], "what is unknown, no program sends again"
            room.store.retry(1, batch("outbox retry 1"))
        await until(lambda: room.states()[0][0] is State.SENT, "the rest")
    again = [WHOLE[number]] if step == "after" and not idempotent else []
    assert channel.took == [*WHOLE[:number], *again, *WHOLE[number:]]


async def test_a_part_that_went_out_is_noted_however_busy_the_store_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel, room = Chunks(), Room(tmp_path)
    noted, busy = room.store.sent_part, [Busy("somebody writes"), Busy("somebody writes")]

    def sent_part(*args: Any) -> bool:
        if busy:
            raise busy.pop()
        return noted(*args)

    monkeypatch.setattr(room.store, "sent_part", sent_part)
    monkeypatch.setattr(module, "backoff", lambda attempt, longest_s=0.0: 0.01)
    room.do("reply Hello")
    async with running(outbox(engine(room, channel))):
        await until(lambda: room.states()[0][0] is State.SENT, "all of it", 30)
    assert (channel.took, busy) == (WHOLE, [])


@pytest.mark.parametrize("name", ["$\x00%d", "$\udc00%d", "€" * 5_000 + "%d"])
async def test_a_hostile_name_for_a_part_sends_none_twice(tmp_path: Path, name: str) -> None:
    channel, room = Chunks(), Room(tmp_path)
    channel.name = name
    room.do("reply Hello")
    async with running(outbox(engine(room, channel))):
        await until(lambda: room.states()[0][0] is State.SENT, "all of it")
    assert channel.took == WHOLE


@pytest.mark.parametrize("idempotent", [False, True])
@pytest.mark.parametrize("number", range(3))
async def test_a_relay_that_dies_between_parts_is_followed_by_one_that_goes_on(
    tmp_path: Path, number: int, idempotent: bool
) -> None:
    """What the store would hold had the first relay been killed behind part `number`, before it could say so."""
    room = Room(tmp_path)
    channel = Chunks(idempotent=idempotent)
    room.do("reply Hello")
    successor = engine(room, channel, "b")
    (one,) = room.store.claim("dead", now(), now() - 1)
    for part in range(number + 1):
        room.store.phase(one.delivery.id, "dead", "data", now() - 1)
        channel.took.append(WHOLE[part])
        channel.keys.append(f"deskhand-{one.delivery.id}-{one.message.id}" + (f"-{part}" if part else ""))
        if part < number:
            room.store.sent_part(one.delivery.id, "dead", part, f"${part}")
    async with running(outbox(successor)):
        await until(lambda: room.states()[0][0] is not State.SENDING, "the takeover")
        if not idempotent:
            assert room.states()[0][0] is State.UNKNOWN
            assert channel.took == WHOLE[: number + 1]
            room.store.retry(1, batch("outbox retry 1"))
        await until(lambda: room.states()[0][0] is State.SENT, "the rest")
    assert channel.took == [*WHOLE[: number + 1], *([] if idempotent else [WHOLE[number]]), *WHOLE[number + 1 :]]


async def test_what_bounced_goes_again_as_a_whole(tmp_path: Path) -> None:
    channel, room = Chunks(), Room(tmp_path)
    room.do("reply Hello")
    async with running(outbox(engine(room, channel))):
        await until(lambda: room.states()[0][0] is State.SENT, "all of it")
        room.store._execute("UPDATE delivery SET state = 'bounced'")  # type: ignore[attr-defined]
        room.store.retry(1, batch("outbox retry 1"))
        await until(lambda: room.states()[0][0] is State.SENT, "all of it again")
    assert channel.took == WHOLE + WHOLE


@pytest.mark.parametrize("seconds", [float("inf"), 1e300])
async def test_patience_without_end_holds_up_no_other(tmp_path: Path, seconds: float) -> None:
    class Slow(Chunks):
        async def send(self, part: Part, key: str, phase: Phase) -> Sent:
            raise RateLimited("later", seconds)

    room = Room(tmp_path)
    room.do("reply Hello")
    async with running(outbox(engine(room, Slow()))):
        await until(lambda: room.states()[0][0] is State.DEFERRED, "the delivery to wait")
    assert (room.store.outbox()[0][1] or 0) < now() + 90_000_000
