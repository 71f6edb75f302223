"""A parsed mail as plain data, for `deskhand parse --json`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from desk.channel import Bounce, Inbound
from desk.model import Identity, Millis


def describe(inbound: Inbound) -> dict[str, Any]:
    """Everything that was understood of a mail, in strings, numbers, lists and dictionaries."""
    return {
        "subject": inbound.subject,
        "from": _person(inbound.sender) if inbound.sender else None,
        "to": _people(inbound.to),
        "cc": _people(inbound.cc),
        "reply_to": _people(inbound.reply_to),
        "message_id": inbound.message_id,
        "in_reply_to": list(inbound.in_reply_to),
        "references": list(inbound.references),
        "date": None if inbound.at is None else _iso(inbound.at),
        "text": inbound.text,
        "visible": inbound.visible,
        "html": inbound.html,
        "attachments": [
            {
                "name": file.name,
                "content_type": file.content_type,
                "size": file.size,
                "sha256": file.sha256,
                "inline": file.inline,
                "content_id": file.content_id,
            }
            for file in inbound.attachments
        ],
        "automatic": inbound.automatic,
        "bounce": _bounce(inbound.bounce) if inbound.bounce else None,
        "problems": list(inbound.problems),
        "protection": inbound.protection,
        "authentication": inbound.authentication,
        "spam": inbound.spam,
    }


def _person(identity: Identity) -> dict[str, str]:
    return {"name": identity.display, "address": identity.value}


def _people(identities: Iterable[Identity]) -> list[dict[str, str]]:
    return [_person(identity) for identity in identities]


def _bounce(bounce: Bounce) -> dict[str, Any]:
    return {
        "recipients": [
            {"address": one.address, "status": one.status, "permanent": one.permanent} for one in bounce.recipients
        ],
        "original_message_id": bounce.original_message_id,
    }


def _iso(at: Millis) -> str:
    return datetime.fromtimestamp(at // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
