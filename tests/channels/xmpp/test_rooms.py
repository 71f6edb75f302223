"""Rooms: getting in, being thrown out, and what is said there."""

from __future__ import annotations

import pytest

from channels.xmpp import xml
from desk.channel import Activity, Edit, Inbound, Permanent, Reaction, Removal, Retry
from desk.model import Identity
from tests.channels.xmpp.seats import SIGNED, Seat, hears
from tests.servers.prosody import Client, Prosody

REPLACE = "<replace xmlns='urn:xmpp:message-correct:0' id='{}'/>"


@pytest.fixture
def room(prosody: Prosody, ann: Client) -> str:
    """A room that Ann has opened."""
    address = prosody.room()
    ann.join(address, "Ann")
    return address


async def test_what_is_said_in_a_room_and_what_we_say_there(
    prosody: Prosody, desk: str, ann: Client, room: str
) -> None:
    seat = Seat(prosody, desk, rooms=(room,))
    await seat.read()
    ann.say(room, "Does it work for anybody?", kind="groupchat")
    question = await seat.until(Inbound)
    assert (question.conversation, question.public, question.sender and question.sender.display) == (room, True, "Ann")
    sent = await seat.send(room, "It does *here*", conversation=room, answers=question.external_id)
    echo = await seat.until(Inbound)
    assert (echo.external_id, echo.ours, echo.message_id) == (sent.remote_id, True, SIGNED)
    heard = await hears(ann, "{urn:xmpp:reply:0}reply")
    assert heard.get("from") == f"{room}/support"
    assert heard.find("{urn:xmpp:reply:0}reply").get("to") == f"{room}/Ann"
    assert question.external_id.endswith("#" + heard.find("{urn:xmpp:reply:0}reply").get("id"))
    await seat.close()


async def test_a_name_that_is_taken_gets_a_tail(prosody: Prosody, desk: str, ann: Client) -> None:
    room = prosody.room()
    ann.join(room, "support")
    seat = Seat(prosody, desk, rooms=(room,))
    await seat.read()
    await seat.send(room, "Hello", conversation=room)
    assert (await hears(ann)).get("from") == f"{room}/support_"
    ann.say(room, "I am support, too", kind="groupchat")
    assert not (await seat.until(Inbound, lambda i: "too" in i.text)).ours
    await seat.close()


async def test_a_room_with_a_password(prosody: Prosody, desk: str, ann: Client, room: str) -> None:
    ann.configure(room, passwordprotectedroom="1", roomsecret="open sesame")
    wrong = Seat(prosody, desk, rooms=(room,))
    ann.say(desk, "chats go on all the same")
    assert await wrong.texts() == ["chats go on all the same"]
    assert wrong.troubles[-1] == f"{room} asks for another password: mend it in rooms"
    with pytest.raises(Permanent, match="asks for another password"):
        await wrong.account.check()
    right = Seat(prosody, desk, rooms=(f"{room} open sesame",))
    await right.account.check()
    ann.say(room, "among us", kind="groupchat")
    message = await right.until(Inbound, lambda i: i.conversation == room)
    assert not message.public
    assert "open sesame" not in repr(right.account._settings)
    await wrong.close()
    await right.close()


async def test_a_room_that_is_not_there_is_not_made(prosody: Prosody, desk: str, ann: Client) -> None:
    room = prosody.room()
    seat = Seat(prosody, desk, rooms=(room,))
    await seat.read()
    assert f"there is no room {room}" in seat.troubles[-1]
    answer = ann.ask("<query xmlns='http://jabber.org/protocol/disco#info'/>", to=room)
    assert answer.get("type") == "error"
    with pytest.raises(Retry, match="there is no room"):
        await seat.send(room, conversation=room)
    await seat.close()


@pytest.mark.parametrize(
    ("deed", "words"),
    [("role='none' nick='support'", "kicked out"), ("affiliation='outcast' jid='{desk}'", "banned from")],
    ids=["kicked", "banned"],
)
async def test_who_is_thrown_out_says_so_and_goes_on(
    prosody: Prosody, desk: str, ann: Client, room: str, deed: str, words: str
) -> None:
    seat = Seat(prosody, desk, rooms=(room,))
    await seat.read()
    item = f"<item {deed.format(desk=desk)}><reason>no robots</reason></item>"
    ann.ask(f"<query xmlns='http://jabber.org/protocol/muc#admin'>{item}</query>", kind="set", to=room)
    ann.say(desk, "one more thing")
    assert (await seat.until(Inbound)).text == "one more thing"
    await seat.read()
    assert words in seat.troubles[-1]
    assert '("no robots")' in seat.troubles[-1]
    with pytest.raises(Retry, match=words):
        await seat.send(room, conversation=room)
    await seat.close()


async def test_who_must_not_speak_is_told_at_once(prosody: Prosody, desk: str, ann: Client, room: str) -> None:
    ann.configure(room, moderatedroom="1")
    item = f"<item nick='support' role='visitor'/>"  # noqa: F541
    seat = Seat(prosody, desk, rooms=(room,))
    await seat.read()
    ann.ask(f"<query xmlns='http://jabber.org/protocol/muc#admin'>{item}</query>", kind="set", to=room)
    with pytest.raises(Permanent, match="forbidden"):
        await seat.send(room, conversation=room)
    await seat.close()


