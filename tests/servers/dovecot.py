"""A private Dovecot: any user, password `secret`, a maildir each."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import time
from imaplib import IMAP4
from pathlib import Path
from typing import Any

from tests.servers import Process, certificates, folder, free_port, missing, need

PASSWORD = "secret"
OWNER = "nobody"

CONFIG = """
base_dir = {dir}/run
state_dir = {dir}/run
log_path = {dir}/dovecot.log
default_internal_user = dovecot
default_login_user = dovenull
protocols = imap
listen = 127.0.0.1
ssl = yes
ssl_cert = <{dir}/tls/cert.pem
ssl_key = <{dir}/tls/key.pem
disable_plaintext_auth = no
auth_mechanisms = plain login xoauth2
auth_failure_delay = 0
mail_location = maildir:~/Maildir
mail_max_userip_connections = 100
first_valid_uid = 1
first_valid_gid = 1
mail_fsync = never
service imap-login {{
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
  # A wrong password must not slow down the next test.
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={owner} gid=nogroup home={dir}/mail/%u
}}
"""


class Dovecot:
    """A running server and the mailboxes on it."""

    host = "localhost"

    def __init__(self) -> None:
        need("dovecot", "dovecot", "openssl")
        version = subprocess.run(["/usr/sbin/dovecot", "--version"], capture_output=True, text=True).stdout
        if not version.startswith("2.3."):
            missing("dovecot", f"version 2.3 is needed, not {version.strip() or 'none'}")
        self._counter = itertools.count(1)
        self.dir = folder("dovecot")
        try:
            self.ca_file = str(certificates(self.dir / "tls") / "ca.pem")
            self.mail = self.dir / "mail"
            self.mail.mkdir()
            shutil.chown(self.mail, OWNER)
            self.port, self.tls_port = free_port(), free_port()
            config = self.dir / "dovecot.conf"
            fields = {"dir": self.dir, "port": self.port, "tls_port": self.tls_port}
            config.write_text(CONFIG.format(**fields, password=PASSWORD, owner=OWNER))
            command = ["/usr/sbin/dovecot", "-F", "-c", str(config)]
            self._process = Process("dovecot", command, self.port, self.dir / "start.log")
        except BaseException:
            shutil.rmtree(self.dir, ignore_errors=True)
            raise

    def stop(self) -> None:
        """End it and remove its folder."""
        self._process.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    def user(self) -> User:
        """A new, empty mailbox."""
        return User(self, f"user{next(self._counter)}@desk.test")


class User:
    """One mailbox, seen from the delivering side."""

    def __init__(self, server: Dovecot, name: str) -> None:
        self.name = name
        self.server = server
        self._maildir = server.mail / name / "Maildir"
        self._counter = itertools.count(1)
        for part in ("tmp", "new", "cur"):
            self._owned(self._maildir / part)

    def imap(self, **other: Any) -> dict[str, Any]:
        """The `imap` table of an account on this mailbox."""
        server = self.server
        return {
            "host": server.host,
            "port": server.tls_port,
            "user": self.name,
            "password": PASSWORD,
            "ca_file": server.ca_file,
            "timeout_s": 10.0,
        } | other

    def deliver(self, *messages: bytes, later_s: float = 0) -> None:
        """Put messages into the inbox as a mail server does: complete from the first moment.

        They arrive `later_s` seconds from now, as the server tells it.
        """
        for message in messages:
            name = f"{time.time_ns()}.M{next(self._counter):06}.test"
            file = self._maildir / "tmp" / name
            file.write_bytes(message.replace(b"\r\n", b"\n"))
            shutil.chown(file, OWNER, "nogroup")
            arrived = time.time() + later_s
            os.utime(file, (arrived, arrived))
            file.rename(self._maildir / "new" / name)

    def fill(self, maildir: Path) -> None:
        """Put copies of all messages of another Maildir into the inbox, unread."""
        for number, file in enumerate(sorted(f for part in ("cur", "new") for f in (maildir / part).iterdir())):
            place = self._maildir / "new" / f"{1_700_000_000 + number}.M{number:07}.test"
            shutil.copyfile(file, place)
            shutil.chown(place, OWNER, "nogroup")

    def renumber(self, by: int = 1) -> None:
        """Give the inbox's messages new UIDs and another UIDVALIDITY, as a restored or moved mailbox gets one; `by` 0 is a server that forgets."""
        uidlist = self._maildir / "dovecot-uidlist"
        header = uidlist.read_text().split("\n", 1)[0].split()
        fresh = [f"V{int(word[1:]) + by}" if word[0] == "V" else "N1" if word[0] == "N" else word for word in header]
        uidlist.write_text(" ".join(fresh) + "\n")
        for index in self._maildir.glob("dovecot.index*"):
            index.unlink()

    def backup(self) -> Path:
        """A copy of the mailbox as it stands, for `restore`."""
        copy = self._maildir.with_name(f"backup{next(self._counter)}")
        subprocess.run(["cp", "-a", self._maildir, copy], check=True)
        return copy

    def restore(self, copy: Path) -> None:
        """Put the mailbox back to what it was."""
        shutil.rmtree(self._maildir)
        copy.rename(self._maildir)

    def look(self, folder: str = "INBOX") -> IMAP4:
        """A second, independent client with `folder` open."""
        client = IMAP4("127.0.0.1", self.server.port, timeout=10)
        client.login(self.name, PASSWORD)
        client.select(folder)
        return client

    def count(self, folder: str = "INBOX", criteria: str = "ALL") -> int:
        """How many messages of `folder` meet `criteria`."""
        client = self.look(folder)
        try:
            return len(client.search(None, criteria)[1][0].split())
        finally:
            client.logout()

    def create(self, folder: str) -> None:
        """Make a folder; the name in modified UTF-7."""
        client = self.look()
        client.create('"' + folder.replace("\\", r"\\").replace('"', r"\"") + '"')
        client.logout()

    def _owned(self, path: Path) -> None:
        path.mkdir(parents=True)
        for each in (path, path.parent, path.parent.parent):
            if each != self.server.mail:
                os.chown(each, *_ids())


def _ids() -> tuple[int, int]:
    import grp
    import pwd

    return pwd.getpwnam(OWNER).pw_uid, grp.getgrnam("nogroup").gr_gid
