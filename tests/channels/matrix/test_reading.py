"""What people do in rooms, as the desk is told of it; against a real homeserver."""

from __future__ import annotations

import asyncio
import itertools
import time

import pytest

from channels.matrix import reading
from channels.matrix.homeserver import Homeserver
from desk.channel import Activity, Edit, Inbound, Membership, Reaction, Receipt, Removal
from desk.model import State
from tests.channels.matrix.accounts import Desk, account, only
from tests.servers.synapse import CLIENT, Person, Synapse


def together(synapse: Synapse, *guests: Person, public: bool = False) -> tuple[Person, Person, str]:
    """Ann, the desk's account, and a room with both (and guests)."""
    ann, ours = synapse.person("ann"), synapse.person("help")
    room = ann.opens(ours.id, *(guest.id for guest in guests), public=public)
    for person in (ours, *guests):
        person.does(room, "join")
    return ann, ours, room


async def begun(synapse: Synapse, person: Person, **other: object) -> Desk:
    """A desk that has read what was there."""
    desk = Desk(account(synapse, person, **other))
    await desk.read()
    return desk


async def test_a_message_says_who_where_and_when(synapse: Synapse) -> None:
    ann, ours, room = together(synapse)
    ann.ask("PUT", f"/_matrix/client/v3/profile/{ann.id}/displayname", {"displayname": "Ann Example"})
    desk = await begun(synapse, ours)
    before = time.time_ns() // 1_000_000
    event = ann.says(room, "**hello**\nworld")
    (said,) = await desk.heard()
    assert (said.external_id, said.text, said.visible) == (event, "**hello**\nworld", "**hello**\nworld")
    assert said.sender is not None
    assert (said.sender.kind, said.sender.value, said.sender.display) == ("matrix", ann.id, "Ann Example")
    assert said.conversation == room
    assert said.at is not None
    assert abs(said.at - before) < 10_000
    assert abs(said.received_at - before) < 10_000
    assert said.link == f"https://matrix.to/#/{room}/{event}" + (
        f"?via={room.partition(':')[2]}" if ":" in room else ""
    )
    assert not said.public
    assert not said.ours
    await desk.channel.close()


async def test_the_first_reading_takes_the_last_messages_of_each_room(synapse: Synapse) -> None:
    ann, ours, room = together(synapse)
    for number in range(8):
        ann.says(room, str(number))
    desk = Desk(account(synapse, ours, backlog=3))
    assert [m.text for m in await desk.heard()] == ["5", "6", "7"]
    assert await desk.heard() == []
    nothing = Desk(account(synapse, ours, backlog=0))
    assert await nothing.heard() == []
    ann.says(room, "8")
    assert [m.text for m in await nothing.heard()] == ["8"]


