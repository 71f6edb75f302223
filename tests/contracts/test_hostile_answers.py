"""What another side may answer: anything. Whatever it is, an account fails in the protocol's words or goes on.

Answers that a kind's own server gives are changed at every level: a field is missing, of another type,
huge, deep, or no text that a store takes. Nothing but a `ChannelError` leaves `poll`, what comes out goes into a
store, and one bad entry in a list holds up nothing. HOSTILE_TURNS=1000 looks longer.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from channels.kit.conformance import Ground, read
from channels.kit.http import Answer, Http
from desk.channel import ChannelError, RateLimited
from tests.contracts.test_channels import Desk, items

KINDS = ("discourse", "facebook", "instagram", "mastodon", "matrix", "stackexchange", "telegram", "x")
TURNS = int(os.environ.get("HOSTILE_TURNS", "25"))
PATIENCE_S = 20.0

DEEP: Any = json.loads("[" * 200 + "]" * 200)
VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 2**70, 10**400, 1.5, float("nan"), float("inf"), "", "x", "\ud800\x00\x1b[2J", "a" * 100_000,
    "http://[", "https://127.0.0.1:1/x", "9999-12-31T23:59:59+00:00", "0001-01-01T00:00:00-23:59", "\u00b2", "/../..",
    [], {}, [None, 1, "x", [], {}], {"": None}, {"id": {"id": []}}, DEEP, ...,
)  # fmt: skip
"""What stands there instead; an Ellipsis takes it away."""

Way = tuple[Any, ...]


def places(found: Any, way: Way = ()) -> Iterator[Way]:
    """The way to everything in an answer."""
    yield way
    inside = found.items() if isinstance(found, dict) else enumerate(found) if isinstance(found, list) else ()
    for name, value in inside:
        yield from places(value, (*way, name))


def changed(found: Any, way: Way, value: Any) -> Any:
    """`found` with `value` at the end of `way`."""
    if not way:
        return None if value is ... else value
    copy: Any = dict(found) if isinstance(found, dict) else list(found)
    name, *rest = way
    if value is ... and not rest:
        del copy[name]
    else:
        copy[name] = changed(copy[name], tuple(rest), value)
    return copy


class Liar:
    """Stands between an account and its server, and changes what is answered at a place now and then."""

    def __init__(self, turn: int, *, within: bool = False) -> None:
        self._chance = random.Random(turn)
        self._often = self._chance.choice((1.0, 0.3, 0.1))
        self._within = within
        self.lies: list[str] = []

    async def exchange(self, http: Http, client: Any, request: Any, *rest: Any) -> Answer:
        answer: Answer = await EXCHANGE(http, client, request, *rest)
        try:
            found = json.loads(answer.data)
        except ValueError:
            return answer
        ways = list(places(found))
        if self._within:
            ways = [way for way in ways if any(isinstance(name, int) for name in way)]
        if not ways or self._chance.random() > self._often or (self._within and self.lies):
            return answer
        way, value = self._chance.choice(ways), self._chance.choice(VALUES)
        self.lies.append(f"{request.method} {request.url.path} {way} = {str(value)[:60]!r}")
        return Answer(answer.status, answer.headers, json.dumps(changed(found, way, value)).encode())


EXCHANGE = Http._exchange


@pytest.fixture(params=KINDS)
def ground(request: pytest.FixtureRequest) -> Ground:
    """Every kind that asks a service over HTTP for JSON."""
    found = importlib.import_module(f"tests.channels.{request.param}.ground").ground(request)
    assert isinstance(found, Ground)
    return found


async def told(ground: Ground, cursor: str | None, desk: Desk) -> str | None:
    """Read as another process would, and take it in; the cursor behind it."""
    channel = ground.open()
    try:
        async with asyncio.timeout(PATIENCE_S):
            batches = await read(channel, cursor)
    finally:
        await channel.close()
    desk.take(desk.prepared(items(batches)))
    for batch in batches:
        desk.store.write(partial(_keep, cursor=batch.cursor))
    return batches[-1].cursor if batches else cursor


def _keep(tx: Any, cursor: str) -> None:
    tx.set_cursor("support", cursor)


@pytest.mark.parametrize("within", [False, True])
async def test_no_answer_breaks_an_account(
    ground: Ground, within: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ground.news()
    desk = Desk(tmp_path, ground)
    cursor = await told(ground, None, desk)
    ground.news()
    for turn in range(TURNS):
        liar = Liar(turn, within=within)
        monkeypatch.setattr(Http, "_exchange", lambda *given, liar=liar: liar.exchange(*given))
        try:
            await told(ground, random.Random(turn).choice((None, cursor)), desk)
        except Exception as error:
            said = str(error).encode("ascii", "replace")
            # A bad entry of a list is no reason to fail at all; the servers here have their limits, too.
            if not isinstance(error, RateLimited if within else ChannelError):
                pytest.fail(f"{type(error).__name__} {said!r} in turn {turn} after {liar.lies}")
    monkeypatch.setattr(Http, "_exchange", EXCHANGE)
    assert desk.store.check() == []
    desk.store.close()
