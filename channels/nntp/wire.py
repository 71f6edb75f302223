"""A connection to a news server: commands, answers, and texts that end with a dot (RFC 3977)."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Sequence
from contextlib import suppress

from msgspec import Struct

from channels.kit.failures import reason
from channels.kit.secrets import Secret
from channels.nntp.settings import MIB, Settings
from desk.channel import AuthRequired, ChannelError, Permanent, Retry

CONNECT_S = 20.0
GOODBYE_S = 1.0
OVERVIEW_BYTES = 32 * MIB
"""No answer that is not an article is read further than this."""
NUMBER = re.compile(r"[0-9]{1,18}")
"""What is one to us: signs that look like digits, and thousands of them, are none."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Reply(Struct, frozen=True):
    """What the server answered: its code, its words."""

    code: int
    words: str

    def __str__(self) -> str:
        return f"{self.code} {self.words}"


class TooLarge(Exception):
    """An article goes on beyond what is read of one; the connection is still good."""


class News:
    """A connection that is ready for commands, one at a time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.host = settings.host
        self._buffer = bytearray()
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self.capabilities: dict[str, str] = {}
        self._posting = True

    # -- coming and going -------------------------------------------------------

    async def open(self, secret: Secret | None) -> News:
        """Connect, encrypt, log in; raises `ChannelError` when the server does not want us."""
        settings = self._settings
        host, port = settings.place
        context = None if settings.tls == "none" else settings.tls_context()
        try:
            async with asyncio.timeout(min(CONNECT_S, settings.timeout_s)):
                self._reader, self._writer = await asyncio.open_connection(
                    host,
                    port,
                    ssl=context if settings.tls == "tls" else None,
                    server_hostname=host if settings.tls == "tls" else None,
                )
        except OSError as exc:
            raise Retry(f"cannot reach {host}, port {port}: {reason(exc)}") from None
        try:
            self._greeted(await self.reply())
            if settings.tls == "starttls":
                assert context is not None
                await self._start_tls(context)
            await self._learn()
            if secret is not None:
                await self._log_in(secret)
            if "MODE-READER" in self.capabilities or "READER" not in self.capabilities:
                self._greeted(await self.ask("MODE READER"))
                await self._learn()
        except BaseException:
            await self.close()
            raise
        return self

    def _greeted(self, reply: Reply) -> None:
        if reply.code not in (200, 201):
            if reply.code == 480:
                raise self.trouble(reply)
            words = f"{self.host} does not let us in: {reply}"
            raise Permanent(f"{words}; ask its operators") if reply.code == 502 else Retry(words, 60.0)
        self._posting = reply.code == 200

    @property
    def may_post(self) -> bool:
        """Whether the server lets us post: its greeting may speak of those who log in (RFC 3977, 5.1.2 and 5.2)."""
        return self._posting and ("POST" in self.capabilities or not self.capabilities)

    async def _start_tls(self, context: ssl.SSLContext) -> None:
        reply = await self.ask("STARTTLS")
        if reply.code != 382:
            raise Permanent(f'{self.host} offers no STARTTLS ({reply}): set tls = "tls", or mend its settings')
        assert self._writer is not None
        assert self._reader is not None
        # What came in clear behind the answer would count as said under TLS.
        if self._buffer or getattr(self._reader, "_buffer", None):
            raise Retry(f"{self.host} sent data between STARTTLS and TLS; nothing was sent to it")
        try:
            await self._writer.start_tls(
                context, server_hostname=self.host, ssl_handshake_timeout=min(CONNECT_S, self._settings.timeout_s)
            )
        except OSError as exc:
            raise Retry(f"{self.host}: {reason(exc)}") from None

    async def _learn(self) -> None:
        reply = await self.ask("CAPABILITIES")
        lines = await self.text() if reply.code == 101 else []
        self.capabilities = {
            word.upper(): rest.upper()
            for word, _, rest in (line.decode("utf-8", "replace").partition(" ") for line in lines)
        }

    async def _log_in(self, secret: Secret) -> None:
        """AUTHINFO USER and PASS (RFC 4643, 2.3)."""
        reply = await self.ask(f"AUTHINFO USER {self._settings.login}")
        if reply.code == 381:
            password = secret.reveal()
            if _CONTROL.search(password):
                raise AuthRequired(f"the password of {self._settings.login} holds what no news server takes")
            reply = await self.ask(f"AUTHINFO PASS {password}")
        if reply.code == 281:
            await self._learn()
        elif reply.code in (481, 482, 452, 502):
            raise AuthRequired(f"{self.host} refused the login of {self._settings.login}: {reply}")
        elif reply.code == 483:
            raise AuthRequired(f'{self.host} takes no password on this connection: set tls = "tls" or "starttls"')
        else:
            raise Retry(f"{self.host} cannot log in {self._settings.login} now: {reply}", 60.0)

    async def close(self) -> None:
        """Say goodbye and hang up; never raises."""
        writer, self._writer = self._writer, None
        if writer is None:
            return
        with suppress(Exception):
            writer.write(b"QUIT\r\n")
            async with asyncio.timeout(GOODBYE_S):
                await writer.drain()
        with suppress(Exception):
            writer.close()
            async with asyncio.timeout(GOODBYE_S):
                await writer.wait_closed()
        with suppress(Exception):
            writer.transport.abort()

    # -- commands ---------------------------------------------------------------

    async def ask(self, command: str) -> Reply:
        """One command and the first line of its answer."""
        self.say(command.encode("utf-8", "surrogateescape") + b"\r\n")
        return await self.reply()

    def say(self, data: bytes) -> None:
        """Send bytes as they are; that nobody takes them is noticed when an answer is waited for."""
        if self._writer is None or self._writer.is_closing():
            raise Retry(f"the connection to {self.host} is closed")
        self._writer.write(data)

    async def reply(self) -> Reply:
        """The first line of an answer."""
        line = (await self._until(b"\n", 4096)).decode("utf-8", "replace").strip()
        code, _, words = line.partition(" ")
        if len(code) != 3 or not NUMBER.fullmatch(code):
            raise Retry(f"{self.host} does not speak as a news server does; see host, port and tls")
        reply = Reply(int(code), _CONTROL.sub("", words)[:300])
        if reply.code == 400:
            raise Retry(f"{self.host} closes the connection: {reply}", 60.0)
        return reply

    async def text(self, limit: int = OVERVIEW_BYTES) -> list[bytes]:
        """The lines that follow an answer, without the dots that were put before some; `TooLarge` past `limit`."""
        lines: list[bytes] = []
        size, large = 0, False
        while True:
            line = await self._until(b"\n", OVERVIEW_BYTES)
            line = line.removesuffix(b"\n").removesuffix(b"\r")
            if line == b".":
                break
            size += len(line) + 2
            large = large or size > limit
            if large:
                lines.clear()
                continue
            lines.append(line[1:] if line.startswith(b".") else line)
        if large:
            raise TooLarge
        return lines

    async def _until(self, end: bytes, limit: int) -> bytes:
        assert self._reader is not None
        start = 0
        while (at := self._buffer.find(end, start)) < 0:
            start = max(0, len(self._buffer) - 1)
            if len(self._buffer) > limit:
                raise Retry(f"{self.host} sent a line without an end")
            try:
                async with asyncio.timeout(self._settings.timeout_s):
                    data = await self._reader.read(262_144)
            except TimeoutError:
                raise Retry(f"{self.host} did not answer within {self._settings.timeout_s:g} seconds") from None
            except OSError as exc:
                raise Retry(f"the connection to {self.host} broke off: {reason(exc)}") from None
            if not data:
                raise Retry(f"{self.host} closed the connection")
            self._buffer += data
        found = bytes(self._buffer[: at + 1])
        del self._buffer[: at + 1]
        return found

    def trouble(self, reply: Reply) -> ChannelError:
        """What an answer means that is none of those expected."""
        if reply.code in (480, 481, 482):
            return AuthRequired(f"{self.host} wants a login: {reply}; set user and a password")
        if reply.code == 483:
            return AuthRequired(f'{self.host} wants an encrypted connection: set tls = "tls" or "starttls"')
        if reply.code == 502:
            return Permanent(f"{self.host} does not allow it: {reply}; ask its operators")
        return Retry(f"{self.host} says: {reply}")


def dotted(lines: Sequence[bytes]) -> bytes:
    """Lines as they are sent: dots doubled where a line begins with one, a dot alone at the end (RFC 3977, 3.1.1)."""
    return b"".join((b"." + line if line.startswith(b".") else line) + b"\r\n" for line in lines) + b".\r\n"


__all__ = ["NUMBER", "News", "Reply", "TooLarge", "dotted"]
