"""A private exim4: takes mail for desk.test, refuses some of it, delivers the rest into maildirs.

`nobody-here@` is answered with 550, `greylist@` with 451; password `secret`.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from tests.servers import Process, certificates, folder, free_port, need

PASSWORD = "secret"

CONFIG = """
keep_environment =
primary_hostname = mail.desk.test
spool_directory = {dir}/spool
log_file_path = {dir}/%slog
pid_file_path = {dir}/exim.pid
local_interfaces = 127.0.0.1.{port} : 127.0.0.1.{tls_port}
tls_on_connect_ports = {tls_port}
tls_advertise_hosts = *
tls_certificate = {dir}/tls/cert.pem
tls_privatekey = {dir}/tls/key.pem
auth_advertise_hosts = *
smtp_accept_max = 100
message_size_limit = 1M
dsn_advertise_hosts = *
domainlist local_domains = desk.test
acl_smtp_mail = acl_mail
acl_smtp_rcpt = acl_rcpt
acl_smtp_data = accept
never_users =
begin acl
acl_mail:
  deny  !authenticated = *
        message = 530 5.7.0 log in first
  accept
acl_rcpt:
  deny  domains = +local_domains
        local_parts = nobody-here
        message = 550 5.1.1 no such user
  defer local_parts = greylist
        message = 451 4.7.1 try later
  accept
begin routers
local:
  driver = accept
  domains = +local_domains
  transport = maildir
fail:
  driver = redirect
  data = :fail: nothing leaves this machine
  allow_fail
begin transports
maildir:
  driver = appendfile
  directory = {dir}/mail
  maildir_format
  return_path_add
  user = Debian-exim
  group = Debian-exim
  create_directory
begin retry
* * F,1h,1m
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if eq{{$auth3}}{{{password}}}}}
  server_set_id = $auth2
"""


class Exim:
    """A running server and what it delivered."""

    host = "localhost"

    def __init__(self) -> None:
        need("exim4", "exim4", "openssl")
        self.dir = folder("exim")
        try:
            self.ca_file = str(certificates(self.dir / "tls") / "ca.pem")
            for name in ("spool", "mail"):
                (self.dir / name).mkdir()
                shutil.chown(self.dir / name, "Debian-exim", "Debian-exim")
            shutil.chown(self.dir, "Debian-exim")
            self.port, self.tls_port = free_port(), free_port()
            config = self.dir / "exim.conf"
            config.write_text(CONFIG.format(dir=self.dir, port=self.port, tls_port=self.tls_port, password=PASSWORD))
            config.chmod(0o644)
            command = ["/usr/sbin/exim4", "-C", str(config), "-bdf"]
            self._process = Process("exim4", command, self.port, self.dir / "start.log")
        except BaseException:
            shutil.rmtree(self.dir, ignore_errors=True)
            raise

    def stop(self) -> None:
        """End it and remove its folder."""
        self._process.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    def smtp(self, **other: Any) -> dict[str, Any]:
        """The `smtp` table of an account on this server."""
        return {
            "host": self.host,
            "port": self.tls_port,
            "user": "support@desk.test",
            "password": PASSWORD,
            "ca_file": self.ca_file,
            "timeout_s": 10.0,
        } | other

    def delivered(self, marker: bytes) -> list[bytes]:
        """What arrived with `marker` in it."""
        files = [file for part in ("new", "cur") for file in (self.dir / "mail" / part).glob("*")]
        return [data for data in map(Path.read_bytes, files) if marker in data]
