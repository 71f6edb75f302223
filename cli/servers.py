"""Finding the mail servers of an address: the well-known providers, then the usual names."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from desk.errors import Invalid

KNOWN: dict[str, tuple[str, str]] = {
    "gmail.com": ("imap.gmail.com", "smtp.gmail.com"),
    "googlemail.com": ("imap.gmail.com", "smtp.gmail.com"),
    "outlook.com": ("outlook.office365.com", "smtp.office365.com"),
    "hotmail.com": ("outlook.office365.com", "smtp.office365.com"),
    "yahoo.com": ("imap.mail.yahoo.com", "smtp.mail.yahoo.com"),
    "icloud.com": ("imap.mail.me.com", "smtp.mail.me.com"),
    "fastmail.com": ("imap.fastmail.com", "smtp.fastmail.com"),
    "gmx.net": ("imap.gmx.net", "mail.gmx.net"),
    "web.de": ("imap.web.de", "smtp.web.de"),
    "posteo.de": ("posteo.de", "posteo.de"),
    "mailbox.org": ("imap.mailbox.org", "smtp.mailbox.org"),
}
"""Providers whose servers are not called imap.DOMAIN and smtp.DOMAIN."""

_IMAP_PORTS = ((993, "tls"), (143, "starttls"))
_SMTP_PORTS = ((465, "tls"), (587, "starttls"))
_PATIENCE_S = 4.0


@dataclass(frozen=True)
class Servers:
    """The two tables of an account."""

    imap: dict[str, Any]
    smtp: dict[str, Any]


def find(address: str, imap: str | None, smtp: str | None, tls: str | None, say: Callable[[str], None]) -> Servers:
    """Where the mail of `address` is read and handed in; what was named is taken as it is."""
    domain = address.rpartition("@")[2]
    known = KNOWN.get(domain)
    inbound = [known[0]] if known else [f"imap.{domain}", f"mail.{domain}", domain]
    outbound = [known[1]] if known else [f"smtp.{domain}", f"mail.{domain}", domain]
    return Servers(
        _named(imap, tls, _IMAP_PORTS) if imap else _looked_for("imap", inbound, tls, _IMAP_PORTS, say),
        _named(smtp, tls, _SMTP_PORTS) if smtp else _looked_for("smtp", outbound, tls, _SMTP_PORTS, say),
    )


def _named(text: str, tls: str | None, usual: tuple[tuple[int, str], ...]) -> dict[str, Any]:
    host, _, port = text.rpartition(":") if ":" in text and not text.endswith("]") else (text, "", "")
    if port and not port.isdigit():
        raise Invalid(f'"{text}" names no server; write HOST or HOST:PORT')
    number = int(port) if port else next((p for p, kind in usual if kind == tls), usual[0][0])
    return {"host": host, "port": number, "tls": tls or dict(usual).get(number, "tls")}


def _looked_for(
    what: str, hosts: list[str], tls: str | None, usual: tuple[tuple[int, str], ...], say: Callable[[str], None]
) -> dict[str, Any]:
    for host in hosts:
        for port, kind in usual:
            if tls in (None, kind) and _answers(host, port):
                say(f"{what}: {host}:{port} ({kind})")
                return {"host": host, "port": port, "tls": kind}
    raise Invalid(f"no {what} server was found at {', '.join(hosts)}; name it with --{what} HOST[:PORT]")


def _answers(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), _PATIENCE_S):
            return True
    except OSError:
        return False
