"""What a `[channels.NAME]` table of the kind "nntp" can say."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from typing import Literal

from channels.kit.http import loopback, tls_context
from channels.kit.secrets import Password

MIB = 1024 * 1024
_GROUP = re.compile(r"[A-Za-z0-9][A-Za-z0-9+_-]*(?:\.[A-Za-z0-9+_-]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Password):
    """Newsgroups: `[channels.NAME]` with kind = "nntp"."""

    # The news server, by the name that stands in its certificate. Required.
    host: str
    # The address we post as; everybody can read it. Required.
    address: str
    # The groups to read. Required.
    groups: tuple[str, ...]
    # The name beside the address in what we post.
    name: str = ""
    # 0 = the usual one: 563 with tls, 119 else.
    port: int = 0
    # "tls" from the first byte, "starttls", or "none" (in clear; only on this machine).
    tls: Literal["tls", "starttls", "none"] = "tls"
    # Allow tls = "none" to another machine. Everybody on the way can read all of it.
    insecure: bool = False
    # A file of certificates to trust instead of the system's.
    ca_file: str = ""
    # The login name, where there is a password; empty = address.
    user: str = ""
    # When a group is read for the first time: what is not older than so many days; 0 = nothing that is there.
    first_d: int = 0
    # Whether cancels in control.cancel are looked at; on a large server these are many.
    cancels: bool = False
    # Of an article above so many MiB only the header is fetched.
    max_article_mb: int = 2
    # How many articles are fetched at a time.
    batch: int = 100
    # Seconds between two looks.
    poll_s: float = 60.0
    # Leave a server that says nothing for so many seconds.
    timeout_s: float = 30.0

    def __post_init__(self) -> None:
        Password.__post_init__(self)
        if not self.host:
            raise ValueError("host is missing")
        local, _, domain = self.address.rpartition("@")
        if not local or not domain:
            raise ValueError(f'address = "{self.address}" is not a mail address')
        if not self.groups:
            raise ValueError('groups is empty: name at least one, such as "example.help"')
        for group in self.groups:
            if not group_name(group):
                raise ValueError(f'groups holds "{group}", which is no name of a newsgroup')
        if any(ord(c) <= 32 or ord(c) == 127 for c in self.user):
            raise ValueError("user is a single word")
        if self.tls == "none" and not (self.insecure or loopback(self.host)):
            raise ValueError(f'tls = "none" sends everything in clear to {self.host}: use "tls" or "starttls"')
        for name, value, low, high in (
            ("port", self.port, 0, 65535),
            ("first_d", self.first_d, 0, 3650),
            ("max_article_mb", self.max_article_mb, 1, 64),
            ("batch", self.batch, 1, 1000),
            ("poll_s", self.poll_s, 0.5, 3600),
            ("timeout_s", self.timeout_s, 0.05, 600),
        ):
            if not low <= value <= high:
                raise ValueError(f"{name} = {value} must lie between {low} and {high}")

    @property
    def login(self) -> str:
        """The name to log in with."""
        return self.user or self.address

    @property
    def place(self) -> tuple[str, int]:
        """Host and port to connect to."""
        return self.host, self.port or (563 if self.tls == "tls" else 119)

    def tls_context(self) -> ssl.SSLContext:
        """Certificates are always checked, the host's name with them."""
        return tls_context(self.ca_file)


def group_name(text: str) -> bool:
    """Whether `text` may be the name of a newsgroup (RFC 5536, 3.1.4)."""
    return bool(_GROUP.fullmatch(text)) and len(text) <= 200


__all__ = ["MIB", "Settings", "group_name"]