async def test_what_was_said_before_we_were_invited_was_said_to_others(synapse: Synapse) -> None:
    ann, ours = synapse.person("ann"), synapse.person("help")
    desk = await begun(synapse, ours)
    room = ann.opens(public=True)
    ann.says(room, "to others")
    ours.does(room, "join")
    ann.says(room, "to us")
    assert [m.text for m in await desk.heard()] == ["to us"]


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Timelines, pages and batches of a few events."""
    monkeypatch.setattr(reading, "TIMELINE", 4)
    monkeypatch.setattr(reading, "_PAGE", 5)
    monkeypatch.setattr(reading, "TOGETHER", 6)


async def test_after_an_outage_everything_comes_in_order_and_once(synapse: Synapse, short: None) -> None:
    ann, ours, room = together(synapse)
    desk = await begun(synapse, ours)
    wanted = [str(number) for number in range(18)]
    for text in wanted:
        ann.says(room, text)
    await desk.restart()
    batches = [batch async for batch in desk.channel.poll(desk.cursor)]
    assert [m.text for b in batches for m in b.items if isinstance(m, Inbound)] == wanted
    assert len(batches) > 1
    # Broken off behind the first batch, the rest is still to come.
    assert batches[0].cursor == desk.cursor != batches[-1].cursor
    again = Desk(desk.settings)
    again.cursor = batches[0].cursor
    assert [m.text for m in await again.heard()] == wanted
    again.cursor = batches[-1].cursor
    assert await again.heard() == []


async def test_an_outage_goes_back_no_further_than_the_cursor(synapse: Synapse, short: None) -> None:
    ann, ours, room = together(synapse)
    for number in range(5):
        ann.says(room, f"old {number}")
    desk = await begun(synapse, ours)
    for number in range(7):
        ann.says(room, f"new {number}")
    assert [m.text for m in await desk.heard()] == [f"new {number}" for number in range(7)]


async def test_waiting_ends_with_a_message_and_polling_asks_no_more(
    synapse: Synapse, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, ours, room = together(synapse)
    desk = await begun(synapse, ours)
    begun_at = time.monotonic()
    waiting = asyncio.create_task(desk.channel.wait(20))
    await asyncio.sleep(0)
    await asyncio.to_thread(ann.says, room, "now")
    await waiting
    assert time.monotonic() - begun_at < 5
    await desk.channel._rooms.get(room)
    monkeypatch.delattr(Homeserver, "ask")
    assert [m.text for m in await desk.heard()] == ["now"]


async def test_what_is_sent_to_the_session_alone_wakes_us_once(
    synapse: Synapse, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, ours, room = together(synapse)
    desk = await begun(synapse, ours)
    ann.ask("PUT", f"{CLIENT}/sendToDevice/m.room_key_request/1", {"messages": {ours.id: {"*": {"body": "keys?"}}}})
    asked: list[str] = []
    sync = desk.channel._reading._sync

    async def counted(since: str, seconds: float) -> dict[str, object]:
        asked.append(since)
        return await sync(since, seconds)

    monkeypatch.setattr(desk.channel._reading, "_sync", counted)
    await desk.channel.wait(0.3)
    assert len(set(asked)) == len(asked) <= 3, "each time from another place, and never at full speed"
    ann.says(room, "still heard")
    assert [m.text for m in await desk.heard()] == ["still heard"]


async def test_quiet_polls_move_no_cursor(synapse: Synapse) -> None:
    _, ours, _ = together(synapse)
    desk = await begun(synapse, ours)
    cursor = desk.cursor
    for _ in range(3):
        assert [b async for b in desk.channel.poll(cursor)] == []


async def test_replies_and_threads(synapse: Synapse) -> None:
    ann, ours, room = together(synapse)
    desk = await begun(synapse, ours)
    first = ann.says(room, "question")
    quoting = f"> <{ann.id}> question\n> more\n\nand another"
    ann.says(room, quoting, **{"m.relates_to": {"m.in_reply_to": {"event_id": first}}})
    thread = {"rel_type": "m.thread", "event_id": first, "is_falling_back": True, "m.in_reply_to": {"event_id": "$x"}}
    ann.says(room, "in a thread", **{"m.relates_to": thread})
    _, reply, threaded = await desk.heard()
    assert (reply.answers, reply.text, reply.conversation) == (first, "and another", room)
    assert (threaded.answers, threaded.conversation) == (first, f"{room} {first}")


async def test_an_edit_counts_when_its_author_made_it(synapse: Synapse) -> None:
    mallory = synapse.person("mallory")
    ann, ours, room = together(synapse, mallory)
    desk = await begun(synapse, ours)
    first = ann.says(room, "helo")
    change = {"m.relates_to": {"rel_type": "m.replace", "event_id": first}}
    edit = ann.says(room, "* hello", **change, **{"m.new_content": {"msgtype": "m.text", "body": "hello"}})
    mallory.says(room, "* evil", **change, **{"m.new_content": {"msgtype": "m.text", "body": "evil"}})
    assert [(e.external_id, e.target, e.text) for e in only(Edit, await desk.read())] == [(edit, first, "hello")]
    # Another process has not seen who wrote it, and asks.
    other = Desk(desk.settings)
    other.cursor = desk.cursor
    mallory.says(room, "* evil", **change, **{"m.new_content": {"msgtype": "m.text", "body": "evil"}})
    ann.says(room, "* hullo", **change, **{"m.new_content": {"msgtype": "m.text", "body": "hullo"}})
    assert [e.text for e in only(Edit, await other.read())] == ["hullo"]


async def test_redactions_and_reactions(synapse: Synapse) -> None:
    ann, ours, room = together(synapse)
    desk = await begun(synapse, ours)
    first = ann.says(room, "oops")
    like = ann.sends(room, "m.reaction", {"m.relates_to": {"rel_type": "m.annotation", "event_id": first, "key": "👍"}})
    (reaction,) = only(Reaction, await desk.read())
    assert (reaction.external_id, reaction.target, reaction.mark, reaction.gone) == (like, first, "👍", False)
    unlike, gone = ann.redacts(room, like), ann.redacts(room, first)
    back, removal = await desk.read()
    assert isinstance(back, Reaction)
    assert (back.external_id, back.target, back.mark, back.gone) == (unlike, first, "👍", True)
    assert isinstance(removal, Removal)
    assert (removal.external_id, removal.target) == (gone, first)


async def test_receipts_and_typing(synapse: Synapse) -> None:
    ann, ours, room = together(synapse)
    desk = await begun(synapse, ours)
    (sent,) = await desk.say("hello", conversation=room)
    assert sent.remote_id
    ann.reads(room, sent.remote_id)
    ann.types(room)
    told = await desk.read()
    (receipt,) = only(Receipt, told)
    assert (receipt.target, receipt.state, receipt.through) == (sent.remote_id, State.READ, True)
    (typing,) = only(Activity, told)
    assert (typing.sender.value, typing.doing, typing.conversation) == (ann.id, "typing", room)
    ann.types(room, False)
    (silent,) = only(Activity, await desk.read())
    assert (silent.sender.value, silent.doing) == (ann.id, "")
    await desk.channel.attend(room, seen=sent.remote_id, typing=True)
    assert only(Receipt, await desk.read()) == [], "what we read ourselves is no news"


async def test_who_comes_and_goes(synapse: Synapse) -> None:
    bob = synapse.person("bob")
    ann, ours, room = together(synapse)
    desk = await begun(synapse, ours)
    ann.does(room, "invite", {"user_id": bob.id})
    bob.does(room, "join")
    bob.ask("PUT", f"/_matrix/client/v3/profile/{bob.id}/displayname", {"displayname": "Bobby"})
    bob.does(room, "leave")
    told = [(m.sender.value, m.joined, m.conversation) for m in only(Membership, await desk.read())]
    assert told == [(bob.id, True, room), (bob.id, False, room)]
    ann.does(room, "kick", {"user_id": ours.id, "reason": "wrong room"})
    (gone,) = only(Membership, await desk.read())
    assert (gone.sender.value, gone.joined) == (ours.id, False)


async def test_in_a_public_room_each_person_has_a_conversation(synapse: Synapse) -> None:
    bob = synapse.person("bob")
    ann, ours, room = together(synapse, bob, public=True)
    desk = await begun(synapse, ours)
    ann.says(room, "mine")
    event = bob.says(room, "his")
    bob.reads(room, event)
    bob.types(room)
    told = await desk.read()
    assert [(m.conversation, m.public) for m in only(Inbound, told)] == [(f"{room} {ann.id}", True), (f"{room} {bob.id}", True)]  # fmt: skip
    assert [a.conversation for a in only(Activity, told)] == [f"{room} {bob.id}"]
    assert only(Receipt, told) == [], "that Bob has read it says nothing of Ann"
    shared = Desk(account(synapse, ours, conversations="room", backlog=10))
    assert {m.conversation for m in await shared.heard()} == {room}


async def test_what_we_say_ourselves_is_ours(synapse: Synapse) -> None:
    ann, ours, room = together(synapse, public=True)
    desk = await begun(synapse, ours)
    first = ann.says(room, "question")
    (sent,) = await desk.say("answer", conversation=f"{room} {ann.id}", answers=first)
    ours.says(room, "by hand", **{"m.relates_to": {"m.in_reply_to": {"event_id": first}}})
    ours.says(room, "to all")
    _, echo, by_hand, to_all = await desk.heard()
    assert (echo.external_id, echo.ours, echo.conversation) == (sent.remote_id, True, f"{room} {ann.id}")
    assert (by_hand.ours, by_hand.answers) == (True, first)
    assert (to_all.ours, to_all.conversation) == (True, f"{room} {ours.id}")


async def test_files_come_within_limits_and_else_are_told_of(synapse: Synapse) -> None:
    ann, ours, room = together(synapse)
    desk = await begun(synapse, ours, attachment_limit_bytes=5000)
    small, large = ann.uploads(b"\x89PNG small", "s.png"), ann.uploads(bytes(6000), "l.bin")
    counter = itertools.count()

    def sends(url: object, **more: object) -> None:
        ann.sends(room, "m.room.message", {"msgtype": "m.image", "body": f"{next(counter)}.png", "url": url, **more})

    sends(small, info={"mimetype": "image/png", "size": 10}, filename="holiday.png")
    sends(large)
    sends(small, info={"size": 999_999_999})
    sends("mxc://desk.test/gone")
    sends("mxc://desk.test/../../../etc/passwd")
    sends(None, file={"url": small, "key": {}})
    ann.says(room, "still here")
    heard = await desk.heard()
    assert len(heard) == 7
    (picture,) = heard[0].attachments
    assert (picture.name, picture.content_type, picture.size) == ("holiday.png", "image/png", 10)
    assert [blob.key for blob in heard[0].blobs] == [picture.sha256]
    assert heard[0].text == "0.png"
    for message, why in zip(heard[1:], ("5,000", "999,999,999", "was not fetched", "was not fetched", "encrypted"), strict=False):  # fmt: skip
        assert not message.attachments
        assert why in message.text
        assert message.link in message.text
    assert heard[-1].text == "still here"


async def test_an_encrypted_message_says_so_and_what_to_do(synapse: Synapse) -> None:
    ann, ours, room = together(synapse)
    desk = await begun(synapse, ours)
    ann.sends(room, "m.room.encrypted", {"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "AwgA"})
    (said,) = await desk.heard()
    assert said.protection == "encrypted"
    assert "cannot read it" in said.text
    assert f"write to {ours.id} in a room without encryption" in said.text


async def test_an_account_whose_place_is_forgotten_is_read_anew(synapse: Synapse) -> None:
    ann, ours, room = together(synapse)
    for text in ("one", "two", "three"):
        ann.says(room, text)
    desk = Desk(account(synapse, ours, backlog=2))
    desk.cursor = '{"since": "of another server"}'
    assert [m.text for m in await desk.heard()] == ["two", "three"]
    ann.says(room, "four")
    assert [m.text for m in await desk.heard()] == ["four"]
