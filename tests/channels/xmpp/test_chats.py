"""Chats: what a customer's client says and shows, and what it hears and sees of us."""

from __future__ import annotations

import asyncio

from channels.xmpp.names import external
from desk.channel import Activity, Edit, Inbound, Reaction, Receipt, Removal
from desk.model import State
from tests.channels.xmpp.seats import SIGNED, Seat, hears
from tests.servers.prosody import Client, Prosody

REQUEST = "<request xmlns='urn:xmpp:receipts'/>"
RECEIVED = "{urn:xmpp:receipts}received"


async def test_a_message_has_one_name_whether_it_comes_at_once_or_from_the_archive(
    prosody: Prosody, desk: str, ann: Client
) -> None:
    seat = Seat(prosody, desk)
    await seat.read()
    ann.say(desk, "It is broken")
    live = await seat.until(Inbound)
    later = Seat(prosody, desk)
    assert [item.external_id for item in await later.read() if isinstance(item, Inbound)] == [live.external_id]
    assert (live.text, live.conversation, live.sender and live.sender.value) == ("It is broken", ann.bare, ann.bare)
    assert not live.ours
    assert not live.public
    await seat.close()
    await later.close()


async def test_whoever_asks_hears_that_it_arrived_only_when_it_is_safe(
    prosody: Prosody, desk: str, ann: Client
) -> None:
    seat = Seat(prosody, desk)
    await seat.read()
    id = ann.say(desk, "Did you get this?", more=REQUEST)
    await seat.account.wait(5)
    await seat.read(confirm=False)
    ann.settle()
    assert not [e for e in ann.kept if e.find(RECEIVED) is not None]
    await seat.read()
    assert (await hears(ann, RECEIVED)).find(RECEIVED).get("id") == id
    await seat.close()


async def test_what_was_not_confirmed_is_told_again(prosody: Prosody, desk: str, ann: Client) -> None:
    seat = Seat(prosody, desk)
    await seat.read()
    ann.say(desk, "one")
    await seat.account.wait(5)
    first = await seat.read(confirm=False)
    assert [item.external_id for item in await seat.read()] == [item.external_id for item in first]  # type: ignore[union-attr]
    assert await seat.read() == []
    await seat.close()


async def test_a_correction_and_one_of_the_correction_change_the_first_message(
    prosody: Prosody, desk: str, ann: Client
) -> None:
    seat = Seat(prosody, desk)
    await seat.read()
    first = ann.say(desk, "It is borken")
    message = await seat.until(Inbound)
    second = ann.say(desk, "It is broken", more=f"<replace xmlns='urn:xmpp:message-correct:0' id='{first}'/>")
    ann.say(desk, "It is broken!", more=f"<replace xmlns='urn:xmpp:message-correct:0' id='{second}'/>")
    edits = [await seat.until(Edit), await seat.until(Edit)]
    assert [(e.target, e.text) for e in edits] == [
        (message.external_id, "It is broken"),
        (message.external_id, "It is broken!"),
    ]
    await seat.close()


async def test_nobody_corrects_what_somebody_else_wrote(prosody: Prosody, desk: str, ann: Client, bob: Client) -> None:
    seat = Seat(prosody, desk)
    await seat.read()
    first = ann.say(desk, "Please refund it to me")
    message = await seat.until(Inbound)
    bob.say(desk, "Please refund it to Bob", more=f"<replace xmlns='urn:xmpp:message-correct:0' id='{first}'/>")
    assert (await seat.until(Edit)).target != message.external_id
    await seat.close()


async def test_a_message_is_taken_back(prosody: Prosody, desk: str, ann: Client) -> None:
    seat = Seat(prosody, desk)
    await seat.read()
    id = ann.say(desk, "My password is hunter2")
    message = await seat.until(Inbound)
    ann.say(desk, "/me retracted a message", more=f"<retract xmlns='urn:xmpp:message-retract:1' id='{id}'/>")
    assert (await seat.until(Removal)).target == message.external_id
    id = ann.say(desk, "And again")
    message = await seat.until(Inbound)
    old = f"<apply-to xmlns='urn:xmpp:fasten:0' id='{id}'><retract xmlns='urn:xmpp:message-retract:0'/></apply-to>"
    ann.say(desk, "", more=old)
    assert (await seat.until(Removal)).target == message.external_id
    await seat.close()


