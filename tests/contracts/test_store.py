"""What every store promises, whatever is beneath it."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from desk.blobs import Blob
from desk.errors import Conflict, DeskError, NotFound, StoreError
from desk.events import Changed, Delivered, Event, Moved, Opened, Posted, Withdrawn, change
from desk.hosts import relay_runs
from desk.model import (
    DAY,
    HOUR,
    MINUTE,
    Account,
    Agent,
    Bin,
    Delivery,
    Direction,
    Identity,
    Kind,
    Link,
    Message,
    Priority,
    Role,
    Stage,
    State,
    Status,
    Team,
    Ticket,
)
from desk.query import EVERYTHING, Env, parse
from desk.store import SORTS, Batch, Store, Tx
from tests.desks import MAIL

NOW = 1_770_000_000_000
ENV = Env(NOW, "kim")


class Hand:
    """Writes into a store without the desk in between."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.turns = 0

    def batch(self, **fields: Any) -> Batch:
        self.turns += 1
        return Batch(fields.pop("id", f"batch-{self.turns:04}"), NOW + self.turns, **fields)

    def append(self, *events: Event, **batch: Any) -> int:
        self.store.write(lambda tx: tx.append(self.batch(**batch), events))
        return self.store.last_seq()

    def ticket(self, subject: str = "VPN", address: str = "ann@acme.example", **fields: Any) -> Ticket:
        """A new ticket with these fields."""

        def body(tx: Tx) -> int:
            who = tx.customer_for(Identity("email", address, address.partition("@")[0].title()), NOW)
            number = tx.new_id("ticket")
            tx.append(self.batch(), [Opened(Ticket(number, subject, who.id, NOW, NOW, **fields))])
            return number

        return self.store.ticket(self.store.write(body))

    def message(self, ticket: int, text: str = "Hello", *, out: bool = False, due: int = NOW, **fields: Any) -> Message:
        """A new message on a ticket; one that goes `out` is due at once."""

        def body(tx: Tx) -> int:
            number = tx.new_id("message")
            message = Message(
                number, ticket, fields.pop("kind", Kind.PUBLIC), Direction.OUT if out else Direction.IN, fields.pop("at", NOW + number),
                "Ann", text, text, **({"state": State.QUEUED} if out else {}), **fields,
            )  # fmt: skip
            to = ("a@x.example", "b@x.example")
            waiting = (Delivery(tx.new_id("delivery"), number, ticket, "support", to, due),) if out else ()
            tx.append(self.batch(), [Posted(message, waiting)])
            return number

        number = self.store.write(body)
        return next(m for m in self.store.thread(ticket) if m.id == number)

    def settle(self, state: State = State.SENT) -> Delivery:
        """Send the one delivery that is due, so that it ends in this state."""
        (claimed,) = self.store.claim("relay", NOW + DAY, NOW + 2 * DAY)
        assert self.store.settle(claimed.delivery.id, "relay", state, NOW + DAY)
        return claimed.delivery


@pytest.fixture
def hand(store: Store) -> Hand:
    return Hand(store)


# -- lists ------------------------------------------------------------------


@pytest.fixture
def crowded(store: Store, hand: Hand) -> Store:
    """Sixty tickets with many equal and missing values."""
    dice = random.Random(7)

    def body(tx: Tx) -> None:
        person = tx.customer_for(Identity("email", "ann@acme.example"), NOW)
        events = []
        for _ in range(60):
            waiting = dice.choice([None, NOW - HOUR, NOW - DAY])
            fields = {
                "status": dice.choice(list(Status)), "priority": dice.choice(list(Priority)), "waiting_since": waiting,
                "assignee": dice.choice([None, "kim", "sam"]), "bin": dice.choice([Bin.NONE] * 5 + [Bin.SPAM]),
                "tags": tuple(sorted(dice.sample(["a", "b", "c"], dice.randint(0, 3)))),
            }  # fmt: skip
            at = NOW - dice.choice([0, HOUR, DAY])
            events.append(Opened(Ticket(tx.new_id("ticket"), "VPN", person.id, at, at, **fields)))
        tx.append(hand.batch(), events)

    store.write(body)
    return store


