"""One person by several names: identities joined by an agent, parted again, and taken back."""

from __future__ import annotations

from pathlib import Path

import pytest

from desk.alike import mentioned
from desk.errors import Conflict, Invalid
from desk.model import Identity
from desk.query import Env, parse
from tests.desk.test_signals import ANN, Chat


@pytest.fixture
def chat(tmp_path: Path) -> Chat:
    """#1 by mail of customer 7, #2 in a chat with Ann; both write as "Ann Arden"."""
    here = Chat(tmp_path)
    here.room.receive(here.room.mail(7, name="Ann Arden"))
    here.hear(here.says("$1", "It is me. My mail is c7@acme.example.", Identity("matrix", ANN.value, "Ann Arden")))
    return here


def values(chat: Chat, customer: int) -> list[str]:
    return [identity.value for identity in chat.store.identities(customer)]


def test_joined_they_are_one_customer_with_all_tickets_and_ways(chat: Chat) -> None:
    mail, talk = (chat.store.ticket(n).requester for n in (1, 2))
    chat.room.do("join #2", 1)
    assert values(chat, mail) == ["c7@acme.example", ANN.value]
    assert values(chat, talk) == []
    assert {chat.store.ticket(n).requester for n in (1, 2)} == {mail}
    assert {m.customer for n in (1, 2) for m in chat.store.thread(n)} == {mail}
    assert [c.account for c in chat.store.contacts(mail)] == ["chat"]
    chat.room.do('reply --account chat "Here I am"', 1)
    assert chat.store.thread(1)[-1].conversation == "chat\x1f!r"
    assert chat.store.check() == []


def test_mail_goes_to_their_address_wherever_they_wrote_last(chat: Chat) -> None:
    chat.room.do("join #2", 1)
    chat.room.do('reply --account support "By mail, then"', 2)
    assert [i.value for i in chat.store.thread(2)[-1].to] == ["c7@acme.example"]


def test_who_has_no_address_gets_no_mail_by_another_name(chat: Chat) -> None:
    with pytest.raises(Invalid, match="name the recipients with --to"):
        chat.room.do('reply --account support "Hello?"', 2)


def test_what_they_write_afterwards_is_theirs(chat: Chat) -> None:
    mail = chat.store.ticket(1).requester
    chat.room.do(f"join matrix:{ANN.value}", 1)
    chat.hear(chat.says("$2", "Another thing", room="!new"))
    assert chat.store.ticket(3).requester == mail


def test_taking_it_back_parts_them_as_they_were(chat: Chat) -> None:
    before = [(chat.store.ticket(n).requester, [m.customer for m in chat.store.thread(n)]) for n in (1, 2)]
    names = [values(chat, requester) for requester, _ in before]
    chat.room.do("join #2", 1)
    chat.room.undo()
    assert [(chat.store.ticket(n).requester, [m.customer for m in chat.store.thread(n)]) for n in (1, 2)] == before
    assert [values(chat, requester) for requester, _ in before] == names
    chat.room.undo(redo=True)
    assert chat.store.ticket(2).requester == before[0][0]
    assert chat.store.check() == []


def test_parted_later_the_identity_takes_its_tickets_along(chat: Chat) -> None:
    mail = chat.store.ticket(1).requester
    chat.room.do("join #2", 1)
    chat.room.do(f"part matrix:{ANN.value}", 1)
    other = chat.store.ticket(2).requester
    assert other not in (mail, 0)
    assert values(chat, other) == [ANN.value]
    assert chat.store.ticket(1).requester == mail
    assert chat.store.customer(other).name == "Ann Arden"
    chat.room.undo()
    assert chat.store.ticket(2).requester == mail
    assert chat.store.check() == []


def test_somebody_never_heard_of_becomes_a_way_to_reach_them(chat: Chat) -> None:
    mail = chat.store.ticket(1).requester
    chat.room.do("join phone:+4930123456", 1)
    assert "+4930123456" in values(chat, mail)


def test_what_makes_no_sense_is_told(chat: Chat) -> None:
    with pytest.raises(Conflict, match="one customer already"):
        chat.room.do("join #1", 1)
    with pytest.raises(Invalid, match=r"none of this customer's identities; there are: c7@acme\.example"):
        chat.room.do("part matrix:@eve:example.org", 1)
    with pytest.raises(Invalid, match="nothing to part"):
        chat.room.do("part c7@acme.example", 1)


def test_calls_and_what_came_under_another_address_go_along_and_come_back(chat: Chat) -> None:
    elsewhere = (Identity("email", "ann@home.example"),)
    chat.room.receive(chat.room.mail(8, name="Bea", reply_to=elsewhere))
    chat.room.do("call --theirs --outcome voicemail Call me", 3)
    bea, ann = (chat.store.ticket(n).requester for n in (3, 2))
    chat.room.do("join #3", 2)
    assert [m.customer for m in chat.store.thread(3)] == [ann, ann]
    chat.room.undo()
    assert [m.customer for m in chat.store.thread(3)] == [bea, bea]
    assert [m.customer for m in chat.store.thread(2)] == [ann]


def test_nobody_who_is_blocked_is_let_in_by_another_name(chat: Chat) -> None:
    chat.room.do("block", 1)
    for line, ticket in (("join #2", 1), ("join #1", 2)):
        with pytest.raises(Conflict, match="Ann Arden is blocked and the other is not"):
            chat.room.do(line, ticket)


def test_who_may_be_the_same_is_told_with_the_reason(chat: Chat) -> None:
    mail, talk = (chat.store.ticket(n).requester for n in (1, 2))
    (alike,) = chat.store.alike(mail)
    assert (alike.customer.id, alike.identity.kind, alike.reason) == (talk, "matrix", "the same name")
    (other,) = chat.store.alike(talk, list(mentioned(chat.store.thread(2))))
    assert (other.customer.id, other.reason) == (mail, "they wrote c7@acme.example")
    chat.hear(chat.says("$9", "news", Identity("news", "c7@acme.example"), room="!g"))
    assert "the same address" in {found.reason for found in chat.store.alike(mail)}
    chat.room.do("join #2", 1)
    assert talk not in {found.customer.id for found in chat.store.alike(mail)}, "who has no identity left is nobody"


def test_the_log_tells_it_in_words(chat: Chat) -> None:
    from desk.telling import describe

    chat.room.do("join #2", 1)
    told = [describe(r) for r in chat.store.log() if r.entity == "customer"]
    assert f"identities none → matrix:{ANN.value}" in told
    assert sorted(chat.store.ids(parse("from:arden", Env(0)))) == [1, 2]


def test_tier_and_notes_are_the_customers_on_all_their_tickets(chat: Chat) -> None:
    mail = chat.store.ticket(1).requester
    chat.room.do('tier Gold; about "Call before ten."', 1)
    assert (chat.store.customer(mail).tier, chat.store.customer(mail).notes) == ("gold", "Call before ten.")
    assert chat.room.do("tier gold", 1).changed is False
    chat.room.do("tier none; about none", 1)
    assert (chat.store.customer(mail).tier, chat.store.customer(mail).notes) == ("", "")
    chat.room.undo()
    assert (chat.store.customer(mail).tier, chat.store.customer(mail).notes) == ("gold", "Call before ten.")
    assert chat.store.check() == []
