"""Private IRC servers: ngIRCd, which is plain, and InspIRCd, which tags messages and replays what was said in a room.

Neither is installed as a service. `Voice` is somebody on them, for tests that need company.
"""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.servers import Process, certificates, folder, free_port, missing, need

UNPACKED = Path(__file__).resolve().parents[2] / "build" / "servers" / "inspircd"
"""Where install.sh puts InspIRCd."""

NGIRCD = """
[Global]
    Name = irc.desk.test
    Info = tests
    Listen = 127.0.0.1
    Ports = {port}
    MotdPhrase = hello
    Network = DeskTest
    {password}
[Limits]
    MaxConnections = 200
    MaxConnectionsIP = 0
    MaxJoins = 20
    MaxNickLength = 30
    MaxPenaltyTime = 0
    PingTimeout = 120
    PongTimeout = 20
[Options]
    DNS = no
    Ident = no
    PAM = no
    SyslogFacility = local1
    DefaultUserModes =
"""

NGIRCD_TLS = """
[SSL]
    CertFile = {dir}/tls/cert.pem
    KeyFile = {dir}/tls/key.pem
    Ports = {tls_port}
"""

INSPIRCD = """
<server name="irc.desk.test" description="tests" network="DeskTest">
<admin name="a" nick="a" email="a@desk.test">
<bind address="127.0.0.1" port="{port}" type="clients">
<path datadir="{dir}" logdir="{dir}" moduledir="{modules}" runtimedir="{dir}" configdir="{dir}">
<pid file="{dir}/inspircd.pid">
<connect allow="*" timeout="60" pingfreq="120" hardsendq="262144" softsendq="65536" recvq="65536"
         localmax="200" globalmax="200" fakelag="no" commandrate="1000000" threshold="1000000" resolvehostnames="no">
<options prefixquit="Quit: " defaultmodes="not" allowhalfop="no">
<performance softlimit="500" clonesonconnect="no">
<security maxtargets="20">
<log method="file" type="*" level="default" target="{dir}/inspircd.log">
<module name="cap"><module name="ircv3"><module name="ircv3_batch"><module name="ircv3_servertime">
<module name="ircv3_msgid"><module name="ircv3_echomessage"><module name="ircv3_accounttag">
<module name="ircv3_ctctags"><module name="chanhistory"><module name="services_account"><module name="messageflood">
<chanhistory prefixmsg="no" maxlines="50">
"""


class Ircd:
    """What both have in common: a folder, a port, an end."""

    host = "localhost"
    tls_port = 0
    ca_file = ""

    def __init__(self, name: str) -> None:
        self.dir = folder(name)
        self.port = free_port()

    def stop(self) -> None:
        """End it and remove its folder."""
        self._process.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    _process: Process


class Ngircd(Ircd):
    """A plain server: no message tags, no accounts, no archive."""

    def __init__(self, *, password: str = "", tls: bool = False) -> None:
        need("ngircd", "ngircd", "openssl")
        super().__init__("ngircd")
        try:
            told = NGIRCD.format(port=self.port, password=f"Password = {password}" if password else "")
            if tls:  # for which it thinks for more than a second
                self.ca_file = str(certificates(self.dir / "tls") / "ca.pem")
                self.tls_port = free_port()
                told += NGIRCD_TLS.format(dir=self.dir, tls_port=self.tls_port)
            config = self.dir / "ngircd.conf"
            config.write_text(told)
            self._command = ["/usr/sbin/ngircd", "-n", "-f", str(config)]
            self.start()
        except BaseException:
            shutil.rmtree(self.dir, ignore_errors=True)
            raise

    def start(self) -> None:
        """Let it run, again after `halt`."""
        self._process = Process("ngircd", self._command, self.port, self.dir / "start.log")

    def halt(self) -> None:
        """End it; its address stays."""
        self._process.stop()


class Inspircd(Ircd):
    """A server with message ids, times, echoes, and rooms that replay what was said."""

    def __init__(self) -> None:
        program = UNPACKED / "usr" / "sbin" / "inspircd"
        if not program.exists():
            missing("inspircd", "it is not unpacked; run tests/servers/install.sh")
        super().__init__("inspircd")
        try:
            config = self.dir / "inspircd.conf"
            config.write_text(
                INSPIRCD.format(dir=self.dir, port=self.port, modules=UNPACKED / "usr" / "lib" / "inspircd" / "modules")
            )
            libraries = next((UNPACKED / "usr" / "lib").glob("*-linux-gnu"))
            command = ["/usr/bin/env", f"LD_LIBRARY_PATH={libraries}", str(program), "--nofork", f"--config={config}"]
            if os.geteuid() == 0:
                command.append("--runasroot")
            self._process = Process("inspircd", command, self.port, self.dir / "start.log")
        except BaseException:
            shutil.rmtree(self.dir, ignore_errors=True)
            raise


class Voice:
    """Somebody on a server, who speaks and listens."""

    def __init__(self, server: Ircd, nick: str, *, tags: bool = False) -> None:
        self._socket = socket.create_connection(("127.0.0.1", server.port), 10)
        self._buffer = b""
        self.heard: list[str] = []
        self.say(f"NICK {nick}", f"USER {nick[:9]} 0 * :{nick}")
        self.until(" 376 ", " 422 ")
        if tags:
            self.say("CAP REQ :message-tags")

    def say(self, *lines: str) -> None:
        """Send lines as they stand."""
        self.send(*(line.encode() for line in lines))

    def send(self, *lines: bytes) -> None:
        """Send bytes as they stand."""
        self._socket.sendall(b"".join(line + b"\r\n" for line in lines))

    def join(self, room: str) -> None:
        """Enter a room, and wait until that is done."""
        self.say(f"JOIN {room}")
        self.until(" 366 ")

    def settle(self) -> None:
        """Return when the server has done all that was said."""
        token = f"t{time.monotonic_ns()}"
        self.say(f"PING {token}")
        self.until(token)

    def until(self, *words: str, seconds: float = 10.0) -> str:
        """The next line with one of `words` in it."""
        return self.line(lambda line: any(word in line for word in words), f"a line with {words}", seconds)

    def line(self, wanted: Callable[[str], bool], what: str, seconds: float = 10.0) -> str:
        """The next line that is `wanted`."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            while b"\n" in self._buffer:
                raw, _, self._buffer = self._buffer.partition(b"\n")
                line = raw.decode(errors="replace").rstrip("\r")
                self.heard.append(line)
                if line.startswith("PING"):
                    self.say(line.replace("PING", "PONG", 1))
                if wanted(line):
                    return line
            self._socket.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                data = self._socket.recv(65536)
            except TimeoutError:
                break
            if not data:
                pytest.fail(f"the server hung up while waiting for {what}")
            self._buffer += data
        pytest.fail(f"waited in vain for {what}; the last lines: {self.heard[-5:]}")

    def leave(self, words: str = "bye") -> None:
        """Go away in good order."""
        self.say(f"QUIT :{words}")
        self._socket.close()

    def vanish(self) -> None:
        """Hang up."""
        self._socket.close()
