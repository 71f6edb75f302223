"""Getting messages off the server, so that no single one can hold up the others."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from channels.email import cursor as cursors
from channels.email.cursor import Place
from channels.email.replies import Fetched, Refused
from channels.email.settings import MIB, Settings
from channels.kit.mail import notes
from desk.channel import ChannelError, RateLimited, Raw, Retry

if TYPE_CHECKING:
    from channels.email.imap import Imap

BATCH_BYTES = 4 * MIB
HEADS = 500
"""Sizes asked for at a time: servers limit the length of a command, and this is 5 kB at worst."""
TRIES = 3
"""So often a message that breaks the connection is tried whole, then as often its header alone."""


class Work(Protocol):
    """Lends the connection, with a folder open as a place knows it."""

    def __call__(self, folder: str, place: Place) -> AbstractAsyncContextManager[Imap]:
        """The connection, for one task at a time."""


class Fetcher:
    """Fetches messages in pieces of a bounded size, and with care after trouble."""

    def __init__(self, settings: Settings, work: Work) -> None:
        self._settings = settings
        self._work = work
        self._tries: Counter[str] = Counter()
        self._careful = 0  # so many messages are to be fetched one by one

    async def heads(self, folder: str, place: Place, uids: Sequence[int]) -> list[Fetched]:
        """Size and time of arrival, asked for before anything large is."""
        async with self._work(folder, place) as imap:
            heads = await imap.fetch(uids, "RFC822.SIZE INTERNALDATE")
        # One without an answer is either gone or odd: fetching it will tell.
        return [heads.get(uid) or Fetched(uid) for uid in uids]

    def groups(self, heads: Iterable[Fetched]) -> Iterator[list[Fetched]]:
        """Cut into pieces of `batch` messages and 4 MiB; single ones after trouble, so that one cannot hold up the rest."""
        group: list[Fetched] = []
        weight = 0
        for head in heads:
            size = min(head.size, self._settings.max_message_bytes)
            full = len(group) >= self._settings.batch or weight + size > BATCH_BYTES
            if group and (self._careful or full):
                yield group
                group, weight = [], 0
            group.append(head)
            weight += size
        if group:
            yield group

    async def fetch(
        self, folder: str, place: Place, group: Sequence[Fetched]
    ) -> tuple[tuple[Raw, ...], ChannelError | None]:
        """The messages of one group; with a failure, those before it."""
        items: list[Raw] = []
        try:
            async with self._work(folder, place) as imap:
                bodies = await self._together(imap, group)
                for head in group:
                    name = cursors.name(folder, place.version, head.uid)
                    data = bodies[head.uid] if head.uid in bodies else await self._single(imap, folder, name, head)
                    if data is not None:
                        items.append(Raw(name, data, _arrival(head.at)))
        except Retry as failure:
            if not isinstance(failure, RateLimited):
                self._careful = max(self._careful, len(group))
            return tuple(items), failure
        self._careful = max(0, self._careful - len(group))
        return tuple(items), None

    async def _together(self, imap: Imap, group: Sequence[Fetched]) -> dict[int, bytes | None]:
        """What one command brings of a group, and None for those that are gone meanwhile."""
        if len(group) == 1:
            return {}
        whole = [head.uid for head in group if head.size <= self._settings.max_message_bytes]
        found = await imap.fetch(whole, "BODY.PEEK[]")
        bodies: dict[int, bytes | None] = {uid: one.body for uid, one in found.items() if _whole(one)}
        if missing := [uid for uid in whole if uid not in bodies]:
            # Others may remove or move messages at any time; hundreds at once are one question.
            there = await imap.still_there(missing)
            bodies |= {uid: None for uid in missing if uid not in there}
        return bodies

    async def _single(self, imap: Imap, folder: str, name: str, head: Fetched) -> bytes | None:
        """One message that did not come with the others: whole, else its header, else a note; None when it is gone."""
        where = f'in the folder "{folder}" on {imap.host}'
        limit = self._settings.max_message_bytes
        # Counted beforehand: whatever happens to us over it has then been counted.
        self._tries[name] += 1
        whole = head.size <= limit and self._tries[name] <= TRIES
        body = None
        if self._tries[name] <= 2 * TRIES:
            try:
                found = (await imap.fetch([head.uid], "BODY.PEEK[]" if whole else "BODY.PEEK[HEADER]")).get(head.uid)
            except (Refused, RateLimited):
                self._tries[name] -= 1  # the server wants to rest: that is not the message's doing
                raise
            body = found.body if found and _whole(found) else None
            if body is None:
                await self._gone(imap, name, head.uid)
                return None
        del self._tries[name]
        if whole:
            return body
        return notes.instead(
            body or b"", notes.too_large(head.size, limit, where) if head.size > limit else notes.unreadable(where)
        )

    async def _gone(self, imap: Imap, name: str, uid: int) -> None:
        """Nothing came: fine when somebody removed it, else to be tried again."""
        if await imap.still_there([uid]):
            raise Retry(f"{imap.host} does not hand out the message {name}")
        self._tries.pop(name, None)


def _whole(found: Fetched) -> bool:
    """True for a message, also an empty one; Courier gives something of its own for one that was removed."""
    return found.body is not None and not found.body.startswith(notes.REMOVED)


def _arrival(at: datetime | None) -> int:
    """When the mail server got it; that is when the customer's waiting began."""
    now = time.time_ns() // 1_000_000
    return min(now, int(at.timestamp() * 1000)) if at else now
