"""One connection that is in: who is in which room, what is said, and whether what we say arrives."""

from __future__ import annotations

import asyncio
import re
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from msgspec import Struct, field

from channels.irc.hearing import Hearing, Said
from channels.irc.lines import Line, moment, plain
from channels.irc.login import Login, turned_away
from channels.irc.settings import Settings
from channels.irc.wire import Wire, connect
from channels.kit.secrets import Secret
from desk.channel import ChannelError, Retry
from desk.model import Millis

AGAIN_S = 300.0
"""A room that does not let us in is asked again no earlier."""
SPLIT_S = 1800.0
"""Somebody lost in a netsplit is awaited for so long."""
BACKLOG = 100
"""So many lines of an archive are asked for at a time."""

JOINING = {
    "403": "there is no such room: mend rooms",
    "405": "we are in as many rooms as the server allows: name fewer",
    "471": "it is full: ask its operators for a place",
    "473": "it is open to invited people only: have an operator /invite us",
    "474": "we are banned there: ask its operators",
    "475": 'its key is missing or wrong: write "#room key" in rooms',
    "477": "it wants people with an account: set user and a password",
    "489": "it takes encrypted connections only: set tls",
    "520": "it is for the network's operators",
}
"""Why a room does not let us in, and what to do."""

REFUSED = {
    "401": "nobody has that nick now: answer when they are back",
    "403": "there is no such room",
    "404": "the room does not let us speak (it is moderated, or wants known people): ask an operator for voice (+v)",
    "407": "the server takes no message for that name",
    "408": "the room takes no such characters",
    "412": "there was nothing to send",
    "417": "a line was too long for the server",
    "477": "it wants to hear from people with an account: set user and a password",
    "482": "only its operators may do that",
    "486": "they hear only people with an account: set user and a password",
    "489": "the room wants voice (+v): ask an operator",
    "531": "they do not want to hear from us",
    "716": "they hear only people whom they let in: they have been told",
}
"""Why the server does not pass on what we say, and what to do."""

_SPLIT = re.compile(r"[^\s:/]+\.[^\s:/]+ [^\s:/]+\.[^\s:/]+")
_HISTORY = ("chathistory", "draft/chathistory", "playback", "znc.in/playback")
_CTCP = re.compile("\x01([A-Za-z]+)(?: ([^\x01]*))?\x01?")


class Person(Struct):
    """Somebody the server told of."""

    nick: str
    account: str = ""


class Room(Struct):
    """A room we want to be in, and who is there."""

    name: str
    key: str = ""
    inside: bool = False
    trouble: str = ""
    tried: float = 0.0
    people: set[str] = field(default_factory=set)


class Sending(Struct):
    """Lines on their way to `target`: how the server refused one, and under which ids it passed them on."""

    target: str
    lines: list[str]
    refused: tuple[str, str] | None = None
    ids: list[str] = field(default_factory=list)


