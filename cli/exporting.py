"""Tickets written out: JSON lines with everything, or an mbox of the mail as it came."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import BinaryIO

from cli import output
from desk.errors import NotFound
from desk.model import Message, Millis
from desk.store import Store

_FROM = re.compile(rb"^(>*From )", re.MULTILINE)


def as_json(store: Store, number: int, target: BinaryIO, at: Millis) -> None:
    """One object on one line: the ticket as `show --json --events` gives it."""
    rows = store.rows([number])
    if not rows:
        raise NotFound(f"there is no ticket #{number}")
    whole = output.whole_json(rows[0], store.thread(number), store.effort(number), at)
    whole["events"] = [output.record_json(r) for r in store.log(ticket=number, limit=1_000_000)]
    target.write(json.dumps(whole, ensure_ascii=False).encode() + b"\n")


def as_mbox(store: Store, number: int, target: BinaryIO, _: Millis) -> None:
    """The mail of the ticket that came as bytes, quoted as mboxrd; notes stay inside."""
    store.ticket(number)
    for message in store.thread(number):
        data = _mail(store, message)
        if data is None:
            continue
        sender = message.sender.value if message.sender else "unknown"
        when = datetime.fromtimestamp(message.at / 1000, UTC).strftime("%a %b %e %H:%M:%S %Y")
        body = _FROM.sub(rb">\1", data.replace(b"\r\n", b"\n"))
        target.write(
            f"From {re.sub(r'[^!-~]', '_', sender)} {when}\n".encode()
            + body
            + (b"\n" if body.endswith(b"\n") else b"\n\n")
        )


def _mail(store: Store, message: Message) -> bytes | None:
    if message.raw is not None:
        return store.blob(message.raw)
    if message.message_id is None or message.sender is None:
        return None
    from channels.kit.mail.render import render
    from desk.channel import Outgoing

    files = tuple((a, store.blob(a.sha256)) for a in message.attachments)
    draft = Outgoing(
        message.ticket, message.message_id, message.at, message.sender, message.to, message.text, message.subject, message.cc,
        attachments=files,
    )  # fmt: skip
    return render(draft).data
