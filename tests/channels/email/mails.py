"""Mails for tests: bytes in, what was understood out."""

from __future__ import annotations

import channels.kit.mail.parser as module
from desk.blobs import unpack
from desk.channel import Inbound, Raw

RECEIVED_AT = 1_700_000_000_000
HEAD = b"From: Max Kohl <max@example.com>\nSubject: Hello\nDate: Mon, 01 Jan 2024 10:00:00 +0000\nMessage-ID: <m1@example.com>\n"


def read(data: bytes) -> Inbound:
    """The message in `data`."""
    return module.parse(Raw("INBOX/1/1", data, RECEIVED_AT))


def mail(body: bytes, head: bytes = b"") -> Inbound:
    """A mail from Max with further header lines and a body."""
    return read(HEAD + head + b"\n" + body)


def multipart(kind: str, *parts: bytes, head: bytes = b"") -> Inbound:
    """A mail from Max with these parts, each with its own header."""
    inner = b"".join(b"--=_x\n" + part + b"\n" for part in parts)
    return mail(
        inner + b"--=_x--\n", head + b'MIME-Version: 1.0\nContent-Type: multipart/%s; boundary="=_x"\n' % kind.encode()
    )


def blob(inbound: Inbound, number: int) -> bytes:
    """The bytes of the attachment `number`."""
    key = inbound.attachments[number].sha256
    return unpack(next(blob for blob in inbound.blobs if blob.key == key).packed)
