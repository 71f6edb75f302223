"""Drafts, presence, effort and pace: what a screen keeps and asks besides tickets, on every engine."""

from __future__ import annotations

import re
import sqlite3
import threading
from typing import Any

import pytest
from msgspec.structs import replace

from desk.events import Withdrawn, change
from desk.model import DAY, HOUR, SECOND, Bin, Draft, Effort, Identity, Kind, Message, Presence, Status
from desk.store import Store, Tx
from storage.sqlite import SqliteEngine
from tests.contracts.test_store import NOW, Hand

DRAFT = Draft(1, "kim", "reply", NOW, "Dear Ann,\n", {"cc": "boss@example.com", "attach": "a.pdf\nb c.pdf"}, 3)
AT_ONE = Presence("kim:1", "kim", "desk1", 1, "views", NOW + 30 * SECOND)


@pytest.fixture
def hand(store: Store) -> Hand:
    return Hand(store)


# -- drafts -----------------------------------------------------------------


def test_a_draft_comes_back_as_it_was_kept(store: Store, other: Store) -> None:
    store.keep_draft(DRAFT)
    assert other.drafts() == [DRAFT]


def test_one_draft_is_kept_for_each_ticket_agent_and_kind(store: Store) -> None:
    others = [
        replace(DRAFT, ticket=2, at=NOW + 3),
        replace(DRAFT, agent="sam", at=NOW + 2),
        replace(DRAFT, kind="note", at=NOW + 1, options={}),
    ]
    for draft in (DRAFT, *others):
        store.keep_draft(draft)
    again = replace(DRAFT, at=NOW + SECOND, text="Dear Ann, thanks.", options={}, seen=4)
    store.keep_draft(again)
    assert store.drafts() == [again, *others], "the newest first"
    assert store.drafts(agent="sam") == [others[1]]
    assert store.drafts(ticket=2) == [others[0]]
    assert store.drafts(agent="kim", ticket=1) == [again, others[2]]
    assert store.drafts(agent="lee") == []


def test_an_older_draft_is_not_put_over_a_newer_one(store: Store, other: Store) -> None:
    """A terminal whose connection was slow must not take back what was typed in another."""
    newer = replace(DRAFT, at=NOW + 1, text="newer")
    other.keep_draft(newer)
    store.keep_draft(DRAFT)
    assert store.drafts() == [newer]
    same = replace(newer, text="the last word of the same moment")
    store.keep_draft(same)
    assert store.drafts() == [same]


def test_what_was_dropped_is_gone_and_nothing_else(store: Store) -> None:
    note = replace(DRAFT, kind="note")
    for draft in (DRAFT, note):
        store.keep_draft(draft)
    store.drop_draft(1, "kim", "reply")
    store.drop_draft(1, "kim", "forward")
    assert store.drafts() == [note]


def test_drafts_and_presence_stay_with_the_number_of_a_merged_ticket(store: Store, hand: Hand) -> None:
    one, two = hand.ticket(), hand.ticket()
    store.keep_draft(replace(DRAFT, ticket=one.id))
    store.attend(replace(AT_ONE, ticket=one.id), SECOND)
    hand.append(*change(one, merged_into=two.id))
    assert [draft.ticket for draft in store.drafts()] == [one.id]
    assert [presence.ticket for presence in store.present(NOW)] == [one.id]
    assert (store.effort(one.id), store.effort(two.id)) == ([Effort("kim", "views", SECOND)], [])


# -- presence and effort ----------------------------------------------------


def test_a_terminal_is_where_it_last_said(store: Store, other: Store) -> None:
    store.attend(AT_ONE)
    there = replace(AT_ONE, ticket=2, doing="writes", until=NOW + 40 * SECOND)
    store.attend(there)
    assert other.present(NOW) == [there]


def test_who_is_present_comes_by_ticket_and_agent_until_it_ends(store: Store) -> None:
    sam = replace(AT_ONE, session="sam:1", agent="sam")
    again = replace(AT_ONE, session="kim:2", doing="writes", until=NOW + SECOND)
    elsewhere = replace(AT_ONE, session="a", agent="abe", ticket=2)
    for presence in (elsewhere, sam, again, AT_ONE):
        store.attend(presence)
    assert store.present(NOW) == [AT_ONE, again, sam, elsewhere]
    assert store.present(NOW + SECOND) == [AT_ONE, sam, elsewhere], "until then, and not at that moment"
    assert store.present(NOW + 30 * SECOND) == []


