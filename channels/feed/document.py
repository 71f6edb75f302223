"""A feed's document as its entries: RSS 0.9x, 1.0 and 2.0, Atom 0.3 and 1.0, JSON Feed 1.x.

From the RSS 2.0 specification, RSS 1.0 (RDF), RFC 4287 (Atom), RFC 4685 (thr:in-reply-to) and
JSON Feed 1.1. What an entry lacks stays empty; what makes no sense is left out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from html import unescape
from typing import Any
from urllib.parse import urljoin, urlsplit

from msgspec import Struct

from channels.feed.xml import Node, Unreadable
from channels.feed.xml import read as read_xml
from channels.kit.fields import number, string, table, tables
from desk.model import Millis

ENTRIES = 2_000
"""No more entries of one document are read."""

_ATOM = ("http://www.w3.org/2005/Atom", "http://purl.org/atom/ns#")
_RSS = ("", "http://purl.org/rss/1.0/", "http://my.netscape.com/rdf/simple/0.9/", "http://backend.userland.com/rss2")
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_DC = "http://purl.org/dc/elements/1.1/"
_TERMS = "http://purl.org/dc/terms/"
_CONTENT = "http://purl.org/rss/1.0/modules/content/"
_THREAD = "http://purl.org/syndication/thread/1.0"

_ID_CHARACTERS = 500
_LAST = 4_000_000_000_000


class File(Struct, frozen=True):
    """Something that belongs to an entry and lies elsewhere."""

    url: str
    content_type: str = ""
    size: int | None = None


class Entry(Struct, frozen=True):
    """One entry as it stands in the feed; `html` says what its content is. It is kept as it is here."""

    id: str
    title: str = ""
    content: str = ""
    html: bool = False
    link: str = ""
    author: str = ""
    author_uri: str = ""
    at: Millis | None = None
    updated: Millis | None = None
    categories: tuple[str, ...] = ()
    answers: str = ""
    files: tuple[File, ...] = ()
    site: str = ""
    feed: str = ""

    @property
    def mark(self) -> str:
        """Tells what it says from what it said before."""
        said = "\0".join((self.title, self.content, *(file.url for file in self.files)))
        return hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()[:16]


class Document(Struct, frozen=True):
    """What a feed says now, the oldest entry first."""

    kind: str
    title: str
    entries: tuple[Entry, ...]


def read(data: bytes, url: str) -> Document:
    """The document that was found at `url`; `Unreadable` says what is wrong."""
    if data[:64].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        kind, title, entries = _json(data, url)
    else:
        root = read_xml(data)
        if root.name == "feed" and root.space in _ATOM:
            kind, title, entries = "Atom", root.text("title", *_ATOM), _atom(root, url)
        elif root.name in ("rss", "RDF"):
            channel = root.first("channel", *_RSS) or root
            kind, title, entries = "RSS", _plain(channel.text("title", *_RSS)), _rss(root, channel, url)
        elif root.name.lower() == "html":
            raise Unreadable("it is a page, not a feed: look there for the address of its feed")
        else:
            raise Unreadable(f'it is no feed: it begins with "{root.name[:40]}"')
    found: dict[str, Entry] = {}
    for entry, _ in zip(entries, range(ENTRIES), strict=False):
        found.setdefault(entry.id, entry)
    ordered = list(reversed(found.values()))
    if all(entry.at is not None for entry in ordered):
        ordered.sort(key=lambda entry: entry.at or 0)
    return Document(kind, _line(title), tuple(ordered))


# -- XML ------------------------------------------------------------------------


def _rss(root: Node, channel: Node, url: str) -> Iterator[Entry]:
    base = _web(channel.text("link", *_RSS), url) or url
    feed = _line(_plain(channel.text("title", *_RSS)))
    # In RSS 0.90 and 1.0 the items stand beside the channel.
    for item in [*channel.elements("item", *_RSS), *(root.elements("item", *_RSS) if channel is not root else ())]:
        title = _line(_plain(item.text("title", *_RSS)))
        content = item.text("encoded", _CONTENT) or item.text("description", *_RSS)
        link = _web(item.text("link", *_RSS), base)
        about = item.attributes.get(f"{_RDF} about", "")
        guid = item.text("guid", *_RSS) or about
        html = "<" in content or "&" in content
        answered = item.first("in-reply-to", _THREAD)
        author = item.text("creator", _DC) or _named(item.text("author", *_RSS))
        yield Entry(
            _name(guid, link, title, content), title, content, html, link or _web(guid, ""), _line(author), "",
            _moment(item.text("pubDate", *_RSS) or item.text("date", _DC)), _moment(item.text("modified", _TERMS)),
            tuple(_line(one.text()) for one in [*item.elements("category", *_RSS), *item.elements("subject", _DC)]),
            _short(answered.attributes.get("ref", "")) if answered is not None else "",
            tuple(_enclosures(item, base)), urlsplit(base).hostname or "", feed,
        )  # fmt: skip


def _enclosures(item: Node, base: str) -> Iterator[File]:
    for one in item.elements("enclosure", *_RSS):
        if target := _web(one.attributes.get("url", ""), base):
            size = one.attributes.get("length", "")
            yield File(
                target, one.attributes.get("type", ""), int(size) if size.isdecimal() and len(size) < 16 else None
            )


def _atom(root: Node, url: str) -> Iterator[Entry]:
    base = _linked(root, url, "alternate") or url
    feed = _line(root.text("title", *_ATOM))
    for entry in root.elements("entry", *_ATOM):
        title = _line(_construct(entry.first("title", *_ATOM), plain=True)[0])
        told = entry.first("content", *_ATOM)
        if told is None or (not told.children and "src" not in told.attributes):
            told = entry.first("summary", *_ATOM)
        content, html = _construct(told)
        link = _linked(entry, base, "alternate")
        author = entry.first("author", *_ATOM) or root.first("author", *_ATOM)
        answered = entry.first("in-reply-to", _THREAD)
        published = _moment(entry.text("published", *_ATOM) or entry.text("issued", *_ATOM))
        updated = _moment(entry.text("updated", *_ATOM) or entry.text("modified", *_ATOM))
        source = told.attributes.get("src", "") if told is not None else ""
        files = [File(source, told.attributes.get("type", ""))] if source and told is not None else []
        files += [
            File(_web(one.attributes.get("href", ""), base), one.attributes.get("type", ""))
            for one in entry.elements("link", *_ATOM)
            if one.attributes.get("rel") == "enclosure"
        ]
        yield Entry(
            _name(entry.text("id", *_ATOM), link, title, content), title, content, html, link,
            _line(author.text("name", *_ATOM)) if author is not None else "",
            author.text("uri", *_ATOM) if author is not None else "",
            published or updated, updated,
            tuple(_line(one.attributes.get("label") or one.attributes.get("term", "")) for one in entry.elements("category", *_ATOM)),
            _short(answered.attributes.get("ref", "")) if answered is not None else "",
            tuple(file for file in files if _web(file.url, base)), urlsplit(base).hostname or "", feed,
        )  # fmt: skip


def _construct(node: Node | None, *, plain: bool = False) -> tuple[str, bool]:
    """A text of Atom (RFC 4287, 3.1) and whether it is HTML; as plain text where that is wanted."""
    if node is None:
        return "", False
    kind = node.attributes.get("type", "text")
    if kind in ("xhtml", "application/xhtml+xml") or (node.attributes.get("mode") == "xml" and any(node.elements())):
        return (node.text(), False) if plain else (node.markup(), True)
    if kind in ("html", "text/html"):
        return (_plain(node.text()), False) if plain else (node.text(), True)
    return node.text(), False


def _linked(node: Node, base: str, rel: str) -> str:
    for link in node.elements("link", *_ATOM):
        if link.attributes.get("rel", "alternate") == rel and (found := _web(link.attributes.get("href", ""), base)):
            return found
    return ""


# -- JSON -----------------------------------------------------------------------


def _json(data: bytes, url: str) -> tuple[str, str, Iterator[Entry]]:
    try:
        found = json.loads(data.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError):
        raise Unreadable("it is no well-formed JSON") from None
    if not isinstance(found, dict) or not isinstance(found.get("items"), list):
        raise Unreadable("it is JSON, but no JSON Feed: it has no items")
    return "JSON Feed", string(found, "title"), _items(found, url)


def _items(found: Mapping[str, Any], url: str) -> Iterator[Entry]:
    base = _web(string(found, "home_page_url"), url) or url
    feed = _line(string(found, "title"))
    for item in tables(found, "items"):
        title = _line(string(item, "title"))
        content = string(item, "content_html") or string(item, "content_text") or string(item, "summary")
        link = _web(string(item, "url") or string(item, "external_url"), base)
        author = next(iter(tables(item, "authors") or tables(found, "authors")), table(item, "author"))
        own = string(item, "id") or str(number(item, "id") or "")
        tags = item.get("tags")
        yield Entry(
            _name(own, link, title, content), title, content, bool(string(item, "content_html")), link,
            _line(string(author, "name")), string(author, "url"),
            _moment(string(item, "date_published")) or _moment(string(item, "date_modified")),
            _moment(string(item, "date_modified")),
            tuple(_line(tag) for tag in (tags if isinstance(tags, list) else ()) if isinstance(tag, str)), "",
            tuple(
                File(target, string(one, "mime_type"), number(one, "size_in_bytes"))
                for one in tables(item, "attachments")
                if (target := _web(string(one, "url"), base))
            ),
            urlsplit(base).hostname or "", feed,
        )  # fmt: skip


# -- values ---------------------------------------------------------------------


def _name(own: str, link: str, title: str, content: str) -> str:
    """What an entry is called for ever: its own id, else where it is, else what it says."""
    return _short(own.strip() or link) or _digest(f"{title}\0{content}")


def _short(name: str) -> str:
    name = name.strip()
    return name if len(name) <= _ID_CHARACTERS else _digest(name)


def _digest(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()}"


def _web(target: str, base: str) -> str:
    """An address on the web, made whole; "" for any other."""
    try:
        found = urljoin(base, target.strip()) if target.strip() else ""
        return found if urlsplit(found).scheme in ("http", "https") and urlsplit(found).hostname else ""
    except ValueError:
        return ""


def _moment(text: str) -> Millis | None:
    """A date as RSS or Atom writes it, or nearly so."""
    text = text.strip()
    if not text:
        return None
    for reading in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            found = reading(text)
            at = int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)
        except (ValueError, TypeError, OverflowError, IndexError):
            continue
        return at if 0 < at < _LAST else None
    return None


def _named(author: str) -> str:
    """The name in RSS's way to write an author: "mail@example.com (Name)"."""
    before, bracket, name = author.partition("(")
    return name.rstrip(") ") if bracket and "@" in before else author


def _plain(text: str) -> str:
    return unescape(text)


def _line(text: str) -> str:
    return " ".join(text.split())[:500]


__all__ = ["Document", "Entry", "File", "read"]
