"""What Telegram tells, as messages and signals: pure, and content with whatever is missing or of a wrong type.

Ids: a message is "CHAT/MESSAGE" for ever, whatever update it came with; update ids may begin anew
("Update": chosen randomly after a week without any).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from channels.kit.fields import number, seconds, string, table, tables
from channels.telegram.entities import markdown_of
from desk.channel import Edit, Inbound, Membership, Reaction, Signal
from desk.model import Identity, Millis

ALLOWED = ("message", "edited_message", "message_reaction", "my_chat_member")
"""The updates that we ask for; posts of channels are nobody's question."""

_SILENT = frozenset({
    "new_chat_title", "new_chat_photo", "delete_chat_photo", "group_chat_created", "supergroup_chat_created",
    "channel_chat_created", "message_auto_delete_timer_changed", "migrate_to_chat_id", "migrate_from_chat_id",
    "pinned_message", "forum_topic_created", "forum_topic_edited", "forum_topic_closed", "forum_topic_reopened",
    "general_forum_topic_hidden", "general_forum_topic_unhidden", "video_chat_scheduled", "video_chat_started",
    "video_chat_ended", "video_chat_participants_invited", "write_access_allowed", "boost_added",
    "chat_background_set", "new_chat_members", "left_chat_member", "proximity_alert_triggered",
})  # fmt: skip
"""What a message can be without saying anything: it tells of the chat."""

_LEFT = ("left", "kicked")


class Media(Struct, frozen=True):
    """A file that is still at Telegram. `size` is None where it is not told."""

    file_id: str
    name: str
    content_type: str
    size: int | None
    words: str


class Said(Struct, frozen=True):
    """A message, its files not yet fetched; `album` is what it shares with the others of its album."""

    inbound: Inbound
    files: tuple[Media, ...] = ()
    album: str = ""


def said(message: Mapping[str, Any], now: Millis, bot: str = "", moved: Mapping[str, str] | None = None) -> Said | None:
    """What a message says; None where it says nothing, or not what it must.

    `bot` is our own number; `moved` gives the number that a supergroup had when it was a group.
    """
    chat, external = _chat(message), external_id(message)
    if external is None or string(chat, "type") == "channel" or message.get("is_automatic_forward") is True:
        return None
    text, files = _content(message)
    if not text:
        if any(name in _SILENT for name in message) or _begins(message):
            return None
        text = "[a kind of message that the desk does not know: look at it in Telegram]"
    public = string(chat, "type") != "private"
    sender = _sender(message)
    inbound = Inbound(
        external, now, sender, text, subject=_subject(message) if public else "", at=seconds(message, "date"),
        conversation=conversation(message, moved or {}), answers=_answers(message), link=_link(message),
        public=public, ours=bool(bot) and sender.value == bot,
        automatic="auto-reply" if table(message, "from").get("is_bot") is True and sender.value != bot else None,
    )  # fmt: skip
    return Said(inbound, files, string(message, "media_group_id"))


def signals(update: Mapping[str, Any], now: Millis, moved: Mapping[str, str] | None = None) -> Iterator[Signal]:
    """What an update tells besides messages."""
    yield from _edit(table(update, "edited_message"), now)
    yield from _reactions(table(update, "message_reaction"), now)
    yield from _memberships(update, now, moved or {})


def external_id(message: Mapping[str, Any]) -> str | None:
    """What a message is called for ever."""
    chat, own = number(_chat(message), "id"), number(message, "message_id")
    return None if chat is None or own is None else f"{chat}/{own}"


def conversation(message: Mapping[str, Any], moved: Mapping[str, str]) -> str:
    """A private chat, a topic of a forum, or in any other group what hangs on one message."""
    chat = _chat_key(message, moved)
    if string(_chat(message), "type") == "private":
        return chat
    thread = number(message, "message_thread_id")
    if thread is not None and message.get("is_topic_message") is True:
        return f"{chat}/topic/{thread}"
    begun = thread or number(table(message, "reply_to_message"), "message_id") or number(message, "message_id")
    return f"{chat}/{begun}"


# -- messages -----------------------------------------------------------------


def _chat(message: Mapping[str, Any]) -> Mapping[str, Any]:
    return table(message, "chat")


