"""Parsers that misbehave, and one that does not, for workers to run."""

from __future__ import annotations

import os
import re
import time

from channels.kit.mail.parser import parse as read
from desk.channel import Inbound, Raw


def parse(raw: Raw) -> Inbound:
    """Read a mail, unless its body says what to do."""
    match raw.data.rpartition(b"\n")[2]:
        case b"memory":
            bytearray(400 * 1024 * 1024)
        case b"pieces of memory":
            kept = []
            while True:
                kept.append(bytearray(1024 * 1024))
        case b"caught":
            try:
                time.sleep(60)
            except Exception:
                time.sleep(60)
        case b"time":
            while True:
                pass
        case b"time outside":
            re.match(r"(a+)+$", "a" * 40 + "b")
        case b"death":
            os._exit(3)
    return read(raw)


def stillborn() -> None:
    """What a worker does that cannot start."""
    os._exit(1)
