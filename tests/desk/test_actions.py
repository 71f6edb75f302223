"""Every verb: what it does, when it does nothing, and the sentence with which it refuses."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from desk.actions import load
from desk.config import DeskConfig
from desk.errors import Conflict, DeskError, Invalid, NotFound
from desk.model import HOUR, SECOND, Account, Agent, Bin, Identity, Kind, Link, Priority, Role, State, Status
from desk.perform import Desk, Who
from desk.query import Env, parse
from desk.store import Batch
from desk.threads import Signer
from storage import open_store
from tests.desks import ADDRESS, NOW, Room

# -- fields -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "line", "expected"),
    [
        ("", "assign sam", {"assignee": "sam", "status": Status.OPEN}),
        ("", "assign me", {"assignee": "kim"}),
        ("assign sam", "assign none", {"assignee": None}),
        ("status pending", "assign sam", {"assignee": "sam", "status": Status.PENDING}),
        ("", "take", {"assignee": "kim", "status": Status.OPEN}),
        ("assign sam", "take --steal", {"assignee": "kim"}),
        ("take", "unassign", {"assignee": None, "status": Status.OPEN}),
        ("", "distribute", {"assignee": "kim", "status": Status.OPEN}),
        ("", "team network", {"team": "network", "status": Status.NEW}),
        ("team network", "team none", {"team": None}),
        ("", "status on-hold", {"status": Status.ON_HOLD}),
        ("", "solve", {"status": Status.SOLVED}),
        ("solve", "status closed", {"status": Status.CLOSED}),
        ("snooze 2h", "solve", {"snoozed_until": None, "snoozed_for_reply": False}),
        ("solve", "reopen", {"status": Status.OPEN, "solved_at": None}),
        ("status closed", "reopen", {"status": Status.OPEN}),
        ("", "snooze reply", {"snoozed_until": None, "snoozed_for_reply": True}),
        ("snooze 2h", "unsnooze", {"snoozed_until": None, "snoozed_for_reply": False}),
        ("", "spam", {"bin": Bin.SPAM}),
        ("", "trash", {"bin": Bin.TRASH}),
        ("spam", "untrash", {"bin": Bin.NONE}),
        ("trash", "untrash", {"bin": Bin.NONE}),
        ("", "block", {"bin": Bin.SPAM}),
        ("", "priority urgent", {"priority": Priority.URGENT}),
        ("tag b", "tag c a b", {"tags": ("a", "b", "c")}),
        ("tag a b c", "untag a c x", {"tags": ("b",)}),
        ("", "type Bug", {"type": "bug"}),
        ("type bug", "type none", {"type": None}),
        ("", "rename Another  name", {"subject": "Another name"}),
        ("", "cc b@x.example, Ann <A@x.example>", {"cc": ("a@x.example", "b@x.example")}),
        ("cc a@x.example, b@x.example", "cc --remove a@x.example", {"cc": ("b@x.example",)}),
        ("cc a@x.example, b@x.example", "cc --remove", {"cc": ()}),
        ("", "watch", {"watchers": ("kim",)}),
        ("watch", "watch lee", {"watchers": ("kim", "lee")}),
        ("watch; watch lee", "unwatch", {"watchers": ("lee",)}),
        ("watch; watch lee", "unwatch lee", {"watchers": ("kim",)}),
        ("", "link 2 parent", {"links": (Link("parent", 2),)}),
        ("", "link 2", {"links": (Link("related", 2),)}),
    ],
)  # fmt: skip
def test_a_verb_sets_its_field(room: Room, before: str, line: str, expected: dict[str, Any]) -> None:
    if before:
        room.do(before, 1)
    outcome = room.do(line, 1)
    ticket = room.store.ticket(1)
    assert {name: getattr(ticket, name) for name in expected} == expected
    assert outcome.changed
    assert outcome.done == [1]


@pytest.mark.parametrize(
    ("before", "line"),
    [
        ("assign sam", "assign sam"),
        ("take", "take"),
        ("", "unassign"),
        ("team network", "team network"),
        ("solve", "solve"),
        ("status pending", "status pending"),
        ("", "status new"),
        ("", "unsnooze"),
        ("snooze reply", "snooze reply"),
        ("spam", "spam"),
        ("trash", "trash"),
        ("", "untrash"),
        ("block", "block"),
        ("", "priority normal"),
        ("tag a", "tag a"),
        ("", "untag a"),
        ("", "type none"),
        ("", "rename Cannot log in after the reset"),
        ("", "requester c1@acme.example"),
        ("cc a@x.example", "cc a@x.example"),
        ("", "cc --remove a@x.example"),
        ("watch", "watch"),
        ("", "unwatch"),
        ("link 4 parent", "link 4 parent"),
    ],
)
def test_what_is_so_already_changes_nothing(room: Room, before: str, line: str) -> None:
    if before:
        room.do(before, 2)
    ticket, seq = room.store.ticket(2), room.store.last_seq()
    outcome = room.do(line, 2)
    assert not outcome.changed
    assert outcome.done == [2]
    assert (room.store.ticket(2), room.store.last_seq()) == (ticket, seq)


@pytest.mark.parametrize(
    ("before", "line", "kind", "said"),
    [
        ("", "assign km", NotFound, 'there is no agent "km" (did you mean "kim"?)'),
        ("assign sam", "take", Conflict, "#1 belongs to sam; take it all the same with --steal"),
        ("", "team netwrk", NotFound, 'there is no team "netwrk" (did you mean "network"?)'),
        ("take", "status new", Invalid, "#1 has been looked at and cannot become new again; use open"),
        ("", "reopen", Invalid, "#1 is new, not solved; there is nothing to reopen"),
        ("solve", "snooze 2h", Invalid, "#1 is solved; only what is open can sleep"),
        ("", "snooze 2020-01-01", Invalid, "that time has passed; name one that is still to come"),
        ("", "link 1", Invalid, "#1 cannot be linked to itself"),
        ("", "link 99", NotFound, "there is no ticket #99"),
        ("", "merge 1", Invalid, "#1 cannot be merged into itself"),
        ("merge 2", "merge 3", Invalid, "#1 was merged into #2 already"),
        ("merge 2", "reply hello", Invalid, "#1 was merged into #2; answer there"),
        ("", "split 1", Invalid, "that would leave nothing on #1; rename it instead"),
        ("", "split 2", NotFound, "#1 has no message 2; deskhand show 1 lists them"),
        ("", 'reply "  "', Invalid, "there is nothing in it; write some words"),
        ("", 'note ""', Invalid, "there is nothing in it; write some words"),
        ("", f"reply --to {ADDRESS} hello", Invalid, "#1 has nobody to write to but ourselves; name the recipients with --to"),
        ("", "reply --account nobody hello", Invalid, 'there is no account "nobody"; there are: support'),
        ("", 'forward --to "" hello', Invalid, "forward needs --to: whom should it go to?"),
        ("", "join #1", Conflict, "#1 and "),
        ("", "part nobody@x.example", Invalid, "nobody@x.example is none of this customer's identities"),
        ("", "call --back 2020-01-01", Invalid, "the time to call back is over"),
        ("", "reply --attach a.pdf hello", Invalid, "files cannot be attached here"),
    ],
)  # fmt: skip
def test_a_refusal_is_a_sentence_and_changes_nothing(
    room: Room, before: str, line: str, kind: type[DeskError], said: str
) -> None:
    if before:
        room.do(before, 1)
    ticket, seq = room.store.ticket(1), room.store.last_seq()
    with pytest.raises(kind) as caught:
        room.do(line, 1)
    assert str(caught.value) == said or str(caught.value).startswith(said)
    assert (room.store.ticket(1), room.store.last_seq()) == (ticket, seq)
    assert room.store.check() == []


def test_saying_of_a_customer_what_is_said_already_is_no_change(room: Room) -> None:
    assert room.do("tier gold; about Early", 1).changed
    assert not room.do("tier gold; about Early", 1).changed


def test_every_verb_is_looked_at_here() -> None:
    source = Path(__file__).read_text("utf-8")
    missing = [verb for verb in load() if not re.search(rf'["; ]{verb}\b', source)]
    assert missing == []


def test_every_verb_says_in_a_sentence_what_it_does() -> None:
    for action in load().values():
        assert action.summary.endswith("."), action.name
        assert action.usage.startswith(action.name)
    keys = [action.keys for action in load().values() if action.keys]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize(
    ("line", "until", "for_reply"),
    [("snooze 2h", 2 * HOUR, True), ("snooze --only 2h", 2 * HOUR, False), ("snooze reply", None, True)],
)
def test_snooze_sleeps_until_a_time_a_reply_or_either(
    room: Room, line: str, until: int | None, for_reply: bool
) -> None:
    room.do(line, 1)
    ticket = room.store.ticket(1)
    assert ticket.snoozed_until == (until and room.clock + until)
    assert ticket.snoozed_for_reply is for_reply
    assert ticket.snoozed(room.clock)


def test_a_blocked_sender_is_known_as_such(room: Room) -> None:
    room.do("block", 1)
    assert room.store.customer(room.store.ticket(1).requester).blocked


def test_another_requester_is_found_or_made(room: Room) -> None:
    room.do("requester Nia New <nia@new.example>", 1)
    nia = room.store.customer(room.store.ticket(1).requester)
    assert (nia.name, nia.address, nia.organisation) == ("Nia New", "nia@new.example", "new.example")
    room.do("requester c1@acme.example", 1)
    assert room.store.ticket(1).requester == room.store.ticket(2).requester


def test_an_agent_who_left_gets_no_tickets(room: Room) -> None:
    room.store.save_agent(replace(room.store.agents()["sam"], active=False), Batch("left", NOW))
    with pytest.raises(NotFound, match='there is no agent "sam"'):
        room.do("assign sam", 1)


# -- talking ----------------------------------------------------------------


def test_a_reply_goes_to_the_customer_after_the_undo_window(room: Room) -> None:
    outcome = room.do('reply "All is well."', 1)
    ticket, message = room.store.ticket(1), room.store.thread(1)[-1]
    (delivery, next_at) = room.store.outbox()[0]
    assert (message.kind, message.text, message.agent, message.state) == (
        Kind.PUBLIC,
        "All is well.",
        "kim",
        State.QUEUED,
    )
    assert (message.subject, message.account) == ("Re: VPN drops every 20 minutes", "support")
    assert message.sender == Identity("email", ADDRESS, "Kim")
    assert [i.value for i in message.to] == ["c0@acme.example"]
    assert message.message_id == f"{room.desk.signer.token(1)}.{message.id}@desk.test"
    assert delivery.recipients == ("c0@acme.example",)
    assert delivery.not_before == next_at == room.clock + 10 * SECOND
    assert (ticket.status, ticket.waiting_since) == (Status.OPEN, room.store.thread(1)[0].at)
    written = room.clock
    room.send()
    ticket = room.store.ticket(1)
    assert (ticket.waiting_since, ticket.first_reply_at, ticket.due_at) == (None, written, None)
    assert (outcome.posted, outcome.queued) == ([message.id], [delivery.id])


def test_a_reply_leaves_a_status_that_was_chosen(room: Room) -> None:
    room.do("status pending", 1)
    room.do("reply Hello", 1)
    assert room.store.ticket(1).status is Status.PENDING


def test_a_reply_can_be_sent_later(room: Room) -> None:
    room.do("reply --at 3h Hello", 1)
    assert room.store.outbox()[0][0].not_before == room.clock + 3 * HOUR
    room.do("reply --at 1s Hello", 1)
    assert room.store.outbox()[0][0].not_before == room.clock + 10 * SECOND


def test_a_reply_goes_to_copies_and_with_all_to_everybody_once(room: Room) -> None:
    ann, bob = Identity("email", "ann@acme.example"), Identity("email", "bob@acme.example")
    ours = Identity("email", ADDRESS)
    room.receive(room.mail(50, to=(ours, ann), cc=(bob,)))
    room.do("cc carl@acme.example", 6)
    room.do("reply Hello", 6)
    room.do('reply --all --cc "Bob <BOB@acme.example>" --bcc dora@acme.example Hello', 6)
    plain, everybody = room.store.thread(6)[-2:]
    assert [i.value for i in plain.to + plain.cc] == ["c50@acme.example", "carl@acme.example"]
    assert [i.value for i in everybody.to] == ["c50@acme.example"]
    assert [i.value for i in everybody.cc] == ["bob@acme.example", "carl@acme.example", "ann@acme.example"]
    assert [i.value for i in everybody.bcc] == ["dora@acme.example"]
    assert room.store.outbox()[0][0].recipients == (
        "c50@acme.example",
        "bob@acme.example",
        "carl@acme.example",
        "ann@acme.example",
        "dora@acme.example",
    )


def test_a_reply_answers_to_where_the_customer_asked_to(room: Room) -> None:
    room.receive(room.mail(51, reply_to=(Identity("email", "office@acme.example"),)))
    room.do("reply Hello", 6)
    assert [i.value for i in room.store.thread(6)[-1].to] == ["office@acme.example"]


def test_a_reply_goes_to_the_requester_when_somebody_else_wrote_last(room: Room) -> None:
    first = room.store.thread(1)[0]
    room.receive(room.mail(52, in_reply_to=(first.message_id or "",)))
    room.do("reply Hello", 1)
    assert [i.value for i in room.store.thread(1)[-1].to] == ["c0@acme.example"]


def test_a_note_goes_to_nobody_and_answers_nobody(room: Room) -> None:
    before = room.store.ticket(1)
    room.do('note "Ask the vendor."', 1)
    note, ticket = room.store.thread(1)[-1], room.store.ticket(1)
    assert (note.kind, note.to, note.state, note.message_id) == (Kind.NOTE, (), None, None)
    assert room.store.outbox() == []
    assert (ticket.waiting_since, ticket.due_at, ticket.status) == (before.waiting_since, before.due_at, before.status)


def test_files_are_attached_and_kept(room: Room) -> None:
    room.do(
        "note --attach a.txt See there.", 1, read_file=lambda path: (path, "text/plain", b"bytes of " + path.encode())
    )
    (file,) = room.store.thread(1)[-1].attachments
    assert (file.name, file.content_type, file.size) == ("a.txt", "text/plain", 14)
    assert room.store.blob(file.sha256) == b"bytes of a.txt"


def test_a_forward_carries_the_conversation_and_stays_inside(room: Room) -> None:
    room.do("reply Hello", 1)
    waiting = room.store.ticket(1)
    room.do('note "secret"', 1)
    room.do('forward --to vendor@parts.example "Please look."', 1)
    forward = room.store.thread(1)[-1]
    assert (forward.kind, forward.flags, forward.subject) == (
        Kind.NOTE,
        ("forward",),
        "Fwd: VPN drops every 20 minutes",
    )
    assert forward.text.startswith("Please look.\n\nCustomer 0:\n> Hello, this is mail 0.")
    assert "secret" not in forward.text
    assert forward.visible == "Please look."
    assert room.store.outbox()[0][0].recipients == ("vendor@parts.example",)
    assert room.store.ticket(1).first_reply_at == waiting.first_reply_at


def test_a_new_ticket_goes_out_to_its_requester(room: Room) -> None:
    outcome = room.do('open --requester "Nia <nia@new.example>" --body "We changed your plan." Your plan')
    ticket = room.store.ticket(6)
    (message,) = room.store.thread(6)
    assert outcome.opened == outcome.done == [6]
    assert (ticket.subject, ticket.status, ticket.assignee, ticket.account) == (
        "Your plan",
        Status.OPEN,
        "kim",
        "support",
    )
    assert (message.kind, message.subject, message.state) == (Kind.PUBLIC, "Your plan", State.QUEUED)
    assert [i.value for i in message.to] == ["nia@new.example"]


def test_a_new_ticket_may_begin_as_a_note_or_empty(room: Room) -> None:
    room.do('open --requester nia@new.example --note --body "She called." Call')
    room.do("open --requester nia@new.example Visit; tag door; priority high")
    assert [m.kind for m in room.store.thread(6)] == [Kind.NOTE]
    assert room.store.thread(7) == []
    visit = room.store.ticket(7)
    assert (visit.tags, visit.priority) == (("door",), Priority.HIGH)
    assert room.store.outbox() == []


def test_without_an_account_nothing_can_be_sent(tmp_path: Path) -> None:
    config = DeskConfig()
    store = open_store(str(tmp_path / "d.db"), config, create=True)
    store.save_agent(Agent("kim", role=Role.ADMIN, uid=1), Batch("b", NOW))
    store.save_account(Account("archive", "email", "old@desk.test"))
    room = Room(store, Desk(store, config, Signer(b"x")), Who(None))
    with pytest.raises(
        Invalid, match="no account can send yet; add one with: deskhand init, then start: deskhand relay"
    ):
        room.do("open --requester a@x.example --body hello Subject")


# -- shape ------------------------------------------------------------------


def test_a_merge_moves_everything_over(room: Room) -> None:
    room.do("tag a; watch; cc x@x.example", 1)
    room.do("tag b; watch lee", 2)
    room.do("merge 2", 1)
    source, target = room.store.ticket(1), room.store.ticket(2)
    assert (source.merged_into, source.message_count, room.store.thread(1)) == (2, 0, [])
    assert (target.tags, target.watchers, target.cc) == (("a", "b"), ("kim", "lee"), ("x@x.example",))
    assert [m.id for m in room.store.thread(2)] == [1, 2]
    assert target.message_count == 2
    assert not source.visible


def test_a_merge_moves_what_the_same_lines_wrote(room: Room) -> None:
    room.do('note "Same as the other one."; merge 2', 1)
    assert room.store.thread(1) == []
    assert [m.kind for m in room.store.thread(2)] == [Kind.PUBLIC, Kind.PUBLIC, Kind.NOTE]


def test_many_can_be_merged_into_one(room: Room) -> None:
    outcome = room.do("merge 5", 1, 2, 5, 3)
    assert outcome.done == [1, 2, 3]
    assert outcome.skipped == {5: "#5 cannot be merged into itself"}
    assert [m.id for m in room.store.thread(5)] == [1, 2, 3, 5]


def test_a_split_makes_a_ticket_linked_both_ways(room: Room) -> None:
    room.do("tag vpn; take; priority high", 1)
    room.answer(1, "And my printer smokes.")
    printer = room.store.thread(1)[-1].id
    outcome = room.do(f"split --subject Printer {printer}", 1)
    old, new = room.store.ticket(1), room.store.ticket(6)
    assert outcome.opened == [6]
    assert (new.subject, new.tags, new.assignee, new.priority) == ("Printer", ("vpn",), "kim", Priority.HIGH)
    assert (new.requester, new.account, new.status) == (old.requester, "support", Status.OPEN)
    assert [m.id for m in room.store.thread(6)] == [printer]
    assert (old.links, new.links) == ((Link("related", 6),), (Link("related", 1),))
    assert (old.message_count, new.message_count) == (1, 1)


@pytest.mark.parametrize(
    ("kind", "other"),
    [("related", "related"), ("parent", "child"), ("child", "parent"), ("duplicate-of", "duplicated-by")],
)
def test_a_link_stands_on_both_tickets_in_its_own_words(room: Room, kind: str, other: str) -> None:
    room.do(f"link 2 {kind}", 1)
    assert room.store.ticket(1).links == (Link(kind, 2),)
    assert room.store.ticket(2).links == (Link(other, 1),)


def test_two_links_in_one_script_both_stand(room: Room) -> None:
    room.do("link 2; link 2 parent; link 3", 1)
    assert room.store.ticket(1).links == (Link("parent", 2), Link("related", 2), Link("related", 3))
    assert room.store.ticket(2).links == (Link("child", 1), Link("related", 1))


def test_the_due_time_follows_every_change(room: Room) -> None:
    def due(line: str) -> tuple[int | None, str | None]:
        room.do(line, 1)
        ticket = room.store.ticket(1)
        return ticket.due_at, ticket.due_kind

    since = room.store.thread(1)[0].at
    assert due("take") == (since + 24 * HOUR, "first-reply")
    assert due("priority urgent") == (since + 6 * HOUR, "first-reply")
    assert due("solve") == (None, None)
    assert due("reopen") == (since + 6 * HOUR, "first-reply")
    assert due("spam") == (None, None)
    assert due("untrash") == (since + 6 * HOUR, "first-reply")
    assert due("reply Hello") == (since + 6 * HOUR, "first-reply")
    room.send()
    assert due("tag y") == (None, None)
    room.answer(1)
    assert due("tag x") == (room.store.thread(1)[-1].at + 6 * HOUR, "next-reply")


def test_release_lets_a_suspended_ticket_into_the_queue(room: Room) -> None:
    room.receive(room.mail(90, sender=Identity("email", ADDRESS), subject="A loop?"))
    assert room.store.ticket(6).bin is Bin.SUSPENDED
    room.do("release", 6)
    assert room.store.ticket(6).bin is Bin.NONE
    with pytest.raises(Invalid, match="is not suspended"):
        room.do("release", 6)
    room.undo()
    assert room.store.ticket(6).bin is Bin.SUSPENDED


def test_unblock_listens_again_and_takes_the_ticket_out_of_the_spam(room: Room) -> None:
    room.do("block", 1, by="lee")
    room.do("unblock", 1, by="lee")
    assert room.store.ticket(1).bin is Bin.NONE
    assert not room.store.customer(room.store.ticket(1).requester).blocked
    room.answer(1)
    assert len(room.store.thread(1)) == 2


def test_move_puts_messages_on_another_ticket_and_comes_back(room: Room) -> None:
    room.do('note "For ticket two."', 1)
    moved = room.store.thread(1)[-1].id
    room.do(f"move 2 {moved}", 1)
    assert [m.id for m in room.store.thread(2)][-1] == moved
    assert room.store.ids(parse('"for ticket two"', Env(room.clock))) == [2]
    room.undo()
    assert [m.id for m in room.store.thread(1)][-1] == moved
    assert room.store.ids(parse('"for ticket two"', Env(room.clock))) == [1]
    with pytest.raises(Invalid, match="leave nothing"):
        room.do(f"move 2 {room.store.thread(3)[0].id}", 3)


def test_a_merge_keeps_the_clocks_of_the_ticket_that_stays(room: Room) -> None:
    room.do('reply "Done."', 2)
    room.send()
    before = room.store.ticket(2)
    room.do("merge 2", 1)
    after = room.store.ticket(2)
    assert (after.waiting_since, after.first_reply_at, after.due_at) == (None, before.first_reply_at, None)
    assert after.message_count == 3


def test_what_came_by_a_merge_never_moves_the_clocks_of_the_ticket_that_stays(room: Room) -> None:
    room.do("reply Well.", 1)
    room.send()
    room.do("merge 2", 1)
    begun = room.store.ticket(2).waiting_since
    room.do('reply "On it."', 2)
    room.send(state=State.FAILED)
    after = room.store.ticket(2)
    assert (after.waiting_since, after.first_reply_at) == (begun, None), "the answer on the other ticket is none to it"
    room.do('reply "Here it is."', 2)
    written = room.clock
    room.send()
    assert room.store.ticket(2).first_reply_at == written


def test_a_merge_that_is_taken_back_gives_both_their_own_clocks_again(room: Room) -> None:
    room.do("reply Well.", 1)
    room.send()
    one, two = room.store.ticket(1), room.store.ticket(2)
    room.do("merge 3", 2)
    room.do("merge 3", 1)
    room.undo()
    room.do("note x", 3)
    again = room.store.ticket(1)
    assert (again.first_reply_at, again.waiting_since, again.due_at) == (one.first_reply_at, None, one.due_at)
    assert not any(m.flags for m in room.store.thread(1))
    room.undo()
    room.undo()
    assert (room.store.ticket(2).waiting_since, room.store.ticket(2).due_at) == (two.waiting_since, two.due_at)
