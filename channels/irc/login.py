"""From a fresh connection to a nick on the network: capabilities, SASL, NickServ, and nicks that are taken."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Callable, Iterator

from channels.irc.lines import Line, plain
from channels.irc.settings import Settings
from channels.irc.wire import Wire
from channels.kit.secrets import Secret
from desk.channel import AuthRequired, ChannelError, Permanent, RateLimited, Retry

WANTED = (
    "message-tags", "server-time", "account-tag", "echo-message", "batch", "account-notify", "extended-join",
    "away-notify", "multi-prefix", "userhost-in-names", "draft/chathistory", "chathistory",
)  # fmt: skip
SERVICES_S = 10.0
"""How long NickServ may think: the network's services are a server of their own."""

_NO = re.compile(r"incorrect|invalid|fail|wrong|denied|isn.t registered|not registered|unknown", re.I)
_YES = re.compile(r"identified|logged in|recogni[sz]ed|accepted|already", re.I)
_SLOW = re.compile(r"throttl|too (?:fast|many)|reconnect|trying", re.I)
_BANNED = re.compile(r"\bbanned?\b|[gkz]-?line", re.I)


class Login:
    """Registering one connection; afterwards `nick` is ours and `capabilities` are those in force."""

    def __init__(self, wire: Wire, settings: Settings, secret: Secret | None, take: Callable[[Line], None]) -> None:
        self._wire, self._settings, self._secret, self._take = wire, settings, secret, take
        self._offered: dict[str, str] = {}
        self._answers: Iterator[bytes] = iter(())
        self.nick = settings.nick
        self.capabilities: frozenset[str] = frozenset()

    async def run(self, *, insist: bool = True) -> None:
        """Register and log in; raises `ChannelError` when the server or its services do not want us.

        With `insist` whoever has our nick is asked to leave it.
        """
        wire, settings = self._wire, self._settings
        try:
            async with asyncio.timeout(max(30.0, settings.timeout_s)):
                if self._secret and settings.auth == "server":
                    wire.say("PASS", self._secret.reveal())
                wire.say("CAP", "LS", "302")
                wire.say("NICK", self.nick)
                wire.say("USER", _user(settings.nick), "0", "*", settings.name or settings.nick)
                while not self._welcome(await wire.line()):
                    pass
        except TimeoutError:
            raise Retry(f"{wire.host} does not let us in: it asks for something we do not know") from None
        if self._secret and settings.auth == "nickserv":
            await self._identify()
        if insist and self.nick != settings.nick and self._secret:
            # Whoever has our nick is most likely our own connection of a moment ago.
            wire.say("PRIVMSG", settings.nickserv, f"GHOST {settings.nick}")
            wire.say("NICK", settings.nick)

    def _welcome(self, line: Line) -> bool:
        """Answer a line; True once we are in."""
        wire = self._wire
        match line.command:
            case "CAP":
                self._negotiate(line)
            case "AUTHENTICATE":
                for piece in self._answers:
                    wire.say("AUTHENTICATE", piece.decode())
            case "903":
                wire.say("CAP", "END")
            case "902" | "904" | "905" | "906":
                raise AuthRequired(f"{wire.host} refused the login of {self._settings.account}: {line.words}")
            case "433" | "437" | "436":
                if self.nick.endswith("___"):
                    raise Retry(f"{self._settings.nick} is taken on {wire.host}, and so are the nicks beside it", 60.0)
                self.nick += "_"
                wire.say("NICK", self.nick)
            case "432":
                raise Permanent(f"{wire.host} takes no such nick as {self.nick}: choose another one ({line.words})")
            case "464":
                raise AuthRequired(f'{wire.host} wants another password: {line.words}; see auth = "server"')
            case "465":
                raise Permanent(f"{wire.host} has banned us: {line.words}; ask its operators")
            case "ERROR":
                raise turned_away(wire.host, line.words)
            case "001":
                self.nick = line.param(0) or self.nick
            case "376" | "422":
                return True
            case "PING":
                wire.say("PONG", line.param(-1))
            case _:
                self._take(line)
        return False

    # -- capabilities and SASL --------------------------------------------------

    def _negotiate(self, line: Line) -> None:
        kind = line.param(1).upper()
        if kind == "LS":
            self._offered |= dict(item.partition("=")[::2] for item in line.param(-1).split())
            if line.param(2) != "*":
                self._request()
        elif kind == "ACK":
            self.capabilities |= frozenset(name for name in line.param(-1).split() if not name.startswith("-"))
            if "sasl" in self.capabilities:
                self._authenticate()
            else:
                self._wire.say("CAP", "END")
        elif kind == "NAK":
            self._wire.say("CAP", "END")

    def _request(self) -> None:
        sasl = self._settings.auth in ("sasl", "external") and (
            self._secret is not None or self._settings.auth == "external"
        )
        mechanism = "EXTERNAL" if self._settings.auth == "external" else "PLAIN"
        named = self._offered.get("sasl", "")
        if sasl and ("sasl" not in self._offered or (named and mechanism not in named.upper().split(","))):
            raise AuthRequired(
                f'{self._wire.host} offers no SASL {mechanism}: set auth = "nickserv" or "server", or leave the password out'
            )
        wanted = [name for name in WANTED if name in self._offered] + (["sasl"] if sasl else [])
        if wanted:
            self._wire.say("CAP", "REQ", " ".join(wanted))
        else:
            self._wire.say("CAP", "END")

    def _authenticate(self) -> None:
        if self._settings.auth == "external":
            self._answers = iter((b"+",))
            self._wire.say("AUTHENTICATE", "EXTERNAL")
        else:
            assert self._secret is not None
            self._answers = _plain(self._settings.account, self._secret)
            self._wire.say("AUTHENTICATE", "PLAIN")

    # -- NickServ ---------------------------------------------------------------

    async def _identify(self) -> None:
        wire, settings = self._wire, self._settings
        assert self._secret is not None
        wire.say("PRIVMSG", settings.nickserv, f"IDENTIFY {settings.account} {self._secret.reveal()}")
        try:
            async with asyncio.timeout(min(SERVICES_S, settings.timeout_s)):
                while not self._identified(await wire.line()):
                    pass
        except TimeoutError:
            raise Retry(f"{settings.nickserv} on {wire.host} does not answer", 60.0) from None

    def _identified(self, line: Line) -> bool:
        service = self._settings.nickserv
        if line.command == "900":
            return True
        if line.command == "PING":
            self._wire.say("PONG", line.param(-1))
        elif line.command == "401" and line.param(1).lower() == service.lower():
            raise Retry(f"there is no {service} on {self._wire.host} just now: its services are away", 60.0)
        elif line.command == "NOTICE" and line.nick.lower() == service.lower():
            if _NO.search(line.words):
                raise AuthRequired(f"{service} refused the login of {self._settings.account}: {line.words}")
            return bool(_YES.search(line.words))
        else:
            self._take(line)
        return False


def turned_away(host: str, words: str) -> ChannelError:
    """What the server's last words (ERROR) mean."""
    said = f"{host} closes the connection: {plain(words)[:200]}"
    if _BANNED.search(words):
        return Permanent(f"{said}; ask its operators")
    return RateLimited(said, 60.0) if _SLOW.search(words) else Retry(said)


def _user(nick: str) -> str:
    return re.sub(r"[^a-z0-9]", "", nick.lower())[:10] or "desk"


# An iterator, and not bytes: a traceback that shows variables does not show what it will yield.
def _plain(user: str, secret: Secret) -> Iterator[bytes]:
    """The answer of SASL PLAIN (RFC 4616) in pieces of 400 bytes, the last one shorter (IRCv3 sasl-3.1)."""
    whole = base64.b64encode(f"{user}\0{user}\0{secret.reveal()}".encode(errors="surrogateescape"))
    for start in range(0, len(whole) + 1, 400):
        yield whole[start : start + 400] or b"+"


__all__ = ["Login", "turned_away"]