def _chat_key(message: Mapping[str, Any], moved: Mapping[str, str]) -> str:
    chat = str(number(_chat(message), "id"))
    return moved.get(chat, chat)


def _sender(message: Mapping[str, Any]) -> Identity:
    """Who wrote: a person, or the group or channel in whose name somebody did."""
    chat = table(message, "sender_chat")
    if number(chat, "id") is not None:
        return Identity("telegram", str(number(chat, "id")), string(chat, "title") or string(chat, "username"))
    return person(table(message, "from")) or Identity("telegram", f"nobody-{external_id(message)}", "unknown")


def person(user: Mapping[str, Any]) -> Identity | None:
    """A user; their number is the same for every bot and never changes, their name does."""
    own = number(user, "id")
    if own is None:
        return None
    name = " ".join(f"{string(user, 'first_name')} {string(user, 'last_name')}".split())
    handle = string(user, "username")
    return Identity("telegram", str(own), name or (f"@{handle}" if handle else ""))


def _subject(message: Mapping[str, Any]) -> str:
    topic = table(table(message, "reply_to_message"), "forum_topic_created")
    return string(topic, "name") or ""


def _answers(message: Mapping[str, Any]) -> str | None:
    answered = table(message, "reply_to_message")
    own = number(answered, "message_id")
    if own is None or (message.get("is_topic_message") is True and own == number(message, "message_thread_id")):
        return None  # the first message of a topic only opens it
    return external_id({"chat": answered.get("chat") or message.get("chat"), "message_id": own})


def _link(message: Mapping[str, Any]) -> str:
    chat, own = _chat(message), number(message, "message_id")
    if string(chat, "type") != "supergroup":
        return ""
    handle = string(chat, "username")
    return (
        f"https://t.me/{handle}/{own}" if handle else f"https://t.me/c/{str(chat.get('id')).removeprefix('-100')}/{own}"
    )


def _begins(message: Mapping[str, Any]) -> bool:
    """Whether it is only the button that begins a chat with a bot."""
    return string(message, "text").strip().partition("@")[0] == "/start"


def _content(message: Mapping[str, Any]) -> tuple[str, tuple[Media, ...]]:
    """The words of a message, and its files."""
    lines = _before(message)
    if string(message, "text"):
        if _begins(message):
            return "", ()
        text = markdown_of(string(message, "text"), message.get("entities"))
        command, _, payload = text.strip().partition(" ")
        if command.partition("@")[0] == "/start" and payload:
            text = f"[began the chat by a link that says: {payload.strip()}]"
    else:
        text = markdown_of(string(message, "caption"), message.get("caption_entities"))
    files = tuple(_files(message))
    content = [*([text] if text else ()), *_words(message)] or [file.words for file in files]
    return "\n".join([*lines, *content]) if content else "", files


def _before(message: Mapping[str, Any]) -> Iterator[str]:
    """What stands above the words: where they come from, and which part of another message they answer."""
    origin = table(message, "forward_origin")
    if origin:
        whom = person(table(origin, "sender_user"))
        chat = table(origin, "sender_chat") or table(origin, "chat")
        name = whom.label if whom else string(origin, "sender_user_name") or string(chat, "title")
        yield f"[forwarded from {name or 'somebody'}]"
    quote = table(message, "quote")
    if quote.get("is_manual") is True and string(quote, "text"):
        yield "\n".join(f"> {line}" for line in string(quote, "text").split("\n")) + "\n"


def _words(message: Mapping[str, Any]) -> Iterator[str]:
    """What is neither text nor a file, said in words."""
    if sticker := table(message, "sticker"):
        yield f"[sticker {string(sticker, 'emoji')}]".replace(" ]", "]")
    venue = table(message, "venue")
    if place := table(venue, "location") or table(message, "location"):
        name = ", ".join(filter(None, (string(venue, "title"), string(venue, "address"))))
        where = f"{place.get('latitude')}, {place.get('longitude')}"
        yield f"[location: {name + ': ' if name else ''}{where}]"
    if contact := table(message, "contact"):
        name = " ".join(filter(None, (string(contact, "first_name"), string(contact, "last_name"))))
        yield f"[contact: {', '.join(filter(None, (name, string(contact, 'phone_number'))))}]"
    if poll := table(message, "poll"):
        choices = " / ".join(string(choice, "text") for choice in tables(poll, "options"))
        yield f"[poll: {string(poll, 'question')} {choices}]"
    if dice := table(message, "dice"):
        yield f"[{string(dice, 'emoji') or 'dice'} {dice.get('value')}]"


