"""Writing a corpus out: a Maildir, an mbox, or the decoded truth as JSON lines."""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

from bench.mail import Message


def write_maildir(messages: Iterator[Message], out: Path, count: int) -> int:
    """Write `messages` as a Maildir at `out`; return the bytes written."""
    for sub in ("cur", "new", "tmp"):
        (out / sub).mkdir(parents=True, exist_ok=True)
    total = 0
    fresh_from = count - count // 50
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    root = os.fspath(out)
    for message in messages:
        base = f"{message.timestamp}.M{message.index:07d}P1.corpus"
        if message.index >= fresh_from:
            path = f"{root}/new/{base}"
        else:
            path = f"{root}/cur/{base}:2,{'RS' if message.index % 3 == 0 else 'S'}"
        handle = os.open(path, flags, 0o644)
        try:
            os.write(handle, message.raw)
        finally:
            os.close(handle)
        os.utime(path, (message.timestamp, message.timestamp))
        total += len(message.raw)
    return total


def write_mbox(messages: Iterator[Message], out: Path) -> int:
    """Write `messages` as one mboxrd file; return the bytes written."""
    total = 0
    with out.open("wb") as handle:
        for message in messages:
            day = time.asctime(time.gmtime(message.timestamp))
            lines = message.raw.split(b"\n")
            body = b"\n".join([b">" + line if line.lstrip(b">").startswith(b"From ") else line for line in lines])
            total += handle.write(
                b"From %s %s\n%s%s\n"
                % (message.sender_address.encode(), day.encode(), body, b"" if body.endswith(b"\n") else b"\n")
            )
    return total


def write_jsonl(messages: Iterator[Message], out: Path, raw: bool) -> int:
    """Write the decoded truth, one JSON object a line; return the bytes written."""
    total = 0
    with out.open("w", encoding="utf-8") as handle:
        for message in messages:
            row = message.truth()
            if raw:
                row["raw"] = base64.b64encode(message.raw).decode("ascii")
            total += handle.write(json.dumps(row, ensure_ascii=False) + "\n")
    return total
