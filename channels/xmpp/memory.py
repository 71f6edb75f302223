"""What is remembered of the last messages, so that what refers to them finds them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

from msgspec import Struct, field

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

ROOM_ENTRIES = 500


class Lately(Generic[K, V]):
    """A dictionary of the newest entries."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[K, V] = OrderedDict()

    def __setitem__(self, key: K, value: V) -> None:
        self._kept[key] = value
        self._kept.move_to_end(key)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)

    def __contains__(self, key: K) -> bool:
        return key in self._kept

    def get(self, key: K) -> V | None:
        """The value, None where it is forgotten."""
        return self._kept.get(key)

    def pop(self, key: K) -> V | None:
        """The value, and forget it."""
        return self._kept.pop(key, None)


class Occupant(Struct, frozen=True):
    """Somebody in a room: their address where the room shows it, and the id that no other gets (XEP-0421)."""

    address: str = ""
    id: str = ""


class Author(Struct, frozen=True):
    """Who wrote a message in a room: by what name, and by what id."""

    nick: str
    id: str = ""


class Room(Struct):
    """A room that we are in, or try to be: what it is, who is there, what was said lately.

    `trouble` says why we are not in it. It is `identified` when the room itself tells its people apart
    (XEP-0421): elsewhere such an id is the sender's invention. `named` finds a message by the name and id of its author's
    client, `authors` who wrote one.
    """

    address: str
    nick: str
    password: str = ""
    joined: bool = False
    trouble: str = ""
    public: bool = True
    archived: bool = False
    identified: bool = False
    shows_addresses: bool = False
    occupants: dict[str, Occupant] = field(default_factory=dict)
    named: Lately[tuple[str, str], str] = field(default_factory=lambda: Lately(ROOM_ENTRIES))
    authors: Lately[str, Author] = field(default_factory=lambda: Lately(ROOM_ENTRIES))


__all__ = ["Author", "Lately", "Occupant", "Room"]
