"""What a `[channels.NAME]` table of the kind "xmpp" can say."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from channels.kit.http import loopback
from channels.kit.secrets import Password

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Password):
    """An account on an XMPP server: `[channels.NAME]` with kind = "xmpp"."""

    # The account's address, as "support@example.com". Required.
    address: str
    # The name that customers see in rooms, and beside the address on the desk.
    name: str = "support"
    # Where the server is; empty = what DNS says of the address.
    host: str = ""
    # 0 = the usual one: 5222 ("starttls", "none") or 5223 ("tls").
    port: int = 0
    # "starttls", "tls" from the first byte, or "none" (in clear; only on this machine).
    tls: Literal["starttls", "tls", "none"] = "starttls"
    # Allow tls = "none" to another machine. Everybody on the way can read all of it.
    insecure: bool = False
    # A file of certificates to trust instead of the system's.
    ca_file: str = ""
    # Rooms to be in, each as "room@rooms.example.com"; one with a password as "room@rooms.example.com password".
    rooms: tuple[str, ...] = field(default=(), repr=False)
    # Let everybody who asks see that we are there, and ask to see the same of them.
    accept_contacts: bool = True
    # How many days of the server's archive are read when the account is read for the first time.
    history_d: int = 7
    # Files above so many MiB are neither fetched nor sent; 0 fetches none. The message says where they are.
    max_file_mb: int = 20
    # Further servers that files are fetched from, beside the customer's own and ours ("upload.example.org").
    file_hosts: tuple[str, ...] = ()
    # Seconds between two looks at whether all is well; news are told at once.
    poll_s: float = 60.0
    # Leave a server that says nothing for so many seconds.
    timeout_s: float = 30.0

    def __post_init__(self) -> None:
        # No super() of the short form: a dataclass with slots is a copy of the class it was written as.
        Password.__post_init__(self)
        user, _, domain = self.address.partition("@")
        if not user or not domain or "/" in self.address or " " in self.address:
            raise ValueError(f'address = "{self.address}" is no XMPP address: write it as "support@example.com"')
        if not self.name or "/" in self.name:
            raise ValueError("name must be there and have no / in it: it is our name in rooms")
        if self.tls == "none" and not (self.insecure or loopback(self.host)):
            raise ValueError('tls = "none" sends messages and password in clear: use "starttls" or "tls"')
        if self.port and not self.host:
            raise ValueError("port without host: name the host, too, or leave both to DNS")
        for room in self.rooms:
            if "@" not in room.split(" ")[0]:
                raise ValueError(f'rooms: "{room.split(" ")[0]}" is no room: write it as "room@rooms.example.com"')
        if not 0 <= self.port <= 65535:
            raise ValueError("port must be between 0 and 65535")
        if not 0 <= self.history_d <= 3650:
            raise ValueError("history_d must be between 0 and 3650")
        if not 0 <= self.max_file_mb <= 1024:
            raise ValueError("max_file_mb must be between 0 and 1024")
        if not 0.01 <= self.timeout_s <= 600:
            raise ValueError("timeout_s must be between 0.01 and 600")
        if not 0.01 <= self.poll_s <= 3600:
            raise ValueError("poll_s must be between 0.01 and 3600")

    @property
    def own(self) -> str:
        """Our address as the server writes it."""
        return self.address.lower()

    @property
    def domain(self) -> str:
        """Our server's name, which its certificate has to bear."""
        return self.own.partition("@")[2]

    @property
    def passwords(self) -> dict[str, str]:
        """Every room to be in, with its password or ""."""
        return {room.lower(): password for room, _, password in (entry.partition(" ") for entry in self.rooms)}


__all__ = ["MIB", "Settings"]
