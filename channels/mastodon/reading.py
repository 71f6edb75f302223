"""What is new for an account: notifications by their numbers, our own answers, and words that are watched.

Notifications are numbered by the server as they come, and read forward from the last (`min_id`), twenty
known ones with them, for two may become visible in another order. Posts under a hashtag are numbered by
the time at which they were written elsewhere, and arrive later: there the newest are asked for and compared
with those that are known.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct, field

from channels.kit.fields import moment, string, table, tables
from channels.kit.http import segment
from channels.mastodon.server import Fields, Server
from channels.mastodon.statuses import text_of
from desk.channel import Batch, ChannelError, Edit, Inbound, Permanent, Reaction, Removal, Signal, Told
from desk.model import Attachment

if TYPE_CHECKING:
    from desk.blobs import Blob

OVERLAP, KNOWN, ROOTS, WATCHED = 20, 80, 400, 150
"""What is remembered: notifications, posts of each watched word, threads by their posts, posts to look at again."""

PAGES = 25
"""No list is read further back in one go."""

AGAIN = 20
"""So many posts are looked at again in each poll; as many as the server gives at once."""

ONE_BY_ONE = 3
"""So many where the server tells only one at a time."""

MARKS = {"favourite": "favourite", "reblog": "boost"}


class Watched(Struct, array_like=True):
    """A post as it was when last seen, its author, and how often it was missed since."""

    name: str
    edited: str
    author: str
    missed: int = 0


class Place(Struct, omit_defaults=True):
    """The cursor: what has been read; nothing written before `since`."""

    since: int
    seen: list[str] = field(default_factory=list)
    own: str = ""
    words: dict[str, list[str]] = field(default_factory=dict)
    roots: dict[str, str] = field(default_factory=dict)
    watch: list[Watched] = field(default_factory=list)

    def write(self) -> str:
        """The place as a cursor, no longer than it needs to be."""
        self.seen = sorted(set(self.seen), key=order)[-OVERLAP:]
        self.watch = self.watch[-WATCHED:]
        while len(self.roots) > ROOTS:
            del self.roots[next(iter(self.roots))]
        return msgspec.json.encode(self).decode()


def order(name: str) -> tuple[int, str]:
    """Ids in the order in which they were given: numbers in words, of any length."""
    return len(name), name


class Reading:
    """The way in of one account."""

    def __init__(self, server: Server, clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> None:
        self._server, self._settings, self._clock = server, server.settings, clock
        self._no_lists = False
        self._turn = 0  # not in the cursor, which would be written anew with each look

    async def poll(self, cursor: str | None) -> AsyncIterator[Batch]:
        """Everything after `cursor`."""
        if cursor is None:
            place = Place(self._clock() - int(self._settings.backfill_d * 86_400_000))
            yield Batch((), place.write())
        else:
            place = msgspec.json.decode(cursor, type=Place)
        async for batch in self._notifications(place):
            yield batch
        refused: Permanent | None = None
        for found in (self._own, *self._watching(), self._again):
            before = place.write()
            try:
                items = await found(place)
            except Permanent as error:  # a hashtag that the server does not show is no reason to miss an edit
                refused = refused or error
                continue
            if items or place.write() != before:
                yield Batch(tuple(items), place.write())
        if refused is not None:
            raise refused

    # -- notifications --------------------------------------------------------

    async def _notifications(self, place: Place) -> AsyncIterator[Batch]:
        if not place.seen:
            first = await self._back(place)
            items = [item for one in first for item in await self._notified(place, one)]
            place.seen = [string(one, "id") for one in first]
            if first:
                yield Batch(tuple(items), place.write())
            return
        params: dict[str, Any] = {"min_id": min(place.seen, key=order)}
        while True:
            page, more = await self._server.page("/api/v1/notifications", {**params, "limit": 80})
            page = sorted((one for one in page if string(one, "id")), key=lambda one: order(string(one, "id")))
            known = set(place.seen)
            new = [one for one in page if string(one, "id") not in known]
            if not new:
                return
            items = [item for one in new for item in await self._notified(place, one)]
            place.seen += [string(one, "id") for one in new]
            yield Batch(tuple(items), place.write())
            params = more.get("prev") or {"min_id": string(page[-1], "id")}

    async def _back(self, place: Place) -> list[Fields]:
        """The notifications since the beginning, the oldest first."""
        found: dict[str, Fields] = {}
        params: dict[str, Any] = {}
        for _ in range(PAGES):
            page, more = await self._server.page("/api/v1/notifications", {**params, "limit": 80})
            new = {name: one for one in page if (name := string(one, "id")) and name not in found}
            recent = {name: one for name, one in new.items() if (moment(one, "created_at") or 0) >= place.since}
            found |= recent
            if not new or len(recent) < len(new):
                break
            params = more.get("next") or {"max_id": min(new, key=order)}
        return [found[name] for name in sorted(found, key=order)]

    async def _notified(self, place: Place, one: Fields) -> list[Told]:
        kind, status = string(one, "type"), table(one, "status")
        if kind in ("mention", "quote"):
            return await self._message(place, status)
        if kind in MARKS and self._settings.reactions and string(status, "id"):
            sender = self._server.identity(table(one, "account"))
            name = f"notification/{string(one, 'id')}"
            return [Reaction(name, self._clock(), string(status, "id"), sender, MARKS[kind])] if sender else []
        return []

    # -- our own, and what is watched -------------------------------------------

    async def _own(self, place: Place) -> list[Told]:
        """What we wrote in conversations that are known, here or on the server's own pages."""
        path = f"/api/v1/accounts/{segment((await self._server.me()).number)}/statuses"
        if not place.own:
            page, _ = await self._server.page(path, {"limit": 1, "exclude_reblogs": "true"})
            place.own = string(page[0], "id") if page else "0"
            return []
        items: list[Told] = []
        for _ in range(PAGES):
            page, _ = await self._server.page(path, {"min_id": place.own, "limit": 40, "exclude_reblogs": "true"})
            new = [one for one in page if order(string(one, "id")) > order(place.own)]
            if not new:
                break
            for one in sorted(new, key=lambda status: order(string(status, "id"))):
                if string(one, "in_reply_to_id") in place.roots:
                    items += await self._message(place, one)
                place.own = string(one, "id")
        return items

    def _watching(self) -> Sequence[Callable[[Place], Awaitable[list[Told]]]]:
        from functools import partial

        tags = [partial(self._watched, tag.lstrip("#"), tag=True) for tag in self._settings.hashtags]
        return [*tags, *(partial(self._watched, word, tag=False) for word in self._settings.keywords)]

    async def _watched(self, word: str, place: Place, *, tag: bool) -> list[Told]:
        """New posts under a hashtag or with a word in them."""
        key = f"#{word}" if tag else word
        seen = place.words.get(key, [])
        known = set(seen)
        found: dict[str, Fields] = {}
        for turn in range(PAGES):
            page = await self._listed(word, found, tag=tag)
            names = {string(one, "id"): one for one in page if string(one, "id")}
            new = {
                name: one for name, one in names.items()
                if name not in known and name not in found and (moment(one, "created_at") or 0) >= place.since
            }  # fmt: skip
            found |= new
            if len(new) < len(names) or not names or (not seen and turn == 0 and len(names) < 40):
                break
        items = [item for name in sorted(found, key=order) for item in await self._message(place, found[name])]
        place.words[key] = sorted({*seen, *found}, key=order)[-KNOWN:]
        return items

    async def _listed(self, word: str, found: dict[str, Fields], *, tag: bool) -> list[Fields]:
        if tag:
            below = {"max_id": min(found, key=order)} if found else {}
            return (await self._server.page(f"/api/v1/timelines/tag/{segment(word)}", {"limit": 40, **below}))[0]
        params = {"q": word, "type": "statuses", "limit": 40, "offset": len(found)}
        return tables((await self._server.get("/api/v2/search", params)).fields, "statuses")

    # -- a post -------------------------------------------------------------------

    async def _message(self, place: Place, status: Fields) -> list[Told]:
        name, sender = string(status, "id"), self._server.identity(table(status, "account"))
        if not name or sender is None or status.get("reblog"):
            return []
        root = await self._root(place, status)
        files, blobs, lines = await self._files(status)
        text = "\n\n".join(part for part in (text_of(status), *lines) if part) or "[A post without words.]"
        place.watch = [one for one in place.watch if one.name != name]
        place.watch.append(Watched(name, string(status, "edited_at"), string(table(status, "account"), "id")))
        visibility = string(status, "visibility")
        people = (self._server.identity(one) for one in tables(status, "mentions"))
        return [
            Inbound(
                name,
                self._clock(),
                sender,
                text,
                text,
                at=moment(status, "created_at"),
                to=tuple(one for one in people if one and one.value != sender.value),
                conversation=root,
                html=True,
                attachments=tuple(files),
                blobs=tuple(blobs),
                answers=string(status, "in_reply_to_id") or None,
                link=string(status, "url") or string(status, "uri"),
                public=visibility in ("public", "unlisted"),
                ours=sender.value == self._server.own.value,
            )
        ]

    async def _root(self, place: Place, status: Fields) -> str:
        """The post that began the thread; the one that is answered when nobody knows the first."""
        name, parent = string(status, "id"), string(status, "in_reply_to_id")
        if name in place.roots:
            return place.roots[name]
        root = place.roots.get(parent, "") if parent else name
        if not root:
            answer = await self._server.get(f"/api/v1/statuses/{segment(name)}/context", accept=(403, 404, 410))
            above = tables(answer.fields, "ancestors") if answer.status == 200 else []
            names = [string(one, "id") for one in above if string(one, "id")]
            root = names[0] if names else parent
            place.roots |= dict.fromkeys([*names, parent], root)
        place.roots[name] = root
        return root

    async def _files(self, status: Fields) -> tuple[list[Attachment], list[Blob], list[str]]:
        """The files of a post, and lines for what they show and for those that are not fetched."""
        from urllib.parse import urlsplit

        from channels.kit.texts import file

        files: list[Attachment] = []
        blobs: list[Blob] = []
        lines: list[str] = []
        for count, one in enumerate(tables(status, "media_attachments"), 1):
            url = string(one, "url") or string(one, "remote_url")
            if shows := " ".join(string(one, "description").split()):
                lines.append(f"[{string(one, 'type') or 'file'}: {shows}]")
            try:
                name = urlsplit(url).path.rpartition("/")[2] or "file"
                attachment, blob = file(name, "", await self._download(url), count)
            except (ChannelError, ValueError) as error:
                lines.append(f"[A file was not fetched: {error}. It is at {url or 'no address'}]")
            else:
                files.append(attachment)
                blobs.append(blob)
        return files, blobs, lines

    async def _download(self, url: str) -> bytes:
        # Files are kept where the server keeps our own picture, often on another machine than itself.
        place = (await self._server.me()).files
        if not url:
            raise Permanent("the server does not say where it is")
        return await self._server.http.download(url, self._settings.file_limit, hosts=(place,) if place else ())

    # -- what became of a post ------------------------------------------------------

    async def _again(self, place: Place) -> list[Told]:
        """Edits and deletions among the posts that are known, some at each look."""
        count = ONE_BY_ONE if self._no_lists else AGAIN
        self._turn = self._turn if self._turn < len(place.watch) else 0
        row = place.watch[self._turn : self._turn + count]
        self._turn += count
        if not row:
            return []
        now = await self._now([one.name for one in row])
        found: list[Told] = []
        for one in row:
            status = now.get(one.name)
            if status is None:
                found += await self._missing(place, one)
                continue
            one.missed = 0
            edited = string(status, "edited_at")
            if edited and edited != one.edited:
                one.edited = edited
                text = text_of(status) or "[A post without words.]"
                found.append(Edit(f"{one.name}/{edited}", self._clock(), one.name, text, text, html=True))
        return found

    async def _now(self, names: Sequence[str]) -> dict[str, Fields]:
        """Posts as they are now; servers before 4.3 tell only one at a time."""
        if not self._no_lists:
            answer = await self._server.get("/api/v1/statuses", {"id[]": list(names)}, accept=(404, 405))
            if answer.status == 200 and isinstance(answer.json, list):
                return {string(one, "id"): one for one in answer.json if isinstance(one, dict)}
            self._no_lists = True
        found = {}
        for name in names:
            status, one = await self._server.status(name)
            if status == 200:
                found[name] = one
        return found

    async def _missing(self, place: Place, one: Watched) -> list[Signal]:
        """A post is not there for us. That it is gone is only said when nothing else can be the reason."""
        status, _ = await self._server.status(one.name)
        one.missed += 1
        gone = status == 410 or (status == 404 and one.missed > 1 and await self._open_to_us(one.author))
        if gone or (status != 200 and one.missed > 2):
            place.watch.remove(one)
        return [Removal(f"{one.name}/removed", self._clock(), one.name)] if gone else []

    async def _open_to_us(self, author: str) -> bool:
        """Whether the author is still there and has not shut us out: else their posts are only hidden from us."""
        answer = await self._server.get(f"/api/v1/accounts/{segment(author)}", accept=(403, 404, 410))
        if answer.status != 200 or answer.fields.get("suspended") is True:
            return False
        relations, _ = await self._server.page("/api/v1/accounts/relationships", {"id[]": [author]})
        return bool(relations) and relations[0].get("blocked_by") is False


__all__ = ["Place", "Reading", "order"]
