"""IMAP on the wire: aioimaplib's protocol with a reader that can be neither hung nor flooded.

The library's own reader (2.0.3, pinned for this) recurses for every line, changes some
of them, and leaves commands waiting for ever when the connection is lost. Here
responses are framed in a loop and handed on whole, one command runs at a time, and
whatever interrupts it (loss, silence, cancellation) ends the connection, because the
rest of the answer may still be on its way.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections import deque
from collections.abc import Iterable
from typing import Any

from aioimaplib import aioimaplib as library

from channels.email.replies import Refused, Response, words

OVERHEAD_BYTES = 128
"""What keeping a piece of a response costs beside its bytes: also a flood of nothings is a flood."""
ANSWER_BYTES = 16 * 1024 * 1024
"""The most that an answer without messages may hold: a SEARCH that names a million."""
IDLE_BYTES = 1024 * 1024
"""The most that a server may have to say while we wait: more is noise, and listening to it is work."""
PATIENCE = 20
"""A command may take so many times the timeout as long as something keeps arriving."""

_LITERAL = re.compile(rb"\{(\d{1,12})\+?\}$")
_STATUS = re.compile(rb"\* (?:OK|NO|BAD|BYE|PREAUTH)\b", re.IGNORECASE)
_NEWS = re.compile(rb"\d+ (?:EXISTS|RECENT)\b|STATUS ", re.IGNORECASE)
_VALIDITY = re.compile(rb"OK \[UIDVALIDITY (\d+)\]", re.IGNORECASE)
_TAGGED = re.compile(rb"([A-Za-z0-9]+) (?:OK|NO|BAD)\b", re.IGNORECASE)


class Exchange(library.Command):  # type: ignore[misc]  # the library has no types
    """One command, the answers to the server's continuation requests, and the responses so far.

    Secrets and messages belong in `answers`: the command's own arguments are logged.
    """

    def __init__(self, name: str, tag: str, *args: str, answers: Iterable[bytes] = (), **options: Any) -> None:
        super().__init__(name, tag, *args, **options)
        self.answers = deque(answers)
        self.responses: list[Response] = []
        self.size_bytes = 0

    def take(self, response: Response) -> None:
        """Keep an untagged response."""
        self.responses.append(response)

    def limit(self, fetched_bytes: int) -> int:
        """The most that all responses may hold, where messages that are fetched may hold `fetched_bytes`."""
        return fetched_bytes if self.name == "FETCH" else min(fetched_bytes, ANSWER_BYTES)

    def fail(self, exc: Exception) -> None:
        """Wake up whoever waits for this command, with an error."""
        if not self._event.is_set():
            self._timer.cancel()
            self._exception = exc
            self._event.set()

    def progress(self) -> None:
        """Something arrived: start the timeout again."""
        if not self._event.is_set():
            self._reset_timer()


class Idle(Exchange):
    """IDLE: `accepted` once the server listens, `stirred` when it has news (`news`) or ends it."""

    def __init__(self, tag: str, **options: Any) -> None:
        super().__init__("IDLE", tag, **options)
        self.accepted = asyncio.Event()
        self.stirred = asyncio.Event()
        self.news = False

    def take(self, response: Response) -> None:
        """Mark news, of this folder or (RFC 5465) of another; "still here" and changed flags are none."""
        if _NEWS.match(response[0]):
            self.news = True
            self.stirred.set()

    def limit(self, fetched_bytes: int) -> int:
        """Nothing is kept here, but a flood is a flood."""
        return min(fetched_bytes, IDLE_BYTES)

    def close(self, line: bytes, result: str) -> None:
        """The server ends it."""
        super().close(line, result)
        self._over()

    def fail(self, exc: Exception) -> None:
        """The connection ends it."""
        super().fail(exc)
        self._over()

    def progress(self) -> None:
        """No timeout runs while the server has nothing to say."""

    def _over(self) -> None:
        self.accepted.set()
        self.stirred.set()


class Wire(library.IMAP4ClientProtocol):  # type: ignore[misc]
    """The connection; `limit_bytes` is the most that messages fetched by one command may hold."""

    transport: Any
    pending_sync_command: Exchange | None

    def __init__(self, loop: asyncio.AbstractEventLoop, timeout_s: float, limit_bytes: int) -> None:
        super().__init__(loop)
        self.timeout_s = timeout_s
        self.limit_bytes = limit_bytes
        self.reason = ""
        self._validity = b""
        self._buffer = bytearray()
        self._parts: Response = []
        self._parts_bytes = 0
        self._literal: int | None = None
        self._scanned = 0
        self._sealed = False
        self.greeting = self.exchange("NOOP")
        self.pending_sync_command = self.greeting

    @property
    def closed(self) -> bool:
        """True once the connection is of no more use."""
        return bool(self.reason) or self.transport is None or self.transport.is_closing()

    def exchange(self, name: str, *args: str, **options: Any) -> Exchange:
        """A new command; `timeout` is how long the server may be silent."""
        options.setdefault("timeout", self.timeout_s)
        return Exchange(name, self.new_tag(), *args, loop=self.loop, **options)

    async def run(self, command: Exchange) -> list[Response]:
        """Send `command` and wait for its end; Refused when the server says no."""
        self.begin(command)
        await self.finish(command)
        result, lines = command.response
        if result.upper() != "OK":
            raise Refused(command.name, lines[-1])
        return command.responses

    def begin(self, command: Exchange) -> None:
        """Send `command`."""
        if self.closed:
            raise library.Abort(self.reason or "not connected")
        if self.pending_sync_command is not None:
            raise library.Abort("two commands at a time")
        known = library.Commands.get(command.name)  # NOTIFY is younger than the library
        if known is not None and self.state not in known.valid_states:
            raise library.Abort(f"{command.name} makes no sense now")
        self.pending_sync_command = command
        self.send(str(command))

    async def finish(self, command: Exchange) -> None:
        """Wait for the end of `command`; anything else than its end spoils the connection."""
        try:
            async with asyncio.timeout(self.timeout_s * PATIENCE):
                await command.wait()
        except library.CommandTimeout:
            self.break_off(f"no answer within {self.timeout_s:g} seconds")
            raise library.Abort(self.reason) from None
        except BaseException:
            self.break_off("interrupted")
            raise

    async def start_tls(self, context: ssl.SSLContext, host: str) -> None:
        """Go on encrypted, from the next byte on."""
        await self.run(self.exchange("STARTTLS"))
        try:
            self.transport = await self.loop.start_tls(
                self.transport, self, context, server_hostname=host, ssl_handshake_timeout=self.timeout_s
            )
        except BaseException:
            self.break_off("no TLS")
            raise
        self._sealed = False

    def break_off(self, reason: str) -> None:
        """End the connection at once and whatever waits for it; never raises."""
        self.reason = self.reason or reason
        self.state = library.LOGOUT
        if self.transport is not None:
            self.transport.abort()
        command, self.pending_sync_command = self.pending_sync_command, None
        if command is not None:
            command.fail(library.Abort(self.reason))

    # -- called by the event loop -------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """From now on the greeting is waited for."""
        super().connection_made(transport)
        self.greeting.progress()

    def data_received(self, data: bytes) -> None:
        """Take in what arrived; a reader that fails must not leave anybody waiting."""
        try:
            if self._sealed:
                raise library.Abort("it sent data between STARTTLS and TLS")
            self._buffer += data
            self._read()
        except Exception as exc:  # whatever the bytes did to us, it ends this connection only
            self.break_off(str(exc) or type(exc).__name__)
        else:
            if self.pending_sync_command is not None:
                self.pending_sync_command.progress()

    def connection_lost(self, exc: Exception | None) -> None:
        """The other side is gone."""
        self.break_off(str(exc or "the server closed the connection"))

    # -- framing ------------------------------------------------------------

    def _read(self) -> None:
        """Cut the buffer into responses: lines, each with the literals it announces."""
        buffer, at = self._buffer, 0
        try:
            while True:
                if self._literal is not None:
                    end = at + self._literal
                    if len(buffer) < end:
                        return
                    self._keep(bytes(memoryview(buffer)[at:end]))
                    at, self._literal = end, None
                end = buffer.find(b"\r\n", at + self._scanned)
                if end < 0:
                    # Look at no byte twice, or a long line costs its length squared.
                    self._scanned = max(0, len(buffer) - at - 1)
                    if self._scanned > ANSWER_BYTES:
                        raise library.Abort("it sent a line without an end")
                    return
                self._keep(bytes(memoryview(buffer)[at:end]))
                at, self._scanned = end + 2, 0
                self._literal = self._announced()
                if self._literal is None:
                    response, self._parts, self._parts_bytes = self._parts, [], 0
                    self._dispatch(response)
                    if self._sealed and at < len(buffer):
                        # Bytes that came in clear behind the STARTTLS answer would later
                        # count as sent under TLS (CVE-2011-0411).
                        raise library.Abort("it sent data between STARTTLS and TLS")
        finally:
            del buffer[:at]

    def _keep(self, part: bytes) -> None:
        self._parts.append(part)
        self._parts_bytes += len(part) + OVERHEAD_BYTES

    def _announced(self) -> int | None:
        """The length of the literal that the last line announces."""
        match = _LITERAL.search(self._parts[-1])
        # Only data can hold a literal: "* OK see {12}" is prose.
        if match is None or not self._parts[0].startswith(b"* ") or _STATUS.match(self._parts[0]):
            return None
        size, command = int(match[1]), self.pending_sync_command or self.greeting
        if size + self._parts_bytes > command.limit(self.limit_bytes):
            raise library.Abort(f"it sent {size} bytes at once")
        return size

    def _dispatch(self, response: Response) -> None:
        command, line = self.pending_sync_command, response[0]
        if command is not None and command is self.greeting:
            if not _STATUS.match(line):
                raise library.Abort("this is no IMAP server")
            self.pending_sync_command = None
            self.state = library.NONAUTH
            word, _, text = line[2:].partition(b" ")
            command.close(text, word.decode().upper())
        elif line.startswith(b"* "):
            response[0] = line[2:]
            self._untagged(command, response)
        elif line.startswith(b"+"):
            self._continue(command)
        elif tagged := _TAGGED.match(line):
            if command is None or tagged[1].decode() != command.tag:
                raise library.Abort("it answered a command that nobody gave")
            self._response_done(line)
            self._sealed = command.name == "STARTTLS" and command.response.result == "OK"
        elif line:
            raise library.Abort("it sent something that is not IMAP")

    def _untagged(self, command: Exchange | None, response: Response) -> None:
        if response[0][:4].upper() == b"BYE ":
            self.reason = f"the server said goodbye: {words(response[0][4:])}"
        if match := _VALIDITY.match(response[0]):
            if match[1] != self._validity and not (command and command.name == "SELECT"):
                raise library.Abort("it exchanged the folder while it was open")
            self._validity = match[1]
        if command is not None:
            command.take(response)
            command.size_bytes += sum(map(len, response)) + OVERHEAD_BYTES * len(response)
            if command.size_bytes > (limit := command.limit(self.limit_bytes)):
                raise library.Abort(f"it sent over {limit} bytes in answer to {command.name}")

    def _continue(self, command: Exchange | None) -> None:
        if isinstance(command, Idle):
            command.accepted.set()
        elif command is not None and (command.answers or command.name == "AUTHENTICATE"):
            # Out of answers, XOAUTH2 wants an empty line before it says no.
            self.transport.write((command.answers.popleft() if command.answers else b"") + b"\r\n")
