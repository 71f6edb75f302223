"""Changes of every kind, each with a way to see whether it was done, once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from desk.blobs import Blob
from desk.lines import script
from desk.model import HOUR, MINUTE, Draft, Presence, State
from desk.perform import Desk, perform, undo
from tests.desks import NOW, Room, mail, receive
from tests.servers import eventually
from tests.servers.wire import Wire

TICKETS = 20


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
