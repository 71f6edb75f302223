"""The forum's API: what is asked of it, and what its refusals mean.

Sources: docs.discourse.org (authentication by `Api-Key` and `Api-Username`; `/posts.json`, `/t/{id}.json`,
`/t/{id}/posts.json`, `/topics/private-messages/{username}.json`, `/uploads.json`) and the forum's own
description of its API limits ("Available settings for global rate limits and throttling": 60 requests a
minute for a key).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from channels.discourse.settings import Settings
from channels.kit.fields import number, table, tables
from channels.kit.http import Answer, Http, retry_after, segment, usual_words
from desk.capabilities import Rate
from desk.channel import AuthRequired, ChannelError, RateLimited, Retry, WindowClosed

RATES = (Rate("requests", 60, 60.0),)

TOGETHER = 20
"""So many posts of a topic are asked for at once; as many as the forum's own pages have."""

Fields = Mapping[str, Any]
"""Something out of an answer; whatever stands in it may be missing or of another type."""

_NEXT_STEPS = (
    (r"too similar", "change what it says, or wait some minutes"),
    (r"too short|at least \d+ char", "write a little more"),
    (r"too long|maximum is \d+", "shorten it"),
    (r"closed", "answer in private, or ask a moderator to open the topic"),
    (r"archived", "answer in private"),
    (r"not authorized|authorized extensions", "send another kind of file, or a link"),
)


class Forum:
    """One user's way to a forum."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.http = Http(settings, login=self._login, rates=RATES, words=said, judge=_judge)

    def _login(self) -> Mapping[str, str]:
        return {"Api-Key": self.settings.secret(self.settings.user).reveal(), "Api-Username": self.settings.user}

    async def get(self, path: str, params: Mapping[str, Any] | None = None, accept: Sequence[int] = ()) -> Answer:
        """Ask for something."""
        return await self.http.get(
            path, params, bucket="requests", accept=accept, headers={"Accept": "application/json"}
        )

    async def latest(self, before: int | None = None) -> list[Fields]:
        """A page of public posts, the newest first; only those with a number below `before`."""
        found = (await self.get("/posts.json", {"before": before} if before else None)).fields
        if not isinstance(found.get("latest_posts"), list):
            raise Retry("the forum answered with something else than its posts: is the url right?")
        return tables(found, "latest_posts")

    async def topic(self, number: int | str, accept: Sequence[int] = ()) -> tuple[int, Fields]:
        """What a topic is: its title, tags, state, and the numbers of all its posts; and the status."""
        answer = await self.get(f"/t/{segment(number)}.json", accept=accept)
        return answer.status, answer.fields if answer.status == 200 else {}

    async def posts(self, topic: int, numbers: Sequence[int], accept: Sequence[int] = ()) -> tuple[int, list[Fields]]:
        """Posts of a topic by their numbers, those that are (still) there; and the status."""
        found: list[Fields] = []
        for begin in range(0, len(numbers), TOGETHER):
            params = {"post_ids[]": list(numbers[begin : begin + TOGETHER]), "include_raw": "true"}
            answer = await self.get(f"/t/{topic}/posts.json", params, accept)
            if answer.status != 200:
                return answer.status, []
            found += tables(table(answer.fields, "post_stream"), "posts")
        return 200, found

    async def post(self, number: int) -> tuple[int, Fields]:
        """One post, wherever it stands now; and the status."""
        answer = await self.get(f"/posts/{number}.json", accept=(403, 404, 410))
        return answer.status, answer.fields if answer.status == 200 else {}

    async def number_of(self, topic: int, place: int) -> int | None:
        """The number of the post that stands at `place` in a topic; None when it is gone."""
        answer = await self.get(f"/posts/by_number/{topic}/{place}.json", accept=(403, 404, 410))
        return whole(answer.fields.get("id")) if answer.status == 200 else None

    async def liked_by(self, post: int) -> list[Fields]:
        """Who likes a post."""
        answer = await self.get("/post_action_users.json", {"id": post, "post_action_type_id": 2}, accept=(403, 404))
        return tables(answer.fields, "post_action_users") if answer.status == 200 else []

    async def inbox(self, group: str, page: int) -> list[Fields]:
        """A page of private conversations by their last change, the user's own or those of a group."""
        user = segment(self.settings.user)
        path = (
            f"/topics/private-messages-group/{user}/{segment(group)}" if group else f"/topics/private-messages/{user}"
        )
        found = (await self.get(f"{path}.json", {"page": page} if page else None)).fields
        return tables(table(found, "topic_list"), "topics")

    async def close(self) -> None:
        """Hang up."""
        with suppress(Exception):
            await self.http.close()


def said(answer: Answer) -> str:
    """The forum's own sentences, and what to do about them."""
    with suppress(ChannelError):
        errors = answer.fields.get("errors")
        if isinstance(errors, list) and all(isinstance(one, str) for one in errors) and errors:
            words = " ".join(" ".join(errors).split())[:400]
            step = next((step for pattern, step in _NEXT_STEPS if re.search(pattern, words, re.I)), "")
            return f"{words.rstrip('.')}: {step}" if step else words
    return usual_words(answer)


def _judge(answer: Answer) -> ChannelError | None:
    words = said(answer)
    match answer.status:
        case 403 if re.search(r"\bAPI\b", words):
            # The forum says 403, and not 401, to a key that it does not know (any more).
            return AuthRequired(f"the forum refuses the key: {words}; make a new one under Admin, API")
        case 403 if re.search(r"suspend|silence", words, re.I):
            return AuthRequired(f"the forum says: {words}")
        case 429:
            with suppress(ChannelError):
                wait = table(answer.fields, "extras").get("wait_seconds")
                if isinstance(wait, int | float) and not isinstance(wait, bool):
                    return RateLimited(
                        f"the forum asks for patience: {words}", max(float(wait), retry_after(answer) or 0.0)
                    )
        case 403 | 422 if re.search(r"\b(closed|archived)\b", words, re.I):
            return WindowClosed(f"the forum says: {words}")
    return None


def whole(value: object) -> int | None:
    """A number that names something, or None."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
        return int(value)
    return number({"value": value}, "value")


def stream(topic: Fields) -> list[int]:
    """The numbers of all posts of a topic, in its order."""
    found = table(topic, "post_stream").get("stream")
    return [number for one in found if (number := whole(one)) is not None] if isinstance(found, list) else []


__all__ = ["RATES", "Fields", "Forum", "said", "stream", "whole"]
