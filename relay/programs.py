"""Programs of the team's or the agent's own, run on a leash: executables as macros, and hooks.

`demand_trusted` refuses a file that somebody else could have written. `run` starts it
without a shell, in a process group of its own, with little environment, a time limit and a
cap on what it prints, and kills the whole group when it is over. Nothing here raises for what
a program does: `Ran.trouble` tells it in a sentence.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import stat
import subprocess
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from desk.errors import Forbidden, NotFound

LIMIT_S = 10.0
"""How long a program may run unless it is given more."""

LONGEST_S = 60.0
"""How long it may be given."""

OUTPUT_BYTES = 64 * 1024
"""How much a program may print, on standard output and standard error each."""

_PATH = "/usr/local/bin:/usr/bin:/bin"
_KEPT = ("HOME", "USER", "LOGNAME", "TZ", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR")


@dataclass(frozen=True, slots=True)
class Ran:
    """How a program fared: what it printed, its exit code (None: it was stopped or never began), what is wrong."""

    out: str
    err: str
    code: int | None
    trouble: str = ""

    @property
    def well(self) -> bool:
        """Whether it ended by itself, in time, with 0, and printed text."""
        return not self.trouble


def demand_trusted(path: Path, uids: Collection[int]) -> None:
    """Forbidden, with the path and the remedy, unless only root and `uids` can change the file or put another in its place.

    That holds for the file, each folder above it, and the same again where links lead.
    """
    try:
        real = path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise NotFound(f"{path}: there is no such program") from error
    if not stat.S_ISREG(real.stat().st_mode):
        raise Forbidden(f"{path} is not a file; only files are run")
    # What a link says can be changed by whoever may write where the link lies.
    lexical = Path(os.path.abspath(path))  # noqa: PTH100 - resolving is what must not happen here
    for one in dict.fromkeys((real, *real.parents, *lexical.parents)):
        _demand_own(one, {0, *uids}, path)


def _demand_own(one: Path, uids: set[int], program: Path) -> None:
    found = one.stat()
    of = "" if one == program else f"{program} is not run: "
    if found.st_uid not in uids:
        raise Forbidden(f"{of}{one} belongs to the user {found.st_uid}, who could change it; chown {os.getuid()} {one}")
    # In a sticky folder such as /tmp nobody can rename or remove what is not theirs.
    shared = found.st_mode & 0o022 and not (stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX)
    if shared:
        raise Forbidden(f"{of}{one} can be written by other users; chmod go-w {one}")


def run(
    path: Path,
    data: bytes = b"",
    *,
    limit_s: float = LIMIT_S,
    cap: int = OUTPUT_BYTES,
    env: Mapping[str, str] | None = None,
) -> Ran:
    """Run the program with `data` on its standard input, in its own folder; `env` is added to the little it gets.

    What it leaves running in its process group ends with it.
    """
    limit_s = max(0.01, min(limit_s, LONGEST_S))
    try:
        process = subprocess.Popen(
            [str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=path.parent,
            env=_environment() | dict(env or {}), start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        return Ran("", "", None, f"{path.name} cannot be started: {_why_not(path, error)}")
    talk = _Talk(process, data, cap)
    try:
        trouble = talk.until(time.monotonic() + limit_s)
    finally:
        # Before it is waited for: as long as it is not, nobody else can get its number.
        _kill(process.pid)
        talk.close()
        code = process.wait()
    out, err = bytes(talk.out), bytes(talk.err)
    said = err.decode("utf-8", "replace")
    if trouble == "time":
        return Ran(_shown(out), said, None, f"{path.name} was stopped, it ran longer than {limit_s:g} s")
    if trouble == "size":
        return Ran(_shown(out), said, None, f"{path.name} was stopped, it printed more than {cap // 1024} KiB")
    if code:
        ended = f"ended with {code}" if code > 0 else f"was killed by {signal.Signals(-code).name}"
        return Ran(_shown(out), said, code, f"{path.name} {ended}")
    try:
        return Ran(out.decode("utf-8"), said, code)
    except UnicodeDecodeError:
        return Ran(_shown(out), said, code, f"{path.name} printed what is not UTF-8 text")


def _environment() -> dict[str, str]:
    return {"PATH": _PATH, "LANG": "C.UTF-8"} | {name: os.environ[name] for name in _KEPT if name in os.environ}


def _why_not(path: Path, error: OSError) -> str:
    if isinstance(error, PermissionError):
        return f"it is not executable; chmod u+x {path}"
    if isinstance(error, FileNotFoundError):
        return "its first line names an interpreter that is not there"
    return f"{error.strerror}; does its first line name an interpreter, such as #!/bin/sh?"


def _shown(out: bytes) -> str:
    return out.decode("utf-8", "replace")


def _kill(group: int) -> None:
    # Perhaps nobody of it is left; a zombie alone may count as somebody else's on some systems.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


class _Talk:
    """Standard input, output and error of a running program, and the news that it has ended."""

    def __init__(self, process: subprocess.Popen[bytes], data: bytes, cap: int) -> None:
        self.out, self.err = bytearray(), bytearray()
        self._left, self._cap = memoryview(data), cap
        self._process = process
        self._selector = selectors.DefaultSelector()
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        for pipe, into in ((process.stdout, self.out), (process.stderr, self.err)):
            os.set_blocking(pipe.fileno(), False)
            self._selector.register(pipe, selectors.EVENT_READ, into)
        os.set_blocking(process.stdin.fileno(), False)
        self._selector.register(process.stdin, selectors.EVENT_WRITE)
        self._ended = -1
        if hasattr(os, "pidfd_open"):
            # Its children may hold the pipes open; this tells that it has gone itself.
            self._ended = os.pidfd_open(process.pid)
            self._selector.register(self._ended, selectors.EVENT_READ)

    def until(self, deadline: float) -> str:
        """Talk until it ends ("") or has used up its "time" or "size"."""
        reading = 2
        while reading or self._ended >= 0:
            left = deadline - time.monotonic()
            if left <= 0:
                return "time"
            ended = False
            for key, _ in self._selector.select(left):
                if key.fileobj is self._process.stdin:
                    self._write()
                elif key.fileobj == self._ended:
                    ended = True
                elif not self._read(key.fileobj, key.data):
                    reading -= 1
                if max(len(self.out), len(self.err)) > self._cap:
                    return "size"
            if ended:
                return self._rest()
        return ""

    def _rest(self) -> str:
        """What is still in the pipes."""
        for key in list(self._selector.get_map().values()):
            if key.data is not None:
                while self._read(key.fileobj, key.data) and len(key.data) <= self._cap:
                    pass
        return "size" if max(len(self.out), len(self.err)) > self._cap else ""

    def _write(self) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        try:
            self._left = self._left[os.write(stdin.fileno(), self._left[:65_536]) :]
        except BlockingIOError:
            return
        except OSError:
            # It does not want to hear more, which is its own affair.
            self._left = self._left[:0]
        if not self._left:
            self._selector.unregister(stdin)
            stdin.close()

    def _read(self, pipe: object, into: bytearray) -> bool:
        """Take what is there; False at the end, or when there is nothing for now."""
        try:
            data = os.read(pipe.fileno(), 65_536)  # type: ignore[attr-defined]
        except BlockingIOError:
            return False
        into += data
        if not data:
            self._selector.unregister(pipe)  # type: ignore[arg-type]
        return bool(data)

    def close(self) -> None:
        """Let go of the pipes."""
        self._selector.close()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()
        if self._ended >= 0:
            os.close(self._ended)