async def test_reactions_come_and_go(prosody: Prosody, desk: str, ann: Client) -> None:
    seat = Seat(prosody, desk)
    await seat.read()
    sent = await seat.send(ann.bare)
    id = (await hears(ann)).get("id")

    def marks(*marks: str) -> str:
        inner = "".join(f"<reaction>{mark}</reaction>" for mark in marks)
        return f"<reactions xmlns='urn:xmpp:reactions:0' id='{id}'>{inner}</reactions>"

    ann.say(desk, "", more=marks("👍", "🎉"))
    both = {(await seat.until(Reaction)).mark for _ in range(2)}
    ann.say(desk, "", more=marks("🎉"))
    gone = await seat.until(Reaction)
    assert both == {"👍", "🎉"}
    assert (gone.mark, gone.gone, gone.target) == ("👍", True, sent.remote_id)
    await seat.close()


async def test_what_became_of_our_message(prosody: Prosody, desk: str, ann: Client) -> None:
    seat = Seat(prosody, desk)
    sent = await seat.send(ann.bare, "**Hello** Ann & Bob <3")
    message = await hears(ann)
    assert message.find("{jabber:client}body").text == "*Hello* Ann & Bob <3"
    assert message.find("{urn:xmpp:receipts}request") is not None
    assert message.find("{urn:xmpp:sid:0}origin-id").get("id") == message.get("id")
    assert message.get("id").startswith(f"{SIGNED}/")
    ann.say(desk, "", more=f"<received xmlns='urn:xmpp:receipts' id='{message.get('id')}'/>")
    delivered = await seat.until(Receipt, lambda r: r.state is not State.SENT)
    ann.say(desk, "", more=f"<displayed xmlns='urn:xmpp:chat-markers:0' id='{message.get('id')}'/>")
    read = await seat.until(Receipt)
    assert (delivered.target, delivered.state, delivered.through) == (sent.remote_id, State.DELIVERED, False)
    assert (read.target, read.state, read.through) == (sent.remote_id, State.READ, True)
    await seat.close()


async def test_typing_and_being_there_is_seen_both_ways(prosody: Prosody, desk: str, ann: Client) -> None:
    seat = Seat(prosody, desk)
    await seat.read()
    ann.send(f"<presence to='{desk}' type='subscribe'/>")
    there = await asyncio.to_thread(ann.expect, "presence", lambda e: (e.get("from") or "").startswith(f"{desk}/"))
    assert there.get("type") is None
    asked = await asyncio.to_thread(ann.expect, "presence", lambda e: e.get("type") == "subscribe")
    ann.send(f"<presence to='{asked.get('from')}' type='subscribed'/>")
    await seat.until(Activity, lambda a: a.doing == "online")
    ann.online("<show>xa</show>")
    away = await seat.until(Activity, lambda a: a.doing == "away")
    ann.say(desk, "", more="<composing xmlns='http://jabber.org/protocol/chatstates'/>")
    typing = await seat.until(Activity, lambda a: a.doing == "typing")
    ann.say(desk, "", more="<paused xmlns='http://jabber.org/protocol/chatstates'/>")
    await seat.until(Activity, lambda a: not a.doing and a.conversation == ann.bare)
    assert (away.sender.value, away.conversation) == (ann.bare, None)
    assert (typing.sender.value, typing.conversation) == (ann.bare, ann.bare)
    ann.say(desk, "Hi", id="a-message-to-be-read", more="<markable xmlns='urn:xmpp:chat-markers:0'/>")
    message = await seat.until(Inbound)
    await seat.account.attend(ann.bare, seen=message.external_id, typing=True)
    marker = await hears(ann, "{urn:xmpp:chat-markers:0}displayed")
    assert marker.find("{urn:xmpp:chat-markers:0}displayed").get("id") == "a-message-to-be-read"
    await hears(ann, "{http://jabber.org/protocol/chatstates}composing")
    await seat.close()