async def test_corrections_and_retractions_find_what_was_said_before_a_restart(
    prosody: Prosody, desk: str, ann: Client, bob: Client, room: str
) -> None:
    bob.join(room, "Bob")
    seat = Seat(prosody, desk, rooms=(room,))
    await seat.read()
    id = ann.say(room, "It is borken", kind="groupchat")
    message = await seat.until(Inbound)
    archived = message.external_id.rpartition("#")[2]
    await seat.read()
    await seat.close()
    later = Seat(prosody, desk, seat.cursor, rooms=(room,))
    retract = f"<retract xmlns='urn:xmpp:message-retract:1' id='{archived}'/>"
    bob.say(room, "", kind="groupchat", more=retract + "<store xmlns='urn:xmpp:hints'/>")
    bob.say(room, "It is fine", kind="groupchat", more=REPLACE.format(id))
    ann.say(room, "It is broken", kind="groupchat", more=REPLACE.format(id))
    edit = await later.until(Edit)
    assert (edit.target, edit.text) == (message.external_id, "It is broken")
    assert not [item for item in later.told if isinstance(item, Removal)]
    ann.say(room, "", kind="groupchat", more=retract)
    assert (await later.until(Removal)).target == message.external_id
    reaction = f"<reactions xmlns='urn:xmpp:reactions:0' id='{archived}'><reaction>❤</reaction></reactions>"
    bob.say(room, "", kind="groupchat", more=reaction)
    mark = await later.until(Reaction)
    assert (mark.target, mark.mark, mark.sender.display) == (message.external_id, "❤", "Bob")
    await later.close()


async def test_who_comes_types_and_goes(prosody: Prosody, desk: str, ann: Client, bob: Client, room: str) -> None:
    seat = Seat(prosody, desk, rooms=(room,))
    await seat.read()
    bob.join(room, "Bob")
    assert (await seat.until(Activity)).doing == "online"
    bob.say(room, "", kind="groupchat", more="<composing xmlns='http://jabber.org/protocol/chatstates'/>")
    assert (await seat.until(Activity)).doing == "typing"
    bob.send(f"<presence to='{room}/Bob' type='unavailable'/>")
    gone = await seat.until(Activity)
    assert (gone.doing, gone.conversation, gone.sender.display) == ("", room, "Bob")
    await seat.close()


async def test_a_private_answer_goes_to_one_person_by_the_name_they_have_now(
    prosody: Prosody, desk: str, ann: Client, bob: Client, room: str
) -> None:
    bob.join(room, "Bob")
    seat = Seat(prosody, desk, rooms=(room,))
    await seat.read()
    bob.say(room, "My account is 4711", kind="groupchat")
    question = await seat.until(Inbound)
    assert isinstance(question.sender, Identity)
    bob.join(room, "Bobby")
    await seat.until(Activity, lambda a: a.sender.display == "Bobby")
    sent = await seat.send(question.sender.value, "Better not here", conversation=room, private=True)
    message = await hears(bob, "{http://jabber.org/protocol/muc#user}x")
    assert (message.get("type"), message.get("from")) == ("chat", f"{room}/support")
    bob.say(f"{room}/support", "Right", id="a-private-answer-in-a-room")
    answer = await seat.until(Inbound, lambda i: i.text == "Right")
    assert (answer.public, answer.conversation) == (False, f"{room}/Bobby")
    assert sent.conversation == question.sender.value
    bob.send(f"<presence to='{room}/Bobby' type='unavailable'/>")
    await seat.until(Activity, lambda a: not a.doing)
    with pytest.raises(Permanent, match=r"is not in .* any more"):
        await seat.send(question.sender.value, "Are you there?", "deskhand-2-8", conversation=room, private=True)
    await seat.close()


async def test_where_addresses_are_shown_people_are_known_by_them(
    prosody: Prosody, desk: str, ann: Client, room: str
) -> None:
    ann.configure(room, whois="anyone")
    seat = Seat(prosody, desk, rooms=(room,))
    await seat.read()
    ann.say(room, "Here I am", kind="groupchat")
    live = await seat.until(Inbound)
    fresh = Seat(prosody, desk, rooms=(room,))
    await fresh.read()
    kept = await fresh.until(Inbound)
    assert live.sender == kept.sender == Identity("xmpp", ann.bare, "Ann")
    await seat.close()
    await fresh.close()


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_what_was_said_while_we_were_thrown_out_is_not_lost(
    prosody: Prosody, desk: str, ann: Client, room: str
) -> None:
    seat, clock = Seat(prosody, desk, rooms=(room,)), Clock()
    seat.account._rooms._clock = clock
    await seat.read()
    ann.say(room, "before", kind="groupchat")
    await seat.until(Inbound)
    await seat.read()
    item = "<item role='none' nick='support'/>"
    ann.ask(f"<query xmlns='http://jabber.org/protocol/muc#admin'>{item}</query>", kind="set", to=room)
    ann.say(room, "behind our back", kind="groupchat")
    await seat.account.wait(5)
    assert await seat.texts() == []
    clock.now += 61
    assert await seat.texts() == ["behind our back"]
    ann.say(room, "face to face", kind="groupchat")
    assert (await seat.until(Inbound, lambda i: i.text == "face to face")).conversation == room
    assert seat.account._rooms.troubles == []
    await seat.close()


async def test_a_room_that_has_forgotten_us_is_entered_again(
    prosody: Prosody, desk: str, ann: Client, room: str
) -> None:
    seat, clock = Seat(prosody, desk, rooms=(room,)), Clock()
    seat.account._rooms._clock = clock
    await seat.read()
    # Another hand leaves the room over our connection; what it says of that does not reach us.
    stream = seat.account._stream
    assert stream is not None
    stream._seen = lambda presence: None
    stream.tell(xml.element("presence", to=f"{room}/support", type="unavailable"))
    await stream.ask("get", xml.element("ping", xml.PING))
    stream._seen = seat.account._seen
    ann.say(room, "Where are you?", kind="groupchat")
    assert await seat.texts() == []
    clock.now += 301
    assert await seat.texts() == ["Where are you?"]
    await seat.close()
