"""A logged-in IMAP connection: the handful of commands that a support mailbox needs.

Every method ends within the server's timeout. A tagged NO or BAD raises Refused and
leaves the connection usable; everything else that goes wrong raises Retry and ends it.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress

from aioimaplib import aioimaplib as library

from channels.email import replies
from channels.email.names import spell, uid_set
from channels.email.replies import Fetched, Refused, Response, Selected
from channels.email.settings import Imap as Server
from channels.email.wire import Idle, Wire
from channels.kit.secrets import Secret
from desk.channel import AuthRequired, Permanent, Retry

GOODBYE_S = 2.0
UPLOAD_BYTES_PER_S = 50_000


class Imap:
    """One connection, for one command at a time."""

    def __init__(self, wire: Wire, host: str) -> None:
        self._wire = wire
        self.host = host
        self.capabilities: frozenset[str] = frozenset()
        self.selected: tuple[str, Selected] | None = None
        self._utf8 = False

    @property
    def closed(self) -> bool:
        """True once the connection is of no more use."""
        return self._wire.closed

    async def select(self, folder: str) -> Selected:
        """Open `folder` and say how it stands."""
        self.selected = None
        with self._mended():
            got = await self._run("SELECT", self._spell(folder))
            self._wire.state = library.SELECTED
            validity, after = replies.status(got, "UIDVALIDITY"), replies.status(got, "UIDNEXT")
            if validity is None:
                raise Permanent(
                    f"{self.host} gives its messages no lasting numbers (UIDVALIDITY): it cannot be read safely"
                )
            count = replies.exists(got)
            if after is None:
                after = 1 + (await self.last() if count else 0)
        box = Selected(validity, after, count)
        self.selected = folder, box
        return box

    async def status(self, folder: str) -> Selected | None:
        """How `folder` stands, without opening it; None where the server does not say all of it."""
        with self._mended():
            return replies.stands(await self._run("STATUS", self._spell(folder), "(UIDVALIDITY UIDNEXT MESSAGES)"))

    async def last(self) -> int:
        """The UID of the last message in the folder, 0 where there is none."""
        with self._mended():
            found = map(replies.fetched, await self._run("FETCH", "*", "(UID)", prefix="UID"))
            return max((one.uid for one in found if one), default=0)

    async def uid_of(self, number: int) -> int | None:
        """The UID of the message with this number in the folder; None where it is gone."""
        command = self._wire.exchange("FETCH", str(number), "(UID)")
        with self._mended():
            try:
                await self._wire.run(command)
            except Refused as refused:
                if refused.busy:
                    raise
            about = (one for one in command.responses if one[0].startswith(b"%d " % number))
            return next((one.uid for one in map(replies.fetched, about) if one), None)

    async def search(self, *criteria: str) -> list[int]:
        """The UIDs that meet all `criteria`, ascending."""
        with self._mended():
            return replies.numbers(await self._run("SEARCH", *criteria, prefix="UID"))

    async def still_there(self, uids: Sequence[int]) -> set[int]:
        """Those of `uids` that nobody has removed."""
        # A server may tell of removals only now (RFC 3501, 7.4.1), and search among them until then.
        await self._run("NOOP")
        return set(await self.search("UID", uid_set(uids)))

    async def fetch(self, uids: Sequence[int], items: str) -> dict[int, Fetched]:
        """`items` of those `uids` that the server hands out; a partial refusal is not an error."""
        if not uids:
            return {}
        command = self._wire.exchange("FETCH", uid_set(uids), f"(UID {items})", prefix="UID")
        try:
            with self._mended():
                await self._wire.run(command)
        except Refused as refused:
            if refused.busy:
                raise  # it refuses us, not the messages
        found: dict[int, Fetched] = {}
        with self._mended():
            for one in filter(None, map(replies.fetched, command.responses)):
                # News about flags can come in between: they say less than what was asked for.
                if one.uid not in found or one.body is not None or one.at is not None:
                    found[one.uid] = one
        return found

    async def flag(self, uids: Sequence[int], flags: str) -> None:
        """Add `flags`; messages that are gone are passed over."""
        await self._run("STORE", uid_set(uids), "+FLAGS.SILENT", f"({flags})", prefix="UID")

    async def move(self, uids: Sequence[int], folder: str) -> None:
        """Move messages; doing it again moves nothing twice."""
        if "MOVE" in self.capabilities:
            await self._run("MOVE", uid_set(uids), self._spell(folder), prefix="UID")
            return
        # What an interrupted move has copied is marked as deleted: only the rest is copied.
        if left := await self.search("UID", uid_set(uids), "UNDELETED"):
            await self._run("COPY", uid_set(left), self._spell(folder), prefix="UID")
            await self.flag(left, r"\Deleted")
        if "UIDPLUS" in self.capabilities:
            # A plain EXPUNGE would also remove what other people marked.
            await self._run("EXPUNGE", uid_set(uids), prefix="UID")

    async def append(self, folder: str, data: bytes) -> None:
        """Add a message that is already read."""
        seconds = self._wire.timeout_s + len(data) / UPLOAD_BYTES_PER_S
        where = self._spell(folder)
        await self._run("APPEND", where, r"(\Seen)", f"{{{len(data)}}}", answers=[data], silence_s=seconds)

    async def folders(self) -> list[str]:
        """The names of all folders."""
        with self._mended():
            return replies.folders(await self._run("LIST", '""', '"*"'))

    async def notify(self, folders: Sequence[str]) -> None:
        """Have IDLE tell of new messages in all `folders` (RFC 5465), not only in the open one."""
        events = "(MessageNew MessageExpunge)"
        names = " ".join(map(self._spell, folders))
        await self._run("NOTIFY", "SET", f"(selected {events}) (mailboxes ({names}) {events})")

    async def idle(self, seconds: float) -> bool:
        """Wait for news in the selected folder; False when there was none for so long."""
        wire = self._wire
        with self._mended():
            command = Idle(wire.new_tag(), loop=wire.loop)
            wire.begin(command)
            try:
                async with asyncio.timeout(wire.timeout_s):
                    await command.accepted.wait()
                with suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await command.stirred.wait()
                if wire.pending_sync_command is command:
                    wire.send("DONE")
                async with asyncio.timeout(wire.timeout_s):
                    await wire.finish(command)
            except BaseException:
                wire.break_off("it stopped answering in IDLE")
                raise
            result, lines = command.response
            if result.upper() != "OK":
                raise Refused("IDLE", lines[-1])
            return command.news

    async def close(self) -> None:
        """Say goodbye and hang up; never raises."""
        with suppress(Retry, Refused, TimeoutError):
            async with asyncio.timeout(GOODBYE_S):
                await self._run("LOGOUT")
        self.abort()

    def abort(self) -> None:
        """Hang up."""
        self._wire.break_off("closed")

    # -- getting there ------------------------------------------------------

    async def greet(self, server: Server) -> None:
        """Wait for the greeting and encrypt the connection where that is still to be done."""
        with self._mended():
            greeting = self._wire.greeting
            await self._wire.finish(greeting)
            result, lines = greeting.response
            if result == "BYE":
                raise replies.trouble(f"{self.host} turns us away: {replies.words(lines[-1])}")
            if server.tls == "starttls":
                if result == "PREAUTH":
                    # STARTTLS is only allowed before login: somebody may want us to go on in clear.
                    raise library.Abort("it skips STARTTLS; nothing was sent to it")
                await self._wire.start_tls(server.tls_context(), self.host)
            if result == "PREAUTH":
                self._wire.state = library.AUTH
            # Only what is said on the final connection counts.
            await self._learn()

    async def log_in(self, server: Server, user: str, secret: Secret) -> None:
        """Log in by the best way on offer; AuthRequired when the server does not want us."""
        if self._wire.state == library.AUTH:
            return
        try:
            if server.auth == "xoauth2":
                await self._run("AUTHENTICATE", "XOAUTH2", answers=_xoauth2(user, secret))
            elif "AUTH=PLAIN" in self.capabilities:
                await self._run("AUTHENTICATE", "PLAIN", answers=_plain(user, secret))
            elif "LOGINDISABLED" in self.capabilities:
                raise AuthRequired(f"{self.host} takes no password on this connection: set tls")
            else:
                await self._run("LOGIN", f"{{{len(user.encode())}}}", answers=_login(user, secret))
        except Refused as refused:
            if refused.passing:
                raise replies.trouble(
                    f"{self.host} cannot log in {user} now: {refused.words}", refused.code
                ) from refused
            raise AuthRequired(f"{self.host} refused the login of {user}: {refused.words}") from refused
        self._wire.state = library.AUTH
        with self._mended():
            await self._learn()
            if "UTF8=ONLY" in self.capabilities:
                # Such a server takes no modified UTF-7; all others do, so nobody else is asked.
                await self._run("ENABLE", "UTF8=ACCEPT")
                self._utf8 = True

    def _spell(self, folder: str) -> str:
        return spell(folder, self._utf8)

    async def _learn(self) -> None:
        self.capabilities = replies.capabilities(await self._run("CAPABILITY"))

    async def _run(
        self, name: str, *args: str, prefix: str = "", answers: Iterable[bytes] = (), silence_s: float = 0.0
    ) -> list[Response]:
        wire = self._wire
        with self._mended():
            command = wire.exchange(name, *args, prefix=prefix, answers=answers, timeout=silence_s or wire.timeout_s)
            return await wire.run(command)

    @contextmanager
    def _mended(self) -> Iterator[None]:
        """Turn what breaks a connection into Retry, and make sure that it is broken."""
        try:
            yield
        except (library.AioImapException, OSError, ValueError) as exc:
            self._wire.break_off(_reason(exc))
            raise replies.trouble(f"{self.host}: {_reason(exc)}") from exc


async def connect(server: Server, user: str, limit_bytes: int) -> Imap:
    """Connect to `server` and log in as `user`; `limit_bytes` bounds the answer to one command."""
    # Asked for first: a command that prints a password may take longer than a server waits.
    secret = await asyncio.to_thread(server.login_secret, user)
    host, port = server.address
    loop = asyncio.get_running_loop()
    wire = Wire(loop, server.timeout_s, limit_bytes)
    imap = Imap(wire, host)
    try:
        async with asyncio.timeout(server.timeout_s):
            context = server.tls_context() if server.tls == "tls" else None
            await loop.create_connection(
                lambda: wire, host, port, ssl=context, server_hostname=host if context else None
            )
        await imap.greet(server)
        await imap.log_in(server, user, secret)
    except Refused as refused:
        imap.abort()
        raise replies.trouble(f"{host} refused {refused}", refused.code) from refused
    except OSError as exc:
        imap.abort()
        raise Retry(f"cannot reach {host}, port {port}: {_reason(exc)}") from exc
    except BaseException:
        imap.abort()
        raise
    return imap


def _reason(exc: Exception) -> str:
    if isinstance(exc, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({exc.verify_message}); see ca_file"
    if isinstance(exc, TimeoutError):
        return "no answer in time"
    return (exc.strerror if isinstance(exc, OSError) else None) or str(exc) or type(exc).__name__


# The answers to a login are handed on as iterators: a traceback that shows variables shows
# lists and bytes, but not what an iterator will yield.


def _plain(user: str, secret: Secret) -> Iterator[bytes]:
    yield base64.b64encode(_bytes(f"\0{user}\0{secret.reveal()}"))


def _xoauth2(user: str, secret: Secret) -> Iterator[bytes]:
    yield base64.b64encode(_bytes(f"user={user}\1auth=Bearer {secret.reveal()}\1\1"))


def _login(user: str, secret: Secret) -> Iterator[bytes]:
    yield b"%s {%d}" % (_bytes(user), len(_bytes(secret.reveal())))
    yield _bytes(secret.reveal())


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")
