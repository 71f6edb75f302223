"""Two users of one host share a store: both work, roles hold, and the log names them by the kernel's uid."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.journeys.shift import ROOT
from tests.servers import folder, missing

pytestmark = pytest.mark.sqlite("two users on one file")

GROUP = "nogroup"


class User:
    """Somebody with a uid of their own, at the command line."""

    def __init__(self, name: str, uid: int, store: Path, home: Path, code: str) -> None:
        self.name, self.uid = name, uid
        self.home = home
        home.mkdir()
        os.chown(home, uid, -1)
        self._environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "PYTHONPATH": code,
            "PYTHONDONTWRITEBYTECODE": "1",
            "DESKHAND_STORE": f"sqlite:///{store}",
            "USER": "root",
        }

    def run(self, *args: str) -> subprocess.CompletedProcess[str]:
        """One verb, as this user."""
        return subprocess.run(
            [interpreter(), "-m", "cli.main", *args], user=self.uid, group=grp.getgrnam(GROUP).gr_gid, extra_groups=[], env=self._environment,
            cwd="/", capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60, umask=0o022,
        )  # fmt: skip

    def ok(self, *args: str) -> str:
        """What a verb prints that must succeed."""
        done = self.run(*args)
        assert done.returncode == 0, f"{self.name}: deskhand {' '.join(args)}: {done.stderr}{done.stdout}"
        return done.stdout


def interpreter() -> str:
    """A Python of our version that every user may run."""
    for candidate in (sys.executable, f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"):
        with contextlib.suppress(OSError):
            tried = subprocess.run(
                [candidate, "-c", "import sqlite3"], user=_stranger(), extra_groups=[], cwd="/", capture_output=True
            )
            if tried.returncode == 0:
                return candidate
    missing("two users", "no Python of this version that other users may run")
    raise AssertionError


def _stranger() -> int:
    return pwd.getpwnam("nobody").pw_uid


def _code(place: Path) -> str:
    """Where other users find deskhand and its libraries: here, or in a copy when this is somebody's closed home."""
    found = [str(ROOT), sysconfig.get_path("purelib")]
    command = ["test", "-r", str(ROOT / "cli" / "main.py"), "-a", "-r", found[1]]
    if subprocess.run(command, user=_stranger(), extra_groups=[]).returncode == 0:
        return ":".join(found)
    for room in ("channels", "cli", "desk", "relay", "storage", "themes", "tui"):
        shutil.copytree(ROOT / room, place / "code" / room, ignore=shutil.ignore_patterns("__pycache__"))
    left_out = shutil.ignore_patterns("__pycache__", "mypy*", "pip", "hypothesis", "*.dist-info", "*.pth")
    shutil.copytree(found[1], place / "code", ignore=left_out, dirs_exist_ok=True)
    return str(place / "code")


@pytest.fixture
def desk() -> tuple[User, User, User]:
    """An admin, a colleague and a stranger, on a store that their group shares."""
    if os.geteuid() != 0:
        missing("two users", "only root can act as several users")
    place = folder("users")
    code = _code(place)
    shared = place / "desk"
    shared.mkdir()
    admin, colleague, stranger = (
        User(name, uid, shared / "desk.db", place / name, code)
        for name, uid in (("ada", 61001), ("ben", 61002), ("cyd", 61003))
    )
    os.chown(shared, admin.uid, grp.getgrnam(GROUP).gr_gid)
    shared.chmod(0o2770)
    return admin, colleague, stranger


@pytest.mark.servers
def test_two_users_share_a_store_and_the_log_names_them(desk: tuple[User, User, User]) -> None:
    admin, colleague, stranger = desk
    admin.ok("init", "--no-account")
    admin.ok("agent", "add", "ben", "--uid", str(colleague.uid))
    admin.ok("new", "--requester", "ann@example.com", "--note", "--body", "She called.", "The tunnel drops")

    colleague.ok("take", "1", "--steal")
    colleague.ok("note", "1", "Asked for the log.")
    admin.ok("tag", "1", "vpn")
    assert '"assignee": "ben"' in admin.ok("ls", "--json")
    log = admin.ok("log", "1", "--json").splitlines()
    uids = {uid for uid in (61001, 61002, 61003) if any(f'"uid": {uid}' in line for line in log)}
    assert uids == {admin.uid, colleague.uid}, "the kernel says who it was, whatever $USER claims"

    refused = colleague.run("agent", "add", "eve")
    assert refused.returncode == 4
    assert "needs the role admin" in refused.stderr
    unknown = stranger.run("take", "1")
    assert unknown.returncode == 4
    assert "you are not an agent of this desk" in unknown.stderr
    assert "The tunnel drops" in stranger.ok("ls")
    pretended = colleague.run("--as", "uid61001", "take", "1")
    assert pretended.returncode == 4
    assert "allow-as" in pretended.stderr


@pytest.mark.servers
def test_files_of_a_shared_store_are_for_the_group_alone(desk: tuple[User, User, User]) -> None:
    admin, colleague, _ = desk
    admin.ok("init", "--no-account")
    admin.ok("agent", "add", "ben", "--uid", str(colleague.uid))
    store = Path(admin._environment["DESKHAND_STORE"].removeprefix("sqlite:///"))
    mail = colleague.home / "mail.eml"
    mail.write_bytes(
        b"From: ann@example.com\nTo: support@desk.test\nSubject: Hello\nMessage-ID: <1@example.com>\n\nHello\n"
    )
    colleague.ok("import", str(mail))
    admin.ok("ls", "id:1..")
    for file in store.parent.iterdir():
        assert file.stat().st_mode & 0o777 == 0o660, file
        assert file.stat().st_gid == grp.getgrnam(GROUP).gr_gid, file
    assert "trusted" in admin.ok("doctor", "--offline") + admin.run("doctor", "--offline").stdout
    store.chmod(0o666)
    refused = colleague.run("ls")
    assert refused.returncode == 7
    assert f"chmod o-rwx {store}" in refused.stderr
