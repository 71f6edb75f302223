"""Policies and their clocks: what is promised, when it is due, and what the log says of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from desk.config import DeskConfig, parse
from desk.events import Changed, Clock, Reread, evolve
from desk.model import DAY, HOUR, MINUTE, Bin, Customer, Identity, Millis, Priority, Stage, Status, Ticket
from desk.sla import Promise, load, policy_of, promises, ring, rung, settle, turns
from desk.store import Batch
from tests.desks import ADDRESS, Room, mail

SINCE = 1_770_000_000_000  # Monday, 2026-02-02 02:40 UTC
WAITING = Ticket(1, "VPN drops", 1, SINCE, SINCE, status=Status.OPEN, waiting_since=SINCE, channel="email")
ANN = Customer(1, "Ann", "ann@acme.example", "acme.example")

OFFICE = """
[calendars.office]
zone = "UTC"
hours = ["mon-fri 09:00-17:00"]
"""


def desk(text: str) -> DeskConfig:
    return parse(text).desk


def owed(ticket: Ticket, config: DeskConfig) -> tuple[Promise, ...]:
    return promises(ticket, policy_of(ticket, config, lambda: ANN))


def settled(ticket: Ticket, config: DeskConfig) -> Ticket:
    return settle(ticket, owed(ticket, config))


@pytest.mark.parametrize(
    ("fields", "due_at", "due_kind"),
    [
        ({}, SINCE + 24 * HOUR, "first-reply"),
        ({"first_reply_at": SINCE - HOUR}, SINCE + 24 * HOUR, "next-reply"),
        ({"priority": Priority.URGENT}, SINCE + 6 * HOUR, "first-reply"),
        ({"priority": Priority.HIGH}, SINCE + 24 * HOUR, "first-reply"),
        ({"channel": "chat"}, SINCE + MINUTE, "first-reply"),
        ({"channel": "mastodon"}, SINCE + 4 * HOUR, "first-reply"),
        ({"channel": "phone"}, SINCE + 2 * HOUR, "first-reply"),
        ({"status": Status.PENDING}, SINCE + 24 * HOUR, "first-reply"),
        ({"waiting_since": None}, None, None),
        ({"status": Status.SOLVED}, None, None),
        ({"status": Status.CLOSED}, None, None),
        ({"bin": Bin.SPAM}, None, None),
        ({"merged_into": 2}, None, None),
    ],
)
def test_what_is_promised_where_a_team_has_written_nothing(
    fields: dict[str, Any], due_at: Millis | None, due_kind: str | None
) -> None:
    ticket = settled(replace(WAITING, **fields), DeskConfig())
    assert (ticket.due_at, ticket.due_kind) == (due_at, due_kind)


def test_the_first_policy_that_holds_counts() -> None:
    config = desk(
        '[policies.acme]\nwhen = "org:acme.example"\nfirst_reply = "1h"\n'
        '[policies.vpn]\nwhen = "subject:vpn"\nfirst_reply = "2h"\n'
        '[policies.rest]\nfirst_reply = "3h"\n'
    )

    def asked(ticket: Ticket, customer: Customer) -> str | None:
        found = policy_of(ticket, config, lambda: customer)
        return found.name if found else None

    bob = Customer(2, "Bob", "bob@other.example", "other.example")
    assert asked(WAITING, ANN) == "acme"
    assert asked(WAITING, bob) == "vpn"
    assert asked(replace(WAITING, subject="Invoice"), bob) == "rest"


def test_a_customer_is_looked_up_only_where_a_policy_asks_for_one() -> None:
    def nobody() -> Customer:
        raise AssertionError("nobody asked")

    assert policy_of(WAITING, desk('[policies.a]\nwhen = "tag:vip"\n[policies.b]\nfirst_reply = "1h"\n'), nobody)


def test_business_time_counts_working_hours_only() -> None:
    config = desk(
        OFFICE
        + '[policies.a]\ncalendar = "office"\nfirst_reply = "10h"\nresolution = { normal = "5d", time = "calendar" }\n'
    )
    first, resolution = owed(WAITING, config)
    # From Monday 02:40: eight hours on Monday, two on Tuesday.
    assert first.due == SINCE - 160 * MINUTE + DAY + 11 * HOUR
    assert resolution.due == SINCE + 5 * DAY


def test_a_resolution_stands_still_while_the_customer_is_asked() -> None:
    config = desk('[policies.a]\nresolution = { normal = "10h", warn = "1h" }\n')
    stages = (Stage(SINCE + 2 * HOUR, Status.PENDING), Stage(SINCE + 7 * HOUR, Status.OPEN))
    asked = replace(WAITING, status=Status.PENDING, stages=stages[:1])
    (paused,) = owed(asked, config)
    assert (paused.state, paused.due, paused.left) == ("paused", None, 8 * HOUR)
    assert (settled(asked, config).due_at, settled(asked, config).paused) == (None, True)
    (again,) = owed(replace(WAITING, stages=stages), config)
    assert (again.state, again.due, again.warn_at) == ("running", SINCE + 15 * HOUR, SINCE + 14 * HOUR)


def test_who_asked_again_after_it_was_solved_was_not_answered_too_late(tmp_path: Path) -> None:
    room = Room.open(tmp_path, tickets=1, config=desk('[policies.a]\nfirst_reply = "4h"\n'))
    room.do("solve", 1)
    room.clock += 10 * DAY
    room.answer(1)
    assert room.store.ticket(1).due_at == room.clock + 4 * HOUR
    room.do("reply Here.", 1)
    room.send()
    (kept,) = owed(room.store.ticket(1), room.desk.config)
    assert (kept.state, kept.due) == ("kept", None)


def test_what_ran_out_before_the_pause_stays_overdue() -> None:
    config = desk('[policies.a]\nresolution = "1h"\n')
    late = replace(WAITING, status=Status.PENDING, stages=(Stage(SINCE + 2 * HOUR, Status.PENDING),))
    assert settled(late, config).due_at == SINCE + HOUR


def test_time_in_which_a_ticket_was_solved_counts_for_nobody() -> None:
    config = desk('[policies.a]\nresolution = "10h"\n')
    stages = (Stage(SINCE + HOUR, Status.SOLVED), Stage(SINCE + 100 * HOUR, Status.OPEN))
    (reopened,) = owed(replace(WAITING, stages=stages), config)
    assert reopened.due == SINCE + 109 * HOUR
    (solved,) = owed(
        replace(WAITING, status=Status.SOLVED, solved_at=SINCE + HOUR, waiting_since=None, stages=stages[:1]), config
    )
    assert (solved.state, solved.kept_at) == ("kept", SINCE + HOUR)


def test_the_earliest_promise_is_the_one_that_is_due() -> None:
    config = desk('[policies.a]\nfirst_reply = "8h"\nresolution = "4h"\n')
    assert settled(WAITING, config).due_kind == "resolution"


def test_a_ticket_that_is_right_already_stays_the_very_same() -> None:
    due = settled(WAITING, DeskConfig())
    assert settled(due, DeskConfig()) is due
    assert settled(replace(due, status=Status.SOLVED), DeskConfig()).due_at is None


# -- warnings and breaches ----------------------------------------------------


def test_it_warns_and_tells_a_breach_once_and_never_early() -> None:
    config = desk('[policies.a]\nfirst_reply = { normal = "4h", warn = "30m" }\n')
    ticket = settled(WAITING, config)
    told: list[tuple[int, str]] = []
    for minute in range(300):
        at = SINCE + minute * MINUTE
        due = ticket.alarm_at is not None and ticket.alarm_at <= at
        events = ring(ticket, owed(ticket, config), at)
        assert due == bool(events)
        for event in events:
            told.append((minute, event.what))
            ticket = rung(ticket, event)
        ticket = settled(ticket, config)
    assert told == [(210, "warn"), (240, "breach")]
    assert ticket.breached
    assert ticket.alarm_at is None


def test_a_late_look_tells_the_breach_and_no_warning_beside_it() -> None:
    config = desk('[policies.a]\nfirst_reply = "4h"\n')
    assert [e.what for e in ring(settled(WAITING, config), owed(WAITING, config), SINCE + DAY)] == ["breach"]


def test_a_promise_that_moves_is_told_anew() -> None:
    config = desk('[policies.a]\nfirst_reply = { normal = "4h", urgent = "1h" }\n')
    urgent = settled(replace(WAITING, priority=Priority.URGENT), config)
    for event in ring(urgent, owed(urgent, config), SINCE + 2 * HOUR):
        urgent = rung(urgent, event)
    assert settled(urgent, config).breached
    calm = settled(replace(urgent, priority=Priority.NORMAL), config)
    assert not calm.breached
    assert calm.alarm_at == SINCE + 3 * HOUR


def test_an_archive_that_is_taken_in_alarms_nobody() -> None:
    ticket = settle(WAITING, owed(WAITING, DeskConfig()), quiet_until=SINCE + 2 * DAY)
    assert ticket.alarm_at is None
    assert ticket.due_at == SINCE + DAY


# -- the log --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (None, {}, [("first-reply", "activate"), ("resolution", "activate")]),
        ({}, {"priority": Priority.URGENT}, [("first-reply", "move"), ("resolution", "move")]),
        ({}, {"first_reply_at": SINCE + 5, "replied_at": SINCE + 5, "waiting_since": None}, [("first-reply", "fulfil")]),
        (
            {"first_reply_at": SINCE, "replied_at": SINCE, "waiting_since": None}, {"first_reply_at": SINCE, "replied_at": SINCE},
            [("next-reply", "activate")],
        ),
        (
            {"first_reply_at": SINCE, "waiting_since": SINCE + 5}, {"first_reply_at": SINCE, "replied_at": SINCE + 9, "waiting_since": None},
            [("next-reply", "fulfil")],
        ),
        ({}, {"status": Status.PENDING, "stages": (Stage(SINCE + HOUR, Status.PENDING),)}, [("resolution", "pause")]),
        ({"status": Status.PENDING, "stages": (Stage(SINCE + HOUR, Status.PENDING),)}, {}, [("resolution", "resume")]),
        (
            {}, {"status": Status.SOLVED, "solved_at": SINCE + 7, "waiting_since": None},
            [("first-reply", "cancel"), ("resolution", "fulfil")],
        ),
        ({}, {"bin": Bin.TRASH}, [("first-reply", "cancel"), ("resolution", "cancel")]),
        ({}, {"subject": "Other"}, []),
    ],
)  # fmt: skip
def test_every_turn_of_a_clock_is_an_event(
    before: dict[str, Any] | None, after: dict[str, Any], told: list[tuple[str, str]]
) -> None:
    config = desk(
        '[policies.a]\nfirst_reply = { normal = "4h", urgent = "1h" }\nnext_reply = "4h"\n'
        'resolution = { normal = "3d", urgent = "1d" }\n'
    )
    was = owed(replace(WAITING, **before), config) if before is not None else ()
    events = turns(1, was, owed(replace(WAITING, **after), config))
    assert [(e.clock, e.what) for e in events] == told
    for event in events:
        assert (
            event.at == {"first-reply": SINCE + 5, "next-reply": SINCE + 9, "resolution": SINCE + 7}[event.clock]
            if (event.what == "fulfil")
            else True
        )


def test_a_status_that_is_taken_back_never_was() -> None:
    solved = evolve(WAITING, Changed(1, "status", Status.OPEN, Status.SOLVED), SINCE + HOUR)
    assert solved.stages[-1] == Stage(SINCE + HOUR, Status.SOLVED)
    back = evolve(solved, Changed(1, "status", Status.SOLVED, Status.OPEN), SINCE + 2 * HOUR, back=True)
    assert back.stages == ()
    opened = evolve(solved, Changed(1, "status", Status.SOLVED, Status.OPEN), SINCE + 2 * HOUR)
    assert [stage.status for stage in opened.stages] == [Status.OPEN, Status.SOLVED, Status.OPEN]


def test_an_archive_that_is_opened_again_was_nobodys_to_solve_meanwhile(tmp_path: Path) -> None:
    room = Room.open(tmp_path, tickets=0, config=desk('[policies.a]\nresolution = "10h"\n'))
    room.receive(mail(1, at=room.clock - 900 * DAY), silent=True, status=Status.SOLVED)
    room.answer(1)
    again = room.store.ticket(1)
    assert (again.status, again.due_at) == (Status.OPEN, room.clock + 10 * HOUR)


def test_the_status_in_which_a_ticket_was_opened_counts_too() -> None:
    config = desk('[policies.a]\nresolution = { normal = "10h", pause = ["open"] }\n')
    opened = evolve(WAITING, Changed(1, "status", Status.OPEN, Status.PENDING), SINCE + 3 * HOUR)
    assert owed(opened, config)[0].due == SINCE + 13 * HOUR


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 3, 1), (3, 1, 2)])
def test_mail_that_comes_in_another_order_sets_the_same_clocks(tmp_path: Path, order: tuple[int, ...]) -> None:
    room = Room.open(tmp_path, tickets=1)
    first = room.store.thread(1)[0]
    begun = room.clock
    # The customer asks again, we answer from elsewhere (it is read from the folder of what was sent), they ask on.
    written = {
        number: mail(
            10 + number,
            at=begun + number * HOUR,
            sender=Identity("email", ADDRESS) if number == 2 else first.sender,
            to=(first.sender,) if number == 2 else (),
            in_reply_to=(first.message_id or "",),
        )
        for number in order
    }
    room.clock = begun + 5 * HOUR
    for number in order:
        room.receive(written[number], silent=True)
    ticket = room.store.ticket(1)
    assert (ticket.first_reply_at, ticket.replied_at) == (begun + 2 * HOUR, begun + 2 * HOUR)
    assert ticket.waiting_since == begun + 3 * HOUR


def test_mail_that_proves_to_be_automatic_when_it_is_read_again_asks_for_no_answer(tmp_path: Path) -> None:
    room = Room.open(tmp_path, tickets=1)
    better = replace(room.store.thread(1)[0], automatic="auto-reply")
    room.store.write(lambda tx: tx.append(Batch(room.turn(), room.clock, "kim"), [Reread(better)]))
    assert (room.store.ticket(1).waiting_since, room.store.ticket(1).due_at) == (None, None)


# -- against a slow reference ---------------------------------------------------

_STEPS = st.lists(
    st.tuples(st.integers(1, 30 * 60), st.sampled_from(["open", "pending", "on-hold", "solved", "new"])), max_size=8
)


@given(
    _STEPS, st.integers(1, 30), st.booleans(), st.sampled_from([(), ("pending",), ("pending", "on-hold"), ("open",)])
)
@settings(max_examples=150, deadline=None)
def test_a_clock_is_what_counting_minutes_gives(
    steps: list[tuple[int, str]], hours: int, business: bool, pause: tuple[str, ...]
) -> None:
    config = desk(
        OFFICE
        + f'[policies.a]\ncalendar = "office"\nresolution = {{ normal = "{hours}h", pause = {list(pause)}, '
        + f'time = "{"business" if business else "calendar"}" }}\n'.replace("'", '"')
    )
    at, stages = SINCE, []
    for minutes, status in steps:
        at += minutes * MINUTE
        stages.append(Stage(at, Status(status)))
    last = stages[-1].status if stages else Status.OPEN
    ticket = replace(WAITING, status=last, stages=tuple(stages), solved_at=None if last.live else at)
    (found,) = owed(ticket, config)
    if not last.live:
        assert found.state == "kept"
        return
    due = reference(ticket, hours * 60, business, pause)
    assert (found.due, found.state) == ((due, "running") if due is not None else (None, "paused"))


def reference(ticket: Ticket, minutes: int, business: bool, pause: tuple[str, ...]) -> Millis | None:
    """Minute by minute: when so many counted ones have passed; None if that is not to be said now."""
    status, stages = Status.NEW if ticket.stages else ticket.status, list(ticket.stages)
    at = SINCE
    while minutes:
        while stages and stages[0].at <= at:
            status = stages.pop(0).status
        counts = status.live and status.value not in pause
        if not counts and not stages:
            return None
        day = (at // DAY + 3) % 7  # 1970 began on a Thursday
        if counts and (not business or (day < 5 and 9 * HOUR <= at % DAY < 17 * HOUR)):
            minutes -= 1
        at += MINUTE
    return at


# -- mistakes -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ('first_replay = "4h"', 'line 2: unknown key "first_replay" (did you mean "first_reply"?)'),
        ("first_reply = 4", 'line 2: first_reply is a span ("4h") or a table'),
        ('first_reply = "soon"', 'line 2: "soon" is no span; write 30m, 4h or 1h30m'),
        ('first_reply = "0h"', "line 2: first_reply promises no time at all"),
        ('first_reply = { urgent = "1h" }', 'line 2: first_reply needs a span for "normal"'),
        ('first_reply = { normal = "1h", urgnet = "1m" }', 'first_reply has no "urgnet" (did you mean "urgent"?)'),
        ('first_reply = { normal = "1h", time = "business" }', "business time needs to know the working hours"),
        (
            'resolution = { normal = "1h", pause = ["solved"] }',
            "pause is a list of statuses: new, open, pending, on-hold",
        ),
        (
            'resolution = { normal = "1h", pause = [["pending"]] }',
            "line 2: pause is a list of statuses: new, open, pending, on-hold",
        ),
        ('calendar = "offise"\nfirst_reply = "4h"', 'line 2: there is no calendar "offise" (did you mean "office"?)'),
        ('calendar = "office"\nfirst_reply = "2d"', 'line 3: "2d" is not clear in working time; write hours'),
        ('when = "created:>2h"', "line 2: a policy can ask for what a ticket and its customer are"),
        ('when = "refund"', 'line 2: "refund" would be looked for in messages; a policy can ask for what'),
        ('when = "tag:vip and priority:high"', 'line 2: "and" would be looked for in messages'),
        ('when = "is:mine"', "line 2: a policy can ask for what a ticket and its customer are"),
        ('when = "colour:red"', "line 2: "),
    ],
)
def test_a_mistake_names_its_line_and_the_other_policies_hold(table: str, words: str) -> None:
    found = load(desk(f'[policies.odd]\n{table}\n[policies.good]\nfirst_reply = "1h"\n{OFFICE}'))
    assert list(found.items) == ["good"]
    assert len(found.errors) == 1
    assert words in str(found.errors[0])


def test_a_policy_whose_calendar_is_wrong_says_where_the_mistake_is() -> None:
    found = load(desk('[calendars.moon]\nzone = "Luna"\n[policies.a]\ncalendar = "moon"\nfirst_reply = "4h"\n'))
    assert [str(error) for error in found.errors] == [
        'config.toml, [policies.a] line 4: the calendar "moon" has a mistake of its own; mend [calendars.moon] first'
    ]


def test_a_name_in_quotes_has_its_line_too() -> None:
    (error,) = load(desk('[policies."acme.example"]\nfirst_reply = "soon"\n')).errors
    assert str(error).startswith('config.toml, [policies.acme.example] line 2: "soon" is no span')


def test_clock_events_are_told_in_words() -> None:
    from desk.events import Record, payload
    from desk.telling import describe

    entity, about, data = payload(Clock(1, "first-reply", "breach", SINCE, "vip", SINCE))
    assert describe(Record(1, SINCE, "b", entity, about, "Clock", data)) == (
        "first reply overdue, was promised until 2026-02-02 02:40 UTC"
    )
