"""Events: what they do to a ticket, what takes them back, and how a person would put them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from desk.errors import Conflict
from desk.events import (
    Changed,
    Delivered,
    Event,
    Moved,
    Opened,
    Posted,
    Record,
    Restored,
    Withdrawn,
    change,
    evolve,
    guard,
    invert,
    overall,
    payload,
    recounted,
)
from desk.model import Bin, Direction, Kind, Link, Message, Priority, State, Status, Ticket
from desk.telling import describe

AT = 1_770_000_000_000
TICKET = Ticket(12, "VPN", 7, AT - 1000, AT - 500, status=Status.OPEN)


def record(event: Event, **fields: Any) -> Record:
    """The event as a line of the log."""
    entity, about, data = payload(event)
    return Record(1, AT, "b1", entity, about, type(event).__name__, data, **fields)


def message(number: int, direction: Direction, at: int, **fields: Any) -> Message:
    return Message(number, 12, fields.pop("kind", Kind.PUBLIC), direction, at, "x", "text", **fields)


IN, OUT = Direction.IN, Direction.OUT

# -- evolve and change ------------------------------------------------------

_TAGS = st.sets(st.sampled_from("abcd"), max_size=4).map(lambda tags: tuple(sorted(tags)))
_FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "status": st.sampled_from(Status),
    "priority": st.sampled_from(Priority),
    "assignee": st.none() | st.sampled_from(["kim", "sam"]),
    "tags": _TAGS,
    "watchers": _TAGS,
    "cc": _TAGS,
    "links": st.sets(st.builds(Link, st.sampled_from(["related", "parent"]), st.integers(1, 3)), max_size=3).map(
        lambda links: tuple(sorted(links, key=lambda k: (k.kind, k.ticket)))
    ),
    "bin": st.sampled_from(Bin),
    "merged_into": st.none() | st.integers(1, 3),
    "snoozed_until": st.none() | st.integers(1, 3),
    "snoozed_for_reply": st.booleans(),
    "subject": st.sampled_from(["VPN", "Printer"]),
    "requester": st.integers(1, 3),
    "type": st.none() | st.just("bug"),
    "team": st.none() | st.just("network"),
}
_WANTED = st.fixed_dictionaries({}, optional=_FIELDS)


def _consistent(ticket: Ticket) -> Ticket:
    return replace(ticket, solved_at=None if ticket.status.live else AT - 100)


_TICKETS = _WANTED.map(lambda fields: _consistent(replace(TICKET, **fields)))


def evolved(ticket: Ticket, events: list[Any], at: int = AT) -> Ticket:
    for event in events:
        ticket = evolve(ticket, event, at)
    return ticket


@given(_TICKETS, _WANTED)
def test_a_change_gives_the_ticket_what_was_asked_for(ticket: Ticket, wanted: dict[str, Any]) -> None:
    after = evolved(ticket, change(ticket, **wanted))
    assert {name: getattr(after, name) for name in wanted} == wanted


@given(_TICKETS, _WANTED)
def test_what_is_so_already_is_no_change(ticket: Ticket, wanted: dict[str, Any]) -> None:
    after = evolved(ticket, change(ticket, **wanted))
    assert change(after, **wanted) == []


@given(_TICKETS, _WANTED)
def test_the_inverse_events_newest_first_give_the_ticket_as_before(ticket: Ticket, wanted: dict[str, Any]) -> None:
    done = change(ticket, **wanted)
    after = evolved(ticket, done)
    for event in reversed(done):
        back = invert(record(event), 0)
        assert back is not None
        guard(after, back)
        after = evolve(after, back, AT + 1, back=True)
    assert replace(after, updated_at=0) == replace(ticket, updated_at=0)


def test_a_set_is_logged_by_what_went_and_came() -> None:
    ticket = replace(TICKET, tags=("a", "b"))
    (event,) = change(ticket, tags=("b", "c"))
    assert event == Changed(12, "tags", ("a",), ("c",))
    by_another_meanwhile = replace(ticket, tags=("a", "b", "z"))
    assert evolve(by_another_meanwhile, event, AT).tags == ("b", "c", "z")


def test_solving_notes_when_and_reopening_forgets_it() -> None:
    solved = evolve(TICKET, Changed(12, "status", Status.OPEN, Status.SOLVED), AT)
    assert solved.solved_at == AT
    closed = evolve(solved, Changed(12, "status", Status.SOLVED, Status.CLOSED), AT + 9)
    assert closed.solved_at == AT
    assert evolved(closed, change(closed, status=Status.OPEN)).solved_at is None


def test_time_never_runs_back_on_a_ticket() -> None:
    assert evolve(TICKET, Changed(12, "type", None, "bug"), 5).updated_at == TICKET.updated_at


@pytest.mark.parametrize(
    ("messages", "waiting_since", "first_reply_at", "count"),
    [
        ([], None, None, 0),
        ([message(1, IN, 10)], 10, None, 1),
        ([message(1, IN, 10), message(2, IN, 20)], 10, None, 2),
        ([message(1, IN, 10), message(2, OUT, 20)], None, 20, 2),
        ([message(1, IN, 10), message(2, OUT, 20), message(3, IN, 30)], 30, 20, 3),
        ([message(1, IN, 10), message(2, OUT, 20, kind=Kind.NOTE)], 10, None, 2),
        ([message(1, IN, 10), message(2, OUT, 20, automatic="auto-reply")], 10, None, 2),
        ([message(1, IN, 10, automatic="auto-reply")], None, None, 1),
        ([message(1, IN, 10), message(2, OUT, 20, kind=Kind.CALL)], None, 20, 2),
        ([message(1, IN, 10), message(2, OUT, 20, withdrawn=True)], 10, None, 1),
        ([message(1, IN, 10), message(2, OUT, 20, state=State.BOUNCED)], 10, None, 2),
        ([message(1, IN, 10), message(2, OUT, 20, state=State.FAILED)], 10, None, 2),
        ([message(1, IN, 10), message(2, OUT, 20, state=State.SENT)], None, 20, 2),
    ],
)
def test_who_waits_since_when_follows_from_the_messages(
    messages: list[Message], waiting_since: int | None, first_reply_at: int | None, count: int
) -> None:
    ticket = recounted(replace(TICKET, message_count=99, waiting_since=1, first_reply_at=1), messages)
    assert (ticket.waiting_since, ticket.first_reply_at, ticket.message_count) == (waiting_since, first_reply_at, count)
    if not any(m.withdrawn or m.state for m in messages):
        one_by_one = evolved(TICKET, [Posted(m) for m in messages])
        assert (one_by_one.waiting_since, one_by_one.first_reply_at) == (waiting_since, first_reply_at)


def test_a_message_taken_back_is_no_news() -> None:
    messages = [message(1, IN, 10), message(2, OUT, 20, withdrawn=True)]
    assert recounted(replace(TICKET, heard=2), messages).heard == 1
    assert recounted(replace(TICKET, heard=0), messages).heard == 0


# -- taking back ------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "inverse"),
    [
        (Opened(TICKET), Changed(12, "bin", Bin.NONE, Bin.TRASH)),
        (Posted(message(5, OUT, AT)), Withdrawn(12, 5)),
        (Withdrawn(12, 5), Restored(12, 5, 77)),
        (Restored(12, 5, 0), Withdrawn(12, 5)),
        (Moved(12, 13, (5, 6)), Moved(13, 12, (5, 6))),
        (Delivered(12, 5, 1, State.SENT), None),
        (
            Changed(12, "priority", Priority.LOW, Priority.HIGH),
            Changed(12, "priority", Priority.HIGH, Priority.LOW),
        ),
        (
            Changed(12, "links", (), (Link("parent", 3),)),
            Changed(12, "links", (Link("parent", 3),), ()),
        ),
        (Changed(7, "blocked", False, True, "customer"), Changed(7, "blocked", True, False, "customer")),
    ],
)
def test_every_event_has_one_that_takes_it_back(event: Event, inverse: Event | None) -> None:
    assert invert(record(event), 77) == inverse


@pytest.mark.parametrize(
    ("ticket", "event", "said"),
    [
        ({"status": Status.PENDING}, Changed(12, "status", Status.SOLVED, Status.OPEN), "#12 status is pending by now"),
        ({"assignee": None}, Changed(12, "assignee", "kim", None), "#12 assignee is none by now"),
        ({"tags": ("a",)}, Changed(12, "tags", ("vpn",), ()), "#12 tags is a by now"),
        ({"bin": Bin.NONE}, Changed(12, "bin", Bin.TRASH, Bin.NONE), "#12 place is queue by now"),
        ({"priority": Priority.LOW}, Changed(12, "priority", Priority.HIGH, Priority.NORMAL), "priority is low by now"),
    ],
)
def test_what_is_no_longer_so_is_not_taken_back(ticket: dict[str, Any], event: Event, said: str) -> None:
    with pytest.raises(Conflict) as caught:
        guard(replace(TICKET, **ticket), event)
    assert said in str(caught.value)


def test_tags_of_others_are_in_nobodys_way() -> None:
    ticket, event = replace(TICKET, tags=("mine", "theirs")), Changed(12, "tags", ("mine",), ())
    guard(ticket, event)
    assert evolve(ticket, event, 0).tags == ("theirs",)


# -- telling ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (Opened(TICKET), "opened"),
        (Changed(12, "status", Status.OPEN, Status.SOLVED), "status open → solved"),
        (Changed(12, "priority", Priority.NORMAL, Priority.URGENT), "priority normal → urgent"),
        (Changed(12, "assignee", None, "kim"), "assignee none → kim"),
        (Changed(12, "bin", Bin.NONE, Bin.SPAM), "place queue → spam"),
        (Changed(12, "tags", ("old",), ("new", "vpn")), "tags -old +new +vpn"),
        (Changed(12, "links", (), (Link("parent", 3),)), "links +parent #3"),
        (Changed(12, "snoozed_until", None, AT), "snoozed until none → 2026-02-02 02:40 UTC"),
        (Changed(12, "snoozed_for_reply", False, True), "snoozed until a reply no → yes"),
        (Changed(12, "merged_into", None, 3), "merged into none → 3"),
        (Posted(message(5, IN, AT)), "message in 5"),
        (Posted(message(5, OUT, AT)), "reply 5"),
        (Posted(message(5, OUT, AT, kind=Kind.NOTE)), "note 5"),
        (Withdrawn(12, 5), "message 5 taken back"),
        (Restored(12, 5, 0), "message 5 stands again"),
        (Moved(12, 13, (5, 6)), "2 messages to #13"),
        (Delivered(12, 5, 1, State.SENT), "message 5 sent"),
        (Delivered(12, 5, 1, State.FAILED, "550 no"), "message 5 failed: 550 no"),
    ],
)
def test_an_event_is_told_as_a_person_would(event: Event, said: str) -> None:
    assert describe(record(event)) == said


def test_the_log_says_by_which_rule_a_message_came() -> None:
    _, _, data = payload(Posted(message(5, IN, AT, threaded_by="token")))
    assert data == {"message": 5, "kind": "public", "direction": "in", "threaded_by": "token"}


@pytest.mark.parametrize(
    ("states", "whole"),
    [
        ([], None),
        ([State.SENT, State.FAILED], State.FAILED),
        ([State.SENT, State.UNKNOWN, State.FAILED], State.UNKNOWN),
        ([State.SENT, State.QUEUED], State.QUEUED),
        ([State.DELIVERED, State.SENT], State.SENT),
        ([State.WITHDRAWN, State.WITHDRAWN], State.WITHDRAWN),
        ([State.READ], State.READ),
    ],
)
def test_a_message_has_the_state_that_asks_most_for_attention(states: list[State], whole: State | None) -> None:
    assert overall(states) is whole
