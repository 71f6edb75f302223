"""Reading a mailbox: every message once, in order, and none lost on the way.

One connection works, a second one waits for news. Nothing on the server is changed
before the desk says that a batch is safe; then it is flagged or moved.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from channels.email import cursor as cursors
from channels.email import notes
from channels.email.cursor import Cursor, Place
from channels.email.replies import Fetched, Refused, Selected
from channels.email.settings import MIB, Settings
from channels.email.watch import Watch
from desk.channel import Batch, ChannelError, Permanent, Raw, Retry

if TYPE_CHECKING:
    from channels.email.imap import Imap

BATCH_BYTES = 4 * MIB
TRIES = 3
"""So often a message that breaks the connection is tried whole, then as often its header alone."""


class Mailbox:
    """The folders of one account."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = asyncio.Lock()
        self._imap: Imap | None = None
        self._watch = Watch(settings, self._connect)
        self._owed: dict[str, None] = {}  # batches that are safe here but were not confirmed there
        self._tries: Counter[str] = Counter()
        self._careful = 0  # so many messages are to be fetched one by one
        self._resumed = False

    # -- the way in ---------------------------------------------------------

    async def poll(self, cursor: str | None) -> AsyncIterator[Batch]:
        """Everything after `cursor`, folder by folder."""
        kept = Cursor.parse(cursor)
        if kept.tail and not self._resumed:
            # Perhaps the last process ended between the commit and its confirmation.
            self._owed[kept.tail] = None
        self._resumed = True
        await self._settle()
        for folder in self._settings.folders:
            async with self._work() as imap:
                box = await _select(imap, folder)
            place = cursors.resume(kept.places.get(folder), box, self._settings.first, datetime.now(UTC).date())
            for low, high, only in place.windows(box.uidnext):
                async with self._work(folder, place) as imap:
                    uids = [uid for uid in await imap.search(f"UID {low}:{high} {only}".rstrip()) if low <= uid <= high]
                for chunk in _chunks(uids, self._settings.batch):
                    for group in self._groups(await self._heads(folder, place, chunk)):
                        items, failure = await self._fetch(folder, place, group)
                        if items:
                            place = place.at(int(items[-1].external_id.rpartition("/")[2]))
                            kept.places[folder], kept.tail = place, cursors.tail(items)
                            yield Batch(items, kept.text())
                        if failure:
                            raise failure
                if only:
                    # Else the place only moves over messages that were seen, whatever UIDNEXT promises.
                    place = place.at(high)
            self._watch.read_up_to(folder, box.uidnext - 1)
            if place != kept.places.get(folder):
                kept.places[folder] = place
                yield Batch((), kept.text())

    async def confirm(self, batch: Batch) -> None:
        """`batch` is safe here: flag or move its messages."""
        items = tuple(item for item in batch.items if isinstance(item, Raw))
        if items and self._settings.after != "keep":
            self._owed[cursors.tail(items)] = None
            await self._settle()

    async def _settle(self) -> None:
        for owed in list(self._owed):
            try:
                async with self._work() as imap:
                    await self._mark(imap, *cursors.untail(owed))
            except Permanent:
                self._owed.pop(owed, None)
                raise
            self._owed.pop(owed, None)

    async def _mark(self, imap: Imap, folder: str, uidvalidity: int, uids: Sequence[int]) -> None:
        box = await _select(imap, folder)
        if box.uidvalidity != uidvalidity:
            return  # the numbers mean other messages by now: better none than the wrong ones
        after = self._settings.after
        try:
            if after == "flag":
                await imap.flag(uids, r"\Seen")
            elif after == "move":
                await imap.move(uids, self._settings.move_to)
        except Refused as refused:
            if refused.temporary:
                raise
            raise Permanent(
                f'{imap.host} does not let us {after} messages in "{folder}": {refused.words}; '
                'mend that, or set after = "keep"'
            ) from refused

    async def _heads(self, folder: str, place: Place, uids: Sequence[int]) -> dict[int, Fetched]:
        """Size and time of arrival, asked for before anything large is."""
        async with self._work(folder, place) as imap:
            heads = await imap.fetch(uids, "RFC822.SIZE INTERNALDATE")
        # One without an answer is either gone or odd: fetching it will tell.
        return {uid: heads.get(uid) or Fetched(uid) for uid in uids}

    def _groups(self, heads: dict[int, Fetched]) -> Iterator[list[Fetched]]:
        """Cut into pieces of at most 4 MiB; single ones after trouble, so that one message cannot hold up the rest."""
        group: list[Fetched] = []
        weight = 0
        for head in heads.values():
            size = min(head.size, self._settings.max_message_bytes)
            if group and (self._careful or weight + size > BATCH_BYTES):
                yield group
                group, weight = [], 0
            group.append(head)
            weight += size
        if group:
            yield group

    async def _fetch(
        self, folder: str, place: Place, group: Sequence[Fetched]
    ) -> tuple[tuple[Raw, ...], ChannelError | None]:
        """The messages of one group; with a failure, those before it."""
        items: list[Raw] = []
        limit = self._settings.max_message_bytes
        try:
            async with self._work(folder, place) as imap:
                whole = [head.uid for head in group if head.size <= limit]
                bodies = await imap.fetch(whole, "BODY.PEEK[]") if len(group) > 1 else {}
                for head in group:
                    found = bodies.get(head.uid)
                    data = found.body if found else None
                    name = cursors.name(folder, place.uidvalidity, head.uid)
                    if data is None:
                        data = await self._single(imap, folder, name, head)
                    if data is not None:
                        items.append(Raw(name, data, _arrival(head.at)))
        except Retry as failure:
            self._careful = max(self._careful, len(group))
            return tuple(items), failure
        self._careful = max(0, self._careful - len(group))
        return tuple(items), None

    async def _single(self, imap: Imap, folder: str, name: str, head: Fetched) -> bytes | None:
        """One message that did not come with the others: whole, else its header, else a note; None when it is gone."""
        where = f'in the folder "{folder}" on {imap.host}'
        limit = self._settings.max_message_bytes
        # Counted beforehand: whatever happens to us over it has then been counted.
        self._tries[name] += 1
        whole = head.size <= limit and self._tries[name] <= TRIES
        body = None
        if self._tries[name] <= 2 * TRIES:
            found = (await imap.fetch([head.uid], "BODY.PEEK[]" if whole else "BODY.PEEK[HEADER]")).get(head.uid)
            body = found.body if found else None
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
        if await imap.search(f"UID {uid}"):
            raise Retry(f"{imap.host} does not hand out the message {name}")
        self._tries.pop(name, None)

    # -- beside the way in --------------------------------------------------

    async def wait(self, seconds: float) -> None:
        """Return when there may be news, or after `seconds`."""
        await self._watch.wait(seconds)

    async def append(self, folder: str, data: bytes) -> None:
        """Keep a copy of `data` in `folder`."""
        async with self._work() as imap:
            try:
                await imap.append(folder, data)
            except Refused as refused:
                if refused.temporary:
                    raise
                raise Permanent(f'{imap.host} takes no copy in "{folder}": {refused.words}') from refused

    async def check(self) -> list[str]:
        """Log in, look at every folder of the settings, and say what was found."""
        settings = self._settings
        async with self._work() as imap:
            news = (
                "tells of news at once" if "IDLE" in imap.capabilities else f"is asked every {settings.poll_s} seconds"
            )
            said = [f"{imap.host}: logged in as {settings.imap_user}; {news}"]
            for folder in settings.folders:
                said.append(f'"{folder}" holds {(await _select(imap, folder)).exists} messages')
            for folder in filter(None, (settings.move_to, settings.sent_folder)):
                await _select(imap, folder)
                said.append(f'"{folder}" is there')
        return said

    async def close(self) -> None:
        """Hang up both connections; never raises."""
        self._watch.abort()
        imap, self._imap = self._imap, None
        if imap is not None:
            # In the middle of a command there is no time for a goodbye.
            if self._lock.locked():
                imap.abort()
            else:
                await imap.close()

    @asynccontextmanager
    async def _work(self, folder: str = "", place: Place | None = None) -> AsyncIterator[Imap]:
        """The working connection, for one task at a time; with `folder` open as `place` knows it."""
        async with self._lock:
            if self._imap is None or self._imap.closed:
                self._imap = await self._connect()
            imap = self._imap
            try:
                if place is not None:
                    known, box = imap.selected or ("", None)
                    if known != folder or box is None:
                        box = await _select(imap, folder)
                    if box.uidvalidity != place.uidvalidity:
                        raise Retry(f'the folder "{folder}" was exchanged while it was read')
                yield imap
            except Refused as refused:
                raise Retry(f"{imap.host} refused {refused}") from refused
            except Permanent:
                raise
            except BaseException:
                # Also a cancelled task: what it had asked for may still arrive.
                imap.abort()
                raise

    async def _connect(self) -> Imap:
        from channels.email.imap import connect  # the first connection pays for the import

        settings = self._settings
        return await connect(settings.imap, settings.imap_user, 2 * settings.max_message_bytes + 4 * BATCH_BYTES)


async def _select(imap: Imap, folder: str) -> Selected:
    """Open `folder`; when there is none, say which there are."""
    try:
        return await imap.select(folder)
    except Refused as refused:
        if refused.temporary:
            raise
        names = ", ".join(f'"{name}"' for name in (await imap.folders())[:30])
        raise Permanent(f'{imap.host} cannot open the folder "{folder}": {refused.words}; it has {names}') from refused


def _chunks(uids: Sequence[int], size: int) -> Iterable[Sequence[int]]:
    return (uids[at : at + size] for at in range(0, len(uids), size))


def _arrival(at: datetime | None) -> int:
    """When the mail server got it; that is when the customer's waiting began."""
    now = time.time_ns() // 1_000_000
    return min(now, int(at.timestamp() * 1000)) if at else now
