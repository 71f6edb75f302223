"""The way out: a post in a topic, an answer in a private conversation, or a new private message.

A forum takes no idempotency key for posts. A connection that breaks off leaves open whether the post was
made, and the forum is asked: a post of ours with the same source, behind the place where the topic ended
before, is the one that was sent. A new private message carries an `external_id` of ours, by which the forum
finds it and of which it takes no second (docs.discourse.org: "Creates a new topic, a new post, or a private
message", "Get topic by external_id").
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import Any

from channels.discourse.forum import TOGETHER, Fields, Forum, stream, whole
from channels.kit.fields import string, table
from channels.kit.texts import check_files, pieces
from desk.capabilities import Capabilities
from desk.channel import ChannelError, Outgoing, Part, Permanent, Phase, Retry, Sent, Unknown, WindowClosed

_BEFORE = re.compile(r"^(?:re|aw|fwd?)\s*:\s*", re.I)
_MARKS = re.compile(r"[\[\]()|\\]")


def render(draft: Outgoing, can: Capabilities) -> list[Part]:
    """The posts that a draft becomes; its files go with the last."""
    files = check_files(draft, can)
    begins = draft.private or draft.conversation is None
    if draft.public and not draft.private and draft.conversation is None:
        raise Permanent("no new public topic is begun from here: open one on the forum, and answer in it")
    to = [identity.value.rpartition("@")[0] for identity in draft.to if identity.kind == "discourse"]
    if begins and not to:
        raise Permanent("a private message needs somebody of this forum to go to")
    parts: list[Part] = []
    texts = pieces(draft, can)
    for number, raw in enumerate(texts):
        last = number == len(texts) - 1
        mark = hashlib.sha256(f"{draft.message_id}/{draft.ticket}/{draft.at}/{number}".encode()).hexdigest()[:32]
        content: dict[str, Any] = {
            "topic": None if begins else draft.conversation,
            "answers": None if begins or number else draft.answers,
            "to": to if begins else [],
            "title": _BEFORE.sub("", draft.subject).strip() or "An answer to your post",
            "raw": raw,
            "mark": mark,
            "files": [
                [one.name, one.content_type, base64.b64encode(data).decode()] for one, data in (files if last else ())
            ],
        }
        data = json.dumps(content, ensure_ascii=False, sort_keys=True).encode("utf-8", "replace")
        parts.append(Part(data, tuple(to), draft.automatic))
    return parts


async def send(forum: Forum, part: Part, phase: Phase) -> Sent:
    """Make the post of `part`."""
    content = json.loads(part.data)
    body, ended = await _addressed(forum, content)
    if isinstance(body, Sent):
        return body
    references = [await _upload(forum, *one) for one in content["files"]]
    body["raw"] = "\n\n".join(one for one in (content["raw"], "\n".join(references)) if one)
    try:
        answer = await forum.http.ask(
            "POST", "/posts.json", json=body, phase=phase, bucket="requests", headers={"Accept": "application/json"}
        )
    except Unknown as error:
        if found := await _found(forum, body, content, ended):
            return found
        raise Unknown(f"{error}; look at the topic before you send it again") from None
    try:
        made = answer.fields
    except Retry:
        raise Unknown("the forum took it, and nobody can read what it says: look at the topic") from None
    if made.get("action") == "enqueued" or made.get("pending_post"):
        raise Unknown("the forum holds it until a moderator approves it: it appears then, do not send it again")
    number, topic = whole(made.get("id")), whole(made.get("topic_id"))
    if number is None:
        raise Unknown("the forum took it and does not say under which number: look at the topic")
    return Sent(str(number), conversation=str(topic) if topic else content["topic"])


async def _addressed(forum: Forum, content: Fields) -> tuple[dict[str, Any] | Sent, int]:
    """Where it goes, and at which place the topic ends now; or what came of it, if it is there already."""
    if content["topic"] is None:
        if found := await _begun(forum, content["mark"]):
            return found, 0
        return {
            "title": content["title"],
            "archetype": "private_message",
            "target_recipients": ",".join(content["to"]),
            "external_id": content["mark"],
        }, 0
    status, topic = await forum.topic(content["topic"], accept=(403, 404, 410))
    if status != 200:
        raise Permanent(f"the topic is gone, or {forum.settings.user} may not read it any more: answer in private")
    if (topic.get("closed") is True or topic.get("archived") is True) and (
        table(topic, "details").get("can_create_post") is not True
    ):
        raise WindowClosed("the topic is closed: answer in private, or ask a moderator to open it")
    body: dict[str, Any] = {"topic_id": whole(content["topic"])}
    if content["answers"] and (answered := whole(content["answers"])) is not None:
        _, post = await forum.post(answered)
        place = whole(post.get("post_number"))
        if place is not None and whole(post.get("topic_id")) == body["topic_id"]:
            body["reply_to_post_number"] = place
    return body, whole(topic.get("highest_post_number")) or 0


async def _begun(forum: Forum, mark: str) -> Sent | None:
    """The private message that was begun under our mark; the forum answers with the way to it."""
    answer = await forum.get(f"/t/external_id/{mark}.json", accept=(301, 302, 404))
    found = re.search(r"/t/(?:[^/]+/)?(\d+)", answer.headers.get("location", ""))
    number = int(found[1]) if found else whole(answer.fields.get("id")) if answer.status == 200 else None
    if number is None:
        return None
    _, topic = await forum.topic(number)
    first = next(iter(stream(topic)), None)
    return Sent(str(first) if first else None, conversation=str(number))


async def _found(forum: Forum, body: Fields, content: Fields, ended: int) -> Sent | None:
    """The post that may have been made, if it was; a forum that says nothing proves nothing."""
    try:
        if content["topic"] is None:
            return await _begun(forum, content["mark"])
        number = body["topic_id"]
        _, topic = await forum.topic(number)
        _, posts = await forum.posts(number, stream(topic)[-TOGETHER:])
    except ChannelError:
        return None
    for post in posts:
        same = string(post, "raw").strip() == str(body["raw"]).strip()
        own = string(post, "username").lower() == forum.settings.user.lower()
        if same and own and (whole(post.get("post_number")) or 0) > ended and whole(post.get("id")):
            return Sent(str(post["id"]), conversation=str(number))
    return None


async def _upload(forum: Forum, name: str, content_type: str, data: str) -> str:
    """Put a file on the forum; what the post says to show it."""
    answer = await forum.http.ask(
        "POST",
        "/uploads.json",
        form={"upload_type": "composer", "synchronous": "true"},
        files={"file": (name, base64.b64decode(data), content_type or "application/octet-stream")},
        bucket="requests",
        headers={"Accept": "application/json"},
    )
    upload = answer.fields
    url, called = string(upload, "short_url") or string(upload, "url"), _MARKS.sub(" ", name).strip() or "file"
    if not url:
        raise Retry(f"the forum took {name} and does not say where it is")
    width, height = whole(upload.get("width")), whole(upload.get("height"))
    if content_type.startswith("image/") and width and height:
        return f"![{called}|{width}x{height}]({url})"
    return f"[{called}|attachment]({url})"


__all__ = ["render", "send"]