def test_who_departs_is_nowhere_and_who_attends_to_nothing_is_at_no_ticket(store: Store) -> None:
    sam = replace(AT_ONE, session="sam:1", agent="sam")
    store.attend(AT_ONE)
    store.attend(sam)
    store.depart("kim:1")
    store.depart("kim:1")
    assert store.present(NOW) == [sam]
    nowhere = replace(sam, ticket=0, until=NOW + DAY)
    store.attend(nowhere, 5 * SECOND)
    assert (store.present(NOW), store.effort(0), store.effort(1)) == ([nowhere], [], [])
    store.depart("sam:1")
    assert store.present(NOW) == []


def test_effort_adds_up_by_agent_and_what_they_did(store: Store, other: Store) -> None:
    writes = replace(AT_ONE, doing="writes", until=NOW + 50 * SECOND)
    sam = replace(AT_ONE, session="sam:1", agent="sam")
    store.attend(AT_ONE)
    store.attend(replace(AT_ONE, until=NOW + 40 * SECOND), 10 * SECOND)
    other.attend(replace(AT_ONE, session="kim:2"), 5 * SECOND)
    store.attend(writes, 7 * SECOND)
    other.attend(sam, SECOND)
    assert store.effort(1) == [
        Effort("kim", "views", 15 * SECOND),
        Effort("kim", "writes", 7 * SECOND),
        Effort("sam", "views", SECOND),
    ]
    assert store.effort(2) == []


def test_what_is_said_once_more_counts_once(store: Store) -> None:
    """Who got no answer says it again; the first may have arrived."""
    for _ in range(2):
        store.attend(AT_ONE, 10 * SECOND)
    assert store.effort(1) == [Effort("kim", "views", 10 * SECOND)]


def test_terminals_that_ended_without_a_word_are_forgotten(store: Store, other: Store) -> None:
    store.attend(AT_ONE, SECOND)
    yesterday = NOW - DAY
    # In a process of its own: each sweeps at first, and then now and then.
    other.attend(replace(AT_ONE, session="sam:1", agent="sam", ticket=2, until=NOW + DAY))
    assert [p.session for p in store.present(yesterday)] == ["kim:1", "sam:1"], "not a day ago yet"
    other.attend(replace(AT_ONE, session="sam:1", agent="sam", ticket=2, until=NOW + 2 * DAY))
    assert [p.session for p in store.present(yesterday)] == ["sam:1"]
    assert store.effort(1) == [Effort("kim", "views", SECOND)]


