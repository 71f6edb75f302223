"""An account that somebody has paused: nothing comes in, nothing goes out, and all of it goes on at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from desk.channel import Batch, Capabilities, Inbound, Outgoing, Part, Phase, Sent
from desk.model import Identity, State
from relay import engine as engine_module
from relay import run as run_module
from relay.engine import Engine, Station
from relay.outbox import outbox
from relay.pump import pump
from relay.run import _settings
from relay.workers import Workers
from tests.relays import CONFIG, SIGNER, Room, batch, now, running, until


class Busy:
    """A channel with something new as often as it is asked, that sends whatever it is given."""

    capabilities = Capabilities()
    addresses: Sequence[Identity] = (Identity("email", "support@desk.test"),)

    def __init__(self) -> None:
        self.asked = 0
        self.sent: list[bytes] = []

    async def poll(self, cursor: str | None) -> AsyncIterator[Batch]:
        begun = int(cursor or 0)
        for number in range(begun, begun + 1000):
            self.asked += 1
            yield Batch((Inbound(f"b/{number}", now(), Identity("email", "ann@example.com"), "Hi"),), str(number + 1))
            await asyncio.sleep(0.01)

    async def confirm(self, batch: Batch) -> None: ...

    def render(self, draft: Outgoing) -> Sequence[Part]:
        return (Part(draft.text.encode(), ()),)

    async def send(self, part: Part, key: str, phase: Phase) -> Sent:
        await phase("data")
        self.sent.append(part.data)
        return Sent(key)

    async def archive(self, part: Part) -> None: ...

    async def check(self) -> Sequence[str]:
        return ()

    async def close(self) -> None: ...


async def test_a_paused_account_stands_still_even_in_the_middle_and_goes_on_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module, name in ((engine_module, "HELD_S"), (run_module, "SETTINGS_S")):
        monkeypatch.setattr(module, name, 0.01)
    room, channel = Room(tmp_path), Busy()
    station = Station("support", "email", channel, None, 60.0)
    engine = Engine(room.store, CONFIG, SIGNER, [station], "a", now, Workers(0))
    room.do('reply "On it."')
    async with running(_settings(engine), pump(engine, station)) as parts:
        await until(lambda: channel.asked > 5, "it reads")
        room.store.hold_account("support", "by lee: spam wave", batch())
        await until(lambda: "support" in engine.held, "the relay takes notice")
        parts.append(asyncio.create_task(outbox(engine)))
        await asyncio.sleep(0.05)
        asked = channel.asked
        await asyncio.sleep(0.6)
        assert channel.asked == asked, "in the middle of an account that has much to say"
        assert [state for state, _ in room.states()] == [State.QUEUED]
        room.store.hold_account("support", "", batch())
        await until(lambda: channel.asked > asked, "it reads again")
        await until(lambda: [state for state, _ in room.states()] == [State.SENT], "what waited goes out")
    assert channel.sent == [b"On it."]
