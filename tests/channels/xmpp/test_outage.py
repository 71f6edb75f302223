"""What breaks: the server, the connection, a message in the middle; and what is certain afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from channels.xmpp import account
from desk.channel import Inbound, Permanent, Receipt, Retry, Unknown
from desk.model import State
from tests.channels.xmpp.seats import SIGNED, Seat, answer, hears, nothing
from tests.servers.cutting import Cutting
from tests.servers.prosody import Client, Prosody


@pytest.fixture(scope="module")
def bare_prosody() -> Iterator[Prosody]:
    """A server without an archive and without stream management."""
    server = Prosody(archive=False, management=False)
    yield server
    server.end()


async def test_after_an_outage_all_that_was_missed_comes_once_and_in_order(prosody: Prosody, desk: str) -> None:
    room = prosody.room()
    ann = prosody.client(prosody.account("ann", "desk.test")).online()
    ann.join(room, "Ann")
    ann.configure(room, persistentroom="1")
    seat = Seat(prosody, desk, rooms=(room,))
    await seat.read()
    ann.say(desk, "before")
    await seat.until(Inbound)
    await seat.read()
    prosody.stop()
    try:
        with pytest.raises(Retry, match=r"127\.0\.0\.1"):
            await seat.account.wait(5)
        with pytest.raises(Retry, match=r"127\.0\.0\.1 cannot be reached: .*onnect"):
            await seat.read()
    finally:
        prosody.start()
    ann = prosody.client(ann.bare).online()
    ann.join(room, "Ann")
    for number in range(3):
        ann.say(desk, f"chat {number}")
        ann.say(room, f"room {number}", kind="groupchat")
    told = await seat.texts()
    assert [text for text in told if "chat" in text] == ["chat 0", "chat 1", "chat 2"]
    assert [text for text in told if "room" in text] == ["room 0", "room 1", "room 2"]
    ann.say(desk, "after")
    assert (await seat.until(Inbound, lambda i: i.text == "after")).conversation == ann.bare
    assert await seat.texts() == []
    ann.close()
    await seat.close()


async def test_more_than_a_page_was_missed(prosody: Prosody, desk: str, ann: Client) -> None:
    seat = Seat(prosody, desk)
    await seat.read()
    await seat.close()
    for number in range(103):
        ann.send(f"<message to='{desk}' type='chat' id='missed-while-away-{number}'><body>{number}</body></message>")
    ann.settle()
    assert await seat.texts() == [str(number) for number in range(103)]
    await seat.close()


async def test_an_archive_that_has_forgotten_the_place_is_read_from_its_time(
    prosody: Prosody, desk: str, ann: Client
) -> None:
    seat = Seat(prosody, desk)
    ann.say(desk, "one")
    await seat.read()
    assert seat.cursor
    seat.cursor = seat.cursor.replace('[""', '["').replace('"": ["', '"": ["gone-')
    await seat.close()
    assert await seat.texts() == ["one"]
    await seat.close()


@pytest.mark.parametrize("cursor", ["", "{}", "[]", "null", "nonsense", '{"at": {"": [1]}}', '{"n": {}, "at": 7}'])
async def test_a_cursor_that_is_none_begins_anew(prosody: Prosody, desk: str, ann: Client, cursor: str) -> None:
    ann.say(desk, "one")
    seat = Seat(prosody, desk, cursor)
    await seat.read()
    ann.say(desk, "two")
    assert (await seat.until(Inbound, lambda i: i.text == "two")).conversation == ann.bare
    await seat.close()


async def test_a_server_that_says_nothing_any_more_is_left(prosody: Prosody, desk: str) -> None:
    async with Cutting(prosody.port, 10**9) as wire:
        seat = Seat(prosody, desk, port=wire.port, timeout_s=1.0)
        await seat.read()
        for task in list(wire._tasks):
            task.cancel()  # what is said from now on arrives nowhere
        with pytest.raises(Retry, match=r"hung up|does not answer"):
            await seat.account.wait(0.01)
        await seat.close()


class Wire:
    """A phase that cuts the wire: what is sent from there on, or what is answered."""

    def __init__(self, wire: Cutting, after: int) -> None:
        self._wire, self._after = wire, after
        self.phases: list[str] = []

    async def __call__(self, phase: str) -> None:
        self.phases.append(phase)
        self._wire.left = self._after


async def test_a_message_that_broke_off_on_its_way_is_unknown(prosody: Prosody, desk: str, ann: Client) -> None:
    async with Cutting(prosody.port, 10**9, asked=True) as wire:
        seat = Seat(prosody, desk, port=wire.port)
        await seat.read()
        part, *_ = seat.account.render(answer(ann.bare))
        cut = Wire(wire, 40)
        with pytest.raises(Unknown, match="hung up before it had taken the message; it may have gone out"):
            await seat.account.send(part, "deskhand-1-7", cut)
        assert cut.phases == ["data"]
        ann.settle()
        assert not [e for e in ann.kept if e.find("{jabber:client}body") is not None]
        # A person decides to send it again.
        await seat.account.send(part, "deskhand-1-7", nothing)
        assert (await hears(ann)).find("{jabber:client}body").text == "Hello"
        await seat.close()


@pytest.mark.parametrize("in_a_room", [False, True], ids=["chat", "room"])
async def test_a_message_whose_acknowledgement_was_lost_is_found_in_the_archive(
    prosody: Prosody, desk: str, ann: Client, in_a_room: bool
) -> None:
    room = prosody.room()
    ann.join(room, "Ann")
    async with Cutting(prosody.port, 10**9) as wire:
        seat = Seat(prosody, desk, port=wire.port, rooms=(room,))
        await seat.read()
        to = room if in_a_room else ann.bare
        part, *_ = seat.account.render(answer(ann.bare, conversation=to))
        sent = await seat.account.send(part, "deskhand-1-7", Wire(wire, 1))
        assert wire.cut
        again = await seat.account.send(part, "deskhand-1-7", nothing)
        assert again == sent
        await hears(ann)
        ann.settle()
        assert not [e for e in ann.kept if e.find("{jabber:client}body") is not None], "it went out once"
        echo = [item for item in await seat.read() if isinstance(item, Inbound)]
        assert [item.external_id for item in echo] == [sent.remote_id]
        await seat.close()


async def test_nothing_is_unknown_that_never_began(prosody: Prosody, desk: str, ann: Client) -> None:
    seat = Seat(prosody, desk, port=1)
    with pytest.raises(Retry, match="cannot be reached"):
        await seat.send(ann.bare)
    await seat.close()


async def test_what_nobody_can_take_comes_back_at_once(prosody: Prosody, desk: str) -> None:
    seat = Seat(prosody, desk)
    for to in ("nobody@nowhere.example", "nobody@files.localhost"):
        with pytest.raises((Permanent, Retry), match=f"{to} says: "):
            await seat.send(to, key=to)
    await seat.close()


async def test_without_archive_and_management_a_message_is_certain_all_the_same(bare_prosody: Prosody) -> None:
    desk = bare_prosody.account()
    ann = bare_prosody.client(bare_prosody.account("ann", "desk.test")).online()
    async with Cutting(bare_prosody.port, 10**9) as wire:
        seat = Seat(bare_prosody, desk, port=wire.port)
        said = await seat.account.check()
        assert any("there is no archive" in sentence for sentence in said)
        assert any("answers a question behind it" in sentence for sentence in said)
        await seat.send(ann.bare)
        assert (await hears(ann)).find("{jabber:client}body").text == "Hello"
        part, *_ = seat.account.render(answer(ann.bare, "Again"))
        with pytest.raises(Unknown):
            await seat.account.send(part, "deskhand-2-8", Wire(wire, 1))
        await seat.read()
        ann.say(desk, "short", id="1")
        assert (await seat.until(Inbound)).text == "short"
        await seat.close()
    ann.close()


async def test_a_room_without_an_archive_tells_what_was_said_since(bare_prosody: Prosody) -> None:
    desk, room = bare_prosody.account(), bare_prosody.room()
    ann = bare_prosody.client(bare_prosody.account("ann", "desk.test")).online()
    ann.join(room, "Ann")
    seat = Seat(bare_prosody, desk, rooms=(room,))
    await seat.read()
    ann.say(room, "live", kind="groupchat")
    live = await seat.until(Inbound)
    await seat.close()
    ann.say(room, "while you were away", kind="groupchat")
    later = Seat(bare_prosody, desk, seat.cursor, rooms=(room,))
    missed: list[Any] = []
    while "while you were away" not in [item.text for item in missed]:
        missed += [item for item in await later.read() if isinstance(item, Inbound)]
    assert {item.external_id for item in missed if item.text == "live"} <= {live.external_id}
    ann.close()
    await later.close()


async def test_a_message_that_is_unknown_is_sent_when_the_archive_shows_it(
    prosody: Prosody, desk: str, ann: Client
) -> None:
    async with Cutting(prosody.port, 10**9) as wire:
        seat = Seat(prosody, desk, port=wire.port)
        await seat.read()
        part, *_ = seat.account.render(answer(ann.bare))

        async def nobody_looks(*_: Any) -> None:
            return None

        seat.account._already = nobody_looks  # type: ignore[method-assign]
        with pytest.raises(Unknown):
            await seat.account.send(part, "deskhand-1-7", Wire(wire, 1))
        echo = await seat.until(Inbound)
        found = await seat.until(Receipt)
        assert (found.target, found.state, echo.message_id) == (echo.external_id, State.SENT, SIGNED)
        await seat.close()


async def test_one_part_of_a_text_says_nothing_of_the_others(prosody: Prosody, desk: str, ann: Client) -> None:
    seat = Seat(prosody, desk)
    await seat.send(ann.bare, "A long sentence. " * 1000)
    told = await seat.read()
    assert [type(item) for item in told] == [Inbound]
    await seat.close()


async def test_a_server_that_goes_silent_in_the_middle_is_left_and_asked_anew(
    prosody: Prosody, desk: str, ann: Client
) -> None:
    class Deaf(dict[str, Any]):
        """Hears no acknowledgement."""

        def __setitem__(self, id: str, waiting: Any) -> None:
            pass

    seat = Seat(prosody, desk, timeout_s=1.0)
    await seat.read()
    stream = seat.account._stream
    assert stream is not None
    stream._acked = Deaf()
    sent = await seat.send(ann.bare)
    assert seat.account._stream is not stream, "another connection, and the archive has the message"
    assert (await hears(ann)).get("id") in (sent.remote_id or "")
    await seat.close()


async def test_what_nobody_takes_in_is_left_to_the_server(
    prosody: Prosody, desk: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account, "MOST", 5)
    ann = prosody.client(prosody.account("busy")).online()
    seat = Seat(prosody, desk)
    await seat.read()
    wrote = [f"question {number}" for number in range(30)]
    for text in wrote:
        ann.say(desk, text)
    with pytest.raises(Retry, match="wait until the store takes them"):
        await until_lost(seat)
    assert len(seat.account._buffer) <= 5
    heard: list[str] = []
    while len(heard) < 30:
        heard += await seat.texts()
        with suppress(Retry):
            await seat.account.wait(0.2)
    assert sorted(set(heard)) == sorted(wrote)
    ann.close()
    await seat.close()


async def until_lost(seat: Seat) -> None:
    """Wait without reading, as while the store is away."""
    while True:
        await asyncio.sleep(0.02)
        stream = seat.account._stream
        if stream is not None and stream.lost.done():
            raise Retry(stream.lost.result())
