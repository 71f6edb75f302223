"""Reading a bot's updates: each once, in order, none acknowledged before it is safe here.

Asking for updates from an offset on forgets all before it ("getUpdates"), so the next are asked for only
when the last batch is confirmed. An album is one message: as long as another part of it may come, neither
it nor what came behind it is handed out.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from channels.kit.fields import number, seconds, string, table
from channels.kit.texts import file
from channels.telegram.api import BotApi
from channels.telegram.settings import Settings
from channels.telegram.updates import ALLOWED, Media, Said, said, signals
from desk.blobs import Blob
from desk.channel import Batch, Inbound, Item, Permanent, Retry
from desk.model import DAY, Attachment, Millis

log = logging.getLogger(__name__)

AT_ONCE = 100
"""The most updates of one answer ("getUpdates", limit)."""

NUMBERS_LAST_MS: Millis = 6 * DAY
"""After a week without any, updates are numbered anew ("Update", update_id): an old place says nothing then."""

LONGEST_S = 50
ALBUM_PARTS = 10
SETTLES_S = 2.0
"""When no further part of an album came for so long, none comes."""

MIB = 1024 * 1024
BATCH_BYTES = 16 * MIB
TRIES = 3
"""After so many failures a file is given up: it must not hold up the messages behind it."""

_KEPT_ALBUMS = 64
_KEPT_MOVES = 256

Update = Mapping[str, Any]


class Cursor:
    """Where we are: the next update's number, when the last one came, which message an album is, which supergroup was which group."""

    def __init__(self, text: str | None) -> None:
        found = json.loads(text) if text else {}
        self.offset: int | None = found.get("offset")
        self.at: Millis = found.get("at", 0)
        self.albums: dict[str, str] = found.get("albums", {})
        self.moved: dict[str, str] = found.get("moved", {})

    def text(self) -> str:
        """The cursor as it is kept."""
        for kept, most in ((self.albums, _KEPT_ALBUMS), (self.moved, _KEPT_MOVES)):
            for name in list(kept)[:-most]:
                del kept[name]
        return json.dumps({"offset": self.offset, "at": self.at, "albums": self.albums, "moved": self.moved})


