"""The contract of every channel: the suite finds all kinds by itself, and asks each the same.

A kind needs a `tests/channels/KIND/ground.py`: how an account of it is opened against
something real. A kind without one fails here, so that no channel joins the desk unproven.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pickle
import time
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import pytest

import channels
from desk.capabilities import Capabilities
from desk.channel import Batch, Channel, Inbound, Outgoing, Poller, Raw, Sender, Sent, Stream
from desk.intake import Intake, prepare, take_in
from desk.model import Identity
from desk.store import Batch as Header
from desk.threads import Signer
from storage import open_store
from tests.channels.grounds import Ground

KINDS = channels.kinds()


@pytest.fixture(params=KINDS)
def ground(request: pytest.FixtureRequest) -> Ground:
    """Every kind there is, built in or installed."""
    place = f"tests.channels.{request.param}.ground"
    assert find_spec(place), f"the channel {request.param} has no ground to be proven on: write {place}"
    found = importlib.import_module(place).ground(request)
    assert isinstance(found, Ground)
    return found


async def read(channel: Channel, cursor: str | None) -> list[Batch]:
    """One poll, confirmed as the relay does."""
    assert isinstance(channel, Poller)
    batches = []
    async for batch in channel.poll(cursor):
        await channel.confirm(batch)
        batches.append(batch)
    return batches


def items(batches: list[Batch]) -> list[Raw | Inbound]:
    """The messages in them; signals have rules of their own."""
    return [item for batch in batches for item in batch.items if isinstance(item, (Raw, Inbound))]


def draft(channel: Channel, ground: Ground) -> Outgoing:
    ours = channel.addresses[0]
    return Outgoing(12, "deskhand.12.0123456789abcdef.7@desk.test", 1_790_000_000_000, ours, (ground.customer,), "**Hello** Ann", "Re: Hello", references=("m1@example.com",), conversation=ground.conversation)  # fmt: skip


def sender(channel: Channel) -> Sender:
    """The channel as one that answers; what only listens says so and is left out."""
    if not channel.capabilities.sends:
        assert not isinstance(channel, Sender)
        pytest.skip("it only listens")
    assert isinstance(channel, Sender)
    return channel


async def test_opening_is_quick_and_says_what_it_can(ground: Ground) -> None:
    assert dataclasses.is_dataclass(channels.load(ground.kind).Settings)
    begun = time.monotonic()
    channel = ground.open()
    assert time.monotonic() - begun < 1.0, "opening does nothing on the network"
    assert isinstance(channel.capabilities, Capabilities)
    assert channel.addresses
    assert all(isinstance(identity, Identity) and identity.value for identity in channel.addresses)
    assert isinstance(channel, (Poller, Sender)), "a channel that neither reads nor sends is none"
    await channel.close()
    await channel.close()


async def test_check_tells_what_was_found_in_sentences(ground: Ground) -> None:
    channel = ground.open()
    said = await channel.check()
    assert said
    assert all(isinstance(sentence, str) and sentence for sentence in said)
    await channel.close()


async def test_nothing_is_handed_out_twice_after_its_cursor(ground: Ground) -> None:
    ground.news()
    channel = ground.open()
    first = await read(channel, None)
    assert items(first)
    ids = [item.external_id for item in items(first)]
    assert len(ids) == len(set(ids))
    other = ground.open()
    again = [item.external_id for item in items(await read(other, first[-1].cursor))]
    assert not set(again) & set(ids), "another process goes on behind the cursor"
    await channel.close()
    await other.close()


async def test_replay_gives_the_same_items_by_the_same_names(ground: Ground) -> None:
    ground.news()
    seen = []
    for _ in range(2):
        channel = ground.open()
        seen.append([item.external_id for item in items(await read(channel, None))])
        await channel.close()
    assert seen[0] == seen[1]


async def test_confirming_again_is_fine(ground: Ground) -> None:
    ground.news()
    channel = ground.open()
    assert isinstance(channel, Poller)
    batches = await read(channel, None)
    for batch in batches:
        await channel.confirm(batch)
    await channel.close()
    assert items(batches)


async def test_everything_taken_in_twice_is_in_the_store_once(ground: Ground, tmp_path: Path) -> None:
    ground.news()
    module = channels.load(ground.kind)
    store = open_store(f"sqlite:///{tmp_path}/desk.db", create=True)
    how = Intake("support", ground.kind, store.config, Signer(b"x" * 32))
    counted = []
    for turn in range(2):
        channel = ground.open()
        parse = getattr(channel, "parser", None) or getattr(module, "parse", None)
        assert parse is None or pickle.loads(pickle.dumps(parse)), "a parser goes to worker processes"
        inbound = [prepare(item, parse) for item in items(await read(channel, None))]
        assert all(item.sender is not None and item.text for item in inbound)
        header = Header(f"turn-{turn}", 1_790_000_000_000, source="support")
        body = partial(take_in, how=how, told=inbound, batch=header, cursor=f"c{turn}")
        counted.append(store.write(body).messages)
        await channel.close()
    assert counted[0] > 0
    assert counted[1] == 0
    assert store.check() == []
    store.close()


async def test_waiting_ends_in_time(ground: Ground) -> None:
    channel = ground.open()
    if isinstance(channel, Stream):
        begun = time.monotonic()
        await channel.wait(0.2)
        assert time.monotonic() - begun < 10.0
    assert inspect.iscoroutinefunction(channel.close)
    await channel.close()


async def test_the_same_draft_gives_the_same_bytes(ground: Ground) -> None:
    channel = ground.open()
    render = sender(channel).render
    assert [p.data for p in render(draft(channel, ground))] == [p.data for p in render(draft(channel, ground))]
    await channel.close()


async def test_sending_says_when_it_can_no_longer_be_taken_back(ground: Ground) -> None:
    channel = ground.open()
    sending = sender(channel)
    phases: list[str] = []

    async def phase(name: str) -> None:
        phases.append(name)

    for part in sending.render(draft(channel, ground)):
        sent = await sending.send(part, "deskhand-1-7", phase)
        assert isinstance(sent, Sent)
        assert not sent.refused
        await sending.archive(part)
    assert phases == ["data"]
    await channel.close()


def test_the_demo_channel_shows_how_small_a_plugin_is() -> None:
    source = Path(inspect.getsourcefile(channels.load("demo")) or "").read_text("utf-8")  # type: ignore[arg-type]
    code = [line for line in source.splitlines() if line.strip() and not line.strip().startswith(("#", '"""'))]
    assert len(code) <= 80
