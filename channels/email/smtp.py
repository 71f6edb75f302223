"""Handing mail in, so that it is always known how far it got.

Up to DATA a failure means that nothing went out; after the server's answer to the whole
message it is known what became of it; in between a loss is Unknown, and stays that.

What a server says before it has heard of the message (in its greeting, to EHLO, STARTTLS
or AUTH) says nothing about the message, also where its code is 5xx (RFC 5321, 3.1 and
4.3.2): then the account waits, and no reply has failed.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from email.utils import parseaddr
from typing import TYPE_CHECKING

from channels.email.replies import words
from channels.email.settings import Settings
from channels.kit.secrets import Secret
from desk.channel import AuthRequired, ChannelError, Part, Permanent, Phase, RateLimited, Refusal, Retry, Sent, Unknown

if TYPE_CHECKING:
    import aiosmtplib

AUTH_CODES = frozenset({530, 534, 535, 538})
NOT_NOW = frozenset({500, 502, 503, 504})
"""Answers to AUTH that refuse the command, and not the password."""
NOTIFY = "NOTIFY=FAILURE,DELAY"
LATER_S = 60.0
"""A server that says "later" is asked again no earlier: most greylists let in who comes back after a minute or five."""
_FULL_NAME = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")


class Submission:
    """The way out of one account; every message has a connection of its own."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._server = settings.smtp
        self._host = settings.smtp.host

    async def send(self, part: Part, phase: Phase, key: str = "") -> Sent:
        """Hand in `part`; the server's last words are the remote id, and `key` is in its reports."""
        async with self._session() as smtp:
            refused = await self._envelope(smtp, part, key)
            self._still_there(smtp)
            await phase("data")
            self._still_there(smtp)
            said = await self._data(smtp, part.data)
            # Nobody waits for the answer to this: the message is on its way.
            with suppress(Exception):
                smtp.protocol.write(b"QUIT\r\n")  # type: ignore[union-attr]
        return Sent(said, refused)

    async def check(self) -> list[str]:
        """Connect and log in, and say what was found."""
        async with self._session() as smtp:
            limit = _limit_bytes(smtp)
            said = f"{self._host}: ready to send" + (
                f" as {self._settings.smtp_login[1]}" if self._server.login else ""
            )
        if limit and limit < self._server.max_message_mb * 2**20:
            # Known before anything is written: a limit is no reason not to begin.
            mib = max(1, limit // 2**20)
            return [
                said,
                f"it takes messages of {mib} MiB at most; say so with max_message_mb = {mib} in the smtp table",
            ]
        return [said]

    # -- step by step -------------------------------------------------------

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[aiosmtplib.SMTP]:
        """A connection that is encrypted as the settings say, and logged in. It never outlives its use."""
        import aiosmtplib  # the first message pays for the import

        server = self._server
        table, user = self._settings.smtp_login
        secret = await asyncio.to_thread(table.login_secret, user) if server.login else None
        host, port = server.address
        smtp = aiosmtplib.SMTP(
            hostname=host,
            port=port,
            # Said both ways: left to itself the library goes on in clear where STARTTLS is missing.
            use_tls=server.tls == "tls",
            start_tls=server.tls == "starttls",
            tls_context=None if server.tls == "none" else server.tls_context(),
            timeout=server.timeout_s,
            local_hostname=server.hello or _own_name(),
        )
        try:
            with self._knocking():
                await smtp.connect()
                await smtp.ehlo()
            if secret:
                await self._log_in(smtp, table.auth, user, secret)
            yield smtp
        finally:
            smtp.close()

    async def _log_in(self, smtp: aiosmtplib.SMTP, auth: str, user: str, secret: Secret) -> None:
        """One try by one way: a second one with the same password only brings a lockout nearer."""
        offered = smtp.server_auth_methods
        problem: ChannelError | None = None
        try:
            if auth == "xoauth2":
                await smtp.auth_xoauth2(user, secret.reveal())
            elif "plain" in offered:
                await smtp.auth_plain(user, secret.reveal())
            elif "login" in offered:
                await smtp.auth_login(user, secret.reveal())
            else:
                problem = AuthRequired(f"{self._host} offers no way to log in with a password: see tls and auth")
        except Exception as exc:
            problem = self._turned_away(exc, logging_in=True)
        # Raised out here so that it does not drag along frames in which the password is a variable.
        if problem is not None:
            raise problem

    async def _envelope(self, smtp: aiosmtplib.SMTP, part: Part, key: str) -> dict[str, Refusal]:
        """Say who writes to whom; the recipients that the server does not take."""
        from aiosmtplib import SMTPRecipientRefused

        extensions = smtp.esmtp_extensions
        limit = _limit_bytes(smtp)
        if limit and len(part.data) > limit:
            raise Permanent(
                f"the message has {len(part.data) / 2**20:.1f} MiB, {self._host} takes {limit / 2**20:.1f}: send less"
            )
        anywhere = "smtputf8" in extensions
        wired, refused = _addressed(part.recipients, anywhere)
        with self._until_data():
            # Nobody is told of the fate of automatic mail (RFC 3834, 3.3): what answers it goes nowhere.
            sender = "" if part.automatic else _wired(self._settings.address, anywhere)
            utf8 = not all(map(str.isascii, (sender, *wired.values()))) or not _head(part).isascii()
            if utf8 and not anywhere:
                raise Permanent(f"{self._host} takes only plain Latin letters in addresses and headers (no SMTPUTF8)")
            encoding = "utf-8" if utf8 else "ascii"
            reports = self._server.dsn and "dsn" in extensions and not part.automatic
            options = [f"SIZE={len(part.data)}"] if "size" in extensions else []
            options += ["BODY=8BITMIME"] if "8bitmime" in extensions and not part.data.isascii() else []
            options += ["SMTPUTF8"] if utf8 else []
            options += ["RET=HDRS"] if reports else []
            options += [f"ENVID={_xtext(key)}"] if reports and key else []
            await smtp.mail(sender, options=options, encoding=encoding)
            for address, recipient in wired.items():
                try:
                    await smtp.rcpt(recipient, options=[NOTIFY] if reports else [], encoding=encoding)
                except SMTPRecipientRefused as exc:
                    if exc.code in AUTH_CODES:
                        raise  # this is about us, not about the recipient
                    refused[address] = Refusal(exc.code, _words(exc.message), exc.code >= 500)
        if not wired.keys() - refused.keys():
            told = "; ".join(f"{address}: {refusal.code} {refusal.text}" for address, refusal in refused.items())
            if all(refusal.permanent for refusal in refused.values()):
                raise Permanent(f"{self._host} takes no recipient: {told}")
            raise Retry(f"{self._host} takes no recipient: {told}", LATER_S)
        return refused

    def _still_there(self, smtp: aiosmtplib.SMTP) -> None:
        if not smtp.is_connected:
            raise Retry(f"{self._host} closed the connection before the message was sent")

    async def _data(self, smtp: aiosmtplib.SMTP, data: bytes) -> str:
        """Send the message itself; the server's words when it is taken."""
        from aiosmtplib import SMTPDataError

        try:
            response = await smtp.data(data, timeout=self._server.answer_timeout_s)
        except SMTPDataError as exc:
            if 400 <= exc.code < 600:
                raise self._told(exc) from exc
            raise Unknown(
                f"{self._host} answered with what is neither yes nor no: {exc.code} {_words(exc.message)}"
            ) from exc
        except Exception as exc:  # whatever it was, the message may have arrived
            raise Unknown(f"the connection to {self._host} broke while the message was sent: {exc}") from exc
        return _words(response.message)

    @contextmanager
    def _knocking(self) -> Iterator[None]:
        """Before the server lets us in, every failure is about the account."""
        try:
            yield
        except Exception as exc:  # the library's errors and the system's
            raise self._turned_away(exc) from exc

    @contextmanager
    def _until_data(self) -> Iterator[None]:
        """Before DATA every failure has a plain meaning: nothing went out."""
        try:
            yield
        except ChannelError:
            raise
        except Exception as exc:  # the library's errors, the system's, and those of odd addresses
            raise self._told(exc) from exc

    def _turned_away(self, exc: Exception, *, logging_in: bool = False) -> ChannelError:
        """What a failure means before the server has heard of the message."""
        code, text = _said(exc)
        if code in AUTH_CODES or (logging_in and 500 <= code < 600 and code not in NOT_NOW):
            return AuthRequired(f"{self._host} wants a valid login: {code} {text}")
        if code >= 400:
            return RateLimited(f"{self._host} turns us away: {code} {text}", LATER_S)
        return Retry(f"{self._host}: {f'{code} ' if code else ''}{text}")

    def _told(self, exc: Exception) -> ChannelError:
        """What a failure before the message was handed over means."""
        code, text = _said(exc)
        if code in AUTH_CODES:
            return AuthRequired(f"{self._host} wants a valid login: {code} {text}")
        if 500 <= code < 600:
            return Permanent(f"{self._host} refuses: {code} {text}")
        if isinstance(exc, ValueError) and not isinstance(exc, OSError):  # errors of TLS are both
            return Permanent(f"{self._settings.address}: {text}")
        return Retry(f"{self._host}: {f'{code} ' if code else ''}{text}", LATER_S if 400 <= code < 500 else None)


def _limit_bytes(smtp: aiosmtplib.SMTP) -> int:
    """The largest message the server says it takes, 0 where it does not say (RFC 1870)."""
    said = smtp.esmtp_extensions.get("size", "")
    # More digits than any size has are a mistake, and too many of them no number to Python.
    return int(said) if said.isdecimal() and len(said) < 20 else 0


def _said(exc: Exception) -> tuple[int, str]:
    """The server's code, 0 where it was not the server who failed, and its words."""
    return getattr(exc, "code", 0), _words(getattr(exc, "message", str(exc)))


def _words(text: str) -> str:
    """What a server said, fit to be kept and shown: not all write UTF-8, and some write at length."""
    return words(text.encode(errors="surrogateescape"))


def _head(part: Part) -> bytes:
    return part.data.partition(b"\r\n\r\n")[0]


def _xtext(text: str) -> str:
    """`text` as a parameter can hold it (RFC 3461, section 4), at most the 100 letters that are allowed."""
    return "".join(c if "!" <= c <= "~" and c not in "+=" else f"+{ord(c):02X}" for c in text if c.isascii())[:100]


def _addressed(recipients: Sequence[str], anywhere: bool) -> tuple[dict[str, str], dict[str, Refusal]]:
    """Recipients as they go on the wire, and those that cannot go there."""
    wired: dict[str, str] = {}
    refused: dict[str, Refusal] = {}
    for address in recipients:
        try:
            wired[address] = _wired(address, anywhere)
        except ValueError as exc:
            refused[address] = Refusal(553, str(exc), True)
    return wired, refused


def _wired(address: str, anywhere: bool) -> str:
    """The address as it goes on the wire, the domain in ASCII (IDNA) where that can be done.

    ValueError for one that cannot go there; `anywhere` says that the server knows SMTPUTF8.
    """
    # The library would pick something out of what is no address, and write to that.
    if parseaddr(address)[1] != address or "@" not in address:
        raise ValueError("this is no mail address")
    local, at, domain = address.rpartition("@")
    with suppress(UnicodeError):
        domain = domain.encode("idna").decode()
    wired = local + at + domain
    if not (anywhere or wired.isascii()):
        raise ValueError("this mail server knows only addresses in plain Latin letters")
    return wired


def _own_name() -> str:
    """This machine's full name, or an address literal (RFC 5321, 4.1.4); never a question to the DNS."""
    name = socket.gethostname()
    return name if _FULL_NAME.fullmatch(name) else "[127.0.0.1]"
