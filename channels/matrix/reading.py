"""The way in: `/sync`, held open until something happens, and `/messages` for what it leaves out.

The cursor is the server's own token. What it answers behind one token is one answer, handed out in
batches that keep the old token until the last: broken off in the middle it comes again, under the
same names. (Client-Server API, "Syncing".)
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from msgspec.structs import replace

from channels.kit.http import segment
from channels.matrix.events import KIND, READ, Eye, File, Seen, read
from channels.matrix.homeserver import CLIENT, Homeserver, Url, listed, mapped
from channels.matrix.rooms import STATE, Room, Rooms
from channels.matrix.settings import Settings
from desk.channel import Activity, Batch, Edit, Inbound, Item, Permanent, RateLimited, Reaction, Receipt, Removal, Retry
from desk.model import Identity, Millis, State

TOGETHER, TOGETHER_BYTES = 100, 4 * 1024 * 1024
"""A batch is handed out with so many items, or so many bytes of files."""

LONGEST_S = 30.0
"""How long the server holds an answer back: proxies on the way often end what is silent for a minute."""

TIMELINE = 50
_PAGE = 100
_PAGES = 1_000
"""An outage of 100,000 events in one room; what is more than that is no conversation."""

_TRIES = 3

_REMEMBERED = 5_000


class Reading:
    """What is new on an account. `now` is Unix milliseconds."""

    def __init__(
        self,
        server: Homeserver,
        rooms: Rooms,
        settings: Settings,
        now: Callable[[], Millis] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._server, self._rooms, self._settings, self._now = server, rooms, settings, now
        self._since = ""
        self._behind: str | None = None
        """The cursor that `since` goes on from: where nothing happened, tokens pass that are not worth keeping."""
        self._ahead: tuple[str, dict[str, Any]] | None = None
        self._typing: dict[str, set[str]] = {}
        self._looked = False
        self._tried: dict[Url | None, int] = {}
        self._senders: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._reactions: OrderedDict[str, Reaction] = OrderedDict()

    # -- asking --------------------------------------------------------------

    async def poll(self, cursor: str | None) -> AsyncIterator[Batch]:
        """Everything behind `cursor`."""
        since = self._since if self._behind is not None and cursor == self._behind else _since(cursor)
        await self._rooms.prepare()
        if since and not self._looked:
            await self._rooms.invited(mapped(mapped((await self._waiting()).get("rooms")).get("invite")))
        self._looked = True
        found = self._ahead[1] if self._ahead and self._ahead[0] == since else None
        self._ahead = None
        if found is None and (found := await self._sync(since, 0.0)) is None:
            # It no longer knows the place (it was set up anew, or an old copy of it was put back): the
            # account is read as if for the first time, and what the desk has already is left out there.
            since, found = "", await self._sync("", 0.0)
        after = found.get("next_batch") if found else None
        if found is None or not isinstance(after, str):
            raise Retry(f"{self._server.host} did not say how far it told us")
        items: list[Item] = []
        size, news = 0, False
        async for item in self._told(found, since):
            items.append(item)
            news = True
            size += sum(len(blob.packed) for blob in item.blobs) if isinstance(item, Inbound) else 0
            if len(items) >= TOGETHER or size >= TOGETHER_BYTES:
                yield Batch(tuple(items), _cursor(since))
                items, size = [], 0
        await self._rooms.invited(mapped(mapped(found.get("rooms")).get("invite")))
        self._since = after
        if news or not since or self._rooms.trouble:
            self._behind = _cursor(after)
            yield Batch(tuple(items), self._behind)
        else:
            self._behind = cursor

    async def wait(self, seconds: float) -> None:
        """Return when something happened, or after `seconds`."""
        if not self._since:
            await asyncio.sleep(seconds)
            return
        if self._ahead is not None and self._ahead[0] == self._since:
            return
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            found = await self._sync(self._since, min(left, LONGEST_S))
            if found is None:
                return
            if found.get("rooms") or found.get("account_data"):
                self._ahead = (self._since, found)
                return
            # What else there was (keys that others sent to our session) would come again at once.
            self._since = str(found.get("next_batch") or self._since)

    async def _waiting(self) -> dict[str, Any]:
        """The invitations that wait: of each we are told once, and the process that was told may have ended."""
        nothing = {"not_types": ["*"]}
        wanted = {"account_data": nothing, "presence": nothing, "room": {"rooms": ["!none:invalid"]}}
        return await self._server.get("/sync", {"filter": json.dumps(wanted), "timeout": 0, "set_presence": "offline"})

    async def _sync(self, since: str, seconds: float) -> dict[str, Any] | None:
        """What happened behind `since`, as soon as something has; None when that place is not known there."""
        limit = TIMELINE if since else max(1, self._settings.backlog)
        wanted = {"filter": json.dumps(_filter(limit)), "timeout": int(seconds * 1000), "set_presence": "offline"}
        answer = await self._server.ask(
            "GET", f"{CLIENT}/sync", params=wanted | ({"since": since} if since else {}), accept=(400,),
            timeout_s=seconds + self._settings.timeout_s,
        )  # fmt: skip
        return answer.fields if answer.status != 400 else None

    # -- reading -------------------------------------------------------------

    async def _told(self, found: Mapping[str, Any], since: str) -> AsyncIterator[Item]:
        for event in listed(mapped(found.get("account_data")).get("events")):
            if mapped(event).get("type") == "m.direct":
                self._rooms.told_direct(mapped(event).get("content"))
        rooms = mapped(found.get("rooms"))
        for kind in ("join", "leave"):
            for name, told in mapped(rooms.get(kind)).items():
                async for item in self._room(name, mapped(told), since):
                    yield item

    async def _room(self, name: str, told: Mapping[str, Any], since: str) -> AsyncIterator[Item]:
        timeline = mapped(told.get("timeline"))
        events = [mapped(event) for event in listed(timeline.get("events"))]
        state = [mapped(event) for event in listed(mapped(told.get("state")).get("events"))]
        if timeline.get("limited") is True and since:
            older, members = await self._left_out(name, timeline.get("prev_batch"), since)
            events, state = older + events, state + members
        if not since:
            events = events[-self._settings.backlog :] if self._settings.backlog else []
        for event in (*state, *events):
            if event.get("type") == "m.room.member":
                person, content = event.get("state_key"), mapped(event.get("content"))
                self._rooms.called(name, person, content.get("displayname"))
                if person == self._settings.user:
                    self._rooms.placed(name, content)
            if event.get("type") in STATE:
                self._rooms.forget(name)
        passing = listed(mapped(told.get("ephemeral")).get("events")) if since else ()
        ephemeral = [mapped(event) for event in passing]
        if not (events or ephemeral):
            return
        room = await self._rooms.get(name)
        if not await self._rooms.reads(room):
            return
        for event in events:
            if event.get("type") == "m.room.tombstone" and since:
                await self._rooms.follow(event)
            if (item := await self._item(event, room)) is not None:
                yield item
        for event in ephemeral:
            for item in self._passing(event, room):
                yield item

    async def _left_out(
        self, room: str, before: object, since: str
    ) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
        """What happened between `since` and the beginning of a timeline that was cut, oldest first; and who said it."""
        found: list[Mapping[str, Any]] = []
        members: list[Mapping[str, Any]] = []
        wanted = json.dumps({"types": list(READ), "lazy_load_members": True})
        for _ in range(_PAGES):
            if not isinstance(before, str):
                break
            try:
                page = await self._server.get(
                    f"/rooms/{segment(room)}/messages",
                    {"dir": "b", "from": before, "to": since, "limit": _PAGE, "filter": wanted},
                )
            except Permanent:
                # We are no longer in it, and may not see more.
                break
            found += [mapped(event) for event in listed(page.get("chunk"))]
            members += [mapped(event) for event in listed(page.get("state"))]
            after = page.get("end")
            before = after if after != before else None
        return found[::-1], members

    async def _item(self, event: Mapping[str, Any], room: Room) -> Item | None:
        seen = read(event, room, Eye(self._settings.user, self._rooms.names(room.id), self._now()))
        if seen is None:
            return None
        told = seen.told
        if isinstance(told, Edit):
            # The server lets anybody say that they edit ("Validity of replacement events").
            return told if await self._sender(told.target, room) == event.get("sender") else None
        if isinstance(told, Reaction):
            if not await self._sender(told.target, room):
                return None
            _keep(self._reactions, told.external_id, told)
        elif isinstance(told, Removal) and (reaction := self._reactions.get(told.target)):
            return replace(reaction, external_id=told.external_id, received_at=told.received_at, gone=True)
        elif isinstance(told, Inbound) and told.sender:
            _keep(self._senders, (room.id, told.external_id), told.sender.value)
            if told.answers and not await self._sender(told.answers, room):
                # What was said in another room is another customer's.
                told = replace(told, answers=None)
            return await self._with_file(told, seen)
        return told

    async def _sender(self, target: str, room: Room) -> str:
        """Who said something in this room; "" when nobody did: anybody can name any event of any room."""
        if (room.id, target) not in self._senders:
            found = (await self._server.event(room.id, target)).get("sender")
            _keep(self._senders, (room.id, target), found if isinstance(found, str) else "")
        return self._senders[room.id, target]

    async def _with_file(self, told: Inbound, seen: Seen) -> Inbound:
        if seen.file is None:
            return told
        from channels.kit.texts import file

        try:
            data = await self._fetched(seen.file)
        except RateLimited:
            raise
        except (Permanent, Retry) as error:
            if isinstance(error, Retry) and not self._given_up(seen.file):
                raise
            line = f"[{seen.file.name} was not fetched: {error}. It is at {told.link}]"
            return replace(told, text=f"{told.text}\n{line}", visible=f"{told.visible}\n{line}")
        attachment, blob = file(seen.file.name, seen.file.content_type, data)
        return replace(told, attachments=(attachment,), blobs=(blob,))

    def _given_up(self, wanted: File) -> bool:
        """Whether a file was asked for often enough: it is not to hold up for ever what came behind it."""
        self._tried[wanted.url] = self._tried.get(wanted.url, 0) + 1
        return self._tried[wanted.url] >= _TRIES

    async def _fetched(self, wanted: File) -> bytes:
        limit = self._settings.attachment_limit_bytes
        if wanted.url is None:
            raise Permanent("it is encrypted end to end, or nowhere")
        if wanted.size > limit:
            raise Permanent(f"it has {wanted.size:,} bytes, and at most {limit:,} are taken in")
        return await self._server.download(wanted.url, limit)

    # -- what passes ---------------------------------------------------------

    def _passing(self, event: Mapping[str, Any], room: Room) -> list[Item]:
        content = mapped(event.get("content"))
        if event.get("type") == "m.typing":
            return self._typed({p for p in listed(content.get("user_ids")) if isinstance(p, str)}, room)
        if event.get("type") == "m.receipt" and not room.by_person:
            # Where each person has a conversation, who reads is not always who was answered.
            return [
                Receipt(self._now(), target, State.READ, through=True)
                for target, said in content.items()
                if any(person != self._settings.user for person in mapped(mapped(said).get("m.read")))
            ]
        return []

    def _typed(self, people: set[str], room: Room) -> list[Item]:
        people.discard(self._settings.user)
        before = self._typing.get(room.id, set())
        if people:
            self._typing[room.id] = people
        else:
            self._typing.pop(room.id, None)
        names = self._rooms.names(room.id)
        return [
            Activity(
                self._now(), Identity(KIND, person, names.get(person, "")),
                "typing" if person in people else "", room.place(person).key,
            )
            for person in sorted(people | before)
        ]  # fmt: skip


def _filter(limit: int) -> dict[str, Any]:
    """What is asked for, and nothing else ("Filtering")."""
    members = {"lazy_load_members": True, "include_redundant_members": True}
    nothing: dict[str, Any] = {"not_types": ["*"]}
    return {
        "account_data": {"types": ["m.direct"]},
        "presence": nothing,
        "room": {
            "account_data": nothing,
            "ephemeral": {"types": ["m.receipt", "m.typing"]},
            "state": {"types": ["m.room.member", *STATE], **members},
            "timeline": {"types": list(READ), "limit": limit, **members},
        },
    }


def _since(cursor: str | None) -> str:
    return str(json.loads(cursor)["since"]) if cursor else ""


def _cursor(since: str) -> str:
    return json.dumps({"since": since})


def _keep(kept: OrderedDict[Any, Any], name: object, value: object) -> None:
    kept[name] = value
    while len(kept) > _REMEMBERED:
        kept.popitem(last=False)


__all__ = ["Reading"]
