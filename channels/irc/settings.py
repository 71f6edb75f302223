"""What a `[channels.NAME]` table of the kind "irc" can say."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from channels.kit.http import loopback, tls_context
from channels.kit.secrets import Password
from desk.channel import Permanent

_NICK = re.compile(r"[A-Za-z\[\]\\`_^{|}][A-Za-z0-9\[\]\\`_^{|}-]{0,29}")
_ROOM = re.compile(r"[#&+!][^\s,:\x00\x07]{1,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Password):
    """An IRC network: `[channels.NAME]` with kind = "irc"."""

    # A server of the network, by the name that stands in its certificate. Required.
    host: str
    # The nick under which the desk is there. Required.
    nick: str
    # The rooms to be in, each as "#room", or "#room key" where one needs a key.
    rooms: tuple[str, ...] = ()
    # 0 = the usual one: 6697 with tls, 6667 without.
    port: int = 0
    # "tls" from the first byte, or "none" (in clear; only on this machine).
    tls: Literal["tls", "none"] = "tls"
    # Allow tls = "none" to another machine. Everybody on the way can read all of it.
    insecure: bool = False
    # A file of certificates to trust instead of the system's.
    ca_file: str = ""
    # A file with our own certificate and its key, for auth = "external".
    cert_file: str = ""
    # How to log in where there is a password: "sasl", "nickserv", "server" (the server's own), or
    # "external" (by cert_file, without one).
    auth: Literal["sasl", "nickserv", "server", "external"] = "sasl"
    # The name of our account with the network's services; empty = nick.
    user: str = ""
    # The service that takes passwords and gives our nick back.
    nickserv: str = "NickServ"
    # What stands beside the nick in a whois.
    name: str = "Support desk"
    # How the network is called in what is kept of people (ann@NETWORK); empty = host.
    network: str = ""
    # Which lines of a room are for us: "all", or "addressed" (our nick is named, or prefix).
    listen: Literal["all", "addressed"] = "addressed"
    # Lines that begin with this are for us, too, such as "!help"; empty = none.
    prefix: str = ""
    # Further lines of the same person are for us for so many minutes; 0 = never.
    follow_minutes: int = 10
    # Lines of one person at most so many seconds apart are one message.
    gather_s: float = 0.5
    # Whether people may write to the desk in private.
    queries: bool = True
    # How many lines go out at once; from then on one every two seconds.
    burst: int = 5
    # Seconds without a word after which a server is asked, and as many until it counts as gone.
    timeout_s: float = 60.0
    # Seconds between two looks; news come by themselves.
    poll_s: float = 60.0

    def __post_init__(self) -> None:
        Password.__post_init__(self)
        if not self.host:
            raise ValueError("host is missing")
        if not _NICK.fullmatch(self.nick):
            raise ValueError(f'nick = "{self.nick}" is no nick: letters, digits and -_[]{{}}|^, no digit first')
        for room in self.rooms:
            words = room.split(" ")
            if len(words) > 2 or not _ROOM.fullmatch(words[0]):
                raise ValueError(f'rooms holds "{room}": write "#room", or "#room key"')
        if not self.rooms and not self.queries:
            raise ValueError("without rooms and without queries there is nothing to hear")
        if self.tls == "none" and not (self.insecure or loopback(self.host)):
            raise ValueError(f'tls = "none" sends everything in clear to {self.host}: use "tls"')
        if self.auth == "external" and not self.cert_file:
            raise ValueError('auth = "external" needs cert_file')
        if any(c.isspace() or not c.isprintable() for c in self.user + self.nickserv + self.network):
            raise ValueError("user, nickserv and network are single words")
        if not self.name.isprintable():
            raise ValueError("name is one line")
        for name, value, low, high in (
            ("port", self.port, 0, 65535),
            ("follow_minutes", self.follow_minutes, 0, 1440),
            ("gather_s", self.gather_s, 0, 60),
            ("burst", self.burst, 1, 50),
            ("timeout_s", self.timeout_s, 0.05, 600),
            ("poll_s", self.poll_s, 1, 3600),
        ):
            if not low <= value <= high:
                raise ValueError(f"{name} = {value} must lie between {low} and {high}")

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to connect to."""
        return self.host, self.port or (6697 if self.tls == "tls" else 6667)

    @property
    def account(self) -> str:
        """The name to log in with."""
        return self.user or self.nick

    @property
    def where(self) -> str:
        """What stands behind the @ of people."""
        return (self.network or self.host).lower()

    @property
    def us(self) -> str:
        """How we are called in what is kept of people."""
        return f"{self.nick.lower()}@{self.where}"

    @property
    def keys(self) -> dict[str, str]:
        """Rooms and their keys."""
        return {room: key for room, _, key in (entry.partition(" ") for entry in self.rooms)}

    def tls_context(self) -> ssl.SSLContext | None:
        """How to encrypt; certificates are always checked, the host's name with them."""
        if self.tls == "none":
            return None
        context = tls_context(self.ca_file)
        if self.cert_file:
            try:
                context.load_cert_chain(Path(self.cert_file).expanduser())
            except (OSError, ssl.SSLError) as exc:
                raise Permanent(f"cert_file = {self.cert_file} cannot be used: {exc.strerror or exc}") from exc
        return context


__all__ = ["Settings"]
