"""Every kind of feed there is, and what should be none: read as far as it goes, in bounded time and memory."""

from __future__ import annotations

import json

import pytest

from channels.feed.document import Entry, read
from channels.feed.xml import Unreadable
from tests.servers.feeds import rss

URL = "https://blog.example.com/feeds/all"


def one(text: str | bytes) -> Entry:
    """The only entry of a document."""
    (entry,) = read(text.encode() if isinstance(text, str) else text, URL).entries
    return entry


def test_atom() -> None:
    entry = one("""<feed xmlns="http://www.w3.org/2005/Atom" xmlns:thr="http://purl.org/syndication/thread/1.0">
      <title>Blog</title><link href="/"/><link rel="self" href="/feeds/all"/>
      <entry><id>tag:1</id><title type="html">A &lt;i&gt; b &amp;amp; c</title><link href="../post/1"/>
        <link rel="enclosure" href="/a.pdf" type="application/pdf"/>
        <author><name>Ann</name><uri>https://ann.example.com/</uri></author>
        <published>2026-11-22T08:00:00Z</published><updated>2026-11-22T09:00:00+01:00</updated>
        <category term="help"/><thr:in-reply-to ref="tag:0"/>
        <content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>Hi <b>you</b> &amp; me</p></div></content>
      </entry></feed>""")
    assert (entry.id, entry.title, entry.link) == ("tag:1", "A <i> b & c", "https://blog.example.com/post/1")
    assert (entry.content.strip(), entry.html) == ("<div><p>Hi <b>you</b> &amp; me</p></div>", True)
    assert (entry.author, entry.author_uri) == ("Ann", "https://ann.example.com/")
    assert entry.at == entry.updated == 1_795_334_400_000
    assert (entry.categories, entry.answers) == (("help",), "tag:0")
    assert entry.files[0].content_type == "application/pdf"


def test_rss_1_0() -> None:
    entry = one("""<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"
      xmlns:dc="http://purl.org/dc/elements/1.1/"><channel rdf:about="x"><title>T</title></channel>
      <item rdf:about="https://a.example.com/1"><title>One</title><link>https://a.example.com/1</link>
      <dc:creator>Ann</dc:creator><dc:date>2026-11-22T08:00:00Z</dc:date></item></rdf:RDF>""")
    assert (entry.id, entry.title, entry.author) == ("https://a.example.com/1", "One", "Ann")
    assert entry.at == 1_795_334_400_000


def test_rss_0_91_with_the_doctype_that_it_asks_for() -> None:
    entry = one("""<?xml version="1.0" encoding="ISO-8859-1"?>
      <!DOCTYPE rss PUBLIC "-//Netscape Communications//DTD RSS 0.91//EN" "http://my.netscape.com/publish/formats/rss-0.91.dtd">
      <rss version="0.91"><channel><title>T</title><item><title>Caf\xe9&nbsp;1</title><link>/1</link></item></channel></rss>
      """.encode("latin-1"))  # fmt: skip
    assert (entry.id, entry.title) == ("https://blog.example.com/1", "Café 1")


def test_json_feed() -> None:
    entry = one(json.dumps({
        "version": "https://jsonfeed.org/version/1.1", "title": "T", "authors": [{"name": "Ann"}],
        "items": [{"id": 5, "url": "/5", "content_html": "<p>x</p>", "date_published": "2026-11-22T08:00:00Z", "tags": ["a", 7],
                   "attachments": [{"url": "/f", "mime_type": "x/y", "size_in_bytes": 3}, {"url": 8}]}, 7, {"id": None}],
    }).replace(', 7, {"id": null}', ""))  # fmt: skip
    assert (entry.id, entry.html, entry.author, entry.categories) == ("5", True, "Ann", ("a",))
    assert entry.files[0].url == "https://blog.example.com/f"


def test_the_fuller_text_is_read_and_an_author_in_rss_has_a_name() -> None:
    entry = one(rss(
        "<description>short</description><content:encoded><![CDATA[<p>long</p>]]></content:encoded>"
        "<author>noreply@example.com (Ann Lee)</author><link>https://b.example.com/1</link>"
    ))  # fmt: skip
    assert (entry.content, entry.author) == ("<p>long</p>", "Ann Lee")


def test_without_id_and_link_an_entry_is_what_it_says() -> None:
    first, again = one(rss("<title>Only this</title>")), one(rss("<title>Only this</title>"))
    assert first.id == again.id
    assert first.id.startswith("sha256:")
    assert one(rss("<guid>" + "x" * 9000 + "</guid>")).id.startswith("sha256:")


BOMB = "".join(f'<!ENTITY e{n} "&e{n - 1};&e{n - 1};&e{n - 1};">' for n in range(1, 30))


@pytest.mark.parametrize(
    "document",
    [
        f'<!DOCTYPE rss [<!ENTITY e0 "lol">{BOMB}]>' + rss("<title>&e29;</title>").partition("?>")[2],
        '<!DOCTYPE rss [<!ENTITY x SYSTEM "file:///etc/passwd">]><rss><channel><title>&x;</title></channel></rss>',
        '<!DOCTYPE rss [<!ENTITY % x SYSTEM "http://127.0.0.1/x.dtd"> %x;]><rss/>',
    ],
)
def test_declared_entities_are_refused(document: str) -> None:
    with pytest.raises(Unreadable, match="declares entities"):
        read(document.encode(), URL)


def test_depth_and_number_have_a_limit() -> None:
    with pytest.raises(Unreadable, match="more elements, or deeper"):
        read(b"<rss>" + b"<a>" * 5000 + b"</a>" * 5000 + b"</rss>", URL)
    with pytest.raises(Unreadable, match="more elements, or deeper"):
        read(b"<rss>" + b"<a/>" * 400_000 + b"</rss>", URL)
    with pytest.raises(Unreadable):
        read(b'{"items": ' + b"[" * 200_000, URL)


@pytest.mark.parametrize(
    "document",
    [
        b"\xef\xbb\xbf\n " + rss("<title>fine</title>").encode(),
        rss("<title>fi\x00\x0bne</title>").encode(),
        rss("<title>fine</title><description>\xe9</description>").encode("latin-1"),
        rss("<title>fine</title>").replace("utf-8", "utf-16").encode("utf-16"),
    ],
)
def test_what_is_a_little_wrong_is_read_all_the_same(document: bytes) -> None:
    assert one(document).title == "fine"


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"\x00" * 50,
        b"<a",
        b"<html/>",
        b"<x/>",
        b"{",
        b"[1]",
        b'{"items": {}}',
        b"<?xml version='1.0' encoding='klingon'?><rss/>",
    ],
)
def test_what_is_no_feed_is_named(document: bytes) -> None:
    with pytest.raises(Unreadable):
        read(document, URL)


def test_a_bad_entry_never_blocks_the_next() -> None:
    found = read(rss(
        "<pubDate>yesterday</pubDate><guid/><link>javascript:alert(1)</link><enclosure length='-5'/>",
        "<guid>2</guid><link>http://[bad</link><pubDate>Sun, 99 Nov 99999 08:00:00</pubDate>",
        "<guid>2</guid>", "<guid>3</guid><title>\u202efine</title>",
    ).encode(), URL)  # fmt: skip
    assert [entry.id for entry in found.entries][:2] == ["3", "2"]
    assert all(entry.link == "" and entry.at is None for entry in found.entries)
