"""Stand-ins for messages that could not be fetched whole, so that nobody's mail is passed over in silence."""

from __future__ import annotations

import re

REMOVED = b"From: System Administrator <root@localhost>\r\nSubject: message unavailable\r\n\r\n"
"""How Courier's own stand-in begins: what it hands out for a message that somebody has just removed."""

# The header stays as it came, but it must not describe a body that is not there.
_SHAPE = re.compile(rb"^(content-[\w-]+|mime-version)(?=[ \t]*:)", re.IGNORECASE | re.MULTILINE)


def instead(header: bytes, text: str) -> bytes:
    """A message with this header and `text` as its body."""
    kept = _SHAPE.sub(rb"X-Original-\1", header).rstrip(b"\r\n")
    own = b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    return (kept + b"\r\n" if kept else b"Subject: A message that cannot be read\r\n") + own + text.encode() + b"\r\n"


def too_large(size_bytes: int, limit_bytes: int, where: str) -> str:
    """For a message above the limit of the settings."""
    return (
        f"[This message is too large to be fetched: {size_bytes / 1e6:.0f} MB, and max_message_mb allows "
        f"{limit_bytes / 1e6:.0f} MB. The whole of it is still {where}.]"
    )


def unreadable(where: str) -> str:
    """For a message over which the server broke off again and again."""
    return f"[The mail server did not hand out this message, although it was asked many times. It is still {where}.]"
