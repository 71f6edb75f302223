"""Taking back and doing again: as before, without losing what others did since."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from desk.errors import Conflict, DeskError, Forbidden, NotFound
from desk.events import Reread
from desk.model import HOUR, MINUTE, SECOND, Bin, Link, Message, State, Status, Ticket
from desk.query import EVERYTHING
from desk.store import Batch
from tests.desks import SUBJECTS, Room


def state(room: Room) -> dict[int, tuple[Ticket, list[Message]]]:
    """Every ticket in sight with its conversation, but for what only ever grows."""
    return {
        n: (replace(room.store.ticket(n), version=0, updated_at=0, idle_since=0), room.store.thread(n))
        for n in room.store.ids(EVERYTHING, sort="oldest")
        if room.store.ticket(n).bin is not Bin.TRASH or n <= 5
    }


LINES = (
    "assign sam", "assign none", "take --steal", "unassign", "team network", "team none", "status open", "status pending",
    "status on-hold", "solve", "status closed", "reopen", "snooze 2h", "snooze --only 1d", "snooze reply", "unsnooze", "spam", "trash",
    "untrash", "block", "priority urgent", "priority low", "tag a", "tag b c", "untag a", "untag b", "type bug", "type none",
    "rename Another", "requester nia@new.example", "cc x@x.example", "cc --remove", "watch", "watch lee", "unwatch", "link 2",
    "link 3 parent", "note hello", "reply hello", "reply --at 3h later", "forward --to v@v.example look", "merge 3", "split 1",
)  # fmt: skip

_STEPS = st.lists(
    st.tuples(
        st.lists(st.sampled_from(LINES), min_size=1, max_size=3).map("; ".join),
        st.sets(st.integers(1, 4), min_size=1, max_size=3).map(sorted),
    ),
    min_size=1,
    max_size=6,
)


@contextmanager
def fresh() -> Iterator[Room]:
    """A desk of its own for one example."""
    with TemporaryDirectory() as folder:
        room = Room.open(Path(folder))
        room.answer(1)
        try:
            yield room
        finally:
            room.store.close()


def test_a_link_made_twice_in_one_go_is_taken_back() -> None:
    with fresh() as room:
        before = state(room)
        room.do("link 2; link 2", 1)
        assert room.undo().skipped == {}
        assert state(room) == before


@given(_STEPS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_taking_everything_back_gives_the_desk_as_before(steps: list[tuple[str, list[int]]]) -> None:
    with fresh() as room:
        moments = [state(room)]
        for script, ids in steps:
            try:
                if room.do(script, *ids).changed:
                    moments.append(state(room))
            except DeskError:
                continue
        done = len(moments) - 1
        for before in reversed(moments[:-1]):
            outcome = room.undo()
            assert outcome.skipped == {}
            assert state(room) == before
        if done:
            with pytest.raises(NotFound, match="there is nothing of yours to undo"):
                room.undo()
        for after in moments[1:]:
            room.redo()
            assert _without_schedule(state(room)) == _without_schedule(after)
        assert room.store.check() == []


def _without_schedule(found: dict[int, tuple[Ticket, list[Message]]]) -> dict[int, Any]:
    """Solved again is solved later; everything else is as it was."""
    return {
        n: (
            replace(t, solved_at=t.solved_at and 1, stages=tuple(replace(stage, at=0) for stage in t.stages)),
            messages,
        )
        for n, (t, messages) in found.items()
    }


# -- others -----------------------------------------------------------------


def test_what_others_changed_since_is_left_and_listed(room: Room) -> None:
    room.do("solve; tag done", 1, 2, 3)
    room.do("status pending", 2, by="sam")
    outcome = room.undo()
    assert sorted(outcome.done) == [1, 3]
    assert outcome.skipped == {2: "#2 status is pending by now"}
    assert [room.store.ticket(n).status for n in (1, 2, 3)] == [Status.NEW, Status.PENDING, Status.NEW]
    assert room.store.ticket(2).tags == ("done",), "a ticket is taken back whole or not at all"


def test_what_others_changed_elsewhere_stays(room: Room) -> None:
    room.do("tag mine; priority high", 1)
    room.do("tag theirs; assign sam", 1, by="sam")
    room.undo()
    ticket = room.store.ticket(1)
    assert (ticket.tags, str(ticket.priority), ticket.assignee) == (("theirs",), "normal", "sam")


def test_when_nothing_can_be_taken_back_it_is_an_error(room: Room) -> None:
    room.do("solve", 1)
    room.do("reopen", 1, by="sam")
    with pytest.raises(Conflict, match="#1 status is open by now"):
        room.undo()


def test_everybody_takes_back_their_own(room: Room) -> None:
    room.do("tag kims", 1)
    room.do("tag sams", 1, by="sam")
    room.undo()
    assert room.store.ticket(1).tags == ("sams",)
    with pytest.raises(NotFound, match="there is nothing of yours to undo"):
        room.undo()


def test_anothers_batch_is_for_a_lead(room: Room) -> None:
    batch = room.do("tag kims", 1).batch
    with pytest.raises(Forbidden, match="that was done by kim; a lead can take it back, or do the opposite yourself"):
        room.undo(by="sam", batch=batch)
    with pytest.raises(Forbidden, match="needs the role agent"):
        room.undo(by="rob", batch=batch)
    room.undo(by="lee", batch=batch)
    assert room.store.ticket(1).tags == ()
    assert room.store.log(ticket=1)[-1].undoes == batch


def test_what_came_from_outside_is_not_taken_back(room: Room) -> None:
    with pytest.raises(Conflict, match="and cannot be taken back; use spam or trash"):
        room.undo(batch="filled")
    with pytest.raises(NotFound, match="there is no batch nonsense; deskhand log shows them"):
        room.undo(batch="nonsense")


def test_the_team_and_the_settings_are_not_taken_back(room: Room) -> None:
    kim = room.store.agents()["kim"]
    room.do("tag a", 1)
    room.store.save_agent(replace(kim, display="Kim A."), Batch("renamed", room.clock + 1, "kim"))
    assert room.undo().done == [1], "the newest change of a ticket is what is taken back"
    with pytest.raises(Conflict, match="changed the team or the settings; change it back with the same verb"):
        room.undo(batch="renamed")
    assert room.store.agents()["kim"].display == "Kim A."


def test_another_attempt_to_send_is_in_nobodys_way(room: Room) -> None:
    room.do("tag a", 1)
    room.do("reply hello", 2)
    (delivery,) = room.send(state=State.FAILED)
    room.store.retry(delivery, Batch("retry", room.clock, "kim"))
    assert room.undo().done == [2]
    assert room.undo().done == [1]


def test_mail_that_was_read_again_is_in_nobodys_way(room: Room) -> None:
    room.do("tag a", 1)
    first = room.store.thread(2)[0]
    reread = Reread(replace(first, text="read better"), "read better")
    room.store.write(lambda tx: tx.append(Batch("reread", room.clock + 1, "kim"), [reread]))
    assert room.undo().done == [1]


# -- again ------------------------------------------------------------------


def test_back_and_forth_and_back(room: Room) -> None:
    room.do("tag a", 1)
    room.do("tag b", 1)
    for _ in range(3):
        room.undo()
        assert room.store.ticket(1).tags == ("a",)
        room.undo()
        assert room.store.ticket(1).tags == ()
        with pytest.raises(NotFound, match="nothing of yours to undo"):
            room.undo()
        room.redo()
        room.redo()
        assert room.store.ticket(1).tags == ("a", "b")
        with pytest.raises(NotFound, match="nothing of yours to do again"):
            room.redo()


def test_a_dry_run_of_undo_changes_nothing(room: Room) -> None:
    room.do("tag a", 1)
    assert room.undo(dry_run=True).done == [1]
    assert room.store.ticket(1).tags == ("a",)
    assert room.undo().done == [1]


def test_the_log_tells_what_was_taken_back(room: Room) -> None:
    batch = room.do("tag a", 1).batch
    room.undo()
    record = room.store.log(ticket=1)[-1]
    assert (record.undoes, record.line) == (batch, "undo: tag a")
    room.redo()
    assert room.store.log(ticket=1)[-1].line == "redo: undo: tag a"


# -- what was said ----------------------------------------------------------


def test_a_reply_that_waits_is_taken_back(room: Room) -> None:
    before = room.store.ticket(1)
    room.do("reply hello", 1)
    room.undo()
    ticket = room.store.ticket(1)
    assert [m.id for m in room.store.thread(1)] == [1]
    assert (ticket.waiting_since, ticket.due_at, ticket.first_reply_at) == (before.waiting_since, before.due_at, None)
    assert (ticket.status, ticket.heard) == (Status.NEW, before.heard)
    assert room.send() == []


def test_a_reply_stands_again_and_waits_anew(room: Room) -> None:
    room.do("reply hello", 1)
    room.undo()
    room.redo()
    ((delivery, next_at),) = room.store.outbox()
    assert delivery.state is State.QUEUED
    assert delivery.not_before == next_at == room.clock + 10 * SECOND
    assert room.store.ticket(1).waiting_since is not None
    assert len(room.send()) == 1
    assert room.store.ticket(1).waiting_since is None


def test_a_reply_for_later_is_not_sent_sooner_by_taking_it_back_and_forth(room: Room) -> None:
    room.do("reply --at 3h hello", 1)
    planned = room.store.outbox()[0][1]
    room.undo()
    room.redo()
    assert room.store.outbox()[0][1] == planned == room.clock - 2 * MINUTE + 3 * HOUR


@pytest.mark.parametrize("how", ["claimed", State.SENT, State.BOUNCED, State.UNKNOWN])
def test_a_reply_on_its_way_cannot_be_taken_back(room: Room, how: State | str) -> None:
    room.do("tag a; reply hello", 1)
    if isinstance(how, State):
        room.send(state=how)
    else:
        room.store.claim("relay", room.clock + HOUR, room.clock + 2 * HOUR)
    word = how.value if isinstance(how, State) else "sending"
    with pytest.raises(Conflict, match=f"the reply on #1 is {word} and cannot be taken back; write again instead"):
        room.undo()
    assert room.store.ticket(1).tags == ("a",)
    assert len(room.store.thread(1)) == 2


def test_a_reply_that_failed_can_be_taken_back(room: Room) -> None:
    room.do("reply hello", 1)
    room.send(state=State.FAILED)
    room.undo()
    assert len(room.store.thread(1)) == 1


def test_a_bulk_reply_is_taken_back_where_it_still_can_be(room: Room) -> None:
    room.do("reply --at 3h hello", 2)
    room.do("reply hello", 1, 3)
    room.clock += MINUTE
    (one,) = room.store.claim("relay", room.clock, room.clock + HOUR, 1)
    outcome = room.undo()
    assert outcome.done == [3]
    assert list(outcome.skipped) == [one.ticket.id] == [1]


# -- shape ------------------------------------------------------------------


def test_a_merge_is_undone_whole(room: Room) -> None:
    room.do("tag a; note hello", 1)
    room.do("tag b", 2)
    before = state(room)
    room.do("merge 2", 1)
    room.undo()
    assert state(room) == before


def test_what_came_after_a_merge_stays_where_it_came(room: Room) -> None:
    room.do("merge 2", 1)
    first = room.store.thread(2)[0]
    room.receive(room.mail(60, subject="what came after", sender=first.sender, in_reply_to=(first.message_id or "",)))
    room.undo()
    assert [m.subject for m in room.store.thread(1)] == [SUBJECTS[0]]
    assert [m.subject for m in room.store.thread(2)] == [SUBJECTS[1], "what came after"]


def test_a_merge_into_what_was_merged_further_is_not_half_undone(room: Room) -> None:
    room.do("merge 2", 1)
    room.do("merge 3", 2, by="sam")
    after = state(room)
    with pytest.raises(Conflict):
        room.undo()
    assert state(room) == after
    assert room.store.check() == []


def test_a_split_is_undone_whole(room: Room) -> None:
    room.answer(1)
    before = state(room)
    room.do(f"split {room.store.thread(1)[-1].id}", 1)
    room.undo()
    assert state(room) == before
    left = room.store.ticket(6)
    assert (left.bin, left.message_count, left.links) == (Bin.TRASH, 0, ())
    room.redo()
    assert room.store.ticket(1).links == (Link("related", 6),)
    assert room.store.ticket(6).bin is Bin.NONE


def test_a_new_ticket_goes_into_the_trash_and_its_mail_nowhere(room: Room) -> None:
    room.do("open --requester nia@new.example --body hello Subject")
    room.undo()
    assert room.store.ticket(6).bin is Bin.TRASH
    assert room.send() == []


def test_blocking_a_sender_is_undone_with_the_ticket(room: Room) -> None:
    room.do("block", 1)
    room.undo()
    assert room.store.ticket(1).bin is Bin.NONE
    assert not room.store.customer(room.store.ticket(1).requester).blocked
