"""What comes in from Messenger, Instagram and comments, and what is strange in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from channels.meta.facebook import Settings
from channels.meta.reading import HUMAN_MS, WINDOW_MS
from desk.channel import AuthRequired, Inbound, Permanent, RateLimited, Retry
from tests.channels.meta.pages import account, messages, page, told
from tests.servers.local_http import CUT_BEFORE, Reply
from tests.servers.meta import ACCOUNT, PAGE, MetaServer, error


@pytest.fixture
def server() -> Iterator[MetaServer]:
    running = MetaServer()
    yield running
    running.stop()


def at(items: list[Any]) -> list[str]:
    return [item.external_id for item in items if isinstance(item, Inbound)]


# -- conversations ------------------------------------------------------------


async def test_a_message_has_until_when_it_may_be_answered(server: MetaServer) -> None:
    server.write("My invoice")
    server.write("We look into it", sender=PAGE, to="3001")
    one, two = await messages(page(server))
    assert (one.conversation, one.public, one.ours, one.text) == ("chat/3001", False, False, "My invoice")
    assert one.sender is not None
    assert (one.sender.kind, one.sender.value, one.sender.display) == ("facebook", "3001", "Ann Lee")
    assert one.at is not None
    assert one.reply_until == one.at + WINDOW_MS
    assert (two.ours, two.reply_until, [who.value for who in two.to]) == (True, None, ["3001"])
    (human, _) = await messages(page(server, human_agent=True))
    assert human.reply_until == one.at + HUMAN_MS


async def test_instagram_names_people_by_their_handle(server: MetaServer) -> None:
    server.write("Hello", platform="instagram")
    server.write("not for this account")
    server.write("Welcome", sender=ACCOUNT, to="3001", platform="instagram")
    one, two = await messages(account(server))
    assert one.sender is not None
    assert (one.sender.kind, one.sender.display, two.ours) == ("instagram", "@ann", True)


async def test_many_conversations_come_once_and_in_order(server: MetaServer) -> None:
    server.page = 3
    names = [server.write(f"from {n}", str(5_000 + n)) for n in range(10)]
    items, cursor = await told(page(server))
    assert at(items) == names
    more = [server.write("again", "5003"), server.write("and you", "5008")]
    items, cursor = await told(page(server), cursor)
    assert at(items) == more
    assert at((await told(page(server), cursor))[0]) == []


async def test_what_comes_late_is_not_lost(server: MetaServer) -> None:
    server.write("first")
    _, cursor = await told(page(server))
    late = server.write("late", at=server.now - 20_000)
    items, _ = await told(page(server), cursor)
    assert at(items) == [late]


async def test_a_gap_that_meta_leaves_is_said(server: MetaServer) -> None:
    server.write("first")
    _, cursor = await told(page(server))
    for n in range(30):
        server.write(f"number {n}")
    found = await messages(page(server), cursor)
    assert len(found) == 20
    assert found[0].text == "[Meta tells only the newest 20 messages; those before are in the page's inbox.]\nnumber 10"
    assert [one.text for one in found[1:3]] == ["number 11", "number 12"]


async def test_an_outage_is_read_behind_it(server: MetaServer) -> None:
    _, cursor = await told(page(server))
    name = server.write("during")
    channel = page(server)
    path = f"GET /v25.0/{PAGE}/conversations"
    for fault in (CUT_BEFORE, Reply(503, b"<html>"), Reply(200, b'{"data": [{"id'), error(2, "unexpected", status=500)):
        server.faults.append((path, fault))
        with pytest.raises(Retry):
            await told(channel, cursor)
    assert at((await told(channel, cursor))[0]) == [name]


async def test_files_are_fetched_and_a_large_one_is_a_line(server: MetaServer) -> None:
    server.write("Look", **server.file(b"\xff\xd8 photo"))
    server.write(None, **server.file(b"%PDF", "bill.pdf", "application/pdf"))
    server.write("and", **server.file(b"x" * 3000, "large.jpg"))
    one, two, three = await messages(page(server, file_limit_mb=0.001))
    assert [(a.name, a.content_type) for a in one.attachments] == [("box.jpg", "image/jpeg")]
    assert (two.text, [a.name for a in two.attachments]) == ("[A file.]", ["bill.pdf"])
    assert "[large.jpg was not fetched" in three.text
    assert not three.attachments


async def test_what_is_beside_the_text_is_a_line(server: MetaServer) -> None:
    server.write("", sticker="https://example.com/s.png")
    server.write("see", shares={"data": [{"name": "A page", "link": "https://example.com/a"}]})
    server.write("", platform="messenger", is_unsupported=True)
    assert [one.text for one in await messages(page(server))] == [
        "[sticker]",
        "see\n[shared: A page] https://example.com/a",
        "[A message of a kind that Meta gives to no program: look into the inbox.]",
    ]
    mid = server.write("Nice", platform="instagram", story={"reply_to": {"link": "https://example.com/st"}})
    server.write("and", platform="instagram", reply_to={"mid": mid})
    one, two = await messages(account(server))
    assert one.text == "Nice\n[an answer to our story] https://example.com/st"
    assert two.answers == mid


async def test_a_field_that_a_version_has_not_is_left_out(server: MetaServer) -> None:
    name = server.write("Hello")
    refusal = error(100, "(#100) Tried accessing nonexisting field (reply_to) on node type (UnifiedMessage)")
    server.faults.append((f"GET /v25.0/{PAGE}/conversations", refusal))
    assert at(await messages(page(server))) == [name]
    assert ["reply_to" in one.one("fields") for one in server.asked(f"GET /v25.0/{PAGE}/conv")] == [True, False]


# -- comments -----------------------------------------------------------------


async def test_each_first_comment_is_a_conversation_of_its_own(server: MetaServer) -> None:
    post = server.post("A new version")
    first = server.comment(post, "Is there a dark theme?")
    answer = server.comment(post, "There is", PAGE, first)
    other = server.comment(post, "And for me?", "3002")
    one, two, three = await messages(page(server))
    assert (one.external_id, one.conversation, one.answers) == (f"comment/{first}", f"comment/{first}", None)
    assert (one.public, one.reply_until, one.link) == (True, None, f"https://www.facebook.com/{first}")
    assert (two.conversation, two.answers, two.ours) == (f"comment/{first}", f"comment/{first}", True)
    assert (two.external_id, three.conversation) == (f"comment/{answer}", f"comment/{other}")


async def test_a_visitors_post_is_one_conversation(server: MetaServer) -> None:
    post = server.post("You are not in the phone book", "3002")
    comment = server.comment(post, "Nor on my map")
    one, two = await messages(page(server))
    assert (one.external_id, one.conversation, one.public) == (f"post/{post}", f"post/{post}", True)
    assert (two.external_id, two.conversation, two.answers) == (f"comment/{comment}", f"post/{post}", f"post/{post}")


async def test_only_posts_that_changed_are_asked_for_comments(server: MetaServer) -> None:
    posts = [server.post(f"post {n}") for n in range(9)]
    _, cursor = await told(page(server))
    new = server.comment(posts[0], "late to the party")
    server.requests.clear()
    items, cursor = await told(page(server), cursor)
    assert at(items) == [f"comment/{new}"]
    assert len([one for one in server.requests if one.path.endswith("/comments")]) == 6, "it, and the newest five"
    assert at((await told(page(server), cursor))[0]) == []


async def test_many_comments_are_paged(server: MetaServer) -> None:
    server.page = 4
    post = server.post()
    names = [f"comment/{server.comment(post, f'number {n}')}" for n in range(11)]
    assert at(await messages(page(server))) == names


async def test_comments_and_answers_on_instagram(server: MetaServer) -> None:
    photo = server.photo()
    first = server.comment(photo, "Lovely")
    answer = server.comment(photo, "I agree", "3002", first)
    one, two = await messages(account(server))
    assert (one.external_id, one.conversation, one.link) == (
        f"comment/{first}", f"comment/{first}", f"https://www.instagram.com/p/{photo}/",
    )  # fmt: skip
    assert (two.external_id, two.conversation, two.answers) == (
        f"comment/{answer}", f"comment/{first}", f"comment/{first}",
    )  # fmt: skip


async def test_who_is_not_named_is_somebody(server: MetaServer) -> None:
    name = server.comment(server.post(), "Hello")
    del server.comments[name]["from"]
    (one,) = await messages(page(server))
    assert one.sender is not None
    assert (one.sender.value, one.sender.display) == (f"unknown/{name}", "somebody on Facebook")


async def test_comments_can_be_left_alone(server: MetaServer) -> None:
    server.comment(server.post())
    channel = page(server, comments_s=0.0)
    assert await messages(channel) == []
    assert not channel.capabilities.public
    assert not server.asked(f"GET /v25.0/{PAGE}/feed")


# -- what is strange, and what is refused ------------------------------------------

HOSTILE: list[dict[str, Any]] = [
    {"message": None, "created_time": "never"},
    {"message": ["a"], "to": 3, "attachments": {"data": [None, {"image_data": 4}, {}]}},
    {"message": "\u202e\x00\x1b[31m evil \ud800", "shares": "no", "story": [], "reply_to": 5},
    {"message": "x" * 50_000, "attachments": {"data": [{"name": "a", "image_data": {"url": "https://[oops"}}]}},
    {"from": "Ann", "message": "who"},
]


@pytest.mark.parametrize("strange", HOSTILE)
async def test_a_strange_message_never_blocks_the_next(server: MetaServer, strange: dict[str, Any]) -> None:
    fine = server.write("fine", "3002")
    server.chats["messenger"]["3001"] = [
        {"id": "m_x", "created_time": "2026-01-01T00:00:00+0000", "from": {"id": "3001"}, **strange}
    ]
    rows: list[Any] = [None, "x", {"id": 3}, {"messages": {"data": "no"}}, {"messages": 3, "participants": []}]
    found = server._conversations(server_request())
    rows += found.content["data"]
    server.faults.append((f"GET /v25.0/{PAGE}/conversations", Reply(200, {"data": rows, "paging": 7})))
    server.faults.append((f"GET /v25.0/{PAGE}/feed", Reply(200, {"data": [None, {"id": []}, {"id": "9_9"}]})))
    assert fine in at(await messages(page(server, backfill_d=3_000.0)))


def server_request() -> Any:
    from tests.servers.local_http import Request

    query = {"platform": ["messenger"], "fields": ["messages"]}
    return Request("GET", f"/v25.0/{PAGE}/conversations", query, {}, b"")


async def test_a_token_that_ended_pauses_and_is_never_shown(
    server: MetaServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    server.token = "another"
    channel = page(server)
    with pytest.raises(AuthRequired, match="make a new one for the page") as caught:
        await told(channel)
    assert "canary" not in f"{caught.value!r} {caught.value.__cause__!r} {caplog.text} {channel.__dict__!r}"
    assert "(190/463)" in str(caught.value)


@pytest.mark.parametrize("code", [4, 17, 32, 613, 80001, 80006])
async def test_limits_are_waited_out(server: MetaServer, code: int) -> None:
    refusal = error(code, "(#4) Application request limit reached")
    usage = json.dumps({PAGE: [{"type": "messenger", "call_count": 100, "estimated_time_to_regain_access": 20}]})
    header = {"x-business-use-case-usage": usage}
    server.faults.append((f"GET /v25.0/{PAGE}/conv", Reply(400, refusal.content, header)))
    channel = page(server)
    with pytest.raises(RateLimited) as caught:
        await told(channel)
    assert caught.value.after_s == 1_200.0
    before = len(server.requests)
    with pytest.raises(RateLimited):
        await told(channel)
    assert len(server.requests) == before, "nothing is asked until then"


async def test_the_busier_meta_says_it_is_the_longer_are_the_pauses(server: MetaServer) -> None:
    channel = page(server, poll_s=60.0, comments_s=60.0)
    _, cursor = await told(channel)
    for share, times in ((20, 1.0), (55, 2.0), (80, 4.0), (95, 16.0)):
        server.usage = {"x-app-usage": json.dumps({"call_count": share, "total_time": 1, "total_cputime": 1})}
        fresh = page(server, poll_s=60.0, comments_s=60.0)
        await told(fresh, cursor)
        assert fresh.graph.pace == times
    now = fresh.reading._clock()
    fresh.reading._clock = lambda: now + 8 * 60_000
    before = len(server.requests)
    await told(fresh, cursor)
    assert len(server.requests) == before
    fresh.reading._clock = lambda: now + 17 * 60_000
    await told(fresh, cursor)
    assert len(server.requests) > before
    server.usage = {"x-app-usage": "nonsense", "x-business-use-case-usage": '{"1": [3, {"call_count": "x"}]}'}
    await told(page(server), cursor)


async def test_a_permission_that_is_missing_is_said(server: MetaServer) -> None:
    for code in (10, 200, 230):
        server.faults.append(
            (f"GET /v25.0/{PAGE}/conv", error(code, "Requires pages_messaging permission", status=403))
        )
        with pytest.raises(AuthRequired, match="give it the permission"):
            await told(page(server))


async def test_check_says_what_was_found(server: MetaServer) -> None:
    server.write("Hello", platform="instagram")
    assert await account(server).check() == [
        "Meta knows the token of Desk",
        "it reaches @desk on Instagram",
        "there are conversations",
        "there are no posts yet",
    ]
    server.faults.append(("GET /v25.0/me", Reply(200, {"id": "7", "name": "Kim"})))
    with pytest.raises(Permanent, match="belongs to Kim, not to the page"):
        await page(server).check()


@pytest.mark.parametrize(
    "wrong",
    [{"page": "examplesoft"}, {"version": "latest"}, {"poll_s": 0.0}, {"comments_s": 0.5}, {"posts": 0},
     {"backfill_d": -1.0}, {"file_limit_mb": 30.0}],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Settings(**{"page": PAGE, **wrong})
