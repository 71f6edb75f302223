"""What is new on a forum: public posts by their numbers, private conversations by their last change.

Posts are numbered over the whole forum in the order they were written, so a number is all that has to be
remembered. The page of the newest posts is asked for first; when it does not reach back to what is known
(there was an outage), the posts between are read upwards from there, a stretch at a time with a cursor
behind each, so that nothing is lost and a long way is gone in as many attempts as the rate limit wants.

Some posts become visible late, with a smaller number than others that are known (two were written at the
same time, a topic was listed again): what the page of the newest shows and is not remembered comes in too.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING

from channels.discourse.forum import TOGETHER, Fields, Forum, stream, whole
from channels.discourse.place import Place, Watched, likes, said, watch
from channels.kit.fields import moment, string, table, tables
from desk.channel import Batch, ChannelError, Edit, Inbound, Permanent, Reaction, Removal, Signal, Told
from desk.model import Attachment, Identity

if TYPE_CHECKING:
    from channels.discourse.cooked import Named
    from desk.blobs import Blob

STRETCH = 49
"""So many numbers fit into every page of posts: pages have 50, and older forums count them by number."""

FIRST_PAGES = 40
REFRESHED = 2
"""So many times in each poll some posts of a topic are looked at again, for edits, deletions and likes."""

FILES = 10
"""Files of one post that are fetched; others are named in its text."""


class Reading:
    """The way in of one account."""

    def __init__(self, forum: Forum, clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> None:
        self._forum, self._settings, self._clock = forum, forum.settings, clock
        self._numbers: dict[tuple[int, int], int] = {}
        self._topics: dict[int, Fields] = {}
        self._categories: frozenset[int] | None = None
        self._turn = (0, 0)  # not in the cursor, which would be written anew with each look

    async def poll(self, cursor: str | None) -> AsyncIterator[Batch]:
        """Everything after `cursor`."""
        place = Place.read(cursor) if cursor else await self._begin()
        if cursor is None:
            yield Batch((), place.write())
        refused: Permanent | None = None
        public = (self._public(place),) if self._settings.public else ()
        for found in (*public, *(self._private(place, group) for group in ("", *self._settings.groups))):
            try:
                async for batch in found:
                    yield batch
            except Permanent as error:  # an inbox that we may not read is no reason to miss the others
                refused = refused or error
        before = place.write()
        signals: list[Signal] = []
        looked: set[int] = set()
        for _ in range(REFRESHED):
            row = [one for one in place.after(self._turn, TOGETHER) if one.number not in looked]
            if row:
                looked |= {one.number for one in row}
                self._turn = (row[-1].topic, row[-1].number)
                signals += await self._again(place, row)
        if signals or place.write() != before:
            yield Batch(tuple(signals), place.write())
        if refused is not None:
            raise refused

    async def _begin(self) -> Place:
        """Where to begin: behind the last post that is too old."""
        place = Place(self._clock() - int(self._settings.backfill_d * 86_400_000))
        if not self._settings.public:
            return place
        before: int | None = None
        for _ in range(FIRST_PAGES):
            page = await self._forum.latest(before)
            numbers = [number for post in page if (number := whole(post.get("id")))]
            if not numbers:
                break
            old = [n for post in page if (n := whole(post.get("id"))) and self._early(place, post)]
            place.low = place.floor = max(old, default=min(numbers) - 1)
            if old or min(numbers) == before:
                break
            before = min(numbers)
        return place

    def _early(self, place: Place, post: Fields) -> bool:
        written = moment(post, "created_at")
        return written is not None and written < place.since

    # -- public topics -------------------------------------------------------

    async def _public(self, place: Place) -> AsyncIterator[Batch]:
        newest = [post for post in await self._forum.latest() if whole(post.get("id"))]
        numbers = [whole(post.get("id")) or 0 for post in newest]
        # Where nothing was ever seen there is no way back to go.
        if numbers and place.low and min(numbers) > place.low:
            async for batch in self._climb(place, min(numbers)):
                yield batch
        found: list[Told] = []
        for post in newest:
            if (known := place.watched(whole(post.get("id")) or 0)) is not None:
                found += self._edited(known, post)
        known_numbers = set(place.seen)
        fresh = [
            post
            for post, number in zip(newest, numbers, strict=True)
            if number > place.low or (number > place.floor and number not in known_numbers)
        ]
        found += await self._taken(place, fresh)
        place.low = max([place.low, *numbers])
        if found or fresh:
            yield Batch(tuple(found), place.write())

    async def _climb(self, place: Place, top: int) -> AsyncIterator[Batch]:
        """The posts between what is known and `top`, upwards."""
        stretch = 4 * STRETCH
        while place.low + 1 < top:
            before = min(place.low + stretch, top)
            page = [post for post in await self._forum.latest(before) if whole(post.get("id"))]
            reaches = any((whole(post.get("id")) or 0) <= place.low for post in page)
            if not reaches and before - place.low > STRETCH:
                stretch = max(STRETCH, stretch // 2)
                continue
            between = [post for post in page if place.low < (whole(post.get("id")) or 0) < before]
            found = await self._taken(place, between)
            place.low = before - 1
            yield Batch(tuple(found), place.write())

    async def _taken(self, place: Place, posts: Sequence[Fields]) -> list[Told]:
        found: list[Told] = []
        for post in sorted(posts, key=lambda one: whole(one.get("id")) or 0):
            place.seen.append(whole(post.get("id")) or 0)
            if not self._early(place, post) and await self._wanted(post):
                found += await self._message(place, post, post, public=True)
        return found

    async def _wanted(self, post: Fields) -> bool:
        """Whether the settings ask for posts of its category and tags."""
        settings = self._settings
        if settings.categories and whole(post.get("category_id")) not in await self.check_categories():
            return False
        if not settings.tags:
            return True
        topic = await self._topic(whole(post.get("topic_id")) or 0)
        # Newer forums write {"id": 3, "name": "billing"} where older ones write "billing".
        names = {string(one, "name") for one in tables(topic, "tags")} | _strings(topic, "tags")
        return not names.isdisjoint(settings.tags)

    async def check_categories(self) -> frozenset[int]:
        """The numbers of the categories in the settings, asked for once."""
        if self._categories is None:
            self._categories = await self._chosen()
        return self._categories

    async def _chosen(self) -> frozenset[int]:
        """The numbers of the categories in the settings; `Permanent` names one that is not there."""
        names = self._settings.categories
        if all(name.isdigit() for name in names):
            return frozenset(map(int, names))
        found = (await self._forum.get("/categories.json", {"include_subcategories": "true"})).fields
        known: dict[str, int] = {}
        waiting = tables(table(found, "category_list"), "categories")
        while waiting:
            one = waiting.pop()
            waiting += tables(one, "subcategory_list")
            if (number := whole(one.get("id"))) is not None:
                known[string(one, "slug")] = known[str(number)] = number
        if missing := [name for name in names if name not in known and not name.isdigit()]:
            raise Permanent(
                f'the forum has no category "{missing[0]}" that {self._settings.user} can see: mend categories'
            )
        return frozenset(known.get(name) or int(name) for name in names)

    async def _topic(self, number: int) -> Fields:
        if number not in self._topics:
            if len(self._topics) > 500:
                self._topics.clear()
            _, self._topics[number] = await self._forum.topic(number, accept=(403, 404, 410))
        return self._topics[number]

    # -- private conversations -----------------------------------------------

    async def _private(self, place: Place, group: str) -> AsyncIterator[Batch]:
        since = place.bumped.get(group, place.since)
        changed: dict[int, tuple[int, int]] = {}
        for page in range(FIRST_PAGES):
            topics = _by_number(await self._forum.inbox(group, page))
            new = {
                number: (at, whole(topic.get("highest_post_number")) or 0)
                for number, topic in topics.items()
                if (at := moment(topic, "bumped_at") or moment(topic, "last_posted_at") or 0) >= since
            }
            if not new or new.keys() <= changed.keys():
                break
            changed |= new
        for number, (at, highest) in sorted(changed.items(), key=lambda one: (one[1][0], one[0])):
            last, read_to = place.private.pop(number, (0, 0))
            place.private[number] = (last, read_to)
            if read_to >= highest and last:
                continue
            status, topic = await self._forum.topic(number, accept=(403, 404, 410))
            fresh = sorted(one for one in stream(topic) if one > last)
            _, posts = await self._forum.posts(number, fresh, accept=(403, 404, 410)) if fresh else (status, [])
            found: list[Told] = []
            for post in sorted(posts, key=lambda one: whole(one.get("id")) or 0):
                if not self._early(place, post):
                    found += await self._message(place, post, topic, public=False)
            place.private[number] = (max([last, *fresh]), highest)
            place.bumped[group] = max(at, since)
            yield Batch(tuple(found), place.write())

    # -- a post --------------------------------------------------------------

    async def _message(self, place: Place, post: Fields, topic: Fields, *, public: bool) -> list[Told]:
        """A post as a message; none when it is no post that somebody wrote for us to read."""
        number, thread = whole(post.get("id")), whole(post.get("topic_id"))
        # 1 and 2 are what people wrote; 3 says what a moderator did, 4 is whispered among the staff.
        if number is None or thread is None or post.get("post_type", 1) not in (1, 2) or _removed(post):
            return []
        spot = whole(post.get("post_number")) or 1
        self._remember(thread, spot, number)
        answered = whole(post.get("reply_to_post_number"))
        answers = await self._number(thread, answered) if answered else None
        sender = self.identity(string(post, "username"), string(post, "name") or string(post, "display_username"))
        ours = sender is not None and sender.value == self.own.value
        said_, visible = self._text(post)
        files, blobs, lines = await self._files(post)
        whole_text = "\n\n".join(part for part in (said_, *lines) if part) or "[A post without words.]"
        place.watch.append(watch(number, thread, post, ours))
        title = string(post, "topic_title") or string(topic, "title")
        return [
            Inbound(
                str(number),
                self._clock(),
                sender,
                whole_text,
                "\n\n".join(part for part in (visible, *lines) if part) or whole_text,
                title,
                at=moment(post, "created_at"),
                to=() if public else self._members(topic, sender),
                conversation=str(thread),
                html=True,
                attachments=tuple(files),
                blobs=tuple(blobs),
                # The forum's own accounts (the system, its tutor) have numbers below nought.
                automatic="auto-reply" if (whole(post.get("user_id")) or 0) < 0 else None,
                answers=str(answers) if answers else None,
                link=f"{self._settings.url.rstrip('/')}/t/{thread}/{spot}",
                public=public,
                ours=ours,
            )
        ]

    @property
    def own(self) -> Identity:
        """The user whose key we have."""
        return Identity("discourse", f"{self._settings.user.lower()}@{self._settings.place}", self._settings.user)

    def identity(self, user: str, name: str = "") -> Identity | None:
        """Somebody on this forum."""
        return Identity("discourse", f"{user.lower()}@{self._settings.place}", name or user) if user else None

    def _members(self, topic: Fields, sender: Identity | None) -> tuple[Identity, ...]:
        members = tables(table(topic, "details"), "allowed_users")
        found = (self.identity(string(one, "username"), string(one, "name")) for one in members)
        return tuple(one for one in found if one and (sender is None or one.value != sender.value))

    def _remember(self, topic: int, place: int, number: int) -> None:
        if len(self._numbers) > 5_000:
            self._numbers.clear()
        self._numbers[topic, place] = number

    async def _number(self, topic: int, place: int) -> int | None:
        if (topic, place) not in self._numbers:
            found = await self._forum.number_of(topic, place)
            if found is None:
                return None
            self._remember(topic, place, found)
        return self._numbers[topic, place]

    def _text(self, post: Fields) -> tuple[str, str]:
        from channels.discourse.cooked import read

        found = read(string(post, "cooked"), self._settings.url)
        notice = table(post, "notice")
        # What the staff puts above a post is for readers, and so for us.
        above = read(string(notice, "cooked"), self._settings.url).text if notice.get("type") == "custom" else ""
        head = f"[Notice of the staff: {above}]\n\n" if above else ""
        if post.get("hidden") is True:
            head += "[The forum hides this post.]\n\n"
        if post.get("accepted_answer") is True:
            head += "[Accepted as the solution.]\n\n"
        return (head + found.text).strip(), (head + found.visible).strip()

    async def _files(self, post: Fields) -> tuple[list[Attachment], list[Blob], list[str]]:
        """The files of a post, and a line for each that is not fetched."""
        from channels.discourse.cooked import read
        from channels.kit.texts import file

        files: list[Attachment] = []
        blobs: list[Blob] = []
        lines: list[str] = []
        for count, one in enumerate(read(string(post, "cooked"), self._settings.url).files, 1):
            try:
                attachment, blob = file(one.name, "", await self._download(one, count), count)
            except ChannelError as error:
                lines.append(f"[{one.name} was not fetched: {error}. It is at {one.url}]")
            else:
                files.append(attachment)
                blobs.append(blob)
        return files, blobs, lines

    async def _download(self, one: Named, count: int) -> bytes:
        if count > FILES:
            raise Permanent(f"at most {FILES} files of a post are")
        settings = self._settings
        await self._forum.http.buckets.take("requests")
        return await self._forum.http.download(one.url, settings.file_limit, hosts=settings.file_hosts, proven=True)

    # -- what became of a post -----------------------------------------------

    def _edited(self, known: Watched, post: Fields) -> list[Signal]:
        if known.said == said(post) or _removed(post):
            return []
        known.said = said(post)
        whole_text, visible = self._text(post)
        # The text goes with the version, which stays the same in the first minutes.
        name = f"{known.number}/{whole(post.get('version')) or 1}/{known.said}"
        return [
            Edit(name, self._clock(), str(known.number), whole_text or "[A post without words.]", visible, html=True)
        ]

    async def _again(self, place: Place, known: Sequence[Watched]) -> list[Signal]:
        """What became of these posts of one topic since they were seen."""
        topic = known[0].topic
        status, posts = await self._forum.posts(topic, [one.number for one in known], accept=(403, 404, 410))
        if status != 200:
            gone = [one for one in place.watch if one.topic == topic]
            place.watch = [one for one in place.watch if one.topic != topic]
            # Gone (410) says that the topic was deleted; 403 and 404 may mean that we may not see it any more.
            return [self._removal(one) for one in gone] if status == 410 else []
        now = {whole(post.get("id")): post for post in posts}
        found: list[Signal] = []
        for one in known:
            post = now.get(one.number)
            if post is None:
                found += await self._missing(place, one)
            elif _removed(post):
                place.watch.remove(one)
                found.append(self._removal(one))
            else:
                found += self._edited(one, post)
                found += await self._marks(one, post)
        return found

    async def _missing(self, place: Place, one: Watched) -> list[Signal]:
        """A post is not where it was: it was moved, or deleted, or is not for us any more."""
        status, post = await self._forum.post(one.number)
        moved = whole(post.get("topic_id"))
        if status == 200 and moved and moved != one.topic and not _removed(post):
            one.topic = moved
            return []
        place.watch.remove(one)
        return [self._removal(one)] if status in (404, 410) or _removed(post) else []

    async def _marks(self, one: Watched, post: Fields) -> list[Signal]:
        found: list[Signal] = []
        if likes(post) > one.likes and one.ours:
            for person in await self._forum.liked_by(one.number):
                sender = self.identity(string(person, "username"), string(person, "name"))
                if sender:
                    name = f"like/{one.number}/{sender.value}"
                    found.append(Reaction(name, self._clock(), str(one.number), sender, "like"))
        one.likes = likes(post)
        if post.get("accepted_answer") is True and not one.solves:
            sender = await self._who_accepted(one.topic)
            if sender:
                found.append(Reaction(f"solution/{one.number}", self._clock(), str(one.number), sender, "solution"))
        one.solves = post.get("accepted_answer") is True
        return found

    async def _who_accepted(self, topic: int) -> Identity | None:
        """Who says that a post solves it: newer forums name them, else it is who asked."""
        _, found = await self._forum.topic(topic, accept=(403, 404, 410))
        asked = table(table(found, "details"), "created_by")
        accepted = table(found, "accepted_answer")
        if named := self.identity(string(accepted, "accepter_username"), string(accepted, "accepter_name")):
            return named
        return self.identity(string(asked, "username"), string(asked, "name"))

    def _removal(self, one: Watched) -> Removal:
        return Removal(f"{one.number}/removed", self._clock(), str(one.number))


def _by_number(topics: Sequence[Fields]) -> dict[int, Fields]:
    """Topics by their numbers."""
    return {number: topic for topic in topics if (number := whole(topic.get("id"))) is not None}


def _strings(given: Fields, name: str) -> set[str]:
    """The texts in a list."""
    found = given.get(name)
    return {one for one in found if isinstance(one, str)} if isinstance(found, list) else set()


def _removed(post: Fields) -> bool:
    return bool(post.get("deleted_at")) or post.get("user_deleted") is True


__all__ = ["Reading"]
