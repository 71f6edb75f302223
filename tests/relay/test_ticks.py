"""The clock: what is told once and never early, whatever the time does."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from desk import clocks
from desk.config import DeskConfig, parse
from desk.model import DAY, HOUR, MINUTE, SECOND, Millis
from desk.query import Env
from desk.query import parse as query
from desk.store import Batch
from relay.engine import Engine
from relay.ticks import Trust, tick
from relay.workers import Workers
from tests.desks import Room, mail

FOUR_HOURS = '[policies.all]\nfirst_reply = { normal = "4h", warn = "1h" }\n'


def told(room: Room) -> list[tuple[int | str, str]]:
    return [(r.about, r.data["what"]) for r in room.store.log() if r.kind == "Clock" and r.source == "clock"]


def at_work(room: Room, now: Millis) -> Engine:
    return Engine(room.store, room.desk.config, room.desk.signer, [], "r", lambda: now, Workers(0))


def test_a_warning_and_a_breach_are_told_once_each(tmp_path: Path) -> None:
    room = Room.open(tmp_path, tickets=1, config=parse(FOUR_HOURS).desk)
    begun = room.store.ticket(1).created_at
    for minutes in (0, 179, 180, 181, 239, 240, 241, 9_999):
        asyncio.run(tick(at_work(room, begun + minutes * MINUTE)))
    assert told(room) == [(1, "warn"), (1, "breach")]
    assert room.store.ids(query("is:breached", Env(begun))) == [1]
    room.do("reply Sorry", 1)
    room.send()
    assert room.store.ids(query("is:breached", Env(begun))) == []


def test_more_than_one_look_takes_is_told_in_one_tick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clocks, "CHUNK", 3)
    room = Room.open(tmp_path, tickets=8, config=parse(FOUR_HOURS).desk)
    asyncio.run(tick(at_work(room, room.clock + DAY)))
    assert sorted(told(room)) == [(number, "breach") for number in range(1, 9)]


def test_a_reply_that_waits_to_be_sent_keeps_no_promise_yet(tmp_path: Path) -> None:
    room = Room.open(tmp_path, tickets=1, config=parse(FOUR_HOURS).desk)
    room.do("reply --at 6h Later.", 1)
    asyncio.run(tick(at_work(room, room.clock + 5 * HOUR)))
    assert told(room) == [(1, "breach")]


def test_an_archive_tells_nobody_anything(tmp_path: Path) -> None:
    from desk.model import Status

    room = Room.open(tmp_path, tickets=0, config=parse(FOUR_HOURS).desk)
    room.receive(room.mail(1), silent=True, status=Status.OPEN)
    room.clock += 3 * DAY
    room.receive(mail(2, at=room.clock - 2 * DAY), silent=True, status=Status.OPEN)
    asyncio.run(tick(at_work(room, room.clock)))
    assert [number for number, _ in told(room)] == [1], "the second was late when it was taken in"
    assert [r.kind for r in room.store.log() if r.source != "clock"].count("Clock") == 0


def test_a_new_policy_moves_what_is_due_and_running_processes_go_by_it(tmp_path: Path) -> None:
    import json

    from desk.config import publishable

    room = Room.open(tmp_path, tickets=250, config=DeskConfig())
    due = room.store.ticket(1).due_at
    room.do("solve", 250)
    whole = json.dumps(publishable(parse(FOUR_HOURS).desk))
    header = Batch("apply", room.clock, "kim", line="config apply 1")
    room.store.publish(whole, 1, {"policies.all": (None, {})}, header)
    seen: list[int] = []
    changed = clocks.resettle(room.store, Batch("settled", room.clock, "kim"), seen.append)
    assert (changed, seen) == (249, [100, 200, 249])
    ticket = room.store.ticket(1)
    assert ticket.due_at == ticket.created_at + 4 * HOUR != due
    assert room.store.ticket(250).due_at is None
    assert clocks.resettle(room.store, Batch("again", room.clock, "kim")) == 0
    moves = [r for r in room.store.log(ticket=1) if r.kind == "Clock" and r.data["what"] == "move"]
    assert [(r.data["policy"], r.data["due"]) for r in moves] == [("all", ticket.due_at)]


def test_a_look_can_be_stopped_and_goes_on(tmp_path: Path) -> None:
    room = Room.open(tmp_path, tickets=150)
    room.store.config = parse(FOUR_HOURS).desk
    assert clocks.resettle(room.store, Batch("a", room.clock, "kim"), lambda done: False) == 100
    assert clocks.resettle(room.store, Batch("b", room.clock, "kim")) == 50


def test_a_clock_that_jumps_ahead_is_not_believed_for_a_minute() -> None:
    trust = Trust()
    assert trust.holds(1_000_000, 0)
    assert trust.holds(1_000_000 + 10 * SECOND, 10 * SECOND)
    assert not trust.holds(1_000_000 + 2 * HOUR, 11 * SECOND)
    assert not trust.holds(1_000_000 + 2 * HOUR + 50 * SECOND, 61 * SECOND)
    assert trust.holds(1_000_000 + 2 * HOUR + 60 * SECOND, 71 * SECOND)
    assert trust.holds(1_000_000 + 2 * HOUR + 61 * SECOND, 72 * SECOND)


def test_a_jump_that_is_mended_at_once_leaves_nothing_behind() -> None:
    trust = Trust()
    assert trust.holds(0, 0)
    assert not trust.holds(DAY, SECOND)
    assert trust.holds(2 * SECOND, 2 * SECOND)
    assert not trust.holds(DAY, 3 * SECOND)


def test_waking_up_is_no_jump_and_going_back_only_waits() -> None:
    trust = Trust()
    assert trust.holds(0, 0)
    assert trust.holds(8 * HOUR, 8 * HOUR), "asleep for a night"
    assert trust.holds(7 * HOUR, 8 * HOUR + SECOND), "set back by an hour"
    assert not trust.holds(9 * HOUR, 8 * HOUR + 2 * SECOND)


def test_what_goes_out_by_itself_does_not_hush_the_clocks(tmp_path: Path) -> None:
    from msgspec.structs import replace

    config = replace(parse(FOUR_HOURS).desk, acknowledge="Thank you.", undo_s=0)
    room = Room.open(tmp_path, tickets=1, config=config)
    assert len(room.store.thread(1)) == 2
    assert [r.data["what"] for r in room.store.log(ticket=1) if r.kind == "Clock"] == ["activate"]
    asyncio.run(tick(at_work(room, room.clock + DAY)))
    assert told(room) == [(1, "breach")]


def turns(room: Room, ticket: int = 1) -> list[tuple[str, str]]:
    return [(r.data["clock"], r.data["what"]) for r in room.store.log(ticket=ticket) if r.kind == "Clock"]


def publish(room: Room, version: int, text: str) -> None:
    import json

    from desk.config import publishable

    header = Batch(room.turn(), room.clock, "kim")
    room.store.publish(json.dumps(publishable(parse(text).desk)), version, {"policies.all": (None, {})}, header)
    clocks.resettle(room.store, Batch(room.turn(), room.clock, "kim"))


@pytest.mark.parametrize("there_and_back", [("trash", "untrash"), ("solve", "reopen"), ("merge 2", "undo")])
def test_a_clock_that_stopped_and_goes_on_is_not_told_again(tmp_path: Path, there_and_back: tuple[str, str]) -> None:
    room = Room.open(tmp_path, tickets=2, config=parse(FOUR_HOURS).desk)
    asyncio.run(tick(at_work(room, room.clock + DAY)))
    for line in there_and_back:
        if line == "undo":
            room.undo()
        else:
            room.do(line, 1)
    assert room.store.ticket(1).breached
    asyncio.run(tick(at_work(room, room.clock + DAY)))
    assert told(room) == [(1, "breach"), (2, "breach")]


def test_a_promise_that_is_broken_is_told_once_although_the_reply_comes_back(tmp_path: Path) -> None:
    from desk.events import Delivered
    from desk.model import State

    room = Room.open(tmp_path, tickets=1, config=parse('[policies.all]\nnext_reply = "4h"\n').desk)
    room.do("reply Hello.", 1)
    room.send()
    room.answer(1)
    since = room.store.ticket(1).waiting_since
    asyncio.run(tick(at_work(room, room.clock + DAY)))
    room.clock += DAY
    room.do("reply Sorry.", 1)
    room.send()
    sent = room.store.outbox([State.SENT])[0][0]
    report = Batch(room.turn(), room.clock, source="support")
    room.store.write(lambda tx: tx.append(report, [Delivered(1, sent.message, sent.id, State.BOUNCED)]))
    assert (room.store.ticket(1).waiting_since, room.store.ticket(1).breached) == (since, True)
    asyncio.run(tick(at_work(room, room.clock + DAY)))
    assert told(room) == [(1, "breach")]


def test_a_policy_that_is_taken_back_tells_nothing_again(tmp_path: Path) -> None:
    room = Room.open(tmp_path, tickets=1, config=parse(FOUR_HOURS).desk)
    asyncio.run(tick(at_work(room, room.clock + DAY)))
    publish(room, 1, '[policies.all]\nfirst_reply = "90h"\n')
    assert not room.store.ticket(1).breached
    publish(room, 2, FOUR_HOURS)
    assert room.store.ticket(1).breached
    asyncio.run(tick(at_work(room, room.clock + DAY)))
    assert told(room) == [(1, "breach")]


def test_the_log_tells_of_every_clock_that_a_new_policy_sets_going_and_stops(tmp_path: Path) -> None:
    room = Room.open(tmp_path, tickets=1, config=parse(FOUR_HOURS).desk)
    publish(room, 1, FOUR_HOURS + 'resolution = "90h"\n')
    publish(room, 2, '[policies.all]\nresolution = "90h"\n')
    room.do("solve", 1)
    assert turns(room) == [
        ("first-reply", "activate"),
        ("resolution", "activate"),
        ("first-reply", "cancel"),
        ("resolution", "fulfil"),
    ]


def test_a_clock_that_begins_while_it_stands_still_is_said_to_stand_still(tmp_path: Path) -> None:
    room = Room.open(tmp_path, tickets=1, config=parse('[policies.all]\nresolution = "9h"\n').desk)
    for line in ("status pending", "solve", "status pending", "status open"):
        room.do(line, 1)
    whats = [what for _, what in turns(room)]
    assert whats == ["activate", "pause", "fulfil", "resume", "pause", "resume"]


def test_the_log_tells_of_the_clock_that_messages_bring_along(tmp_path: Path) -> None:
    room = Room.open(tmp_path, tickets=2, config=parse(FOUR_HOURS + 'next_reply = "4h"\n').desk)
    room.do("reply Well.", 2)
    room.send()
    room.do("link 2", 1)
    room.answer(1)
    room.do(f"move 2 {room.store.thread(1)[-1].id}", 1)
    assert turns(room, 2) == [("first-reply", "activate"), ("first-reply", "fulfil"), ("next-reply", "activate")]


def test_a_clock_that_was_promised_while_the_ticket_was_solved_begins_when_it_is_opened(tmp_path: Path) -> None:
    room = Room.open(tmp_path, tickets=1, config=parse(FOUR_HOURS).desk)
    room.do("solve", 1)
    publish(room, 1, FOUR_HOURS + 'resolution = "90h"\n')
    room.do("reopen", 1)
    room.do("solve", 1)
    room.do("reopen", 1)
    whats = [what for clock, what in turns(room) if clock == "resolution"]
    assert whats == ["activate", "fulfil", "resume"]


def test_a_clock_that_is_promised_after_it_was_kept_begins_when_the_reply_comes_back(tmp_path: Path) -> None:
    from desk.events import Delivered
    from desk.model import State

    room = Room.open(tmp_path, tickets=1, config=parse('[policies.all]\nresolution = "90h"\n').desk)
    room.do("reply Hello.", 1)
    room.send()
    publish(room, 1, FOUR_HOURS)
    sent = room.store.outbox([State.SENT])[0][0]
    report = Batch(room.turn(), room.clock, source="support")
    room.store.write(lambda tx: tx.append(report, [Delivered(1, sent.message, sent.id, State.BOUNCED)]))
    assert turns(room)[-1] == ("first-reply", "activate")
