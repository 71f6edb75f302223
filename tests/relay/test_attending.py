"""Customers see that somebody is there: what a channel is told of agents, and what is none of its business."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest

from desk import intake
from desk.capabilities import Capabilities
from desk.channel import Batch, Inbound, Retry
from desk.model import SECOND, Account, Draft, Identity, Presence
from desk.query import EVERYTHING
from desk.store import Batch as Header
from relay import attending as attending_module
from relay.attending import FRESH, Attention, look
from relay.engine import Engine, Station
from relay.run import _account
from relay.workers import Workers
from tests.desks import Room
from tests.relays import running, until

LIVE = Capabilities(kinds=("matrix",), markup="markdown", live=True, typing=True)


class Chat:
    """A channel that can show who is there, and writes down what it was told."""

    capabilities = LIVE
    addresses: Sequence[Identity] = (Identity("matrix", "@help:example.org"),)

    def __init__(self) -> None:
        self.told: list[tuple[str, str | None, bool]] = []
        self.trouble: Exception | None = None

    async def attend(self, conversation: str, *, seen: str | None = None, typing: bool = False) -> None:
        self.told.append((conversation, seen, typing))
        if self.trouble:
            raise self.trouble

    async def poll(self, cursor: str | None) -> AsyncIterator[Batch]:
        if self.trouble:
            raise self.trouble
        for batch in ():
            yield batch

    async def confirm(self, batch: Batch) -> None: ...

    async def check(self) -> Sequence[str]:
        return ()

    async def close(self) -> None: ...


class Scene:
    """A desk with a chat account, its channel, and a relay that looks when it is told to."""

    def __init__(self, folder: Path) -> None:
        self.room = Room.open(folder, tickets=1)
        self.room.store.save_account(Account("chat", "matrix", "@help:example.org", capabilities=LIVE, health="ok"))
        self.chat, self.attention = Chat(), Attention()
        self.station = Station("chat", "matrix", self.chat, None, 60.0)
        room = self.room
        self.engine = Engine(
            room.store, room.desk.config, room.desk.signer, [self.station], "r", lambda: room.clock, Workers(0)
        )

    def hear(self, external_id: str, text: str, conversation: str = "!a") -> int:
        """Let Ann write in a chat; the number of her ticket."""
        batch, room = self.room.turn(), self.room
        how = intake.Intake("chat", "matrix", room.desk.config, room.desk.signer, frozenset())
        item = Inbound(
            external_id, room.clock, Identity("matrix", "@ann:example.org", "Ann"), text, conversation=conversation
        )
        room.store.write(
            lambda tx: intake.take_in(tx, how, [intake.prepare(item)], Header(batch, room.clock, source="chat"), None)
        )
        return max(room.store.ids(EVERYTHING))

    def sit(self, ticket: int, doing: str = "views", *, agent: str = "kim", terminal: str = "t1") -> None:
        """Let an agent be at a ticket."""
        self.room.store.attend(Presence(terminal, agent, "here", ticket, doing, self.room.clock + 30 * SECOND))

    def type(self, ticket: int, text: str, kind: str = "reply") -> None:
        """Let the agent write on, as far as the screen keeps it."""
        self.sit(ticket, "writes")
        self.room.store.keep_draft(Draft(ticket, "kim", kind, self.room.clock, text, {}))

    def look(self) -> list[tuple[str, str | None, bool]]:
        """Let the relay look once; what the channel was told of it."""
        self.chat.told.clear()
        asyncio.run(look(self.engine, self.station, self.attention))
        return list(self.chat.told)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    found = Scene(tmp_path)
    yield found
    found.room.store.close()


def test_what_an_agent_has_read_is_told_once_and_again_when_there_is_more(scene: Scene) -> None:
    number = scene.hear("e/1", "Hello?")
    assert scene.look() == [], "nobody is there"
    scene.sit(number)
    assert scene.look() == [], "it is open, and not read yet"
    thread = scene.room.store.thread(number)
    scene.room.store.seen("kim", number, thread[-1].id)
    assert scene.look() == [("!a", "e/1", False)]
    assert scene.look() == [], "the customer knows"
    scene.hear("e/2", "Still there?")
    scene.sit(number)
    assert scene.look() == [], "the new one has not been read"
    scene.room.store.seen("kim", number, scene.room.store.thread(number)[-1].id)
    assert scene.look() == [("!a", "e/2", False)]


def test_who_types_is_told_as_long_as_they_do(scene: Scene) -> None:
    number = scene.hear("e/1", "Hello?")
    scene.type(number, "Hello")
    assert scene.look() == [("!a", None, True)]
    assert scene.look() == [("!a", None, True)], "the other side forgets after some seconds"
    scene.room.clock += FRESH
    assert scene.look() == [("!a", None, False)], "nothing was added: somebody thinks"
    assert scene.look() == []
    scene.type(number, "Hello, it is")
    assert scene.look() == [("!a", None, True)]
    scene.room.store.depart("t1")
    assert scene.look() == [("!a", None, False)], "whoever wrote is gone"
    assert scene.look() == []


def test_a_note_is_nobody_elses_affair(scene: Scene) -> None:
    number = scene.hear("e/1", "Hello?")
    scene.type(number, "they are rude", kind="note")
    assert scene.look() == []


def test_a_customer_who_types_is_no_agent(scene: Scene) -> None:
    number = scene.hear("e/1", "Hello?")
    until = scene.room.clock + 10 * SECOND
    scene.room.store.attend(Presence("customer:matrix:@ann:example.org", "Ann", "", number, "typing", until))
    assert scene.look() == []


def test_a_ticket_that_came_by_mail_shows_nothing(scene: Scene) -> None:
    scene.type(1, "Hello")
    scene.room.store.seen("kim", 1, scene.room.store.thread(1)[-1].id)
    assert scene.look() == []


def test_a_terminal_that_ended_without_a_word_is_forgotten(scene: Scene) -> None:
    number = scene.hear("e/1", "Hello?")
    scene.type(number, "Hello")
    assert scene.look() == [("!a", None, True)]
    scene.room.clock += 31 * SECOND
    assert scene.look() == [("!a", None, False)]


def test_two_agents_on_one_ticket_are_one_sign(scene: Scene) -> None:
    number = scene.hear("e/1", "Hello?")
    scene.room.store.seen("sam", number, scene.room.store.thread(number)[-1].id)
    scene.sit(number, agent="sam", terminal="t2")
    scene.type(number, "Hello")
    assert scene.look() == [("!a", "e/1", True)]


def test_that_it_cannot_be_shown_stops_nothing(scene: Scene) -> None:
    number = scene.hear("e/1", "Hello?")
    scene.type(number, "Hello")
    scene.chat.trouble = Retry("down")
    assert scene.look() == [("!a", None, True)]
    scene.chat.trouble = RuntimeError("a mistake in the channel")
    assert scene.look() == [("!a", None, True)]


async def test_it_runs_beside_what_reads_and_ends_with_it(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attending_module, "LOOK_S", 0.01)
    number = scene.hear("e/1", "Hello?")
    scene.type(number, "Hello")
    async with running(_account(scene.engine, scene.station)):
        await until(lambda: len(scene.chat.told) > 2, "it is told again and again")
    told = len(scene.chat.told)
    await asyncio.sleep(0.05)
    assert len(scene.chat.told) == told
    scene.chat.trouble = Retry("down")
    with pytest.raises(Retry):
        await _account(scene.engine, scene.station)


async def test_a_desk_can_do_without(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attending_module, "LOOK_S", 0.01)
    number = scene.hear("e/1", "Hello?")
    scene.type(number, "Hello")
    scene.engine.attend = False
    async with running(_account(scene.engine, scene.station)):
        await asyncio.sleep(0.1)
    assert scene.chat.told == []


def test_hundreds_of_conversations_do_not_pile_up() -> None:
    attention = Attention()
    for number in range(5_000):
        attention.shown(f"!{number}", f"e/{number}", False)
    assert len(attention._heard) <= 1_000