class Session:
    """One connection; it ends with `failure`."""

    def __init__(self, settings: Settings, hearing: Hearing, now: Callable[[], Millis]) -> None:
        self._settings, self._hearing, self._now = settings, hearing, now
        self._wire: Wire | None = None
        self._listening: asyncio.Task[None] | None = None
        self._syncs: dict[str, asyncio.Future[None]] = {}
        self._count = 0
        self._batches: dict[str, str] = {}
        self._batch_lines = 0
        self._targets: list[str] = []
        self._split: dict[str, float] = {}
        self._asked: deque[float] = deque(maxlen=3)
        self.nick = settings.nick
        self.capabilities: frozenset[str] = frozenset()
        self.supports: dict[str, str] = {}
        self.people: dict[str, Person] = {}
        self.rooms: dict[str, Room] = {}
        self.sendings: list[Sending] = []
        self.news = asyncio.Event()
        self.failure: ChannelError | None = None

    # -- coming and going -------------------------------------------------------

    async def open(self, secret: Secret | None, *, insist: bool = True) -> None:
        """Connect, log in, enter the rooms and hear what was said there meanwhile; `insist` on our nick."""
        self._wire = wire = await connect(self._settings)
        try:
            login = Login(wire, self._settings, secret, self._take)
            await login.run(insist=insist)
            self.nick, self.capabilities = login.nick, login.capabilities
            self._hearing.names.mapping = self.supports.get("CASEMAPPING", "rfc1459")
            self.rooms = {self.fold(name): Room(name, key) for name, key in self._settings.keys.items()}
        except BaseException:
            await wire.close()
            raise
        self._listening = asyncio.create_task(self._listen())
        await self.enter()
        await self._catch_up()

    async def enter(self) -> None:
        """Enter the rooms that we are not in and have not asked of late."""
        wanted = [
            room
            for room in self.rooms.values()
            if not room.inside and (not room.tried or time.monotonic() - room.tried > AGAIN_S)
        ]
        for room in wanted:
            room.tried, room.trouble = time.monotonic(), ""
            self._say("JOIN", room.name, *((room.key,) if room.key else ()))
        if wanted:
            await self.sync()

    async def _catch_up(self) -> None:
        """Ask the server's archive for what was said since; where there is none, nothing is asked (draft/chathistory)."""
        if not self.capabilities & {"draft/chathistory", "chathistory"} or "batch" not in self.capabilities:
            return
        said = self.supports.get("CHATHISTORY", "")
        most = min(BACKLOG, (int(said) if said.isdecimal() and len(said) < 9 else 0) or BACKLOG)
        since = self._hearing.since("")
        if since and self._settings.queries:
            self._say("CHATHISTORY", "TARGETS", f"timestamp={_stamp(since)}", f"timestamp={_stamp(self._now())}", "50")
            await self.sync()
        places = [room.name for room in self.rooms.values() if room.inside]
        for place in [*places, *(t for t in self._targets if not self._is_room(t))]:
            since = self._hearing.since(place if self._is_room(place) else "")
            if not since:
                self._say("CHATHISTORY", "LATEST", place, "*", str(most))
                await self.sync()
                continue
            for _ in range(50):
                self._batch_lines, before = 0, since
                self._say("CHATHISTORY", "AFTER", place, f"timestamp={_stamp(since)}", str(most))
                await self.sync()
                since = self._hearing.since(place if self._is_room(place) else "")
                if self._batch_lines < most or since <= before:
                    break

    async def close(self) -> None:
        """Hang up; never raises."""
        listening, self._listening = self._listening, None
        if listening is not None:
            listening.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await listening
        if self._wire is not None:
            await self._wire.close()

    async def sync(self) -> None:
        """Return when the server has done everything asked so far; raises what ended the connection."""
        if self.failure is not None:
            raise self.failure
        self._count += 1
        token = f"deskhand-{self._count}"
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._syncs[token] = future
        try:
            self._say("PING", token)
            async with asyncio.timeout(2 * self._settings.timeout_s):
                await future
        except TimeoutError:
            raise Retry(f"{self._settings.host} does not answer") from None
        finally:
            self._syncs.pop(token, None)

    async def _listen(self) -> None:
        assert self._wire is not None
        try:
            while True:
                self._take(await self._wire.line())
        except ChannelError as error:
            self._end(error)
        except Exception as error:  # whatever a line did to us, it ends this connection only
            self._end(Retry(f"{self._settings.host} sent what cannot be read ({type(error).__name__})"))

    def _end(self, error: ChannelError) -> None:
        self.failure = self.failure or error
        for future in self._syncs.values():
            if not future.done():
                future.set_exception(self.failure)
                future.exception()  # nobody may be waiting any more
        self.news.set()

    # -- for the rest -----------------------------------------------------------

    def fold(self, name: str) -> str:
        """A name as the server compares it."""
        return self._hearing.names.fold(name)

    def room(self, name: str) -> Room | None:
        """A room of ours."""
        return self.rooms.get(self.fold(name))

    def split(self, nick: str) -> bool:
        """Whether somebody was lost in a netsplit and is expected back."""
        lost = self._split.get(self.fold(nick))
        return lost is not None and time.monotonic() - lost < SPLIT_S

    def shown(self, nick: str) -> str:
        """A nick as its owner writes it."""
        person = self.people.get(self.fold(nick))
        return person.nick if person else nick

    def say(self, command: str, target: str, text: str, tags: dict[str, str] | None = None) -> None:
        """Say a line to somebody."""
        self._say(command, target, text, tags=tags)

    def _say(self, command: str, *params: str, tags: dict[str, str] | None = None) -> None:
        if self._wire is not None:
            self._wire.say(command, *params, tags=tags)

    @property
    def troubles(self) -> list[str]:
        """Which rooms we are not in, and why."""
        return [f"{room.name}: {room.trouble}" for room in self.rooms.values() if room.trouble]

    def _is_room(self, name: str) -> bool:
        return name[:1] in (self.supports.get("CHANTYPES") or "#&+!")

    def _is_us(self, nick: str) -> bool:
        return self.fold(nick) == self.fold(self.nick)

    # -- what the server says ---------------------------------------------------

    def _take(self, line: Line) -> None:
        now = self._now()
        # What comes from the future would hide from us all that is said until then.
        at = min(moment(line.tags) or now, now)
        match line.command:
            case "PING":
                self._say("PONG", line.param(-1))
            case "PONG":
                if (future := self._syncs.get(line.param(-1))) and not future.done():
                    future.set_result(None)
            case "ERROR":
                raise turned_away(self._settings.host, line.words)
            case "PRIVMSG" | "NOTICE":
                self._heard(line, at)
            case "TAGMSG":
                if (typing := line.tags.get("+typing")) and not self._is_us(line.nick):
                    doing = "typing" if typing == "active" else ""
                    self._does(line.nick, doing, at, line.param(0))
            case "BATCH":
                self._bracket(line)
            case "CHATHISTORY" if line.param(0).upper() == "TARGETS":
                self._targets.append(line.param(1))
            case "FAIL" | "WARN" | "NOTE":
                pass
            case "005":
                self.supports |= dict(item.partition("=")[::2] for item in line.params[1:-1])
            case "353":
                if (there := self.room(line.param(2))) is not None:
                    marks = (self.supports.get("PREFIX") or "(ov)@+").rpartition(")")[2] or "@+"
                    for name in line.param(3).split():
                        self._meet(there, name.lstrip(marks).partition("!")[0])
            case "JOIN" | "PART" | "KICK" | "QUIT" | "NICK" | "ACCOUNT" | "AWAY" | "INVITE":
                self._moves(line, at)
            case number if number.isdigit():
                self._refusal(number, line)

    def _bracket(self, line: Line) -> None:
        name = line.param(0)
        if name.startswith("+"):
            self._batches[name[1:]] = line.param(1)
        else:
            self._batches.pop(name[1:], None)

    def _heard(self, line: Line, at: Millis) -> None:
        target, text = line.param(0), line.param(1)
        history = self._batches.get(line.tags.get("batch", "")) in _HISTORY
        self._batch_lines += history
        ours = self._is_us(line.nick)
        if ours and not history and self._echoed(target, line):
            return
        if line.command == "NOTICE" or "!" not in line.source:
            return  # automatic by definition (RFC 1459, 4.4.2), or the server itself
        ctcp = _CTCP.match(text)
        if text.startswith("\x01") and (ctcp is None or ctcp[1].upper() != "ACTION"):
            if ctcp and not history and not ours and self._is_us(target):
                self._machine(line.nick, ctcp[1].upper(), ctcp[2] or "")
            return
        text = plain(f"* {line.nick} {ctcp[2] or ''}" if ctcp else text).rstrip()
        room = target if self._is_room(target) else ""
        who, account = line.nick, line.tags.get("account", "")
        addressed = re.match(r"@?([^\s:,]+)[:,]\s+", text)
        theirs = addressed[1] if addressed else ""
        if ours:
            who, account = (theirs, "") if room else (target, "")
            text = text[addressed.end() :] if room and addressed else text
            if not who or "echo-message" not in self.capabilities:
                return
        elif not account and (person := self.people.get(self.fold(who))):
            account = person.account
        there = self.room(room) if room else None
        if room and there is None:
            return
        aside = bool(there and theirs and self.fold(theirs) in there.people and not self._is_us(theirs))
        answers = line.tags.get("+draft/reply", "")
        self._hearing.said(
            Said(who, account, room, text, at, line.tags.get("msgid", ""), answers, history, ours, aside), self.nick
        )
        self.news.set()

    def _echoed(self, target: str, line: Line) -> bool:
        """Whether this is the echo of a line of ours that is on its way."""
        for sending in self.sendings:
            if self.fold(sending.target) == self.fold(target) and line.param(1) in sending.lines:
                sending.ids += [line.tags["msgid"]] if "msgid" in line.tags else []
                return True
        return line.command == "NOTICE" or "!" not in line.source

    def _machine(self, nick: str, what: str, more: str) -> None:
        """Answer a client's question, not more often than three times a minute."""
        answer = {"VERSION": "VERSION deskhand", "PING": f"PING {more[:64]}"}.get(what)
        now = time.monotonic()
        if answer and (len(self._asked) < 3 or now - self._asked[0] > 60.0):
            self._asked.append(now)
            self._say("NOTICE", nick, f"\x01{answer}\x01")

    # -- who is where -----------------------------------------------------------

    def _meet(self, room: Room, nick: str) -> Person:
        key = self.fold(nick)
        room.people.add(key)
        return self.people.setdefault(key, Person(nick))

    def _moves(self, line: Line, at: Millis) -> None:
        nick = line.nick
        match line.command:
            case "JOIN":
                self._joins(line, at)
            case "PART" if room := self.room(line.param(0)):
                self._leaves(room, nick, at, "we left it")
            case "KICK" if room := self.room(line.param(0)):
                self._leaves(room, line.param(1), at, f"{nick} put us out ({line.words}): ask an operator of the room")
            case "QUIT":
                self._quits(nick, line, at)
            case "NICK":
                self._renames(nick, line.param(0))
            case "ACCOUNT":
                if person := self.people.get(self.fold(nick)):
                    person.account = "" if line.param(0) == "*" else line.param(0)
            case "AWAY":
                self._does(nick, "away" if line.params else "online", at, None)
            case "INVITE" if room := self.room(line.param(1)):
                self._say("JOIN", room.name, *((room.key,) if room.key else ()))

    def _joins(self, line: Line, at: Millis) -> None:
        room = self.room(line.param(0))
        if room is None:
            return
        if self._is_us(line.nick):
            room.inside, room.trouble = True, ""
            room.people.clear()
            self.news.set()
        person = self._meet(room, line.nick)
        if len(line.params) >= 3:
            person.account = "" if line.param(1) == "*" else line.param(1)
        back = self._split.pop(self.fold(line.nick), None)
        if not self._is_us(line.nick) and back is None:
            self._hearing.moved(room.name, line.nick, person.account, at, joined=True)
            self.news.set()

    def _leaves(self, room: Room, nick: str, at: Millis, why: str) -> None:
        room.people.discard(self.fold(nick))
        if self._is_us(nick):
            room.inside, room.trouble, room.tried = False, why, time.monotonic()
            self.news.set()
            return
        self._hearing.moved(room.name, nick, "", at, joined=False)
        self._forget(nick)
        self.news.set()

    def _quits(self, nick: str, line: Line, at: Millis) -> None:
        split = bool(_SPLIT.fullmatch(line.param(-1))) or self._batches.get(line.tags.get("batch", "")) == "netsplit"
        for room in self.rooms.values():
            if self.fold(nick) in room.people:
                room.people.discard(self.fold(nick))
                if not split:
                    self._hearing.moved(room.name, nick, "", at, joined=False)
        if split:
            self._split[self.fold(nick)] = time.monotonic()
        else:
            self._forget(nick)
        self.news.set()

    def _forget(self, nick: str) -> None:
        if not any(self.fold(nick) in room.people for room in self.rooms.values()):
            self.people.pop(self.fold(nick), None)
            self._hearing.names.gone(nick)
        if self.fold(nick) == self.fold(self._settings.nick) and not self._is_us(nick):
            self._say("NICK", self._settings.nick)

    def _renames(self, old: str, new: str) -> None:
        if self._is_us(old):
            self.nick = new
        before, after = self.fold(old), self.fold(new)
        person = self.people.pop(before, None) or Person(new)
        person.nick = new
        self.people[after] = person
        for room in self.rooms.values():
            if before in room.people:
                room.people.discard(before)
                room.people.add(after)
        self._hearing.names.renamed(old, new)
        if before == self.fold(self._settings.nick) and not self._is_us(new):
            self._say("NICK", self._settings.nick)

    def _does(self, nick: str, doing: str, at: Millis, target: str | None) -> None:
        room = None if target is None else target if self._is_room(target) else ""
        self._hearing.does(nick, doing, at, room)
        self.news.set()

    # -- what is refused --------------------------------------------------------

    def _refusal(self, number: str, line: Line) -> None:
        about = self.fold(line.param(1))
        for sending in self.sendings:
            if number in REFUSED and self.fold(sending.target) == about and sending.refused is None:
                sending.refused = number, line.words
                return
        if number in JOINING and (room := self.rooms.get(about)) is not None and not room.inside:
            room.trouble = JOINING[number]
            self.news.set()


def _stamp(at: Millis) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at % 1000:03}Z"


__all__ = ["JOINING", "REFUSED", "Person", "Room", "Sending", "Session"]
