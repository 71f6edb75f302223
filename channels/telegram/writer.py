"""Writing as a bot: what a draft is on the wire, and how often Telegram lets it be said."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from channels.kit.buckets import Buckets
from channels.kit.fields import number, table
from channels.kit.texts import check_files
from channels.telegram.api import BotApi, Moved
from desk.capabilities import Capabilities, Rate
from desk.channel import Outgoing, Part, Permanent, Phase, RateLimited, Sent

TEXT_UNITS = 4096
"""The longest text of one message ("sendMessage": 1-4096 characters after entities parsing)."""

CAPTION_UNITS = 1024
"""The longest caption of a file ("sendDocument")."""

PHOTO_BYTES = 10 * 1024 * 1024
"""The largest photo ("sendPhoto"); a larger one goes as a file."""

TO_ALL, TO_CHAT, TO_GROUP = "messages", "messages to one chat", "messages to one group"
RATES = (Rate(TO_ALL, 30, 1.0), Rate(TO_CHAT, 1, 1.0), Rate(TO_GROUP, 20, 60.0))
"""The limits of the "Bots FAQ" (Broadcasting to users)."""

_CHATS = 1_000


def target(draft: Outgoing) -> dict[str, Any]:
    """The parameters that say where `draft` goes: the chat, the topic and the message that `draft` answers; `Permanent` where there is no way."""
    if draft.private or not draft.conversation:
        chat = next((to.value for to in draft.to if to.kind == "telegram" and to.value.isdecimal()), None)
        if chat is None:
            raise Permanent("a bot reaches only who has written to it: answer a message of theirs")
        return {"chat_id": chat, "began": draft.conversation != chat}
    chat, _, rest = draft.conversation.partition("/")
    where: dict[str, Any] = {"chat_id": chat}
    kind, _, topic = rest.partition("/")
    if kind == "topic" and topic.isdecimal():
        where["message_thread_id"] = int(topic)
    # An answer shows what it answers, in a group also when only the thread is known.
    answered = (draft.answers or "").partition("/")[2] or (rest if kind != "topic" else "")
    if answered.isdecimal():
        where["reply_parameters"] = {"message_id": int(answered), "allow_sending_without_reply": True}
        if draft.answers and (at := draft.answers.partition("/")[0]) != chat:
            where["reply_parameters"]["chat_id"] = at
    return where


def render(draft: Outgoing, can: Capabilities) -> list[Part]:
    """The messages of `draft`: its text in as many as it takes, then its files; one file carries a short text."""
    from channels.telegram.markup import html_of, messages

    where = target(draft)
    files = check_files(draft, can)
    html, units = html_of(draft.text)
    if len(files) == 1 and units <= CAPTION_UNITS:
        told = [{"caption": html}] if html else [{}]
        said: list[tuple[dict[str, Any], bytes]] = []
    else:
        told = [{} for _ in files]
        said = [({"method": "sendMessage", "text": one}, b"") for one in messages(draft.text, TEXT_UNITS) if one]
    for more, (attachment, data) in zip(told, files, strict=True):
        photo = attachment.content_type in ("image/jpeg", "image/png") and len(data) <= PHOTO_BYTES
        method = "sendPhoto" if photo else "sendDocument"
        said.append(({"method": method, **more, "file": [attachment.name, attachment.content_type]}, data))
    if not said:
        raise Permanent("there is nothing to send: write something")
    parts = []
    for head, data in said:
        parts.append(Part(json.dumps({**where, **head}).encode() + b"\n" + data, (), draft.automatic))
        where.pop("reply_parameters", None)
    return parts


class Writer:
    """What goes out of one bot."""

    def __init__(self, api: BotApi, buckets: Callable[[Sequence[Rate]], Buckets] = Buckets) -> None:
        self._api, self._buckets = api, buckets
        self._all = buckets(RATES[:1])
        self._chats: OrderedDict[str, Buckets] = OrderedDict()
        self._moved: dict[str, str] = {}

    async def send(self, part: Part, phase: Phase) -> Sent:
        """Put `part` on the wire; where a group has moved, to its new place."""
        head, _, data = part.data.partition(b"\n")
        given = json.loads(head)
        method, name = given.pop("method"), given.pop("file", None)
        began = given.pop("began", False)
        given["chat_id"] = self._moved.get(given["chat_id"], given["chat_id"])
        field = "photo" if method == "sendPhoto" else "document"
        if "text" in given or "caption" in given:
            given["parse_mode"] = "HTML"
        if name is None:
            found = await self._said(method, given, None, phase)
        else:
            try:
                found = await self._said(method, given, (field, (name[0], data, name[1])), phase)
            except Permanent as refused:
                # A picture that is too long or too wide is still a file, and nothing has gone out.
                if method != "sendPhoto" or not any(word in str(refused) for word in ("PHOTO", "IMAGE")):
                    raise
                found = await self._said("sendDocument", given, ("document", (name[0], data, name[1])), phase)
        chat, own = number(table(found, "chat"), "id"), number(found, "message_id")
        remote = None if chat is None or own is None else f"{chat}/{own}"
        return Sent(remote, conversation=str(given["chat_id"]) if began else None)

    async def _said(
        self, method: str, given: dict[str, Any], file: tuple[str, tuple[str, bytes, str]] | None, phase: Phase
    ) -> Mapping[str, Any]:
        chat = given["chat_id"]
        buckets = self._chat(chat)
        if chat.startswith("-"):
            await buckets.take(TO_GROUP)
        await buckets.take(TO_CHAT)
        await self._all.take(TO_ALL)
        try:
            found = await self._api.call(method, given, file=file, phase=phase)
        except Moved as moved:
            if moved.chat == chat:
                raise
            self._moved[chat] = given["chat_id"] = moved.chat
            return await self._said(method, given, file, phase)
        except RateLimited as error:
            buckets.shut(TO_CHAT, error.after_s or 1.0)
            raise
        return found if isinstance(found, dict) else {}

    async def typing(self, conversation: str) -> None:
        """Show that somebody writes, for five seconds ("sendChatAction")."""
        chat, _, rest = conversation.partition("/")
        topic = rest.removeprefix("topic/") if rest.startswith("topic/") else ""
        given: dict[str, Any] = {"chat_id": self._moved.get(chat, chat), "action": "typing"}
        await self._api.call("sendChatAction", {**given, "message_thread_id": int(topic) if topic else None})

    def _chat(self, chat: str) -> Buckets:
        if chat not in self._chats:
            self._chats[chat] = self._buckets(RATES[1:])
        self._chats.move_to_end(chat)
        if len(self._chats) > _CHATS:
            self._chats.popitem(last=False)
        return self._chats[chat]


__all__ = ["PHOTO_BYTES", "RATES", "TEXT_UNITS", "Writer", "render"]
