"""An IMAP server with one folder in memory, which breaks off or falls silent at the step the test names."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from types import TracebackType
from typing import Self

CAPABILITIES = "IMAP4rev1 AUTH=PLAIN UIDPLUS MOVE IDLE"


class Cut(Exception):
    """The server has had enough."""


class ScriptedImap:
    """`cut_at` counts answers from the greeting (1) over all connections; it happens once.

    `how` is "before" (nothing of the answer), "half" (half of it) or "silence" (the
    connection stays, nothing comes). `hook` may answer a command in another way: it gets
    the command without its tag and returns the raw answer, in which TAG stands for the tag.
    """

    def __init__(
        self,
        messages: list[bytes],
        *,
        cut_at: int = 0,
        how: str = "before",
        hook: Callable[[str], bytes | None] = lambda command: None,
        greeting: bytes = b"* OK ready\r\n",
    ) -> None:
        self.messages = dict(enumerate(messages, 1))
        self.moved: dict[int, bytes] = {}
        self.seen: set[int] = set()
        self.appended: list[bytes] = []
        self.uidvalidity = 7
        self.uidnext = len(messages) + 1
        self.capabilities = CAPABILITIES
        self.commands: list[str] = []
        self.connections = 0
        self.steps = 0
        self._cut_at, self._how, self._hook, self._greeting = cut_at, how, hook, greeting
        self._writers: set[asyncio.StreamWriter] = set()

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
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        self.connections += 1
        try:
            await self._say(reader, writer, self._greeting)
            while line := await reader.readline():
                tag, _, command = line.decode().rstrip("\r\n").partition(" ")
                self.commands.append(command)
                await self._obey(reader, writer, tag, command)
        except (Cut, ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()

    async def _say(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: bytes) -> None:
        self.steps += 1
        if self.steps == self._cut_at:
            if self._how == "half":
                writer.write(answer[: len(answer) // 2])
                await writer.drain()
                writer.close()
            elif self._how == "silence":
                await reader.read()
            raise Cut
        writer.write(answer)
        await writer.drain()

    async def _obey(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tag: str, command: str) -> None:
        special = self._hook(command)
        if special is not None:
            await self._say(reader, writer, special.replace(b"TAG", tag.encode()))
            return
        name = command.upper()
        answer = b""
        if name.startswith("AUTHENTICATE"):
            await self._say(reader, writer, b"+ \r\n")
            await reader.readline()
        elif name.startswith("APPEND"):
            await self._say(reader, writer, b"+ go\r\n")
            self.appended.append(await reader.readexactly(int(command.rpartition("{")[2].rstrip("}"))))
            await reader.readline()
        elif name == "IDLE":
            await self._say(reader, writer, b"+ idling\r\n")
            await reader.readline()
        else:
            answer = self._untagged(name)
        await self._say(reader, writer, answer + f"{tag} OK done\r\n".encode())

    def _untagged(self, name: str) -> bytes:
        if name == "CAPABILITY":
            return f"* CAPABILITY {self.capabilities}\r\n".encode()
        if name.startswith("SELECT"):
            return (
                f"* {len(self.messages)} EXISTS\r\n* OK [UIDVALIDITY {self.uidvalidity}] ok\r\n"
                f"* OK [UIDNEXT {self.uidnext}] ok\r\n".encode()
            )
        if match := re.match(r"UID SEARCH UID (\S+)", name):
            return f"* SEARCH {' '.join(map(str, self._members(match[1])))}\r\n".encode()
        if match := re.match(r"UID FETCH (\S+) \(UID ?(.*)\)", name):
            return b"".join(self._fetch(uid, match[2]) for uid in self._members(match[1]))
        if match := re.match(r"FETCH (\d+) \(UID\)", name):
            return b"".join(b"* %d FETCH (UID %d)\r\n" % (int(match[1]), u) for u in self._number(int(match[1])))
        if match := re.match(r"UID STORE (\S+)", name):
            self.seen.update(self._members(match[1]))
        if match := re.match(r"UID MOVE (\S+)", name):
            for uid in self._members(match[1]):
                self.moved[uid] = self.messages.pop(uid)
        return b""

    def _fetch(self, uid: int, items: str) -> bytes:
        data = self.messages[uid]
        if not items:
            return b"* %d FETCH (UID %d)\r\n" % (uid, uid)
        if "INTERNALDATE" in items:
            # One day for a letter, whatever UID it has.
            arrived = f"{1 + len(data) % 28:2}-Feb-2026 10:00:00 +0000"
            return f'* {uid} FETCH (UID {uid} RFC822.SIZE {len(data)} INTERNALDATE "{arrived}")\r\n'.encode()
        if "HEADER" in items:
            data, part = data.partition(b"\r\n\r\n")[0] + b"\r\n\r\n", b"HEADER"
        else:
            part = b""
        return b"* %d FETCH (UID %d BODY[%s] {%d}\r\n%s)\r\n" % (uid, uid, part, len(data), data)

    def _number(self, number: int) -> list[int]:
        return sorted(self.messages)[number - 1 : number]

    def _members(self, uids: str) -> list[int]:
        found: list[int] = []
        last = max(self.messages, default=0)
        for run in uids.split(","):
            low, high = (last if end == "*" else int(end) for end in (run.split(":") * 2)[:2])
            # As RFC 3501 has it: 9:* names the last message, also where that is 3.
            found += [uid for uid in self.messages if min(low, high) <= uid <= max(low, high)]
        return sorted(set(found))
