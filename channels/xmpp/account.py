"""One account: what came in is buffered and handed out, what goes out is followed until it is certain.

Messages come over the stream and, after an outage, from the archives of our server and of the rooms
(XEP-0313). The cursor says where we stand in each; both ways give a message the same name.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element

from msgspec import Struct, field

from channels.xmpp import names, writing, xml
from channels.xmpp.archive import Archive
from channels.xmpp.cursor import Since, Standing
from channels.xmpp.errors import refusal
from channels.xmpp.files import Files
from channels.xmpp.memory import Lately
from channels.xmpp.names import bare, external, resource
from channels.xmpp.reading import Read, Reader
from channels.xmpp.rooms import Rooms, doing, features
from channels.xmpp.settings import MIB, Settings
from desk.capabilities import Capabilities
from desk.channel import Activity, Batch, ChannelError, Inbound, Outgoing, Part, Permanent, Phase, Retry, Sent, Unknown
from desk.lengths import BYTES
from desk.model import DAY, Identity, Millis

if TYPE_CHECKING:
    from channels.xmpp.stream import Stream

TEXT_BYTES = 8000
"""A server takes stanzas of 10,000 bytes at least (RFC 6120, 13.12); a text leaves room for the rest."""

TOGETHER = 100

LIVELY, MOST = 500, 5_000
"""With so many messages waiting nobody is told who types, and with so many no more are taken."""

KNOWN, DEVICES = 2_000, 20
"""Of so many people it is known with how many devices they are there."""

MISSING = "XMPP needs a library that is not installed: run pip install 'deskhand[xmpp]'"


class _Came(Struct):
    """A stanza that was read: over which connection, and as the how-manieth there (None, 0: from an archive)."""

    read: Read
    stream: Stream | None = None
    number: int = 0


class _Owed(Struct):
    """A batch that was handed out and is not yet known to be safe."""

    number: int
    came: list[_Came] = field(default_factory=list)


class Account:
    """One account of the desk: poller, stream, sender, and attentive to who writes."""

    def __init__(self, name: str, settings: Settings, clock: Callable[[], Millis] | None = None) -> None:
        self.name = name
        self._settings = settings
        self._clock = clock or (lambda: time.time_ns() // 1_000_000)
        self._own = Identity("xmpp", settings.own, settings.name)
        self._rooms = Rooms(settings.passwords, settings.name)
        self._reader = Reader(self._own, self._rooms.all, lambda: self._archived)
        self._archive = Archive()
        self._files = Files(settings)
        self._lock = asyncio.Lock()
        self._stream: Stream | None = None
        self._archived, self._carbons = False, False
        self._standing = Standing()
        self._caught_up: set[str] = set()
        self._given: Lately[tuple[str, str], bool] = Lately(5000)
        self._buffer: deque[_Came] = deque()
        self._owed: deque[_Owed] = deque()
        self._news = asyncio.Event()
        self._quiet = True
        self._returned: dict[str, asyncio.Future[Element]] = {}
        self._echoes: dict[str, asyncio.Future[str]] = {}
        self._devices: Lately[str, set[str]] = Lately(KNOWN)

    @property
    def capabilities(self) -> Capabilities:
        """What chats and rooms can carry."""
        return Capabilities(
            kinds=("xmpp",),
            threads=True,
            markup="markdown",
            text_limit=TEXT_BYTES,
            unit=BYTES,
            splits=True,
            attachment_limit_bytes=(self._settings.max_file_mb or 20) * MIB,
            public=bool(self._settings.rooms),
            private=bool(self._settings.rooms),
            may_start=True,
            edits=True,
            deletes=True,
            reactions=True,
            receipts=True,
            typing=True,
            presence=True,
            live=True,
        )

    @property
    def addresses(self) -> Sequence[Identity]:
        """Our own address."""
        return [self._own]

    # -- in -----------------------------------------------------------------

    async def poll(self, cursor: str | None) -> AsyncIterator[Batch]:
        """What archives have behind `cursor`, then what came over the stream."""
        standing = self._standing = Standing.of(cursor)
        self._again()
        stream = await self._connected()
        await self._rooms.verify(stream)
        await self._rooms.enter(stream, {name: since.at for name, since in standing.at.items()})
        # Whatever was said between leaving a room and coming back is in its archive.
        self._caught_up -= self._rooms.entered
        self._rooms.entered.clear()
        rooms = self._rooms.all.values()
        archives = [""] * self._archived + [room.address for room in rooms if room.joined and room.archived]
        first = self._clock() - self._settings.history_d * DAY
        for archive in archives:
            # A room that joins an account which is read already has nothing to catch up with. All others stand
            # in the cursor from the first batch on, for it may be the last before a break.
            fresh = cursor is None or not archive
            standing.at.setdefault(archive, Since("", first if fresh else self._clock()))
        for archive in archives:
            if archive not in self._caught_up:
                async for batch in self._missed(stream, archive, standing):
                    yield batch
                self._caught_up.add(archive)
        for room in rooms:
            if room.joined:
                standing.at.setdefault(room.address, Since("", self._clock()))
        while came := self._buffered():
            for one in came:
                if (place := one.read.place) is not None and place.archive in self._caught_up:
                    standing.at[place.archive] = Since(place.id, place.at)
            yield await self._batch(came, standing)
        if cursor is None or self._rooms.troubles:
            yield await self._batch([], standing)

    async def _missed(self, stream: Stream, archive: str, standing: Standing) -> AsyncIterator[Batch]:
        """What an archive has behind where we stand in it."""
        since = standing.at[archive]
        if archive and since.id:
            # What is corrected or taken back next was said before; who said it is to be known.
            for result in await self._archive.until(stream, archive, since.at):
                self._reader.recall(result, self._rooms.all[archive])
        async for results, last in self._archive.after(stream, archive, since):
            came = [_Came(self._understood(result, archive)) for result in results]
            for one in came:
                if (place := one.read.place) is not None:
                    self._given[archive, place.id] = True
                    standing.at[archive] = Since(last, place.at)
            yield await self._batch(came, standing)

    def _understood(self, result: Element, archive: str) -> Read:
        try:
            return self._reader.archived(result, archive, self._clock())
        except Exception:  # a message that nobody foresaw must not keep those behind it
            logging.getLogger(__name__).exception("a message of the archive was not understood")
            return Read()

    def _again(self) -> None:
        """What was handed out and never confirmed is handed out once more."""
        if self._owed:
            again = [one for owed in self._owed for one in owed.came if one.stream is not None]
            self._buffer.extendleft(reversed(again))
            self._owed.clear()
            self._caught_up.clear()
            self._given = Lately(5000)

    def _buffered(self) -> list[_Came]:
        came: list[_Came] = []
        while self._buffer and len(came) < TOGETHER:
            one = self._buffer.popleft()
            place = one.read.place
            if place is None or (place.archive, place.id) not in self._given:
                came.append(one)
            elif one.read.receipt is not None:
                # The archive told it already; but only here it is known that somebody waits to hear of it.
                came.append(_Came(Read(place=place, receipt=one.read.receipt), one.stream, one.number))
        return came

    async def _batch(self, came: list[_Came], standing: Standing) -> Batch:
        standing.number += 1
        self._files.settled()
        whole = await asyncio.gather(*(self._files.fetched(one.read) for one in came))
        self._owed.append(_Owed(standing.number, came))
        return Batch(tuple(item for read in whole for item in read.told), standing.text())

    async def confirm(self, batch: Batch) -> None:
        """What is safe here need not be kept there, and whoever asked hears that it arrived."""
        number = Standing.of(batch.cursor).number
        while self._owed and self._owed[0].number <= number:
            for one in self._owed.popleft().came:
                stream = one.stream
                if stream is None or stream is not self._stream or not stream.alive:
                    continue
                if one.read.receipt is not None:
                    to, id = one.read.receipt
                    stream.tell(_signal(to, xml.element("received", xml.RECEIPTS, id=id)))
        if self._stream is not None and self._stream.alive:
            self._stream.acknowledge()
        if troubles := self._rooms.troubles:
            raise Permanent("; ".join(troubles))

    def _unsafe(self, stream: Stream) -> int | None:
        waiting = [*(one for owed in self._owed for one in owed.came), *self._buffer]
        return min((one.number for one in waiting if one.stream is stream), default=None)

    async def wait(self, seconds: float) -> None:
        """Return when something came, or after `seconds`; raises when the connection ended."""
        self._quiet = True
        stream = self._stream
        news = asyncio.ensure_future(self._news.wait())
        either: set[asyncio.Future[Any]] = {news} if stream is None else {news, stream.lost}
        try:
            await asyncio.wait(either, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            news.cancel()
        self._news.clear()
        if stream is None or self._buffer:
            return
        if self._quiet and not stream.lost.done():
            # Nothing for so long: only a question tells whether the server is still there.
            # A refusal is an answer, too.
            with suppress(Permanent):
                await stream.ask("get", xml.element("ping", xml.PING))
        if stream.lost.done():
            raise Retry(stream.lost.result())

    def _heard(self, stanza: Element) -> None:
        """A message came over the stream."""
        self._quiet = False
        self._rooms.heard(bare(stanza.get("from") or ""))
        if self._archive.heard(stanza, self._own.value):
            return
        id = stanza.get("id") or ""
        if stanza.get("type") == "error" and (waiting := self._returned.get(id)) is not None:
            if not waiting.done():
                waiting.set_result(stanza)
            return
        read = self._reader.live(stanza, self._clock())
        if (echo := self._echoes.get(id)) is not None and not echo.done():
            written = [item for item in read.told if isinstance(item, Inbound) and item.ours]
            if written:
                echo.set_result(written[0].external_id)
        self._keep(read)

    def _seen(self, presence: Element) -> None:
        """A presence came over the stream."""
        self._quiet = False
        sender, kind = presence.get("from") or "", presence.get("type") or ""
        troubles = len(self._rooms.troubles)
        stream = self._stream
        if (found := self._rooms.seen(presence)) is not None:
            room, nick, does, occupant = found
            who = self._reader.occupant(room, nick, occupant)
            if who != self._own:
                self._keep(Read((Activity(self._clock(), who, does, room.address),)))
        elif kind == "subscribe" and self._settings.accept_contacts and stream is not None:
            for answer in ("subscribed", "subscribe"):
                stream.tell(xml.element("presence", to=bare(sender), type=answer))
        elif kind in ("", "unavailable") and bare(sender) not in ("", self._own.value, *self._rooms.all):
            devices = self._devices.get(bare(sender)) or set()
            (devices.discard if kind or len(devices) >= DEVICES else devices.add)(resource(sender))
            self._devices[bare(sender)] = devices
            if kind and devices:
                return  # another device of theirs is still there
            does = "" if kind else doing(presence)
            self._keep(Read((Activity(self._clock(), Identity("xmpp", bare(sender)), does),)))
        if len(self._rooms.troubles) > troubles:
            self._news.set()

    def _keep(self, read: Read) -> None:
        if read.told or read.place is not None:
            stream = self._stream
            waiting = len(self._buffer)
            if waiting >= LIVELY and all(isinstance(item, Activity) for item in read.told):
                return
            if waiting >= MOST and stream is not None:
                # Nobody takes it in. What the server was not told to be safe it keeps, or its archive does.
                stream.fail(Retry(f"{MOST:,} messages wait until the store takes them"))
                return
            self._buffer.append(_Came(read, stream, stream.handled if stream is not None else 0))
            self._news.set()

    # -- out ----------------------------------------------------------------

    def render(self, draft: Outgoing) -> Sequence[Part]:
        """The texts of `draft` and its files, a part each."""
        return writing.render(draft, self.capabilities, self._rooms.all)

    async def send(self, part: Part, key: str, phase: Phase) -> Sent:
        """Put `part` on the wire, unless the archive shows that an earlier attempt at `key` arrived."""
        data = json.loads(part.data)
        id = names.outgoing(data["id"], key, f"{data['at']}/{data['n']}", alone=data["of"] == 1)
        stream = await self._connected()
        if (room := self._rooms.all.get(bare(data["to"]))) is not None and not room.joined:
            await self._rooms.enter(stream, {})
            if not room.joined:
                raise Retry(room.trouble or f"we are not in {room.address}")
        if (sent := await self._already(stream, data, id)) is not None:
            return sent
        stanza = await self._stanza(stream, data, id)
        try:
            return await self._deliver(stream, data, id, stanza, phase)
        except Unknown:
            # The archive may know what became of it. That it does not have it proves nothing.
            try:
                stream = await self._connected()
                await self._rooms.enter(stream, {})
                sent = await self._already(stream, data, id)
            except ChannelError:
                sent = None
            if sent is not None:
                return sent
            raise

    async def _stanza(self, stream: Stream, data: dict[str, Any], id: str) -> Element:
        to = writing.addressee(data, self._rooms.all)
        if (attached := data.get("file")) is not None:
            url = await self._files.put(stream, attached["name"], attached["type"], writing.content(attached))
            return writing.stanza(data, id, to, url, url=url)
        answers = data.get("answers")
        known = self._reader.client_id(answers) if answers else None
        answered = writing.reply(answers, self._rooms.all.get(bare(to)), known)
        return writing.stanza(data, id, to, data["body"], answered=answered)

    async def _deliver(self, stream: Stream, data: dict[str, Any], id: str, stanza: Element, phase: Phase) -> Sent:
        """Write the message and follow it: to our server, in a room until the room says it to us, too."""
        loop = asyncio.get_running_loop()
        returned = self._returned[id] = loop.create_future()
        echo = self._echoes[id] = loop.create_future()
        to = str(data["to"])
        try:
            await stream.hand_over(stanza, phase)
            if data["kind"] == writing.ROOM and not returned.done():
                any_of: set[asyncio.Future[Any]] = {echo, returned, stream.lost}
                await asyncio.wait(any_of, timeout=self._settings.timeout_s, return_when=asyncio.FIRST_COMPLETED)
            if returned.done():
                raise refusal(bare(to), returned.result())
            if data["kind"] != writing.ROOM:
                return Sent(external(self._own.value, id), conversation=to)
            if echo.done():
                return Sent(echo.result(), conversation=to)
            raise Unknown(f"{to} did not say it again to us; it may have gone out")
        finally:
            del self._returned[id], self._echoes[id]

    async def _already(self, stream: Stream, data: dict[str, Any], id: str) -> Sent | None:
        """What an archive shows of the message `id`: it went out at an earlier attempt."""
        to = str(data["to"])
        room = self._rooms.all.get(to)
        if not (room.archived if room is not None else self._archived):
            return None
        # Our clock and the server's may differ.
        at = int(data["at"]) - 5 * 60_000
        archive = room.address if room is not None else ""
        try:
            found = await self._archive.since(stream, archive, bare(to), at)
        except Permanent:
            return None  # an archive that we must not read tells nothing
        for result in found:
            for item in self._reader.archived(result, archive, self._clock()).told:
                if isinstance(item, Inbound) and item.ours and _has(result, id):
                    return Sent(item.external_id, conversation=to)
        return None

    async def archive(self, part: Part) -> None:
        """The server keeps what we send."""

    async def attend(self, conversation: str, *, seen: str | None = None, typing: bool = False) -> None:
        """Show that an agent has read up to `seen` (XEP-0333), or writes (XEP-0085)."""
        stream, room = self._stream, self._rooms.all.get(conversation)
        if stream is None or not stream.alive or (room is not None and not room.joined):
            return
        kind = writing.CHAT if room is None else writing.ROOM
        if seen is not None:
            author, named = names.taken_apart(seen)
            id = named if room is not None and room.archived else self._reader.client_id(seen)
            if id and author != self._own.value:
                stream.tell(_signal(conversation, xml.element("displayed", xml.MARKERS, id=id), kind))
        stream.tell(_signal(conversation, xml.element("composing" if typing else "paused", xml.CHAT_STATES), kind))

    # -- the connection -----------------------------------------------------

    async def _connected(self) -> Stream:
        """The connection, made when there is none; raises `Retry` or `AuthRequired`."""
        async with self._lock:
            if self._stream is not None:
                if self._stream.alive:
                    return self._stream
                await self._hang_up()
            try:
                # In a thread: it takes half a second, and the relay has other things to do.
                module = await asyncio.to_thread(importlib.import_module, "channels.xmpp.stream")
            except ImportError as error:
                raise Retry(MISSING if (error.name or "").startswith("slixmpp") else str(error)) from None
            password = await asyncio.to_thread(self._settings.resolve, self._settings.own)
            stream: Stream = module.Stream(self._settings, self._heard, self._seen, self._unsafe)
            self._stream = stream
            try:
                await stream.open(password)
                await self._greet(stream)
            except BaseException:
                await self._hang_up()
                raise
            return stream

    async def _greet(self, stream: Stream) -> None:
        """Learn what the server can do, ask for copies of what colleagues write, and be there."""
        answer = await stream.ask("get", xml.element("query", xml.DISCO_INFO), self._own.value)
        self._archived = xml.MAM in features(answer)
        # What comes back from the question behind it shows that the server knows we are there.
        stream.tell(xml.element("presence"))
        try:
            await stream.ask("set", xml.element("enable", xml.CARBONS))
        except Permanent:
            self._carbons = False  # there is no such thing here
        else:
            self._carbons = True

    async def _hang_up(self) -> None:
        stream, self._stream = self._stream, None
        self._rooms.left()
        self._devices = Lately(KNOWN)
        self._caught_up.clear()
        if stream is not None:
            await stream.close()

    async def check(self) -> Sequence[str]:
        """Log in, look at what the server can do, and enter the rooms."""
        stream = await self._connected()
        said = [f"{stream.host} lets {self._own.value} in ({stream.encrypted or 'not encrypted'})"]
        said.append(
            "the archive tells what was missed after an outage"
            if self._archived
            else "there is no archive: what is written while the relay is away comes only if the server keeps it"
        )
        said.append("a message counts as sent when the server acknowledges it" if stream.managed else "a message counts as sent when the server answers a question behind it")  # fmt: skip
        said.append(
            "what colleagues write with other clients is told, too"
            if self._carbons
            else "the server does not tell what colleagues write with other clients"
        )
        shelf = await self._files.shelf(stream)
        if shelf is None:
            said.append("the server keeps no files: replies go without attachments")
        else:
            said.append(f"files go over {shelf.address}" + (f", up to {shelf.limit:,} bytes" if shelf.limit else ""))
        await self._rooms.enter(stream, {})
        said += [f"in {r.address} as {r.nick}, {len(r.occupants)} there" for r in self._rooms.all.values() if r.joined]
        if troubles := self._rooms.troubles:
            raise Permanent("; ".join(troubles))
        return said

    async def close(self) -> None:
        """Hang up; never raises."""
        async with self._lock:
            try:
                await self._hang_up()
                await self._files.close()
            except Exception:  # nobody is left whom it could help
                self._stream = None


def _signal(to: str, inner: Element, kind: str = writing.CHAT) -> Element:
    """A message without words."""
    hint = xml.element("no-store" if inner.tag.startswith(f"{{{xml.CHAT_STATES}}}") else "store", xml.HINTS)
    return xml.element("message", xml.CLIENT, inner, hint, to=to, type=kind)


def _has(result: Element, id: str) -> bool:
    message = result.find(f"{{{xml.FORWARD}}}forwarded/{{{xml.CLIENT}}}message")
    return message is not None and message.get("id") == id


__all__ = ["MISSING", "Account"]
