"""The rooms that an account is in (XEP-0045): how it gets in, who is there, and why it is out again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element

from channels.xmpp import xml
from channels.xmpp.errors import Refused, condition, refusal
from channels.xmpp.memory import Occupant, Room
from channels.xmpp.names import bare, resource
from desk.channel import ChannelError, Permanent, Retry
from desk.model import Millis

if TYPE_CHECKING:
    from channels.xmpp.stream import Stream

AGAIN_S = 60.0
"""How long a room that did not let us in, or threw us out, is left alone."""

SURE_S = 300.0
"""So long after something came from a room we are surely still in it."""

NICKS = 4
"""So many names are tried where ours is taken."""

JOIN_S = 10.0

_OUT = {
    "301": "we were banned from {room}: ask its owner to let us in again",
    "307": "we were kicked out of {room}: ask its owner why",
    "321": "we are no member of {room} any more: ask its owner for membership",
    "322": "{room} is for members only now: ask its owner for membership",
    "332": "the server of {room} is going down",
}
"""What the codes of leaving mean (XEP-0045, 15.6)."""

_REFUSED = {
    "not-authorized": "{room} asks for another password: mend it in rooms",
    "forbidden": "we are banned from {room}: ask its owner to let us in",
    "registration-required": "{room} is for members only: ask its owner for membership",
    "service-unavailable": "{room} is full",
    "not-allowed": "there is no room {room}, and we must not make it",
    "item-not-found": "there is no room {room}: mend rooms",
    "jid-malformed": "{room} does not take our name: mend name",
    "not-acceptable": "{room} has a name of its own reserved for us: set it as name",
}
"""What the errors of entering mean (XEP-0045, 7.2)."""


class Rooms:
    """All rooms of an account by their addresses."""

    def __init__(self, passwords: Mapping[str, str], nick: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.all = {address: Room(address, nick, password) for address, password in passwords.items()}
        self._nick, self._clock = nick, clock
        self._due: dict[str, float] = {}
        self._answers: dict[str, asyncio.Future[Element]] = {}
        self._sure: dict[str, float] = {}
        self.entered: set[str] = set()

    @property
    def troubles(self) -> list[str]:
        """Why we are not in rooms, a sentence each."""
        return [room.trouble for room in self.all.values() if room.trouble and not room.joined]

    def left(self) -> None:
        """The connection ended: we are in no room, and none need be left alone."""
        self._due.clear()
        for room in self.all.values():
            room.joined = False
            room.occupants.clear()

    async def enter(self, stream: Stream, since: Mapping[str, Millis]) -> None:
        """Enter all rooms whose time has come; what goes wrong with one is its `trouble`."""
        now = self._clock()
        due = [room for room in self.all.values() if not room.joined and self._due.get(room.address, now) <= now]
        await asyncio.gather(*(self._try(stream, room, since.get(room.address)) for room in due))

    def heard(self, address: str) -> None:
        """Something came from a room: we are in it."""
        if address in self.all:
            self._sure[address] = self._clock()

    async def verify(self, stream: Stream) -> None:
        """Ask rooms that have been silent for long whether we are still there (XEP-0410).

        A room whose server came back from a crash has forgotten us, and nobody tells.
        """
        sure = self._clock() - SURE_S
        quiet = [r for r in self.all.values() if r.joined and self._sure.get(r.address, sure) <= sure]
        await asyncio.gather(*(self._verify(stream, room) for room in quiet))

    async def _verify(self, stream: Stream, room: Room) -> None:
        try:
            await stream.ask("get", xml.element("ping", xml.PING), f"{room.address}/{room.nick}")
        except Refused as error:
            if error.condition == "not-acceptable":
                room.joined = False
                return
        except ChannelError:
            return  # nobody knows; it is asked again
        self.heard(room.address)

    async def _try(self, stream: Stream, room: Room, since: Millis | None) -> None:
        try:
            await self._enter(stream, room, since)
            room.trouble = ""
        except ChannelError as error:
            room.trouble = str(error)
            self._due[room.address] = self._clock() + AGAIN_S

    async def _enter(self, stream: Stream, room: Room, since: Millis | None) -> None:
        try:
            features = await _features(stream, room.address)
        except Permanent as error:
            raise Permanent(f"there is no room {room.address}: mend rooms ({error})") from None
        room.archived = xml.MAM in features
        room.identified = xml.OCCUPANT in features
        room.shows_addresses = "muc_nonanonymous" in features
        room.public = not {"muc_membersonly", "muc_passwordprotected"} & features
        for number in range(NICKS):
            room.nick = self._nick + "_" * number
            answer = await self._ask(stream, room, since)
            if answer.get("type") != "error":
                break
            refused = condition(answer)
            if refused == "conflict" and number + 1 < NICKS:
                continue
            if refused == "conflict":
                raise Retry(f'the name "{self._nick}" is taken in {room.address}: set another name')
            said = _REFUSED.get(refused)
            raise Permanent(said.format(room=room.address)) if said else refusal(room.address, answer)
        if "201" in _codes(answer):
            # Entering makes a room that is not there. An empty one is no help to customers.
            stream.tell(xml.element("presence", to=f"{room.address}/{room.nick}", type="unavailable"))
            room.joined = False
            raise Permanent(f"there is no room {room.address}: mend rooms, or make it first")

    async def _ask(self, stream: Stream, room: Room, since: Millis | None) -> Element:
        """Our presence in the room, or the refusal."""
        if room.archived or since is None:
            history = xml.element("history", xml.MUC, maxstanzas="0")
        else:
            history = xml.element("history", xml.MUC, since=moment(since))
        password = [xml.element("password", xml.MUC, text=room.password)] if room.password else []
        entering = xml.element("x", xml.MUC, history, *password)
        waiting: asyncio.Future[Element] = asyncio.get_running_loop().create_future()
        self._answers[room.address] = waiting
        try:
            stream.tell(xml.element("presence", xml.CLIENT, entering, to=f"{room.address}/{room.nick}"))
            either: set[asyncio.Future[Any]] = {waiting, stream.lost}
            await asyncio.wait(either, timeout=JOIN_S, return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                raise Retry(f"{room.address} does not answer")
            return waiting.result()
        finally:
            del self._answers[room.address]

    def seen(self, presence: Element) -> tuple[Room, str, str, Occupant] | None:
        """Take note of a presence in a room; who of the others does what now, where it says so."""
        sender = presence.get("from") or ""
        room, nick = self.all.get(bare(sender)), resource(sender)
        if room is None:
            return None
        waiting = self._answers.get(room.address)
        codes = _codes(presence)
        if presence.get("type") == "error":
            if waiting is not None and not waiting.done():
                waiting.set_result(presence)
            return None
        ours = "110" in codes or (nick == room.nick and room.joined)
        if presence.get("type") == "unavailable":
            gone = room.occupants.pop(nick, Occupant())
            if ours:
                self._thrown_out(room, presence, codes)
                return None
            return (room, nick, "", gone) if room.joined else None
        item = presence.find(f"{{{xml.MUC_USER}}}x/{{{xml.MUC_USER}}}item")
        id = xml.find(presence, "occupant-id", xml.OCCUPANT) if room.identified else None
        occupant = Occupant(
            bare(item.get("jid") or "") if item is not None else "", (id.get("id") or "") if id is not None else ""
        )
        room.occupants[nick] = occupant
        if ours:
            if not room.joined:
                self.entered.add(room.address)
            room.joined, room.nick = True, nick
            self.heard(room.address)
            if waiting is not None and not waiting.done():
                waiting.set_result(presence)
            return None
        return (room, nick, doing(presence), occupant) if room.joined else None

    def _thrown_out(self, room: Room, presence: Element, codes: set[str]) -> None:
        x = xml.find(presence, "x", xml.MUC_USER)
        if "303" in codes:
            item = x.find(f"{{{xml.MUC_USER}}}item") if x is not None else None
            room.nick = (item.get("nick") if item is not None else "") or room.nick
            return
        room.joined = False
        room.occupants.clear()
        said = next((words for code, words in _OUT.items() if code in codes), "we are no longer in {room}")
        if x is not None and (destroyed := x.find(f"{{{xml.MUC_USER}}}destroy")) is not None:
            elsewhere = destroyed.get("jid")
            said = "{room} was closed" + (f": it goes on in {elsewhere}" if elsewhere else "")
        reason = x.find(f"{{{xml.MUC_USER}}}item/{{{xml.MUC_USER}}}reason") if x is not None else None
        words = " ".join((reason.text or "").split())[:200] if reason is not None else ""
        room.trouble = said.replace("{room}", room.address) + (f' ("{words}")' if words else "")
        self._due[room.address] = self._clock() + AGAIN_S


def doing(presence: Element) -> str:
    """What somebody who is there does: "away" or "online"."""
    return "away" if xml.words(presence, "show") in ("away", "xa", "dnd") else "online"


def moment(at: Millis) -> str:
    """A time as the protocol writes it (XEP-0082)."""
    return datetime.fromtimestamp(max(0, at) / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def _features(stream: Stream, address: str) -> set[str]:
    answer = await stream.ask("get", xml.element("query", xml.DISCO_INFO), address)
    return features(answer)


def features(answer: Element) -> set[str]:
    """What an address says that it can do (XEP-0030)."""
    return {e.get("var") or "" for e in answer.iterfind(f"{{{xml.DISCO_INFO}}}query/{{{xml.DISCO_INFO}}}feature")}


def _codes(presence: Element) -> set[str]:
    found: Iterable[Element] = presence.iterfind(f"{{{xml.MUC_USER}}}x/{{{xml.MUC_USER}}}status")
    return {e.get("code") or "" for e in found}


__all__ = ["Rooms", "doing", "features", "moment"]
