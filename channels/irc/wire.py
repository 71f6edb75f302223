"""A connection to an IRC server: lines out, lines in, and the end of it."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress

from channels.irc.lines import Line, read, written
from channels.irc.settings import Settings
from channels.kit.failures import reason
from desk.channel import Retry

LINE_BYTES = 16 * 1024
"""A longer line is left out: tags have 8191 bytes, what follows them 512."""
CONNECT_S = 20.0


class Wire:
    """One connection, open until somebody hangs up."""

    def __init__(self, host: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, timeout_s: float) -> None:
        self.host = host
        self._reader, self._writer, self._timeout_s = reader, writer, timeout_s
        self._buffer = bytearray()
        self._lines: deque[bytes] = deque()
        self._skipping = False

    async def line(self) -> Line:
        """The next line that is one; `Retry` when the connection ends or the server is silent for too long."""
        asked = False
        while True:
            while self._lines:
                if (found := read(self._lines.popleft())) is not None:
                    return found
            try:
                async with asyncio.timeout(self._timeout_s):
                    data = await self._reader.read(65536)
            except TimeoutError:
                if asked:
                    raise Retry(f"{self.host} has been silent for {2 * self._timeout_s:g} seconds") from None
                asked = True
                self.say("PING", "still-there")
                continue
            except OSError as exc:
                raise Retry(f"the connection to {self.host} broke off: {reason(exc)}") from None
            if not data:
                raise Retry(f"{self.host} closed the connection")
            asked = False
            self._take(data)

    def _take(self, data: bytes) -> None:
        self._buffer += data
        *whole, rest = self._buffer.split(b"\n")
        for one in whole:
            if not self._skipping and len(one) <= LINE_BYTES:
                self._lines.append(bytes(one))
            self._skipping = False
        if len(rest) > LINE_BYTES:
            self._skipping, rest = True, bytearray()
        self._buffer = bytearray(rest)

    def say(self, command: str, *params: str, tags: dict[str, str] | None = None) -> None:
        """Send a line; that the connection is gone is noticed by whoever listens."""
        if not self._writer.is_closing():
            self._writer.write(written(command, *params, tags=tags))

    @property
    def gone(self) -> bool:
        """True once nothing can be said any more."""
        return self._writer.is_closing() or self._reader.at_eof()

    async def close(self) -> None:
        """Say goodbye and hang up; never raises."""
        with suppress(Exception):
            self.say("QUIT", "closed")
            async with asyncio.timeout(1.0):
                await self._writer.drain()
        with suppress(Exception):
            self._writer.close()
            async with asyncio.timeout(1.0):
                await self._writer.wait_closed()
        with suppress(Exception):
            self._writer.transport.abort()


async def connect(settings: Settings) -> Wire:
    """Reach the server, encrypted as the settings say."""
    host, port = settings.address
    context = settings.tls_context()
    try:
        async with asyncio.timeout(min(CONNECT_S, settings.timeout_s)):
            reader, writer = await asyncio.open_connection(
                host, port, ssl=context, server_hostname=host if context else None
            )
    except OSError as exc:
        asked = "; does it speak TLS on that port?" if context and isinstance(exc, TimeoutError) else ""
        raise Retry(f"cannot reach {host}, port {port}: {reason(exc)}{asked}") from None
    return Wire(host, reader, writer, settings.timeout_s)


__all__ = ["Wire", "connect"]
