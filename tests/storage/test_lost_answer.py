"""A wire that is cut at any moment of a change: it is done once, or was not done, and nobody is told otherwise."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest

from desk.blobs import Blob
from desk.config import DeskConfig
from desk.errors import Away, Unsure
from desk.lines import script
from desk.model import HOUR, MINUTE, Draft, Presence, State
from desk.perform import Desk, perform, undo
from storage import open_store, postgres
from storage.pool import MOST
from tests.contracts.conftest import prepared
from tests.desks import NOW, Room, mail, receive
from tests.servers import eventually
from tests.servers.postgres import Postgres
from tests.storage.crowd import furnished

WAYS = ("before", "after", "late", "half")
"""The message never comes to the server; it comes, and the answer gets lost; it comes when the client has long
been told that the wire is cut; half of the answer comes back."""

TICKETS = 20
LATE_S = 0.1
TURNS = b"QS"
"""Messages of the client that are answered: a query, and the end of a prepared one."""


@dataclass
class Wire:
    """Passes everything between clients and a server, and cuts the connection with the n-th message that is answered."""

    target: int
    left: int = 0
    way: str = ""
    seen: int = 0
    dead: bool = False
    """Whether nobody can connect after the cut."""
    cuts: int = 0
    cut: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._ends: list[socket.socket] = []
        self._fates: list[_Fate] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def arm(self, turn: int, way: str, *, dead: bool = False) -> None:
        """Cut with the message `turn` from now (0: never; they are counted)."""
        with self._lock:
            self.left, self.way, self.dead, self.seen = turn, way, dead, 0
            self.cut.clear()
            self.over.clear()

    def arm_each(self, turn: int) -> None:
        """Cut each connection there is with the message `turn` from now of its own; the server hears it."""
        self.left, self.way, self.cuts = 0, "after", 0
        for fate in self._fates:
            fate.left = turn

    def heal(self) -> None:
        """Let everybody connect again."""
        self.left, self.dead = 0, False

    def close(self) -> None:
        """End all there is."""
        for end in (self._listening, *self._ends):
            _close(end)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            if self.dead and self.cut.is_set():
                _close(client)
                continue
            server = socket.create_connection(("127.0.0.1", self.target))
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._ends = [end for end in self._ends if end.fileno() >= 0] + [client, server]
            self._fates = [fate for fate in self._fates if not fate.answered.is_set()]
            self._fates.append(fate := _Fate())
            threading.Thread(target=self._ask, args=(client, server, fate), daemon=True).start()
            threading.Thread(target=self._answer, args=(client, server, fate), daemon=True).start()

    def _ask(self, client: socket.socket, server: socket.socket, fate: _Fate) -> None:
        with suppress(OSError), client.makefile("rb") as asked:
            first = True
            while head := asked.read(4 if first else 5):
                body = asked.read(struct.unpack("!i", head[-4:])[0] - 4)
                if not first and head[:1] in TURNS and self._due(fate):
                    self._end(client, server, fate, head + body)
                    return
                server.sendall(head + body)
                first = False
        _close(server)

    def _due(self, fate: _Fate) -> bool:
        with self._lock:
            self.seen += 1
            self.left -= 1
            fate.left -= 1
            due = 0 in (self.left, fate.left)
            self.cuts += due
            if due:
                self.cut.set()
            return due

    def _end(self, client: socket.socket, server: socket.socket, fate: _Fate, message: bytes) -> None:
        if self.way == "before":
            _close(client)
            _close(server)
        elif self.way == "late":
            _close(client)
            time.sleep(LATE_S)
            fate.hear(server, message, None)
        else:
            fate.hear(server, message, client if self.way == "half" else None)
            _close(client)
        self.over.set()

    def _answer(self, client: socket.socket, server: socket.socket, fate: _Fate) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                if fate.doomed:
                    fate.answered.set()
                    if fate.rest:
                        # Of CommandComplete all, of ReadyForQuery nothing: it is known to us alone.
                        fate.rest.sendall(data[:-6])
                    break
                client.sendall(data)
        fate.answered.set()
        _close(server)
        _close(client)


@dataclass
class _Fate:
    """What is to become of one connection."""

    doomed: bool = False
    left: int = 0
    rest: socket.socket | None = None
    answered: threading.Event = field(default_factory=threading.Event)

    def hear(self, server: socket.socket, message: bytes, rest: socket.socket | None) -> None:
        """Let the server have the message, and do what it says."""
        self.doomed, self.rest = True, rest
        with suppress(OSError):
            server.sendall(message)
        self.answered.wait(10)
        _close(server)


def _close(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    with suppress(OSError):
        end.close()


# -- what is done, and whether it was ---------------------------------------------


@dataclass
class Scene:
    """The desk by way of the wire, and the same one directly."""

    near: Room
    far: Desk
    wire: Wire
    number: int = 0
    told: Counter[str] = field(default_factory=Counter)

    def next(self) -> int:
        """A number that was not used before."""
        self.number += 1
        return self.number


Done = Callable[[], bool]
"""Whether it stands: exactly once; fails when it stands in part, or twice."""

Change = Callable[[Scene], tuple[Callable[[], Any], Done]]
"""Makes ready a change of its own; what does it, and what tells whether it was done."""


def once(found: int) -> bool:
    assert found in (0, 1), f"done {found} times"
    return found == 1


def reply(scene: Scene) -> tuple[Callable[[], Any], Done]:
    n, store = scene.next(), scene.near.store
    ticket, text = 1 + n % TICKETS, f"answer {n}"
    before = store.ticket(ticket)

    def act() -> None:
        done = perform(scene.far, script(f'reply "{text}"'), [ticket], scene.near.who, at=NOW, batch_id=f"b{n}")
        assert done.done == [ticket]

    def stands() -> bool:
        count = sum(m.text.strip() == text for m in store.thread(ticket))
        posted = sum(r.kind == "Posted" for r in store.done(f"b{n}"))
        now = store.ticket(ticket)
        assert count == posted == now.version - before.version == now.message_count - before.message_count
        return once(count)

    return act, stands


def tags(scene: Scene) -> tuple[Callable[[], Any], Done]:
    """Several tickets in one change."""
    n, store = scene.next(), scene.near.store
    ids = [1 + (n + k) % TICKETS for k in range(3)]

    def act() -> None:
        perform(scene.far, script(f"tag t{n}"), ids, scene.near.who, at=NOW, batch_id=f"b{n}")

    def stands() -> bool:
        logged = Counter(str(r.about) for r in store.done(f"b{n}"))
        tagged = [t for t in ids if f"t{n}" in store.ticket(t).tags]
        assert sorted(logged.elements()) == sorted(map(str, tagged))
        assert len(tagged) in (0, 3)
        return bool(tagged)

    return act, stands


def back(scene: Scene) -> tuple[Callable[[], Any], Done]:
    """Undo."""
    n, store = scene.next(), scene.near.store
    ticket = 1 + n % TICKETS
    perform(scene.near.desk, script(f"rename new{n}"), [ticket], scene.near.who, at=NOW, batch_id=f"b{n}")

    def act() -> None:
        undo(scene.far, scene.near.who, at=NOW, batch_id=f"u{n}", batch=f"b{n}")

    def stands() -> bool:
        found = once(len(store.done(f"u{n}")))
        assert found == (store.ticket(ticket).subject != f"new{n}")
        return found

    return act, stands


def intake(scene: Scene) -> tuple[Callable[[], Any], Done]:
    n, store = scene.next(), scene.near.store
    blob = Blob.of(b"raw %d" % n)
    one = mail(10_000 + n, raw=blob.key, blobs=(blob,))

    def stands() -> bool:
        opened = [r for r in store.done(f"m{n}") if r.kind == "Opened"]
        known = store.known("support", [one.external_id])
        assert bool(known) == bool(opened) == (store.cursor("support") == f"m{n}")
        if opened:
            assert store.blob(blob.key) == b"raw %d" % n
        return once(len(opened))

    return lambda: receive(scene.far, [one], batch=f"m{n}"), stands


def _waiting(scene: Scene) -> int:
    """A delivery that is due, and no other."""
    n, store = scene.next(), scene.near.store
    for one in store.claim("others", NOW + HOUR, NOW + 2 * HOUR, 1_000):
        assert store.settle(one.delivery.id, "others", State.SENT, NOW + HOUR)
    ticket = 1 + n % TICKETS
    done = perform(scene.near.desk, script("reply hello"), [ticket], scene.near.who, at=NOW, batch_id=f"q{n}")
    return done.queued[0]


def settle(scene: Scene) -> tuple[Callable[[], Any], Done]:
    delivery, store = _waiting(scene), scene.near.store
    (claimed,) = store.claim("relay", NOW + HOUR, NOW + 2 * HOUR)
    assert claimed.delivery.id == delivery
    last = store.last_seq()

    def act() -> None:
        assert scene.far.store.settle(delivery, "relay", State.SENT, NOW + HOUR, remote_id="r")

    def stands() -> bool:
        found = once(sum(r.kind == "Delivered" for r in store.log(after=last)))
        assert found == (delivery in [d.id for d, _ in store.outbox((State.SENT,), 5)])
        if not found:
            assert store.settle(delivery, "relay", State.SENT, NOW + HOUR)
        return found

    return act, stands


def claim(scene: Scene) -> tuple[Callable[[], Any], Done]:
    """What was claimed and never heard of is found again when its time is up."""
    delivery, store = _waiting(scene), scene.near.store
    heard: list[int] = []
    nothing: list[bool] = []

    def act() -> None:
        heard.extend(one.delivery.id for one in scene.far.store.claim("far", NOW + HOUR, NOW + 2 * HOUR))
        # Who was cut off may hold it still: then there is nothing to claim just now.
        nothing.append(not heard)

    def stands() -> bool:
        (found,) = [d for d, _ in store.outbox((State.QUEUED, State.SENDING))]
        assert found.id == delivery
        claimed = found.state is State.SENDING
        assert heard == [delivery] * len(heard)
        assert claimed or not heard
        if claimed and not heard:
            assert store.reclaim(NOW + 2 * HOUR + MINUTE) == [delivery]
        if not heard:
            again: list[int] = []

            def found_again() -> list[int]:
                # Who was cut off holds it until the server has noticed.
                again.extend(one.delivery.id for one in store.claim("far", NOW + 3 * HOUR, NOW + 4 * HOUR))
                return again

            eventually(found_again, "the delivery to be free")
            assert again == [delivery]
        assert store.settle(delivery, "far", State.SENT, NOW + 3 * HOUR)
        return claimed or True in nothing

    return act, stands


def lease(scene: Scene) -> tuple[Callable[[], Any], Done]:
    n, store = scene.next(), scene.near.store

    def act() -> None:
        assert scene.far.store.lease(f"job{n}", "far", NOW, NOW + HOUR)

    return act, lambda: once([(one.name, one.holder) for one in store.leases()].count((f"job{n}", "far")))


def setting(scene: Scene) -> tuple[Callable[[], Any], Done]:
    n, store = scene.next(), scene.near.store
    return lambda: scene.far.store.set_setting("s", str(n)), lambda: store.setting("s") == str(n)


def secret(scene: Scene) -> tuple[Callable[[], Any], Done]:
    """Who was first is told so."""
    n, store = scene.next(), scene.near.store

    def act() -> None:
        assert scene.far.store.first_setting(f"secret{n}", f"mine{n}")

    return act, lambda: store.setting(f"secret{n}") == f"mine{n}"


def cursor(scene: Scene) -> tuple[Callable[[], Any], Done]:
    n, store = scene.next(), scene.near.store
    return (
        lambda: scene.far.store.write(lambda tx: tx.set_cursor("rules:", str(n))),
        lambda: store.cursor("rules:") == str(n),
    )


def effort(scene: Scene) -> tuple[Callable[[], Any], Done]:
    """It is added to what is there, and has no line in the log by which it would be found."""
    n, store = scene.next(), scene.near.store
    presence = Presence(f"terminal{n}", f"agent{n}", "far", 1, "views", NOW)

    def stands() -> bool:
        return once(sum(one.spent for one in store.effort(1) if one.agent == f"agent{n}"))

    return lambda: scene.far.store.attend(presence, 1), stands


def draft(scene: Scene) -> tuple[Callable[[], Any], Done]:
    n, store = scene.next(), scene.near.store
    kept = Draft(1, f"agent{n}", "note", NOW, "Hm", {})
    return lambda: scene.far.store.keep_draft(kept), lambda: kept in store.drafts(ticket=1)


CHANGES: tuple[Change, ...] = (reply, tags, back, intake, settle, claim, lease, setting, secret, cursor, effort, draft)


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
