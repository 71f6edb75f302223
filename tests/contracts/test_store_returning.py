"""What a store promises to those who lost it for a while."""

from __future__ import annotations

import threading

from desk.events import change
from desk.model import MINUTE, Priority
from desk.store import Store, Tx
from tests.contracts.test_store import NOW, Hand


def test_a_batch_is_looked_up(store: Store) -> None:
    hand = Hand(store)
    ticket = hand.ticket()
    assert store.done("mine") == []
    hand.append(*change(ticket, priority=Priority.HIGH), id="mine")
    (record,) = store.done("mine")
    assert (record.batch, record.about, record.kind) == ("mine", ticket.id, "Changed")


def test_a_batch_that_is_being_written_is_waited_for(store: Store, other: Store) -> None:
    hand = Hand(store)
    ticket = hand.ticket()
    begun, go_on = threading.Event(), threading.Event()

    def body(tx: Tx) -> None:
        tx.append(hand.batch(id="mine"), change(ticket, priority=Priority.HIGH))
        tx.records("mine")  # from here on it has its number
        begun.set()
        go_on.wait(10)

    writing = threading.Thread(target=lambda: store.write(body))
    writing.start()
    assert begun.wait(10)
    threading.Timer(0.1, go_on.set).start()
    assert len(other.done("mine")) == 1
    writing.join()


def test_a_delivery_that_is_known_not_to_be_lost_is_left_alone(store: Store) -> None:
    hand = Hand(store)
    ticket = hand.ticket()
    message = hand.message(ticket.id, out=True)
    (number,) = [d.id for d, _ in store.outbox()]
    store.claim("a", NOW, NOW + MINUTE)
    assert message.id
    assert store.reclaim(NOW + 2 * MINUTE, without=[number]) == []
    assert store.reclaim(NOW + 2 * MINUTE, without=[number + 1]) == [number]
