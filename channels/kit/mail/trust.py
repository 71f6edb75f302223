"""What our own mail server says of a mail: who vouches for the sender, and whether it is spam.

Everybody can write such headers. Only those count that bear the configured server's name,
and of several the topmost, because a server puts its own on top.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from channels.kit.mail.headers import Headers

HEADERS = 20
METHODS = ("spf", "dkim", "dmarc", "arc")

_COMMENT = re.compile(r"\([^()]*\)")
_QUOTED = re.compile(r'"[^"]*"?')
_SERVER = re.compile(r"\s*([^\s;]+)")
_VERDICT = re.compile(r"(?:^|;)\s*(spf|dkim|dmarc|arc)\s*=\s*([a-z]{2,20})\b", re.IGNORECASE)
_COMMENT_DEPTH = 5


@dataclass(frozen=True, slots=True)
class Trust:
    """The server whose Authentication-Results are believed, and the headers that mean spam."""

    auth_server: str = ""
    spam_headers: tuple[str, ...] = ()


def authentication(headers: Headers, trust: Trust) -> str:
    """Verdicts such as "spf=pass dkim=pass dmarc=fail"; "" where our server says nothing."""
    if not trust.auth_server or "authentication-results" not in headers.fields:
        return ""
    found: dict[str, str] = {}
    for value in headers.every("authentication-results")[:HEADERS]:
        for method, verdict in _verdicts(value, trust.auth_server).items():
            found.setdefault(method, verdict)
    return " ".join(f"{method}={found[method]}" for method in METHODS if method in found)


def _verdicts(value: str, server: str) -> dict[str, str]:
    """What one header says, if `server` wrote it; of several signatures one that holds is enough."""
    value = _QUOTED.sub("", value)
    for _ in range(_COMMENT_DEPTH):
        value = _COMMENT.sub(" ", value)
    name = _SERVER.match(value)
    if not name or name[1].lower() != server.lower() or "(" in value:
        return {}
    found: dict[str, str] = {}
    for method, verdict in _VERDICT.findall(value):
        method, verdict = method.lower(), verdict.lower()
        if found.setdefault(method, verdict) != "pass" and verdict == "pass":
            found[method] = verdict
    return found


def is_spam(headers: Headers, trust: Trust) -> bool:
    """True if one of the configured headers begins as configured."""
    for entry in trust.spam_headers:
        name, _, start = entry.partition(":")
        if any(value.lower().startswith(start.strip().lower()) for value in headers.every(name.strip().lower())):
            return True
    return False
