"""What is known of the rooms of one account: who reads along, which conversation a message belongs to, where a room went.

A conversation is a room, a person in a room (`ROOM @person`), or a thread in a room (`ROOM $root`). A
room that was upgraded goes on under the name of the first one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from msgspec import Struct

from channels.kit.http import segment
from channels.matrix.homeserver import Homeserver, listed, mapped
from channels.matrix.settings import Settings
from desk.channel import AuthRequired, ChannelError, Permanent, RateLimited

STATE = ("m.room.join_rules", "m.room.history_visibility", "m.room.tombstone")
"""What makes us look at a room anew when it changes."""

_HOPS = 20
"""No room was upgraded more often; a ring of rooms ends here."""

_JOIN_S = 5.0
"""How long invitations may hold up what else is to be read: behind one can be a server that does not answer."""

_AGAIN_S = 60.0
"""How long to wait before a room that did not let us in is asked again."""

_NAMES = 20_000


class Place(NamedTuple):
    """A conversation, taken apart."""

    room: str
    person: str = ""
    thread: str = ""

    @classmethod
    def of(cls, key: str) -> Place:
        """What the key of a conversation says."""
        room, _, rest = key.partition(" ")
        return cls(room, thread=rest) if rest.startswith("$") else cls(room, person=rest)

    @property
    def key(self) -> str:
        """The key of the conversation."""
        return " ".join(part for part in self if part)


class Room(Struct, frozen=True):
    """A room as it stands. `first` is the room it was upgraded from, again and again; `next` the one it was upgraded to."""

    id: str
    first: str
    next: str = ""
    public: bool = False
    by_person: bool = False

    def place(self, sender: str, thread: str = "") -> Place:
        """Where somebody speaks."""
        if thread:
            return Place(self.first, thread=thread)
        return Place(self.first, person=sender if self.by_person else "")


class Rooms:
    """The rooms of one account, asked for when something happens in them."""

    def __init__(self, server: Homeserver, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._server, self._settings, self._clock = server, settings, clock
        self._known: dict[str, Room] = {}
        self._names: dict[str, dict[str, str]] = {}
        self._named: dict[str, str] = {}
        self._asked = -_AGAIN_S
        self._entering: set[asyncio.Task[None]] = set()
        self._doors = asyncio.Semaphore(4)
        self._ours: dict[str, Mapping[str, Any]] = {}
        self._direct: dict[str, list[str]] | None = None
        self._shut: dict[str, str] = {}
        self._once = ""

    @property
    def trouble(self) -> str:
        """What keeps us out of rooms, for a person."""
        return "; ".join(filter(None, (*self._shut.values(), self._once)))

    def told(self) -> None:
        """The trouble has been said: what passes is not said twice."""
        self._once = ""

    # -- what happens there --------------------------------------------------

    async def get(self, room: str) -> Room:
        """A room as it stands."""
        if room not in self._known:
            rules, history, upgraded = await asyncio.gather(*(self._server.state(room, kind) for kind in STATE))
            public = rules.get("join_rule") == "public" or history.get("history_visibility") == "world_readable"
            how = self._settings.conversations
            self._known[room] = Room(
                room,
                await self._first(room),
                await self._after(room, upgraded.get("replacement_room")),
                public,
                how == "person" or (how == "auto" and public),
            )
        return self._known[room]

    async def current(self, room: str) -> Room:
        """The room to write to, for one that may have been upgraded."""
        found = await self.get(room)
        for _ in range(_HOPS):
            if not found.next:
                break
            found = await self.get(found.next)
        return found

    async def _first(self, room: str) -> str:
        """Where the conversation in `room` began.

        Anybody can make a room that says it goes on another one: the other one has to say so, too.
        """
        for _ in range(_HOPS):
            before = _predecessor(await self._server.state(room, "m.room.create"))
            if not before or (await self._server.state(before, "m.room.tombstone")).get("replacement_room") != room:
                break
            room = before
        return room

    async def _after(self, room: str, after: object) -> str:
        """The room that `room` was upgraded to, unless that one says otherwise: else answers could be led anywhere.

        One that we cannot look into is no danger: we are not in it.
        """
        if not isinstance(after, str) or not after.startswith("!"):
            return ""
        made = await self._server.state(after, "m.room.create")
        return after if not made or _predecessor(made) == room else ""

    def placed(self, room: str, content: Mapping[str, Any]) -> None:
        """Somebody let us in, or put us out: who is banned may not ask about it any more."""
        self._ours[room] = content
        if content.get("membership") == "join":
            # What could not be looked into may be open now.
            self._known.clear()

    def forget(self, room: str) -> None:
        """It has changed: look again."""
        self._known.pop(room, None)

    def called(self, room: str, person: object, name: object) -> None:
        """Somebody is called so in a room."""
        if isinstance(person, str) and isinstance(name, str) and name:
            if sum(map(len, self._names.values())) > _NAMES:
                # The server tells the names of those who speak each time.
                self._names.clear()
            self._names.setdefault(room, {})[person] = name

    def names(self, room: str) -> Mapping[str, str]:
        """What those who spoke in a room are called there."""
        return self._names.get(room, {})

    # -- which are read ------------------------------------------------------

    async def prepare(self) -> None:
        """Find the rooms that the settings name, and join those we are not in."""
        missing = [name for name in self._settings.rooms if name not in self._named]
        if not missing or self._clock() - self._asked < _AGAIN_S:
            return
        self._asked = self._clock()
        joined = set(listed((await self._server.get("/joined_rooms")).get("joined_rooms")))
        for name in missing:
            try:
                room = name if name.startswith("!") else await self.resolve(name)
                if room not in joined:
                    await self.join(name, name.partition(":")[2])
                self._named[name] = room
                self._shut.pop(name, None)
            except (AuthRequired, RateLimited):
                raise
            except ChannelError as error:
                self._shut[name] = f"{name} cannot be read: {error}"

    async def reads(self, room: Room) -> bool:
        """Whether what is said there is for the desk."""
        wanted = {*self._settings.rooms, *self._named.values()}
        if not wanted or room.id in wanted or room.first in wanted:
            return True
        direct = {one for rooms in (await self.direct()).values() for one in rooms}
        return room.id in direct or room.first in direct

    async def resolve(self, address: str) -> str:
        """The id of the room with an address."""
        found = (await self._server.get(f"/directory/room/{segment(address)}")).get("room_id")
        if not isinstance(found, str):
            raise Permanent(f"{self._server.host} knows no room {address}")
        return found

    async def join(self, room: str, via: str = "") -> None:
        """Enter a room; `via` is a server that is in it."""
        params = {"via": via, "server_name": via} if via else None
        await self._server.post(f"/join/{segment(room)}", params=params)

    async def invited(self, invitations: Mapping[str, Any]) -> None:
        """Accept those invitations that the settings let us accept."""
        if not self._settings.accept_invites:
            return
        fresh: list[asyncio.Task[None]] = []
        for room, told in invitations.items():
            events = [mapped(e) for e in listed(mapped(mapped(told).get("invite_state")).get("events"))]
            ours = next((e for e in events if e.get("state_key") == self._settings.user), {})
            inviter = ours.get("sender")
            direct = mapped(ours.get("content")).get("is_direct") is True and isinstance(inviter, str)
            wanted = {*self._settings.rooms, *self._named.values()}
            if wanted and room not in wanted and not direct:
                continue
            fresh.append(asyncio.create_task(self._accept(room, str(inviter or ""), direct)))
        for task in fresh:
            self._entering.add(task)
            task.add_done_callback(self._entering.discard)
        if fresh:
            await asyncio.wait(fresh, timeout=_JOIN_S)

    async def _accept(self, room: str, inviter: str, direct: bool) -> None:
        try:
            async with self._doors:
                await self.join(room, inviter.partition(":")[2])
            if direct:
                await self.note_direct(inviter, room)
        except RateLimited as error:
            # It is not told of again: we go on knocking.
            await asyncio.sleep(error.after_s or _AGAIN_S)
            await self._accept(room, inviter, direct)
        except AuthRequired:
            pass  # whoever reads says it
        except ChannelError as error:
            self._once = f"an invitation of {inviter} cannot be accepted: {error}"

    async def close(self) -> None:
        """Leave the doors at which we still wait."""
        for task in self._entering:
            task.cancel()
        await asyncio.gather(*self._entering, return_exceptions=True)

    async def follow(self, tombstone: Mapping[str, Any]) -> None:
        """Go along where a room was upgraded."""
        room, sender = mapped(tombstone.get("content")).get("replacement_room"), str(tombstone.get("sender"))
        if isinstance(room, str) and room.startswith("!"):
            try:
                await self.join(room, sender.partition(":")[2])
            except (AuthRequired, RateLimited):
                raise
            except ChannelError as error:
                self._once = f"a room was upgraded, and we are not let into the new one: {error}"

    # -- people we write to directly -----------------------------------------

    async def direct(self) -> dict[str, list[str]]:
        """The direct rooms by person, as all programs of our account keep them ("Direct Messaging")."""
        if self._direct is None:
            self._direct = _rooms_by_person(await self._server.found(self._account_data))
        return self._direct

    def told_direct(self, content: object) -> None:
        """They have changed."""
        self._direct = _rooms_by_person(mapped(content))

    @property
    def _account_data(self) -> str:
        return f"/user/{segment(self._settings.user)}/account_data/m.direct"

    async def note_direct(self, person: str, room: str) -> None:
        """Keep that a room is for talking to somebody directly."""
        self._direct = None
        rooms = await self.direct()
        if room not in rooms.get(person, []):
            rooms.setdefault(person, []).append(room)
            await self._server.ask("PUT", f"/_matrix/client/v3{self._account_data}", json=rooms)

    async def talk_to(self, person: str) -> str:
        """The room in which somebody is spoken to directly; opened where there is none."""
        self._direct = None
        for room in reversed((await self.direct()).get(person, [])):
            theirs, ours, encrypted = await asyncio.gather(
                self._server.state(room, "m.room.member", person),
                self._server.state(room, "m.room.member", self._settings.user),
                self._server.state(room, "m.room.encryption"),
            )
            if theirs.get("membership") in ("join", "invite") and ours.get("membership") == "join" and not encrypted:
                return room
        # Lost in the middle this leaves an empty room behind; nothing was said in it.
        wanted = {"preset": "trusted_private_chat", "is_direct": True, "invite": [person]}
        made = (await self._server.post("/createRoom", wanted)).get("room_id")
        if not isinstance(made, str):
            raise Permanent(f"{self._server.host} opened no room for {person}")
        await self.note_direct(person, made)
        return made

    async def why(self, room: str, told: str) -> str:
        """Why we may not write to a room, and what to do; `told` is what the server said of it."""
        ours = await self._server.state(room, "m.room.member", self._settings.user) or self._ours.get(room, {})
        user, reason = self._settings.user, ours.get("reason")
        said = f' ("{reason[:200]}")' if isinstance(reason, str) and reason else ""
        match ours.get("membership"):
            case "ban":
                return f"{user} is banned from the room{said}: ask its moderators, or answer another way"
            case "leave":
                return (
                    f"{user} was removed from the room or left it{said}: ask to be invited again, or answer another way"
                )
            case "invite":
                return f"{user} is invited to the room and has not joined it: set accept_invites = true, or join with another program"
            case "join":
                return f"{user} may not write in the room: ask its moderators for the right to"
        return f"{user} is kept out of the room ({told}): ask its moderators, or answer another way"


def _predecessor(made: Mapping[str, Any]) -> str:
    """The room that one says it goes on ("Room Upgrades")."""
    before = mapped(made.get("predecessor")).get("room_id")
    return before if isinstance(before, str) and before.startswith("!") else ""


def _rooms_by_person(content: Mapping[str, Any]) -> dict[str, list[str]]:
    return {
        person: [room for room in listed(rooms) if isinstance(room, str)]
        for person, rooms in content.items()
        if isinstance(person, str)
    }


__all__ = ["STATE", "Place", "Room", "Rooms"]
