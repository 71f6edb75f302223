"""What comes in from X: mentions, messages, edits, deletions, files, and what is strange."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from desk.channel import AuthRequired, Edit, Inbound, Membership, RateLimited, Removal, Retry
from tests.channels.x.accounts import account, messages, told
from tests.servers.local_http import CUT_BEFORE, Reply
from tests.servers.x import ME, TOKEN, XServer


@pytest.fixture
def server() -> Iterator[XServer]:
    running = XServer()
    yield running
    running.stop()


async def test_a_mention_is_a_public_message_of_its_conversation(server: XServer) -> None:
    first = server.post("@desk is it down?")
    second = server.post("@desk @ann for me too", "2002", answers=first)
    one, two = await messages(account(server))
    assert (one.external_id, one.conversation, one.answers, one.public, one.ours) == (first, first, None, True, False)
    assert one.sender is not None
    assert (one.sender.kind, one.sender.value, one.sender.display) == ("x", "2001", "Ann Lee (@ann)")
    assert one.link == f"https://x.com/ann/status/{first}"
    assert one.at is not None
    assert (two.external_id, two.conversation, two.answers) == (second, first, first)


async def test_a_message_is_private_and_ours_is_ours(server: XServer) -> None:
    theirs = server.write("My invoice")
    server.write("We look into it", sender=ME, to="2001")
    one, two = await messages(account(server))
    assert (one.external_id, one.conversation, one.public, one.ours) == (f"dm/{theirs}", "dm/2001-9000", False, False)
    assert two.ours
    assert [who.value for who in two.to] == ["2001"]


async def test_text_is_whole_unescaped_and_with_true_links(server: XServer) -> None:
    links = [
        {"url": "https://t.co/a", "expanded_url": "https://example.com/page?a=1"},
        {"url": "https://t.co/p", "expanded_url": "https://x.com/ann/status/1/photo/1", "media_key": "3_1"},
    ]
    server.post("@desk a &lt; b &amp; c https://t.co/a https://t.co/p", entities={"urls": links})
    server.post("@desk short…", note_tweet={"text": "@desk all of a long post"})
    assert [one.text for one in await messages(account(server))] == [
        "@desk a < b & c https://example.com/page?a=1",
        "@desk all of a long post",
    ]


async def test_pictures_are_fetched_and_one_that_is_too_large_is_a_line(server: XServer) -> None:
    server.post("@desk look", **server.file(b"\xff\xd8 a photo", alt_text="a broken box"))
    server.post("@desk and this", **server.file(b"x" * 3000, "3_2"))
    one, two = await messages(account(server, file_limit_mb=0.001))
    assert [(a.name, a.content_type) for a in one.attachments] == [("photo-3_1.jpg", "image/jpeg")]
    assert one.blobs
    assert one.text == "@desk look\n[photo-3_1.jpg shows: a broken box]"
    assert not two.attachments
    assert "[photo-3_2.jpg was not fetched" in two.text
    assert two.text.endswith("/media/3_2.jpg")


async def test_a_file_elsewhere_is_not_fetched(server: XServer) -> None:
    more = server.file(b"secret", "3_9")
    server.media["3_9"]["url"] = "https://files.example.com/3_9.jpg"
    server.post("@desk look", **more)
    (one,) = await messages(account(server))
    assert "is not fetched: it is not" in one.text
    assert not one.attachments


async def test_what_is_on_many_pages_comes_in_once_and_in_order(server: XServer) -> None:
    server.page = 3
    names = [server.post(f"@desk number {n}") for n in range(10)]
    notes = [server.write(f"note {n}") for n in range(8)]
    items, cursor = await told(account(server))
    assert [one.external_id for one in items if isinstance(one, Inbound)] == names + [f"dm/{n}" for n in notes]
    more = [server.post("@desk one more"), server.write("and this")]
    items, cursor = await told(account(server), cursor)
    assert [one.external_id for one in items if isinstance(one, Inbound)] == [more[0], f"dm/{more[1]}"]
    assert (await told(account(server), cursor))[0] == []


async def test_what_becomes_visible_late_is_not_lost(server: XServer) -> None:
    late, late_note = server._number(), server._number()
    server.post("@desk in time")
    server.write("in time")
    _, cursor = await told(account(server))
    server.post("@desk late", id=late)
    server.events[late_note] = {**next(iter(server.events.values())), "id": late_note, "text": "late"}
    items, _ = await told(account(server), cursor)
    assert [one.external_id for one in items if isinstance(one, Inbound)] == [late, f"dm/{late_note}"]


async def test_an_outage_is_read_behind_it(server: XServer) -> None:
    server.post("@desk before")
    _, cursor = await told(account(server))
    channel = account(server)
    server.faults += [("GET /2/users/9000/mentions", Reply(503, {"title": "Service Unavailable"}))]
    server.faults += [("GET /2/users/9000/mentions", CUT_BEFORE)]
    during = server.post("@desk during")
    for _ in range(2):
        with pytest.raises(Retry):
            await told(channel, cursor)
    items, _ = await told(channel, cursor)
    assert [one.external_id for one in items if isinstance(one, Inbound)] == [during]


async def test_a_page_that_is_cut_is_read_again_whole(server: XServer) -> None:
    server.page = 2
    names = [server.post(f"@desk {n}") for n in range(4)]
    server.faults.append(("GET /2/users/9000/mentions", Reply(200, b'{"data": [{"id": "1')))
    channel = account(server)
    with pytest.raises(Retry):
        await told(channel)
    items, _ = await told(channel)
    assert [one.external_id for one in items if isinstance(one, Inbound)] == names


async def test_an_edit_is_told_of_the_first_version(server: XServer) -> None:
    first = server.post("@desk is it don?")
    _, cursor = await told(account(server))
    newer = server.edit(first, "@desk is it down?")
    items, cursor = await told(account(server), cursor)
    assert [(i.external_id, i.target, i.text) for i in items if isinstance(i, Edit)] == [
        (f"{first}/{newer}", first, "@desk is it down?")
    ]
    answer = server.post("@desk well?", "2002", answers=newer)
    items, _ = await told(account(server), cursor)
    assert [(i.external_id, i.answers) for i in items if isinstance(i, Inbound)] == [(answer, first)]


async def test_posts_are_looked_at_again(server: XServer) -> None:
    names = [server.post(f"@desk {n}") for n in range(4)]
    channel = account(server, again_h=0.000_000_1)
    _, cursor = await told(channel)
    server.deleted.add(names[0])
    server.hidden.add(names[1])
    server.edit(names[2], "nobody is named here any more")
    items, _ = await told(channel, cursor)
    assert [(type(i), i.target) for i in items if isinstance(i, (Removal, Edit))] == [
        (Removal, names[0]),
        (Edit, names[2]),
    ], "what is only hidden from us stays"


async def test_a_colleague_who_answers_on_x_is_heard_where_we_were_mentioned(server: XServer) -> None:
    asked = server.post("@desk is it down?")
    _, cursor = await told(account(server))
    answer = server.post("@ann it is up again", ME, answers=asked)
    server.post("Good morning", ME)
    items, _ = await told(account(server), cursor)
    assert [(i.external_id, i.ours, i.answers) for i in items if isinstance(i, Inbound)] == [(answer, True, asked)]


async def test_repeats_of_posts_are_no_messages(server: XServer) -> None:
    server.post("RT @ann: @desk hello", "2002", referenced_tweets=[{"type": "retweeted", "id": "1"}])
    assert await messages(account(server)) == []


async def test_who_joins_a_group_is_told(server: XServer) -> None:
    server.write("", conversation="555", event_type="ParticipantsJoin", participant_ids=["2002"])
    items, _ = await told(account(server))
    assert [(i.conversation, i.sender.value, i.joined) for i in items if isinstance(i, Membership)] == [
        ("dm/555", "2002", True)
    ]


HOSTILE: list[dict[str, Any]] = [
    {"text": None},
    {"text": ["a"], "author_id": 7, "created_at": {}},
    {"text": "@desk \u202e\x00\x1b[31m evil \ud800", "entities": [1]},
    {"text": "@desk " + "x" * 50_000, "conversation_id": None, "referenced_tweets": "no"},
    {"text": "@desk", "edit_history_tweet_ids": [None, "x", 4], "attachments": {"media_keys": [None, 3, "3_404"]}},
    {"text": "@desk", "author_id": "9" * 40, "entities": {"urls": [{"url": 3}, None]}, "note_tweet": 3},
]


@pytest.mark.parametrize("strange", HOSTILE)
async def test_a_strange_post_never_blocks_the_next(server: XServer, strange: dict[str, Any]) -> None:
    rows: list[Any] = [{"id": "1700000000000000002", "text": "@desk fine", "author_id": "2001"}]
    rows += [{"id": "1700000000000000001", "author_id": "2001", **strange}, {"id": 3}, {"id": "9" * 80}, "what"]
    for path in ("/2/users/9000/mentions", "/2/dm_events"):
        server.faults.append(
            (f"GET {path}", Reply(200, {"data": rows, "includes": {"users": [None, {"id": 3}]}, "meta": []}))
        )
    found = await messages(account(server))
    assert "1700000000000000002" in [one.external_id for one in found]


@pytest.mark.parametrize("strange", [[], {"data": {}}, {"data": "x", "meta": {"next_token": 4}}, None])
async def test_an_answer_of_another_form_is_no_news(server: XServer, strange: Any) -> None:
    server.faults.append(("GET /2/users/9000/mentions", Reply(200, strange)))
    if isinstance(strange, dict):
        assert await messages(account(server)) == []
    else:
        with pytest.raises(Retry, match="something else"):
            await messages(account(server))


async def test_limits_are_kept_and_told(server: XServer) -> None:
    server.left["GET /2/users/9000/mentions"] = 1
    channel = account(server, messages_s=0.0, own_posts=False)
    _, cursor = await told(channel)
    with pytest.raises(RateLimited) as caught:
        await told(channel, cursor)
    assert 300 < (caught.value.after_s or 0) <= 600, "X said when its window ends"
    assert len(server.asked("GET /2/users/9000/mentions")) == 1, "nothing is asked that would be refused"
    with pytest.raises(RateLimited) as caught:
        await told(account(server, messages_s=0.0, own_posts=False), cursor)
    assert 300 < (caught.value.after_s or 0) <= 600


async def test_one_limit_does_not_hold_up_what_has_another(server: XServer) -> None:
    server.left["GET /2/users/9000/mentions"] = 0
    channel = account(server)
    server.post("@desk later")
    note = server.write("at once")
    items, cursor = await told(channel)
    assert [one.external_id for one in items if isinstance(one, Inbound)] == [f"dm/{note}"]
    await told(channel, cursor)
    assert len(server.asked("GET /2/users/9000/mentions")) == 1


async def test_a_token_that_was_taken_back_pauses_and_is_never_shown(
    server: XServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    server.tokens = set()
    channel = account(server)
    with pytest.raises(AuthRequired, match="authorize the app again") as caught:
        await told(channel)
    assert "canary" not in f"{caught.value!r} {caught.value.__cause__!r} {caplog.text} {channel.__dict__!r}"
    server.tokens = {TOKEN}
    await told(channel)


async def test_the_token_of_another_account_is_refused(server: XServer) -> None:
    with pytest.raises(AuthRequired, match="belongs to @desk, not to @other"):
        await account(server, user="other").check()


async def test_check_says_what_was_found(server: XServer) -> None:
    server.write("Hello")
    assert await account(server, budget_month=20.0).check() == [
        "X knows the token of @desk",
        "nobody has mentioned it lately",
        "there are direct messages",
        "it may cost 20.00 a month; what the relay has spent stands with the account",
    ]
