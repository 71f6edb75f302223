"""The second connection of a mailbox: it listens for news, and makes sure that nobody runs in circles.

IDLE tells of one folder, NOTIFY (RFC 5465) of all of them. A server that takes IDLE and
then tells of nothing (some Exchange servers do) costs no more than `poll_s`: that often
the folders are looked at whatever happens.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from channels.email.replies import Refused
from channels.email.settings import Settings
from desk.channel import Retry

if TYPE_CHECKING:
    from channels.email.imap import Imap

NEWS_EVERY_S = 0.5
"""A server that reports news without a pause, or without any, wakes us up no more often."""

log = logging.getLogger(__name__)


class Watch:
    """Waits for news in the first folder, where the server can in all; else the others are looked at every `poll_s`."""

    def __init__(self, settings: Settings, connect: Callable[[], Awaitable[Imap]]) -> None:
        self._settings = settings
        self._connect = connect
        self._imap: Imap | None = None
        self._read: dict[str, int] = {}
        self._woken = float("-inf")
        self._everywhere = False

    def read_up_to(self, folder: str, uid: int) -> None:
        """Everything up to `uid` is known: what is above it when we begin to listen is news."""
        self._read[folder] = uid

    async def wait(self, seconds: float) -> None:
        """Return when there may be news, or after `seconds`.

        Without IDLE, and when that connection does not hold, this is a pause of `poll_s`:
        what is wrong with the server is for the reading to say, and servers are never
        called in a tight loop.
        """
        loop = asyncio.get_running_loop()
        pause_until = loop.time() + min(seconds, self._settings.poll_s)
        try:
            if await self._listen(seconds):
                await asyncio.sleep(self._woken + NEWS_EVERY_S - loop.time())
                self._woken = loop.time()
                return
        except (Retry, Refused) as exc:
            log.info("waiting for news of %s: %s", self._settings.address, exc)
        await asyncio.sleep(pause_until - loop.time())

    def abort(self) -> None:
        """Hang up."""
        if self._imap is not None:
            self._imap.abort()
            self._imap = None

    async def _listen(self, seconds: float) -> bool:
        """Wait by IDLE; False at once where the server has no IDLE."""
        settings = self._settings
        folder = settings.folders[0]
        try:
            if self._imap is None or self._imap.closed:
                self._imap = await self._connect()
                box = await self._imap.select(folder)
                self._everywhere = await self._all_folders(self._imap)
                if box.uidnext - 1 > self._read.get(folder, box.uidnext):
                    return True
            if "IDLE" not in self._imap.capabilities:
                return False
            left = seconds if self._everywhere else min(seconds, settings.poll_s)
            while left > 0:
                turn = min(left, settings.idle_minutes * 60)
                if await self._imap.idle(turn):
                    break
                left -= turn
        except BaseException:
            self.abort()
            raise
        return True

    async def _all_folders(self, imap: Imap) -> bool:
        """Have the server tell of every folder, where it can; True when IDLE tells of all there is."""
        others = self._settings.folders[1:]
        if others and "NOTIFY" in imap.capabilities:
            with suppress(Refused):
                await imap.notify(others)
                return True
        return not others
