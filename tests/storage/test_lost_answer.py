"""A wire that is cut at any moment of a change: it is done once, or was not done, and nobody is told otherwise."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from desk.config import DeskConfig
from desk.errors import Away, Unsure
from desk.perform import Desk
from storage import open_store, postgres
from storage.pool import MOST
from tests.contracts.conftest import prepared
from tests.servers.postgres import Postgres
from tests.servers.wire import WAYS, Wire
from tests.storage.changes import CHANGES, TICKETS, Change, Done, Scene, tags
from tests.storage.crowd import furnished


@pytest.fixture(scope="module")
def scene(postgres: Postgres) -> Iterator[Scene]:
    url = postgres.copy_of(prepared)
    near = furnished(url, TICKETS)
    parts = urlsplit(postgres.url(url, sslmode="disable", gssencmode="disable"))
    wire = Wire(parts.port or 5432)
    through = parts._replace(netloc=f"{parts.netloc.rpartition('@')[0]}@127.0.0.1:{wire.port}").geturl()
    store = open_store(through, DeskConfig())
    yield Scene(near, Desk(store, store.config, near.desk.signer), wire)
    store.close()
    wire.close()
    assert near.store.check() == []
    near.store.close()
    postgres.drop(url)


def ready(scene: Scene, change: Change) -> tuple[Callable[[], Any], Done]:
    """A change to be done on a connection that is there already."""
    made = change(scene)
    scene.far.store.last_seq()
    return made


def turns_of(scene: Scene, change: Change) -> int:
    """How many messages of a change are answered."""
    for _ in range(3):  # until all that is prepared once is prepared
        act, stands = ready(scene, change)
        scene.wire.arm(0, "")
        act()
        turns = scene.wire.seen
        assert stands()
    return turns


def cut_everywhere(scene: Scene, change: Change, turns: list[int]) -> None:
    """Cut a change at these turns, in all ways; afterwards the server can be reached: it is done, and once."""
    for turn in turns:
        for way in WAYS:
            act, stands = ready(scene, change)
            scene.wire.arm(turn, way)
            try:
                act()
            finally:
                scene.wire.heal()
            if scene.wire.cut.is_set():
                scene.told["cut"] += 1
                assert scene.wire.over.wait(10)
            assert stands(), f"{change.__name__} is not done: turn {turn}, {way}"


def cut_for_good(scene: Scene, change: Change, turns: list[int]) -> None:
    """The same, but nobody can be asked afterwards: who is told that nothing was done is told the truth."""
    for turn in turns:
        for way in WAYS:
            act, stands = ready(scene, change)
            scene.wire.arm(turn, way, dead=True)
            said = "done"
            try:
                act()
            except Unsure:
                said = "unsure"
            except Away:
                said = "away"
            was_cut = scene.wire.cut.is_set()
            if was_cut:
                assert scene.wire.over.wait(10)
            scene.wire.heal()
            scene.told[said] += was_cut
            assert said == "done" or was_cut
            found = stands()
            where = f"{change.__name__}: {said}, and it {'stands' if found else 'does not stand'}; turn {turn}, {way}"
            assert said == "unsure" or found == (said == "done"), where


def some(turns: int) -> list[int]:
    """The end, where the commit is, and the middle."""
    return sorted({max(1, turns // 2), turns - 1, turns})


def sentence(scene: Scene, kind: str) -> str:
    counts = ", ".join(f"{count} {what}" for what, count in sorted(scene.told.items()))
    scene.told.clear()
    return f"lost answers, {kind}: {counts}; doubled 0, failed though it stands 0"


def test_a_change_is_done_once_wherever_the_wire_is_cut(scene: Scene) -> None:
    for change in CHANGES:
        cut_everywhere(scene, change, some(turns_of(scene, change)))
    print(sentence(scene, "some turns"))


def test_nobody_is_told_that_nothing_was_done_when_it_was(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "_UNSURE_S", 0.02)
    for change in CHANGES:
        cut_for_good(scene, change, some(turns_of(scene, change))[-2:])
    print(sentence(scene, "for good"))


def test_all_connections_of_a_process_may_lose_their_answers_at_once(scene: Scene) -> None:
    """Each needs one more to ask what became of its commit."""
    turns = turns_of(scene, tags)
    together = threading.Barrier(MOST)
    changes = [tags(scene) for _ in range(MOST)]
    told: list[str] = []

    def write(act: Callable[[], Any], stands: Done) -> None:
        # All have a connection of their own before one is cut.
        scene.far.store.write(lambda tx: (together.wait(10), tx.cursor("none")))
        if together.wait(10) == 0:
            scene.wire.arm_each(turns)
        together.wait(10)
        try:
            act()
            told.append("done" if stands() else "not done")
        except Exception as error:
            told.append(str(error))

    threads = [threading.Thread(target=write, args=change) for change in changes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    print(f"lost answers, {scene.wire.cuts} of {MOST} connections at once: {Counter(told)}")
    assert scene.wire.cuts == MOST
    assert told == ["done"] * MOST


@pytest.mark.torture
def test_a_change_is_done_once_at_every_message(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    for change in CHANGES:
        cut_everywhere(scene, change, [*range(1, turns_of(scene, change) + 1)])
    print(sentence(scene, "every turn"))
    monkeypatch.setattr(postgres, "_UNSURE_S", 0.02)
    for change in CHANGES:
        cut_for_good(scene, change, [*range(1, turns_of(scene, change) + 1)])
    print(sentence(scene, "every turn for good"))
