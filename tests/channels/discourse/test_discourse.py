"""A forum, read and answered: nothing lost in an outage, nothing said twice, and every refusal in words."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest
from msgspec.structs import replace

from channels.discourse import Discourse
from channels.discourse.forum import RATES
from channels.kit.buckets import Buckets
from desk.blobs import unpack
from desk.channel import (
    AuthRequired,
    Batch,
    ChannelError,
    Edit,
    Inbound,
    Item,
    Outgoing,
    Permanent,
    RateLimited,
    Reaction,
    Removal,
    Retry,
    Sent,
    Unknown,
    WindowClosed,
)
from desk.model import Attachment, Identity
from tests.channels.discourse.ground import forum, settings
from tests.servers.forum import KEY, DiscourseServer
from tests.servers.local_http import CUT_AFTER, CUT_BEFORE, Reply

PICTURE = Attachment("plan.png", "image/png", 8, "0" * 64)


@pytest.fixture
def server(request: pytest.FixtureRequest) -> DiscourseServer:
    return forum(request)


def opened(server: DiscourseServer, **more: object) -> Discourse:
    channel = Discourse("forum", settings(server, **more))
    # What a test asks for in a moment would take minutes at the pace that forums grant.
    channel._forum.http.buckets.take = _at_once  # type: ignore[method-assign]
    return channel


async def _at_once(what: str) -> None: ...


async def read(channel: Discourse, cursor: str | None = None) -> tuple[list[Item], str]:
    batches: list[Batch] = [batch async for batch in channel.poll(cursor)]
    return [item for batch in batches for item in batch.items], batches[-1].cursor if batches else cursor or ""


def messages(items: Sequence[Item]) -> list[Inbound]:
    return [item for item in items if isinstance(item, Inbound)]


def draft(server: DiscourseServer, text: str = "Yes, under Settings.", **more: Any) -> Outgoing:
    ann = Identity("discourse", f"ann@{server.url.removeprefix('http://')}", "Ann")
    ours = Identity("discourse", "desk@x")
    return replace(
        Outgoing(12, "deskhand.12.ab.7@desk.test", 1_790_000_000_000, ours, (ann,), text, "Re: A theme"), **more
    )


class Phases(list[str]):
    async def __call__(self, name: str) -> None:
        self.append(name)


async def send(channel: Discourse, draft: Outgoing) -> list[Sent]:
    return [await channel.send(part, "deskhand-1-7", Phases()) for part in channel.render(draft)]


# -- what comes in ------------------------------------------------------------


async def test_a_topic_is_a_public_conversation_and_its_replies_say_what_they_answer(server: DiscourseServer) -> None:
    topic = server.topic("Is there a dark theme?")
    first = server.write(topic, "Ann", "<p>I cannot <strong>find</strong> one.</p>")
    second = server.write(topic, "desk", "<p>Look again.</p>", reply_to_post_number=1)
    items, _ = await read(opened(server))
    one, two = messages(items)
    place = server.url.removeprefix("http://")
    assert one.sender == Identity("discourse", f"ann@{place}", "Ann")
    assert (one.external_id, one.conversation, one.subject) == (str(first), str(topic), "Is there a dark theme?")
    assert one.text == "I cannot **find** one."
    assert one.public
    assert not one.ours
    assert one.link == f"{server.url}/t/{topic}/1"
    assert (two.external_id, two.answers, two.ours) == (str(second), str(first), True)


async def test_a_private_message_is_a_private_conversation(server: DiscourseServer) -> None:
    topic = server.topic("My invoice", private=("desk", "ann"))
    server.write(topic, "ann", "<p>It is wrong</p>")
    server.topic("Not ours", private=("bob", "ann"))
    items, cursor = await read(opened(server))
    (one,) = messages(items)
    assert (one.public, one.conversation, one.subject) == (False, str(topic), "My invoice")
    server.write(topic, "ann", "<p>Still</p>")
    items, _ = await read(opened(server), cursor)
    assert [m.text for m in messages(items)] == ["Still"]


async def test_the_inbox_of_a_group_is_read_too(server: DiscourseServer) -> None:
    server.write(server.topic("Help", private=("helpers", "ann")), "ann", "<p>Please</p>")
    assert messages((await read(opened(server)))[0]) == []
    assert [m.text for m in messages((await read(opened(server, groups=("helpers",))))[0])] == ["Please"]


async def test_an_inbox_that_is_refused_stops_no_other_and_is_told(server: DiscourseServer) -> None:
    server.write(server.topic("Help", private=("helpers", "ann")), "ann", "<p>Please</p>")
    server.faults.append(
        ("GET /topics/private-messages-group/desk/admins", Reply(403, {"errors": ["You are not permitted."]}))
    )
    found: list[Item] = []

    async def poll() -> None:
        async for batch in opened(server, groups=("admins", "helpers")).poll(None):
            found.extend(batch.items)

    with pytest.raises(Permanent, match="not permitted"):
        await poll()
    assert [m.text for m in messages(found)] == ["Please"]


@pytest.mark.parametrize("old", [False, True], ids=["pages of posts", "pages of numbers"])
async def test_all_that_was_written_in_an_outage_comes_in_once_and_in_order(
    request: pytest.FixtureRequest, old: bool
) -> None:
    server = forum(request, old=old)
    topic = server.topic("Busy")
    server.write(topic, html="<p>before</p>")
    _, cursor = await read(opened(server))
    for number in range(260):
        if number % 7 == 0:
            server.number += 13  # posts that we may not see have numbers too
        server.write(topic, html=f"<p>post {number}</p>")
    items, cursor = await read(opened(server), cursor)
    assert [m.text for m in messages(items)] == [f"post {number}" for number in range(260)]
    assert messages((await read(opened(server), cursor))[0]) == []


async def test_an_outage_longer_than_the_rate_limit_is_caught_up_with_in_several_attempts(
    server: DiscourseServer,
) -> None:
    topic = server.topic("Busy")
    server.write(topic)
    _, cursor = await read(opened(server))
    for number in range(330):
        server.write(topic, html=f"<p>post {number}</p>")
    texts: list[str] = []
    for _ in range(12):
        server.minute_limit = 4
        with suppress(RateLimited):
            async for batch in opened(server).poll(cursor):
                texts += [m.text for m in messages(batch.items)]
                cursor = batch.cursor
    assert texts == [f"post {number}" for number in range(330)]


async def test_many_private_conversations_of_an_outage_come_in_once(server: DiscourseServer) -> None:
    _, cursor = await read(opened(server))
    for number in range(70):
        server.write(server.topic(f"Question {number}", private=("desk", "ann")), "ann", f"<p>{number}</p>")
    channel = opened(server)
    items, cursor = await read(channel, cursor)
    assert [m.text for m in messages(items)] == [str(number) for number in range(70)]
    assert messages((await read(channel, cursor))[0]) == []


async def test_where_nothing_is_new_nothing_is_written(server: DiscourseServer) -> None:
    for number in range(12):
        server.write(server.topic(f"T{number}", private=("desk", "ann") if number % 2 else ()), "ann")
    channel = opened(server)
    _, cursor = await read(channel)
    for _ in range(4):
        assert [batch async for batch in channel.poll(cursor)] == []


async def test_a_post_that_becomes_visible_late_is_not_lost(server: DiscourseServer) -> None:
    topic = server.topic("Two at once")
    server.write(topic, html="<p>one</p>")
    server.number += 1
    server.write(topic, html="<p>three</p>")
    _, cursor = await read(opened(server))
    server.write(topic, html="<p>two</p>", number=server.number - 1)
    items, cursor = await read(opened(server), cursor)
    assert [m.text for m in messages(items)] == ["two"]
    assert messages((await read(opened(server), cursor))[0]) == []


async def test_posts_older_than_the_beginning_stay_away(server: DiscourseServer) -> None:
    topic = server.topic("Old and new")
    server.now -= 3 * 86_400
    for number in range(60):
        server.write(topic, html=f"<p>old {number}</p>")
    server.now += 3 * 86_400
    server.write(topic, html="<p>new</p>")
    items, cursor = await read(opened(server))
    assert [m.text for m in messages(items)] == ["new"]
    assert messages((await read(opened(server), cursor))[0]) == []


async def test_a_forum_that_shows_nothing_at_first_is_not_read_from_its_first_day(
    request: pytest.FixtureRequest,
) -> None:
    server = forum(request, old=True)
    topic = server.topic("Long ago")
    server.now -= 30 * 86_400
    server.write(topic)
    server.now += 30 * 86_400
    server.number += 90_000  # numbers of what is not for us
    _, cursor = await read(opened(server))
    server.write(topic, html="<p>new</p>")
    asked = len(server.requests)
    items, _ = await read(opened(server), cursor)
    assert [m.text for m in messages(items)] == ["new"]
    assert len(server.requests) - asked < 8


@pytest.mark.parametrize(
    ("more", "texts"),
    [
        ({"categories": ("6",)}, ["in billing"]),
        ({"categories": ("support",)}, ["in support", "tagged"]),
        ({"tags": ("urgent", "late")}, ["tagged"]),
        ({"categories": ("billing",), "tags": ("urgent",)}, []),
        ({"public": False}, []),
    ],
)
async def test_only_the_wanted_categories_and_tags_come_in(
    server: DiscourseServer, more: dict[str, Any], texts: list[str]
) -> None:
    for text, category, tags in (("in support", 5, ()), ("in billing", 6, ()), ("tagged", 5, ("urgent",))):
        server.write(server.topic("T", category=category, tags=tags), html=f"<p>{text}</p>")
    assert [m.text for m in messages((await read(opened(server, **more)))[0])] == texts


async def test_a_category_that_is_not_there_is_named(server: DiscourseServer) -> None:
    with pytest.raises(Permanent, match='no category "bills"'):
        await opened(server, categories=("bills",)).check()


async def test_quotes_are_folded_and_links_are_whole(server: DiscourseServer) -> None:
    server.write(
        server.topic("Quotes"),
        html='<aside class="quote" data-username="bob"><div class="title"><div class="quote-controls"></div>'
        '<img class="avatar" src="/a.png"> bob:</div><blockquote><p>all is well</p></blockquote></aside>'
        '<p>No, <a class="mention" href="/u/bob">@bob</a>, see <a href="/t/other/3">there</a> '
        '<img class="emoji" title=":smile:" alt=":smile:" src="/e.png"></p>',
    )
    (one,) = messages((await read(opened(server)))[0])
    assert "> all is well" in one.text
    assert "all is well" not in one.visible
    assert one.visible == f"No, @bob, see there [1] :smile:\n\n[1] {server.url}/t/other/3"


async def test_files_come_along_within_the_limit(server: DiscourseServer) -> None:
    server.uploads |= {"/uploads/default/plan.png": b"PICTURE", "/uploads/default/big.pdf": b"x" * 2000}
    server.write(
        server.topic("Files"),
        html='<p>See</p><div class="lightbox-wrapper"><a class="lightbox" href="/uploads/default/plan.png" title="plan">'
        '<img src="/uploads/default/plan.png"></a></div><a class="attachment" href="/uploads/default/big.pdf">big.pdf</a>'
        '<a class="attachment" href="https://elsewhere.example/uploads/x.zip">x.zip</a>',
    )
    (one,) = messages((await read(opened(server, file_limit_mb=0.001)))[0])
    assert [(a.name, a.content_type, a.size) for a in one.attachments] == [("plan.png", "image/png", 7)]
    assert unpack(one.blobs[0].packed) == b"PICTURE"
    assert "big.pdf was not fetched" in one.text
    assert f"{server.url}/uploads/default/big.pdf" in one.text
    assert "it is not" in one.text
    assert "https://elsewhere.example/uploads/x.zip" in one.text


async def test_edits_deletions_likes_and_solutions_are_told(server: DiscourseServer) -> None:
    topic = server.topic("Life of a post")
    first, second = server.write(topic, "ann", "<p>Teh</p>"), server.write(topic, "desk", "<p>Do this</p>")
    third = server.write(topic, "bob", "<p>Spam</p>")
    _, cursor = await read(opened(server))
    server.edit(first, "<p>The</p>")
    server.like(second, "ann")
    server.posts[second]["accepted_answer"] = True
    server.delete(third)
    items, cursor = await read(opened(server), cursor)
    edit, like, solution, removal = items
    assert isinstance(edit, Edit)
    assert (edit.target, edit.text) == (str(first), "The")
    assert isinstance(like, Reaction)
    assert isinstance(solution, Reaction)
    assert (like.target, like.mark, like.sender.display) == (str(second), "like", "ann")
    assert (solution.target, solution.mark, solution.sender.display) == (str(second), "solution", "ann")
    assert isinstance(removal, Removal)
    assert removal.target == str(third)
    assert (await read(opened(server), cursor))[0] == []


async def test_a_look_at_a_long_topic_costs_little_and_misses_no_edit(server: DiscourseServer) -> None:
    topic, other = server.topic("Long"), server.topic("Short")
    numbers = [server.write(topic) for _ in range(110)]
    server.write(other)
    channel = opened(server)
    _, cursor = await read(channel)
    server.edit(numbers[0], "<p>other</p>")
    found: list[Item] = []
    for _ in range(4):
        asked = len(server.requests)
        items, cursor = await read(channel, cursor)
        found += items
        assert len(server.requests) - asked <= 4
    assert [item.target for item in found if isinstance(item, Edit)] == [str(numbers[0])]


async def test_a_topic_that_we_may_not_see_any_more_is_not_called_deleted(server: DiscourseServer) -> None:
    topic = server.topic("Moved away", private=("desk", "ann"))
    server.write(topic, "ann")
    _, cursor = await read(opened(server, public=False))
    server.topics[topic]["private"] = ("ann",)
    assert (await read(opened(server, public=False), cursor))[0] == []


async def test_a_topic_that_was_deleted_takes_its_posts_along(server: DiscourseServer) -> None:
    topic = server.topic("Gone")
    number = server.write(topic, "ann")
    _, cursor = await read(opened(server))
    server.topics[topic]["deleted"] = True
    (item,) = (await read(opened(server), cursor))[0]
    assert isinstance(item, Removal)
    assert item.target == str(number)


async def test_a_post_that_was_moved_is_not_called_deleted(server: DiscourseServer) -> None:
    topic, other = server.topic("Here"), server.topic("There")
    number = server.write(topic, "ann")
    _, cursor = await read(opened(server))
    server.posts[number]["topic_id"] = other
    assert (await read(opened(server), cursor))[0] == []


@pytest.mark.parametrize(
    "broken",
    [
        {"cooked": None},
        {"cooked": "<div>" * 3000},
        {"cooked": '<a href="http://[::1">x</a><img src="//[/uploads/x">'},
        {"username": None, "name": 7},
        {"created_at": "yesterday", "post_number": "first", "actions_summary": 3},
        {"topic_title": {"a": 1}, "category_id": [5]},
        {"topic_id": None},
        {"reply_to_post_number": {}, "raw": 12, "notice": "x"},
        {"cooked": "\x00\u202egnp\x1b[31m" + "x" * 600_000},
    ],
)
async def test_a_broken_post_does_not_hold_up_the_next(server: DiscourseServer, broken: dict[str, Any]) -> None:
    topic = server.topic("Hostile")
    number = server.write(topic)
    server.write(topic, html="<p>fine</p>")
    latest = server._latest(0)
    bad = [{**one, **broken} if one["id"] == number else one for one in latest]
    server.faults += [("GET /posts.json", Reply(200, {"latest_posts": ["x", None, *bad]}))] * 2
    items, _ = await read(opened(server))
    assert messages(items)[-1].text == "fine"
    assert all(m.text for m in messages(items))


# -- what goes out --------------------------------------------------------------


async def test_an_answer_goes_into_the_topic_under_what_it_answers(server: DiscourseServer) -> None:
    topic = server.topic("A theme")
    first = server.write(topic, "ann")
    server.write(topic, "bob")
    channel = opened(server)
    (sent,) = await send(channel, draft(server, "**Yes**", conversation=str(topic), answers=str(first), public=True))
    post = server.posts[int(sent.remote_id or "")]
    assert (post["raw"], post["topic_id"], post["reply_to_post_number"]) == ("**Yes**", topic, 1)
    assert sent.conversation == str(topic)
    echo = next(m for m in messages((await read(channel))[0]) if m.external_id == sent.remote_id)
    assert echo.ours


async def test_a_public_post_is_answered_in_private(server: DiscourseServer) -> None:
    topic = server.topic("A theme")
    first = server.write(topic, "ann")
    whole = draft(server, conversation=str(topic), answers=str(first), public=True, private=True)
    (sent,) = await send(opened(server), whole)
    new = server.topics[int(sent.conversation or "")]
    assert new["title"] == "A theme"
    assert new["private"] == ("desk", "ann")
    (again,) = await send(opened(server), whole)
    assert again == sent, "the forum finds it by our mark, and gets no second"


async def test_files_are_put_on_the_forum_and_shown(server: DiscourseServer) -> None:
    topic = server.topic("Files")
    note = Attachment("no[te].txt", "text/plain", 3, "1" * 64)
    whole = draft(server, conversation=str(topic), attachments=((PICTURE, b"PICTURE!"), (note, b"abc")))
    (sent,) = await send(opened(server), whole)
    raw = server.posts[int(sent.remote_id or "")]["raw"]
    assert "![plan.png|30x20](upload://" in raw
    assert "[no te .txt|attachment](upload://" in raw
    assert b"PICTURE!" in server.uploads.values()


async def test_a_long_text_is_several_posts(server: DiscourseServer) -> None:
    topic = server.topic("Long")
    sent = await send(opened(server), draft(server, "A sentence of ours. " * 3000, conversation=str(topic)))
    assert len(sent) == 2
    assert len({one.remote_id for one in sent}) == 2


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"text": "hm"}, Permanent, "too short .*write a little more"),
        ({"text": "Said before"}, Permanent, "too similar .*change what it says"),
        ({"conversation": "999"}, Permanent, "the topic is gone"),
        ({"conversation": None, "to": ()}, Permanent, "needs somebody"),
        ({"conversation": None, "public": True}, Permanent, "no new public topic"),
        ({"attachments": ((Attachment("x.exe", "application/x-msdownload", 2, "2" * 64), b"MZ"),)}, Permanent, "another kind of file"),
        ({"attachments": ((Attachment("x.png", "image/png", 5_000_000, "2" * 64), b"x" * 5_000_000),)}, Permanent, "at most 4,194,304 go"),
    ],
)  # fmt: skip
async def test_a_refusal_is_in_words(
    server: DiscourseServer, changes: dict[str, Any], error: type[ChannelError], words: str
) -> None:
    topic = server.topic("Refused")
    server.write(topic, "desk", raw="Said before")
    with pytest.raises(error, match=words):
        await send(opened(server), replace(draft(server, conversation=str(topic)), **changes))


async def test_a_closed_topic_says_so_before_anything_goes_out(server: DiscourseServer) -> None:
    topic = server.topic("Closed")
    server.topics[topic]["closed"] = True
    with pytest.raises(WindowClosed, match="closed: answer in private"):
        await send(opened(server), draft(server, conversation=str(topic)))
    assert server.asked("POST") == []


async def test_what_waits_for_a_moderator_is_not_sent_again(server: DiscourseServer) -> None:
    server.approval = True
    topic = server.topic("Moderated")
    with pytest.raises(Unknown, match="until a moderator approves it"):
        await send(opened(server), draft(server, conversation=str(topic)))


@pytest.mark.parametrize("private", [False, True])
async def test_cut_when_it_was_made_it_is_found_again(server: DiscourseServer, private: bool) -> None:
    topic = server.topic("Cut")
    server.write(topic, "ann")
    server.faults.append(("POST /posts.json", CUT_AFTER))
    (sent,) = await send(opened(server), draft(server, conversation=str(topic), private=private))
    assert int(sent.remote_id or "") == max(server.posts)
    assert len([p for p in server.posts.values() if p["username"] == "desk"]) == 1


async def test_cut_before_it_was_made_it_stays_open(server: DiscourseServer) -> None:
    topic = server.topic("Cut")
    server.write(topic, "desk", raw="Yes, under Settings.")  # the same was said before
    server.faults.append(("POST /posts.json", CUT_BEFORE))
    with pytest.raises(Unknown, match="look at the topic"):
        await send(opened(server), draft(server, conversation=str(topic)))


async def test_until_the_data_phase_nothing_is_unknown(server: DiscourseServer) -> None:
    topic = server.topic("Cut early")
    channel, phases = opened(server), Phases()
    (part,) = channel.render(draft(server, conversation=str(topic), attachments=((PICTURE, b"PICTURE!"),)))
    server.faults.append(("POST /uploads.json", CUT_AFTER))
    with pytest.raises(Retry):
        await channel.send(part, "deskhand-1-7", phases)
    assert phases == []


# -- the forum as it is -----------------------------------------------------------


async def test_a_revoked_key_pauses_the_account_and_shows_no_key(
    server: DiscourseServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    channel = opened(server)
    server.key = "another"
    with pytest.raises(AuthRequired, match="make a new one") as caught:
        await read(channel)
    with pytest.raises(AuthRequired):
        await channel.check()
    assert KEY not in f"{caught.value!r} {caplog.text} {channel._settings!r}"


async def test_the_key_leaves_only_for_the_forum(server: DiscourseServer, request: pytest.FixtureRequest) -> None:
    other = forum(request)
    other.uploads["/uploads/x.png"] = b"OTHER"
    server.write(server.topic("T"), html=f'<p>x</p><img src="{other.url}/uploads/x.png">')
    await read(opened(server, file_hosts=("127.0.0.1",)))
    assert all("api-key" not in one.headers for one in other.requests)


async def test_patience_is_kept_as_long_as_the_forum_says(server: DiscourseServer) -> None:
    server.minute_limit = 0
    channel = Discourse("forum", settings(server))
    with pytest.raises(RateLimited) as caught:
        await read(channel)
    assert caught.value.after_s == 27
    asked = len(server.requests)
    with pytest.raises(RateLimited):
        await read(channel)
    assert len(server.requests) == asked, "it is not even asked"


async def test_no_more_than_sixty_requests_go_out_in_a_minute(server: DiscourseServer) -> None:
    class Waits(Exception):
        """It would have to wait here."""

    async def wait(seconds: float) -> None:
        raise Waits

    channel = Discourse("forum", settings(server))
    channel._forum.http.buckets = Buckets(RATES, clock=lambda: 0.0, sleep=wait)
    cursor = None
    with suppress(Waits):
        while True:
            _, cursor = await read(channel, cursor)
    assert len(server.requests) == 60


@pytest.mark.parametrize(
    "fault", [Reply(503, b"down"), Reply(502, b"<html>bad gateway"), Reply(200, b"<html>"), Reply(200, [1]), CUT_BEFORE]
)
async def test_a_forum_that_is_down_is_asked_again_and_nothing_is_lost(server: DiscourseServer, fault: Any) -> None:
    server.write(server.topic("T"), html="<p>kept</p>")
    server.faults.append(("GET /posts.json", fault))
    channel = opened(server)
    with pytest.raises(Retry):
        await read(channel)
    assert [m.text for m in messages((await read(channel))[0])] == ["kept"]


async def test_the_cursor_stays_small(server: DiscourseServer) -> None:
    for number in range(160):
        server.write(server.topic(f"T{number}", private=("desk", "ann") if number % 2 else ()), "ann")
    _, cursor = await read(opened(server))
    assert len(cursor) < 16_000
    assert json.loads(cursor)
