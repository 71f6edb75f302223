"""An IRC server that does what a test says: accounts, an archive, services, and lines that no server should send.

It answers as the IRCv3 documents say (capability negotiation 302, sasl 3.1, chathistory).
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from datetime import datetime
from typing import Self

CAPABILITIES = "message-tags server-time account-tag batch echo-message extended-join away-notify account-notify"


class ScriptedIrc:
    """`async with ScriptedIrc(...) as server`: what clients said is in `lines`."""

    def __init__(
        self,
        *,
        capabilities: str = CAPABILITIES,
        accounts: dict[str, str] | None = None,
        taken: Sequence[str] = (),
        archive: Sequence[tuple[str, str, str]] = (),
        services: str = "You are now identified.",
        first: str = "",
        motd: str = "422 {nick} :no motto",
    ) -> None:
        self.capabilities, self.accounts, self.taken = capabilities, accounts or {}, set(taken)
        self.archive, self.services, self.first, self.motd = list(archive), services, first, motd
        self.lines: list[str] = []
        self.deaf = False
        self.refuse: dict[str, str] = {}
        self.people = "ann bob"
        self.writers: list[asyncio.StreamWriter] = []
        self.nick = ""
        self._count = 0
        self._said = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self.hang_up()
        self._server.close()

    def hang_up(self) -> None:
        """Cut every connection."""
        for writer in self.writers:
            writer.transport.abort()
        self.writers.clear()

    def say(self, *lines: str | bytes) -> None:
        """Send lines to everybody who is there."""
        for writer in self.writers:
            for line in lines:
                writer.write((line.encode() if isinstance(line, str) else line) + b"\r\n")

    async def heard(self, words: str) -> str:
        """The first line of a client with `words` in it, waited for."""
        while True:
            for line in self.lines:
                if words in line:
                    return line
            await asyncio.sleep(0.002)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        nick, user, negotiating, welcomed = "", False, False, False
        if self.first:
            self.say(self.first)
        while data := await reader.readline():
            line = data.decode(errors="replace").rstrip("\r\n")
            self.lines.append(line)
            if line.startswith("@"):
                line = line.partition(" ")[2]
            command, _, rest = line.partition(" ")
            if self.deaf:
                continue
            match command:
                case "CAP":
                    negotiating = not rest.startswith("END")
                    if rest.startswith("LS"):
                        half = self.capabilities.split()
                        self.say(
                            f":irc.test CAP * LS * :{' '.join(half[:2])}", f":irc.test CAP * LS :{' '.join(half[2:])}"
                        )
                    elif rest.startswith("REQ"):
                        self.say(f":irc.test CAP * ACK {rest[4:]}")
                case "AUTHENTICATE":
                    self._authenticate(rest)
                case "NICK":
                    if rest in self.taken:
                        self.say(f":irc.test 433 {nick or '*'} {rest} :Nickname is already in use")
                    else:
                        if welcomed:
                            self.say(f":{nick}!d@h NICK {rest}")
                        nick = self.nick = rest
                case "USER":
                    user = True
                case "PING":
                    self.say(f":irc.test PONG irc.test {rest}")
                case "JOIN":
                    self._joined(nick, rest)
                case "CHATHISTORY":
                    self._recall(rest)
                case "PRIVMSG" | "NOTICE":
                    self._pass_on(nick, command, rest)
            if nick and user and not negotiating and not welcomed:
                welcomed = True
                self.say(f":irc.test 001 {nick} :Welcome", f":irc.test 005 {nick} CHANTYPES=# CASEMAPPING=rfc1459 CHATHISTORY=3 :are supported", f":irc.test {self.motd.format(nick=nick)}")  # fmt: skip

    def _authenticate(self, rest: str) -> None:
        if rest in ("PLAIN", "EXTERNAL"):
            self.say("AUTHENTICATE +")
            return
        if rest == "+":
            self.say(":irc.test 903 * :SASL authentication successful")
            return
        self._said += rest.removesuffix("+")
        if len(rest) == 400:
            return
        _, user, password = base64.b64decode(self._said).decode().split("\0")
        self._said = ""
        good = self.accounts.get(user) == password
        self.say(":irc.test 903 * :welcome" if good else ":irc.test 904 * :SASL authentication failed")

    def _joined(self, nick: str, rest: str) -> None:
        room = rest.partition(" ")[0]
        if room in self.refuse:
            self.say(f":irc.test {self.refuse[room]} {nick} {room} :no")
            return
        self.say(f":{nick}!d@h JOIN {room} * :Desk", f":irc.test 353 {nick} = {room} :@{nick} {self.people}", f":irc.test 366 {nick} {room} :End")  # fmt: skip

    def _recall(self, rest: str) -> None:
        words = rest.split()
        self._count += 1
        batch = f"b{self._count}"
        self.say(
            f":irc.test BATCH +{batch} {'draft/chathistory-targets' if words[0] == 'TARGETS' else 'chathistory'} x"
        )
        if words[0] == "TARGETS":
            self.say(f"@batch={batch} :irc.test CHATHISTORY TARGETS ann 2026-01-01T00:00:00.000Z")
        else:
            since = words[2].removeprefix("timestamp=")
            found = [e for e in self.archive if since == "*" or _ms(e[0]) > _ms(since)]
            for at, msgid, line in found[: int(words[3])] if since != "*" else found[-int(words[3]) :]:
                if line.split(" ")[2] == words[1] or not words[1].startswith("#"):
                    self.say(f"@batch={batch};time={at};msgid={msgid} {line}")
        self.say(f":irc.test BATCH -{batch}")

    def _pass_on(self, nick: str, command: str, rest: str) -> None:
        target, _, text = rest.partition(" :")
        if target.lower() == "nickserv":
            if self.services:
                self.say(f":NickServ!s@services NOTICE {nick} :{self.services}")
            if text.startswith("GHOST"):
                self.taken.discard(text.split()[1])
        elif target in self.refuse:
            self.say(f":irc.test {self.refuse[target]} {nick} {target} :Cannot send")
        elif "echo-message" in self.capabilities:
            self._count += 1
            self.say(f"@msgid=own{self._count} :{nick}!d@h {command} {target} :{text}")


def _ms(stamp: str) -> float:
    return datetime.fromisoformat(stamp).timestamp()
