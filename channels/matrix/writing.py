"""The way out: messages of the desk as events, each put into its room under the key of its delivery.

The server takes an event once for a key, a session and a room ("Transaction identifiers"), so what
broke off in the middle is simply sent again. (Client-Server API, "Sending events to a room".)
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from channels.kit.http import segment, usual_words
from channels.kit.texts import check_files, html_of_markdown, pieces
from channels.matrix.homeserver import CLIENT, Homeserver
from channels.matrix.rooms import Place, Rooms
from channels.matrix.settings import USER, Settings
from desk.capabilities import Capabilities
from desk.channel import ChannelError, Outgoing, Part, Permanent, Phase, Sent
from desk.model import Attachment

TEXT_LIMIT_BYTES = 16_000
"""An event may have 65,536 bytes, what servers add to it included ("Size limits"); a text goes in it twice."""

_EVENT_BYTES = 60_000

_TYPING_MS = 10_000


def render(draft: Outgoing, can: Capabilities) -> list[Part]:
    """The events of `draft`: what is said, then its files."""
    files = check_files(draft, can)
    place = None if draft.private or not draft.conversation else Place.of(draft.conversation)
    person = _person(draft)
    if place is None and not person:
        to = draft.to[0].value if draft.to else "nobody"
        raise Permanent(f"{to} is nobody on Matrix: answer another way, or write to an address like @name:server")
    head: dict[str, Any] = {"room": place.room} if place else {"person": person}
    texts = [text for text in pieces(draft, can) if text.strip()]
    parts = []
    for number, content in enumerate((*(_text(text) for text in texts), *(_file(a, data) for a, data in files))):
        relation = _relation(draft, place, first=number == 0)
        if relation:
            content["m.relates_to"] = relation
        if draft.automatic and content["msgtype"] == "m.text":
            # Programs do not answer notices ("m.notice").
            content["msgtype"] = "m.notice"
        whom = place.person if place else ""
        # Who is not mentioned is not called by their program ("User and room mentions").
        content["m.mentions"] = {"user_ids": [whom]} if whom else {}
        if whom and number == 0 and not relation:
            _address(content, draft, whom)
        said = json.dumps(head | {"content": content}, ensure_ascii=False, sort_keys=True).encode("utf-8", "replace")
        data = files[number - len(texts)][1] if number >= len(texts) else b""
        parts.append(Part(said + b"\n" + data, (person or draft.conversation or "",), draft.automatic))
    return parts


def _person(draft: Outgoing) -> str:
    return next((one.value for one in draft.to if one.kind == "matrix" and USER.fullmatch(one.value)), "")


def _text(text: str) -> dict[str, Any]:
    page = html_of_markdown(text).strip()
    content = {"msgtype": "m.text", "body": text}
    if (
        len(json.dumps(content | {"formatted_body": page}, ensure_ascii=False).encode("utf-8", "replace"))
        < _EVENT_BYTES
    ):
        content |= {"format": "org.matrix.custom.html", "formatted_body": page}
    return content


def _file(attachment: Attachment, data: bytes) -> dict[str, Any]:
    family = attachment.content_type.partition("/")[0]
    return {
        "msgtype": f"m.{family}" if family in ("image", "audio", "video") else "m.file",
        "body": attachment.name,
        "filename": attachment.name,
        "info": {"mimetype": attachment.content_type, "size": len(data)},
    }


def _relation(draft: Outgoing, place: Place | None, *, first: bool) -> dict[str, Any]:
    """What an event answers: the first the message, all of them the thread."""
    if place is None:
        return {}
    answers = draft.answers or ""
    if place.thread:
        return {
            "rel_type": "m.thread",
            "event_id": place.thread,
            "is_falling_back": not (first and answers),
            "m.in_reply_to": {"event_id": answers or place.thread},
        }
    return {"m.in_reply_to": {"event_id": answers}} if first and answers else {}


def _address(content: dict[str, Any], draft: Outgoing, whom: str) -> None:
    """Say to whom it is said, in a room where many speak."""
    name = next((one.label for one in draft.to if one.value == whom), whom)
    content["body"] = f"{name}: {content['body']}"
    if page := content.get("formatted_body"):
        import html

        pill = f'<a href="https://matrix.to/#/{html.escape(whom)}">{html.escape(name)}</a>: '
        content["formatted_body"] = page.replace("<p>", f"<p>{pill}", 1) if page.startswith("<p>") else pill + page


class Writing:
    """What goes out of an account."""

    def __init__(self, server: Homeserver, rooms: Rooms, settings: Settings) -> None:
        self._server, self._rooms, self._settings = server, rooms, settings
        self._typing: set[str] = set()

    async def send(self, part: Part, key: str, phase: Phase) -> Sent:
        """Put one event into its room, or into the direct one of a person."""
        head, _, data = part.data.partition(b"\n")
        said: dict[str, Any] = json.loads(head)
        content: dict[str, Any] = said["content"]
        place = said.get("room") or await self._rooms.talk_to(said["person"])
        if content["msgtype"] not in ("m.text", "m.notice"):
            about = content["info"]
            content["url"] = await self._server.upload(content["filename"], about["mimetype"], data)
        event = await self._put(place, content, key, phase)
        return Sent(event, conversation=None if "room" in said else place)

    async def _room(self, place: str) -> str:
        return (await self._rooms.current(place)).id

    async def _put(self, place: str, content: Mapping[str, Any], key: str, phase: Phase) -> str:
        room = await self._room(place)
        answer = await self._server.send(room, "m.room.message", content, key, phase)
        if answer.status == 403:
            # It may have been upgraded a moment ago, or be read by another process.
            self._rooms.forget(place)
            self._rooms.forget(room)
            if (fresh := await self._room(place)) != room:
                room, answer = fresh, await self._server.send(fresh, "m.room.message", content, key)
        if answer.status == 403:
            why = await self._rooms.why(room, usual_words(answer))
            raise Permanent(why if room == place else f"the room was upgraded, and in the new one {why}")
        event = answer.fields.get("event_id")
        if not isinstance(event, str):
            raise Permanent(f"{self._server.host} took it and did not say as what: {usual_words(answer)}")
        return event

    async def attend(self, conversation: str, seen: str | None, typing: bool) -> None:
        """Show that somebody is there; what fails is left."""
        with suppress(ChannelError):
            room = segment(await self._room(Place.of(conversation).room))
            if seen is not None:
                await self._server.post(f"/rooms/{room}/receipt/m.read/{segment(seen)}")
            if typing or room in self._typing:
                told = {"typing": True, "timeout": _TYPING_MS} if typing else {"typing": False}
                path = f"{CLIENT}/rooms/{room}/typing/{segment(self._settings.user)}"
                await self._server.ask("PUT", path, json=told)
                (self._typing.add if typing else self._typing.discard)(room)


__all__ = ["TEXT_LIMIT_BYTES", "Writing", "render"]
