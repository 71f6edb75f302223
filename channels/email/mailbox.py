"""Reading a mailbox: every message once, in order, and none lost on the way.

One connection works, a second one waits for news. Nothing on the server is changed
before the desk says that a batch is safe; then it is flagged or moved.

What is new is told by three numbers of a folder: UIDVALIDITY, UIDNEXT and how many
messages there are. CONDSTORE and QRESYNC (RFC 7162) would add which flags changed and
what was removed since; the desk follows neither, an expunge deletes nothing here, and
a mod-sequence also moves whenever somebody reads a message. So they are not asked for:
a folder whose three numbers are those of the last look is not even searched, and one
that is not open is asked for them by STATUS, which costs a huge folder as little.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from channels.email import cursor as cursors
from channels.email import replies
from channels.email.cursor import Cursor, Place
from channels.email.fetch import BATCH_BYTES, HEADS, Fetcher
from channels.email.owed import Owed
from channels.email.replies import Refused, Selected
from channels.email.settings import Settings
from channels.email.watch import Watch
from desk.channel import Batch, Permanent, Raw, Retry

if TYPE_CHECKING:
    from channels.email.imap import Imap

log = logging.getLogger(__name__)


class Mailbox:
    """The folders of one account."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = asyncio.Lock()
        self._imap: Imap | None = None
        self._watch = Watch(settings, self._connect)
        self._fetcher = Fetcher(settings, self._work)
        self._owed = Owed()
        self._places: dict[str, Place] = {}
        # How folders stood when they were read to their end, and the places that meant; a
        # cursor with another place was stored before that.
        self._read: dict[str, tuple[Selected, Place]] = {}

    # -- the way in ---------------------------------------------------------

    async def poll(self, cursor: str | None) -> AsyncIterator[Batch]:
        """Everything after `cursor`, folder by folder."""
        kept = Cursor.parse(cursor)
        self._places = kept.places
        self._owed.resume(kept.tail)
        await self._settle()
        trouble: Permanent | None = None
        for folder in self._settings.folders:
            try:
                async for batch in self._folder(folder, kept):
                    yield batch
            except Permanent as error:
                # A folder that is not there any more is no reason to leave the others unread.
                trouble = trouble or error
        if trouble:
            raise trouble

    async def _folder(self, folder: str, kept: Cursor) -> AsyncIterator[Batch]:
        """What is new in `folder`; `kept` goes along."""
        news = await self._news(folder, kept.places.get(folder))
        if news is None:
            return
        box, anew = news
        place = cursors.resume(kept.places.get(folder), box, self._settings.first, datetime.now(UTC).date(), anew=anew)
        handed_out = 0
        for low, high, only in place.windows(box):
            async for items, arrived in self._window(folder, box, place, low, high, only):
                handed_out += len(items)
                place = place.at(_uid(items[-1]), arrived).counted(len(items), box.exists + handed_out)
                kept.places[folder] = place
                kept.tail = self._handed_out(items)
                yield Batch(items, kept.text())
                del items  # they can be large, and the next are on their way
            if only and high:
                # Else the place only moves over messages that were seen, whatever UIDNEXT promises.
                place = place.at(high)
        self._watch.read_up_to(folder, max(place.uid, box.uidnext - 1))
        self._read[folder] = box, place
        if place != kept.places.get(folder):
            kept.places[folder] = place
            yield Batch((), kept.text())

    async def _news(self, folder: str, place: Place | None) -> tuple[Selected, bool] | None:
        """How `folder` stands, and whether its UIDs are given anew; None when it stands as it did when it was read to its end."""
        async with self._work() as imap:
            known, read = self._read.get(folder, (None, None))
            if read != place:
                known = None
            # The open folder itself is not to be asked by STATUS (RFC 3501, 6.3.10).
            if known is not None and imap.selected is not None and imap.selected[0] != folder:
                with suppress(Refused):
                    if await imap.status(folder) == known:
                        return None
            box = await _select(imap, folder)
            if box == known:
                return None
            anew = place is not None and await _counts_anew(imap, box, place)
        if anew:
            log.warning('the server counts the messages of "%s" anew: they are read again, and recognised', folder)
        return box, anew

    async def _window(
        self, folder: str, box: Selected, place: Place, low: int, high: int | None, only: str
    ) -> AsyncIterator[tuple[tuple[Raw, ...], int]]:
        """The messages with these UIDs, in pieces, with when the last arrived; whatever breaks off, first what came before it."""
        async with self._work(folder, place) as imap:
            found = await imap.search(f"UID {low}:{high or '*'} {only}".rstrip())
            # `*` is the last message, also one below `low`.
            uids = [uid for uid in found if low <= uid <= (high or uid)]
            if beyond := [uid for uid in uids if uid >= box.uidnext]:
                # The place is about to move there: only what can be had is believed to be there.
                there = await imap.fetch(beyond, "RFC822.SIZE")
                uids = [uid for uid in uids if uid < box.uidnext or uid in there]
        for at in range(0, len(uids), HEADS):
            for group in self._fetcher.groups(await self._fetcher.heads(folder, place, uids[at : at + HEADS])):
                items, failure = await self._fetcher.fetch(folder, place, group)
                if items:
                    last = next(head for head in group if head.uid == _uid(items[-1]))
                    yield items, int(last.at.timestamp()) if last.at else 0
                if failure:
                    raise failure
                del items

    def _handed_out(self, items: Sequence[Raw]) -> str:
        return self._owed.hand_out(item.external_id for item in items) if self._settings.after != "keep" else ""

    async def confirm(self, batch: Batch) -> None:
        """`batch` is safe here: flag or move its messages."""
        if self._settings.after != "keep":
            self._owed.keep(item.external_id for item in batch.items if isinstance(item, Raw))
            await self._settle()

    async def _settle(self) -> None:
        for folder, version, uids in self._owed.due():
            try:
                async with self._work() as imap:
                    await self._mark(imap, folder, version, uids)
            except Permanent:
                self._owed.done(folder, version, uids)
                raise
            self._owed.done(folder, version, uids)

    async def _mark(self, imap: Imap, folder: str, version: str, uids: Sequence[int]) -> None:
        place = self._places.get(folder)
        if place is None or place.version != version or not await _open(imap, folder, place):
            return  # the numbers mean other messages by now: better none than the wrong ones
        after = self._settings.after
        try:
            if after == "flag":
                await imap.flag(uids, r"\Seen")
            elif after == "move":
                await imap.move(uids, self._settings.move_to)
        except Refused as refused:
            if refused.temporary and not (refused.full and after == "move"):
                raise
            raise Permanent(
                f'{imap.host} does not let us {after} messages in "{folder}": {refused.words}; '
                'mend that, or set after = "keep"'
            ) from refused

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
                if refused.temporary and not refused.full:
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
            if settings.sent_folder and "X-GM-EXT-1" in imap.capabilities:
                said.append("Gmail keeps a copy of what it sends by itself: leave sent_folder empty")
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
                # While nobody looked, messages may have been exchanged for as many others.
                self._read.clear()
            imap = self._imap
            try:
                if place is not None and not await _open(imap, folder, place):
                    raise Retry(f'the folder "{folder}" was exchanged while it was read')
                yield imap
            except Refused as refused:
                raise replies.trouble(f"{imap.host} refused {refused}", refused.code) from refused
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


async def _open(imap: Imap, folder: str, place: Place) -> bool:
    """Have `folder` open; whether its UIDs are those of `place`."""
    known, box = imap.selected or ("", None)
    if known == folder and box is not None:
        return box.uidvalidity == place.uidvalidity
    box = await _select(imap, folder)
    return box.uidvalidity == place.uidvalidity and not await _counts_anew(imap, box, place)


async def _counts_anew(imap: Imap, box: Selected, place: Place) -> bool:
    """Whether the UIDs up to `place` mean other messages by now, under the UIDVALIDITY of before."""
    if place.uidvalidity != box.uidvalidity or not place.uid:
        return False
    if box.uidnext <= place.uid:
        # Some servers are behind with UIDNEXT: there is a message then where it promises none.
        return not box.exists or await imap.last() < place.uid
    if place.arrived and box.exists:
        found = (await imap.fetch([place.uid], "INTERNALDATE")).get(place.uid)
        if found is not None and found.at is not None:
            return int(found.at.timestamp()) != place.arrived
    if not 0 < place.following <= box.exists:
        return False
    uid = await imap.uid_of(place.following)
    return uid is not None and uid <= place.uid


def _uid(item: Raw) -> int:
    return int(item.external_id.rpartition("/")[2])
