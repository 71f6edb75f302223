"""What goes out: a draft as parts, a part as a stanza."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element

from channels.kit.texts import check_files, pieces
from channels.xmpp import names, xml
from channels.xmpp.memory import Room
from channels.xmpp.names import bare, resource
from channels.xmpp.styling import styled
from desk.capabilities import Capabilities
from desk.channel import Outgoing, Part, Permanent
from desk.text import storable

CHAT, ROOM = "chat", "groupchat"


def render(draft: Outgoing, can: Capabilities, rooms: Mapping[str, Room]) -> Sequence[Part]:
    """The texts of `draft`, then its files, a part each."""
    person = draft.to[0].value if draft.to else ""
    to = person if draft.private or not draft.conversation else draft.conversation
    if not to or "@" not in to:
        raise Permanent("nobody is named whom it could go to: write to an XMPP address")
    kind = ROOM if to in rooms else CHAT
    whole = _writable(styled(draft.text)).strip("\n")
    texts = pieces(draft, can, whole) if whole.strip() else []
    head = {"to": to, "kind": kind, "person": person, "id": draft.message_id, "at": draft.at}
    bodies: list[dict[str, Any]] = [{"body": text} for text in texts if text]
    if bodies and draft.answers:
        bodies[0]["answers"] = draft.answers
    for attachment, data in check_files(draft, can):
        kept = {"name": attachment.name, "type": attachment.content_type, "data": base64.b64encode(data).decode()}
        bodies.append({"file": kept})
    if not bodies:
        raise Permanent("there is nothing to send: write a text")
    written = [
        json.dumps(head | {"n": number, "of": len(bodies)} | body, ensure_ascii=False)
        for number, body in enumerate(bodies)
    ]
    return [Part(line.encode(), (to,), draft.automatic) for line in written]


def stanza(
    data: Mapping[str, Any], id: str, to: str, body: str, *, url: str = "", answered: Element | None = None
) -> Element:
    """The message as it goes over the wire: it asks for a receipt and for being marked as read in a chat."""
    inner = [xml.element("body", text=body), xml.element("origin-id", xml.SID, id=id)]
    if url:
        inner.append(xml.element("x", xml.OOB, xml.element("url", xml.OOB, text=url)))
    if answered is not None:
        inner.append(answered)
    if data["kind"] == CHAT:
        inner += [
            xml.element("request", xml.RECEIPTS),
            xml.element("markable", xml.MARKERS),
            xml.element("active", xml.CHAT_STATES),
        ]
        if resource(to):
            inner.append(xml.element("x", xml.MUC_USER))
    return xml.element("message", xml.CLIENT, *inner, to=to, type=data["kind"], id=id)


def content(attached: Mapping[str, str]) -> bytes:
    """The bytes of a file part."""
    return base64.b64decode(attached["data"])


def addressee(data: Mapping[str, Any], rooms: Mapping[str, Room]) -> str:
    """Where a part goes now: somebody in a room is found by what they are called there at the moment."""
    to, room = str(data["to"]), rooms.get(bare(str(data["to"])))
    if data["kind"] == ROOM or room is None:
        return to
    nick, person = resource(to), str(data["person"])
    gone = Permanent(f"{nick or person} is not in {room.address} any more: write where they can read it")
    for name, occupant in room.occupants.items():
        known = occupant.address or f"{room.address}/{f'#{occupant.id}' if occupant.id else name}"
        if known == person or (nick.startswith("#") and occupant.id == nick[1:]):
            return f"{room.address}/{name}"
    if nick in room.occupants and person in (to, ""):
        return to
    raise gone


def reply(answers: str | None, room: Room | None, address: str | None) -> Element | None:
    """What says which message is answered (XEP-0461), None where nobody knows its id there."""
    if not answers:
        return None
    author, id = names.taken_apart(answers)
    if room is not None and room.archived:
        wrote = room.authors.get(answers)
        return xml.element("reply", xml.REPLY, to=f"{room.address}/{wrote.nick}" if wrote else None, id=id)
    return xml.element("reply", xml.REPLY, to=author, id=address) if address else None


def _writable(text: str) -> str:
    """The text without what XML has no way to write (XML 1.0, 2.2)."""
    text = storable(text).replace("\r\n", "\n").replace("\r", "\n")
    return "".join(
        c for c in text if c in "\t\n" or (c >= " " and c not in "\ufffe\uffff" and not "\ud800" <= c <= "\udfff")
    )


__all__ = ["CHAT", "ROOM", "addressee", "content", "render", "reply", "stanza"]
