"""What comes to a bot: every update once, in order, as messages and signals, whatever is in it."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from typing import Any

import pytest

from channels.telegram import Telegram
from channels.telegram.reader import BATCH_BYTES, TRIES
from desk.channel import AuthRequired, Edit, Inbound, Membership, Permanent, Reaction, Retry
from desk.model import Identity
from tests.channels.telegram.bots import FORUM, GROUP, bot, messages, read, server, told
from tests.servers.small_http import Said
from tests.servers.telegram import ANN, BEN, TOKEN, TelegramServer

__all__ = ["server"]


def now() -> int:
    return int(time.time())


async def test_a_message_tells_who_said_what_where(server: TelegramServer) -> None:
    said = server.say("Hello desk", entities=[{"type": "bold", "offset": 6, "length": 4}])
    (found,) = await messages(bot(server))
    assert found.external_id == "1001/1"
    assert found.sender == Identity("telegram", "1001", "Ann Lee")
    assert (found.text, found.conversation, found.public, found.answers) == ("Hello **desk**", "1001", False, None)
    assert found.at == said["date"] * 1000


async def test_nothing_is_forgotten_there_before_it_is_confirmed(server: TelegramServer) -> None:
    server.say("one")
    first = bot(server)
    batches = [batch async for batch in first.poll(None)]
    assert len(server.updates) == 1
    assert [m.text for m in await messages(bot(server))] == ["one"], "a relay that died finds it again"
    await first.confirm(batches[-1])
    await first.wait(0)
    assert server.updates == []


async def test_more_than_one_answer_holds_come_in_order_and_each_waits_for_its_confirm(server: TelegramServer) -> None:
    for number in range(230):
        server.say(str(number))
    channel = bot(server)
    seen: list[str] = []
    async for batch in channel.poll(None):
        seen += [item.text for item in batch.items if isinstance(item, Inbound)]
        assert len(server.updates) > 230 - len(seen), "what is not confirmed is still there"
        await channel.confirm(batch)
    assert seen == [str(number) for number in range(230)]


async def test_update_numbers_that_begin_anew_after_a_week_lose_nothing(server: TelegramServer) -> None:
    channel, clocks = timed(server)
    server.say("before")
    (batch,) = await read(channel)
    await channel.wait(0)
    server.last_update = 5
    clocks.passed += 7 * 86_400
    server.say("a week later")
    (batch,) = await read(channel, batch.cursor)
    assert [item.text for item in batch.items if isinstance(item, Inbound)] == ["a week later"]
    server.say("and on")
    assert [m.text for m in await messages(channel, batch.cursor)] == ["and on"]


async def test_a_confirm_of_an_earlier_batch_is_none_of_the_last(server: TelegramServer) -> None:
    """Large files make several batches of one answer; all of them are safe before the next is asked for."""
    big = server.file(b"x" * (BATCH_BYTES + 1), "big.bin")
    server.say(document={"file_id": big, "file_name": "big.bin"})
    for number in range(120):
        server.say(str(number))
    channel = bot(server)
    polling = channel.poll(None)
    first, second = await anext(polling), await anext(polling)
    third = asyncio.ensure_future(anext(polling))
    await channel.confirm(first)
    await asyncio.sleep(0.05)
    assert not third.done()
    assert len(server.updates) == 121
    await channel.confirm(second)
    assert len((await third).items) == 21


async def test_waiting_ends_with_the_message(server: TelegramServer) -> None:
    channel = bot(server)
    (await read(channel))
    waiting = asyncio.create_task(channel.wait(20))
    while not server.polls or server.polls < 2:
        await asyncio.sleep(0.01)
    begun = time.monotonic()
    await asyncio.to_thread(server.say, "at last")
    await waiting
    assert time.monotonic() - begun < 1
    asked = len(server.asked)
    assert [m.text for m in await messages(channel)] == ["at last"]
    assert len(server.asked) == asked, "what the wait brought is not asked for again"


# -- albums ---------------------------------------------------------------------


class Clocks:
    """Time that passes when the test says so."""

    def __init__(self) -> None:
        self.passed = 0.0

    def wall(self) -> int:
        return int((time.time() + self.passed) * 1000)

    def uptime(self) -> float:
        return self.passed


def timed(server: TelegramServer) -> tuple[Telegram, Clocks]:
    channel, clocks = bot(server), Clocks()
    channel.reader._clock, channel.reader._uptime = clocks.wall, clocks.uptime
    return channel, clocks


def photo(server: TelegramServer, name: str, **more: Any) -> None:
    file = server.file(f"bytes of {name}".encode(), name)
    sizes = [{"file_id": "id-small", "width": 9, "height": 9}, {"file_id": file, "width": 90, "height": 90}]
    server.say(photo=sizes, media_group_id="G", **{"date": now(), **more})


async def test_an_album_is_one_message_also_when_its_parts_come_apart(server: TelegramServer) -> None:
    channel, clocks = timed(server)
    server.say("before", date=now())
    photo(server, "a.jpg", caption="Three of them")
    photo(server, "b.jpg")
    (first,) = await read(channel)
    assert [item.text for item in first.items if isinstance(item, Inbound)] == ["before"]
    photo(server, "c.jpg")
    server.say("after", date=now())
    assert await read(channel, first.cursor) == [], "the third part made it wait again"
    clocks.passed += 4
    whole, after = await messages(channel, first.cursor)
    assert (whole.external_id, whole.text, len(whole.attachments)) == ("1001/2", "Three of them", 3)
    assert [blob.size for blob in whole.blobs] == [len(b"bytes of a.jpg")] * 3
    assert after.text == "after"


async def test_waiting_for_an_album_asks_nobody(server: TelegramServer) -> None:
    channel, clocks = timed(server)
    photo(server, "a.jpg")
    assert await read(channel) == []
    clocks.passed += 1.99
    asked = len(server.asked)
    await channel.wait(20)
    assert len(server.asked) == asked


async def test_an_album_that_lay_there_is_not_waited_for(server: TelegramServer) -> None:
    photo(server, "a.jpg", date=now() - 60)
    photo(server, "b.jpg", date=now() - 60)
    (whole,) = await messages(bot(server))
    assert len(whole.attachments) == 2


async def test_what_comes_too_late_for_its_album_answers_it(server: TelegramServer) -> None:
    channel = bot(server)
    photo(server, "a.jpg", date=now() - 60)
    (batch,) = await read(channel)
    photo(server, "b.jpg", date=now() - 60)
    (late,) = await messages(channel, batch.cursor)
    assert (late.external_id, late.answers) == ("1001/2", "1001/1")


async def test_an_edit_of_a_part_is_one_of_the_album(server: TelegramServer) -> None:
    channel = bot(server)
    photo(server, "a.jpg", date=now() - 60)
    photo(server, "b.jpg", date=now() - 60)
    (batch,) = await read(channel)
    part = {"message_id": 2, "chat": {"id": 1001, "type": "private"}, "from": ANN, "media_group_id": "G"}
    server.update(edited_message={**part, "caption": "New words", "edit_date": now()})
    (edit,) = await told(channel, batch.cursor)
    assert isinstance(edit, Edit)
    assert (edit.target, edit.text) == ("1001/1", "New words")


# -- files ------------------------------------------------------------------------


async def test_files_are_fetched_within_the_limit_and_named_beyond_it(server: TelegramServer) -> None:
    server.say(
        document={"file_id": server.file(b"%PDF", "a.pdf"), "file_name": "bill.pdf", "mime_type": "application/pdf"}
    )
    server.say(video={"file_id": "id-none", "file_name": "long.mp4", "file_size": 48 * 1024 * 1024, "duration": 600})
    server.say(voice={"file_id": server.file(b"OggS", "v.oga"), "duration": 4})
    bill, long, voice = await messages(bot(server))
    assert [(a.name, a.content_type, a.size) for a in bill.attachments] == [("bill.pdf", "application/pdf", 4)]
    assert bill.text == "[document: bill.pdf]"
    assert long.attachments == ()
    assert "long.mp4, 48.0 MB, is too large to fetch (at most 20 MB)" in long.text
    assert (voice.text, voice.attachments[0].name) == ("[voice, 4 s]", "voice.ogg")


async def test_a_file_that_cannot_be_had_holds_up_nobody(server: TelegramServer) -> None:
    server.say("with", document={"file_id": "id-gone", "file_name": "gone.txt"})
    server.say("behind it")
    first, second = await messages(bot(server))
    assert "gone.txt cannot be fetched" in first.text
    assert second.text == "behind it"


async def test_a_file_that_fails_for_now_is_tried_again_and_given_up_at_last(server: TelegramServer) -> None:
    server.say(document={"file_id": "id-a", "file_name": "a.txt"})
    server.next("getFile", *[Said(502)] * TRIES)
    channel = bot(server)
    for _ in range(TRIES - 1):
        with pytest.raises(Retry):
            await read(channel)
    (found,) = await messages(channel)
    assert "a.txt cannot be fetched" in found.text


# -- groups, signals, words ---------------------------------------------------------


async def test_a_group_has_a_conversation_for_each_thread(server: TelegramServer) -> None:
    first = server.say("Who can help?", chat=GROUP)
    server.say("I can", BEN, GROUP, reply_to_message=first)
    server.say("Another matter", BEN, GROUP)
    asked, answered, other = await messages(bot(server))
    assert (asked.conversation, answered.conversation, other.conversation) == ("-77/1", "-77/1", "-77/3")
    assert answered.answers == "-77/1"
    assert asked.public


async def test_a_topic_of_a_forum_is_one_conversation(server: TelegramServer) -> None:
    opened = {"message_id": 9, "chat": FORUM, "forum_topic_created": {"name": "Printers"}}
    more = {"message_thread_id": 9, "is_topic_message": True}
    server.say("", BEN, FORUM, forum_topic_created={"name": "Printers"}, **more)
    server.say("It jams", BEN, FORUM, reply_to_message=opened, **more)
    server.say("Mine too", ANN, FORUM, reply_to_message={"message_id": 11, "chat": FORUM}, **more)
    one, two = await messages(bot(server))
    assert (one.conversation, one.subject, one.answers) == ("-1005/topic/9", "Printers", None)
    assert (two.conversation, two.answers) == ("-1005/topic/9", "-1005/11")
    assert one.link == "https://t.me/helpers/2"


async def test_posts_of_channels_are_nobodys_question(server: TelegramServer) -> None:
    channel_chat = {"id": -5, "type": "channel", "title": "News"}
    server.update(channel_post={"message_id": 1, "chat": channel_chat, "text": "News!"})
    server.update(message={"message_id": 2, "chat": channel_chat, "text": "News!"})
    server.say("News!", {"id": 777000, "first_name": "Telegram"}, GROUP, is_automatic_forward=True)
    assert await told(bot(server)) == []
    wanted = json.loads(server.asked[-1].body)["allowed_updates"]
    assert "channel_post" not in wanted
    assert "message_reaction" in wanted


async def test_a_group_that_became_a_supergroup_keeps_its_conversations(server: TelegramServer) -> None:
    channel = bot(server)
    asked = server.say("Hello", chat=GROUP)
    server.say("", chat=GROUP, migrate_to_chat_id=-100077)
    (batch,) = await read(channel)
    new = {"id": -100077, "type": "supergroup", "title": "Users"}
    server.say("", chat=new, migrate_from_chat_id=-77)
    server.say("Still there?", chat=new, message_thread_id=asked["message_id"])
    (found,) = await messages(channel, batch.cursor)
    assert (found.conversation, found.external_id) == ("-77/1", "-100077/2")


async def test_edits_reactions_and_who_comes_and_goes_are_told(server: TelegramServer) -> None:
    said = server.say("Helo")
    server.update(edited_message={**said, "text": "Hello", "edit_date": now()})
    private = {"id": 1001, "type": "private"}
    heart, thumb = {"type": "emoji", "emoji": "❤"}, {"type": "emoji", "emoji": "👍"}
    server.update(
        message_reaction={
            "chat": private, "message_id": 7, "user": ANN, "date": now(), "old_reaction": [heart], "new_reaction": [thumb]
        }
    )  # fmt: skip
    server.update(my_chat_member={"chat": private, "from": ANN, "date": 5, "new_chat_member": {"status": "kicked"}})
    server.say("", ANN, GROUP, new_chat_members=[BEN])
    server.say("", BEN, GROUP, left_chat_member=BEN)
    _, edit, gone, given, blocked, joined, left = await told(bot(server))
    assert isinstance(edit, Edit)
    assert (edit.target, edit.text) == ("1001/1", "Hello")
    assert isinstance(gone, Reaction)
    assert (gone.mark, gone.gone, gone.target) == ("❤", True, "1001/7")
    assert isinstance(given, Reaction)
    assert (given.mark, given.gone) == ("👍", False)
    assert isinstance(blocked, Membership)
    assert (blocked.joined, blocked.conversation) == (False, "1001")
    assert isinstance(joined, Membership)
    assert (joined.sender.value, joined.joined) == ("1002", True)
    assert isinstance(left, Membership)
    assert not left.joined
    assert len({item.external_id for item in (edit, gone, given, blocked, joined, left)}) == 6


async def test_the_start_button_says_nothing_and_a_link_says_where_it_was(server: TelegramServer) -> None:
    server.say("/start")
    server.say("/start order-42")
    joined, came = await told(bot(server))
    assert isinstance(joined, Membership)
    assert isinstance(came, Inbound)
    assert came.text == "[began the chat by a link that says: order-42]"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"sticker": {"emoji": "😀", "file_id": "x"}}, "[sticker 😀]"),
        ({"location": {"latitude": 52.5, "longitude": 13.4}}, "[location: 52.5, 13.4]"),
        ({"venue": {"title": "Shop", "address": "Main St 1", "location": {"latitude": 1, "longitude": 2}}}, "[location: Shop, Main St 1: 1, 2]"),
        ({"contact": {"first_name": "Cy", "phone_number": "+49 30 1"}}, "[contact: Cy, +49 30 1]"),
        ({"poll": {"question": "Which?", "options": [{"text": "A"}, {"text": "B"}]}}, "[poll: Which? A / B]"),
        ({"dice": {"emoji": "🎲", "value": 4}}, "[🎲 4]"),
        ({"text": "Look", "forward_origin": {"type": "user", "sender_user": BEN}}, "[forwarded from Ben]\nLook"),
        ({"text": "Yes", "quote": {"text": "Really?", "is_manual": True}}, "> Really?\n\nYes"),
        ({"hologram": {}}, "[a kind of message that the desk does not know: look at it in Telegram]"),
    ],
)  # fmt: skip
async def test_what_is_no_text_is_said_in_words(server: TelegramServer, content: Any, words: str) -> None:
    server.say(**content)
    (found,) = await messages(bot(server))
    assert found.text == words


HOSTILE: list[Any] = [
    {},
    {"message": None},
    {"message": []},
    {"message": {"message_id": "1", "chat": {"id": 1}}},
    {"message": {"message_id": 1, "chat": 7, "text": "no chat"}},
    {"message": {"message_id": True, "chat": {"id": 1}, "text": "a flag as a number"}},
    {"edited_message": {"message_id": 1}},
    {"message_reaction": {"chat": {"id": 1}, "message_id": 1, "user": [], "new_reaction": {}}},
    {"my_chat_member": {"chat": {}, "from": "x", "new_chat_member": 3}},
]


async def test_a_bad_update_never_blocks_the_next(server: TelegramServer) -> None:
    for update in HOSTILE:
        server.update(**update, message_x=1)
    private = {"id": 5, "type": "private"}
    server.update(
        message={
            "message_id": 1,
            "chat": private,
            "text": 5,
            "photo": "x",
            "entities": {},
            "from": None,
            "date": 10**30,
        }
    )
    server.say(
        "a" * 50_000 + "\x00\x1b[2J\u202e",
        {"id": 6, "first_name": {"x": 1}},
        entities=[{"type": "bold", "offset": -5}, 7],
    )
    server.say("fine")
    found = await messages(bot(server))
    assert found[-1].text == "fine"
    assert found[-2].text.startswith("aaa")
    assert found[-2].sender == Identity("telegram", "6", "")


# -- trouble ------------------------------------------------------------------------


async def test_a_token_that_was_taken_back_pauses_and_is_in_no_word(
    server: TelegramServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    channel = bot(server)
    assert await channel.check()
    server.token = "4711:another"
    said = []
    for attempt in (channel.check, lambda: read(channel), lambda: channel.wait(0)):
        with pytest.raises(AuthRequired, match="does not know this token") as error:
            await attempt()
        said.append(repr(error.value))
    server.token = TOKEN
    server.next("getMe", Said(400, b'{"ok": false, "description": "bad %s"}' % TOKEN.encode()))
    with pytest.raises(Permanent) as error:
        await channel.check()
    said.append(str(error.value))
    server.stop()
    with pytest.raises(Retry, match="cannot be reached") as gone:
        await read(channel)
    said += [repr(gone.value), repr(channel._settings), repr(channel._api.__dict__), caplog.text]
    assert not [words for words in said if "CANARY" in words]


async def test_a_token_of_another_form_never_gets_on_the_wire(server: TelegramServer) -> None:
    with pytest.raises(AuthRequired, match="has not the form"):
        await bot(server, token="CANARY\x7f/../x").check()
    assert server.asked == []


async def test_a_second_program_and_a_webhook_are_named(server: TelegramServer) -> None:
    first, second = bot(server), bot(server)
    waiting = asyncio.create_task(first.wait(20))
    while not server.polls:
        await asyncio.sleep(0.01)
    await read(second)
    with pytest.raises(Retry, match="another program asks") as error:
        await waiting
    assert error.value.after_s
    server.webhook = "https://hooks.example.com/"
    for attempt in (lambda: read(second), second.check):
        with pytest.raises(Permanent, match="webhook"):
            await attempt()


async def test_when_telegram_was_away_all_that_came_meanwhile_is_read_once(server: TelegramServer) -> None:
    channel = bot(server)
    server.say("before")
    (batch,) = await read(channel)
    server.stop()
    with pytest.raises(Retry):
        await channel.wait(1)
    server.say("meanwhile")
    server.say("and more")
    server.start()
    assert [m.text for m in await messages(channel, batch.cursor)] == ["meanwhile", "and more"]


@pytest.mark.parametrize("said", [Said(200, b"<html>"), Said(200, b'{"ok": true, "result": 7}'), Said(503), None])
async def test_strange_answers_and_cuts_are_tried_again(server: TelegramServer, said: Said | None) -> None:
    server.next("getUpdates", said)
    with pytest.raises(Retry):
        await read(bot(server))
    assert await read(bot(server)) == []


async def test_check_says_who_we_are_and_what_groups_show(server: TelegramServer) -> None:
    server.say("hi")
    said = await bot(server).check()
    assert said[0] == "@desk_bot answers as Desk"
    assert "group privacy" in said[1]
    assert said[2] == "1 updates wait"
    with pytest.raises(AuthRequired, match="belongs to @desk_bot, not to @other_bot"):
        await bot(server, username="other_bot").check()
