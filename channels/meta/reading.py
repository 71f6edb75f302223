"""What is new for a page: conversations by their last change, then comments below the newest posts.

Sources: "Conversations API" (sorted by updated_time; of the newest 20 messages of a conversation the details are
given), "Message" (attachments, shares, sticker, story), "Page feed" and "Object comments" (filter=stream, since),
"IG media, comments". There is no paging by time for conversations: they are listed from the newest back to one
that has not changed.
"""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct, field

from channels.kit.fields import moment, string, table, tables
from channels.kit.http import segment
from channels.meta.graph import Fields, Graph
from channels.meta.network import Network
from desk.channel import Batch, ChannelError, Inbound, Permanent, Told
from desk.model import Attachment, Identity, Millis

if TYPE_CHECKING:
    from desk.blobs import Blob

OVERLAP_MS = 60_000
SEEN, MARKS = 1_000, 500
PAGES = 20
TOLD = 20
"""So many messages of a conversation are told in full."""

ALWAYS = 5
"""The comments of so many newest posts are looked at whatever is said of their number."""

WINDOW_MS, HUMAN_MS = 24 * 3_600_000, 7 * 86_400_000

HOSTS = ("fbcdn.net", "fbsbx.com", "cdninstagram.com", "facebook.com", "instagram.com")

MESSAGE_FIELDS = (
    "id", "created_time", "from", "to", "message", "attachments", "shares", "sticker", "story", "reply_to", "is_unsupported",
)  # fmt: skip
_NO_FIELD = re.compile(r"nonexisting field \((\w+)\)")


class Place(Struct, omit_defaults=True):
    """The cursor: nothing written before `since`; how far each conversation and post was read (`marks`)."""

    since: int
    updated: int = 0
    floor: int = 0
    seen: list[str] = field(default_factory=list)
    marks: dict[str, int] = field(default_factory=dict)
    posts: dict[str, str] = field(default_factory=dict)

    def write(self) -> str:
        """The place as a cursor, no longer than it needs to be."""
        self.seen = self.seen[-SEEN:]
        for key in sorted(self.marks, key=lambda one: self.marks[one])[: max(0, len(self.marks) - MARKS)]:
            # What is forgotten was read so far at least.
            self.floor = max(self.floor, self.marks.pop(key))
        return msgspec.json.encode(self).decode()

    def new(self, key: str, name: str, at: Millis) -> bool:
        """Whether what was written `at` in `key` is news."""
        return name not in self.seen and at >= max(self.since, self.marks.get(key, self.floor) - OVERLAP_MS)

    def took(self, key: str, name: str, at: Millis) -> None:
        """It is handed out."""
        self.seen.append(name)
        self.marks[key] = max(self.marks.get(key, 0), at)


