"""An account on Mastodon: what names it comes in once, what answers goes to whom it should, and once."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from channels.mastodon import Mastodon
from channels.mastodon import server as api
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
)
from desk.lengths import SHORTENED, length
from desk.model import Attachment, Identity
from tests.channels.mastodon.ground import ANN, settings, social
from tests.servers.local_http import CUT_AFTER, CUT_BEFORE, Reply
from tests.servers.mastodon import PLACE, TOKEN, MastodonServer

NOW = 1_790_000_000_000
PICTURE = Attachment("plan.png", "image/png", 8, "0" * 64)


@pytest.fixture
def server(request: pytest.FixtureRequest) -> MastodonServer:
    return social(request)


def opened(server: MastodonServer, **more: object) -> Mastodon:
    channel = Mastodon("social", settings(server, **more))
    channel._posting._clock = lambda: NOW
    return channel


async def read(channel: Mastodon, cursor: str | None = None) -> tuple[list[Item], str]:
    batches: list[Batch] = [batch async for batch in channel.poll(cursor)]
    return [item for batch in batches for item in batch.items], batches[-1].cursor if batches else cursor or ""


def texts(items: Sequence[Item]) -> list[str]:
    return [item.text for item in items if isinstance(item, Inbound)]


def draft(text: str = "Yes, under Settings.", **more: Any) -> Outgoing:
    ours = Identity("mastodon", f"support@{PLACE}")
    return replace(Outgoing(12, "deskhand.12.ab.7@desk.test", NOW, ours, (ANN,), text, public=True), **more)


class Phases(list[str]):
    async def __call__(self, name: str) -> None:
        self.append(name)


async def send(channel: Mastodon, draft: Outgoing, key: str = "deskhand-1-7") -> list[Sent]:
    return [await channel.send(part, f"{key}-{n}", Phases()) for n, part in enumerate(channel.render(draft))]


# -- what comes in ----------------------------------------------------------------


async def test_a_mention_comes_in_and_its_thread_is_one_conversation(server: MastodonServer) -> None:
    root = server.post("bob", "Anybody?")
    first = server.post(text="@support is there a dark theme?", answers=root)
    second = server.post("bob", "@support yes, is there?", answers=first, visibility="direct")
    items, _ = await read(opened(server))
    one, two = items
    assert isinstance(one, Inbound)
    assert isinstance(two, Inbound)
    assert one.sender == ANN
    assert (one.external_id, one.conversation, one.answers, one.public) == (first, root, root, True)
    assert one.link == f"https://{PLACE}/@ann@far.example/{first}"
    assert two.sender == Identity("mastodon", f"bob@{PLACE}", "Bob")
    assert (two.external_id, two.conversation, two.answers, two.public) == (second, root, first, False)


async def test_where_the_thread_is_not_to_be_had_the_answered_post_names_it(server: MastodonServer) -> None:
    name = server.post(text="@support and now?", answers="5")
    server.faults.append((f"GET /api/v1/statuses/{name}/context", Reply(404, {"error": "Record not found"})))
    (one,) = (await read(opened(server)))[0]
    assert isinstance(one, Inbound)
    assert one.conversation == "5"


async def test_an_outage_of_many_pages_is_caught_up_with_in_order_and_once(server: MastodonServer) -> None:
    server.post(text="@support before")
    _, cursor = await read(opened(server))
    for number in range(190):
        server.post(text=f"@support post {number}")
    items, cursor = await read(opened(server), cursor)
    assert texts(items) == [f"@support post {number}" for number in range(190)]
    assert (await read(opened(server), cursor))[0] == []


async def test_the_first_time_the_last_days_come_in(server: MastodonServer) -> None:
    server.now -= 5 * 86_400
    server.post(text="@support long ago")
    server.now += 5 * 86_400
    for number in range(100):
        server.post(text=f"@support {number}")
    assert texts((await read(opened(server)))[0]) == [f"@support {number}" for number in range(100)]


async def test_a_notification_that_becomes_visible_late_is_not_lost(server: MastodonServer) -> None:
    server.post(text="@support one")
    server.post(text="@support three")
    _, cursor = await read(opened(server))
    late = server.post(text="@support two", told=False)
    server.notify("mention", "ann@far.example", late, number=int(server.notifications[-1]["id"]) - 1)
    assert texts((await read(opened(server), cursor))[0]) == ["@support two"]


async def test_favourites_and_boosts_are_reactions(server: MastodonServer) -> None:
    ours = server.post("support", "We are back")
    server.notify("favourite", "ann@far.example", ours)
    server.notify("reblog", "bob", ours)
    server.notify("follow", "bob", None)
    items, _ = await read(opened(server))
    assert [(i.target, i.sender.value, i.mark) for i in items if isinstance(i, Reaction)] == [
        (ours, "ann@far.example", "favourite"),
        (ours, f"bob@{PLACE}", "boost"),
    ]
    assert (await read(opened(server, reactions=False)))[0] == []


async def test_what_we_write_elsewhere_in_a_known_thread_comes_in_as_ours(server: MastodonServer) -> None:
    channel = opened(server)
    first = server.post(text="@support help")
    _, cursor = await read(channel)
    server.post("support", "Our holiday picture")
    server.post("support", "@ann@far.example look here", answers=first)
    (one,) = (await read(channel, cursor))[0]
    assert isinstance(one, Inbound)
    assert one.ours
    assert one.answers == first


@pytest.mark.parametrize("more", [{"hashtags": ("acme",)}, {"keywords": ("acme",)}], ids=["hashtag", "word"])
async def test_watched_words_come_in_also_when_they_arrive_late(server: MastodonServer, more: dict[str, Any]) -> None:
    for number in range(45):
        server.post(text=f"#acme {number}")
    channel = opened(server, **more)
    items, cursor = await read(channel)
    assert texts(items) == [f"#acme {number}" for number in range(45)]
    assert all(i.public for i in items if isinstance(i, Inbound))
    server.number += 5
    server.post(text="#acme new")
    server.post(text="#acme late", name=str(server.number - 3))
    items, cursor = await read(channel, cursor)
    assert texts(items) == ["#acme late", "#acme new"]
    for number in range(100):
        server.post(text=f"#acme more {number}")
    items, cursor = await read(channel, cursor)
    assert texts(items) == [f"#acme more {number}" for number in range(100)]
    assert (await read(channel, cursor))[0] == []


async def test_a_post_is_read_as_people_read_it(server: MastodonServer) -> None:
    server.post(
        text="@support",
        spoiler_text="long rant",
        content=f'<p><span class="h-card"><a href="https://{PLACE}/@support" class="u-url mention">@<span>support</span></a></span> '
        'see <a href="https://example.com/a/very/long/way"><span class="invisible">https://</span>'
        '<span class="ellipsis">example.com/a/very</span><span class="invisible">/long/way</span></a><br>'
        '<a href="https://x.example/tags/bug" class="mention hashtag" rel="tag">#<span>bug</span></a></p><p>Thanks</p>',
        poll={"options": [{"title": "red"}, {"title": "blue"}]},
    )
    (text,) = texts((await read(opened(server)))[0])
    assert text == "CW: long rant\n\n@support see https://example.com/a/very/long/way\n#bug\n\nThanks\n\n- red\n- blue"


async def test_files_come_along_with_what_they_show(server: MastodonServer) -> None:
    server.files |= {"/system/a.png": b"PICTURE", "/system/b.mp4": b"x" * 2000}
    server.post(
        text="@support",
        media_attachments=[
            {"type": "image", "url": f"{server.url}/system/a.png", "description": "A red button"},
            {"type": "video", "url": f"{server.url}/system/b.mp4"},
            {"type": "image", "url": "https://elsewhere.example/c.png"},
            {"type": "unknown", "url": None},
        ],
    )
    (one,) = (await read(opened(server, file_limit_mb=0.001)))[0]
    assert isinstance(one, Inbound)
    assert [(a.name, a.content_type) for a in one.attachments] == [("a.png", "image/png")]
    assert unpack(one.blobs[0].packed) == b"PICTURE"
    assert "[image: A red button]" in one.text
    assert f"It is at {server.url}/system/b.mp4" in one.text
    assert "a file on elsewhere.example is not fetched" in one.text


async def test_where_nothing_is_new_nothing_is_written(server: MastodonServer) -> None:
    for number in range(50):
        server.post(text=f"@support {number}")
    channel = opened(server)
    _, cursor = await read(channel)
    for _ in range(4):
        assert [batch async for batch in channel.poll(cursor)] == []


async def test_a_hashtag_that_is_refused_stops_nothing_else_and_is_told(server: MastodonServer) -> None:
    name = server.post(text="@support teh")
    channel = opened(server, hashtags=("hidden", "acme"))
    _, cursor = await read(channel)
    server.post(text="#acme works")
    server.statuses[name] |= {"content": "<p>the</p>", "edited_at": server.time()}
    server.faults.append(("GET /api/v1/timelines/tag/hidden", Reply(422, {"error": "This feed is disabled"})))
    found: list[Item] = []

    async def poll() -> None:
        async for batch in channel.poll(cursor):
            found.extend(batch.items)

    with pytest.raises(Permanent, match="This feed is disabled"):
        await poll()
    assert [type(item) for item in found] == [Inbound, Edit]


@pytest.mark.parametrize("lists", [True, False], ids=["4.3 and later", "before"])
async def test_an_edit_is_told_once(server: MastodonServer, lists: bool) -> None:
    server.lists = lists
    name = server.post(text="@support teh")
    channel = opened(server)
    _, cursor = await read(channel)
    server.statuses[name] |= {"content": "<p>the</p>", "edited_at": server.time()}
    items, cursor = await read(channel, cursor)
    (edit,) = items
    assert isinstance(edit, Edit)
    assert (edit.target, edit.text) == (name, "the")
    assert (await read(channel, cursor))[0] == []


async def test_a_post_is_called_deleted_only_when_nothing_else_hides_it(server: MastodonServer) -> None:
    deleted, hidden = server.post(text="@support oops"), server.post("bob", "@support me too")
    channel = opened(server)
    _, cursor = await read(channel)
    server.blocking.add(server.accounts["bob"]["id"])
    for name in (deleted, hidden):
        del server.statuses[name]
    first, cursor = await read(channel, cursor)
    second, cursor = await read(channel, cursor)
    third, cursor = await read(channel, cursor)
    assert first == [], "a single 404 proves nothing"
    assert [(type(i), i.target) for i in second if isinstance(i, Removal)] == [(Removal, deleted)]
    assert len(second) == 1
    assert third == []


async def test_gone_is_gone_at_once(server: MastodonServer) -> None:
    name = server.post(text="@support oops")
    channel = opened(server)
    _, cursor = await read(channel)
    del server.statuses[name]
    server.faults.append((f"GET /api/v1/statuses/{name}", Reply(410, {"error": "Gone"})))
    (one,) = (await read(channel, cursor))[0]
    assert isinstance(one, Removal)


@pytest.mark.parametrize(
    "broken",
    [
        {"content": None, "mentions": 3},
        {"content": "<div>" * 6000},
        {"content": "\x00\x1b[31m\u202egnp" + "x" * 600_000},
        {"account": None},
        {"account": {"acct": 7}},
        {"created_at": "soon", "in_reply_to_id": 12, "visibility": None},
        {"media_attachments": [None, {"url": "http://[::1"}, {"url": 5}]},
        {"poll": {"options": [1]}, "spoiler_text": ["x"], "url": None},
        {"id": None},
    ],
)
async def test_a_broken_post_does_not_hold_up_the_next(server: MastodonServer, broken: dict[str, Any]) -> None:
    name = server.post(text="@support bad")
    server.statuses[name] |= broken
    server.notifications.append({"id": "101", "type": "mention", "status": None})
    server.notifications.append({"id": "102"})
    server.number += 1
    server.post(text="@support fine")
    items, _ = await read(opened(server))
    assert texts(items)[-1] == "@support fine"
    assert all(texts(items))


# -- what goes out ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("theirs", "changes", "ours"),
    [
        ("public", {}, "public"),
        ("unlisted", {}, "unlisted"),
        ("public", {"private": True}, "direct"),
        ("private", {"public": False}, "direct"),
        ("direct", {"public": False}, "direct"),
        ("direct", {}, "direct"),
    ],
)
async def test_an_answer_is_seen_by_whom_the_question_is(
    server: MastodonServer, theirs: str, changes: dict[str, Any], ours: str
) -> None:
    name = server.post(text="@support?", visibility=theirs)
    (sent,) = await send(opened(server), draft(answers=name, conversation=name, **changes))
    made = server.statuses[sent.remote_id or ""]
    assert (made["visibility"], made["in_reply_to_id"]) == (ours, name)
    assert server.sources[made["id"]] == "@ann@far.example Yes, under Settings."


async def test_who_is_named_already_is_not_named_twice(server: MastodonServer) -> None:
    (sent,) = await send(opened(server), draft("Hello @Ann@far.example!", public=False))
    assert server.sources[sent.remote_id or ""] == "Hello @Ann@far.example!"
    assert sent.conversation == sent.remote_id, "it begins a conversation"


async def test_a_direct_message_is_for_nobody_else_who_is_named_in_it(server: MastodonServer) -> None:
    quoted = "> @bob said, @eve@bad.example too, mail kim@example.com\n\nHello @ann@far.example.org"
    (private,) = await send(opened(server), draft(quoted, public=False))
    assert server.sources[private.remote_id or ""] == (
        "@ann@far.example > bob said, eve@bad.example too, mail kim@example.com\n\nHello ann@far.example.org"
    )
    (public,) = await send(opened(server), draft("Like @bob says"), "deskhand-2-8")
    assert server.sources[public.remote_id or ""] == "@ann@far.example Like @bob says"


async def test_warnings_go_both_ways(server: MastodonServer) -> None:
    name = server.post(text="@support", spoiler_text="spiders")
    channel = opened(server)
    (one,) = await send(channel, draft("CW: eels\n\nLook", answers=name))
    (two,) = await send(channel, draft("Look there", answers=name), "deskhand-2-8")
    first, second = one.remote_id or "", two.remote_id or ""
    assert server.statuses[first]["spoiler_text"] == "eels"
    assert server.sources[first] == "@ann@far.example Look"
    assert server.statuses[second]["spoiler_text"] == "spiders"


async def test_markdown_goes_as_text_that_is_shown_as_it_is(server: MastodonServer) -> None:
    text = "# Steps\n\n**First** see [the page](https://example.com/a_b), then __wait__.\n```\n**kept** # as\n```\n2 * 3 * 4"
    (sent,) = await send(opened(server), draft(text))
    said = "Steps\n\nFirst see the page (https://example.com/a_b), then wait.\n**kept** # as\n2 * 3 * 4"
    assert server.sources[sent.remote_id or ""] == f"@ann@far.example {said}"


async def test_a_long_text_is_a_thread_and_names_the_customer_in_each(server: MastodonServer) -> None:
    name = server.post(text="@support?")
    sent = await send(opened(server), draft("A sentence about themes. " * 50, answers=name))
    assert len(sent) == 3
    assert [server.statuses[one.remote_id or ""]["in_reply_to_id"] for one in sent] == [
        name,
        *(one.remote_id for one in sent[:2]),
    ]
    assert all(server.sources[one.remote_id or ""].startswith("@ann@far.example ") for one in sent)


@pytest.mark.parametrize(
    ("text", "counted"),
    [
        ("abc", 3),
        ("https://example.com/" + "x" * 300, 23),
        ("see http://a.example, and (https://b.example/c).", 23 * 2 + 13),
        ("example.com", 11),
        ("@ann@far.example hi", 7),
        ("mail ann@far.example", 20),
        ("e\u0301", 1),
        ("👩\u200d👩\u200d👧", 1),
        ("", 0),
    ],
)
def test_length_is_counted_as_the_server_does(text: str, counted: int) -> None:
    assert length(text, SHORTENED) == counted


async def test_the_same_key_posts_once_though_the_answer_was_lost(server: MastodonServer) -> None:
    channel, name = opened(server), server.post(text="@support?")
    (part,) = channel.render(draft(answers=name))
    server.faults.append(("POST /api/v1/statuses", CUT_AFTER))
    with pytest.raises(Retry):
        await channel.send(part, "deskhand-1-7", Phases())
    sent = await opened(server).send(part, "deskhand-1-7", Phases())
    assert [n for n, s in server.statuses.items() if s["account"]["acct"] == "support"] == [sent.remote_id]


async def test_when_the_server_has_forgotten_the_key_the_post_is_looked_for(server: MastodonServer) -> None:
    channel, name = opened(server), server.post(text="@support?")
    (part,) = channel.render(draft(answers=name))
    server.now = NOW / 1000
    (made,) = await send(channel, draft(answers=name))
    server.keys.clear()
    channel._posting._clock = lambda: NOW + 3 * 3_600_000
    phases = Phases()
    assert await channel.send(part, "deskhand-1-7-0", phases) == made
    assert phases == [], "nothing goes out"
    other = channel.render(draft("Something else", answers=name))[0]
    assert (await channel.send(other, "deskhand-2-8-0", phases)).remote_id != made.remote_id


async def test_files_are_put_there_and_waited_for(server: MastodonServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "PROCESSING_S", (0, 0, 0))
    server.processing = 3
    (sent,) = await send(opened(server), draft(attachments=((PICTURE, b"PICTURE!"),)))
    (media,) = server.statuses[sent.remote_id or ""]["media_ids"]
    assert server.media[media]["data"] == b"PICTURE!"
    assert server.media[media]["description"] == "plan.png"
    server.processing = 9
    with pytest.raises(Retry, match="still working on plan"):
        await send(opened(server), draft(attachments=((PICTURE, b"PICTURE!"),)))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"attachments": ((PICTURE, b"x" * 2000),)}, "larger than the 1,000 bytes"),
        ({"attachments": ((Attachment("a.gif", "image/gif", 1, "2" * 64), b"x"),)}, "image/gif, which the server does not take"),
        ({"attachments": ((Attachment("a.pdf", "application/pdf", 1, "2" * 64), b"x"),)}, "it takes image/"),
        ({"attachments": ((PICTURE, b"x"),) * 5}, "5 files, and at most 4"),
        ({"attachments": ((PICTURE, b"BROKEN"),)}, "File is invalid"),
        ({"answers": "404"}, "gone, or hidden from us"),
        ({"to": (), "private": True}, "needs somebody to go to"),
        ({"text": "CW: " + "w" * 450 + "\n\nx"}, "no room for the text"),
    ],
)  # fmt: skip
async def test_a_refusal_is_in_words(server: MastodonServer, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(Permanent, match=words):
        await send(opened(server), replace(draft(), **changes))
    assert server.asked("POST /api/v1/statuses") == []


async def test_a_server_that_takes_less_than_we_think_says_so_before(server: MastodonServer) -> None:
    server.characters = 200
    with pytest.raises(Permanent, match="set characters = 200"):
        await send(opened(server), draft("x" * 300))
    said = await opened(server).check()
    assert "a post may have 200 characters: set characters = 200" in said


# -- the server as it is ---------------------------------------------------------------


async def test_a_revoked_token_pauses_the_account_and_is_not_shown(
    server: MastodonServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    channel = opened(server)
    server.token = "another"
    with pytest.raises(AuthRequired, match="access token is invalid") as caught:
        await read(channel)
    assert TOKEN not in f"{caught.value!r} {caplog.text} {channel._settings!r}"


async def test_the_token_of_another_account_is_refused(server: MastodonServer) -> None:
    server.accounts["support"]["acct"] = server.accounts["support"]["username"] = "other"
    with pytest.raises(AuthRequired, match=f"belongs to @other, not to @support@{PLACE}"):
        await opened(server).check()


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(403, {"error": "This action is outside the authorized scopes"}), AuthRequired),
        (Reply(403, {"error": "Your login is currently disabled"}), AuthRequired),
        (Reply(403, {"error": "This action is not allowed"}), Permanent),
        (Reply(410, {"error": "Gone"}), Permanent),
        (Reply(422, {"error": "Validation failed"}), Permanent),
        (Reply(503, b"maintenance"), Retry),
        (Reply(500, b"<html>"), Retry),
        (Reply(200, b"<html>"), Retry),
        (CUT_BEFORE, Retry),
    ],
)
async def test_failures_mean_what_they_say(server: MastodonServer, reply: Any, error: type[ChannelError]) -> None:
    server.post(text="@support kept")
    server.faults.append(("GET /api/v1/notifications", reply))
    channel = opened(server)
    with pytest.raises(error):
        await read(channel)
    assert texts((await read(channel))[0]) == ["@support kept"]


async def test_patience_is_kept_until_the_server_says(server: MastodonServer) -> None:
    server.remaining = 0
    channel = opened(server)
    with pytest.raises(RateLimited) as caught:
        await read(channel)
    assert 100 < (caught.value.after_s or 0) <= 121
    asked = len(server.requests)
    with pytest.raises(RateLimited):
        await read(channel)
    assert len(server.requests) == asked, "it is not even asked"


async def test_where_nothing_is_left_nothing_is_asked(server: MastodonServer) -> None:
    server.post(text="@support one")
    server.remaining = 1
    channel = opened(server)
    with pytest.raises(RateLimited):
        await read(channel)
    assert len(server.requests) == 1


def test_an_account_needs_its_server(server: MastodonServer) -> None:
    from channels.mastodon import Settings

    with pytest.raises(ValueError, match="write it as name@server"):
        Settings(url=server.url, account="support")
