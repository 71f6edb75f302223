"""What messages and people are called for ever.

A message is named by who may change it and by the id that answers, corrections, reactions and
receipts refer to: in a chat the author's address and the id that the author's client gave; in a room
with an archive the room and the id that the room gave (XEP-0359). Clients that count their messages
anew each day give the same id twice: such a message is named by our server's archive instead.
"""

from __future__ import annotations

import hashlib
from urllib.parse import quote, unquote

SHORTEST = 16
"""An id that is shorter may be a counter that begins again."""

LONGEST = 200

PARTLY = "-part"


def bare(address: str) -> str:
    """The account or room of a full address."""
    return address.partition("/")[0].lower()


def resource(address: str) -> str:
    """What stands behind the slash: a device, or a name in a room."""
    return address.partition("/")[2]


def external(author: str, id: str) -> str:
    """The name of the message `id` of `author`."""
    if len(id) > LONGEST:
        id = hashlib.sha256(id.encode("utf-8", "replace")).hexdigest()
    return f"{quote(author, safe='@.')}#{id}"


def taken_apart(name: str) -> tuple[str, str]:
    """Author and id of what `external` named."""
    author, _, id = name.partition("#")
    return unquote(author), id


def lasting(id: str | None) -> bool:
    """Whether a client's id can be trusted to name one message only."""
    return id is not None and len(id) >= SHORTEST


def outgoing(message_id: str, key: str, salt: str, *, alone: bool = True) -> str:
    """The id of a stanza of ours: the same for every attempt at one delivery, and nobody can guess it.

    It begins with the desk's own name for the message, by which an echo is known even when nobody
    saw that the message went out, and says whether it is the whole of it.
    """
    proof = hashlib.sha256(f"{message_id}\0{key}\0{salt}".encode()).hexdigest()[:24]
    return f"{message_id or 'deskhand'}/{proof}{'' if alone else PARTLY}"


def whole(id: str) -> bool:
    """Whether a stanza of ours is all of a message."""
    return not id.endswith(PARTLY)


def message_id(id: str) -> str | None:
    """The desk's name for a message whose stanza has this id; None for one that no desk wrote."""
    head, slash, _ = id.partition("/")
    return head if slash and head.startswith("deskhand.") else None


__all__ = ["bare", "external", "lasting", "message_id", "outgoing", "resource", "taken_apart", "whole"]
