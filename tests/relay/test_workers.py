"""relay.workers: an item that wants too much costs only itself."""

from __future__ import annotations

import asyncio
import pickle
import random
import time
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from channels.kit.mail.parser import parse as read
from desk.blobs import unpack
from desk.channel import Inbound, Raw
from desk.errors import DeskError
from relay.scratch import Scratch, large
from relay.workers import Workers
from tests.channels.email.test_parse_hostile import BOMBS
from tests.relay import hostile


@pytest.fixture
def workers() -> Iterator[Workers]:
    pool = Workers(1)
    yield pool
    pool.close()


def raws(*bodies: bytes) -> list[Raw]:
    """Mails with these bodies."""
    head = b"From: max@example.com\nSubject: %d\n\n"
    return [Raw(f"INBOX/1/{number}", head % number + body, 1) for number, body in enumerate(bodies)]


def prepared(workers: Workers, items: list[Raw], parse: object = hostile.parse) -> list[Inbound]:
    return asyncio.run(workers.prepare(parse, items))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"memory", "over 256 MB"),
        (b"pieces of memory", "over 256 MB"),
        (b"time", "over 5 seconds"),
        (b"caught", "over 5 seconds"),
        (b"death", "it broke the parser"),
    ],
)
def test_an_item_that_wants_too_much_costs_only_itself(workers: Workers, body: bytes, problem: str) -> None:
    items = raws(b"one", b"two", body, b"three")
    found = prepared(workers, items)
    assert [one.external_id for one in found] == [item.external_id for item in items]
    assert [one.text for one in (*found[:2], found[3])] == ["one", "two", "three"]
    bad = found[2]
    assert bad.unreadable
    assert problem in bad.problems[0]
    assert unpack(bad.blobs[0].packed) == items[2].data


@pytest.mark.torture
def test_code_that_never_comes_back_ends_with_its_process(workers: Workers) -> None:
    begin = time.monotonic()
    found = prepared(workers, raws(b"one", b"time outside", b"two"))
    assert [one.unreadable for one in found] == [False, True, False]
    assert time.monotonic() - begin < 60


def test_a_worker_goes_on_after_a_bomb(workers: Workers) -> None:
    prepared(workers, raws(b"memory"))
    assert [one.text for one in prepared(workers, raws(*[b"x"] * 60))] == ["x"] * 60


def test_shares_beside_a_dead_worker_are_read_too() -> None:
    workers = Workers(2)
    try:
        found = prepared(workers, raws(*[b"x"] * 70, b"death", *[b"y"] * 70))
    finally:
        workers.close()
    assert [one.unreadable for one in found] == [False] * 70 + [True] + [False] * 70


def test_real_bombs_come_back_as_mails(workers: Workers) -> None:
    items = [Raw(name, data, 1) for name, data in BOMBS.items()]
    found = prepared(workers, items, read)
    assert [one.external_id for one in found] == list(BOMBS)
    assert [one.external_id for one in found if one.unreadable] == []


async def test_no_mail_is_blamed_where_no_worker_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relay.workers._begin", hostile.stillborn)
    crew = Workers(1)
    with pytest.raises(DeskError, match="no parser process can be started"):
        await crew.prepare(read, [Raw("1", b"Subject: fine\n\nfine", 1)])
    crew.close()


LARGE = [b"word " * 20_000, b"x" * 3_000_000, b"y"]


def test_large_mail_comes_back_as_a_small_one_does(workers: Workers) -> None:
    items = raws(*LARGE)
    assert prepared(workers, items, read) == prepared(Workers(0), items, read)


def test_large_mail_is_not_in_the_pipe() -> None:
    """Neither on its way to a worker nor back; there it was in memory four times."""
    items = raws(*LARGE, random.Random(1).randbytes(2_000_000))
    assert large(items)
    between = Scratch()
    sent = pickle.dumps((between, between.raws(items)))
    there, hollow = pickle.loads(sent)
    assert there.whole(hollow) == items
    found = [read(item) for item in items]
    back = pickle.dumps(there.parsed(found))
    assert between.complete(pickle.loads(back)) == found
    assert len(sent) < 10_000
    assert len(back) < len(pickle.dumps([replace(item, blobs=()) for item in found])) + 10_000


@pytest.mark.parametrize("body", [b"death", b"memory"])
def test_a_large_item_that_wants_too_much_costs_only_itself(workers: Workers, body: bytes) -> None:
    good = b"good" + b" " * 2_000_000
    items = raws(good, body, good)
    found = prepared(workers, items)
    assert [item.unreadable for item in found] == [False, True, False]
    assert unpack(found[1].blobs[0].packed) == items[1].data