QUERIES = (
    "",
    "is:open",
    "is:open assignee:kim",
    "priority:>=high",
    "-tag:a",
    "is:spam",
    "id:1..",
    "vpn or is:unassigned",
    "id:999",
)


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("query", QUERIES)
def test_pages_one_after_the_other_are_the_whole_list(crowded: Store, sort: str, query: str) -> None:
    node = parse(query, ENV)
    whole = crowded.ids(node, sort=sort)
    assert len(whole) == len(set(whole)) == crowded.count(node)
    for limit in (1, 7, 100):
        paged: list[int] = []
        after = None
        while True:
            page = crowded.page(node, sort=sort, after=after, limit=limit)
            assert len(page.rows) <= limit
            paged += [row.ticket.id for row in page.rows]
            after = page.next
            if after is None:
                break
        assert paged == whole
    assert crowded.ids(node, sort=sort, limit=5) == whole[:5]


_KEYS: dict[str, Any] = {
    "urgency": lambda t: (t.due_at is None, t.due_at or 0, t.id),
    "newest": lambda t: -t.id,
    "oldest": lambda t: t.id,
    "updated": lambda t: (-t.updated_at, -t.id),
    "waiting": lambda t: (t.waiting_since is None, t.waiting_since or 0, t.id),
    "priority": lambda t: (-t.priority, -t.id),
}


@pytest.mark.parametrize("sort", SORTS)
def test_every_sort_orders_as_it_says(crowded: Store, sort: str) -> None:
    tickets = [crowded.ticket(n) for n in crowded.ids(EVERYTHING, sort=sort)]
    assert len(tickets) == 60
    assert tickets == sorted(tickets, key=_KEYS[sort])


def test_a_page_goes_on_behind_its_key_when_rows_came_meanwhile(crowded: Store, hand: Hand) -> None:
    first = crowded.page(EVERYTHING, sort="newest", limit=10)
    hand.ticket("just now")
    second = crowded.page(EVERYTHING, sort="newest", limit=10, after=first.next)
    assert [r.ticket.id for r in second.rows] == list(range(50, 40, -1))


def test_open_lists_come_by_urgency_and_archives_newest_first(store: Store) -> None:
    sorts = {
        q: store.natural_sort(parse(q, ENV))
        for q in ("", "is:open", "is:live tag:a", "is:solved", "is:open or is:solved")
    }
    assert sorts == {
        "": "newest",
        "is:open": "urgency",
        "is:live tag:a": "urgency",
        "is:solved": "newest",
        "is:open or is:solved": "newest",
    }


def test_a_row_shows_what_a_list_needs(store: Store, hand: Hand) -> None:
    hand.ticket()
    hand.message(1, "First\nline")
    hand.message(1, "The newest \x1b[2J words", at=NOW + DAY)
    hand.message(1, "secret", kind=Kind.NOTE, at=NOW + 2 * DAY)
    hand.message(1, "answer", out=True, at=NOW)
    hand.settle(State.FAILED)
    (row,) = store.rows([1], agent="kim")
    assert (row.customer.name, row.snippet, row.unread, row.trouble) == (
        "Ann",
        "The newest ␛[2J words",
        True,
        State.FAILED,
    )
    store.seen("kim", 1, row.ticket.heard)
    assert [r.unread for agent in ("kim", "sam", None) for r in store.rows([1], agent=agent)] == [False, True, False]


def test_rows_come_in_the_order_asked_for(store: Store, hand: Hand) -> None:
    for _ in range(3):
        hand.ticket()
    assert [r.ticket.id for r in store.rows([3, 99, 1, 3])] == [3, 1, 3]
    assert store.rows([]) == []


# -- tickets and the log ----------------------------------------------------


def test_a_ticket_comes_back_as_it_was_written(store: Store, hand: Hand) -> None:
    full = {
        "status": Status.ON_HOLD, "priority": Priority.HIGH, "type": "bug", "team": "network", "assignee": "kim",
        "cc": ("a@x.example",), "tags": ("a", "ü"), "watchers": ("sam",), "links": (Link("parent", 9), Link("related", 3)),
        "channel": "email", "account": "support", "bin": Bin.TRASH, "merged_into": 4, "snoozed_until": 5, "snoozed_for_reply": True,
        "solved_at": 6, "stages": (Stage(4, Status.OPEN), Stage(5, Status.ON_HOLD)),
    }  # fmt: skip
    ticket = hand.ticket("Grüße 東京 'quoted\"", **full)
    assert {name: getattr(ticket, name) for name in full} == full
    assert ticket.subject == "Grüße 東京 'quoted\""
    assert ticket.version == 1