class Reading:
    """The way in of one page or account."""

    def __init__(
        self, graph: Graph, network: Network, clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    ) -> None:
        self._graph, self._network, self._settings, self._clock = graph, network, graph.settings, clock
        self._due: dict[str, int] = {}
        self._fields = list(MESSAGE_FIELDS)

    async def poll(self, cursor: str | None) -> AsyncIterator[Batch]:
        """Everything after `cursor`."""
        if cursor is None:
            place = Place(self._clock() - int(self._settings.backfill_d * 86_400_000))
        else:
            place = msgspec.json.decode(cursor, type=Place)
        looks = [("conversations", self._settings.poll_s, self._conversations)]
        if self._settings.comments_s:
            looks.append(("comments", self._settings.comments_s, self._comments))
        for what, pause_s, look in looks:
            if self._clock() < self._due.get(what, 0):
                continue
            items = await look(place)
            # At its full pace the relay's own pause is enough for conversations.
            pace = self._graph.pace if what != "conversations" or self._graph.pace > 1.0 else 0.0
            self._due[what] = self._clock() + int(pause_s * 1000 * pace)
            if items or place.write() != cursor:
                yield Batch(tuple(items), cursor := place.write())

    # -- conversations --------------------------------------------------------

    async def _conversations(self, place: Place) -> list[Told]:
        """Messages of all conversations that changed, the oldest first."""
        params: dict[str, Any] = {
            "platform": self._network.platform,
            "limit": 25,
        }
        floor = max(place.since, place.updated - OVERLAP_MS)
        found: list[tuple[Millis, Fields, str, str]] = []
        newest, done = place.updated, False
        for _ in range(PAGES):
            page = await self._listed(params)
            for one in tables(page, "data"):
                changed = moment(one, "updated_time") or self._clock()
                if changed < floor:
                    done = True
                    continue
                newest = max(newest, min(changed, self._clock() + OVERLAP_MS))
                found += self._messages(place, one)
            after = string(table(table(page, "paging"), "cursors"), "after")
            if done or not after or not string(table(page, "paging"), "next"):
                break
            params["after"] = after
        items: list[Told] = []
        for at, message, chat, missing in sorted(found, key=lambda row: row[0]):
            items.append(await self._message(message, chat, at, missing))
            place.took(chat, string(message, "id"), at)
        place.updated = newest
        return items

    async def _listed(self, params: dict[str, Any]) -> Fields:
        """A page of conversations; a field that this network or version has not is left out from then on."""
        while True:
            fields = f"id,updated_time,participants,messages.limit({TOLD}){{{','.join(self._fields)}}}"
            try:
                return await self._graph.get(f"{self._settings.page}/conversations", {**params, "fields": fields})
            except Permanent as error:
                unknown = _NO_FIELD.search(str(error))
                if unknown is None or unknown[1] not in self._fields:
                    raise
                self._fields.remove(unknown[1])

    def _messages(self, place: Place, conversation: Fields) -> list[tuple[Millis, Fields, str, str]]:
        """The new messages of a conversation, whom it is with, and what is to be said of those that are not told."""
        people = tables(table(conversation, "participants"), "data")
        other = next((string(one, "id") for one in people if string(one, "id") not in ("", *self._us)), "")
        rows = []
        listed = tables(table(conversation, "messages"), "data")
        for one in listed:
            sender = string(table(one, "from"), "id")
            known = other or (sender if sender not in self._us else "")
            at = moment(one, "created_time")
            if (
                not string(one, "id")
                or not known
                or at is None
                or not place.new(f"chat/{known}", string(one, "id"), at)
            ):
                continue
            rows.append((at, one, f"chat/{known}", ""))
        if rows and len(rows) == len(listed) >= TOLD and (chat := rows[-1][2]) in place.marks:
            last = min(range(len(rows)), key=lambda at: rows[at][0])
            words = f"[Meta tells only the newest {TOLD} messages; those before are in the page's inbox.]"
            rows[last] = (rows[last][0], rows[last][1], chat, words)
        return rows

    @property
    def _us(self) -> tuple[str, ...]:
        return (self._network.me, self._settings.page)

    async def _message(self, message: Fields, chat: str, at: Millis, missing: str) -> Inbound:
        sender = table(message, "from")
        ours = string(sender, "id") in self._us
        files = [_file(one) for one in tables(table(message, "attachments"), "data")]
        lines = [missing, string(message, "message"), *_beside(message)]
        text, attachments, blobs = await self._with_files([line for line in lines if line], files)
        answered = table(message, "reply_to")
        customer = Identity(self._network.kind, chat.removeprefix("chat/"))
        to = [self._person(one) for one in tables(table(message, "to"), "data")]
        return Inbound(
            external_id=string(message, "id"), received_at=self._clock(), sender=self._person(sender) or customer,
            text=text, at=at, conversation=chat, answers=string(answered, "mid") or string(answered, "id") or None,
            ours=ours, to=tuple(who for who in to if who) if ours else (),
            reply_until=None if ours else at + (HUMAN_MS if self._settings.human_agent else WINDOW_MS),
            attachments=attachments, blobs=blobs,
        )  # fmt: skip

    def _person(self, who: Fields) -> Identity | None:
        number, handle = string(who, "id"), string(who, "username")
        name = string(who, "name") or (f"@{handle}" if handle else "")
        return Identity(self._network.kind, number, name) if number else None

    # -- comments -------------------------------------------------------------

    async def _comments(self, place: Place) -> list[Told]:
        """Comments below posts that changed, and posts that visitors wrote."""
        network = self._network
        listed = await self._graph.get(
            network.posts_path, {"fields": network.posts_fields, "limit": self._settings.posts}
        )
        marks: dict[str, str] = {}
        found: list[tuple[Millis, Fields, Fields]] = []
        for rank, post in enumerate(tables(listed, "data")):
            name = string(post, "id")
            if not name:
                continue
            at = moment(post, "created_time")
            if at is not None and self._visitor(post) and place.new(name, f"post/{name}", at):
                found.append((at, post, {}))
            mark = f"{string(post, 'updated_time')}{post.get('comments_count', '')}"
            changed = moment(post, "updated_time")
            if changed is None or changed < self._clock() - OVERLAP_MS:
                # Two changes in one second have one mark: what changed just now is looked at again.
                marks[name] = mark
            if rank < ALWAYS or place.posts.get(name) != mark:
                for comment in await self._below(place, name):
                    found.append((_at(comment) or 0, post, comment))
        items: list[Told] = []
        for at, post, comment in sorted(found, key=lambda row: row[0]):
            items.append(await self._comment(post, comment, at))
            place.took(string(post, "id"), items[-1].external_id, at)  # type: ignore[union-attr]
        place.posts = marks
        return items

    def _visitor(self, post: Fields) -> bool:
        who = string(table(post, "from"), "id")
        return bool(who) and who not in self._us

    async def _below(self, place: Place, post: str) -> list[Fields]:
        """The new comments below a post, and answers to them."""
        params: dict[str, Any] = {"fields": self._network.comments, "limit": 50}
        if self._network.replies == "comments":
            since = max(place.since, place.marks.get(post, place.floor) - OVERLAP_MS) // 1000
            params |= {"filter": "stream", "order": "reverse_chronological", "since": since}
        found: list[Fields] = []
        for _ in range(PAGES):
            try:
                page = await self._graph.get(f"{segment(post)}/comments", params)
            except Permanent:
                return found  # a post without comments for us: it is gone, or closed to them
            rows = tables(page, "data")
            every = [one for row in rows for one in (row, *tables(table(row, "replies"), "data"))]
            found += [one for one in every if (at := _at(one)) and place.new(post, f"comment/{string(one, 'id')}", at)]
            after = string(table(table(page, "paging"), "cursors"), "after")
            if not after or not string(table(page, "paging"), "next"):
                break
            params["after"] = after
        return list({string(one, "id"): one for one in found if string(one, "id")}.values())

    async def _comment(self, post: Fields, comment: Fields, at: Millis) -> Inbound:
        """A comment as a message, or the post of a visitor where there is no comment."""
        name, what = string(comment, "id"), comment or post
        who = table(what, "from")
        sender = self._person({"username": string(comment, "username"), **who})
        ours = string(who, "id") in self._us
        parent = string(table(comment, "parent"), "id") or string(comment, "parent_id")
        begun = f"post/{string(post, 'id')}"
        if not comment:
            conversation, external_id, answers = begun, begun, ""
        else:
            # Below a post of ours each first comment is a matter of its own; a visitor's post is one.
            conversation = begun if self._visitor(post) else f"comment/{parent or name}"
            external_id = f"comment/{name}"
            answers = f"comment/{parent}" if parent else begun if self._visitor(post) else ""
        files = [_file(table(comment, "attachment"))] if table(comment, "attachment") else []
        lines = [string(what, "message") or string(what, "text")]
        text, attachments, blobs = await self._with_files([line for line in lines if line], files)
        # Without a permission Meta does not say who somebody is.
        nobody = Identity(self._network.kind, f"unknown/{name}", f"somebody on {self._network.name}")
        link = string(what, "permalink_url") or string(post, "permalink_url") or string(post, "permalink")
        return Inbound(
            external_id=external_id, received_at=self._clock(), sender=sender or nobody, text=text, at=at,
            conversation=conversation, answers=answers or None, link=link, public=True, ours=ours,
            attachments=attachments, blobs=blobs,
        )  # fmt: skip

    async def _with_files(
        self, lines: list[str], files: list[tuple[str, str, str]]
    ) -> tuple[str, tuple[Attachment, ...], tuple[Blob, ...]]:
        """The text and the files; of one that is not fetched the text says so, and where it is."""
        from channels.kit.texts import file

        got: list[tuple[Attachment, Blob]] = []
        for at, (name, kind, url) in enumerate(files, 1):
            try:
                if not url:
                    raise Permanent(f"it is open on {self._network.name} only")
                data = await self._graph.http.download(url, self._settings.file_limit, hosts=HOSTS)
                got.append(file(name, kind, data, at))
            except ChannelError as error:
                lines.append(f"[{name or 'a file'} was not fetched: {error}] {url}".rstrip())
        text = "\n".join(lines) or ("[A file.]" if got else "[A message without words.]")
        return text, tuple(a for a, _ in got), tuple(b for _, b in got)


