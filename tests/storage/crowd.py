"""Processes that do one thing at once, on any engine, for tests of what they do to each other.

`at_once(work, 8, ...)` runs a generator function in so many processes: `work(number, ...)`
gets ready up to its first `yield`, goes on when all are ready, and returns what can be told
in JSON.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from desk.actions import find
from desk.config import DeskConfig
from desk.model import Account, Agent, Role
from desk.perform import Desk, Who
from desk.store import Batch, Store
from desk.threads import Signer
from storage import open_store
from tests.contracts.conftest import ENGINES
from tests.desks import ADDRESS, MAIL, NOW, Room, mail

Work = Generator[None, None, Any]

ROOT = Path(__file__).parents[2]
WAIT_S = 600

engines = pytest.mark.parametrize("engine", sorted(ENGINES))


def furnished(url: str, tickets: int, agents: int = 0, *, chunk: int = 500) -> Room:
    """A new desk with kim (admin), agents by the names agent0, agent1, …, an account, and so many tickets."""
    store = open_store(url, DeskConfig(), create=True)
    kim = Agent("kim", role=Role.ADMIN, uid=1000)
    for agent in (kim, *(Agent(f"agent{n}") for n in range(agents))):
        store.save_agent(agent, Batch(f"made-{agent.name}", NOW))
    store.save_account(Account("support", "email", ADDRESS, capabilities=MAIL, health="ok"))
    room = Room(store, Desk(store, store.config, Signer(b"x" * 32)), Who(kim, 1000, "test"))
    for start in range(0, tickets, chunk):
        room.receive(*(mail(n) for n in range(start, min(tickets, start + chunk))))
    return room


def opened(url: str) -> tuple[Desk, Who]:
    """The desk as another process has it, and kim."""
    store: Store = open_store(url, DeskConfig())
    return Desk(store, store.config, Signer(b"x" * 32)), Who(store.agents()["kim"], 1000, "test")


class Crowd:
    """So many processes at `work`, which go on while a test does something to them."""

    def __init__(self, work: Callable[..., Work], count: int, *args: Any) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="deskhand-crowd-"))
        told = json.dumps([work.__module__, work.__name__, count, str(self.folder), args])
        self._lead = subprocess.Popen(
            [sys.executable, "-c", "from tests.storage.crowd import _lead; _lead()", told],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        )  # fmt: skip
        assert self._lead.stdout is not None
        if self._lead.stdout.readline() != "going\n":
            self.results()

    def stop(self) -> None:
        """Tell them, who look at `told_to_stop`."""
        (self.folder / "stop").touch()

    def noted(self) -> dict[int, list[str]]:
        """What each has noted so far."""
        return {int(f.suffix[1:]): f.read_text().split("\n")[:-1] for f in self.folder.glob("notes.*")}

    def going(self) -> bool:
        """Whether they are at it still; fails when one has come to grief."""
        if self._lead.poll() is not None:
            self.results()
        return self._lead.poll() is None

    def results(self) -> list[Any]:
        """What each returned, when all are done."""
        _, said = self._lead.communicate(timeout=WAIT_S)
        assert self._lead.returncode == 0, said[-4000:]
        return [
            json.loads(f.read_text()) for f in sorted(self.folder.glob("result.*"), key=lambda f: int(f.suffix[1:]))
        ]

    def __enter__(self) -> Crowd:
        return self

    def __exit__(self, *_: object) -> None:
        if self._lead.poll() is None:
            # Its children end with it: they read from it.
            self._lead.kill()
        self._lead.wait()
        for file in self.folder.iterdir():
            file.unlink()
        self.folder.rmdir()


def at_once(work: Callable[..., Work], count: int, *args: Any) -> list[Any]:
    """What each of so many processes returned."""
    with Crowd(work, count, *args) as crowd:
        return crowd.results()


# -- in the processes ---------------------------------------------------------

_folder = Path()


def told_to_stop() -> bool:
    """Whether the test has seen enough."""
    return (_folder / "stop").exists() or os.getppid() == 1


@contextlib.contextmanager
def notes(number: int) -> Iterator[Callable[[str], None]]:
    """Where to note what is done, a line each, so that it is known even of one that is killed."""
    with (_folder / f"notes.{number}").open("ab", buffering=0) as file:
        yield lambda line: file.write(f"{line}\n".encode()) and None


def _lead() -> None:
    """Make the processes from one that has everything loaded, let them start together, and wait for them."""
    global _folder
    module, name, count, folder, args = json.loads(sys.argv[1])
    _folder = Path(folder)
    for each in ("desk.next", "storage.opening", "storage.postgres"):
        importlib.import_module(each)  # once, and not in each of them
    find("reply")
    work = getattr(importlib.import_module(module), name)
    ready, tell = os.pipe()
    gate, start = os.pipe()
    children = []
    for number in range(count):
        child = os.fork()
        if child == 0:
            os.close(start)
            os._exit(_follow(work, number, args, tell, gate))
        children.append(child)
    os.close(tell)
    for _ in range(count):
        os.read(ready, 1)
    print("going", flush=True)
    os.close(start)
    ends = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    sys.exit(any(ends))


def _follow(work: Callable[..., Work], number: int, args: list[Any], tell: int, gate: int) -> int:
    try:
        course = work(number, *args)
        next(course)
        os.write(tell, b".")
        os.close(tell)
        os.read(gate, 1)
        try:
            next(course)
        except StopIteration as end:
            (_folder / f"result.{number}").write_text(json.dumps(end.value))
            return 0
        raise AssertionError("it yields once")
    except BaseException:
        import traceback

        time.sleep(0.01 * number)
        traceback.print_exc()
        sys.stderr.flush()
        return 1