def test_a_message_comes_back_as_it_was_written(store: Store, hand: Hand) -> None:
    hand.ticket()
    ann, bob = Identity("email", "ann@x.example", "Ann"), Identity("phone", "+49", "")
    fields = {
        "channel": "email", "account": "support", "agent": "kim", "customer": 1, "subject": "Re: x", "message_id": "1@x", "sender": ann,
        "conversation": "a\x1fb", "to": (bob, ann), "cc": (bob,), "bcc": (ann,), "html": True, "raw": "0" * 64, "automatic": "list",
        "threaded_by": "token", "flags": ("a", "b"),
    }  # fmt: skip
    message = hand.message(1, "a\nb 東京", **fields)
    assert {name: getattr(message, name) for name in fields} == fields
    assert (message.text, message.visible) == ("a\nb 東京", "a\nb 東京")


def test_what_is_not_there_is_not_found(store: Store) -> None:
    for ask in (lambda: store.ticket(1), lambda: store.customer(1), lambda: store.blob("0" * 64)):
        with pytest.raises(NotFound):
            ask()
    assert (store.thread(1), store.log(ticket=1), store.rows([1])) == ([], [], [])


def test_a_conversation_is_in_time_order_without_what_was_withdrawn(store: Store, hand: Hand) -> None:
    hand.ticket()
    late, early, gone = (hand.message(1, text, at=at) for text, at in (("late", 30), ("early", 10), ("gone", 20)))
    hand.append(Withdrawn(1, gone.id))
    assert [m.id for m in store.thread(1)] == [early.id, late.id]
    assert store.write(lambda tx: [m.id for m in tx.thread(1)]) == [early.id, gone.id, late.id]
    assert store.ticket(1).message_count == 2


def test_the_log_numbers_every_event_once_and_in_order(store: Store, hand: Hand) -> None:
    hand.ticket()
    hand.ticket()
    seq = hand.append(
        Changed(1, "type", None, "bug"),
        Changed(2, "type", None, "bug"),
        id="both",
        agent="kim",
        uid=7,
        host="h",
        line="type bug",
    )
    log = store.log()
    assert [r.seq for r in log] == list(range(1, 5))
    assert seq == store.last_seq() == 4
    assert [(r.about, r.kind) for r in store.log(after=2)] == [(1, "Changed"), (2, "Changed")]
    assert [r.seq for r in store.log(ticket=1)] == [1, 3]
    assert [r.seq for r in store.log(limit=2)] == [1, 2]
    assert [r.seq for r in store.log(limit=2, newest=True)] == [3, 4]
    last = log[-1]
    assert (last.batch, last.agent, last.uid, last.host, last.line) == ("both", "kim", 7, "h", "type bug")
    assert last.data == {"field": "type", "removed": None, "added": "bug"}


def test_the_newest_work_of_an_agent_is_what_undo_finds(store: Store, hand: Hand) -> None:
    hand.ticket()
    assert store.last_batch("kim", undo=False) is None
    hand.append(Changed(1, "type", None, "a"), id="one", agent="kim")
    hand.append(Changed(1, "type", "a", "b"), id="two", agent="kim")
    hand.append(Changed(1, "team", None, "x"), id="theirs", agent="sam")
    assert store.last_batch("kim", undo=False) == "two"
    hand.append(Changed(1, "type", "b", "a"), id="undo", agent="kim", undoes="two")
    assert store.last_batch("kim", undo=False) == "one"
    assert store.last_batch("kim", undo=True) == "undo"
    hand.append(Changed(1, "type", "a", "b"), id="redo", agent="kim", undoes="undo")
    assert store.last_batch("kim", undo=False) == "two"
    assert store.last_batch("kim", undo=True) is None