def _at(comment: Fields) -> Millis | None:
    return moment(comment, "created_time") or moment(comment, "timestamp")


def _file(found: Fields) -> tuple[str, str, str]:
    """What a file is called, its type, and where it is."""
    inside = table(found, "image_data") or table(found, "video_data") or table(table(found, "media"), "image")
    url = string(found, "file_url") or string(inside, "url") or string(inside, "src") or string(found, "url")
    return string(found, "name") or string(found, "title"), string(found, "mime_type"), url


def _beside(message: Fields) -> list[str]:
    """What a message has beside text and files, as lines."""
    lines = []
    for one in tables(table(message, "shares"), "data"):
        lines.append(f"[shared: {string(one, 'name') or 'a link'}] {string(one, 'link')}".rstrip())
    if string(message, "sticker"):
        lines.append("[sticker]")
    for how, words in (("reply_to", "an answer to our story"), ("mention", "a story that names us")):
        story = table(table(message, "story"), how)
        if story:
            lines.append(f"[{words}] {string(story, 'link')}".rstrip())
    if message.get("is_unsupported") is True:
        lines.append("[A message of a kind that Meta gives to no program: look into the inbox.]")
    return lines


__all__ = ["HUMAN_MS", "WINDOW_MS", "Place", "Reading"]