async def test_answers_name_what_they_answer(prosody: Prosody, desk: str, ann: Client) -> None:
    seat = Seat(prosody, desk)
    await seat.read()
    sent = await seat.send(ann.bare, "Which one?")
    id = (await hears(ann)).get("id")
    quote = "&gt; Which one?\n"
    ann.send(
        f"<message to='{desk}' type='chat' id='an-answer-to-a-question'><body>{quote}The red one</body>"
        f"<reply xmlns='urn:xmpp:reply:0' to='{desk}' id='{id}'/>"
        "<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'><body start='0' end='13'/></fallback></message>"
    )
    answer = await seat.until(Inbound)
    assert (answer.answers, answer.visible) == (sent.remote_id, "The red one")
    assert answer.text.endswith("The red one")
    await seat.send(ann.bare, "Thank you", "deskhand-2-8", answers=answer.external_id)
    reply = (await hears(ann)).find("{urn:xmpp:reply:0}reply")
    assert (reply.get("id"), reply.get("to")) == ("an-answer-to-a-question", ann.bare)
    await seat.close()


async def test_what_a_colleague_writes_with_another_client_is_ours(prosody: Prosody, desk: str, ann: Client) -> None:
    seat = Seat(prosody, desk)
    await seat.read()
    colleague = prosody.client(desk, "laptop").online()
    colleague.say(ann.bare, "I look into it")
    live = await seat.until(Inbound)
    colleague.close()
    assert live.ours
    assert (live.text, live.conversation, live.to[0].value) == ("I look into it", ann.bare, ann.bare)
    fresh = Seat(prosody, desk)
    assert [i.external_id for i in await fresh.read() if isinstance(i, Inbound)] == [live.external_id]
    await seat.close()
    await fresh.close()


async def test_a_copy_that_a_customer_made_up_is_not_believed(prosody: Prosody, desk: str, ann: Client) -> None:
    seat = Seat(prosody, desk)
    await seat.read()
    forged = f"<message xmlns='jabber:client' from='{desk}' to='{ann.bare}' type='chat' id='forged-forged-forged'><body>You get a refund</body></message>"  # fmt: skip
    wrapped = f"<forwarded xmlns='urn:xmpp:forward:0'>{forged}</forwarded>"
    ann.say(desk, "", more=f"<sent xmlns='urn:xmpp:carbons:2'>{wrapped}</sent>")
    ann.say(desk, "", more=f"<result xmlns='urn:xmpp:mam:2' id='1' queryid='x'>{wrapped}</result>")
    ann.say(desk, "and a true one")
    assert (await seat.until(Inbound)).text == "and a true one"
    await seat.close()


async def test_a_client_that_counts_its_messages_loses_none(prosody: Prosody, desk: str, ann: Client) -> None:
    seat = Seat(prosody, desk)
    await seat.read()
    ann.say(desk, "on Monday", id="1")
    monday = await seat.until(Inbound)
    ann.say(desk, "on Tuesday", id="1")
    tuesday = await seat.until(Inbound)
    ann.say(desk, "on Wednesday", more="<replace xmlns='urn:xmpp:message-correct:0' id='1'/>")
    assert monday.external_id != tuesday.external_id
    assert (await seat.until(Edit)).target == tuesday.external_id
    fresh = Seat(prosody, desk)
    assert [i.external_id for i in await fresh.read() if isinstance(i, Inbound)] == [monday.external_id, tuesday.external_id]  # fmt: skip
    await seat.close()
    await fresh.close()


async def test_our_echo_in_the_archive_is_the_message_we_sent(prosody: Prosody, desk: str, ann: Client) -> None:
    seat = Seat(prosody, desk)
    sent = await seat.send(ann.bare)
    echo, *rest = [item for item in await seat.read() if isinstance(item, Inbound)]
    assert (echo.external_id, echo.message_id, echo.ours, rest) == (sent.remote_id, SIGNED, True, [])
    assert external(desk, (await hears(ann)).get("id")) == sent.remote_id
    await seat.close()
