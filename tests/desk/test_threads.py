"""Which ticket a message belongs to, by which rule, and what forgers get."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from desk.channel import Inbound
from desk.config import DeskConfig
from desk.model import DAY, Bin, Direction, Identity, Kind, Link, Message, Status
from desk.store import Held
from desk.threads import Found, Signer, conversation_key, find
from tests.desks import ADDRESS, Room, mail

SIGNER = Signer(b"x" * 32)
TOKEN = SIGNER.token(12)


def found(participants: tuple[str, ...] = (), held: tuple[Held, ...] = (), **fields: Any) -> Found:
    """Where a mail with these fields belongs, when the desk holds `held` and ticket 12 has `participants`."""

    def look_up(ids: Any) -> list[Held]:
        return [h for i in ids for h in held if i in (h.message_id, f"support\x1f{h.message_id}")]

    return find(mail(1, **fields), "support", SIGNER, look_up, lambda n, a: n == 12 and a in participants)


OURS = Held(12, 3, f"{TOKEN}.3@desk.test")
THEIRS = Held(7, 2, "abc@acme.example")

# -- the rules --------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"in_reply_to": (f"{TOKEN}.3@desk.test",)}, Found(12, "token")),
        ({"references": ("other@x", f"{TOKEN.upper()}.3@DESK.test", "more@x")}, Found(12, "token")),
        ({"to": (Identity("email", SIGNER.plus(ADDRESS, 12)),)}, Found(12, "token")),
        ({"cc": (Identity("email", SIGNER.plus(ADDRESS, 12)),)}, Found(12, "token")),
        ({"subject": "Re: [#12] VPN"}, Found(None, "new", suspect=12)),
        ({"subject": "[#12]", "participants": ("c1@acme.example",)}, Found(12, "subject")),
        ({"subject": "[#9] [#12]", "participants": ("c1@acme.example",)}, Found(12, "subject")),
        ({"subject": "#12 and (12)", "participants": ("c1@acme.example",)}, Found(None, "new")),
        ({"subject": "[#12]", "participants": ("c1@acme.example",), "sender": None}, Found(None, "new", suspect=12)),
        ({}, Found(None, "new")),
        ({"in_reply_to": ("unknown@x",), "references": ("unknown@x",)}, Found(None, "new")),
        ({"in_reply_to": ("abc@acme.example",), "held": (THEIRS,)}, Found(7, "references", THEIRS)),
        ({"references": ("abc@acme.example",), "held": (THEIRS,)}, Found(7, "references", THEIRS)),
        ({"conversation": "abc@acme.example", "held": (THEIRS,)}, Found(7, "conversation")),
    ],
)
def test_the_first_rule_that_holds_names_the_ticket(fields: dict[str, Any], expected: Found) -> None:
    assert found(**fields) == expected


def test_a_token_wins_over_references_and_those_over_the_subject() -> None:
    everything = {
        "in_reply_to": ("abc@acme.example", f"{TOKEN}.3@desk.test"),
        "subject": "[#12]",
        "held": (THEIRS, OURS),
        "participants": ("c1@acme.example",),
    }
    assert found(**everything) == Found(12, "token", THEIRS)
    assert found(**everything | {"in_reply_to": ("abc@acme.example",)}) == Found(7, "references", THEIRS)


def test_the_nearest_reference_decides() -> None:
    near, far = Held(1, 1, "near@x"), Held(2, 2, "far@x")
    assert found(references=("far@x", "near@x"), held=(far, near)).ticket == 1
    assert found(in_reply_to=("far@x",), references=("far@x", "near@x"), held=(far, near)).ticket == 2


# -- forgers ----------------------------------------------------------------


@pytest.mark.parametrize(
    "reference",
    [
        f"deskhand.13.{SIGNER.mark(12)}.3@desk.test",
        f"deskhand.12.{SIGNER.mark(13)}.3@desk.test",
        f"deskhand.12.{'0' * 16}.3@desk.test",
        f"deskhand.12.{SIGNER.mark(12)[:15]}.3@desk.test",
        f"{Signer(b'another desk').token(12)}.3@desk.test",
        "deskhand.12",
    ],
)
def test_a_forged_token_opens_no_ticket(reference: str) -> None:
    assert found(in_reply_to=(reference,)) == Found(None, "new")
    plus = "help+" + reference.removeprefix("deskhand.").replace(".", "-", 1).partition(".")[0] + "@desk.test"
    assert found(to=(Identity("email", plus),)) == Found(None, "new")


def test_a_forged_token_before_a_genuine_one_does_not_hide_it() -> None:
    assert found(references=(f"deskhand.13.{'a' * 16}.1@x {TOKEN}.3@desk.test",)).ticket == 12


@given(st.integers(1, 10**15 - 1), st.integers(1, 10**15 - 1))
def test_a_token_is_good_for_its_ticket_alone(one: int, other: int) -> None:
    assert SIGNER.read((SIGNER.token(one),)) == one
    assert SIGNER.addressed((SIGNER.plus("a+b@x.example", one),)) == one
    if one != other:
        assert SIGNER.read((f"deskhand.{other}.{SIGNER.mark(one)}",)) is None


@given(st.text(max_size=60))
def test_no_reference_breaks_the_reader(text: str) -> None:
    assert SIGNER.read((text, text.lower())) is None
    assert SIGNER.addressed((text,)) is None


def test_conversations_of_two_accounts_are_two() -> None:
    assert conversation_key("a", "1") != conversation_key("b", "1")


# -- in a real desk ---------------------------------------------------------


def last(room: Room, ticket: int) -> Message:
    return room.store.thread(ticket)[-1]


def sent_id(room: Room, ticket: int) -> str:
    """The outside id of a reply of ours on this ticket."""
    room.do("reply hello", ticket)
    room.send()
    found = last(room, ticket).message_id
    assert found is not None
    return found


def test_an_answer_to_our_reply_lands_on_its_ticket(room: Room) -> None:
    ours = sent_id(room, 2)
    room.receive(room.mail(1, in_reply_to=(ours,), message_id="r1@acme.example", external_id="r1"))
    assert (last(room, 2).threaded_by, last(room, 2).flags) == ("token", ())


def test_an_answer_whose_ids_were_lost_finds_its_way_by_the_address(room: Room) -> None:
    plus = Identity("email", room.desk.signer.plus(ADDRESS, 2))
    room.receive(room.mail(60, to=(plus,), subject="something else"))
    assert (last(room, 2).threaded_by, last(room, 2).flags) == ("token", ("new-participant",))


def test_an_answer_to_a_customers_own_mail_is_a_reference(room: Room) -> None:
    room.answer(2)
    assert (last(room, 2).threaded_by, last(room, 2).flags) == ("references", ())


def test_somebody_new_may_join_and_is_flagged_once(room: Room) -> None:
    ours = sent_id(room, 2)
    room.receive(room.mail(60, in_reply_to=(ours,)))
    assert last(room, 2).flags == ("new-participant",)
    room.receive(room.mail(61, in_reply_to=(ours,), sender=Identity("email", "c60@acme.example")))
    assert last(room, 2).flags == ()


def test_who_is_copied_is_nobody_new(room: Room) -> None:
    room.do("cc c60@acme.example", 2)
    ours = sent_id(room, 2)
    room.receive(room.mail(60, in_reply_to=(ours,)))
    assert last(room, 2).flags == ()


@pytest.mark.parametrize(("copied", "lands"), [(True, 2), (False, 6)])
def test_a_number_in_the_subject_counts_only_from_who_takes_part(room: Room, copied: bool, lands: int) -> None:
    if copied:
        room.do("cc c60@acme.example", 2)
    taken = room.receive(room.mail(60, subject="Re: [#2] login"))
    assert taken.touched == {lands}
    if copied:
        assert last(room, 2).threaded_by == "subject"
    else:
        assert (last(room, 6).threaded_by, last(room, 6).flags) == ("new", ("claims-ticket",))
        assert room.store.ticket(6).links == (Link("related", 2),)
        assert room.store.ticket(2).links == (Link("related", 6),)


def test_the_requester_may_use_the_number(room: Room) -> None:
    room.receive(room.mail(1, subject="about [#2]", external_id="x", message_id="x@acme.example"))
    assert (last(room, 2).threaded_by, last(room, 2).flags) == ("subject", ())


def test_a_stranger_who_guesses_numbers_leaves_no_trace_but_their_own(room: Room) -> None:
    room.receive(room.mail(60, subject="[#2]"), room.mail(61, subject="[#999]"))
    (stranger,) = room.store.customers("c60")
    assert (stranger.name, stranger.created_at) == ("Customer 60", room.clock)
    assert room.store.ticket(7).links == ()


def test_our_own_address_gets_nothing_by_a_number(room: Room) -> None:
    room.receive(
        room.mail(60, subject="[#2]", sender=Identity("email", ADDRESS), to=(Identity("email", "c1@acme.example"),))
    )
    assert len(room.store.thread(2)) == 1
    assert room.store.ticket(6).bin is Bin.SUSPENDED
    assert "suspended:ourselves" in last(room, 6).flags


def test_a_number_of_another_desks_archive_is_not_ours(room: Room) -> None:
    ours = room.mail(60, subject="[#2]", sender=Identity("email", ADDRESS), to=(Identity("email", "c1@acme.example"),))
    assert room.receive(ours, silent=True, account="import").touched == {6}


def test_a_message_to_a_closed_ticket_becomes_a_follow_up(room: Room) -> None:
    room.do("status closed", 2)
    room.answer(2)
    assert room.store.ticket(2).status is Status.CLOSED
    new = room.store.ticket(6)
    assert (new.status, new.links, new.requester) == (
        Status.NEW,
        (Link("follow-up", 2),),
        room.store.ticket(2).requester,
    )
    assert room.store.ticket(2).links == (Link("followed-by", 6),)
    assert (last(room, 6).threaded_by, last(room, 6).flags) == ("references", ())


def test_within_the_reopen_window_a_closed_ticket_opens_again(room: Room) -> None:
    config = DeskConfig(reopen_window_d=1)
    room.do("status closed", 1, 2)
    room.clock += DAY // 2
    room.receive(_answer(room, 1), config=config)
    assert room.store.ticket(1).status is Status.OPEN
    room.clock += DAY
    room.receive(_answer(room, 2), config=config)
    assert room.store.ticket(2).status is Status.CLOSED
    assert room.store.ticket(6).links == (Link("follow-up", 2),)


def _answer(room: Room, ticket: int, **fields: Any) -> Inbound:
    first = room.store.thread(ticket)[0]
    return room.mail(300 + room.turns, sender=first.sender, in_reply_to=(first.message_id or "",), **fields)


def test_automatic_mail_to_a_closed_ticket_opens_nothing(room: Room) -> None:
    room.do("status closed", 2)
    room.receive(_answer(room, 2, automatic="auto-reply"))
    assert room.store.ticket(2).status is Status.CLOSED
    assert len(room.store.thread(2)) == 2
    assert room.store.numbers().tickets == 5


def test_mail_to_a_merged_ticket_lands_where_it_went(room: Room) -> None:
    ours = sent_id(room, 1)
    room.do("merge 2", 1)
    room.do("merge 3", 2)
    room.receive(room.mail(70, in_reply_to=(ours,), sender=Identity("email", "c0@acme.example")))
    assert room.store.thread(1) == []
    assert last(room, 3).author == "c0@acme.example"
    assert last(room, 3).threaded_by == "token"


def test_answers_to_a_forward_are_notes_and_reach_no_customer(room: Room) -> None:
    room.do("forward --to vendor@parts.example look", 2)
    ours = last(room, 2).message_id or ""
    waiting = room.store.ticket(2).waiting_since
    room.do("status pending", 2)
    room.receive(room.mail(80, sender=Identity("email", "vendor@parts.example"), in_reply_to=(ours,)))
    note = last(room, 2)
    assert (note.kind, note.direction, note.flags) == (Kind.NOTE, Direction.IN, ("aside",))
    assert (room.store.ticket(2).status, room.store.ticket(2).waiting_since) == (Status.PENDING, waiting)
    room.do("reply --all hello", 2)
    everybody = {i.value for i in (*last(room, 2).to, *last(room, 2).cc)}
    assert everybody == {"c1@acme.example"}


def test_a_requester_who_answers_a_forward_is_still_the_requester(room: Room) -> None:
    room.do("forward --to vendor@parts.example look", 2)
    ours = last(room, 2).message_id or ""
    room.receive(room.mail(81, sender=Identity("email", "c1@acme.example"), in_reply_to=(ours,)))
    assert last(room, 2).kind is Kind.PUBLIC


def test_our_own_echo_is_dropped(room: Room) -> None:
    ours = sent_id(room, 2)
    echo = room.mail(90, sender=Identity("email", ADDRESS), message_id=ours, text="hello", external_id="Sent/1/1")
    taken = room.receive(echo)
    assert (taken.messages, taken.doubles) == (0, 1)
    assert room.receive(replace(echo, external_id="Sent/1/2")).doubles == 1
    assert len(room.store.thread(2)) == 2


def test_a_stranger_cannot_pass_for_our_echo(room: Room) -> None:
    forged = f"deskhand.2.{'a' * 16}.99@desk.test"
    taken = room.receive(room.mail(91, message_id=forged))
    assert (taken.messages, taken.tickets) == (1, 1)


def test_a_conversation_of_a_channel_goes_on_where_it_was(room: Room) -> None:
    chat = {"channel": "chat", "account": "site"}
    visitor = Identity("visitor", "v1", "Visitor")
    room.receive(room.mail(1, sender=visitor, conversation="c9", message_id=None, external_id="1"), **chat)
    room.receive(room.mail(2, sender=visitor, conversation="c9", message_id=None, external_id="2"), **chat)
    room.receive(room.mail(3, sender=visitor, conversation="c10", message_id=None, external_id="3"), **chat)
    assert [m.threaded_by for m in room.store.thread(6)] == ["new", "conversation"]
    assert len(room.store.thread(7)) == 1


def test_a_conversation_goes_on_with_its_newest_ticket(room: Room) -> None:
    chat = {"channel": "chat", "account": "site"}
    visitor = Identity("visitor", "v1", "Visitor")
    room.receive(room.mail(1, sender=visitor, conversation="c9", message_id=None, external_id="1"), **chat)
    room.do("status closed", 6)
    for number in (2, 3):
        room.receive(
            room.mail(number, sender=visitor, conversation="c9", message_id=None, external_id=f"{number}"), **chat
        )
    assert len(room.store.thread(6)) == 1
    assert len(room.store.thread(7)) == 2
    assert room.store.ticket(7).links == (Link("follow-up", 6),)


def test_an_answer_goes_where_the_message_was_moved_to(room: Room) -> None:
    room.do('reply "Try again."', 1)
    ours = last(room, 1)
    room.do(f"move 2 {ours.id}", 1)
    room.receive(room.mail(61, in_reply_to=(ours.message_id or "",)))
    assert (last(room, 2).threaded_by, last(room, 2).ticket) == ("token", 2)
    room.undo()
    room.receive(room.mail(62, in_reply_to=(ours.message_id or "",)))
    assert last(room, 1).message_id == "m62@acme.example" or last(room, 1).threaded_by == "token"
    assert len(room.store.thread(1)) == 3
