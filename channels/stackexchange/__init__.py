"""Stack Exchange: questions with your tags on one of its sites, what is answered and said to them; read, never written.

An answer is written on the site, behind the link that every message has.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from channels.kit.fields import number, string
from channels.kit.http import Service
from channels.stackexchange import posts
from channels.stackexchange.api import PAGE, RATES, Api
from desk.capabilities import Capabilities
from desk.channel import Batch, Edit, Item
from desk.model import Identity

DAY_S = 86_400
OVERLAP_S = 600
"""Comments are asked for anew for so long: they can be changed for five minutes."""

PAGES = 25
"""Further pages are only for who has a key ("Paging")."""

FOLLOWED = 300
SPARE = 30
"""With fewer requests left for the day, questions and answers have them all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A site: `[channels.NAME]` with kind = "stackexchange"."""

    # The site, as the API calls it. Required.
    site: str
    # Questions with any of these tags come in; "a;b" asks for both on one question. Required.
    tags: tuple[str, ...]
    # The key of an application (stackapps.com); it is no secret. Without one there are 300 requests a day.
    key: str = ""
    # The number of your own account on the site; what it writes is ours. 0 = none.
    user_id: int = 0
    # At the first start, questions of so many days come in.
    first_d: int = 1
    # Follow the comments of a question for so many days after anything happened to it.
    follow_d: int = 14
    # Where the API is.
    url: str = "https://api.stackexchange.com/2.3"
    # A file of certificates to trust instead of the system's.
    ca_file: str = ""
    # Leave a server that says nothing for so many seconds.
    timeout_s: float = 30.0
    # Seconds between two looks.
    poll_s: float = 600.0

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9.-]{2,60}", self.site):
            raise ValueError(f'site = "{self.site}" is none: write it as in its address, for example "stackoverflow"')
        if not self.tags or not all(self.tags):
            raise ValueError("tags is empty: name at least one")
        if not 0 <= self.first_d <= 365 or not 1 <= self.follow_d <= 365:
            raise ValueError("first_d must be between 0 and 365, follow_d between 1 and 365")
        if not 60 <= self.poll_s <= DAY_S:
            raise ValueError("poll_s must be between 60 and 86400: Stack Exchange forbids the same question more often")
        self.service()

    def service(self) -> Service:
        """The API as a service."""
        return Service(url=self.url, ca_file=self.ca_file, timeout_s=self.timeout_s)


class Cursor:
    """What was read: since when each tag, which posts (of which question, saying what), which comments lately.

    `due` are questions whose answers are still to be read. Times are Unix seconds.
    """

    def __init__(self, text: str | None, begun: int) -> None:
        found: dict[str, Any] = json.loads(text) if text else {}
        self.begun: int = found.get("begun", begun)
        self.since: dict[str, int] = found.get("since", {})
        self.links: dict[str, list[Any]] = found.get("links", {})
        self.posts: dict[str, list[Any]] = found.get("posts", {})
        self.due: list[int] = found.get("due", [])
        self.comments: dict[str, list[Any]] = found.get("comments", {})
        self.commented: int = found.get("commented", self.begun)

    def text(self) -> str:
        """The cursor as it is kept."""
        return json.dumps(vars(self))

    def forget(self, before: int) -> None:
        """Leave out the questions to which nothing happened since `before`, with all that hangs on them."""
        newest = sorted(self.links, key=lambda asked: self.links[asked][1], reverse=True)
        kept = {asked for asked in newest[:FOLLOWED] if self.links[asked][1] >= before}
        self.links = {asked: value for asked, value in self.links.items() if asked in kept}
        self.posts = {post: value for post, value in self.posts.items() if str(value[0]) in kept}
        self.comments = {own: value for own, value in self.comments.items() if value[1] > self.commented - OVERLAP_S}


class StackExchange:
    """One site. `clock` gives Unix seconds."""

    capabilities = Capabilities(
        kinds=("stackexchange",), public=True, threads=True, edits=True, sends=False, rates=RATES
    )

    def __init__(self, name: str, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self.name = name
        self._settings, self._clock = settings, clock
        self.api = Api(settings.service(), settings.site, settings.key)

    @property
    def addresses(self) -> Sequence[Identity]:
        """Your own account there, where it is named."""
        own = self._settings.user_id or self.name
        return [Identity("stackexchange", f"{own}@{self._settings.site}", self._settings.site)]

    async def poll(self, cursor: str | None) -> AsyncIterator[Batch]:
        """New questions, then their new answers, then the comments on all that is followed; and what was edited."""
        now = int(self._clock())
        kept = Cursor(cursor, now - self._settings.first_d * DAY_S)
        before = cursor
        for stage in (self._questions, self._answers, self._comments):
            async for items in stage(kept):
                before = kept.text()
                yield Batch(tuple(items), before)
        kept.forget(now - self._settings.follow_d * DAY_S)
        if (text := kept.text()) != before:
            yield Batch((), text)

    async def _questions(self, kept: Cursor) -> AsyncIterator[list[Item]]:
        """What happened to questions: the API tells of answers and edits by the question's own activity."""
        for tag in self._settings.tags:
            page = 1
            for _ in range(PAGES):
                since = kept.since.get(tag, kept.begun)
                found = await self.api.ask(
                    "/questions", tagged=tag, sort="activity", order="asc", min=since, fromdate=kept.begun,
                    pagesize=PAGE, page=page, filter="withbody",
                )  # fmt: skip
                items = await asyncio.to_thread(_listed, self._asked, kept, found.items)
                last = max((number(post, "last_activity_date") or 0 for post in found.items), default=since)
                # From where it stands now, not page by page: what is touched meanwhile moves to the end.
                page = 1 if last > since else page + 1
                kept.since[tag] = max(last, since)
                if items:
                    yield items
                if not found.more:
                    break

    def _asked(self, kept: Cursor, found: Sequence[posts.Post]) -> Iterator[Item]:
        now = self._now()
        for post in found:
            own, active = number(post, "question_id"), number(post, "last_activity_date") or 0
            if own is None:
                continue
            if kept.links.get(str(own), ["", -1])[1] == active:
                continue
            kept.links[str(own)] = [string(post, "link"), active]
            if own not in kept.due and number(post, "answer_count") != 0:
                kept.due.append(own)
            if self._is_new(kept, f"q{own}", own, post):
                yield posts.question(post, now, self._settings.site, self._settings.user_id)
            else:
                yield from self._edited(kept, f"q{own}", post)

    async def _answers(self, kept: Cursor) -> AsyncIterator[list[Item]]:
        """The answers to questions to which something happened."""
        while kept.due:
            ids = kept.due[:PAGE]
            items: list[Item] = []
            for page in range(1, PAGES + 1):
                found = await self.api.ask(
                    "/questions/{ids}/answers", ids, sort="creation", order="asc", pagesize=PAGE, page=page,
                    filter="withbody",
                )  # fmt: skip
                items += await asyncio.to_thread(_listed, self._answered, kept, found.items)
                if not found.more:
                    break
            kept.due = kept.due[len(ids) :]
            yield items

    def _answered(self, kept: Cursor, found: Sequence[posts.Post]) -> Iterator[Item]:
        now = self._now()
        for post in found:
            own, asked = number(post, "answer_id"), number(post, "question_id")
            if own is None or asked is None:
                continue
            link = kept.links.get(str(asked), [""])[0]
            if self._is_new(kept, f"a{own}", asked, post):
                yield posts.answer(post, now, self._settings.site, self._settings.user_id, link)
            else:
                yield from self._edited(kept, f"a{own}", post)

    async def _comments(self, kept: Cursor) -> AsyncIterator[list[Item]]:
        """What was said about questions and answers that are followed; a question does not tell of it by itself."""
        if self.api.left is not None and self.api.left < SPARE:
            return
        begun = int(self._clock())
        old = {post: value for post, value in kept.posts.items() if len(value) > 2}
        fresh = {post: value for post, value in kept.posts.items() if len(value) == 2}
        items: list[Item] = []
        for some, since in ((fresh, kept.begun), (old, kept.commented - OVERLAP_S)):
            names = sorted(some, key=lambda post: int(post[1:]), reverse=True)[:FOLLOWED]
            for at in range(0, len(names), PAGE):
                ids = [int(name[1:]) for name in names[at : at + PAGE]]
                for page in range(1, PAGES + 1):
                    found = await self.api.ask(
                        "/posts/{ids}/comments", ids, sort="creation", order="asc", fromdate=since, pagesize=PAGE,
                        page=page, filter="withbody",
                    )  # fmt: skip
                    items += await asyncio.to_thread(_listed, self._said, kept, found.items)
                    if not found.more:
                        break
        for value in fresh.values():
            value.append(True)  # its first comments are read
        kept.commented = begun
        if items:
            yield items

    def _said(self, kept: Cursor, found: Sequence[posts.Post]) -> Iterator[Item]:
        now, settings = self._now(), self._settings
        for post in found:
            own, below = number(post, "comment_id"), number(post, "post_id")
            on = next((name for name in (f"q{below}", f"a{below}") if name in kept.posts), None)
            if own is None or on is None:
                continue
            mark, known = posts.mark(post), kept.comments.get(str(own))
            kept.comments[str(own)] = [mark, number(post, "creation_date") or 0]
            if known is None:
                asked = kept.posts[on][0]
                link = kept.links.get(str(asked), [""])[0]
                yield posts.comment(post, now, settings.site, settings.user_id, asked, on, link)
            elif known[0] != mark:
                yield posts.edit(f"c{own}", mark, post, now)

    def _is_new(self, kept: Cursor, name: str, asked: int, post: posts.Post) -> bool:
        """Whether a post is seen for the first time; from now on it is followed."""
        if name in kept.posts:
            return False
        kept.posts[name] = [asked, posts.mark(post)]
        return True

    def _edited(self, kept: Cursor, name: str, post: posts.Post) -> Iterator[Edit]:
        known, mark = kept.posts[name], posts.mark(post)
        if known[1] != mark:
            known[1] = mark
            yield posts.edit(name, f"{number(post, 'last_edit_date') or 0}/{mark}", post, self._now())

    def _now(self) -> int:
        return int(self._clock() * 1000)

    async def confirm(self, batch: Batch) -> None:
        """Nobody to tell."""

    async def check(self) -> Sequence[str]:
        """Ask for the site and for what is left of the day's requests."""
        found = await self.api.ask("/info")
        count = number(found.items[0], "total_questions") if found.items else None
        key = "with your key" if self._settings.key else "without a key"
        return [
            f"{self._settings.site} has {count or 0:,} questions",
            f"{self.api.left} of {self.api.most} requests are left today, {key}",
        ]

    async def close(self) -> None:
        """Hang up."""
        with suppress(Exception):
            await self.api.close()


def _listed(
    told: Callable[[Cursor, Sequence[posts.Post]], Iterator[Item]], kept: Cursor, found: Sequence[posts.Post]
) -> list[Item]:
    return list(told(kept, found))


def open(name: str, settings: Settings) -> StackExchange:
    """The site `name`, not yet asked."""
    return StackExchange(name, settings)


__all__ = ["Settings", "StackExchange", "open"]
