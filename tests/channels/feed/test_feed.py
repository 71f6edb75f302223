"""A feed from a server and from files: each entry once, edits as edits, trouble in sentences."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from channels.feed import KEPT, Feed, Settings, parse
from channels.feed.source import LIMIT_BYTES
from desk.channel import Batch, Edit, Inbound, Item, Permanent, RateLimited, Raw, Retry
from desk.model import Identity
from tests.servers.feeds import FeedServer, item, rss
from tests.servers.small_http import Said


@pytest.fixture
def server() -> Iterator[FeedServer]:
    """A web server of our own."""
    with FeedServer() as running:
        yield running


def feed(server: FeedServer, **more: Any) -> Feed:
    """The account, as another process would open it."""
    return Feed("forum", Settings(**{"url": f"{server.url}/feed", **more}))


async def read(channel: Feed, cursor: str | None = None) -> tuple[list[Item], str | None]:
    """The items of one poll, and the cursor behind them."""
    items: list[Item] = []
    async for batch in channel.poll(cursor):
        items += batch.items
        cursor = batch.cursor
    return items, cursor


def messages(items: list[Item]) -> list[Inbound]:
    """The new entries as messages."""
    return [parse(one) for one in items if isinstance(one, Raw)]


async def test_entries_come_once_the_oldest_first(server: FeedServer) -> None:
    server.publish(rss(item(2), item(1)))
    channel = feed(server)
    items, cursor = await read(channel)
    assert [m.external_id for m in messages(items)] == ["id-1", "id-2"]
    assert await read(channel, cursor) == ([], cursor)
    assert server.asked[-1].headers["if-none-match"]
    assert server.asked[-1].headers["if-modified-since"] == server.modified
    server.publish(rss(item(3), item(2)))
    items, _ = await read(feed(server), cursor)
    assert [m.external_id for m in messages(items)] == ["id-3"]


async def test_a_message_tells_all_that_the_entry_does(server: FeedServer) -> None:
    server.publish(
        rss(
            item(1, "&lt;p&gt;It &lt;b&gt;jams&lt;/b&gt; &amp;amp; smokes&lt;/p&gt;")
            + "<dc:creator>Ann Lee</dc:creator><category>Printers</category>"
            + '<enclosure url="https://forum.example.com/a.mp3" type="audio/mpeg" length="1200"/>'
        )
    )
    (found,) = messages((await read(feed(server)))[0])
    assert found.sender == Identity("feed", "ann lee@forum.example.com", "Ann Lee")
    assert found.subject == "Question 1"
    assert found.text == "It **jams** & smokes\n\n[audio/mpeg, 1,200 bytes: https://forum.example.com/a.mp3]"
    assert (found.link, found.public, found.conversation) == ("https://forum.example.com/t/1", True, "id-1")
    assert found.at == 1_795_334_460_000
    assert found.raw == found.blobs[0].key


async def test_what_an_entry_says_anew_is_an_edit_and_back_again_another(server: FeedServer) -> None:
    channel = feed(server)
    server.publish(rss(item(1, "Helo")))
    _, cursor = await read(channel)
    seen = []
    for text in ("Hello", "Helo", "Hello"):
        server.publish(rss(item(1, text)))
        (edit,), cursor = await read(channel, cursor)
        assert isinstance(edit, Edit)
        assert (edit.target, edit.text) == ("id-1", text)
        seen.append(edit.external_id)
    server.publish(rss(item(1, "Hello"), title="Another name"))
    assert (await read(channel, cursor))[0] == [], "what does not change what it says is none"


async def test_comments_belong_to_what_they_answer(server: FeedServer) -> None:
    answer = '<thr:in-reply-to ref="id-1"/>'
    server.publish(rss(
        item(4) + '<thr:in-reply-to ref="id-2"/>', item(2) + answer, item(1),
        "<guid>c</guid><link>https://blog.example.com/post#comment-12</link><description>x</description>",
        "<guid>v</guid><link>https://blog.example.com/changes#v1.2</link><description>x</description>",
    ))  # fmt: skip
    found = {m.external_id: m for m in messages((await read(feed(server)))[0])}
    assert (found["id-2"].conversation, found["id-2"].answers) == ("id-1", "id-1")
    assert (found["c"].conversation, found["v"].conversation) == ("https://blog.example.com/post", "v")


async def test_only_wanted_categories_come_in(server: FeedServer) -> None:
    server.publish(rss(item(1, category="News"), item(2, category="Help"), item(3)))
    channel = feed(server, categories=("help",))
    assert [m.external_id for m in messages((await read(channel))[0])] == ["id-2"]
    assert "3 entries, 1 of them in your categories" in await channel.check()


async def test_a_document_with_many_entries_comes_in_batches_and_is_read_again_after_a_cut(server: FeedServer) -> None:
    server.publish(rss(*(item(number) for number in range(1, 60)), *(f"<guid>g{n}</guid>" for n in range(60))))
    channel = feed(server)
    batches: list[Batch] = []
    async for batch in channel.poll(None):
        batches.append(batch)
        break
    items, cursor = await read(feed(server), batches[0].cursor)
    assert len(batches[0].items) + len(items) == 119
    assert (await read(channel, cursor))[0] == []


async def test_what_is_remembered_has_an_end(server: FeedServer) -> None:
    cursor: str | None = None
    channel = feed(server)
    for turn in range(4):
        server.publish(rss(*(f"<guid>{turn}-{n}</guid>" for n in range(400))))
        _, cursor = await read(channel, cursor)
    assert cursor is not None
    assert len(json.loads(cursor)["seen"]) == KEPT + 400


# -- places -----------------------------------------------------------------------


async def test_a_feed_that_moved_for_good_is_followed_and_told(server: FeedServer) -> None:
    server.publish(rss(item(1)), "/new")
    server.gone["/feed"] = (301, "/new?key=CANARY")
    channel = feed(server)
    items, cursor = await read(channel)
    assert len(items) == 1
    with pytest.raises(Permanent, match=r"moved for good: write url = http://.*/new$"):
        await channel.confirm(Batch((), cursor or ""))
    again = feed(server)
    asked = len(server.asked)
    batches = [batch async for batch in again.poll(cursor)]
    assert [a.path for a in server.asked[asked:]] == ["/new"], "it is asked there from now on"
    assert [batch.items for batch in batches] == [()], "for who confirms to be told again"
    assert any("moved for good" in said for said in await again.check())


async def test_a_detour_is_followed_and_not_kept(server: FeedServer) -> None:
    server.publish(rss(item(1)), "/here")
    server.gone["/feed"] = (302, "/here")
    channel = feed(server)
    items, cursor = await read(channel)
    assert len(items) == 1
    await channel.confirm(Batch((), ""))
    await read(channel, cursor)
    assert server.asked[-2].path == "/feed"


@pytest.mark.parametrize(
    ("where", "words"),
    [("/feed", "from one place to the next"), ("file:///etc/passwd", "no feed's address"), ("", "one place")],
)
async def test_redirects_that_lead_nowhere_are_refused(server: FeedServer, where: str, words: str) -> None:
    server.gone["/feed"] = (302, where)
    with pytest.raises(Permanent, match=words):
        await read(feed(server))


async def test_a_file_is_a_feed_and_read_again_when_it_changed(tmp_path: Path) -> None:
    path = tmp_path / "feed.xml"
    path.write_text(rss(item(1)))
    channel = Feed("local", Settings(url=str(path)))
    items, cursor = await read(channel)
    assert len(items) == 1
    assert await read(channel, cursor) == ([], cursor)
    path.write_text(rss(item(2), item(1)))
    items, cursor = await read(Feed("local", Settings(url=f"file://{path}")), None)
    assert len(items) == 2
    path.unlink()
    with pytest.raises(Permanent, match="cannot be read: No such file"):
        await read(channel, cursor)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "is no feed"),
        ("ftp://example.com/x", "is no feed"),
        ("https://ann:secret@example.com/feed", "password in it"),
    ],
)
def test_what_is_no_place_for_a_feed_is_refused_at_once(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as error:
        Settings(url=url)
    assert "secret" not in str(error.value)


# -- trouble ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "error", "words"),
    [
        (Said(404), Permanent, "no feed at this address"),
        (Said(410), Permanent, "gone for good"),
        (Said(403), Permanent, "not open to everybody"),
        (Said(503, b"", {"Retry-After": "120"}), Retry, "503"),
        (Said(429, b"", {"Retry-After": "90"}), RateLimited, "429"),
        (Said(200, b"<!DOCTYPE html><html><body></body></html>"), Retry, "a page, not a feed"),
        (Said(200, b"<rss><channel>"), Retry, "no well-formed XML"),
        (Said(200, b""), Retry, "no well-formed XML"),
        (Said(200, b'{"items": 5}'), Retry, "no JSON Feed"),
        (Said(200, b"x" * (LIMIT_BYTES + 1)), Permanent, "more than"),
        (None, Retry, "127"),
    ],
)
async def test_trouble_is_told_and_the_next_look_reads_on(
    server: FeedServer, said: Said | None, error: type[Exception], words: str
) -> None:
    server.publish(rss(item(1)))
    channel = feed(server)
    _, cursor = await read(channel)
    server.next("/feed", said)
    with pytest.raises(error, match=words) as found:
        await read(channel, cursor)
    if isinstance(found.value, Retry) and said and "Retry-After" in said.headers:
        assert found.value.after_s == float(said.headers["Retry-After"])
    server.publish(rss(item(2), item(1)))
    assert len((await read(channel, cursor))[0]) == 1


async def test_a_site_that_was_away_is_read_on_where_it_was(server: FeedServer) -> None:
    server.publish(rss(item(1)))
    channel = feed(server)
    _, cursor = await read(channel)
    server.stop()
    with pytest.raises(Retry, match="cannot be reached"):
        await read(channel, cursor)
    server.publish(rss(item(2), item(1)))
    server.start()
    assert [m.external_id for m in messages((await read(channel, cursor))[0])] == ["id-2"]


def test_it_only_listens() -> None:
    assert not Feed.capabilities.sends
    assert not hasattr(Feed, "send")
