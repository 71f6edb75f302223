"""Hosts of a small private network, whose cables can be pulled: network namespaces around one bridge.

Only root may make them. A name is an address in 10.0.0.0/8; this process is on the network, too.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import shutil
import signal
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, Self

import pytest

from tests.servers import MISSING, missing

PREFIX = "deskhand"
NAMESPACES = Path("/run/netns")

starter = ThreadPoolExecutor(1)
"""Starts what is to end with us, also when we are killed: that happens when the thread that started it ends, so it is one that stays."""

_counter = itertools.count(1)


class Host(NamedTuple):
    """Where a server listens, and what to put before a command that is to run there."""

    address: str = "127.0.0.1"
    inside: tuple[str, ...] = ()


LOOPBACK = Host()


class Hosts:
    """Named hosts that reach each other and this process: `Hosts("a", "b")["a"].address`."""

    def __init__(self, *names: str) -> None:
        if os.geteuid() != 0 or not shutil.which("ip"):
            missing("network namespaces", "they need root and the program ip")
        _sweep()
        number = next(_counter)
        self._names = {name: f"{PREFIX}-{os.getpid()}-{number}-{name}" for name in names}
        self._hub = f"{PREFIX}-{os.getpid()}-{number}"
        self._processes: list[subprocess.Popen[Any]] = []
        network = f"10.{random.randrange(64, 255)}.{random.randrange(255)}"
        self.address = f"{network}.1"
        self._hosts = {
            name: Host(f"{network}.{last}", ("nsenter", f"--net={NAMESPACES / space}", "--"))
            for last, (name, space) in enumerate(self._names.items(), 2)
        }
        try:
            # The bridge has a namespace of its own, out of reach of this machine's packet filter.
            done = subprocess.run(["ip", "netns", "add", self._hub], capture_output=True, text=True)
            if done.returncode:
                missing("network namespaces", done.stderr.strip())
            _ip(self._hub, "link add bridge up type bridge")
            for name, space in self._names.items():
                subprocess.run(["ip", "netns", "add", space], check=True)
                _ip(space, "link set lo up")
                self._plug(self._port(name), f"name eth0 netns {space}")
                _ip(space, f"address add {self._hosts[name].address}/24 dev eth0")
                _ip(space, "link set eth0 up")
            ours = f"desk{os.getpid()}-{number}"
            self._plug("ours", f"name {ours} netns {os.getpid()}")
            _ip("", f"address add {self.address}/24 dev {ours}")
            _ip("", f"link set {ours} up")
        except BaseException:
            self.remove()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def __getitem__(self, name: str) -> Host:
        return self._hosts[name]

    def run(self, name: str, command: Sequence[str | os.PathLike[str]], **options: Any) -> subprocess.Popen[Any]:
        """Start a command on a host; what still runs at the end is killed."""
        words = [*self[name].inside, "setpriv", "--pdeathsig", "KILL", "--", *command]
        process = starter.submit(lambda: subprocess.Popen(words, start_new_session=True, **options)).result()
        self._processes.append(process)
        return process

    def cut(self, name: str) -> None:
        """Pull its cable: packets vanish, and nobody is told."""
        _ip(self._hub, f"link set {self._port(name)} down")

    def heal(self, name: str) -> None:
        """Plug it in again."""
        _ip(self._hub, f"link set {self._port(name)} up")

    def delay(self, name: str, ms: float) -> None:
        """Let every packet to and from it take so much longer, each way; 0 is without."""
        for space, device in ((self._names[name], "eth0"), (self._hub, self._port(name))):
            command = ["tc", "-n", space, "qdisc", "replace", "dev", device, "root", "netem", "delay", f"{ms}ms"]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                # No package brings it, so this is no failure with CI=true either.
                pytest.skip(f"{MISSING}network delays ({done.stderr.strip()})")

    def remove(self) -> None:
        """Kill what runs on them and remove them all."""
        for process in self._processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        for space in (*self._names.values(), self._hub):
            _delete(space)

    def _plug(self, port: str, into: str) -> None:
        _ip(self._hub, f"link add {port} up master bridge type veth peer {into}")

    def _port(self, name: str) -> str:
        return f"port{[*self._names].index(name)}"


def _ip(space: str, command: str) -> None:
    subprocess.run(["ip", *(["-n", space] if space else []), *command.split()], check=True)


def _delete(space: str) -> None:
    if (NAMESPACES / space).exists():
        subprocess.run(["ip", "netns", "delete", space], check=True)


def _sweep() -> None:
    """Remove the hosts of runs that were killed."""
    for space in NAMESPACES.glob(f"{PREFIX}-*"):
        if not Path("/proc", space.name.split("-")[1]).exists():
            with contextlib.suppress(subprocess.CalledProcessError):  # somebody else does so, too
                _delete(space.name)