def _files(message: Mapping[str, Any]) -> Iterator[Media]:
    sizes = [size for size in tables(message, "photo") if string(size, "file_id")]
    if sizes:
        best = max(sizes, key=lambda size: (number(size, "width") or 0) * (number(size, "height") or 0))
        yield Media(string(best, "file_id"), "photo.jpg", "image/jpeg", number(best, "file_size"), "[photo]")
    for kind, name, content_type in (
        ("document", "", ""),
        ("audio", "audio.mp3", "audio/mpeg"),
        ("video", "video.mp4", "video/mp4"),
        ("video_note", "video.mp4", "video/mp4"),
        ("voice", "voice.ogg", "audio/ogg"),
    ):
        file = table(message, kind)
        if not string(file, "file_id"):
            continue
        called = string(file, "file_name") or name
        lasts = f", {number(file, 'duration')} s" if number(file, "duration") else ""
        told = f": {called}" if string(file, "file_name") else ""
        words = f"[{kind.replace('_', ' ')}{told}{lasts}]"
        yield Media(
            string(file, "file_id"), called, string(file, "mime_type") or content_type, number(file, "file_size"), words
        )


# -- signals ------------------------------------------------------------------


def _edit(message: Mapping[str, Any], now: Millis) -> Iterator[Edit]:
    import hashlib

    target = external_id(message)
    # Somebody who shares where they are moves on every few seconds.
    if target is None or table(message, "location") or string(_chat(message), "type") == "channel":
        return
    found = said(message, now)
    if found is not None:
        text = found.inbound.text
        mark = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:12]
        yield Edit(f"{target}/edit/{number(message, 'edit_date') or 0}/{mark}", now, target, text)


def _reactions(told: Mapping[str, Any], now: Millis) -> Iterator[Reaction]:
    target = external_id(told)
    who = person(table(told, "user"))
    if who is None and (chat := table(told, "actor_chat")) and number(chat, "id") is not None:
        who = Identity("telegram", str(number(chat, "id")), string(chat, "title"))
    if target is None or who is None:
        return
    before, after = _marks(tables(told, "old_reaction")), _marks(tables(told, "new_reaction"))
    for marks, gone in ((before, True), (after, False)):
        for mark in marks:
            if mark not in (after if gone else before):
                key = f"{target}/reaction/{who.value}/{number(told, 'date') or 0}/{'-' if gone else '+'}{mark}"
                yield Reaction(key, now, target, who, mark, gone)


def _marks(reactions: Sequence[Mapping[str, Any]]) -> list[str]:
    words = {"custom_emoji": "an emoji of their own", "paid": "⭐"}
    return [string(one, "emoji") or words.get(string(one, "type"), "a mark") for one in reactions]


def _memberships(update: Mapping[str, Any], now: Millis, moved: Mapping[str, str]) -> Iterator[Membership]:
    message = table(update, "message")
    own = external_id(message)
    if own is not None:
        key = _chat_key(message, moved)
        for name, joined in (("new_chat_members", True), ("left_chat_member", False)):
            users = tables(message, name) if joined else [table(message, name)]
            for user in users:
                if (who := person(user)) is not None:
                    yield Membership(f"{own}/{'joined' if joined else 'left'}/{who.value}", now, key, who, joined)
        if _begins(message) and (who := person(table(message, "from"))) is not None:
            yield Membership(f"{own}/joined/{who.value}", now, key, who, True)
    told = table(update, "my_chat_member")
    who = person(table(told, "from"))
    if who is not None and string(_chat(told), "type") == "private" and number(_chat(told), "id") is not None:
        # In a private chat this is how the customer blocks the bot, and lets it in again.
        joined = string(table(told, "new_chat_member"), "status") not in _LEFT
        key = f"{number(_chat(told), 'id')}/{'joined' if joined else 'left'}/{number(told, 'date') or 0}"
        yield Membership(key, now, _chat_key(told, moved), who, joined)


__all__ = ["ALLOWED", "Media", "Said", "conversation", "external_id", "person", "said", "signals"]
