"""What an agent did last, and how much everybody has to do: on every engine."""

from __future__ import annotations

import pytest

from desk.events import Changed, Delivered, change
from desk.model import HOUR, Bin, Priority, State, Status
from desk.store import Store
from tests.contracts.test_store import NOW, Hand


@pytest.fixture
def hand(store: Store) -> Hand:
    return Hand(store)


def test_deeds_are_an_agents_own_the_newest_first_and_say_what_took_them_back(store: Store, hand: Hand) -> None:
    one, two = hand.ticket(), hand.ticket()
    both = [e for t in (one, two) for e in change(t, priority=Priority.HIGH)]
    hand.append(*both, id="a", agent="kim", line="priority high", uid=1000, host="here")
    hand.append(*change(one, tags=("vpn",)), id="b", agent="sam", line="tag vpn")
    hand.append(
        Changed(one.id, "priority", Priority.HIGH, Priority.NORMAL),
        id="c",
        agent="kim",
        line="undo: priority high",
        undoes="a",
    )
    undo, first = store.deeds("kim")
    assert (undo.batch.id, undo.batch.undoes, undo.tickets, undo.undone_by) == ("c", "a", 1, None)
    assert (first.batch.id, first.batch.line, first.batch.uid, first.batch.host) == ("a", "priority high", 1000, "here")
    assert (first.tickets, first.undone_by) == (2, "c")
    assert first.seq < undo.seq <= store.last_seq()
    assert [deed.batch.id for deed in store.deeds("kim", 1)] == ["c"]
    assert store.deeds("lee") == []


def test_deeds_are_work_on_tickets_and_not_the_care_of_the_desk(store: Store, hand: Hand) -> None:
    ticket = hand.ticket()
    hand.append(Changed("sam", "display", "", "Sam", "agent"), agent="kim", line="agent set sam")
    hand.append(Delivered(ticket.id, 1, 1, State.QUEUED), agent="kim", line="outbox retry 1")
    assert store.deeds("kim") == []


def test_workload_counts_what_is_open_and_awake_and_waits_for_nobody_else(store: Store, hand: Hand) -> None:
    hand.ticket(assignee="kim", status=Status.OPEN)
    hand.ticket(assignee="kim", status=Status.NEW, snoozed_until=NOW + HOUR)
    hand.ticket(assignee="sam", status=Status.PENDING)
    hand.ticket(assignee="sam", status=Status.OPEN, bin=Bin.SPAM)
    hand.ticket(status=Status.OPEN)
    assert store.workload(NOW) == {"kim": 1}
    assert store.workload(NOW + 2 * HOUR) == {"kim": 2}
