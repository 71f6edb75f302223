"""Where passwords and tokens come from, and how they stay out of sight.

Nothing is read until a connection needs it, and nothing is kept: the next login asks
again, so a changed password is noticed without a restart.
"""

from __future__ import annotations

import os
import shlex
import signal
import stat
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from desk.channel import AuthRequired, Retry

COMMAND_LIMIT_S = 10.0
FILE_LIMIT_BYTES = 64 * 1024


class Secret:
    """A value that shows itself only to whoever calls `reveal`."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value in clear, for the one line that puts it on the wire."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret does not leave its process")


@dataclass(frozen=True, slots=True, kw_only=True)
class Password:
    """Where one password is to be found: exactly one of five places.

    A base for settings: the keys stand in the table of whatever needs the password.
    """

    # A command that prints it on its first line, as a list of arguments; no shell, 10 seconds at most.
    password_cmd: tuple[str, ...] = ()
    # A file whose first line it is; must be yours and closed to everybody else (mode 0600).
    password_file: str = ""
    # The name of an environment variable.
    password_env: str = ""
    # The name of a service in the system's keyring; needs the extra "keyring".
    password_keyring: str = ""
    # The password itself, for trials; every other place is better.
    password: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if len(named := self._named()) > 1:
            raise ValueError(f"{' and '.join(named)} contradict each other: keep one")

    @property
    def given(self) -> bool:
        """True when the settings say where the password is."""
        return bool(self._named())

    def resolve(self, user: str) -> Secret:
        """Fetch the password of `user` now; may take as long as the command does."""
        return _found(self, "password", user)

    def _named(self) -> list[str]:
        return _named(self, "password")


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """Where an access token is to be found: exactly one of five places, as for a password."""

    # A command that prints it on its first line, as a list of arguments; no shell, 10 seconds at most.
    token_cmd: tuple[str, ...] = ()
    # A file whose first line it is; must be yours and closed to everybody else (mode 0600).
    token_file: str = ""
    # The name of an environment variable.
    token_env: str = ""
    # The name of a service in the system's keyring; needs the extra "keyring".
    token_keyring: str = ""
    # The token itself, for trials; every other place is better.
    token: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if len(named := _named(self, "token")) > 1:
            raise ValueError(f"{' and '.join(named)} contradict each other: keep one")

    def secret(self, user: str = "deskhand") -> Secret:
        """Fetch the token now; may take as long as the command does."""
        return _found(self, "token", user)


def _named(where: Password | Token, word: str) -> list[str]:
    names = (f"{word}_cmd", f"{word}_file", f"{word}_env", f"{word}_keyring", word)
    return [name for name in names if getattr(where, name)]


def _found(where: Password | Token, word: str, user: str) -> Secret:
    named = _named(where, word)
    if not named:
        raise AuthRequired(f"no {word} is configured: set {word}_cmd or {word}_file")
    given = getattr(where, named[0])
    match named[0].removeprefix(word):
        case "_cmd":
            return from_command(given, named[0])
        case "_file":
            return from_file(Path(given).expanduser(), named[0])
        case "_env":
            return from_environment(given, named[0])
        case "_keyring":
            return from_keyring(given, user, named[0])
    return Secret(given)


def from_command(command: Sequence[str], key: str) -> Secret:
    """The first line that `command` prints; `key` names the setting in what is said about a failure."""
    try:
        # A session of its own, so that what the command started goes with it when time is up.
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as exc:
        raise AuthRequired(f"{key}: cannot run {command[0]}: {exc.strerror}") from None
    with process:
        try:
            out, err = process.communicate(timeout=COMMAND_LIMIT_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            # What the command had printed so far hangs on the exception: leave it behind.
            raise Retry(f"{key}: {command[0]} did not answer within {COMMAND_LIMIT_S:.0f} seconds") from None
    if process.returncode != 0:
        last = err.decode(errors="replace").strip().rpartition("\n")[2][:200]
        raise Retry(f"{key}: {command[0]} ended with status {process.returncode}" + (f": {last}" if last else ""))
    return _first_line(out, f"{key}: {command[0]} printed nothing")


def from_file(path: Path, key: str = "password_file") -> Secret:
    """The first line of `path`, which nobody else may be able to read."""
    try:
        with path.open("rb") as file:
            # Asked of the open file, not of the path: nobody can exchange it in between.
            status = os.fstat(file.fileno())
            _private(path, status, key)
            data = file.read(FILE_LIMIT_BYTES)
    except OSError as exc:
        raise AuthRequired(f"{key}: {path}: {exc.strerror}") from None
    return _first_line(data, f"{key}: {path} is empty")


def from_environment(name: str, key: str = "password_env") -> Secret:
    """The value of an environment variable."""
    value = os.environ.get(name, "")
    if not value:
        raise AuthRequired(f"{key}: {name} is not set in the environment of this process")
    return Secret(value)


def from_keyring(service: str, user: str, key: str = "password_keyring") -> Secret:
    """What the system's keyring holds for `user` under `service`."""
    try:
        import keyring
    except ImportError:
        raise AuthRequired(f"{key} needs the extra: install deskhand[keyring]") from None
    try:
        value = keyring.get_password(service, user)
    except Exception as exc:  # every backend has errors of its own
        raise AuthRequired(f"{key}: the keyring cannot be read: {type(exc).__name__}") from None
    if not value:
        command = shlex.join(["keyring", "set", service, user])
        raise AuthRequired(f"{key}: nothing is kept for {user}: run {command}")
    return Secret(value)


def _private(path: Path, status: os.stat_result, key: str) -> None:
    name = shlex.quote(str(path))
    given = os.environ.get("CREDENTIALS_DIRECTORY")
    if given and path.is_relative_to(given):
        # systemd keeps its credentials closed by means that mode and owner do not tell (an ACL).
        return
    if not stat.S_ISREG(status.st_mode):
        raise AuthRequired(f"{key}: {path} is not a plain file")
    if status.st_uid != os.geteuid():
        raise AuthRequired(f"{key}: {path} belongs to somebody else: chown {os.geteuid()} {name}")
    if status.st_mode & 0o077:
        raise AuthRequired(f"{key}: {path} is open to others: chmod 600 {name}")


def _first_line(data: bytes, otherwise: str) -> Secret:
    lines = data.decode(errors="surrogateescape").splitlines()
    if not lines or not lines[0]:
        raise AuthRequired(otherwise)
    return Secret(lines[0])


__all__ = ["Password", "Secret", "Token", "from_command", "from_environment", "from_file", "from_keyring"]
