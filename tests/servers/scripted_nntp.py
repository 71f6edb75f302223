"""A news server that does what a test says: loses answers, lies, has no overview, is full."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Self

Answer = str | bytes | None
"""A line, or lines with their dot; None hangs up."""


class ScriptedNntp:
    """`async with ScriptedNntp() as server`: `answers` by the first word of a command, `lines` as they came."""

    def __init__(self, greeting: str = "200 ready") -> None:
        self.greeting = greeting
        self.lines: list[str] = []
        self.posted: list[bytes] = []
        self.kept: set[str] = set()
        self.answers: dict[str, Answer | Callable[[str], Answer]] = {}
        self.after_post: Answer = "240 taken"
        self.keep = True
        self.connections = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            writer.write(self.greeting.encode() + b"\r\n")
            while data := await reader.readline():
                line = data.decode().rstrip("\r\n")
                self.lines.append(line)
                answer = self._answer(line)
                if answer is None:
                    return
                writer.write((answer.encode() if isinstance(answer, str) else answer) + b"\r\n")
                if line == "POST" and isinstance(answer, str) and answer.startswith("340"):
                    self.posted.append(await reader.readuntil(b"\r\n.\r\n"))
                    if self.keep:
                        self.kept.add(self.posted[-1].decode().split("Message-ID: <")[1].split(">")[0])
                    if self.after_post is None:
                        return
                    writer.write(str(self.after_post).encode() + b"\r\n")
        finally:
            writer.transport.abort()

    def _answer(self, line: str) -> Answer:
        word = line.split(" ")[0]
        if word in self.answers:
            answer = self.answers[word]
            return answer(line) if callable(answer) else answer
        match word:
            case "CAPABILITIES":
                return "101 these\r\nVERSION 2\r\nREADER\r\nOVER\r\nPOST\r\n."
            case "GROUP":
                return f"211 1 1 1 {line[6:]}"
            case "STAT":
                name = line[5:].strip("<>")
                return f"223 0 <{name}>" if name in self.kept else "430 none"
            case "HEAD":
                return f"221 0 {line[5:]}\r\nNewsgroups: test.help\r\nMessage-ID: {line[5:]}\r\n."
            case "LIST":
                return "215 these\r\ntest.help 1 1 y\r\n."
            case "POST":
                return "340 go on"
            case "QUIT":
                return "205 bye"
        return "500 what?"
