"""Cables that are pulled: who is cut off is told in time, goes on by itself, holds up nobody, and does nothing twice."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from desk.errors import Away, StoreError, Unsure
from desk.lines import script
from desk.perform import perform
from desk.store import Tx
from tests.contracts.conftest import prepared
from tests.desks import NOW, Room
from tests.servers import eventually
from tests.servers.hosts import Hosts
from tests.servers.postgres import Postgres
from tests.storage.crowd import furnished, opened

HANG_S = 20.0
"""Nothing hangs longer."""

TICKETS = 10
WAITED_S = 0.5


class Worker:
    """Changes tickets and follows the log until told to stop; knows what was done, and what took longest."""

    def __init__(self, url: str, name: str, stop: Callable[[], bool]) -> None:
        self.desk, self.who = opened(url)
        self.name, self._stop = name, stop
        self.done: list[tuple[float, str]] = []
        self.seen: list[tuple[float, int]] = []
        self.told: Counter[str] = Counter()
        self.said: dict[str, str] = {}
        self.longest = {"change": 0.0, "wait": 0.0}
        self._threads = [threading.Thread(target=work) for work in (self._change, self._follow)]
        for thread in self._threads:
            thread.start()

    def _timed(self, what: str, work: Callable[[], Any], allowed: float = 0.0) -> Any:
        begun = time.monotonic()
        try:
            return work()
        except Unsure as error:
            self.told["unsure"] += 1
            self.said["unsure"] = str(error)
            raise
        except StoreError as error:
            kind = type(error).__name__
            self.told[f"{what} {kind}"] += 1
            self.said[kind] = str(error)
            raise
        finally:
            self.longest[what] = max(self.longest[what], time.monotonic() - begun - allowed)

    def _change(self) -> None:
        turn = 0
        while not self._stop():
            turn += 1
            batch, ticket = f"{self.name}-{turn}", 1 + turn % TICKETS
            while not self._stop():
                try:
                    self._timed("change", lambda: self._once(batch, ticket))  # noqa: B023
                    self.done.append((time.monotonic(), batch))
                    break
                except Unsure:
                    if self._stands(batch):
                        self.done.append((time.monotonic(), batch))
                        break
                except StoreError:
                    time.sleep(0.05)
            time.sleep(0.01)

    def _once(self, batch: str, ticket: int) -> None:
        perform(self.desk, script(f"rename {batch}"), [ticket], self.who, at=NOW, batch_id=batch)

    def _stands(self, batch: str) -> bool:
        while True:
            try:
                return bool(self.desk.store.done(batch))
            except StoreError:
                time.sleep(0.05)

    def _follow(self) -> None:
        store, after = self.desk.store, 0
        while not self._stop():
            try:
                if self._timed("wait", lambda: store.wait(after, WAITED_S), WAITED_S) > after:  # noqa: B023
                    for record in store.log(after=after):
                        self.seen.append((time.monotonic(), record.seq))
                        after = record.seq
            except StoreError:
                time.sleep(0.05)

    def end(self) -> dict[str, Any]:
        for thread in self._threads:
            thread.join(60)
        return {"done": self.done, "seen": self.seen, "told": self.told, "longest": self.longest, "said": self.said}


def client(url: str, name: str, folder: str) -> None:
    """A worker in a process of its own, on another host."""
    Path(folder, "hold").touch()
    worker = Worker(url, name, Path(folder, "stop").exists)
    eventually(lambda: worker.done and worker.seen, "the first change")
    Path(folder, "going").touch()
    Path(folder, "told").write_text(json.dumps(worker.end()))


def holder(url: str, name: str, folder: str) -> None:
    """One who is cut off in the middle of a change, with everything locked."""
    desk, _ = opened(url)

    def body(tx: Tx) -> None:
        tx.tickets((1,))
        tx.cursor("none")
        tx.conn.execute("UPDATE counter SET value = value WHERE name = 'seq'")  # type: ignore[attr-defined]
        Path(folder, "going").touch()
        eventually(Path(folder, "stop").exists, "the end", 120)

    desk.store.write(body)


class Net:
    """A server and a client on hosts of their own, and a worker here."""

    def __init__(self, hosts: Hosts, server: Postgres, folder: Path) -> None:
        self.hosts, self.folder = hosts, folder
        self.url = server.copy_of(prepared)
        self.room: Room = furnished(self.url, TICKETS)
        self.first = self.room.store.last_seq()

    def start(self, work: str) -> None:
        """Let `client` or `holder` begin on the other host."""
        program = f"from tests.storage.test_network import {work}; import sys; {work}(*sys.argv[1:])"
        command = [sys.executable, "-c", program, self.url, work, str(self.folder)]
        self.process = self.hosts.run("client", command, cwd=Path(__file__).parents[2])
        eventually(lambda: (self.folder / "going").exists() or self.process.poll(), "the client to begin")

    def told(self) -> Any:
        """What the other host tells in the end."""
        (self.folder / "stop").touch()
        assert self.process.wait(60) == 0
        return json.loads((self.folder / "told").read_text())


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Net]:
    with Hosts("server", "client") as hosts, Postgres(at=hosts["server"]) as server:
        net = Net(hosts, server, tmp_path)
        yield net
        net.room.store.close()


def cut(net: Net, cable: str, seconds: float) -> str:
    """Pull a cable for so long; what was counted, in a sentence."""
    net.start("client")
    here = Worker(net.url, "here", (net.folder / "stop").exists)
    eventually(lambda: len(here.done) > 5, "changes")
    net.hosts.cut(cable)
    pulled = time.monotonic()
    time.sleep(seconds)  # a network has no clock that could be put forward
    net.hosts.heal(cable)
    healed = time.monotonic()
    eventually(lambda: here.done[-1][0] > healed and here.seen[-1][0] > healed, "work to go on here", 60)
    # The clock of a host is the same for all its name spaces.
    time.sleep(2)
    there = net.told()
    ours = here.end()
    missing, doubled = _judged(net, [*ours["done"], *there["done"]])
    back = {
        what: max(min((at for at, _ in one[what] if at > healed), default=1e9) - healed for one in (ours, there))
        for what in ("done", "seen")
    }
    meanwhile = sum(pulled + 1 < at < healed for at, _ in ours["done"])
    longest = {what: max(ours["longest"][what], there["longest"][what]) for what in ("change", "wait")}
    said = (
        f"cable of the {cable} pulled for {seconds:.0f} s: {len(ours['done'])} + {len(there['done'])} changes, missing {missing}, "
        f"doubled {doubled}; the longest change {longest['change']:.1f} s, wait {longest['wait']:.1f} s too long; after healing writing in "
        f"{back['done']:.1f} s, news in {back['seen']:.1f} s; {meanwhile} changes by others meanwhile; there {there['told']}"
    )
    assert missing == doubled == 0, said
    assert longest["change"] < HANG_S, said
    assert longest["wait"] < 5, said
    assert max(back.values()) < HANG_S, said
    if cable == "client" and seconds > HANG_S:
        assert meanwhile, said
    assert net.room.store.check() == [], said
    return said


def _judged(net: Net, done: list[Any]) -> tuple[int, int]:
    stands = Counter(r.batch for r in net.room.store.log(after=net.first, limit=1 << 30))
    return len({batch for _, batch in done} - stands.keys()), sum(n > 1 for n in stands.values())


def test_a_short_cut_is_waited_out(net: Net) -> None:
    print(f"network: {cut(net, 'client', 1)}")


@pytest.mark.torture
@pytest.mark.parametrize("cable", ["client", "server"])
def test_a_long_cut_is_told_and_healed(net: Net, cable: str) -> None:
    print(f"network: {cut(net, cable, 20)}")


@pytest.mark.torture
@pytest.mark.parametrize("cable", ["client", "server"])
def test_a_peer_that_is_gone_is_given_up(net: Net, cable: str) -> None:
    """For longer than anything may hang."""
    print(f"network: {cut(net, cable, 45)}")


@pytest.mark.torture
def test_who_is_cut_off_in_the_middle_of_a_change_holds_up_the_others_for_a_while_only(net: Net) -> None:
    net.start("holder")
    net.hosts.cut("client")
    begun = time.monotonic()
    errors = Counter[str]()
    while True:
        try:
            perform(net.room.desk, script("rename free"), [1], net.room.who, at=NOW, batch_id="free")
            break
        except Away as error:
            errors[str(error)] += 1
    took = time.monotonic() - begun
    net.hosts.heal("client")
    (net.folder / "stop").touch()
    assert net.process.wait(60) == 0
    said = f"network: one who was cut off held up the others for {took:.1f} s; {dict(errors)}"
    print(said)
    assert took < HANG_S, said