def test_reads_inside_a_transaction_see_what_it_wrote(store: Store, hand: Hand) -> None:
    hand.ticket()

    def body(tx: Tx) -> None:
        ticket = tx.tickets([1, 99])[1]
        tx.append(hand.batch(id="inside"), change(ticket, tags=("a",)))
        assert tx.tickets([1])[1].tags == ("a",)
        number = tx.new_id("message")
        tx.append(
            hand.batch(id="inside2"),
            [Posted(Message(number, 1, Kind.NOTE, Direction.OUT, NOW, "Kim", "x", message_id="i@x"))],
        )
        assert [m.id for m in tx.thread(1)] == [number]
        assert tx.held(("i@x", "none"))[0].message == number
        assert [r.kind for r in tx.records("inside")] == ["Changed"]
        tx.remember("support", "ext-1", number)
        assert tx.known("support", ["ext-1", "ext-2"]) == {"ext-1"}
        assert tx.new_id("message") == number + 1

    store.write(body)
    assert store.known("support", ["ext-1", "ext-2"]) == {"ext-1"}
    assert store.known("sales", ["ext-1"]) == set()


def test_words_that_never_stood_are_not_found(store: Store, hand: Hand) -> None:
    hand.ticket("first")
    hand.ticket("target")
    hand.append(Changed(1, "subject", "first", "second"), Changed(1, "subject", "second", "third"))
    for moved in (False, True):
        number = store.write(lambda tx: tx.new_id("message"))
        posted = Posted(Message(number, 1, Kind.NOTE, Direction.OUT, NOW, "Kim", "fleeting"))
        hand.append(posted, Moved(1, 2, (number,)) if moved else Withdrawn(1, number))
    for word, there in (("first", []), ("second", []), ("third", [1]), ("fleeting", [2])):
        assert store.ids(parse(word, ENV)) == there, word


def test_customers_are_found_by_the_beginning_of_their_words(store: Store, hand: Hand) -> None:
    for address in ("ann@acme.example", "hanna@acme.example", "bob@posteo.de"):
        hand.ticket(address=address)
    assert [c.address for c in store.customers("an")] == ["ann@acme.example"]
    assert [c.address for c in store.customers("acme", limit=1)] == ["hanna@acme.example"]
    assert [c.organisation for c in store.customers("")] == [None, "acme.example", "acme.example"]


def test_one_address_is_one_customer(store: Store) -> None:
    def body(tx: Tx) -> list[int]:
        ann = Identity("email", "ann@x.example")
        return [tx.customer_for(i, NOW).id for i in (ann, ann, Identity("phone", "ann@x.example"))]

    first, again, phone = store.write(body)
    assert first == again != phone
    assert store.write(body) == [first, again, phone]


def test_a_customer_who_is_renamed_is_found_by_the_new_name(store: Store, hand: Hand) -> None:
    hand.ticket()
    hand.append(
        Changed(1, "name", "Ann", "Zoë", "customer"), Changed(1, "organisation", "acme.example", "Umbrella", "customer")
    )
    assert (store.customer(1).name, store.customers("zo")) == ("Zoë", [store.customer(1)])
    for query, there in (("from:zoe", 1), ("org:umbrella", 1), ("from:ann", 1), ("org:acme", 0)):
        assert store.count(parse(query, ENV)) == there, query


# -- writing ----------------------------------------------------------------


def test_many_threads_write_at_once_and_one_failing_harms_nobody(store: Store, hand: Hand) -> None:
    for _ in range(8):
        hand.ticket()
    start = threading.Barrier(9)

    def work(number: int) -> int:
        start.wait()
        done = 0
        for turn in range(25):
            batch = Batch(f"t{number}-{turn}", NOW + turn)

            def body(tx: Tx, batch: Batch = batch) -> None:
                tx.append(batch, change(tx.tickets([number])[number], subject=batch.id))
                if number == 9 or batch.id.endswith("-7"):
                    raise Conflict("on purpose")

            try:
                store.write(body)
                done += 1
            except Conflict:
                continue
            except KeyError:
                # Ticket 9 is not there.
                continue
        return done

    with ThreadPoolExecutor(9) as pool:
        done = list(pool.map(work, range(1, 10)))
    assert done == [24] * 8 + [0]
    assert [store.ticket(n).subject for n in range(1, 9)] == [f"t{n}-24" for n in range(1, 9)]
    assert [store.ticket(n).version for n in range(1, 9)] == [25] * 8
    assert len(store.log(limit=10_000)) == store.last_seq() == 8 + 8 * 24
    assert store.check() == []


