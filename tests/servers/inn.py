"""A private INN: a news server with groups of its own, unpacked under build/ and never installed.

Debian's package wants to be told the machine's name in the news; nothing of that is needed here.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from tests.servers import Process, certificates, folder, free_port, missing, need

UNPACKED = Path(__file__).resolve().parents[2] / "build" / "servers" / "inn"
USER, PASSWORD = "desk", "secret"

CONF = """
mta: "/usr/bin/env true %s"
mailcmd: /bin/true
organization: "Tests"
pathhost: news.desk.test
domain: desk.test
fromhost: desk.test
runasuser: news
runasgroup: news
ovmethod: tradindexed
hismethod: hisv6
hiscachesize: 0
enableoverview: true
wireformat: true
port: {port}
bindaddress: 127.0.0.1
nnrpdpostport: {port}
pgpverify: false
artcutoff: 0
docancels: all
maxartsize: 3000000
localmaxartsize: 20000
maxconnections: 50
initialtimeout: 60
clienttimeout: 1800
nnrpdloadlimit: 0
icdsynccount: 1
doinnwatch: false
pathnews: {lib}
pathbin: {lib}/bin
pathcontrol: {lib}/bin/control
pathetc: {dir}/etc
pathdb: {dir}/db
pathfilter: {dir}/filter
pathhttp: {dir}/http
pathlog: {dir}/log
pathrun: {dir}/run
pathtmp: {dir}/tmp
pathspool: {dir}/spool
patharchive: {dir}/spool/archive
patharticles: {dir}/spool/articles
pathincoming: {dir}/spool/incoming
pathoutgoing: {dir}/spool/outgoing
pathoverview: {dir}/spool/overview
"""

TLS = """
tlscafile: {dir}/tls/ca.pem
tlscertfile: {dir}/tls/cert.pem
tlskeyfile: {dir}/tls/key.pem
"""

READERS = """
auth "all" {{
    hosts: "*"
    default: "<anyone>"
    auth: "ckpasswd -f {dir}/etc/passwd"
}}
access "anyone" {{ users: "<anyone>" newsgroups: "*,!private.*" access: {anyone} }}
access "known" {{ users: "desk*" newsgroups: "*" access: RPA }}
"""

FOLDERS = "etc db log run http filter tmp spool/articles spool/overview spool/incoming/bad spool/outgoing spool/archive"


class Inn:
    """A running server. Groups: test.help, test.other, test.closed (no posting), test.moderated, private.desk."""

    host = "localhost"
    groups: Mapping[str, str] = {
        "control": "n", "control.cancel": "n", "junk": "n", "test.help": "y", "test.other": "y", "test.closed": "n",
        "test.moderated": "m", "private.desk": "y",
    }  # fmt: skip

    def __init__(self, *, tls: bool = False, anyone: str = "RP") -> None:
        need("inn", "setpriv", "openssl")
        self._lib = UNPACKED / "usr" / "lib" / "news"
        if not (self._lib / "bin" / "innd").exists():
            missing("inn", "it is not unpacked; run tests/servers/install.sh")
        # In a folder of ours nobody else may enter; as its own user it has to get through.
        self.dir = folder("inn", quick=True)
        self.port = free_port()
        self.ca_file = ""
        try:
            for name in FOLDERS.split():
                (self.dir / name).mkdir(parents=True)
            etc = self.dir / "etc"
            if tls:
                self.ca_file = str(certificates(self.dir / "tls") / "ca.pem")
                (self.dir / "tls" / "key.pem").chmod(0o600)
            conf = CONF + (TLS if tls else "")
            (etc / "inn.conf").write_text(conf.format(dir=self.dir, lib=self._lib, port=self.port))
            (etc / "readers.conf").write_text(READERS.format(dir=self.dir, anyone=anyone))
            (etc / "storage.conf").write_text("method tradspool {\n    class: 0\n    newsgroups: *\n}\n")
            (etc / "newsfeeds").write_text("ME:*::\n")
            (etc / "incoming.conf").write_text("streaming: true\nmax-connections: 8\n")
            (etc / "expire.ctl").write_text("/remember/:11\n*:A:1:10:never\n")
            (etc / "moderators").write_text("*:%s@desk.test\n")
            (etc / "control.ctl").write_text("all:*:*:drop\n")
            hashed = subprocess.run(
                ["openssl", "passwd", "-6", PASSWORD], check=True, capture_output=True, text=True
            ).stdout.strip()
            (etc / "passwd").write_text(f"{USER}:{hashed}\n")
            self._fresh()
            self.start()
        except BaseException:
            shutil.rmtree(self.dir, ignore_errors=True)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _environment(self) -> dict[str, str]:
        libraries = next((UNPACKED / "usr" / "lib").glob("*-linux-gnu"))
        return {
            **os.environ,
            "INNCONF": str(self.dir / "etc" / "inn.conf"),
            "LD_LIBRARY_PATH": f"{libraries}:{self._lib}",
            "PERL5LIB": str(UNPACKED / "usr" / "share" / "perl5"),
        }

    def _as_news(self) -> list[str]:
        settings = [f"{name}={value}" for name, value in self._environment().items() if os.environ.get(name) != value]
        return ["setpriv", "--reuid", "news", "--regid", "news", "--clear-groups", "env", *settings]

    def _fresh(self, groups: Mapping[str, str] | None = None) -> None:
        """No articles, and numbers from the beginning."""
        for name in ("spool/articles", "spool/overview", "db"):
            shutil.rmtree(self.dir / name)
            (self.dir / name).mkdir()
        lines = [f"{name} 0000000000 0000000001 {status}\n" for name, status in (groups or self.groups).items()]
        (self.dir / "db" / "active").write_text("".join(lines))
        for name in ("active.times", "newsgroups", "history"):
            (self.dir / "db" / name).touch()
        subprocess.run(["chown", "-R", "news:news", str(self.dir)], check=True)
        makedbz = [*self._as_news(), str(self._lib / "bin" / "makedbz"), "-i", "-o", "-s", "1000"]
        subprocess.run(makedbz, check=True, cwd=self.dir / "db", capture_output=True)

    def start(self) -> None:
        """Let it run, again after `halt`."""
        command = [*self._as_news(), str(self._lib / "bin" / "innd"), "-f", "-P", str(self.port)]
        self._process = Process("innd", command, self.port, self.dir / "start.log")

    def close(self, group: str) -> None:
        """Let nobody post to a group any more."""
        self._control("changegroup", group, "n")

    def _control(self, *words: str) -> None:
        command = [*self._as_news(), str(self._lib / "bin" / "ctlinnd"), "-t", "5", *words]
        subprocess.run(command, check=False, capture_output=True)

    def halt(self) -> None:
        """End it; what it has stays."""
        # A signal alone is noticed when somebody comes to read.
        self._control("shutdown", "tests")
        self._process.stop()
        for left in (self.dir / "run").iterdir():
            left.unlink()

    def renumber(self, groups: Mapping[str, str] | None = None) -> None:
        """A server whose disk was lost: no articles, other groups if so told, and numbers from the beginning."""
        self.halt()
        self._fresh(groups)
        self.start()

    def stop(self) -> None:
        """End it and remove its folder."""
        self._control("shutdown", "tests")
        self._process.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    def post(self, *articles: bytes) -> None:
        """Post articles as somebody on the news does."""
        with socket.create_connection(("127.0.0.1", self.port), 10) as connection, connection.makefile("rwb") as file:

            def say(data: bytes) -> bytes:
                file.write(data)
                file.flush()
                return file.readline()

            file.readline()
            for line in (f"AUTHINFO USER {USER}", f"AUTHINFO PASS {PASSWORD}"):
                say(line.encode() + b"\r\n")
            for article in articles:
                answer = say(b"POST\r\n")
                assert answer.startswith(b"340"), answer
                answer = say(
                    article.replace(b"\r\n", b"\n").replace(b"\n.", b"\n..").replace(b"\n", b"\r\n") + b"\r\n.\r\n"
                )
                if not answer.startswith(b"240"):
                    pytest.fail(f"the article was not taken: {answer!r}")

    def article(self, name: str) -> bytes:
        """An article as the server hands it out; b"" when it has none of that name."""
        with socket.create_connection(("127.0.0.1", self.port), 10) as connection, connection.makefile("rwb") as file:
            file.readline()
            file.write(f"ARTICLE <{name}>\r\n".encode())
            file.flush()
            if not file.readline().startswith(b"220"):
                return b""
            lines = []
            while (line := file.readline()) != b".\r\n":
                lines.append(line)
            return b"".join(lines)


def article(name: str, text: str = "It does not start.", *, subject: str = "Help", **fields: str) -> bytes:
    """An article of Ann's; further fields with underscores for hyphens."""
    head = {
        "From": "Ann Example <Ann@example.com>",
        "Newsgroups": "test.help",
        "Subject": subject,
        "Message-ID": f"<{name}>",
    }
    head |= {key.replace("_", "-"): value for key, value in fields.items()}
    return "".join(f"{key}: {value}\n" for key, value in head.items()).encode() + b"\n" + text.encode() + b"\n"
