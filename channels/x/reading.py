"""What is new for an account on X: mentions, our own posts in their conversations, direct messages.

Ids are moments (the milliseconds stand above the 22nd bit), and posts become visible a little out of
order: each look begins some seconds before the newest known one, and what is known is left out.
Messages are kept by X for 30 days and only listed from the newest back.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct, field

from channels.kit.fields import moment, string, table, tables
from channels.x.api import ACCOUNT, LOOKUPS, MENTIONS, MESSAGES, OWN, Api
from channels.x.posts import Fields, File, Includes, files_of, numbered, order, referenced, text_of, versions
from channels.x.spending import Spending
from desk.channel import AuthRequired, Batch, ChannelError, Edit, Inbound, Membership, RateLimited, Removal, Retry, Told
from desk.model import Attachment, Identity

if TYPE_CHECKING:
    from desk.blobs import Blob

OVERLAP_MS = 30_000
PAGES = 10
WATCHED, CONVERSATIONS, SEEN, TOGETHER = 300, 400, 200, 100
"""What is remembered: posts, conversations, messages; and how many posts are asked for at once."""

FILE_HOSTS = ("twimg.com", "twitter.com", "x.com")

POST_FIELDS = {
    "tweet.fields": "created_at,author_id,conversation_id,referenced_tweets,entities,note_tweet,attachments,edit_history_tweet_ids",
    "expansions": "author_id,attachments.media_keys",
    "user.fields": "username,name",
    "media.fields": "url,type,variants,preview_image_url,alt_text",
}  # fmt: skip
MESSAGE_FIELDS = {
    "dm_event.fields": "id,text,event_type,created_at,sender_id,dm_conversation_id,participant_ids,attachments,entities,referenced_tweets",
    "expansions": "sender_id,participant_ids,attachments.media_keys",
    "user.fields": "username,name",
    "media.fields": "url,type,variants,preview_image_url,alt_text",
}  # fmt: skip


class Watched(Struct, array_like=True):
    """A post by its first version, and the version that was seen."""

    name: str
    latest: str


class Place(Struct, omit_defaults=True):
    """The cursor: nothing written before `since`, what was read, and what it cost."""

    since: int
    me: str = ""
    mention: str = ""
    own: str = ""
    message: str = ""
    messages: list[str] = field(default_factory=list)
    conversations: list[str] = field(default_factory=list)
    watch: list[Watched] = field(default_factory=list)
    again: int = 0
    month: str = ""
    spent: int = 0

    def write(self) -> str:
        """The place as a cursor, no longer than it needs to be."""
        self.messages = sorted(set(self.messages), key=order)[-SEEN:]
        self.conversations = self.conversations[-CONVERSATIONS:]
        self.watch = self.watch[-WATCHED:]
        return msgspec.json.encode(self).decode()

    def known(self, name: str) -> Watched | None:
        """The post of which `name` is a version."""
        return next((one for one in reversed(self.watch) if name in (one.name, one.latest)), None)


class Reading:
    """The way in of one account."""

    def __init__(
        self, api: Api, spending: Spending, clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    ) -> None:
        self._api, self._settings, self._spending, self._clock = api, api.settings, spending, clock
        self._due: dict[str, int] = {}
        self._me = ""

    async def poll(self, cursor: str | None) -> AsyncIterator[Batch]:
        """Everything after `cursor`, as far as the budget reaches."""
        if cursor is None:
            place = Place(self._clock() - int(self._settings.backfill_d * 86_400_000))
        else:
            place = msgspec.json.decode(cursor, type=Place)
        self._spending.remember(place.month, place.spent)
        before, heard, refused = cursor, False, None
        for what, pause_s, look in self._looks():
            if cursor is not None and (now := self._count(place).write()) != before:
                # What was sent meanwhile has its price too.
                yield Batch((), before := now)
            self._spending.may_read()
            if self._clock() < self._due.get(what, 0):
                continue
            try:
                items = await look(place)
            except RateLimited as error:
                # Each question has a limit of its own: the others are asked.
                refused = error
                self._due[what] = self._clock() + int((error.after_s or pause_s) * 1000)
                continue
            heard = heard or what != "account"
            self._due[what] = self._clock() + int(pause_s * 1000 * self._spending.pace)
            now = self._count(place).write()
            if items or now != before:
                yield Batch(tuple(items), before := now)
        if refused is not None and not heard:
            raise refused

    def _looks(self) -> list[tuple[str, float, Callable[[Place], Awaitable[list[Told]]]]]:
        settings = self._settings
        # At its full pace the relay's own pause is enough.
        pause = settings.poll_s if self._spending.pace > 1.0 else 0.0
        looks: list[tuple[str, float, Callable[[Place], Awaitable[list[Told]]]]]
        looks = [("account", 0.0, self._account), ("mentions", pause, self._mentions)]
        if settings.own_posts:
            looks.append(("own", pause, self._own))
        if settings.messages_s:
            looks.append(("messages", settings.messages_s, self._messages))
        if settings.again_h:
            looks.append(("again", 0.0, self._again))
        return looks

    def _count(self, place: Place) -> Place:
        place.month, place.spent = self._spending.month, self._spending.spent
        return place

    async def me(self) -> str:
        """The number of the account; `AuthRequired` when the token is another one's."""
        if not self._me:
            found = table(await self._api.get("/2/users/me", {"user.fields": "username"}, ACCOUNT), "data")
            name = string(found, "username")
            if not string(found, "id"):
                raise Retry("X does not say whose the token is")
            self._spending.read("user", string(found, "id"))
            if name.lower() != self._settings.handle[1:].lower():
                raise AuthRequired(f"the token belongs to @{name}, not to {self._settings.handle}: mend user or token")
            self._me = string(found, "id")
        return self._me

    async def _account(self, place: Place) -> list[Told]:
        self._me = place.me = place.me or await self.me()
        return []

    # -- posts ----------------------------------------------------------------

    async def _mentions(self, place: Place) -> list[Told]:
        rows, beside = await self._posts(f"/2/users/{place.me}/mentions", MENTIONS, place.mention, place.since)
        items = [item for one in rows for item in await self._post(place, one, beside)]
        place.mention = max([place.mention, *(string(one, "id") for one in rows)], key=order)
        return items

    async def _own(self, place: Place) -> list[Told]:
        """What a colleague posted on X itself, where somebody had mentioned us."""
        if not place.conversations:
            return []
        rows, beside = await self._posts(f"/2/users/{place.me}/tweets", OWN, place.own, place.since, exclude="retweets")
        items: list[Told] = []
        for one in rows:
            if string(one, "conversation_id") in place.conversations:
                items += await self._post(place, one, beside)
        place.own = max([place.own, *(string(one, "id") for one in rows)], key=order)
        return items

    async def _posts(
        self, path: str, bucket: str, newest: str, since: int, **more: str
    ) -> tuple[list[Fields], Includes]:
        """The posts behind the newest known one, the oldest first."""
        begin = {"since_id": _earlier(newest)} if newest else {"start_time": _written(since)}
        rows: dict[str, Fields] = {}
        beside, token = Includes(), ""
        for _ in range(PAGES):
            given = {**POST_FIELDS, **begin, **more, "max_results": 100, "pagination_token": token}
            found = await self._api.get(path, given, bucket)
            self._pay("post", found, beside)
            rows |= {name: one for one in tables(found, "data") if numbered(name := string(one, "id"))}
            token = string(table(found, "meta"), "next_token")
            if not token:
                break
        return [rows[name] for name in sorted(rows, key=order)], beside

    def _pay(self, what: str, found: Fields, beside: Includes) -> None:
        for one in tables(found, "data"):
            self._spending.read(what, string(one, "id"))
        for one in tables(table(found, "includes"), "users"):
            self._spending.read("user", string(one, "id"))
        beside.add(found)

    async def _post(self, place: Place, post: Fields, beside: Includes) -> list[Told]:
        name, latest = versions(post)[0], string(post, "id")
        if referenced(post, "retweeted"):
            return []
        known = place.known(name) or place.known(latest)
        text = text_of(post)
        if known is not None:
            if order(latest) <= order(known.latest):
                return []
            known.latest = latest
            return [Edit(f"{name}/{latest}", self._clock(), name, text or "[A post without words.]")]
        author = string(post, "author_id")
        text, attachments, blobs = await self._with_files(text, files_of(post, beside))
        conversation = string(post, "conversation_id") or name
        answered = referenced(post, "replied_to")
        place.watch.append(Watched(name, latest))
        if conversation not in place.conversations:
            place.conversations.append(conversation)
        above = place.known(answered)
        return [
            Inbound(
                external_id=name, received_at=self._clock(), sender=beside.person(author), text=text,
                at=moment(post, "created_at"), conversation=conversation,
                answers=(above.name if above else answered) or None,
                link=f"https://x.com/{beside.handle(author)}/status/{latest}", public=True, ours=author == place.me,
                attachments=attachments, blobs=blobs,
            )
        ]  # fmt: skip

    async def _again(self, place: Place) -> list[Told]:
        """Look again at posts: which were deleted, which edited without naming us any more."""
        now = self._clock()
        if now < place.again + int(self._settings.again_h * 3_600_000) or not place.watch:
            place.again = place.again or now
            return []
        place.again = now
        watched = {one.latest: one for one in place.watch[-TOGETHER:]}
        found = await self._lookup(list(watched))
        items: list[Told] = []
        for error in tables(found, "errors"):
            gone = watched.get(string(error, "resource_id") or string(error, "value"))
            # What is only hidden from us (a protected account) has another type.
            if gone is not None and string(error, "type").endswith("/resource-not-found"):
                place.watch.remove(gone)
                items.append(Removal(f"{gone.name}/removed", now, gone.name))
        newer = [last for one in tables(found, "data") if order(last := versions(one)[-1]) > order(string(one, "id"))]
        if newer:
            beside = Includes()
            for one in tables(await self._lookup(newer), "data"):
                items += await self._post(place, one, beside)
        return items

    async def _lookup(self, names: list[str]) -> Fields:
        found = await self._api.get("/2/tweets", {**POST_FIELDS, "ids": ",".join(names)}, LOOKUPS)
        self._pay("post", found, Includes())
        return found

    # -- messages -------------------------------------------------------------

    async def _messages(self, place: Place) -> list[Told]:
        """Messages from the newest back to one that is known."""
        rows: dict[str, Fields] = {}
        beside, token = Includes(), ""
        floor = _earlier(place.message) if place.message else ""
        for _ in range(PAGES):
            found = await self._api.get(
                "/2/dm_events", {**MESSAGE_FIELDS, "max_results": 100, "pagination_token": token}, MESSAGES
            )
            self._pay("message", found, beside)
            page = {name: one for one in tables(found, "data") if numbered(name := string(one, "id"))}
            new = {n: one for n, one in page.items() if self._is_new(place, one, floor)}
            rows |= new
            token = string(table(found, "meta"), "next_token")
            if not token or len(new) < len(page):
                break
        items: list[Told] = []
        for name in sorted(rows, key=order):
            items += await self._message(place, rows[name], beside)
            place.messages.append(name)
        place.message = max([place.message, *rows], key=order)
        return items

    def _is_new(self, place: Place, event: Fields, floor: str) -> bool:
        name = string(event, "id")
        if floor:
            return name not in place.messages and order(name) > order(floor)
        return (moment(event, "created_at") or self._clock()) >= place.since

    async def _message(self, place: Place, event: Fields, beside: Includes) -> list[Told]:
        name, now = string(event, "id"), self._clock()
        conversation = f"dm/{string(event, 'dm_conversation_id')}"
        kind = string(event, "event_type")
        people = event.get("participant_ids")
        others = [one for one in people if isinstance(one, str) and one != place.me] if isinstance(people, list) else []
        if kind in ("ParticipantsJoin", "ParticipantsLeave"):
            return [
                Membership(f"dm/{name}/{one}", now, conversation, who, kind == "ParticipantsJoin")
                for one in others
                if (who := beside.person(one)) is not None
            ]
        sender = string(event, "sender_id")
        if kind not in ("MessageCreate", "") or not sender:
            return []
        text, attachments, blobs = await self._with_files(text_of(event), files_of(event, beside))
        ours = sender == place.me
        to: list[Identity] = []
        if ours:
            pair = string(event, "dm_conversation_id").split("-")
            to = [who for one in (others or [p for p in pair if p != sender]) if (who := beside.person(one))]
        return [
            Inbound(
                external_id=f"dm/{name}", received_at=now, sender=beside.person(sender), text=text, to=tuple(to),
                at=moment(event, "created_at"), conversation=conversation, ours=ours,
                attachments=attachments, blobs=blobs,
            )
        ]  # fmt: skip

    async def _with_files(self, text: str, files: list[File]) -> tuple[str, tuple[Attachment, ...], tuple[Blob, ...]]:
        """The text and the files; of one that is not fetched the text says so, and where it is."""
        from channels.kit.texts import file

        got: list[tuple[Attachment, Blob]] = []
        lines = [text] if text else []
        for at, one in enumerate(files, 1):
            if one.alt:
                lines.append(f"[{one.name} shows: {one.alt}]")
            try:
                if not one.url:
                    raise Retry("it is open on X only")
                data = await self._api.http.download(one.url, self._settings.file_limit, hosts=FILE_HOSTS)
                got.append(file(one.name, "", data, at))
            except ChannelError as error:
                lines.append(f"[{one.name} was not fetched: {error}] {one.url}".rstrip())
        whole = "\n".join(lines) or ("" if got else "[A message without words.]")
        return whole or "[A file.]", tuple(a for a, _ in got), tuple(b for _, b in got)


def _earlier(name: str) -> str:
    """The id of a moment shortly before that of `name`."""
    return str(max(1, int(name) - (OVERLAP_MS << 22))) if numbered(name) else name


def _written(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


__all__ = ["Place", "Reading", "Watched"]
