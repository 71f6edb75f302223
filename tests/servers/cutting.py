"""A wire between a client and a server that is cut after so many bytes."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self


class Cutting:
    """Passes everything on to `port`; the connection that brings byte `after` of the answers is cut, once.

    With `asked` the bytes that the client sends are counted instead.
    """

    def __init__(self, port: int, after: int, *, asked: bool = False) -> None:
        self._target = port
        self._asked = asked
        self.left = after
        self.cut = False
        self._writers: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers += [writer, back]
        for source, sink, counted in ((reader, back, self._asked), (there, writer, not self._asked)):
            task = asyncio.ensure_future(self._pass(source, sink, counted))
            self._tasks.add(task)
            task.add_done_callback(lambda done: self._over(done, writer, back))

    def _over(self, task: asyncio.Task[None], *writers: asyncio.StreamWriter) -> None:
        self._tasks.discard(task)
        for writer in writers:
            writer.close()

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, counted: bool) -> None:
        try:
            while data := await source.read(65536):
                if counted and not self.cut:
                    if len(data) >= self.left:
                        self.cut = True
                        sink.write(data[: self.left])
                        return
                    self.left -= len(data)
                sink.write(data)
                await sink.drain()
        except ConnectionError:
            pass
