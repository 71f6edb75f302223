"""Whole processes: how long they take, what they cost while nothing happens."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from bench.stores import OUT, store_of
from bench.terminal import tree_cpu, tree_memory

K = TypeVar("K", bound=Hashable)

ROOT = Path(__file__).resolve().parent.parent
DESKHAND = (sys.executable, "-m", "cli.main")

_RELAY = """\
[store]
url = "sqlite:///{path}"

[channels.support]
kind = "demo"
every_s = 1e9
"""


def environment() -> dict[str, str]:
    """Ours without the user's configuration, and with modules compiled once, as those of an installed program are."""
    home = OUT / "home"
    home.mkdir(parents=True, exist_ok=True)
    folders = dict.fromkeys(("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"), str(home))
    compiled = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(OUT / "bytecode")}
    return {**os.environ, **folders, **compiled, "PYTHONPATH": ""}


def timed(command: Sequence[str]) -> float:
    """Seconds from start to end of `command`."""
    begun = time.perf_counter()
    subprocess.run(
        command,
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        env=environment(),
    )
    return time.perf_counter() - begun


def in_turns(commands: Mapping[K, Sequence[str]], turns: int) -> dict[K, list[float]]:
    """Seconds of every command, `turns` times each, one after the other so that a busy minute hits all."""
    for command in commands.values():
        timed(command)  # warm the disk cache
    found: dict[K, list[float]] = {key: [] for key in commands}
    for _ in range(turns):
        for key, command in commands.items():
            found[key].append(timed(command))
    return found


def ls(tickets: Sequence[int], turns: int) -> dict[int, list[float]]:
    """Seconds of `deskhand ls` by size of the store; 0 is Python itself."""
    commands = {n: (*DESKHAND, "--store", f"sqlite:///{store_of(n)}", "ls") for n in tickets}
    return in_turns({0: (sys.executable, "-c", "pass"), **commands}, turns)


def start(turns: int) -> dict[str, list[float]]:
    """Seconds of a Python that does nothing, and of one that imports the command line."""
    return in_turns({code: (sys.executable, "-c", code) for code in ("pass", "import cli.main")}, turns)


def idle_relay(seconds: float) -> tuple[float, float]:
    """(share of a core, MiB) of a relay whose only account has nothing to say."""
    folder = OUT / "relay"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    config = folder / "config.toml"
    config.write_text(_RELAY.format(path=folder / "desk.db"))
    with (folder / "relay.log").open("w") as log:
        relay = subprocess.Popen(
            (*DESKHAND, "--config", str(config), "relay"), cwd=ROOT, env=environment(), stdout=log, stderr=log
        )
        try:
            time.sleep(5)  # the one customer there is has been taken in
            before = tree_cpu(relay.pid)
            time.sleep(seconds)
            used = tree_cpu(relay.pid) - before
            if relay.poll() is not None:
                raise RuntimeError(f"the relay ended with {relay.returncode}; see {folder}/relay.log")
            return used / seconds, tree_memory(relay.pid)[0] / 1024
        finally:
            relay.send_signal(signal.SIGTERM)
            relay.wait(30)
