"""A desk as its users have it: a configuration file, the command line, and a relay process that can be killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import tomli_w

from tests.servers import eventually

ROOT = Path(__file__).resolve().parents[2]


class Shift:
    """Somebody at work: `folder` holds configuration, store and logs."""

    def __init__(self, folder: Path, channels: Mapping[str, Any], **desk: Any) -> None:
        self.folder = folder
        self.config = folder / "config.toml"
        tables = {
            "store": {"url": f"sqlite:///{folder}/desk.db"},
            "desk": {"undo_s": 1} | desk,
            "relay": {"lease_s": 1, "workers": 0},
            "channels": dict(channels),
        }
        self.config.write_text(tomli_w.dumps(tables))
        self.config.chmod(0o600)
        self.environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
            "XDG_CONFIG_HOME": str(folder),
            "XDG_DATA_HOME": str(folder),
            "DESKHAND_CONFIG": str(self.config),
        }
        self._relays: list[subprocess.Popen[bytes]] = []
        self._logs = 0

    def run(self, *args: str, stdin: str = "", ok: tuple[int, ...] = (0,)) -> str:
        """What the command line prints; fails when it ends otherwise than expected."""
        return self._done(*args, stdin=stdin, ok=ok).stdout

    def refused(self, *args: str) -> str:
        """What the command line says where it does not do as asked."""
        return self._done(*args, ok=(1, 2)).stderr

    def _done(self, *args: str, stdin: str = "", ok: tuple[int, ...]) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "cli.main", *args],
            input=stdin,
            capture_output=True,
            text=True,
            env=self.environment,
            cwd=ROOT,
            timeout=60,
        )
        assert done.returncode in ok, (
            f"deskhand {' '.join(args)} ended with {done.returncode}: {done.stderr}{done.stdout}"
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def json(self, *args: str) -> list[dict[str, Any]]:
        """The objects a verb prints with --json."""
        return [json.loads(line) for line in self.run(*args, "--json").splitlines()]

    def tickets(self, query: str = "id:1..") -> list[dict[str, Any]]:
        """What `ls` lists for a query."""
        return self.json("ls", query, "--limit", "0")

    def messages(self, ticket: int) -> list[dict[str, Any]]:
        """The conversation of a ticket."""
        found: list[dict[str, Any]] = self.json("show", str(ticket))[0]["messages"]
        return found

    def relay(self) -> subprocess.Popen[bytes]:
        """Start a relay; it is running when this returns."""
        self._logs += 1
        log = self.folder / f"relay{self._logs}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "cli.main", "relay"],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=self.environment,
                cwd=ROOT,
            )
        self._relays.append(process)
        eventually(lambda: b"relay started" in log.read_bytes() or process.poll() is not None, "the relay to start")
        assert process.poll() is None, log.read_text()
        return process

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """End a relay as a power cut would."""
        process.send_signal(signal.SIGKILL)
        process.wait()

    def stop(self, process: subprocess.Popen[bytes]) -> int:
        """End a relay as systemd would; its exit code."""
        process.terminate()
        return process.wait(30)

    def logs(self) -> str:
        """Everything the relays logged."""
        return "".join(path.read_text() for path in sorted(self.folder.glob("relay*.log")))

    def end(self) -> None:
        """Leave nothing running."""
        for process in self._relays:
            if process.poll() is None:
                process.kill()
                process.wait()


def soon(look: Callable[[], Any], what: str, seconds: float = 30.0) -> Any:
    """The first thing `look` finds; asked again in a civil rhythm, because every look is a process."""
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, f"waited {seconds:.0f} s in vain: {what}"
        time.sleep(0.05)
    return found
