"""relay.pump: fetching, parsing and committing overlap, and nothing is lost or told too early."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import replace as another
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from desk.blobs import Blob
from desk.channel import Batch, Capabilities, Edit, Inbound, Permanent, Raw, Retry, Told
from desk.errors import Busy
from desk.intake import Intake, Taken, prepare, take_in
from desk.model import Account, Identity
from desk.store import Tx
from relay import engine as engine_module
from relay import pump as module
from relay.engine import Engine, Station
from relay.workers import Workers
from tests.channels.email.accounts import account, clear, mail
from tests.relays import CONFIG, SIGNER, Room, now, running, until
from tests.servers.scripted_imap import ScriptedImap


class Scripted:
    """A channel with `count` batches of ten items of `size` bytes; what happens is written to `log`."""

    capabilities = Capabilities()
    addresses: Sequence[Identity] = (Identity("email", "support@desk.test"),)

    def __init__(self, count: int, size: int = 10) -> None:
        self.count, self.size = count, size
        self.log: list[str] = []
        self.fail_at: int | None = None
        self.refuse: Exception | None = None
        self.committed = lambda: 0
        self.furthest = 0

    async def poll(self, cursor: str | None) -> AsyncIterator[Batch]:
        for number in range(int(cursor or 0), self.count):
            if number == self.fail_at:
                self.fail_at = None
                raise Retry("the line went dead")
            self.furthest = max(self.furthest, number + 1 - self.committed())
            self.log.append(f"fetch {number}")
            items = tuple(Raw(f"x/{number}/{i}", b"x" * self.size, now()) for i in range(10))
            yield Batch(items, str(number + 1))
            await asyncio.sleep(0)

    async def confirm(self, batch: Batch) -> None:
        self.log.append(f"confirm {batch.cursor}")
        if self.refuse:
            raise self.refuse

    async def check(self) -> Sequence[str]:
        return ()

    async def close(self) -> None:
        pass


def parse(raw: Raw) -> Inbound:
    """Item `x/7/3` as a message of its own."""
    return Inbound(raw.external_id, raw.received_at, Identity("email", "ann@example.com"), raw.external_id, message_id=raw.external_id)  # fmt: skip


def engine(room: Room, channel: Any) -> tuple[Engine, Station]:
    station = Station("scripted", "email", channel, parse, 0.01)
    return Engine(room.store, CONFIG, SIGNER, [station], "a", now, Workers(0)), station


def kept(room: Room) -> list[str]:
    """What came in through the scripted channel, in the order of the store."""
    rows = room.store._execute("SELECT external_id FROM external WHERE account = 'scripted' ORDER BY message")  # type: ignore[attr-defined]
    return [row[0] for row in rows]


def expected(count: int) -> list[str]:
    return [f"x/{n}/{i}" for n in range(count) for i in range(10)]


async def test_all_comes_in_order_and_is_confirmed_after_its_commit(tmp_path: Path) -> None:
    room, channel = Room(tmp_path), Scripted(20)
    here, station = engine(room, channel)
    original = channel.confirm

    async def confirm(batch: Batch) -> None:
        assert int(room.store.cursor("scripted") or 0) >= int(batch.cursor)
        await original(batch)

    channel.confirm = confirm  # type: ignore[method-assign]
    async with running(module.pump(here, station)):
        await until(lambda: "confirm 20" in channel.log, "the last batch to be confirmed")
    assert kept(room) == expected(20)


async def test_next_is_fetched_while_the_last_is_committed(tmp_path: Path) -> None:
    room, channel = Room(tmp_path), Scripted(3)
    here, station = engine(room, channel)
    gate, begun = asyncio.Event(), asyncio.Event()
    original = here.call

    async def call(work: Any, *args: Any, **kwargs: Any) -> Any:
        if work is module.commit and not begun.is_set():
            begun.set()
            await gate.wait()
        return await original(work, *args, **kwargs)

    here.call = call  # type: ignore[method-assign]
    async with running(module.pump(here, station)):
        await begun.wait()
        await until(lambda: "fetch 2" in channel.log, "the fetching to go on meanwhile")
        assert not any(said.startswith("confirm") for said in channel.log)
        gate.set()
        await until(lambda: "confirm 3" in channel.log, "the end")


async def test_no_more_is_fetched_ahead_than_there_is_room_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AHEAD_BYTES", 25_000)
    room, channel = Room(tmp_path), Scripted(40, size=1_000)
    channel.committed = lambda: int(room.store.cursor("scripted") or 0)
    here, station = engine(room, channel)
    async with running(module.pump(here, station)):
        await until(lambda: "confirm 40" in channel.log, "the end")
    # Three batches fill the room, and one is told of before it is forgotten.
    assert channel.furthest <= 4
    assert kept(room) == expected(40)


async def test_files_of_messages_that_need_no_parser_fill_the_room_too() -> None:
    ahead = module._Ahead()
    blob = Blob("0" * 64, 1_000_000, b"x" * module.AHEAD_BYTES)
    message = Inbound("m/1", now(), None, "Look", blobs=(blob,))
    nothing: asyncio.Task[list[Told]] = asyncio.create_task(asyncio.sleep(0, []))
    ahead.put(Batch((message,), "1"), nothing)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(ahead.room(), 0.05)
    await nothing


async def test_batch_that_fills_the_room_is_committed_before_the_next_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AHEAD_BYTES", 5_000)
    room, channel = Room(tmp_path), Scripted(10, size=1_000)
    channel.committed = lambda: int(room.store.cursor("scripted") or 0)
    here, station = engine(room, channel)
    async with running(module.pump(here, station)):
        await until(lambda: "confirm 10" in channel.log, "the end")
    assert channel.furthest == 1


async def test_what_came_before_a_break_is_kept_and_the_rest_comes_later(tmp_path: Path) -> None:
    room, channel = Room(tmp_path), Scripted(10)
    channel.fail_at = 6
    here, station = engine(room, channel)
    with pytest.raises(Retry, match="went dead"):
        await module.pump(here, station)
    assert kept(room) == expected(6)
    assert room.store.cursor("scripted") == "6"
    assert channel.log[-1] == "confirm 6"
    async with running(module.pump(here, station)):
        await until(lambda: "confirm 10" in channel.log, "the rest")
    assert kept(room) == expected(10)


async def test_uids_given_anew_lose_and_double_nothing_in_the_desk(tmp_path: Path) -> None:
    async with ScriptedImap([mail(n, n * 100) for n in range(1, 6)]) as server:
        room = Room(tmp_path, account(clear(server.port), after="keep"))
        here = room.engine("a")

        def subjects() -> list[str]:
            return [room.store.ticket(n).subject for n in range(2, room.store.numbers().tickets + 1)]

        how = Intake("support", "email", CONFIG, SIGNER)
        await module._read(here, here.stations[0], how, module.Strays())
        assert len(subjects()) == 5
        # The third is gone, those behind it move up, and the next comes with the UID of the fifth.
        left = [data for uid, data in server.messages.items() if uid != 3]
        server.messages = dict(enumerate([*left, mail(6, 600)], 1))
        server.hang_up()
        with suppress(Retry):  # the end of the connection may show only now
            await module._read(here, here.stations[0], how, module.Strays())
        await module._read(here, here.stations[0], how, module.Strays())
        assert subjects() == [f"mail {n}" for n in range(1, 7)]
        await here.stations[0].channel.close()


async def test_commit_that_fails_confirms_nothing_and_leaves_nothing_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, channel = Room(tmp_path), Scripted(5)
    here, station = engine(room, channel)

    def full(*_: Any) -> None:
        raise Busy("somebody holds the store")

    with monkeypatch.context() as patch:
        patch.setattr(module, "commit", full)
        with pytest.raises(Busy):
            await module.pump(here, station)
    assert kept(room) == []
    assert not any(said.startswith("confirm") for said in channel.log)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    async with running(module.pump(here, station)):
        await until(lambda: "confirm 5" in channel.log, "all of it, afterwards")
    assert kept(room) == expected(5)


async def test_refused_confirmation_is_told_and_stops_nothing(tmp_path: Path) -> None:
    room, channel = Room(tmp_path), Scripted(3)
    channel.refuse = Permanent("the folder is read-only")
    here, station = engine(room, channel)
    async with running(module.pump(here, station)):
        await until(lambda: "pump:scripted" in here.health, "the health to be told")
    assert here.health["pump:scripted"] == "ok, but the folder is read-only"
    assert kept(room) == expected(3)


async def test_message_that_the_store_cannot_take_costs_only_itself(tmp_path: Path) -> None:
    room, channel = Room(tmp_path), Scripted(3)
    here, station = engine(room, channel)

    def poisoned(raw: Raw) -> Inbound:
        whole = parse(raw)
        return replace(whole, message_id="\ud800") if raw.external_id == "x/1/4" else whole

    async with running(module.pump(here, another(station, parse=poisoned))):
        await until(lambda: "confirm 3" in channel.log, "the end")
    assert kept(room) == expected(3)
    (told,) = [t for t in map(room.store.ticket, range(2, 32)) if t.subject == "(unreadable message)"]
    (message,) = room.store.thread(told.id)
    assert "unprocessable" in message.flags
    assert room.store.blob(message.raw or "") == b"x" * 10


async def test_part_is_tried_again_whatever_is_told_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room(tmp_path)
    here = room.engine("a")
    monkeypatch.setattr(engine_module, "backoff", lambda attempt: 0.0)
    failures = [Retry("nicht m\udcf6glich"), Retry("the disk is odd, too"), Retry("the last")]
    save = room.store.save_account
    refusals = iter([None, ValueError("cannot be written")])

    def odd(account: Account) -> None:
        if trouble := next(refusals, None):
            raise trouble
        save(account)

    monkeypatch.setattr(room.store, "save_account", odd)

    async def part() -> None:
        if failures:
            raise failures.pop(0)
        await asyncio.Event().wait()

    async with running(here.supervise("pump:support", part)):
        await until(lambda: room.store.accounts()["support"].health == "retrying: the last", "the health to be told")


async def test_next_is_committed_while_the_server_is_told_of_the_last(tmp_path: Path) -> None:
    """A server that takes its time over a flag costs no time in which the store could work."""
    room, channel = Room(tmp_path), Scripted(100)
    here, station = engine(room, channel)
    told, gate = asyncio.Event(), asyncio.Event()
    original = channel.confirm

    async def confirm(batch: Batch) -> None:
        told.set()
        await gate.wait()
        await original(batch)

    channel.confirm = confirm  # type: ignore[method-assign]
    async with running(module.pump(here, station)):
        await told.wait()
        first = int(room.store.cursor("scripted") or 0)
        await until(lambda: int(room.store.cursor("scripted") or 0) > first, "the next commit meanwhile")
        assert not any(said.startswith("confirm") for said in channel.log)
        gate.set()
        await until(lambda: "confirm 100" in channel.log, "the end")
    cursors = [int(said.split()[1]) for said in channel.log if said.startswith("confirm")]
    assert cursors == sorted(cursors), "in their order"


async def test_batch_that_is_parsed_does_not_wait_for_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room, channel = Room(tmp_path), Scripted(2)
    here, station = engine(room, channel)
    gate = asyncio.Event()
    original = here.workers.prepare

    async def prepare(parse: Any, items: Any) -> Any:
        if items[0].external_id == "x/1/0":
            await gate.wait()
        return await original(parse, items)

    monkeypatch.setattr(here.workers, "prepare", prepare)
    async with running(module.pump(here, station)):
        await until(lambda: room.store.cursor("scripted") == "1", "the first to be committed")
        gate.set()
        await until(lambda: "confirm 2" in channel.log, "the end")


def test_a_message_that_no_store_takes_keeps_its_words_and_lets_the_others_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = Room(tmp_path)
    here = room.engine("a")
    how = Intake("chat", "matrix", here.config, here.signer)
    ann = Identity("matrix", "@ann:example.org")
    items = (
        Inbound("$1", now(), ann, "fine"),
        Inbound("$2", now(), ann, "odd", subject="odd"),
        Edit("$4", 0, "$3", "early"),
    )

    def odd(tx: Tx, how: Intake, told: Sequence[Told], *more: Any) -> Taken:
        if any(isinstance(one, Inbound) and one.subject == "odd" for one in told):
            raise ValueError("odd")
        return take_in(tx, how, told, *more)

    monkeypatch.setattr(module, "take_in", odd)
    taken = module.one_by_one(here, how, Batch(items, "7"), [prepare(one) for one in items])
    assert (taken.messages, taken.strays) == (2, [items[2]])
    assert [room.store.thread(number)[0].text for number in (2, 3)] == ["fine", "odd"]
    assert room.store.cursor("chat") == "7"
