"""Events of a room as what the desk is told: a pure reading, whatever is in them.

Shapes are those of the Matrix Client-Server API ("Instant Messaging", "Rich replies", "Event
replacements", "Redactions", "Threading"). Anybody can put anything into an event: what has
another type than it should is as if it were not there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from msgspec import Struct

from channels.matrix.homeserver import Url, listed, mapped, media
from channels.matrix.rooms import Place, Room
from desk.channel import Edit, Inbound, Membership, Reaction, Removal
from desk.model import Identity, Millis

KIND = "matrix"

READ = (
    "m.room.message", "m.room.encrypted", "m.sticker", "m.reaction", "m.room.redaction", "m.room.member",
    "m.room.tombstone", "m.room.join_rules", "m.room.history_visibility",
)  # fmt: skip
"""The types of events that are asked for."""

_FILES = ("m.image", "m.file", "m.audio", "m.video")
_ABSENT = ("leave", "ban")
_LATEST: Millis = 1 << 53


class File(Struct, frozen=True):
    """A file that came with a message: where it is (None: it cannot be read), and what the sender says of it."""

    name: str
    content_type: str
    url: Url | None
    size: int


class Seen(Struct, frozen=True):
    """One event, read: what the desk is told of it, and the file that belongs to it."""

    told: Inbound | Edit | Removal | Reaction | Membership
    file: File | None = None


class Eye(Struct, frozen=True):
    """Who reads: our account, what people are called in the room, and when."""

    own: str
    names: Mapping[str, str]
    at: Millis

    def identity(self, sender: str) -> Identity:
        """Somebody in the room."""
        return Identity(KIND, sender, self.names.get(sender, ""))


def read(event: Mapping[str, Any], room: Room, eye: Eye) -> Seen | None:
    """What the desk is told of an event; nothing for what is none of its business."""
    name, sender, content = _text(event, "event_id"), _text(event, "sender"), mapped(event.get("content"))
    if not name or not sender:
        return None
    if mapped(event.get("unsigned")).get("membership") in _ABSENT and event.get("state_key") != eye.own:
        # Said before we were there: with others.
        return None
    match event.get("type"):
        case "m.room.redaction":
            target = _text(event, "redacts") or _text(content, "redacts")
            return Seen(Removal(name, eye.at, target)) if target else None
        case "m.reaction":
            about = mapped(content.get("m.relates_to"))
            target, mark = _text(about, "event_id"), _text(about, "key")
            return Seen(Reaction(name, eye.at, target, eye.identity(sender), mark)) if target and mark else None
        case "m.room.member":
            return _member(event, name, content, room, eye)
        case "m.room.message" | "m.sticker" | "m.room.encrypted" if content and "state_key" not in event:
            return _message(event, name, sender, content, room, eye)
    return None


def _member(event: Mapping[str, Any], name: str, content: Mapping[str, Any], room: Room, eye: Eye) -> Seen | None:
    person, now = _text(event, "state_key"), content.get("membership")
    before = mapped(mapped(event.get("unsigned")).get("prev_content")).get("membership")
    if not person or (now == "join") == (before == "join") or now == "invite":
        return None
    who = Identity(KIND, person, _text(content, "displayname") or eye.names.get(person, ""))
    return Seen(Membership(name, eye.at, room.place(person).key, who, now == "join"))


def _message(
    event: Mapping[str, Any], name: str, sender: str, content: Mapping[str, Any], room: Room, eye: Eye
) -> Seen | None:
    relation = mapped(content.get("m.relates_to"))
    encrypted = event.get("type") == "m.room.encrypted"
    if relation.get("rel_type") == "m.replace":
        target = _text(relation, "event_id")
        fresh = mapped(content.get("m.new_content"))
        if not target.startswith("$") or encrypted or not fresh:
            return None
        text = _words(fresh, eye.identity(sender).label)
        return Seen(Edit(name, eye.at, target, text, text))
    who = eye.identity(sender)
    answers = _text(mapped(relation.get("m.in_reply_to")), "event_id")
    thread = _text(relation, "event_id") if relation.get("rel_type") == "m.thread" else ""
    if thread and relation.get("is_falling_back") is True:
        # Only for programs that know no threads: it answers nothing but the thread.
        answers = thread
    text = _unreadable(who, eye.own) if encrypted else _words(content, who.label)
    said = text if encrypted or not answers else _unquoted(text)
    sent = event.get("origin_server_ts")
    ours = sender == eye.own
    return Seen(
        Inbound(
            name,
            eye.at,
            who,
            said,
            said,
            at=sent if type(sent) is int and 0 < sent < _LATEST else None,
            conversation=_place(room, sender, thread, content, eye.own).key,
            automatic="auto-reply" if content.get("msgtype") in ("m.notice", "m.server_notice") and not ours else None,
            protection="encrypted" if encrypted else None,
            answers=answers or thread or None,
            link=link(room.id, name),
            public=room.public,
            ours=ours,
        ),
        None if encrypted else _file(event, content),
    )


def _place(room: Room, sender: str, thread: str, content: Mapping[str, Any], own: str) -> Place:
    """Where it was said; what we say to one person in a room belongs to theirs."""
    if sender != own or thread or not room.by_person:
        return room.place(sender, thread)
    people = [p for p in listed(mapped(content.get("m.mentions")).get("user_ids")) if isinstance(p, str)]
    return room.place(people[0] if len(people) == 1 else own)


def link(room: str, event: str) -> str:
    """Where a browser finds a message ("matrix.to navigation")."""
    server = room.partition(":")[2]
    via = f"?via={quote(server, safe=':')}" if server else ""
    return f"https://matrix.to/#/{quote(room, safe='!:')}/{quote(event, safe='$')}{via}"


def _words(content: Mapping[str, Any], author: str) -> str:
    body, kind = _text(content, "body"), _text(content, "msgtype")
    if not body and isinstance(page := content.get("formatted_body"), str):
        from channels.kit.texts import text_of_html

        body = text_of_html(page)
    if kind == "m.emote":
        return f"* {author} {body}"
    place = _text(content, "geo_uri")
    if kind == "m.location" and place:
        return f"{body}\n{place}".strip()
    caption = _text(content, "filename")
    return body or caption or f"[a message of the kind {kind or 'none'} without words]"


def _unreadable(who: Identity, own: str) -> str:
    return (
        "[This message is encrypted end to end, and the desk cannot read it. "
        f"Ask {who.label} to write to {own} in a room without encryption, or answer another way.]"
    )


def _unquoted(text: str) -> str:
    """A reply without the quotation that older programs put before it ("Fallbacks for rich replies" of old versions)."""
    if not text.startswith("> <"):
        return text
    lines = text.split("\n")
    while lines and lines[0].startswith(">"):
        del lines[0]
    return "\n".join(lines).lstrip("\n") or text


def _file(event: Mapping[str, Any], content: Mapping[str, Any]) -> File | None:
    if content.get("msgtype") not in _FILES and event.get("type") != "m.sticker":
        return None
    about = mapped(content.get("info"))
    size = about.get("size")
    name = _text(content, "filename") or _text(content, "body") or "file"
    return File(
        name, _text(about, "mimetype"), media(content.get("url")), size if type(size) is int and size > 0 else 0
    )


def _text(found: Mapping[str, Any], name: str) -> str:
    value = found.get(name)
    return value if isinstance(value, str) else ""


__all__ = ["KIND", "READ", "Eye", "File", "Seen", "link", "read"]
