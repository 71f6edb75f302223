"""What goes out to X: posts, threads, messages, files, and what X refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from desk.channel import AuthRequired, Permanent, RateLimited, Retry, Unknown
from desk.lengths import WEIGHTED, length
from tests.channels.x.accounts import account, attached, draft, messages, say
from tests.servers.local_http import CUT_AFTER, CUT_BEFORE, Reply
from tests.servers.x import ME, XServer


@pytest.fixture
def server() -> Iterator[XServer]:
    running = XServer()
    yield running
    running.stop()


def ours(server: XServer) -> list[dict[str, Any]]:
    return [one for one in server.posts.values() if one["author_id"] == ME]


async def test_an_answer_in_public_answers_the_post(server: XServer) -> None:
    asked = server.post("@desk is it down?")
    (sent,) = await say(account(server), draft("It is up", conversation=asked, answers=asked, public=True))
    (one,) = ours(server)
    assert one["referenced_tweets"] == [{"type": "replied_to", "id": asked}]
    assert (sent.remote_id, sent.conversation) == (one["id"], None)


async def test_a_post_that_answers_nothing_begins_a_conversation(server: XServer) -> None:
    (sent,) = await say(account(server), draft("We are up again", public=True))
    assert sent.conversation == sent.remote_id == ours(server)[0]["id"]


async def test_a_long_text_is_refused_unless_threads_are_allowed(server: XServer) -> None:
    text = " ".join(f"Sentence {n} says little to a reader." for n in range(20))
    asked = server.post("@desk is it down?")
    answer = draft(text, conversation=asked, answers=asked, public=True)
    with pytest.raises(Permanent, match="at most 280"):
        account(server).render(answer)
    sent = await say(account(server, threads=True), answer)
    above = [one["referenced_tweets"][0]["id"] for one in ours(server)]
    assert above == [asked, *[one.remote_id for one in sent[:-1]]], "each post answers the one before it"
    assert all(length(one["text"], WEIGHTED) <= 280 for one in ours(server))


def test_length_is_weighted(server: XServer) -> None:
    channel = account(server)
    link = "https://example.com/" + "x" * 400
    channel.render(draft(f"{link} {'a' * 256}", public=True))
    with pytest.raises(Permanent):
        channel.render(draft("語" * 141, public=True))
    channel.render(draft("語" * 141))


async def test_an_answer_in_private_is_a_message(server: XServer) -> None:
    asked = server.post("@desk my number is wrong")
    (sent,) = await say(account(server), draft("Which number?", answers=asked, private=True))
    assert (sent.conversation, sent.remote_id) == ("dm/2001-9000", f"dm/{max(server.events)}")
    (again,) = await say(account(server), draft("Well?", conversation="dm/2001-9000"))
    assert again.conversation is None
    assert not ours(server)


async def test_who_takes_no_messages_is_told_with_the_next_step(server: XServer) -> None:
    server.closed.add("2001")
    for answer in (draft("Hello", private=True), draft("Hello", conversation="dm/2001-9000")):
        with pytest.raises(Permanent, match="answer in public and ask them to write to us"):
            await say(account(server), answer)


async def test_who_has_not_mentioned_us_cannot_be_answered_by_a_program(server: XServer) -> None:
    other = server.post("nothing to do with you")
    with pytest.raises(Permanent, match="answer in private, or on X by hand"):
        await say(account(server), draft("Hello", answers=other, public=True))


async def test_the_same_words_twice_are_refused(server: XServer) -> None:
    channel = account(server)
    await say(channel, draft("Thanks", public=True))
    with pytest.raises(Permanent, match="look whether it is there"):
        await say(channel, draft("Thanks", public=True))


async def test_nobody_to_write_to(server: XServer) -> None:
    from desk.model import Identity

    with pytest.raises(Permanent, match="needs somebody on X"):
        account(server).render(draft("Hello", to=Identity("email", "ann@example.com")))


async def test_pictures_go_with_the_last_post(server: XServer) -> None:
    files = tuple(attached(f"{n}.png", "image/png", b"png" * 1000) for n in range(3))
    await say(account(server), draft("Look", public=True, attachments=files))
    (one,) = ours(server)
    assert [server.uploads[m]["data"] for m in one["media_ids"]] == [b"png" * 1000] * 3
    assert {server.uploads[m]["media_category"] for m in one["media_ids"]} == {"tweet_image"}


async def test_each_file_of_a_message_is_a_message(server: XServer) -> None:
    files = (attached("a.png", "image/png", b"a" * 10), attached("b.jpg", "image/jpeg", b"b" * 10))
    sent = await say(account(server), draft("Two", attachments=files))
    assert [server.events[one.remote_id.removeprefix("dm/")]["text"] for one in sent if one.remote_id] == ["Two", ""]
    assert {one["media_category"] for one in server.uploads.values()} == {"dm_image"}


async def test_a_film_is_waited_for(server: XServer, monkeypatch: pytest.MonkeyPatch) -> None:
    slept = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("channels.x.posting.asyncio.sleep", sleep)
    server.work = 2
    film = attached("film.mp4", "video/mp4", b"f" * (5 * 1024 * 1024))
    await say(account(server), draft("See", public=True, attachments=(film,)))
    assert slept == [1.0, 1.0]
    assert len(server.asked("POST /2/media/upload/")) == 4, "in pieces"


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([("a.pdf", "application/pdf", 10)], "it takes image/jpeg"),
        ([("a.png", "image/png", 6 * 1024 * 1024)], "pictures of up to"),
        ([("a.mp4", "video/mp4", 10), ("b.png", "image/png", 10)], "leave some out"),
        ([(f"{n}.png", "image/png", 10) for n in range(5)], "at most 4"),
        ([("a.mp4", "video/mp4", 17 * 1024 * 1024)], "at most"),
    ],
)
def test_files_that_do_not_go(server: XServer, files: list[tuple[str, str, int]], words: str) -> None:
    given = tuple(attached(name, kind, b"x" * size) for name, kind, size in files)
    with pytest.raises(Permanent, match=words):
        account(server).render(draft("Files", public=True, attachments=given))


async def test_what_is_cut_off_is_unknown_exactly_when_it_may_be_out(server: XServer) -> None:
    for fault in (CUT_BEFORE, CUT_AFTER, Reply(500, {"title": "x"}), Reply(201, b"nonsense")):
        server.faults.append(("POST /2/tweets", fault))
        with pytest.raises(Unknown):
            await say(account(server), draft(f"Hello {fault}", public=True))
    for fault in (CUT_BEFORE, Reply(503, {"title": "Service Unavailable"})):
        server.faults.append(("POST /2/media/upload/initialize", fault))
        with pytest.raises(Retry):
            await say(account(server), draft("Hello", public=True, attachments=(attached("a.png", "image/png", b"a"),)))
    server.faults.append(("POST /2/tweets", Reply(503, {"title": "Service Unavailable"})))
    with pytest.raises(Retry):
        await say(account(server), draft("Hello you", public=True))
    server.stop()
    with pytest.raises(Retry):
        await say(account(server), draft("Hello", public=True))


async def test_what_was_lost_is_seen_when_it_is_there(server: XServer) -> None:
    asked = server.post("@desk is it down?")
    server.faults.append(("POST /2/tweets", CUT_AFTER))
    with pytest.raises(Unknown):
        await say(account(server), draft("It is up", answers=asked, public=True))
    echo = [one for one in await messages(account(server)) if one.ours]
    assert [(one.text, one.conversation) for one in echo] == [("It is up", asked)]


async def test_refusals_of_limits_and_credits(server: XServer) -> None:
    channel = account(server)
    server.left["POST /2/tweets"] = 0
    with pytest.raises(RateLimited) as caught:
        await say(channel, draft("Hello", public=True))
    assert 300 < (caught.value.after_s or 0) <= 600
    server.left.clear()
    server.faults.append(("POST /2/tweets", Reply(402, {"title": "CreditsDepleted", "detail": "no credits"})))
    with pytest.raises(RateLimited, match="buy more"):
        await say(account(server), draft("Hello", public=True))
    kind = "https://api.twitter.com/2/problems/client-forbidden"
    server.faults.append(("POST /2/tweets", Reply(403, {"detail": "no", "type": kind})))
    with pytest.raises(AuthRequired, match="give it the permission"):
        await say(account(server), draft("Hello", public=True))


def test_the_same_draft_gives_the_same_bytes(server: XServer) -> None:
    answer = draft("Hello \u202e\x00 \ud83d", public=True)
    assert account(server).render(answer)[0].data == account(server).render(answer)[0].data
    json.loads(account(server).render(answer)[0].data)
