"""Which rooms are entered and read, and where a conversation goes when its room is upgraded."""

from __future__ import annotations

import pytest

from desk.channel import Batch, Permanent, RateLimited
from tests.channels.matrix.accounts import Desk, account
from tests.servers.synapse import CLIENT, Person, Synapse, segment


async def begun(synapse: Synapse, person: Person, **other: object) -> Desk:
    """A desk that has read what was there."""
    desk = Desk(account(synapse, person, **other))
    await desk.read()
    return desk


def upgraded(person: Person, room: str) -> str:
    """Upgrade a room; the new one."""
    answer = person.ask("POST", f"{CLIENT}/rooms/{segment(room)}/upgrade", {"new_version": "11"})
    return str(answer["replacement_room"])


async def test_who_writes_to_us_directly_is_let_in_and_heard(synapse: Synapse) -> None:
    ann, ours = synapse.person("ann"), synapse.person("help")
    desk = await begun(synapse, ours)
    room = ann.opens(ours.id, direct=True)
    ann.says(room, "before you are here")
    await desk.read()
    ann.says(room, "now you are")
    assert [m.text for m in await desk.heard()] == ["before you are here", "now you are"]
    kept = ours.ask("GET", f"{CLIENT}/user/{segment(ours.id)}/account_data/m.direct")
    assert kept == {ann.id: [room]}, "other programs of the account know it too"


async def test_invitations_are_left_alone_where_the_settings_say_so(synapse: Synapse) -> None:
    ann, ours = synapse.person("ann"), synapse.person("help")
    desk = await begun(synapse, ours, accept_invites=False)
    room = ann.opens(ours.id, direct=True)
    await desk.read()
    assert ours.invited() == [room]
    # The server tells of each once; a process that begins asks for those that wait.
    willing = Desk(account(synapse, ours))
    willing.cursor = desk.cursor
    await willing.read()
    assert ours.ask("GET", f"{CLIENT}/joined_rooms")["joined_rooms"] == [room]


async def test_an_invitation_to_nowhere_holds_nothing_up(synapse: Synapse) -> None:
    ann, ours = synapse.person("ann"), synapse.person("help")
    desk = await begun(synapse, ours)
    room = ann.opens(ours.id, direct=True)
    found = await desk.channel._server.get("/sync", {"timeout": 0})
    ann.does(room, "kick", {"user_id": ours.id})
    await desk.channel._rooms.invited(found["rooms"]["invite"])
    with pytest.raises(Permanent, match="cannot be accepted"):
        await desk.channel.confirm(Batch((), ""))
    await desk.channel.confirm(Batch((), ""))
    assert await desk.heard() == []


async def test_a_server_that_asks_for_patience_is_knocked_at_again(synapse: Synapse) -> None:
    ann, ours = synapse.person("ann"), synapse.person("help")
    desk = await begun(synapse, ours)
    room = ann.opens(ours.id, direct=True)
    join, asked = desk.channel._rooms.join, []

    async def busy(name: str, via: str = "") -> None:
        asked.append(name)
        if len(asked) == 1:
            raise RateLimited("asks for patience", 0.01)
        await join(name, via)

    desk.channel._rooms.join = busy  # type: ignore[method-assign]
    await desk.read()
    assert asked == [room, room]
    ann.says(room, "hello")
    assert [m.text for m in await desk.heard()] == ["hello"]


async def test_only_the_rooms_named_and_direct_ones_are_read(synapse: Synapse) -> None:
    ann, ours, bob = synapse.person("ann"), synapse.person("help"), synapse.person("bob")
    name = f"questions-{ann.id[1:].partition(':')[0]}"
    wanted = ann.opens(public=True, room_alias_name=name)
    other = ann.opens(public=True)
    ours.does(other, "join")
    desk = await begun(synapse, ours, rooms=(f"#{name}:desk.test",))
    ann.says(other, "not for you")
    ann.says(wanted, "for you")
    directly = bob.opens(ours.id, direct=True)
    uninvited = bob.opens(ours.id)
    bob.says(directly, "for you alone")
    assert [m.text for m in await desk.heard()] == ["for you"]
    assert [m.text for m in await desk.heard()] == ["for you alone"]
    assert ours.invited() == [uninvited]


async def test_a_room_that_lets_us_not_in_is_told_of_and_the_others_are_read(synapse: Synapse) -> None:
    ann, ours = synapse.person("ann"), synapse.person("help")
    name = f"secret-{ann.id[1:].partition(':')[0]}"
    ann.opens(room_alias_name=name)
    desk = Desk(account(synapse, ours, rooms=(f"#{name}:desk.test", "#nowhere:desk.test")))
    batches = [batch async for batch in desk.channel.poll(None)]
    with pytest.raises(Permanent, match="cannot be read"):
        await desk.channel.confirm(batches[-1])
    with pytest.raises(Permanent, match=r"secret-.* cannot be read: .*; #nowhere:desk\.test cannot be read"):
        await desk.channel.check()


async def test_a_conversation_goes_on_in_the_upgraded_room(synapse: Synapse) -> None:
    ann, ours = synapse.person("ann"), synapse.person("help")
    room = ann.opens(public=True, room_version="10")
    ours.does(room, "join")
    desk = await begun(synapse, ours)
    ann.says(room, "before")
    (before,) = await desk.heard()
    new = upgraded(ann, room)
    await desk.read()
    ann.says(new, "after")
    (after,) = await desk.heard()
    assert after.conversation == before.conversation == f"{room} {ann.id}"
    (sent,) = await desk.say("answer", conversation=before.conversation, to=[ann.id])
    assert [e["event_id"] for e in ann.sees(new)][-1:] == [sent.remote_id]
    # A process that has read the old room alone finds the way as well.
    await desk.restart()
    (sent,) = await desk.say("again", conversation=before.conversation, key="deskhand-2-2", to=[ann.id])
    assert ann.sees(new)[-1]["event_id"] == sent.remote_id


async def test_a_room_cannot_say_by_itself_that_it_goes_on_another_one(synapse: Synapse) -> None:
    ann, mallory, ours = synapse.person("ann"), synapse.person("mallory"), synapse.person("help")
    room = ann.opens(ours.id, direct=True)
    ours.does(room, "join")
    false = mallory.opens(ours.id, creation_content={"predecessor": {"room_id": room, "event_id": "$x"}})
    ours.does(false, "join")
    desk = await begun(synapse, ours)
    mallory.says(false, "I am Ann")
    (said,) = await desk.heard()
    assert said.conversation == false


async def test_an_answer_is_not_led_into_the_room_of_others(synapse: Synapse) -> None:
    mallory, bob, ours = synapse.person("mallory"), synapse.person("bob"), synapse.person("help")
    room, others = mallory.opens(ours.id, direct=True), bob.opens(ours.id, direct=True)
    for one in (room, others):
        ours.does(one, "join")
    desk = await begun(synapse, ours)
    mallory.sets(room, "m.room.tombstone", {"body": "over", "replacement_room": others})
    await desk.read()
    await desk.say("for Mallory alone", conversation=room)
    assert bob.sees(others) == []
    assert [event["content"]["body"] for event in mallory.sees(room)] == ["for Mallory alone"]
