"""The relay while its store is away: it waits, says so once, and goes on where it was."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from desk.channel import Batch, Inbound, Part, Phase, Sent
from desk.errors import StoreError
from desk.model import Identity, Kind, State
from desk.query import EVERYTHING
from relay import patience, rules
from relay.engine import Engine
from relay.outbox import outbox
from relay.pump import pump
from relay.ticks import Trust, ticks
from storage import watching
from tests.relays import Room, now, running, until
from tests.servers.postgres import Postgres


@pytest.fixture
def server(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> Iterator[Postgres]:
    """A server of our own, of which nobody waits long."""
    postgres.own()
    monkeypatch.setattr(patience, "backoff", lambda attempt, longest_s: 0.05)
    monkeypatch.setattr(watching, "PATIENCE_S", 0.3)
    yield postgres
    postgres.thaw()
    if not postgres._answers():
        postgres.start()


@pytest.fixture
def room(server: Postgres, tmp_path: Path) -> Iterator[Room]:
    """A desk in it."""
    made = Room(tmp_path, url=server.url(server.empty(), connect_timeout="2"))
    yield made
    made.store.close()


class Mailbox:
    """A channel whose messages come, and are sent, when the test says so."""

    def __init__(self, engine: Engine) -> None:
        self._real = engine.stations[0].channel
        self.addresses, self.capabilities = self._real.addresses, self._real.capabilities
        self.new: list[Inbound] = []
        self.asked_from: list[str | None] = []
        self.sent: list[str] = []
        self.at_data, self.go_on = asyncio.Event(), asyncio.Event()
        self.go_on.set()

    async def poll(self, cursor: str | None) -> AsyncIterator[Batch]:
        self.asked_from.append(cursor)
        for number, item in list(enumerate(self.new, 1))[int(cursor or 0) :]:
            yield Batch((item,), str(number))

    async def confirm(self, batch: Batch) -> None:
        pass

    def render(self, outgoing: Any) -> Any:
        return self._real.render(outgoing)  # type: ignore[attr-defined]

    async def send(self, part: Part, key: str, phase: Phase) -> Sent:
        await phase("data")
        self.at_data.set()
        await self.go_on.wait()
        self.sent.append(key)
        return Sent("250 accepted")

    async def archive(self, part: Part) -> None:
        pass

    async def close(self) -> None:
        pass

    def write(self, number: int) -> None:
        """A customer writes."""
        who = Identity("email", f"c{number}@acme.example")
        self.new.append(
            Inbound(f"new/{number}", now(), who, "Hello", subject=f"mail {number}", message_id=f"{number}@x")
        )


def relay(room: Room, lease_ms: int = 30_000) -> tuple[Engine, Mailbox]:
    """A relay for the room, and its mailbox."""
    engine = room.engine("one", lease_ms)
    box = Mailbox(engine)
    engine.stations[0] = type(engine.stations[0])("support", "email", box, None, 0.05)  # type: ignore[arg-type]
    return engine, box


def parts(engine: Engine) -> list[Any]:
    """All that a relay does, as `relay.run` starts it."""
    return [
        engine.supervise("pump:support", lambda: pump(engine, engine.stations[0])),
        engine.supervise("outbox", lambda: outbox(engine)),
        engine.supervise("clock", lambda: ticks(engine, Trust())),
        engine.supervise("rules", lambda: rules.rules(engine)),
    ]


def subjects(room: Room) -> list[str]:
    """What came in, in order."""
    return [room.store.ticket(number).subject for number in sorted(room.store.ids(EVERYTHING))]


def said(caplog: pytest.LogCaptureFixture, event: str) -> int:
    """How often the relay logged something."""
    return sum(record.getMessage() == event for record in caplog.records)


@pytest.mark.parametrize("how", ["stop", "crash", "freeze"])
async def test_intake_waits_and_goes_on_where_it_was(
    server: Postgres, room: Room, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    caplog.set_level(logging.INFO)
    engine, box = relay(room)
    box.write(1)
    async with running(*parts(engine)):
        await until(lambda: len(subjects(room)) == 2, "the first mail")
        await asyncio.to_thread(getattr(server, how))
        for number in (2, 3):
            box.write(number)
        await until(lambda: said(caplog, "store away"), "the relay to say that its store is away")
        polls = len(box.asked_from)
        await asyncio.sleep(0.5)
        assert len(box.asked_from) - polls <= 1, "nobody asks the mailbox again and again"
        await asyncio.to_thread(server.thaw if how == "freeze" else server.start)
        await until(lambda: len(subjects(room)) >= 4, "the mails of meanwhile")
        await until(lambda: said(caplog, "store back"), "the relay to say that it is back")
        await until(
            lambda: {lease.name for lease in room.store.leases() if lease.until > now()} >= {"outbox", "rules"},
            "the leases",
        )
    assert subjects(room) == ["The tunnel drops", "mail 1", "mail 2", "mail 3"]
    assert said(caplog, "part failed") == 0
    assert said(caplog, "store away") <= 6


async def test_reply_that_was_accepted_while_the_store_was_away_is_sent_once(server: Postgres, room: Room) -> None:
    engine, box = relay(room, lease_ms=600)
    box.go_on.clear()
    room.do("reply 'On it.'")
    async with running(outbox(engine)):
        await until(box.at_data.is_set, "the reply to go out")
        await asyncio.to_thread(server.crash)
        box.go_on.set()
        await until(lambda: box.sent, "the other side to accept it")
        # Longer than the claim lasts: it is ours all the same.
        await asyncio.sleep(0.8)
        await asyncio.to_thread(server.start)
        await until(lambda: room.states() == [(State.SENT, "")], "what became of it to be written down")
        await asyncio.sleep(0.8)
    assert len(box.sent) == 1
    assert [m.state for m in room.store.thread(1) if m.kind is Kind.PUBLIC][-1] is State.SENT


async def test_reply_whose_phase_cannot_be_noted_does_not_go_out_yet(server: Postgres, room: Room) -> None:
    engine, box = relay(room)
    real, gone = engine.store.phase, asyncio.Event()
    loop = asyncio.get_running_loop()

    def phase(*given: Any) -> bool:
        if not gone.is_set():
            server.crash()
            loop.call_soon_threadsafe(gone.set)
        return real(*given)

    engine.store.phase = phase  # type: ignore[method-assign,assignment]
    room.do("reply 'On it.'")
    async with running(outbox(engine)):
        await asyncio.wait_for(gone.wait(), 10)
        await asyncio.sleep(0.2)
        assert box.sent == []
        await asyncio.to_thread(server.start)
        await until(lambda: [state for state, _ in room.states()] == [State.DEFERRED], "it to be put back")
        room.hurry()
        await until(lambda: room.states()[0][0] is State.SENT, "it to go out")
    assert len(box.sent) == 1


async def test_trouble_that_lasts_is_logged_now_and_then(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(patience, "backoff", lambda attempt, longest_s: 0.001)
    knocks, asked = 0, 0

    async def knock() -> None:
        nonlocal knocks
        knocks += 1

    async def ask() -> str:
        nonlocal asked
        asked += 1
        if asked < 100:
            raise StoreError("the disk of the server is full")
        return "done"

    caplog.set_level(logging.INFO)
    assert await patience.Patience(knock).outlast(ask) == "done"
    assert (asked, knocks) == (100, 99)
    assert (said(caplog, "store away"), said(caplog, "store back")) == (1, 1)


def test_relay_that_starts_before_its_store_waits_for_it(server: Postgres, tmp_path: Path) -> None:
    url = server.url(server.empty(), connect_timeout="2")
    (tmp_path / "config.toml").write_text(f'[channels.demo]\nkind = "demo"\n\n[store]\nurl = "{url}"\n')
    server.stop()
    command = [sys.executable, "-m", "cli.main", "--config", str(tmp_path / "config.toml"), "relay"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ | {"HOME": str(tmp_path)})
    try:
        assert process.stderr is not None
        first = json.loads(process.stderr.readline())
        assert first["event"] == "store away"
        assert "Connection refused" in first["why"]
        server.start()
        events = [first["event"]]
        while "relay started" not in events:
            events.append(json.loads(process.stderr.readline())["event"])
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert events.count("store back") == 1
    finally:
        process.kill()
        process.wait()
