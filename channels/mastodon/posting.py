"""The way out: posts that answer, public as what they answer is, or direct to the people in them.

The server keeps an Idempotency-Key for an hour ("Post a new status"): what breaks off is sent again under
the same one. What is sent later than that looks first whether it is there.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
from collections.abc import Callable
from typing import Any

from channels.kit.fields import moment, string
from channels.kit.http import segment
from channels.kit.texts import check_files
from channels.mastodon.server import Fields, Server
from channels.mastodon.statuses import plain, warned
from desk.capabilities import Capabilities
from desk.channel import Outgoing, Part, Permanent, Phase, Sent
from desk.lengths import SHORTENED, length, split

KEY_KEPT_MS = 50 * 60_000
"""For so long the server surely knows our key; it promises an hour."""

CLOCKS_MS = 5 * 60_000
"""So far two clocks may be apart."""


_NAMED = re.compile(r"(?<![\w/@])@\w+(?:[.-]\w+)*(?:@\w+(?:[.-]\w+)*)?")


def render(draft: Outgoing, can: Capabilities) -> list[Part]:
    """The posts that a draft becomes: each names whom it is for, the files go with the last."""
    files = check_files(draft, can)
    warning, text = warned(plain(draft.text))
    people = [f"@{one.value}" for one in draft.to if one.kind == "mastodon"]
    direct = draft.private or not draft.public
    if direct and not people:
        raise Permanent("a direct message needs somebody to go to: name an account on Mastodon")
    limit = can.text_limit or 500
    if direct:
        text = _unnamed(people, text)
    # Each post needs the name, or nobody is told of it.
    room = limit - length(" ".join(people) + " ", SHORTENED) - length(warning, SHORTENED)
    if room < limit // 4:
        raise Permanent("names and warning leave no room for the text: leave some out")
    texts = [_with(people, text)]
    if length(texts[0], SHORTENED) + length(warning, SHORTENED) > limit:
        texts = [_with(people, piece) for piece in split(text, room, SHORTENED)]
    parts: list[Part] = []
    for number, one in enumerate(texts):
        content: dict[str, Any] = {
            "text": one,
            "warning": warning,
            "answers": draft.answers or draft.conversation,
            "direct": direct,
            "at": draft.at,
            "message": hashlib.sha256(f"{draft.message_id}/{draft.ticket}".encode()).hexdigest()[:24],
            "number": number,
            "files": [
                [file.name, file.content_type, base64.b64encode(data).decode()]
                for file, data in (files if number == len(texts) - 1 else ())
            ],
        }
        data = json.dumps(content, ensure_ascii=False, sort_keys=True).encode("utf-8", "replace")
        parts.append(Part(data, tuple(people), draft.automatic))
    return parts


def _with(people: list[str], text: str) -> str:
    """`text` behind the names of those of `people` who are not in it."""
    missing = [one for one in people if not re.search(rf"{re.escape(one)}(?![.-]?\w)", text, re.I)]
    return f"{' '.join(missing)} {text}".strip()


def _unnamed(people: list[str], text: str) -> str:
    """`text` that names nobody but `people`: whoever is named in a direct message can read it."""
    ours = {one.lower() for one in people}
    return _NAMED.sub(lambda m: m[0] if m[0].lower() in ours else m[0][1:], text)


class Posting:
    """The way out of one account."""

    def __init__(self, server: Server, clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> None:
        self._server, self._clock = server, clock
        self._before: dict[tuple[str, int], str] = {}

    async def send(self, part: Part, key: str, phase: Phase) -> Sent:
        """Post `part`; the same `key` posts it once."""
        content = json.loads(part.data)
        message, number = content["message"], content["number"]
        # A text of several posts is a thread of its own; after a restart each answers the customer.
        answers = self._before.get((message, number - 1)) or content["answers"]
        answered = await self._answered(answers) if answers else {}
        body = self._body(content, answers, answered)
        await self._fits(body, content["files"])
        late = self._clock() - content["at"] > KEY_KEPT_MS
        made = await self._there(body, content["at"]) if late else None
        if made is None:
            body["media_ids"] = [await self._server.upload(n, t, base64.b64decode(d)) for n, t, d in content["files"]]
            name = hashlib.sha256(f"{message}/{number}/{key}".encode()).hexdigest()[:40]
            answer = await self._server.http.ask(
                "POST", "/api/v1/statuses", json=body, headers={"Idempotency-Key": name}, phase=phase, idempotent=True,
                bucket="requests",
            )  # fmt: skip
            self._server.heed(answer)
            made = string(answer.fields, "id") or None
        if len(self._before) > 200:
            self._before.clear()
        if made:
            self._before[message, number] = made
        return Sent(made, conversation=None if answers else made)

    async def _answered(self, name: str) -> Fields:
        status, found = await self._server.status(name)
        if status != 200:
            raise Permanent("the post that this answers is gone, or hidden from us: write to its author without it")
        return found

    def _body(self, content: Fields, answers: str | None, answered: Fields) -> dict[str, Any]:
        shown = string(answered, "visibility") or "public"
        warning = content["warning"]
        kept = string(answered, "spoiler_text")
        limit = self._server.settings.characters
        if not warning and kept and length(content["text"] + kept, SHORTENED) <= limit:
            warning = kept  # who answers behind a warning leaves it up
        # Posts for followers are not for ours: what is not public goes to the people in it.
        body = {
            "status": content["text"],
            "visibility": shown if not content["direct"] and shown in ("public", "unlisted") else "direct",
        }
        if not answers and not content["direct"]:
            body["visibility"] = "public"
        return {
            **body,
            **({"in_reply_to_id": answers} if answers else {}),
            **({"spoiler_text": warning} if warning else {}),
        }

    async def _fits(self, body: Fields, files: list[list[str]]) -> None:
        """What the server says that it takes; asked before anything goes out."""
        limits = await self._server.limits()
        size = length(string(body, "status") + string(body, "spoiler_text"), SHORTENED)
        if limits.characters is not None and size > limits.characters:
            raise Permanent(
                f"it has {size:,} characters, and the server takes {limits.characters:,}: "
                f"set characters = {limits.characters} for this account"
            )
        if limits.files is not None and len(files) > limits.files:
            raise Permanent(f"{len(files)} files, and the server takes at most {limits.files} with one post")
        for name, content_type, data in files:
            if limits.types and content_type not in limits.types:
                raise Permanent(f"{name} is {content_type}, which the server does not take: send a link, or a picture")
            most = limits.picture if content_type.startswith("image/") else limits.film
            if most is not None and len(data) * 3 // 4 - data.count("=") > most:
                raise Permanent(f"{name} is larger than the {most:,} bytes that the server takes")

    async def _there(self, body: Fields, at: int) -> str | None:
        """The post, if it went out in an attempt that nobody knows the end of."""
        me = (await self._server.me()).number
        page, _ = await self._server.page(
            f"/api/v1/accounts/{segment(me)}/statuses", {"limit": 40, "exclude_reblogs": "true"}
        )
        for one in page:
            name = string(one, "id")
            recent = (moment(one, "created_at") or 0) >= at - CLOCKS_MS
            if name and recent and string(one, "in_reply_to_id") == string(body, "in_reply_to_id"):
                source = await self._server.get(f"/api/v1/statuses/{segment(name)}/source", accept=(403, 404))
                if source.status == 200 and string(source.fields, "text").strip() == string(body, "status").strip():
                    return name
        return None


__all__ = ["Posting", "render"]
