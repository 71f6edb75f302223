"""A channel in memory that has every flaw a test wants of it: on it the contract itself is proven."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from channels.kit.texts import check_files, pieces
from desk.capabilities import Capabilities, Rate
from desk.channel import (
    AuthRequired,
    Batch,
    ChannelError,
    Edit,
    Inbound,
    Outgoing,
    Part,
    Permanent,
    Phase,
    Retry,
    Sent,
    Unknown,
    WindowClosed,
)
from desk.model import Identity

ANN = Identity("flawed", "ann", "Ann")
TOKEN = "canary-51ce-not-to-be-seen"
FLAWS: dict[str, dict[str, Any]] = {
    "kinds": {"kinds": ("email",)},
    "sends": {"sends": False},
    "unit": {"unit": "furlongs"},
    "limit": {"text_limit": 0},
    "markup": {"markup": "troff"},
    "splits": {"text_limit": None, "splits": True},
    "private": {"public_limit": 20},
    "files": {"attachment_count": 3},
    "window": {"after_window": "templates"},
    "rates": {"rates": (Rate("send", 0, 1.0),)},
}
"""Capabilities that are wrong."""


@dataclass
class Server:
    """The other side: what was written there, and in what mood it is."""

    said: list[str] = field(default_factory=list)
    got: list[str] = field(default_factory=list)
    mood: str = ""


@dataclass
class Settings:
    """`[channels.NAME]` with kind = "flawed"."""

    server: Server
    flaw: str = ""


class Flawed:
    """It holds the contract, but for its one flaw."""

    _opened = itertools.count(1)

    def __init__(self, settings: Settings) -> None:
        self._server, self._flaw = settings.server, settings.flaw
        self._number, self._closed = next(self._opened), False
        can: dict[str, Any] = {"kinds": ("flawed",), "text_limit": 100, "splits": True}
        can |= {"idempotent": self._flaw != "cut again"} | FLAWS.get(self._flaw, {})
        self.capabilities = Capabilities(**can)
        none = self._flaw == "nobody"
        self.addresses: Sequence[Identity] = () if none else (Identity("flawed", "desk"),)

    def __repr__(self) -> str:
        return f"Flawed({TOKEN if self._flaw == 'repr' else '***'})"

    async def poll(self, cursor: str | None) -> AsyncIterator[Batch]:
        self._refuse()
        at = 0 if self._flaw == "again" else int(cursor or 0)
        if self._flaw == "outage" and cursor:
            at = min(len(self._server.said), at + 3)
        for number in range(at, len(self._server.said), 2):
            numbers = range(number, min(number + 2, len(self._server.said)))
            cursor = str(len(self._server.said)) if self._flaw == "eager" else str(numbers[-1] + 1)
            yield Batch(tuple(self._item(one) for one in numbers), cursor)

    def _item(self, number: int) -> Inbound | Edit:
        name = {"names": f"{self._number}/{number}", "twins": "0"}.get(self._flaw, str(number))
        text, at = self._server.said[number], 1_790_000_000_000 + number
        if text in self._server.got:
            return Inbound(text, at, self.addresses[0], text, conversation="ann", ours=self._flaw != "echo")
        if self._flaw == "unsaid":
            return Edit(name, at, "0", text)
        who = {"nobody wrote": Identity("flawed", ""), "stranger": Identity("pigeon", "ann")}.get(self._flaw, ANN)
        return Inbound(name, at // 1000 if self._flaw == "seconds" else at, who, text, conversation="ann")

    async def confirm(self, batch: Batch) -> None:
        if self._flaw == "confirm":
            if self._closed:
                raise Retry("it was confirmed already")
            self._closed = True

    async def wait(self, seconds: float) -> None:
        await asyncio.sleep(seconds * (100 if self._flaw == "wait" else 0.1))

    def render(self, draft: Outgoing) -> Sequence[Part]:
        if self._flaw != "left out":
            check_files(draft, self.capabilities)
        if self._flaw == "long":
            texts = [draft.text]
        elif self._flaw == "halves":
            texts = [draft.text[: len(draft.text) // 2], draft.text[len(draft.text) // 2 :]]
        else:
            texts = pieces(draft, self.capabilities)
        mark = self._number if self._flaw == "bytes" else draft.message_id
        return [Part(json.dumps([mark, text]).encode(), ("ann",)) for text in texts]

    async def send(self, part: Part, key: str, phase: Phase) -> Sent:
        self._refuse()
        if self._server.mood == "late":
            raise Permanent("too late") if self._flaw == "late" else WindowClosed("too late")
        for _ in range({"no phase": 0, "phases": 2}.get(self._flaw, 1)):
            await phase("data")
        if self._server.mood == "cut":
            errors: dict[str, ChannelError] = {"cut for ever": Permanent("cut"), "cut again": Retry("cut")}
            if self._flaw != "cut in silence":
                raise errors.get(self._flaw) or Unknown("cut")
            return Sent()
        if key not in self._server.got:
            self._server.got.append(key)
            self._server.said.append(key)
        return Sent({"key": f"{key}/{self._number}", "renamed": f"/{key}", "unnamed": None}.get(self._flaw, key))

    def _refuse(self) -> None:
        if self._server.mood != "refuses":
            return
        told = f": {TOKEN}" if self._flaw == "token" else ""
        if self._flaw == "log":
            logging.getLogger("flawed").debug("asked with %s", TOKEN)
        try:
            raise OSError(TOKEN if self._flaw == "cause" else "401")
        except OSError as error:
            if self._flaw == "refused":
                raise Retry("try again") from error
            raise AuthRequired(f"the token was refused{told}") from error

    async def archive(self, part: Part) -> None: ...

    async def check(self) -> Sequence[str]:
        if self._flaw != "all well":
            self._refuse()
        return () if self._flaw == "check" else ("all is well",)

    async def close(self) -> None:
        if self._flaw == "close" and self._closed:
            raise RuntimeError("closed already")
        self._closed = True


def open(name: str, settings: Settings) -> Flawed:
    return Flawed(settings)
