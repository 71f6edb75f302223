"""What a `[channels.NAME]` table of the kind "email" can say."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from channels.kit.mail.trust import Trust
from channels.kit.secrets import Password, Secret, from_command
from desk.channel import Permanent

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Server(Password):
    """How to reach a mail server and log in there."""

    # Its name, as it stands in its certificate. Required.
    host: str
    # 0 = the usual one: IMAP 993 (tls) or 143, SMTP 465 (tls) or 587.
    port: int = 0
    # "tls" from the first byte, "starttls", or "none" (in clear; only on this machine).
    tls: Literal["tls", "starttls", "none"] = "tls"
    # Allow tls = "none" to another machine. Everybody on the way can read all of it.
    insecure: bool = False
    # A file of certificates to trust instead of the system's.
    ca_file: str = ""
    # The login name; empty = the account's address.
    user: str = ""
    # How to log in: "password", or "xoauth2" with token_cmd.
    auth: Literal["password", "xoauth2"] = "password"
    # A command that prints a fresh OAuth 2.0 access token, as a list of arguments.
    token_cmd: tuple[str, ...] = ()
    # Leave a server that says nothing for so many seconds.
    timeout_s: float = 30.0

    def __post_init__(self) -> None:
        # No super() of the short form: a dataclass with slots is a copy of the class it was written as.
        Password.__post_init__(self)
        if not self.host:
            raise ValueError("host is missing")
        if self.tls == "none" and not (self.insecure or _loopback(self.host)):
            raise ValueError(f'tls = "none" sends mail and password in clear to {self.host}: use "tls" or "starttls"')
        if self.auth == "xoauth2" and not self.token_cmd:
            raise ValueError('auth = "xoauth2" needs token_cmd')
        _between("port", self.port, 0, 65535)
        _between("timeout_s", self.timeout_s, 0.01, 600)

    def login_secret(self, user: str) -> Secret:
        """Fetch the password or the token of `user` now."""
        if self.auth == "xoauth2":
            return from_command(self.token_cmd, "token_cmd")
        return self.resolve(user)

    def tls_context(self) -> ssl.SSLContext:
        """Certificates are always checked, the host's name with them."""
        try:
            return ssl.create_default_context(cafile=str(Path(self.ca_file).expanduser()) if self.ca_file else None)
        except OSError as exc:
            raise Permanent(f"ca_file = {self.ca_file} cannot be used: {exc.strerror or exc}") from exc


@dataclass(frozen=True, slots=True, kw_only=True)
class Imap(Server):
    """`[channels.NAME.imap]`: where mail is read."""

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to connect to."""
        return self.host, self.port or (993 if self.tls == "tls" else 143)


@dataclass(frozen=True, slots=True, kw_only=True)
class Smtp(Server):
    """`[channels.NAME.smtp]`: where mail is handed in.

    Without a user, password and token of its own it takes those of `imap`.
    """

    # False = hand in without logging in (a mail server on this machine).
    login: bool = True
    # The name to greet with; empty = this machine's, when it is a full one.
    hello: str = ""
    # The largest message this server takes, in MiB; attachments grow by a third on the way.
    max_message_mb: int = 25
    # Ask for reports (RFC 3461) when a message is late or cannot be delivered, where the server offers that.
    dsn: bool = False
    # How many seconds the server may think about a whole message. Giving up early makes
    # messages of which nobody knows whether they went out; RFC 5321 asks for 10 minutes.
    answer_timeout_s: float = 600.0

    def __post_init__(self) -> None:
        Server.__post_init__(self)
        _between("max_message_mb", self.max_message_mb, 1, 1024)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to connect to."""
        return self.host, self.port or (465 if self.tls == "tls" else 587)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A mailbox: `[channels.NAME]` with kind = "email"."""

    # The address customers write to and get answers from. Required.
    address: str
    # Where mail is read and where it is handed in. Both are required.
    imap: Imap
    smtp: Smtp
    # The name beside the address in what we send.
    name: str = ""
    # Further addresses whose mail arrives in this mailbox.
    aliases: tuple[str, ...] = ()
    # The folders to read.
    folders: tuple[str, ...] = ("INBOX",)
    # What happens to a message once it is safe here: "flag" it as read, "move" it to move_to, or "keep" it.
    after: Literal["flag", "move", "keep"] = "flag"
    # The folder for after = "move".
    move_to: str = ""
    # Where copies of our answers go; empty = no copies (some providers make their own).
    sent_folder: str = ""
    # True: the server delivers support+anything@ to support@, so answers can carry the ticket's number.
    plus_address: bool = False
    # What to take when the mailbox is read for the first time: "all", "unseen", or "new" (nothing that is there).
    first: Literal["all", "unseen", "new"] = "all"
    # Seconds between two looks where the server does not tell of news by itself.
    poll_s: int = 60
    # Renew the wait for news after so many minutes; servers and routers forget after 30, some after 10.
    idle_minutes: int = 20
    # How many messages are fetched at a time.
    batch: int = 200
    # Of a message above so many MiB only the header is fetched.
    max_message_mb: int = 50
    # Our mail server's name in Authentication-Results headers; only what it says of SPF, DKIM and DMARC is shown.
    auth_server: str = ""
    # Headers by which our mail server marks spam, each with the beginning of its value, as "X-Spam-Flag: YES".
    spam_headers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        local, _, domain = self.address.rpartition("@")
        if not local or not domain:
            raise ValueError(f'address = "{self.address}" is not a mail address')
        if not self.folders or not all(self.folders):
            raise ValueError('folders is empty: name at least one, such as "INBOX"')
        if (self.after == "move") != bool(self.move_to):
            raise ValueError('after = "move" and move_to go together')
        if self.move_to in self.folders:
            raise ValueError(f'move_to = "{self.move_to}" is one of the folders that are read')
        for entry in self.spam_headers:
            if not entry.partition(":")[1] or not entry.partition(":")[0].strip():
                raise ValueError(f'spam_headers holds "{entry}": write a header and its value, as "X-Spam-Flag: YES"')
        _between("poll_s", self.poll_s, 5, 3600)
        _between("idle_minutes", self.idle_minutes, 9, 25)
        _between("batch", self.batch, 50, 200)
        _between("max_message_mb", self.max_message_mb, 1, 1024)

    @property
    def trust(self) -> Trust:
        """Whose word on a mail counts."""
        return Trust(self.auth_server, self.spam_headers)

    @property
    def max_message_bytes(self) -> int:
        """`max_message_mb` in bytes."""
        return self.max_message_mb * MIB

    @property
    def attachment_limit_bytes(self) -> int:
        """What of the server's limit is left for attachments, which base64 makes larger by a third."""
        return self.smtp.max_message_mb * MIB * 18 // 25

    @property
    def imap_user(self) -> str:
        """The login name at the IMAP server."""
        return self.imap.user or self.address

    @property
    def smtp_login(self) -> tuple[Server, str]:
        """The table that holds the secret for handing mail in, and the login name there."""
        own = self.smtp.given or self.smtp.token_cmd
        return (self.smtp if own else self.imap), self.smtp.user or self.imap_user


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _between(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name} = {value} must lie between {low} and {high}")


__all__ = ["MIB", "Imap", "Server", "Settings", "Smtp"]