class Reader:
    """What comes to one bot. `clock` gives Unix milliseconds, `uptime` seconds that only grow."""

    def __init__(
        self,
        settings: Settings,
        api: BotApi,
        clock: Callable[[], Millis] = lambda: time.time_ns() // 1_000_000,
        uptime: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings, self._api = settings, api
        self._clock, self._uptime = clock, uptime
        self._safe: int | None = None
        self._confirmed = asyncio.Event()
        self._got: tuple[int | None, list[Update]] | None = None
        self._seen: dict[str, tuple[int, float]] = {}
        self._settles_at: float | None = None
        self._failures: dict[str, int] = {}

    async def poll(self, cursor: str | None) -> AsyncIterator[Batch]:
        """Everything after `cursor`, in batches."""
        kept = Cursor(cursor)
        if kept.at and self._clock() - kept.at > NUMBERS_LAST_MS:
            kept.offset = None
        self._safe = kept.offset
        while True:
            updates = await self._updates(kept.offset)
            ready = updates[: self._open_album(updates)]
            async for batch in self._batches(ready, kept):
                yield batch
            if len(updates) < AT_ONCE or len(ready) < len(updates):
                return
            while self._safe != kept.offset:
                self._confirmed.clear()
                await self._confirmed.wait()

    def confirm(self, batch: Batch) -> None:
        """`batch` is safe: the next question may tell Telegram to forget it."""
        self._safe = Cursor(batch.cursor).offset
        self._confirmed.set()

    async def wait(self, seconds_: float) -> None:
        """Return when there are updates, or after `seconds_`."""
        if self._settles_at is not None:
            # What we know of already would answer at once.
            await asyncio.sleep(min(seconds_, max(0.0, self._settles_at - self._uptime())))
            return
        self._got = self._safe, await self._ask(self._safe, max(1, min(LONGEST_S, round(seconds_))))

    async def _updates(self, offset: int | None) -> list[Update]:
        """The updates from `offset` on: those that were waited for, or else asked for now."""
        got, self._got = self._got, None
        if got is not None and got[0] == offset and got[1]:
            return got[1]
        return await self._ask(offset, 0)

    async def _ask(self, offset: int | None, wait_s: int) -> list[Update]:
        found = await self._api.call(
            "getUpdates",
            {"offset": offset, "limit": AT_ONCE, "timeout": wait_s, "allowed_updates": list(ALLOWED)},
            wait_s=wait_s,
        )
        if not isinstance(found, list):
            raise Retry("Telegram answered with something else than updates")
        return [one for one in found if isinstance(one, dict) and number(one, "update_id") is not None]

    # -- albums -----------------------------------------------------------------

    def _open_album(self, updates: Sequence[Update]) -> int | None:
        """Where the first album begins that may not be whole yet; None when all are."""
        self._settles_at = None
        albums = {album: parts for album, parts in _albums(updates).items() if len(parts) < ALBUM_PARTS}
        self._seen = {album: seen for album, seen in self._seen.items() if album in albums}
        opened = []
        for album, parts in albums.items():
            count, since = self._seen.get(album, (0, 0.0))
            if count != len(parts):
                since = self._uptime()
                self._seen[album] = len(parts), since
            newest = max(seconds(table(updates[at], "message"), "date") or 0 for at in parts)
            settles_at = since + SETTLES_S
            # What lay there for longer has all its parts; the two clocks may differ, so ours decides at last.
            if self._clock() - newest <= (SETTLES_S + 1) * 1000 and self._uptime() < settles_at:
                opened.append((parts[0], settles_at))
        if not opened:
            return None
        first, self._settles_at = min(opened)
        return first

    # -- batches ------------------------------------------------------------------

    async def _batches(self, updates: Sequence[Update], kept: Cursor) -> AsyncIterator[Batch]:
        """The updates as batches; a batch ends only where no album is half in it."""
        albums = _albums(updates)
        items: list[Item] = []
        size = 0
        for at, update in enumerate(updates):
            parts = albums.get(_album(update), [at])
            if at == parts[-1]:
                for item in await self._items([updates[part] for part in parts], kept):
                    items.append(item)
                    size += sum(blob.size for blob in item.blobs) if isinstance(item, Inbound) else 0
            kept.offset, kept.at = (number(update, "update_id") or 0) + 1, self._clock()
            if size > BATCH_BYTES and not any(part[0] <= at < part[-1] for part in albums.values()):
                yield Batch(tuple(items), kept.text())
                items, size = [], 0
        if updates:
            yield Batch(tuple(items), kept.text())

    async def _items(self, updates: Sequence[Update], kept: Cursor) -> list[Item]:
        """What one update says, or the parts of one album."""
        now = self._clock()
        items: list[Item] = []
        told = []
        for update in updates:
            message = table(update, "message")
            _follow(message, kept.moved)
            if (one := said(message, now, self._api.bot, kept.moved)) is not None:
                told.append(one)
            for signal in signals(update, now, kept.moved):
                # A part of an album is known by the name of the whole.
                whole = kept.albums.get(string(table(update, "edited_message"), "media_group_id"))
                items.append(replace(signal, target=whole) if whole and hasattr(signal, "target") else signal)
        if told:
            items.insert(0, await self._whole(told, kept))
        return items

    async def _whole(self, parts: Sequence[Said], kept: Cursor) -> Inbound:
        """One message with the files of all parts."""
        first = parts[0].inbound
        album = parts[0].album
        texts = dict.fromkeys(part.inbound.text for part in parts)
        answers = first.answers
        if album:
            # What comes so late that its album is kept already answers it.
            answers = kept.albums.get(album, answers)
            kept.albums.setdefault(album, first.external_id)
            captions = [text for text in texts if text not in {media.words for part in parts for media in part.files}]
            texts = dict.fromkeys(captions or texts)
        lines: list[str] = []
        files: list[tuple[Attachment, Blob]] = []
        for media in (media for part in parts for media in part.files):
            found = await self._file(media, len(files) + 1)
            if isinstance(found, str):
                lines.append(found)
            else:
                files.append(found)
        return replace(
            first,
            text="\n".join([*texts, *lines]),
            answers=answers,
            attachments=tuple(attachment for attachment, _ in files),
            blobs=tuple(blob for _, blob in files),
        )

    async def _file(self, media: Media, number_: int) -> tuple[Attachment, Blob] | str:
        """A file's bytes, or why they are not here and where they are."""
        limit = self._settings.attachment_limit_mb * MIB
        name = media.name or "file"
        if media.size is not None and media.size > limit:
            return f"[{name}, {media.size / MIB:.1f} MB, is too large to fetch (at most {limit // MIB} MB): it is in Telegram]"
        try:
            place = await self._api.call("getFile", {"file_id": media.file_id})
            path = string(place, "file_path") if isinstance(place, dict) else ""
            if not path:
                return f"[{name} cannot be fetched: it is in Telegram]"
            data = await self._api.file(path, limit)
        except Permanent as error:
            return f"[{name} cannot be fetched ({error}): it is in Telegram]"
        except Retry as error:
            failures = self._failures.get(media.file_id, 0) + 1
            if failures < TRIES:
                self._failures[media.file_id] = failures
                raise
            self._failures.pop(media.file_id, None)
            return f"[{name} cannot be fetched ({error}): it is in Telegram]"
        self._failures.pop(media.file_id, None)
        return file(media.name or path.rpartition("/")[2], media.content_type, data, number_)


def _album(update: Update) -> str:
    return string(table(update, "message"), "media_group_id")


def _albums(updates: Sequence[Update]) -> dict[str, list[int]]:
    """Where the parts of each album are."""
    found: dict[str, list[int]] = {}
    for at, update in enumerate(updates):
        if album := _album(update):
            found.setdefault(album, []).append(at)
    return found


def _follow(message: Update, moved: dict[str, str]) -> None:
    """A group that became a supergroup keeps its conversations under the number that it had."""
    old, new = number(table(message, "chat"), "id"), number(message, "migrate_to_chat_id")
    if old is not None and new is not None:
        moved[str(new)] = moved.get(str(old), str(old))


__all__ = ["Cursor", "Reader"]
