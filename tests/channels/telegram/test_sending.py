"""What a bot says: in Telegram's HTML, in pieces it takes, no oftener than it may, and never twice by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from channels.kit.buckets import Buckets
from channels.telegram import SEND_BYTES
from channels.telegram.writer import PHOTO_BYTES
from desk.capabilities import Rate
from desk.channel import AuthRequired, Permanent, RateLimited, Retry, Unknown
from desk.model import Identity
from tests.channels.telegram.bots import attached, bot, draft, messages, say, server
from tests.servers.small_http import Asked, Said
from tests.servers.telegram import ANN, TelegramServer

__all__ = ["server"]


async def test_an_answer_comes_as_html_and_shows_what_it_answers(server: TelegramServer) -> None:
    channel = bot(server)
    (sent,) = await say(channel, draft("**Hello** <Ann> & all", answers="1001/5"))
    (found,) = server.sent
    assert (found["text"], found["read"]) == ("<b>Hello</b> &lt;Ann&gt; &amp; all", "Hello <Ann> & all")
    assert found["reply_parameters"] == {"message_id": 5, "allow_sending_without_reply": True}
    assert (sent.remote_id, sent.conversation) == ("1001/1", None)
    server.say("Thanks", ANN, reply_to_message=found["message"] | {"chat": {"id": 1001}})
    (answer,) = await messages(channel)
    assert answer.answers == sent.remote_id, "an answer to it names it"


async def test_a_long_text_goes_in_pieces_in_order_and_only_the_first_answers(server: TelegramServer) -> None:
    channel = bot(server)
    channel.writer._buckets = lambda rates: Buckets(rates, sleep=lambda s: asyncio.sleep(0), clock=_growing())
    text = "\n\n".join(f"{number}. **Sentence** with 😀 and <angles>." * 20 for number in range(12))
    sent = await say(channel, draft(text, answers="1001/5"))
    assert len(sent) == len(server.sent) > 2
    assert [("reply_parameters" in one) for one in server.sent] == [True] + [False] * (len(sent) - 1)
    read = "".join(one["read"] for one in server.sent)
    assert "".join(read.split()) == "".join(text.replace("**", "").split())


def _growing() -> Callable[[], float]:
    ticks = iter(range(10**6))
    return lambda: float(next(ticks))


async def test_topics_and_threads_are_where_it_goes(server: TelegramServer) -> None:
    channel = bot(server)
    await say(channel, draft(conversation="-1005/topic/9"))
    await say(channel, draft(conversation="-77/3"))
    topic, thread = server.sent
    assert (topic["chat_id"], topic["message_thread_id"]) == ("-1005", 9)
    assert "reply_parameters" not in topic
    assert (thread["chat_id"], thread["reply_parameters"]["message_id"]) == ("-77", 3)


async def test_a_private_answer_goes_to_the_person_alone(server: TelegramServer) -> None:
    (sent,) = await say(bot(server), draft(conversation="-77/3", answers="-77/3", private=True))
    assert server.sent[0]["chat_id"] == "1001"
    assert sent.conversation == "1001"


async def test_files_go_as_what_they_are(server: TelegramServer) -> None:
    channel = bot(server)
    await say(channel, draft("Here", attachments=(attached("a.png", "image/png", b"\x89PNG"),)))
    await say(channel, draft("x" * 2000, "1003", attachments=(attached("b.pdf", "application/pdf", b"%PDF"),)))
    await say(channel, draft("", "1004", attachments=(attached("w.jpg", "image/jpeg", b"TOO WIDE"),)))
    one, text, file, wide = server.sent
    assert (one["read"], one["file"]) == ("Here", ("a.png", b"\x89PNG", "image/png"))
    assert len(text["read"]) == 2000
    assert file["file"][0] == "b.pdf"
    assert wide["file"] == ("w.jpg", b"TOO WIDE", "image/jpeg")
    methods = [asked.path.rpartition("/")[2] for asked in server.asked]
    assert methods == ["sendPhoto", "sendMessage", "sendDocument", "sendPhoto", "sendDocument"]


def test_a_large_picture_is_a_file_and_a_larger_one_is_refused(server: TelegramServer) -> None:
    channel = bot(server)
    (part,) = channel.render(draft("", attachments=(attached("a.png", "image/png", bytes(PHOTO_BYTES + 1)),)))
    assert b'"sendDocument"' in part.data[:200]
    with pytest.raises(Permanent, match=r"a\.bin has .* bytes, and at most"):
        channel.render(draft("", attachments=(attached("a.bin", "x/y", bytes(SEND_BYTES + 1)),)))


def test_who_never_wrote_cannot_be_reached(server: TelegramServer) -> None:
    with pytest.raises(Permanent, match="reaches only who has written"):
        bot(server).render(draft(conversation=None, to=Identity("email", "ann@example.com")))
    with pytest.raises(Permanent, match="nothing to send"):
        bot(server).render(draft("\n"))


async def test_what_was_cut_off_may_be_out_and_what_never_left_is_not(server: TelegramServer) -> None:
    channel = bot(server)
    server.next("sendMessage", None, Said(502), Said(200, b"<html>"))
    for _ in range(3):
        with pytest.raises(Unknown):
            await say(channel, draft(conversation=str(2000 + _)))
    server.stop()
    with pytest.raises(Retry, match="cannot be reached"):
        await say(channel, draft(conversation="3000"))


async def test_it_is_said_that_data_goes_out_before_it_does(server: TelegramServer) -> None:
    order: list[str] = []

    def arrived(asked: Asked) -> Said:
        order.append("arrived")
        return server.do_sendMessage({"chat_id": "1001", "text": "x"})

    async def phase(name: str) -> None:
        order.append(name)

    server.next("sendMessage", arrived)
    channel = bot(server)
    (part,) = channel.render(draft())
    await channel.send(part, "key", phase)
    assert order == ["data", "arrived"]


async def test_a_flood_is_waited_out(server: TelegramServer) -> None:
    channel = bot(server)
    server.flood_s = 33
    with pytest.raises(RateLimited) as error:
        await say(channel, draft())
    assert error.value.after_s == 33
    asked = len(server.asked)
    with pytest.raises(RateLimited):
        await say(channel, draft())
    assert len(server.asked) == asked, "the chat is left alone"
    assert await say(channel, draft(conversation="1002")), "others are not"


async def test_no_chat_hears_us_oftener_than_it_should(server: TelegramServer) -> None:
    channel, time = bot(server), [0.0]
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        time[0] += seconds

    def buckets(rates: tuple[Rate, ...]) -> Buckets:
        return Buckets(rates, lambda: time[0], sleep)

    channel.writer._buckets, channel.writer._all = buckets, buckets((Rate("messages", 30, 1.0),))
    for _ in range(3):
        await say(channel, draft())
    assert sum(slept) == pytest.approx(2.0)
    for _ in range(22):
        await say(channel, draft(conversation="-77/1"))
    assert time[0] > 2 + 20


@pytest.mark.parametrize(
    ("said", "error", "words"),
    [
        ((403, "Forbidden: bot was blocked by the user"), Permanent, "has blocked the bot"),
        ((403, "Forbidden: user is deactivated"), Permanent, "account is closed"),
        ((403, "Forbidden: bot can't initiate conversation with a user"), Permanent, "may not write first"),
        ((403, "Forbidden: bot was kicked from the group chat"), Permanent, "no member of this group"),
        ((400, "Bad Request: message thread not found"), Permanent, "message thread not found"),
        ((401, "Unauthorized"), AuthRequired, "BotFather"),
    ],
)
async def test_a_refusal_says_what_to_do(
    server: TelegramServer, said: tuple[int, str], error: type[Exception], words: str
) -> None:
    server.next("sendMessage", Said(said[0], b'{"ok": false, "description": "%s"}' % said[1].encode()))
    with pytest.raises(error, match=words):
        await say(bot(server), draft())


async def test_a_group_that_moved_is_written_to_at_its_new_place(server: TelegramServer) -> None:
    channel = bot(server)
    server.moved["-77"] = -100077
    (sent,) = await say(channel, draft(conversation="-77/1"))
    assert sent.remote_id == "-100077/1"
    await say(channel, draft(conversation="-77/1"))
    assert [asked.path.rpartition("/")[2] for asked in server.asked] == ["sendMessage"] * 3, "it is remembered"


async def test_typing_is_shown_and_its_failure_is_nobodys_loss(server: TelegramServer) -> None:
    channel = bot(server)
    await channel.attend("-1005/topic/9", typing=True)
    await channel.attend("1001", seen="1001/1")
    assert server.sent == [{"action": "typing", "chat": "-1005"}]
    server.stop()
    await channel.attend("1001", typing=True)
