"""The way out: messages within the time that Meta grants, and answers to comments, in public or in private.

Sources: "Send API" (recipient, messaging_type, tag HUMAN_AGENT, sender_action), "Attachment upload",
"Private replies" (one message a comment, within seven days), "Object comments" and "IG comment, replies".
Meta takes no key that names a message: what was cut off stays unknown until it is seen in the conversation.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from channels.kit.fields import string
from channels.kit.http import segment
from channels.kit.texts import check_files, pieces
from channels.meta.graph import COMMENTS, MESSAGES, Fields, Graph
from channels.meta.network import Network
from desk.capabilities import Capabilities
from desk.channel import Outgoing, Part, Permanent, Phase, Retry, Sent, WindowClosed


def render(draft: Outgoing, can: Capabilities, network: Network) -> list[Part]:
    """The messages, or the comment, that a draft becomes."""
    files = check_files(draft, can)
    for file, data in files:
        if file.content_type.startswith("image/") and len(data) > network.pictures:
            raise Permanent(
                f"{file.name} has {len(data):,} bytes, and {network.name} takes pictures of up to {network.pictures:,}"
            )
    where = target(draft, network)
    texts = [one for one in pieces(draft, can) if one]
    if "to" not in where and (files or len(texts) != 1):
        what = "an answer in private to a comment" if "private" in where else "an answer to a comment"
        raise Permanent(f"{what} is one text without files: shorten it, or send a link")
    if not texts and not files:
        raise Permanent("there is nothing to send: write something")
    said: list[dict[str, Any]] = [{**where, "text": text} for text in texts]
    for file, data in files:
        said.append({**where, "file": [file.name, file.content_type, base64.b64encode(data).decode()]})
    return [
        Part(json.dumps(one, sort_keys=True, ensure_ascii=False).encode("utf-8", "replace"), (), draft.automatic)
        for one in said
    ]


def target(draft: Outgoing, network: Network) -> dict[str, str]:
    """Where a draft goes: `to` a person, `private` to who wrote a comment, or `below` a comment or post."""
    conversation = draft.conversation or ""
    if conversation.startswith("chat/"):
        return {"to": conversation.removeprefix("chat/")}
    answered = (draft.answers or conversation).partition("/")
    if draft.public and not draft.private:
        if not answered[2]:
            raise Permanent(f"a comment on {network.name} answers another: answer one")
        # Below an answer Instagram takes none: it goes below the comment that began.
        began = conversation.partition("/")
        name = began[2] if network.kind == "instagram" and began[0] == "comment" else answered[2]
        return {"below": name}
    if answered[0] == "comment" and answered[2]:
        return {"private": answered[2]}
    to = next((one.value for one in draft.to if one.kind == network.kind and one.value.isdigit()), "")
    if not to:
        raise Permanent(f"nobody on {network.name} to write to: answer a message or a comment of theirs")
    return {"to": to}


class Writing:
    """The way out of one page or account."""

    def __init__(self, graph: Graph, network: Network) -> None:
        self._graph, self._network, self._settings = graph, network, graph.settings

    async def send(self, part: Part, phase: Phase) -> Sent:
        """Put `part` on the wire."""
        content = json.loads(part.data)
        if "below" in content:
            edge = self._network.replies if self._network.kind == "instagram" else "comments"
            path = f"{segment(content['below'])}/{edge}"
            found = await self._graph.post(path, COMMENTS, json={"message": content["text"]}, phase=phase)
            return Sent(f"comment/{string(found, 'id')}" if string(found, "id") else None)
        if "private" in content:
            body = {"recipient": {"comment_id": content["private"]}, "message": {"text": content["text"]}}
            found = await self._graph.post(self._messages, COMMENTS, json=body, phase=phase)
            to = string(found, "recipient_id")
            return Sent(string(found, "message_id") or None, conversation=f"chat/{to}" if to else None)
        if "file" in content:
            name, kind, data = content["file"]
            message: Fields = await self._uploaded(name, kind, base64.b64decode(data))
        else:
            message = {"text": content["text"]}
        found = await self._in_time({"recipient": {"id": content["to"]}, "message": message}, phase)
        return Sent(string(found, "message_id") or None, conversation=f"chat/{content['to']}")

    @property
    def _messages(self) -> str:
        return f"{self._settings.page}/messages"

    async def _in_time(self, body: dict[str, Any], phase: Phase) -> Fields:
        """As an answer; where that is too late, as a person's, if the app may."""
        try:
            return await self._graph.post(
                self._messages, MESSAGES, json={**body, "messaging_type": "RESPONSE"}, phase=phase
            )
        except WindowClosed:
            if not self._settings.human_agent:
                raise
        tagged = {**body, "messaging_type": "MESSAGE_TAG", "tag": "HUMAN_AGENT"}
        return await self._graph.post(self._messages, MESSAGES, json=tagged, phase=phase)

    async def _uploaded(self, name: str, content_type: str, data: bytes) -> Fields:
        """Bring a file to Meta; the message that shows it."""
        family = content_type.partition("/")[0]
        kind = family if family in ("image", "audio", "video") else "file"
        attachment = {"type": kind, "payload": {"is_reusable": True}}
        found = await self._graph.post(
            f"{self._settings.page}/message_attachments", MESSAGES,
            form={"message": json.dumps({"attachment": attachment}), "platform": self._network.platform},
            files={"filedata": (name, data, content_type)}, timeout_s=max(120.0, self._settings.timeout_s),
        )  # fmt: skip
        uploaded = string(found, "attachment_id")
        if not uploaded:
            raise Retry(f"Meta took {name} and does not say as what")
        return {"attachment": {"type": kind, "payload": {"attachment_id": uploaded}}}

    async def attend(self, conversation: str, action: str) -> None:
        """Show a customer that somebody reads or writes."""
        if conversation.startswith("chat/"):
            body = {"recipient": {"id": conversation.removeprefix("chat/")}, "sender_action": action}
            await self._graph.post(self._messages, MESSAGES, json=body)


__all__ = ["Writing", "render", "target"]