def test_terminals_that_say_the_same_at_once_count_each(store: Store, other: Store) -> None:
    def work(at: Store, session: str) -> None:
        for n in range(20):
            at.attend(replace(AT_ONE, session=session, until=NOW + n), SECOND)

    threads = [
        threading.Thread(target=work, args=(at, name)) for name, at in (("a", store), ("b", other), ("c", store))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.effort(1) == [Effort("kim", "views", 60 * SECOND)]


# -- they are no actions ----------------------------------------------------


def test_nothing_of_it_is_in_the_log_or_wakes_anybody(store: Store, other: Store, hand: Hand) -> None:
    hand.ticket()
    before = store.last_seq()
    stop = threading.Event()

    def work() -> None:
        n = 0
        while not stop.is_set():
            n += 1
            other.attend(replace(AT_ONE, session=f"s{n % 50}", until=NOW + n), SECOND)
            other.keep_draft(replace(DRAFT, at=NOW + n))
        other.depart("s1")
        other.drop_draft(1, "kim", "reply")

    crowd = threading.Thread(target=work)
    crowd.start()
    try:
        assert store.wait(before, 0.3) == before
    finally:
        stop.set()
        crowd.join()
    assert (store.last_seq(), store.log(after=before)) == (before, [])
    assert store.last_batch("kim", undo=False) is None
    assert store.check() == []


def test_who_waits_in_a_file_looks_once_at_each_commit_of_others(store: Store, other: Store) -> None:
    if not isinstance(store, SqliteEngine):
        pytest.skip("a database tells its news itself")
    asked: list[str] = []
    store._read.set_trace_callback(asked.append)
    other.attend(AT_ONE, SECOND)
    store.wait(store.last_seq(), 0)
    del asked[:]
    for n in range(50):
        other.attend(replace(AT_ONE, session=f"s{n}", until=NOW + n), SECOND)
    store.wait(store.last_seq(), 0.2)
    assert asked.count("SELECT value FROM counter WHERE name = 'seq'") == 2, "one of ours, and one for all of theirs"
    assert {one for one in asked if "counter" not in one} == {"PRAGMA data_version"}


def test_who_is_present_is_asked_without_the_writer(store: Store, other: Store, hand: Hand) -> None:
    """Every open terminal asks every other second."""
    hand.ticket()
    store.attend(AT_ONE)
    if isinstance(store, SqliteEngine):
        with sqlite3.connect(store.path, isolation_level=None) as busy:
            busy.execute("BEGIN IMMEDIATE")
            assert other.present(NOW) == [AT_ONE]
            busy.execute("ROLLBACK")
    else:

        def look(tx: Tx) -> list[Presence]:
            tx.append(hand.batch(), change(tx.tickets([1])[1], subject="busy"))
            return other.present(NOW)

        assert store.write(look) == [AT_ONE]


# -- people and pace --------------------------------------------------------


def test_pace_is_counted_in_indexes_alone(store: Store) -> None:
    if not isinstance(store, SqliteEngine):
        pytest.skip("the plans of a database follow what is in it")
    asked: list[str] = []
    store._read.set_trace_callback(asked.append)
    store.pace(NOW, HOUR, 3, agent="kim")
    plan = [row[3] for row in store._read.execute(f"EXPLAIN QUERY PLAN {asked[0]}")]
    tables = [step for step in plan if re.search(r"\b(ticket|message)\b", step)]
    assert [re.findall(r"INDEX (\w+)", step) for step in tables] == [
        ["ticket_created"], ["message_replied"], ["ticket_solved"],
    ]  # fmt: skip


def test_a_customer_is_known_by_all_their_addresses(store: Store) -> None:
    ann = Identity("email", "ann@acme.example", "Ann")
    number = store.write(lambda tx: tx.customer_for(ann, NOW).id)
    store.write(lambda tx: tx.customer_for(Identity("email", "bob@acme.example"), NOW))
    assert store.identities(number) == [ann]
    assert store.identities(99) == []


def test_pace_counts_what_came_and_was_done_in_each_step(store: Store, hand: Hand) -> None:
    def ticket(hours: float, **fields: Any) -> int:
        before = hand.ticket(**fields)
        at = NOW + int(hours * HOUR)
        hand.append(*change(before, created_at=at))
        return before.id

    ticket(-0.1)
    one, two, three = ticket(0, assignee="kim"), ticket(0.5, assignee="sam"), ticket(2)
    ticket(2.1, bin=Bin.SPAM)
    ticket(2.2, merged_into=one)
    ticket(3)
    for number, hours in ((one, 0.9), (two, 2.0), (three, 3.0)):
        hand.append(*change(store.ticket(number), status=Status.SOLVED, solved_at=NOW + int(hours * HOUR)))

    def says(hours: float, **fields: Any) -> Message:
        return hand.message(one, out=fields.pop("out", True), at=NOW + int(hours * HOUR), **fields)

    says(0, agent="kim")
    says(0.1, agent="sam")
    says(1, agent="kim")
    says(2.999)
    says(3, agent="kim")
    says(1, agent="kim", kind=Kind.NOTE)
    says(1, automatic="auto-reply")
    says(1, out=False)
    taken_back = says(1.5, agent="kim")
    hand.append(Withdrawn(one, taken_back.id))

    pace = store.pace(NOW, HOUR, 3)
    assert (pace.begin, pace.step) == (NOW, HOUR)
    assert (pace.opened, pace.replied, pace.solved) == ((2, 0, 1), (2, 1, 1), (1, 0, 1))
    kims = store.pace(NOW, HOUR, 3, agent="kim")
    assert (kims.opened, kims.replied, kims.solved) == ((2, 0, 1), (1, 1, 0), (1, 0, 0))
    assert store.pace(NOW, 3 * HOUR, 1).replied == (4,)
    assert store.pace(NOW + DAY, HOUR, 2).opened == (0, 0)
