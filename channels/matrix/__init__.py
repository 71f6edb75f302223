"""Matrix: the rooms of an account, read as they are written in and answered there.

What a room, a person in a busy room or a thread says is a conversation. There is no end-to-end
encryption: what is encrypted comes in as a message that says so. docs/channel-matrix.md tells all
of it. Endpoints are those of the Client-Server API of the Matrix specification.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from channels.matrix.homeserver import Homeserver
from channels.matrix.reading import Reading
from channels.matrix.rooms import Rooms
from channels.matrix.settings import Settings
from channels.matrix.writing import TEXT_LIMIT_BYTES, Writing, render
from desk.capabilities import Capabilities
from desk.channel import AuthRequired, Batch, Outgoing, Part, Permanent, Phase, Sent
from desk.lengths import BYTES
from desk.model import Identity


class Matrix:
    """One account on a homeserver: poller, stream and sender."""

    def __init__(self, name: str, settings: Settings) -> None:
        self._settings = settings
        self._server = Homeserver(settings, f"deskhand-{name}")
        self._rooms = Rooms(self._server, settings)
        self._reading = Reading(self._server, self._rooms, settings)
        self._writing = Writing(self._server, self._rooms, settings)

    @property
    def capabilities(self) -> Capabilities:
        """What a room can carry."""
        return Capabilities(
            kinds=("matrix",),
            threads=True,
            markup="markdown",
            text_limit=TEXT_LIMIT_BYTES,
            unit=BYTES,
            splits=True,
            attachment_limit_bytes=self._settings.attachment_limit_bytes,
            public=True,
            private=True,
            may_start=True,
            edits=True,
            deletes=True,
            reactions=True,
            receipts=True,
            typing=True,
            idempotent=True,
            live=True,
        )

    @property
    def addresses(self) -> Sequence[Identity]:
        """Our account."""
        return [Identity("matrix", self._settings.user)]

    def poll(self, cursor: str | None) -> AsyncIterator[Batch]:
        """Everything that was said after `cursor`, and what happened to it."""
        return self._reading.poll(cursor)

    async def confirm(self, batch: Batch) -> None:
        """Nobody is told; `Permanent` says which room we are kept out of."""
        if trouble := self._rooms.trouble:
            self._rooms.told()
            raise Permanent(trouble)

    async def wait(self, seconds: float) -> None:
        """Return when something happened in a room, or after `seconds`."""
        await self._reading.wait(seconds)

    def render(self, draft: Outgoing) -> Sequence[Part]:
        """The events of `draft`: its text in as many as it takes, and each of its files."""
        return render(draft, self.capabilities)

    async def send(self, part: Part, key: str, phase: Phase) -> Sent:
        """Say it in its room, or in the direct room of whom it is to, which is opened where there is none."""
        return await self._writing.send(part, key, phase)

    async def archive(self, part: Part) -> None:
        """The room keeps it."""

    async def attend(self, conversation: str, *, seen: str | None = None, typing: bool = False) -> None:
        """Let the room see what was read, and that somebody writes."""
        await self._writing.attend(conversation, seen, typing)

    async def check(self) -> Sequence[str]:
        """Log in, look at the rooms, and say what was found."""
        server, user = self._server, self._settings.user
        newest = (await server.versions())[-1:]
        owner = (await server.get("/account/whoami")).get("user_id")
        if owner != user:
            raise AuthRequired(f"the access token is that of {owner}, not of {user}: mend user or the token")
        await self._rooms.prepare()
        rooms = (await server.get("/joined_rooms")).get("joined_rooms")
        count = len(rooms) if isinstance(rooms, list) else 0
        said = [f"{server.host} speaks Matrix {', '.join(newest)}", f"{user} is in {count} rooms"]
        if (limit := await server.upload_limit()) is not None and limit < self._settings.attachment_limit_bytes:
            said.append(f"{server.host} takes files of {limit:,} bytes at most: set attachment_limit_bytes = {limit}")
        if self._rooms.trouble:
            raise Permanent(self._rooms.trouble)
        return said

    async def close(self) -> None:
        """Hang up."""
        await self._rooms.close()
        await self._server.close()


def open(name: str, settings: Settings) -> Matrix:
    """The account `name`, not yet connected."""
    return Matrix(name, settings)


__all__ = ["Matrix", "Settings", "open"]
