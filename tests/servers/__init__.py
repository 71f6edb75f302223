"""Private servers for tests: real ones where the system has them, scripted ones where faults are wanted.

Each listens on loopback, on a port the kernel chose, in a folder of its own, and is
ended by the process id it was started with.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

MISSING = "server missing: "
"""How the reason of a skipped test begins when a server was not there."""

MEMORY, ROOM = Path("/dev/shm"), 2 << 30

START_S = 20.0
STOP_S = 5.0


def need(name: str, *programs: str) -> None:
    """Skip the test when a server cannot run here; with CI=true that is a failure."""
    absent = [program for program in programs if not shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin")]
    if absent:
        missing(name, f"no {' and no '.join(absent)}; run tests/servers/install.sh")
    if os.geteuid() != 0:
        missing(name, "only root can start it with users of its own")


def missing(name: str, why: str) -> None:
    """Skip the test for want of the server `name`."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{MISSING}{name} ({why})", pytrace=False)
    pytest.skip(f"{MISSING}{name} ({why})")


def free_port() -> int:
    """A port nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def folder(name: str, *, quick: bool = False) -> Path:
    """A new temporary folder that the servers' own users can enter, too; a quick one is in memory where there is room."""
    roomy = quick and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM
    path = Path(tempfile.mkdtemp(prefix=f"deskhand-{name}-", dir=MEMORY if roomy else None))
    path.chmod(0o755)
    return path


def eventually(condition: Callable[[], object], what: str, seconds: float = START_S) -> None:
    """Wait until `condition` holds; fail with `what` when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {seconds:.0f} s in vain: {what}")
        time.sleep(0.01)


def listening(port: int) -> bool:
    """True when something accepts connections there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Process:
    """A server in the foreground, with whatever it forks."""

    def __init__(self, name: str, command: list[str], port: int, log: Path) -> None:
        self._log = log
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
            )
        try:
            eventually(lambda: self._process.poll() is not None or listening(port), f"{name} to listen")
            if self._process.poll() is not None:
                pytest.fail(f"{name} ended at once: {log.read_text(errors='replace')[-2000:]}")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End it, kindly first, and then whatever it left behind."""
        self._process.terminate()
        deadline = time.monotonic() + STOP_S
        while time.monotonic() < deadline and not self._ended():
            time.sleep(0.005)
        # Not reaped before this, so that the number of the group is still ours.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def kill(self) -> None:
        """End it at once, with whatever it forked."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _ended(self) -> bool:
        return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None


def certificates(path: Path) -> Path:
    """A certificate authority of our own in `path/ca.pem`, and cert.pem and key.pem for localhost."""
    path.mkdir(parents=True, exist_ok=True)

    def openssl(*args: str) -> None:
        subprocess.run(["openssl", *args], cwd=path, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Test authority")
    names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
    issuer = ("-CA", "ca.pem", "-CAkey", "ca.key")
    leaf = ("-addext", names, "-addext", "basicConstraints=critical,CA:FALSE")
    openssl("req", "-x509", *key, *issuer, *leaf, "-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=localhost")
    for file in path.iterdir():
        file.chmod(0o644)  # thrown away with the folder; exim reads it as its own user
    return path
