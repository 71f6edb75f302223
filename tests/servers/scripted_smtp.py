"""An SMTP server that does what the test says, at the verb the test says."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from types import TracebackType
from typing import Self

DROP = "(drop)"
SILENCE = "(silence)"

ANSWERS = {
    "GREETING": "220 scripted.desk.test ready",
    "EHLO": "250-scripted.desk.test\r\n250-SIZE 1000000\r\n250-8BITMIME\r\n250 AUTH PLAIN LOGIN",
    "AUTH": "235 welcome",
    "MAIL": "250 sender ok",
    "RCPT": "250 recipient ok",
    "DATA": "354 go ahead",
    "DOT": "250 OK queued as 4711",
    "QUIT": "221 bye",
}
STEPS = ("GREETING", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "DOT")


class ScriptedSmtp:
    """Answers each verb with the next scripted answer, or as usual; DROP hangs up, SILENCE says nothing more.

    Surrogates in an answer stand for bytes that are no UTF-8, as in `os.fsdecode`.
    """

    def __init__(self, **script: str | list[str]) -> None:
        self._script = defaultdict(
            deque, {verb: deque([said] if isinstance(said, str) else said) for verb, said in script.items()}
        )
        self.commands: list[str] = []
        self.messages: list[bytes] = []
        self._open: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._server.close()
        self.hang_up()

    def hang_up(self) -> None:
        """Cut every connection now."""
        for writer in self._open:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            await self._talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not await self._answer("GREETING", reader, writer):
            return
        while line := await reader.readline():
            text = line.decode().rstrip("\r\n")
            self.commands.append(text)
            verb = text.partition(" ")[0].upper()
            said = await self._answer(verb, reader, writer)
            if not said:
                return
            if verb == "DATA" and said.startswith("354"):
                self.messages.append((await reader.readuntil(b"\r\n.\r\n"))[:-3])
                if not await self._answer("DOT", reader, writer):
                    return

    async def _answer(self, verb: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        script = self._script[verb]
        said = script.popleft() if script else ANSWERS.get(verb, "500 what?")
        if said == SILENCE:
            await reader.read()  # until the client has had enough
        if said in (DROP, SILENCE):
            return ""
        writer.write(said.encode(errors="surrogateescape") + b"\r\n")
        await writer.drain()
        return said
