"""IRC: rooms in which people ask the desk by name, and private talks.

Importing this costs next to nothing, and there is no library behind it. A room tells what happens
while we are there; where the server keeps an archive (IRCv3 chathistory, or one that is replayed
to whoever joins), what was said while we were away is heard afterwards.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from channels.irc.settings import Settings
from desk.capabilities import Capabilities, Rate
from desk.channel import (
    Batch,
    ChannelError,
    Item,
    Outgoing,
    Part,
    Permanent,
    Phase,
    RateLimited,
    Retry,
    Sent,
    Unknown,
)
from desk.lengths import BYTES
from desk.model import Identity, Millis

if TYPE_CHECKING:
    from channels.irc.hearing import Hearing
    from channels.irc.session import Session
    from channels.kit.buckets import Buckets

LINES = 8
"""So many lines are one part; what others have to say comes in between."""
MOST_BYTES = 6000
"""A longer answer does not belong into a room."""
SECONDS_A_LINE = 2.0
"""What servers allow in the long run (RFC 1459, 8.10)."""


class Irc:
    """One nick on one network: poller, stream and sender."""

    def __init__(self, name: str, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self.name = name
        self._settings, self._clock = settings, clock
        self._hearing: Hearing | None = None
        self._session: Session | None = None
        self._opening = asyncio.Lock()
        self._speaking = asyncio.Lock()
        self._buckets: Buckets | None = None
        self._handed: list[Item] = []
        self._number = 0
        self._cursor = ""
        self._told = ""
        self._reading = False

    @property
    def capabilities(self) -> Capabilities:
        """What a room can carry."""
        return Capabilities(
            kinds=("irc",), public=True, private=True, may_start=True, live=True, typing=True, presence=True,
            text_limit=MOST_BYTES, unit=BYTES, rates=self._rates,
        )  # fmt: skip

    @property
    def _rates(self) -> tuple[Rate, ...]:
        return (Rate("lines", self._settings.burst, self._settings.burst * SECONDS_A_LINE),)

    @property
    def addresses(self) -> Sequence[Identity]:
        """Our nick."""
        return (Identity("irc", self._settings.us, self._settings.nick),)

    # -- in ---------------------------------------------------------------------

    async def poll(self, cursor: str | None) -> AsyncIterator[Batch]:
        """What was said since; raises what ended the connection."""
        hearing = self._ears()
        self._reading = True
        if cursor and not hearing.began:
            self._number = hearing.go_on(cursor)
        session = await self._ready()
        await session.enter()
        session.news.clear()
        self._handed += hearing.take(self._now())
        troubles = "; ".join(session.troubles)
        if self._handed or troubles != self._told:
            self._number += 1
            self._cursor, self._told = hearing.cursor(self._number), troubles
            yield Batch(tuple(self._handed), self._cursor)

    async def confirm(self, batch: Batch) -> None:
        """What was handed out is safe; says which rooms we are not in."""
        if batch.cursor == self._cursor:
            self._handed.clear()
        if self._told:
            raise Permanent(f"not everything is heard: {self._told}")

    async def wait(self, seconds: float) -> None:
        """Return when somebody has said something, and paused."""
        try:
            await self._listen(seconds)
        except asyncio.CancelledError:
            # Another relay is about to read here, under the nick that we have.
            self._reading = False
            await self.close()
            raise

    async def _listen(self, seconds: float) -> None:
        ends = time.monotonic() + seconds
        session = self._session
        while session is not None and session.failure is None and (left := ends - time.monotonic()) > 0:
            due = self._ears().due_s(self._now())
            if due == 0.0 or (session.news.is_set() and "; ".join(session.troubles) != self._told):
                return
            session.news.clear()
            try:
                async with asyncio.timeout(min(left, due) if due is not None else left):
                    await session.news.wait()
            except TimeoutError:
                continue
        if session is None:
            await asyncio.sleep(seconds)

    def _ears(self) -> Hearing:
        if self._hearing is None:
            from channels.irc.hearing import Hearing

            self._hearing = Hearing(self._settings)
        return self._hearing

    def _now(self) -> Millis:
        return round(self._clock() * 1000)

    async def _ready(self) -> Session:
        """The connection; raises what ended the last one, once."""
        async with self._opening:
            if (session := self._session) is not None:
                if session.failure is None:
                    return session
                self._session = None
                await session.close()
                raise session.failure
            self._session = await self._opened()
            return self._session

    async def _opened(self, *, alone: bool = False) -> Session:
        from channels.irc.hearing import Hearing
        from channels.irc.session import Session

        settings = self._settings
        secret = await asyncio.to_thread(settings.resolve, settings.account) if settings.given else None
        session = Session(settings, Hearing(settings) if alone else self._ears(), self._now)
        try:
            await session.open(secret, insist=not alone)
        except BaseException:
            await session.close()
            raise
        return session

    # -- out --------------------------------------------------------------------

    def render(self, draft: Outgoing) -> Sequence[Part]:
        """The lines to say; the same draft gives the same lines."""
        from channels.irc.hearing import conversation, taken_apart
        from channels.irc.texts import lines, room
        from channels.kit.texts import check_files, pieces

        check_files(draft, self.capabilities)
        pieces(draft, self.capabilities)
        place, key = taken_apart(draft.conversation) if draft.conversation else ("", "")
        if not key:
            known = [person for person in draft.to if person.kind == "irc"]
            if not known:
                raise Permanent("nobody in this message is on IRC: answer by mail")
            key = known[0].value
        if draft.private:
            place = ""
        if any(c.isspace() or c in ",:" for c in place + key):
            raise Permanent(f"{conversation(place, key)} is no conversation of this network")
        said = lines(draft.text, room(self._settings.nick, place or "x" * 32))
        if not said:
            raise Permanent("there is nothing to say in this answer")
        answers = draft.answers if draft.answers and " " not in draft.answers else ""
        parts = [said[start : start + LINES] for start in range(0, len(said), LINES)]
        return [
            Part(
                json.dumps({"to": conversation(place, key), "lines": part, "answers": answers}).encode(),
                tuple(person.value for person in draft.to),
                draft.automatic,
            )
            for part in parts
        ]

    async def send(self, part: Part, key: str, phase: Phase) -> Sent:
        """Say the lines, and wait until the server has passed them on or said why not."""
        from channels.irc.hearing import taken_apart
        from channels.irc.session import REFUSED, Sending

        what = json.loads(part.data)
        place, person = taken_apart(what["to"])
        async with self._speaking, self._voice() as session:
            target, said = self._addressed(session, place, person, what["lines"])
            sending = Sending(target, said)
            buckets = self._bucket()
            await buckets.take("lines")
            await phase("data")
            if session.failure is not None:
                raise Retry(str(session.failure))
            session.sendings.append(sending)
            tags = (
                {"+draft/reply": what["answers"]}
                if what["answers"] and "message-tags" in session.capabilities
                else None
            )
            try:
                for number, line in enumerate(said):
                    if number:
                        await self._room_for_more(buckets)
                    session.say("NOTICE" if part.automatic else "PRIVMSG", target, line, tags if not number else None)
                    if sending.refused:
                        break
                await session.sync()
            except ChannelError as error:
                raise Unknown(f"the connection broke off while it was said ({error}); it may have been heard") from None
            finally:
                session.sendings.remove(sending)
        if sending.refused:
            code, words = sending.refused
            raise Permanent(f"{target}: {REFUSED[code]} ({words})")
        self._ears().spoken_to(what["to"], self._now())
        return Sent(sending.ids[0] if sending.ids else f"{what['to']} {key}", conversation=what["to"])

    @asynccontextmanager
    async def _voice(self) -> AsyncIterator[Session]:
        """The connection that listens; where another relay does that, one beside it that takes nobody's nick."""
        if self._reading:
            yield await self._ready()
            return
        session = await self._opened(alone=True)
        try:
            yield session
        finally:
            await session.close()

    def _addressed(self, session: Session, place: str, person: str, lines: list[str]) -> tuple[str, list[str]]:
        """To whom the lines go, and the lines, the first one with the name of whom it answers."""
        nick = session.shown(self._ears().names.nick(person))
        if not place:
            return nick, lines
        room = session.room(place)
        if room is None:
            raise Permanent(f"we are not meant to be in {place}: add it to rooms, or answer in private")
        if not room.inside:
            raise Permanent(f"we are not in {place}: {room.trouble or 'it has not let us in'}")
        if session.fold(nick) not in room.people:
            if session.split(nick):
                raise Retry(f"{nick} is on the other side of a netsplit", 60.0)
            raise Permanent(f"{nick} is not in {place} any more: answer when they are back, or in private")
        return room.name, [f"{nick}: {lines[0]}", *lines[1:]]

    def _bucket(self) -> Buckets:
        if self._buckets is None:
            from channels.kit.buckets import Buckets

            self._buckets = Buckets(self._rates)
        return self._buckets

    async def _room_for_more(self, buckets: Buckets) -> None:
        """The rest of what has begun is said in any case, however slowly."""
        while True:
            try:
                return await buckets.take("lines")
            except RateLimited as patience:
                await asyncio.sleep(patience.after_s or SECONDS_A_LINE)

    async def archive(self, part: Part) -> None:
        """What is said in a room needs no copy."""

    # -- the rest ---------------------------------------------------------------

    async def check(self) -> Sequence[str]:
        """Log in, enter the rooms, and say what was found."""
        settings = self._settings
        own = self._session is None or self._session.failure is not None
        session = await self._opened(alone=True) if own else self._session
        assert session is not None
        try:
            said = [
                f"{settings.host}: there as {session.nick}"
                + (f", logged in as {settings.account}" if settings.given else "")
            ]
            if session.nick != settings.nick:
                said.append(f"{settings.nick} is taken: by the desk's own relay, if it is running")
            for room in session.rooms.values():
                people = len(room.people) - 1
                said.append(
                    f"{room.name}: {people} people" if room.inside else f"{room.name}: {room.trouble or 'no answer'}"
                )
            archive = session.capabilities & {"draft/chathistory", "chathistory"}
            said.append(
                "what is said while we are away is heard afterwards"
                if archive
                else "what is said while we are away is lost, unless the server replays it"
            )
            return said
        finally:
            if own:
                await session.close()

    async def close(self) -> None:
        """Leave."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()


def open(name: str, settings: Settings) -> Irc:
    """The account `name`, not yet connected."""
    return Irc(name, settings)


__all__ = ["Irc", "Settings", "open"]