def test_a_failing_change_leaves_nothing(store: Store, hand: Hand) -> None:
    def body(tx: Tx) -> None:
        number = tx.new_id("ticket")
        person = tx.customer_for(Identity("email", "ann@x.example"), NOW)
        tx.append(hand.batch(), [Opened(Ticket(number, "VPN", person.id, NOW, NOW))])
        tx.thread(number)
        tx.set_cursor("support", "far")
        raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"):
        store.write(body)
    assert (store.numbers().tickets, store.last_seq(), store.cursor("support"), store.customers("")) == (0, 0, None, [])
    assert (hand.ticket().id, store.last_seq()) == (max(store.ids(EVERYTHING)), 1)


def test_a_writer_that_cannot_begin_tells_everybody_who_waits(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    if not hasattr(store, "_open_writer"):
        pytest.skip("this engine has no common writer")
    hand = Hand(store)
    hand.ticket()

    once, whole = ["no writer today"], store._open_writer

    def broken() -> Any:
        if once:
            raise StoreError(once.pop())
        return whole()

    def attempt(_: int) -> str:
        try:
            store.write(lambda tx: None)
        except DeskError as error:
            return str(error)
        return "written"

    with monkeypatch.context() as patch, ThreadPoolExecutor(4) as pool:
        patch.setattr(store, "_open_writer", broken)
        store._writing.acquire()
        try:
            attempts = [pool.submit(attempt, n) for n in range(4)]
            while len(store._queue) < 4:
                threading.Event().wait(0.001)
        finally:
            store._writing.release()
        assert [a.result(10) for a in attempts] == ["no writer today"] * 4
        assert attempt(0) == "written"


def test_two_openers_see_each_others_changes(store: Store, other: Store, hand: Hand) -> None:
    hand.ticket()
    assert other.ticket(1).subject == "VPN"
    Hand(other).append(Changed(1, "subject", "VPN", "Printer"), id="other")
    assert store.ticket(1).subject == "Printer"
    assert other.last_seq() == store.last_seq() == 2


def test_bulk_writes_are_there_and_the_next_is_durable_again(store: Store, hand: Hand) -> None:
    store.write(lambda tx: tx.put_blobs([Blob.of(b"bulk")]), bulk=True)
    hand.ticket()
    assert store.blob(Blob.of(b"bulk").key) == b"bulk"


# -- waking -----------------------------------------------------------------

_CHILD = """
import sys
from desk.events import Changed
from desk.store import Batch
from storage import open_store
store = open_store(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
store.write(lambda tx: tx.append(Batch("child", 5), [Changed(1, "type", None, "bug")]))
"""


def test_wait_wakes_when_another_process_commits(store: Store, hand: Hand, url: str) -> None:
    hand.ticket()
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    with ThreadPoolExecutor(1) as pool:
        woken = pool.submit(store.wait, 1, 20.0)
        child.stdin.write("go\n")
        child.stdin.close()
        assert woken.result(20) == 2
    assert child.wait(20) == 0
    assert store.ticket(1).type == "bug"


def test_wait_returns_at_once_when_there_is_news_and_in_time_when_there_is_none(store: Store, hand: Hand) -> None:
    hand.ticket()
    assert store.wait(0, 20.0) == 1
    assert store.wait(1, 0.0) == 1


# -- the way out ------------------------------------------------------------


@pytest.fixture
def waiting(store: Store, hand: Hand) -> Delivery:
    """A delivery that is due at NOW."""
    hand.ticket()
    hand.message(1, "question", message_id="q@x")
    hand.message(1, "answer", out=True, message_id="a@x")
    ((delivery, next_at),) = store.outbox()
    assert next_at == NOW
    return delivery


def test_what_is_due_is_claimed_once(store: Store, other: Store, waiting: Delivery) -> None:
    assert store.claim("a", NOW - 1, NOW + MINUTE) == []
    (claimed,) = store.claim("a", NOW, NOW + MINUTE)
    assert claimed.delivery.state is State.SENDING
    assert (claimed.delivery.phase, claimed.delivery.attempts) == ("connect", 1)
    assert (claimed.message.text, claimed.ticket.id, claimed.references) == ("answer", 1, ("q@x",))
    assert other.claim("b", NOW + DAY, NOW + 2 * DAY) == []
    assert store.thread(1)[-1].state is State.SENDING


def test_only_the_holder_goes_on(store: Store, waiting: Delivery) -> None:
    store.claim("a", NOW, NOW + MINUTE)
    assert store.phase(waiting.id, "a", "data", NOW + HOUR)
    assert not store.phase(waiting.id, "b", "data", NOW + HOUR)
    assert not store.settle(waiting.id, "b", State.SENT, NOW)
    assert store.outbox()[0][0].phase == "data"
    assert store.settle(waiting.id, "a", State.SENT, NOW, remote_id="r1")
    assert not store.settle(waiting.id, "a", State.FAILED, NOW)
    ((delivery, _),) = store.outbox((State.SENT,))
    assert (delivery.phase, delivery.remote_id) == ("done", "r1")
    assert store.thread(1)[-1].state is State.SENT
    told, clock = store.log(ticket=1)[-2:]
    assert (told.data["state"], clock.data["what"]) == ("sent", "fulfil")


def test_what_failed_for_now_is_tried_later(store: Store, waiting: Delivery) -> None:
    store.claim("a", NOW, NOW + MINUTE)
    store.settle(waiting.id, "a", State.DEFERRED, NOW, error="451 busy", next_at=NOW + HOUR)
    ((delivery, next_at),) = store.outbox()
    assert (delivery.state, delivery.error, next_at) == (State.DEFERRED, "451 busy", NOW + HOUR)
    assert store.claim("a", NOW + HOUR - 1, NOW + DAY) == []
    assert store.claim("a", NOW + HOUR, NOW + DAY)[0].delivery.attempts == 2


@pytest.mark.parametrize(
    ("phase", "state", "again"),
    [("", State.DEFERRED, True), ("connect", State.DEFERRED, True), ("data", State.UNKNOWN, False)],
)
def test_a_lost_sender_is_taken_over_before_the_data_phase_only(
    store: Store, waiting: Delivery, phase: str, state: State, again: bool
) -> None:
    store.claim("a", NOW, NOW + MINUTE)
    if phase:
        store.phase(waiting.id, "a", phase, NOW + HOUR)
    held_until = NOW + HOUR if phase else NOW + MINUTE
    assert store.reclaim(held_until) == []
    assert store.reclaim(held_until + 1) == [waiting.id]
    assert store.reclaim(held_until + 1) == []
    assert store.outbox()[0][0].state is state
    assert not store.settle(waiting.id, "a", State.SENT, NOW + DAY), "the lost one comes too late"
    assert bool(store.claim("b", NOW + DAY, NOW + 2 * DAY)) is again


def test_recipients_refused_for_now_go_on_by_themselves(store: Store, waiting: Delivery) -> None:
    store.claim("a", NOW, NOW + MINUTE)
    store.settle(waiting.id, "a", State.SENT, NOW, error="b: 451", next_at=NOW + HOUR, again=("b@x.example",))
    found = {d.id: (d.recipients, d.state) for d, _ in store.outbox((State.SENT, State.DEFERRED))}
    assert found.pop(waiting.id) == (("a@x.example",), State.SENT)
    assert list(found.values()) == [(("b@x.example",), State.DEFERRED)]
    assert store.thread(1)[-1].state is State.DEFERRED
    (second,) = store.claim("a", NOW + HOUR, NOW + DAY)
    store.settle(second.delivery.id, "a", State.SENT, NOW + HOUR)
    assert store.thread(1)[-1].state is State.SENT


@pytest.mark.parametrize("state", [State.FAILED, State.UNKNOWN, State.BOUNCED, State.DEFERRED])
def test_a_person_asks_for_another_attempt(store: Store, hand: Hand, waiting: Delivery, state: State) -> None:
    hand.settle(state)
    store.retry(waiting.id, hand.batch(agent="kim"))
    ((delivery, _),) = store.outbox()
    assert (delivery.state, delivery.phase) == (State.QUEUED, "")
    (again,) = store.claim("relay", NOW + DAY, NOW + 2 * DAY)
    assert again.message.message_id == "a@x"


def test_what_did_not_arrive_is_told_by_ticket_with_its_reason(store: Store, hand: Hand, waiting: Delivery) -> None:
    assert store.trouble(1) == []
    store.claim("relay", NOW + DAY, NOW + 2 * DAY)
    store.settle(waiting.id, "relay", State.FAILED, NOW + DAY, error="550 no such user")
    (found,) = store.trouble(1)
    assert (found.id, found.message, found.error) == (waiting.id, waiting.message, "550 no such user")
    store.retry(waiting.id, hand.batch())
    assert store.trouble(1) == []


def test_an_address_from_which_mail_came_back_is_known_of_its_customer(store: Store, hand: Hand) -> None:
    customer = hand.ticket().requester
    assert store.returned(customer) == {}
    store.write(lambda tx: tx.set_undeliverable("ann@acme.example", "550 gone"))
    assert store.returned(customer) == {"ann@acme.example": "550 gone"}
    store.write(lambda tx: tx.set_undeliverable("ann@acme.example", None))
    assert store.returned(customer) == {}


def test_what_was_sent_or_never_was_is_not_sent_again(store: Store, hand: Hand, waiting: Delivery) -> None:
    hand.settle(State.SENT)
    with pytest.raises(DeskError, match="is sent; only what failed or is unknown can be sent again"):
        store.retry(waiting.id, hand.batch())
    with pytest.raises(NotFound, match="there is no delivery 99"):
        store.retry(99, hand.batch())


def test_what_was_withdrawn_is_never_claimed(store: Store, hand: Hand, waiting: Delivery) -> None:
    hand.append(Withdrawn(1, waiting.message))
    assert store.claim("a", NOW + DAY, NOW + 2 * DAY) == []
    assert store.outbox() == []
    with pytest.raises(DeskError):
        store.retry(waiting.id, hand.batch())


def test_a_reply_that_did_not_arrive_answered_nobody(store: Store, hand: Hand, waiting: Delivery) -> None:
    since = store.thread(1)[0].at
    assert store.ticket(1).waiting_since == since
    hand.settle(State.FAILED)
    assert store.ticket(1).waiting_since == since
    store.retry(waiting.id, hand.batch())
    hand.settle(State.SENT)
    assert store.ticket(1).waiting_since is None
    hand.append(Delivered(1, waiting.message, waiting.id, State.BOUNCED))
    assert store.ticket(1).waiting_since == since


def test_numbers_count_what_is_there(store: Store, hand: Hand, waiting: Delivery) -> None:
    hand.ticket(status=Status.SOLVED)
    hand.ticket(bin=Bin.SPAM)
    numbers = store.numbers()
    assert (numbers.tickets, numbers.live, numbers.messages, numbers.queued, numbers.unknown) == (3, 1, 2, 1, 0)
    hand.settle(State.UNKNOWN)
    assert (store.numbers().queued, store.numbers().unknown) == (0, 1)


# -- leases -----------------------------------------------------------------


def test_a_job_is_held_by_one_until_its_time_is_over(store: Store, other: Store) -> None:
    assert store.lease("pump", "a", NOW, NOW + MINUTE)
    assert not other.lease("pump", "b", NOW + 1, NOW + HOUR)
    assert store.lease("pump", "a", NOW + 1, NOW + HOUR)
    assert not other.lease("pump", "b", NOW + HOUR, NOW + DAY)
    assert other.lease("pump", "b", NOW + HOUR + 1, NOW + DAY)
    assert not store.lease("pump", "a", NOW + HOUR + 2, NOW + DAY)
    store.release("pump", "a")
    assert [(held.name, held.holder) for held in store.leases()] == [("pump", "b")]
    other.release("pump", "b")
    assert store.leases() == []


def test_a_relay_is_seen_while_it_renews(store: Store) -> None:
    store.lease("pump:x", "a", NOW, NOW + HOUR)
    assert not relay_runs(store, NOW)
    store.lease("relay:a", "a", NOW, NOW + MINUTE)
    assert relay_runs(store, NOW)
    assert not relay_runs(store, NOW + MINUTE)


# -- small things that are kept ---------------------------------------------


def test_what_was_seen_only_advances(store: Store, hand: Hand) -> None:
    hand.ticket()
    for _ in range(3):
        hand.message(1)
    query = parse("is:unread", ENV)
    assert store.ids(query) == [1]
    store.seen("kim", 1, 3)
    assert store.ids(query) == []
    store.seen("kim", 1, 1)
    assert store.ids(query) == []
    assert store.ids(parse("is:unread", Env(NOW, "sam"))) == [1]
    assert (store.seen_to("kim", 1), store.seen_to("sam", 1)) == (3, 0)


def test_bytes_are_kept_once_and_come_back(store: Store, other: Store) -> None:
    blobs = [Blob.of(data) for data in (b"", b"a" * 100_000, bytes(range(256)), b"")]
    store.write(lambda tx: tx.put_blobs(blobs))
    store.write(lambda tx: tx.put_blobs(blobs))
    assert [other.blob(b.key) for b in blobs] == [b"", b"a" * 100_000, bytes(range(256)), b""]


def test_settings_and_cursors_are_kept(store: Store, other: Store) -> None:
    assert (store.setting("x"), store.cursor("support")) == (None, None)
    store.set_setting("x", "1")
    store.set_setting("x", "2")
    store.write(lambda tx: tx.set_cursor("support", "far"))
    assert (other.setting("x"), other.cursor("support")) == ("2", "far")


def test_a_published_configuration_is_logged_by_what_changed(store: Store, hand: Hand) -> None:
    store.publish('{"undo_s": 5}', 3, {"undo_s": (10, 5)}, hand.batch(agent="kim"))
    assert (store.setting("config"), store.setting("config_version")) == ('{"undo_s": 5}', "3")
    (record,) = store.log()
    assert (record.entity, record.about, record.data) == (
        "settings",
        "config 3",
        {"field": "undo_s", "removed": 10, "added": 5},
    )


def test_accounts_and_teams_are_kept(store: Store, other: Store, hand: Hand) -> None:
    account = Account("support", "email", "help@x.example", "Help", MAIL, "ok", NOW, True)
    store.save_account(account)
    store.save_account(account)
    store.save_team(Team("network", "Net"), hand.batch())
    store.save_team(Team("network", "Network desk"), hand.batch())
    assert other.accounts() == {"support": account}
    assert other.teams() == {"network": Team("network", "Network desk")}


def test_a_uid_is_one_agent(store: Store, other: Store, hand: Hand) -> None:
    kim = Agent("kim", "Kim", Role.ADMIN, 1000, "kim@x.example", ("a", "b"), "-- \nKim", True)
    store.save_agent(kim, hand.batch())
    assert other.agents() == {"kim": kim}
    assert other.me(1000) == kim
    assert other.me(1001) is None
    with pytest.raises(StoreError, match="uid 1000 is kim already; take it from them first"):
        store.save_agent(Agent("sam", uid=1000), hand.batch())
    assert list(store.agents()) == ["kim"]
    store.save_agent(Agent("sam"), hand.batch())
    store.save_agent(Agent("rob"), hand.batch())
    assert list(store.agents()) == ["kim", "rob", "sam"]
    assert [r.about for r in store.log() if r.data["field"] == "uid"] == ["kim"]


def test_a_fresh_store_is_whole(store: Store, tmp_path: Any) -> None:
    assert store.check() == []
    assert store.config.undo_s == 10
    assert store.shared == store.url.startswith("postgresql://")
    store.backup(str(tmp_path / "copy"))
    assert (tmp_path / "copy").is_dir()


def test_one_of_two_who_publish_at_once_is_told(store: Store, other: Store, hand: Hand) -> None:
    store.publish("{}", 7, {}, hand.batch())
    with pytest.raises(Conflict, match="somebody else has published meanwhile"):
        other.publish("{}", 7, {}, hand.batch())
    assert store.setting("config_version") == "7"
