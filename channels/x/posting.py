"""The way out: posts that answer, and direct messages.

Sources: docs.x.com, "Create or edit Post" (reply.in_reply_to_tweet_id, media.media_ids), "Create a DM message"
(in a conversation, or with a participant; one file), "Media upload" (initialize, append, finalize, status) and
"Media best practices" (pictures 5 MB, GIFs 15 MB; four pictures, or one GIF or film in a post). X takes no key
that names a post: what was cut off stays unknown until it is seen there.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
from typing import Any

from channels.kit.fields import number, string, table
from channels.kit.http import segment
from channels.kit.texts import check_files, pieces
from channels.x.api import MESSAGES_OUT, POSTS, UPLOADS, Api
from channels.x.posts import KIND
from channels.x.settings import MIB
from channels.x.spending import Spending
from desk.capabilities import Capabilities
from desk.channel import Outgoing, Part, Permanent, Phase, Retry, Sent
from desk.model import Attachment

MESSAGE_CHARACTERS = 10_000
PICTURE, GIF = 5 * MIB, 15 * MIB
TYPES = ("image/jpeg", "image/png", "image/webp", "image/gif", "video/mp4", "video/quicktime")
CHUNK = 4 * MIB
PATIENCE_S = 120.0
"""How long a film is waited for that X is still working on."""

_LINK = re.compile(r"https?://", re.I)


def render(draft: Outgoing, can: Capabilities) -> list[Part]:
    """The posts, or the messages, that a draft becomes."""
    files = check_files(draft, can)
    for file, data in files:
        most = GIF if file.content_type == "image/gif" else PICTURE
        if file.content_type.startswith("image/") and len(data) > most:
            raise Permanent(f"{file.name} has {len(data):,} bytes, and X takes pictures of up to {most:,}")
    texts = [one for one in pieces(draft, can) if one]
    if not texts and not files:
        raise Permanent("there is nothing to send: write something")
    if draft.public and not draft.private:
        return _posts(draft, texts, files)
    return _messages(draft, texts, files)


def _posts(draft: Outgoing, texts: list[str], files: Any) -> list[Part]:
    if len(files) > 1 and any(
        not f.content_type.startswith("image/") or f.content_type == "image/gif" for f, _ in files
    ):
        raise Permanent("a post takes up to four pictures, or one film or GIF alone: leave some out")
    # A thread has no last word to wait for: each post answers the one before it.
    answers = draft.answers or draft.conversation
    head = {"what": "post", "answers": answers, "message": draft.message_id}
    texts = texts or [""]
    return [
        _part({**head, "number": at, "text": text}, list(files) if at == len(texts) - 1 else [], draft)
        for at, text in enumerate(texts)
    ]


def _messages(draft: Outgoing, texts: list[str], files: Any) -> list[Part]:
    where: dict[str, Any] = {"what": "message"}
    if draft.conversation and draft.conversation.startswith("dm/"):
        where["conversation"] = draft.conversation.removeprefix("dm/")
    else:
        to = next((one.value for one in draft.to if one.kind == KIND and one.value.isdigit()), "")
        if not to:
            raise Permanent("a direct message needs somebody on X to go to: answer a post or a message of theirs")
        where["to"] = to
    said = [(text, []) for text in texts[:-1]] + [(texts[-1] if texts else "", list(files[:1]))]
    said += [("", [one]) for one in files[1:]]
    return [_part({**where, "text": text}, carried, draft) for text, carried in said]


def _part(content: dict[str, Any], files: list[tuple[Attachment, bytes]], draft: Outgoing) -> Part:
    carried = [[file.name, file.content_type, base64.b64encode(data).decode()] for file, data in files]
    data = json.dumps({**content, "files": carried}, sort_keys=True, ensure_ascii=False).encode("utf-8", "replace")
    return Part(data, tuple(one.value for one in draft.to if one.kind == KIND), draft.automatic)


class Posting:
    """The way out of one account."""

    def __init__(self, api: Api, spending: Spending) -> None:
        self._api, self._spending = api, spending
        self._before: dict[tuple[str, int], str] = {}

    async def send(self, part: Part, phase: Phase) -> Sent:
        """Post `part`, or send it as a message."""
        content = json.loads(part.data)
        prices = self._api.settings
        if content["what"] == "message":
            price = prices.cost_message
        else:
            price = prices.cost_link_post if _LINK.search(content["text"]) else prices.cost_post
        self._spending.may_send(price)
        category = "dm" if content["what"] == "message" else "tweet"
        media = [await self._upload(n, t, base64.b64decode(d), category) for n, t, d in content["files"]]
        send = self._message if content["what"] == "message" else self._post
        sent = await send(content, media, phase)
        self._spending.pay(price)
        return sent

    async def _post(self, content: dict[str, Any], media: list[str], phase: Phase) -> Sent:
        message, at = content["message"], content["number"]
        # After a restart the rest of a thread answers the customer.
        answers = self._before.get((message, at - 1)) or content["answers"]
        body = {
            **({"text": content["text"]} if content["text"] else {}),
            **({"reply": {"in_reply_to_tweet_id": answers}} if answers else {}),
            **({"media": {"media_ids": media}} if media else {}),
        }
        found = table(await self._api.post("/2/tweets", POSTS, json=body, phase=phase), "data")
        made = string(found, "id") or None
        if len(self._before) > 200:
            self._before.clear()
        if made:
            self._before[message, at] = made
        return Sent(made, conversation=None if answers else made)

    async def _message(self, content: dict[str, Any], media: list[str], phase: Phase) -> Sent:
        began = "conversation" not in content
        path = f"with/{segment(content['to'])}" if began else segment(content["conversation"])
        body = {
            **({"text": content["text"]} if content["text"] else {}),
            **({"attachments": [{"media_id": one} for one in media]} if media else {}),
        }
        found = table(
            await self._api.post(f"/2/dm_conversations/{path}/messages", MESSAGES_OUT, json=body, phase=phase), "data"
        )
        event, conversation = string(found, "dm_event_id"), string(found, "dm_conversation_id")
        return Sent(
            f"dm/{event}" if event else None, conversation=f"dm/{conversation}" if began and conversation else None
        )

    # -- files ----------------------------------------------------------------

    async def _upload(self, name: str, content_type: str, data: bytes, category: str) -> str:
        """Bring a file to X and wait until it can be used; its number."""
        kind = "gif" if content_type == "image/gif" else content_type.partition("/")[0]
        begun = {"media_type": content_type, "total_bytes": len(data), "media_category": f"{category}_{kind}"}
        found = table(await self._api.post("/2/media/upload/initialize", UPLOADS, json=begun), "data")
        media = string(found, "id")
        if not media:
            raise Retry(f"X took {name} and does not say as what")
        for at, begin in enumerate(range(0, len(data), CHUNK)):
            await self._api.post(
                f"/2/media/upload/{segment(media)}/append", UPLOADS,
                form={"segment_index": str(at)}, files={"media": (name, data[begin : begin + CHUNK], content_type)},
            )  # fmt: skip
        found = table(await self._api.post(f"/2/media/upload/{segment(media)}/finalize", UPLOADS), "data")
        waited = 0.0
        while (state := string(working := table(found, "processing_info"), "state")) in ("pending", "in_progress"):
            pause = float(max(1, number(working, "check_after_secs") or 1))
            if (waited := waited + pause) > PATIENCE_S:
                raise Retry(f"X is still working on {name}", 60.0)
            await asyncio.sleep(pause)
            found = table(
                await self._api.get("/2/media/upload", {"command": "STATUS", "media_id": media}, UPLOADS), "data"
            )
        if state == "failed":
            raise Permanent(f"X cannot use {name}: send it as another kind of file, or a link")
        return media


__all__ = ["MESSAGE_CHARACTERS", "TYPES", "Posting", "render"]
