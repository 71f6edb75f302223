"""The single door for change: all or nothing a ticket, in chunks, one batch, nobody's change lost."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from msgspec.structs import replace

from desk.actions import Argument, load
from desk.errors import Conflict, Forbidden, Invalid, NotFound
from desk.lines import Call
from desk.model import Role, Status
from desk.perform import CHUNK, Who, new_batch_id, perform
from desk.query import EVERYTHING
from desk.store import Batch
from tests.desks import NOW, Room

# -- all or nothing ---------------------------------------------------------


def test_a_ticket_gets_all_the_lines_or_none(room: Room) -> None:
    before = room.store.ticket(1)
    with pytest.raises(Invalid):
        room.do("tag a; priority high; requester nia@new.example; snooze 2020-01-01", 1)
    assert room.store.ticket(1) == before
    assert room.store.log(ticket=1)[-1].batch == "filled"
    assert room.store.customers("nia") == []


def test_a_line_sees_what_the_one_before_it_did(room: Room) -> None:
    room.do("solve; reopen; tag a; untag a; tag b", 1)
    ticket = room.store.ticket(1)
    assert (ticket.status, ticket.tags) == (Status.OPEN, ("b",))
    assert len([r for r in room.store.log(ticket=1) if r.kind == "Changed"]) == 6


def test_one_failing_ticket_keeps_nobody_from_theirs(room: Room) -> None:
    room.do("assign sam", 2)
    outcome = room.do("take; tag done", 1, 2, 99, 3)
    assert outcome.done == [1, 3]
    assert outcome.skipped == {
        2: "#2 belongs to sam; take it all the same with --steal",
        99: "there is no ticket #99",
    }
    assert [room.store.ticket(n).tags for n in (1, 2, 3)] == [("done",), (), ("done",)]


def test_a_single_failing_ticket_is_an_error(room: Room) -> None:
    with pytest.raises(NotFound, match="there is no ticket #99"):
        room.do("take", 99)


def test_a_ticket_named_twice_is_done_once(room: Room) -> None:
    assert room.do("note hello", 1, 1, 1).done == [1]
    assert len(room.store.thread(1)) == 2


def test_no_tickets_and_no_lines_are_mistakes(room: Room) -> None:
    with pytest.raises(Invalid, match="take needs tickets: numbers, ranges"):
        room.do("take")
    with pytest.raises(Invalid, match="nothing to do; write a verb"):
        room.do("", 1)


# -- who saw what -----------------------------------------------------------


def test_a_ticket_somebody_else_changed_meanwhile_is_a_conflict(room: Room) -> None:
    seen = room.store.ticket(1).version
    room.do("tag theirs", 1, by="sam")
    with pytest.raises(Conflict, match="#1 was changed by somebody else meanwhile; look at it again"):
        room.do("solve", 1, expect={1: seen})
    assert room.store.ticket(1).status is Status.NEW
    room.do("solve", 1, expect={1: seen + 1, 2: 99})
    assert room.store.ticket(1).status is Status.SOLVED


def test_every_change_counts_the_version_once(room: Room) -> None:
    before = room.store.ticket(1).version
    room.do("tag a; tag b; note hello", 1)
    assert room.store.ticket(1).version == before + 1
    room.do("tag a", 1)
    assert room.store.ticket(1).version == before + 1


def test_who_writes_has_read(room: Room) -> None:
    room.store.seen("kim", 1, 1)
    room.do("note hello", 1)
    (mine,), (theirs,) = (room.store.rows([1], agent=name) for name in ("kim", "sam"))
    assert not mine.unread
    assert theirs.unread


def test_the_log_says_who_did_what_from_where(room: Room) -> None:
    room.do('tag "vpn"; note "A long\nstory"', 1, source="self-declared")
    record = room.store.log(ticket=1)[-1]
    assert (record.agent, record.uid, record.host, record.source) == ("kim", 1000, "test", "self-declared")
    assert record.line == 'tag vpn; note "A long story"'
    assert record.at == room.clock


def test_a_dry_run_says_all_and_changes_nothing(room: Room) -> None:
    seq, before = room.store.last_seq(), room.store.ticket(1)
    outcome = room.do("reply Hello; solve", 1, 2, dry_run=True)
    assert outcome.done == [1, 2]
    assert len(outcome.posted) == len(outcome.queued) == 2
    assert room.store.last_seq() == seq
    assert room.store.ticket(1) == before
    assert room.store.outbox() == []
    assert len(room.store.thread(1)) == 1
    again = room.do("reply Hello; solve", 1, 2)
    assert len(again.posted) == 2


# -- bulk -------------------------------------------------------------------


@pytest.fixture
def crowd(tmp_path: Path) -> Room:
    """A desk with so many tickets that a bulk run takes four chunks."""
    return Room.open(tmp_path, 3 * CHUNK + 5)


def test_a_bulk_run_goes_in_chunks_and_says_how_far_it_is(crowd: Room) -> None:
    everybody = crowd.store.ids(EVERYTHING)
    told: list[tuple[int, int]] = []
    versions: list[int] = []

    def progress(done: int, whole: int) -> bool:
        told.append((done, whole))
        versions.append(crowd.store.last_seq())
        return True

    outcome = crowd.do("tag all", *everybody, progress=progress)
    assert told == [(CHUNK, 101), (2 * CHUNK, 101), (3 * CHUNK, 101), (101, 101)]
    assert versions == [versions[0] + CHUNK * n for n in range(3)] + [crowd.store.last_seq()]
    assert outcome.done == everybody
    assert {r.batch for r in crowd.store.log(after=versions[0] - CHUNK)} == {outcome.batch}


def test_a_bulk_run_can_be_stopped_and_taken_back_whole(crowd: Room) -> None:
    everybody = crowd.store.ids(EVERYTHING, sort="oldest")
    outcome = crowd.do("tag all", *everybody, progress=lambda done, whole: done < 2 * CHUNK)
    assert outcome.done == everybody[: 2 * CHUNK]
    assert crowd.store.ticket(everybody[2 * CHUNK]).tags == ()
    assert sorted(crowd.undo().done) == everybody[: 2 * CHUNK]
    assert all(crowd.store.ticket(n).tags == () for n in everybody)


def test_a_bulk_merge_across_chunks_moves_everything(crowd: Room) -> None:
    everybody = crowd.store.ids(EVERYTHING, sort="oldest")
    outcome = crowd.do("merge 1", *everybody[1:])
    assert len(outcome.done) == len(everybody) - 1
    assert crowd.store.ticket(1).message_count == len(everybody)
    assert crowd.store.check() == []


# -- permission -------------------------------------------------------------

_VALUES = {
    "agent": "kim", "team": "network", "ticket": 2, "messages": (1,), "tags": ("x",), "status": "open", "priority": "high",
    "when": "2h", "address": "a@x.example", "addresses": ("a@x.example",), "body": "text", "text": "text", "word": "word", "person": "2",
}  # fmt: skip


def _value(argument: Argument) -> object:
    return _VALUES[argument.param.word]


@pytest.mark.parametrize("role", [*Role, None])
def test_every_verb_asks_for_the_role(room: Room, role: Role | None) -> None:
    names = {Role.READ_ONLY: "rob", Role.AGENT: "sam", Role.LEAD: "lee", Role.ADMIN: "kim"}
    who = Who(None, 4242) if role is None else room.be(names[role])
    seq = room.store.last_seq()
    for verb, action in load().items():
        call = Call(verb, {a.name: _value(a) for a in action.arguments if a.required})
        may = role is not None and role.rank >= action.role.rank
        # What is left of the verb may refuse the ticket; that it got so far is the point.
        with suppress(Invalid, Conflict) if may else pytest.raises(Forbidden, match=f"^{verb}: you are "):
            perform(room.desk, [call], [1], who, at=room.clock, batch_id=f"try-{verb}", dry_run=True)
    assert room.store.last_seq() == seq


def test_the_whole_script_needs_the_role_of_its_strictest_line(room: Room) -> None:
    with pytest.raises(Forbidden, match="block: you are sam with the role agent, this needs the role lead"):
        room.do("tag x; block", 1, by="sam")
    assert room.store.ticket(1).tags == ()


def test_who_has_left_does_nothing(room: Room) -> None:
    room.store.save_agent(replace(room.store.agents()["sam"], active=False), Batch("left", NOW))
    with pytest.raises(Forbidden, match="you are not an agent of this desk"):
        room.do("tag x", 1, by="sam")


def test_batch_ids_sort_by_time() -> None:
    early, late = new_batch_id(NOW, b"z"), new_batch_id(NOW + 1, b"a")
    assert early < late
    assert len(early) == len(late) == 19
    assert new_batch_id(NOW, b"a") != early
