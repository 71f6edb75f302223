"""Accounts, messages and ways of reading for the tests of mail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from channels.email.mailbox import Mailbox
from channels.email.settings import Imap, Settings, Smtp
from desk.channel import Part, Raw

NOWHERE = {"host": "localhost", "port": 1}


def account(imap: Mapping[str, Any] = NOWHERE, smtp: Mapping[str, Any] = NOWHERE, **other: Any) -> Settings:
    """The settings of support@desk.test."""
    return Settings(address="support@desk.test", imap=Imap(**imap), smtp=Smtp(**smtp), **other)


def clear(port: int, **other: Any) -> dict[str, Any]:
    """A server table for a scripted server on this machine."""
    return {"host": "127.0.0.1", "port": port, "tls": "none", "password": "secret", "timeout_s": 5.0} | other


def mail(number: int, size: int = 0) -> bytes:
    """A message with this number in its subject and at least `size` bytes."""
    head = f"From: ann@example.com\r\nTo: support@desk.test\r\nMessage-ID: <{number}@example.com>\r\nSubject: mail {number}\r\n"
    return head.encode() + b"\r\nHello.\r\n" + (b"x" * 76 + b"\r\n") * (size // 78 + 1)


def part(*recipients: str, body: bytes = b"Hello.\r\n") -> Part:
    """Something to send."""
    return Part(b"From: support@desk.test\r\nSubject: answer\r\n\r\n" + body, recipients)


def number(raw: Raw) -> int:
    """The number that `mail` put into the subject."""
    return int(raw.data.split(b"Subject: mail ")[1].split()[0])


class Reader:
    """What a desk does with a mailbox: keep what comes with its cursor, then confirm."""

    def __init__(self, mailbox: Mailbox, cursor: str | None = None) -> None:
        self.mailbox = mailbox
        self.cursor = cursor
        self.kept: list[Raw] = []
        self.sizes: list[int] = []

    async def read(self, confirm: bool = True) -> list[int]:
        """Poll once; the numbers of what came."""
        before = len(self.kept)
        async for batch in self.mailbox.poll(self.cursor):
            self.kept.extend(batch.items)
            self.cursor = batch.cursor
            self.sizes.append(len(batch.items))
            if confirm:
                await self.mailbox.confirm(batch)
        return [number(raw) for raw in self.kept[before:]]
