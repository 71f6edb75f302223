"""Feed: what any forum, blog or status page publishes as RSS, Atom or JSON Feed; it is read and never answered."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from desk.capabilities import Capabilities
from desk.channel import Batch, Edit, Inbound, Permanent, Raw, Retry
from desk.model import Identity, Millis

if TYPE_CHECKING:
    from channels.feed.document import Document, Entry
    from channels.feed.source import Fetched, Source

log = logging.getLogger(__name__)

AT_ONCE = 50
KEPT = 1_000
"""So many entries that the feed no longer has are remembered, should it bring them again."""

_COMMENT = re.compile(r"(?:comment|issuecomment|c|p|post|reply|r|msg|message|answer)[-_]?\d+")
"""What names one comment on a page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A feed: `[channels.NAME]` with kind = "feed"."""

    # Where it is: an address on the web, or a file. Required.
    url: str
    # What it is called here; empty = as it calls itself.
    name: str = ""
    # Only entries of one of these categories; empty = all.
    categories: tuple[str, ...] = ()
    # A file of certificates to trust instead of the system's.
    ca_file: str = ""
    # Leave a server that says nothing for so many seconds.
    timeout_s: float = 30.0
    # Seconds between two looks.
    poll_s: float = 900.0

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if not self.url or (parts.scheme and parts.scheme not in ("http", "https", "file")):
            raise ValueError(f'url = "{self.url}" is no feed: write https://host/feed, or the path of a file')
        if "@" in parts.netloc:
            raise ValueError("url has a user or password in it, and only feeds that are open to everybody are read")
        if not 0.01 <= self.timeout_s <= 600:
            raise ValueError("timeout_s must be between 0.01 and 600")
        if not 1 <= self.poll_s <= 86_400:
            raise ValueError("poll_s must be between 1 and 86400")


class Cursor:
    """What was read: the document, by its own marks, and each entry, by what it said and where it belongs."""

    def __init__(self, text: str | None, url: str) -> None:
        found: dict[str, Any] = json.loads(text) if text else {}
        same = found.get("of") == url
        self.of = url
        self.url: str = found.get("url", url) if same else url
        self.tag: str = found.get("tag", "") if same else ""
        self.modified: str = found.get("modified", "") if same else ""
        self.seen: dict[str, list[str]] = found.get("seen", {})

    def text(self, *, whole: bool) -> str:
        """The cursor as it is kept; as long as the document is not `whole` here, it is asked for again."""
        kept = {"of": self.of, "url": self.url, "seen": self.seen}
        return json.dumps({**kept, "tag": self.tag, "modified": self.modified} if whole else kept)


class Feed:
    """One feed. `clock` gives Unix milliseconds."""

    capabilities = Capabilities(kinds=("feed",), public=True, threads=True, edits=True, sends=False)

    def __init__(
        self, name: str, settings: Settings, clock: Callable[[], Millis] = lambda: time.time_ns() // 1_000_000
    ) -> None:
        self.name = name
        self._settings, self._clock = settings, clock
        self._opened: Source | None = None
        self._moved = ""

    @property
    def addresses(self) -> Sequence[Identity]:
        """The feed itself; nobody writes as it."""
        host = urlsplit(self._settings.url).hostname or "file"
        return [Identity("feed", f"{self.name}@{host}", self._settings.name or host)]

    async def poll(self, cursor: str | None) -> AsyncIterator[Batch]:
        """What is new in the feed, and what was changed, the oldest first."""
        kept = Cursor(cursor, self._settings.url)
        found = await self._source.fetch(kept.url, kept.tag, kept.modified)
        self._moved = found.moved or (kept.url if kept.url != self._settings.url else "")
        if found.data is None:
            if self._moved:
                # Confirming it tells of the move, for as long as nobody has written it down.
                yield Batch((), cursor or kept.text(whole=True))
            return
        document = await asyncio.to_thread(_read, found)
        kept.url, kept.tag, kept.modified = self._moved or kept.url, found.tag, found.modified
        fresh = [entry for entry in document.entries if self._wanted(entry)]
        items: list[Raw | Edit] = []
        for entry in fresh:
            known = kept.seen.pop(entry.id, None)
            kept.seen[entry.id] = [entry.mark, known[1] if known else _conversation(entry, kept.seen)]
            if known is None:
                items.append(Raw(entry.id, _packed(entry, kept.seen[entry.id][1]), self._clock()))
            elif known[0] != entry.mark:
                text = await asyncio.to_thread(text_of, entry)
                key = f"{entry.id}#{entry.updated or ''}#{entry.mark}"
                items.append(Edit(key, self._clock(), entry.id, text))
            if len(items) == AT_ONCE:
                yield Batch(tuple(items), kept.text(whole=False))
                items = []
        for gone in list(kept.seen)[: -(KEPT + len(fresh))]:
            del kept.seen[gone]
        text = kept.text(whole=True)
        if items or text != cursor:
            yield Batch(tuple(items), text)

    async def confirm(self, batch: Batch) -> None:
        """There is nobody to tell, but a feed that moved for good is told here, where health shows it."""
        if self._moved:
            from channels.feed.source import shown

            raise Permanent(f"the feed has moved for good: write url = {shown(self._moved)}")

    async def check(self) -> Sequence[str]:
        """Read the feed and say what it is."""
        found = await self._source.fetch(self._settings.url, "", "")
        document = await asyncio.to_thread(_read, found)
        wanted = sum(self._wanted(entry) for entry in document.entries)
        of = f", {wanted} of them in your categories" if self._settings.categories else ""
        said = [f"{document.kind}: {document.title or 'without a title'}", f"{len(document.entries)} entries{of}"]
        if found.moved:
            from channels.feed.source import shown

            said.append(f"it has moved for good: write url = {shown(found.moved)}")
        return said

    async def close(self) -> None:
        """Hang up."""
        opened, self._opened = self._opened, None
        if opened is not None:
            with suppress(Exception):
                await opened.close()

    @property
    def _source(self) -> Source:
        if self._opened is None:
            from channels.feed.source import Source

            self._opened = Source(self._settings.ca_file, self._settings.timeout_s)
        return self._opened

    def _wanted(self, entry: Entry) -> bool:
        wanted = {category.casefold() for category in self._settings.categories}
        return not wanted or any(category.casefold() in wanted for category in entry.categories)


def _read(found: Fetched) -> Document:
    from channels.feed.document import read
    from channels.feed.xml import Unreadable

    try:
        return read(found.data or b"", found.url)
    except Unreadable as error:
        raise Retry(f"the feed cannot be read: {error}") from None


def _conversation(entry: Entry, seen: dict[str, list[str]]) -> str:
    """What an entry belongs to: what it answers, or the page it is a comment on, or itself."""
    if entry.answers:
        return seen.get(entry.answers, ["", entry.answers])[1]
    page, _, place = entry.link.partition("#")
    return page if place and _COMMENT.fullmatch(place.lower()) else entry.id


def _packed(entry: Entry, conversation: str) -> bytes:
    import msgspec

    return msgspec.json.encode({"entry": entry, "conversation": conversation})


def text_of(entry: Entry) -> str:
    """What an entry says to a person: its text, and where its files are."""
    from channels.kit.texts import text_of_html

    text = text_of_html(entry.content) if entry.html else entry.content.strip()
    files = [
        f"[{', '.join(filter(None, (file.content_type, f'{file.size:,} bytes' if file.size else ''))) or 'file'}: {file.url}]"
        for file in entry.files
    ]
    return "\n\n".join(filter(None, (text or entry.title or entry.link, "\n".join(files)))) or "(an empty entry)"


def parse(raw: Raw) -> Inbound:
    """An entry as a message; what it was in the feed is kept with it."""
    import msgspec

    from channels.feed.document import Entry
    from desk.blobs import Blob

    found = msgspec.json.decode(raw.data)
    entry = msgspec.convert(found["entry"], Entry)
    blob = Blob.of(raw.data)
    return Inbound(
        raw.external_id,
        raw.received_at,
        _author(entry),
        text_of(entry),
        subject=entry.title,
        at=entry.at,
        conversation=found["conversation"],
        answers=entry.answers or None,
        link=entry.link,
        public=True,
        raw=blob.key,
        blobs=(blob,),
    )


def _author(entry: Entry) -> Identity:
    """Who wrote it, as far as a feed says: a name, which another site may have too; without one, the feed."""
    if not entry.author:
        return Identity("feed", entry.site or "file", entry.feed or entry.site)
    value = entry.author_uri or f"{entry.author.casefold()}@{entry.site or 'file'}"
    return Identity("feed", value[:500], entry.author)


def open(name: str, settings: Settings) -> Feed:
    """The feed `name`, not yet read."""
    return Feed(name, settings)


__all__ = ["Feed", "Settings", "open", "parse", "text_of"]
