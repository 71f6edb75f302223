"""Signals about messages: each is taken once, in whatever order they come, and nothing of a message is lost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from desk import intake
from desk.capabilities import Capabilities
from desk.channel import Activity, Edit, Inbound, Membership, Reaction, Receipt, Removal, Told
from desk.model import MINUTE, Account, Direction, Identity, Kind, Mark, State
from desk.signals import EDITED, TAKEN_BACK
from desk.store import Batch
from tests.desks import Room

ANN, BOB = Identity("matrix", "@ann:example.org", "Ann"), Identity("matrix", "@bob:example.org", "Bob")
CHAT = Capabilities(kinds=("matrix",), threads=True, may_start=True, private=True, live=True, text_limit=4_000)


class Chat:
    """A desk with an account of a chat beside its mailbox."""

    def __init__(self, tmp_path: Path, can: Capabilities = CHAT) -> None:
        self.room = Room.open(tmp_path, 0)
        self.store = self.room.store
        self.store.save_account(Account("chat", "matrix", "@desk:example.org", "Desk", can, "ok"))
        self.how = intake.Intake(
            "chat", "matrix", self.room.desk.config, self.room.desk.signer, frozenset({"@desk:example.org"})
        )

    def hear(self, *told: Told) -> intake.Taken:
        """Let these come in."""
        batch, items = self.room.turn(), [intake.prepare(one) for one in told]
        return self.store.write(
            lambda tx: intake.take_in(tx, self.how, items, Batch(batch, self.room.clock, source="chat"))
        )

    def says(self, key: str, text: str, sender: Identity = ANN, room: str = "!r", **more: object) -> Inbound:
        """A message in a room."""
        return Inbound(key, self.room.clock + MINUTE, sender, text, text, conversation=room, **more)  # type: ignore[arg-type]

    def sends(self, ticket: int, remote_id: str | None, state: State = State.SENT) -> int:
        """Let the newest reply of a ticket go out; the number of its message."""
        (one,) = self.store.claim("relay", self.room.clock + MINUTE, self.room.clock + 2 * MINUTE)
        assert one.ticket.id == ticket
        assert self.store.settle(one.delivery.id, "relay", state, self.room.clock + MINUTE, remote_id=remote_id)
        return one.message.id


@pytest.fixture
def chat(tmp_path: Path) -> Chat:
    """Ann has written `$1` in the room `!r`: ticket 1."""
    here = Chat(tmp_path)
    here.hear(here.says("$1", "The printer is on fire"))
    return here


def test_an_edit_changes_the_text_and_the_log_keeps_the_old_one(chat: Chat) -> None:
    edit = Edit("$2", chat.room.clock, "$1", "The printer is on fire. Floor 3!")
    for _ in range(2):
        assert chat.hear(edit).strays == []
    (message,) = chat.store.thread(1)
    assert message.text == message.visible == "The printer is on fire. Floor 3!"
    assert EDITED in message.flags
    told = [r for r in chat.store.log(ticket=1) if r.kind == "Amended" and r.data["field"] == "text"]
    assert [r.data["removed"] for r in told] == ["The printer is on fire"]
    assert chat.store.check() == []


def test_an_edit_shows_no_quote_and_is_told_as_one(chat: Chat) -> None:
    from desk.telling import describe

    chat.hear(Edit("$2", chat.room.clock, "$1", "> Which floor?\nFloor 3!", "Floor 3!"))
    (message,) = chat.store.thread(1)
    assert (message.text, message.visible) == ("> Which floor?\nFloor 3!", "Floor 3!")
    assert {describe(r) for r in chat.store.log(ticket=1) if r.kind == "Amended"} == {"message 1 edited by its sender"}
    chat.hear(Removal("$3", chat.room.clock, "$1"))
    assert describe(chat.store.log(ticket=1)[-1]) == "message 1 taken back by its sender"


def test_a_search_finds_what_a_message_says_now(chat: Chat) -> None:
    from desk.query import Env, parse

    chat.hear(Edit("$2", chat.room.clock, "$1", "The scanner is on fire"))
    assert chat.store.ids(parse("scanner", Env(0))) == [1]
    assert chat.store.ids(parse("printer", Env(0))) == [] or chat.store.ticket(1).subject.startswith("The printer")


def test_what_its_sender_took_back_is_kept_and_marked(chat: Chat) -> None:
    chat.hear(Removal("$2", chat.room.clock, "$1"))
    (message,) = chat.store.thread(1)
    assert message.text == "The printer is on fire"
    assert TAKEN_BACK in message.flags


def test_reactions_come_and_go_by_person(chat: Chat) -> None:
    chat.hear(
        Reaction("$2", 0, "$1", BOB, "👍"), Reaction("$3", 0, "$1", ANN, "🎉"), Reaction("$2", 0, "$1", BOB, "👍")
    )
    assert chat.store.thread(1)[0].marks == (Mark("👍", BOB.value, "Bob"), Mark("🎉", ANN.value, "Ann"))
    chat.hear(Reaction("$4", 0, "$1", BOB, "👍", gone=True))
    assert chat.store.thread(1)[0].marks == (Mark("🎉", ANN.value, "Ann"),)


def test_a_signal_before_its_message_is_a_stray_and_taken_later(chat: Chat) -> None:
    early = [Edit("$9", 0, "$8", "second thoughts"), Reaction("$10", 0, "$8", BOB, "👍"), Removal("$11", 0, "$8")]
    assert chat.hear(*early).strays == early
    chat.hear(chat.says("$8", "first thoughts"))
    assert chat.hear(*early).strays == []
    message = chat.store.thread(1)[-1]
    assert message.text == "second thoughts"
    assert TAKEN_BACK in message.flags
    assert message.marks


@pytest.mark.parametrize(
    "order", [(State.DELIVERED, State.READ), (State.READ, State.DELIVERED), (State.READ, State.READ)]
)
def test_receipts_only_advance(chat: Chat, order: Sequence[State]) -> None:
    chat.room.do('reply "On it."', 1)
    number = chat.sends(1, "$out")
    for state in order:
        chat.hear(Receipt(chat.room.clock, "$out", state))
    assert next(m.state for m in chat.store.thread(1) if m.id == number) is State.READ


def test_read_up_to_here_holds_for_what_went_before(chat: Chat) -> None:
    for key in ("$o1", "$o2"):
        chat.room.do('reply "On it."', 1)
        chat.sends(1, key)
    chat.hear(Receipt(chat.room.clock, "$o2", State.READ, through=True))
    assert [m.state for m in chat.store.thread(1) if m.direction is Direction.OUT] == [State.READ, State.READ]


def test_a_receipt_for_what_nobody_knew_of_proves_that_it_went_out(chat: Chat) -> None:
    chat.room.do('reply "On it."', 1)
    chat.sends(1, "$out", State.UNKNOWN)
    chat.hear(Receipt(chat.room.clock, "$out", State.DELIVERED))
    assert chat.store.thread(1)[-1].state is State.DELIVERED


def test_a_receipt_is_about_what_is_called_that_and_no_other_recipient(chat: Chat) -> None:
    chat.room.do('reply "On it." --to matrix:@ann:example.org --to matrix:@bob:example.org', 1)
    at = chat.room.clock + MINUTE
    for remote_id, again in (("$ann", ("@bob:example.org",)), ("$bob", ())):
        (one,) = chat.store.claim("relay", at, at + MINUTE)
        assert chat.store.settle(one.delivery.id, "relay", State.SENT, at, remote_id=remote_id, next_at=at, again=again)
    chat.hear(Receipt(at, "$ann", State.FAILED, detail="gone"), Receipt(at, "$bob", State.READ))
    told = {d.remote_id: (d.state, d.error) for d, _ in chat.store.outbox(tuple(State))}
    assert told == {"$ann": (State.FAILED, "gone"), "$bob": (State.READ, "")}


def test_what_one_recipient_got_says_nothing_of_what_nobody_knows(chat: Chat) -> None:
    chat.room.do('reply "On it." --to matrix:@ann:example.org --to matrix:@bob:example.org', 1)
    at = chat.room.clock + MINUTE
    ends = ((State.SENT, "$ann", ("@bob:example.org",)), (State.UNKNOWN, None, ()))
    for state, remote_id, again in ends:
        (one,) = chat.store.claim("relay", at, at + MINUTE)
        chat.store.settle(one.delivery.id, "relay", state, at, remote_id=remote_id, next_at=at, again=again)
    chat.hear(Receipt(at, "$ann", State.READ))
    assert [d.state for d, _ in chat.store.outbox(tuple(State))] == [State.UNKNOWN, State.READ]


def test_a_part_that_was_read_is_not_the_whole_and_one_that_failed_is(chat: Chat) -> None:
    chat.room.do('reply "On it."', 1)
    at = chat.room.clock + MINUTE
    (one,) = chat.store.claim("relay", at, at + MINUTE)
    assert chat.store.sent_part(one.delivery.id, "relay", 0, "$first")
    assert chat.store.settle(one.delivery.id, "relay", State.SENT, at, remote_id="$last")
    chat.hear(Receipt(at, "$first", State.READ))
    assert chat.store.thread(1)[-1].state is State.SENT
    chat.hear(Receipt(at, "$first", State.FAILED))
    assert chat.store.thread(1)[-1].state is State.FAILED


def test_our_own_echo_is_no_message(chat: Chat) -> None:
    chat.room.do('reply "On it."', 1)
    chat.sends(1, "$out")
    echo = chat.says("$out", "On it.", Identity("matrix", "@desk:example.org"), ours=True)
    assert chat.hear(echo).doubles == 1
    assert len(chat.store.thread(1)) == 2


def test_an_echo_before_the_answer_of_the_server_settles_what_is_unknown(chat: Chat) -> None:
    chat.room.do('reply "On it."', 1)
    chat.sends(1, None, State.UNKNOWN)
    chat.hear(chat.says("$out", "On it.", Identity("matrix", "@desk:example.org"), ours=True))
    assert [m.state for m in chat.store.thread(1)] == [None, State.SENT]
    chat.hear(Receipt(chat.room.clock, "$out", State.READ))
    assert chat.store.thread(1)[-1].state is State.READ


def _under_way(chat: Chat) -> int:
    """A relay is in the middle of sending."""
    (one,) = chat.store.claim("relay", chat.room.clock + MINUTE, chat.room.clock + 2 * MINUTE)
    chat.store.phase(one.delivery.id, "relay", "data", chat.room.clock + 2 * MINUTE)
    return one.delivery.id


def _echo(chat: Chat) -> Inbound:
    return chat.says("$out", "On it.", Identity("matrix", "@desk:example.org"), ours=True)


def test_what_a_lost_relay_was_sending_is_sent_when_it_was_seen_before_that_is_known(chat: Chat) -> None:
    chat.room.do('reply "On it."', 1)
    delivery = _under_way(chat)
    chat.hear(_echo(chat))
    assert chat.store.thread(1)[-1].state is State.SENDING, "whoever sends it may live, and says so"
    assert chat.store.phase(delivery, "relay", "data", chat.room.clock + 2 * MINUTE)
    assert chat.store.reclaim(chat.room.clock + 3 * MINUTE) == [delivery]
    assert chat.store.thread(1)[-1].state is State.SENT


def test_what_was_seen_is_sent_though_its_sender_does_not_know(chat: Chat) -> None:
    chat.room.do('reply "On it."', 1)
    delivery = _under_way(chat)
    chat.hear(_echo(chat))
    assert chat.store.settle(delivery, "relay", State.UNKNOWN, chat.room.clock + MINUTE, error="it broke off")
    assert chat.store.thread(1)[-1].state is State.SENT


@pytest.mark.parametrize("said", ["On it. Or so I thought, then came the fire", "", "On"])
def test_what_only_shares_words_with_a_reply_is_no_echo_of_it(chat: Chat, said: str) -> None:
    chat.room.do('reply "On it."', 1)
    chat.sends(1, None, State.UNKNOWN)
    us = Identity("matrix", "@desk:example.org")
    assert chat.hear(chat.says("$tel", said, us, ours=True)).messages == 1
    assert [m.state for m in chat.store.thread(1) if m.agent] == [State.UNKNOWN]
    assert chat.hear(chat.says("$out", "@ann On it.", us, ours=True)).doubles == 1
    assert [m.state for m in chat.store.thread(1) if m.agent] == [State.SENT]


def test_a_part_that_is_seen_there_proves_nothing_of_the_others(tmp_path: Path) -> None:
    chat = Chat(tmp_path, replace(CHAT, splits=True, text_limit=30))
    chat.hear(chat.says("$1", "The printer is on fire"))
    chat.room.do('reply "First pull the plug. Then look for water."', 1)
    chat.sends(1, None, State.UNKNOWN)
    first = chat.says("$out", "First pull the plug.", Identity("matrix", "@desk:example.org"), ours=True)
    assert chat.hear(first).doubles == 1
    chat.hear(Receipt(chat.room.clock, "$out", State.READ))
    assert chat.store.thread(1)[-1].state is State.UNKNOWN
    assert len(chat.store.thread(1)) == 2


def test_what_is_to_be_sent_again_by_its_key_may_be_there_already(chat: Chat) -> None:
    chat.room.do('reply "On it."', 1)
    chat.sends(1, None, State.DEFERRED)
    assert chat.hear(chat.says("$out", "On it.", Identity("matrix", "@desk:example.org"), ours=True)).doubles == 1
    assert len(chat.store.thread(1)) == 2


def test_what_a_colleague_said_with_another_program_is_ours(chat: Chat) -> None:
    told = chat.says("$tel", "I am looking at it from the train", Identity("matrix", "@desk:example.org"), ours=True)
    assert chat.hear(told).messages == 1
    message = chat.store.thread(1)[-1]
    assert (message.direction, message.state) == (Direction.OUT, State.SENT)
    assert chat.store.ticket(1).replied_at is not None
    assert chat.hear(told).doubles == 1


def test_what_we_said_to_nobody_here_opens_nothing(chat: Chat) -> None:
    chat.hear(chat.says("$x", "Hello world", Identity("matrix", "@desk:example.org"), room="!other", ours=True))
    assert chat.store.numbers().tickets == 1


def test_who_comes_and_goes_is_told_where_they_spoke(chat: Chat) -> None:
    left = Membership("$m1", chat.room.clock, "!r", ANN, False)
    chat.hear(left, left, Membership("$m2", chat.room.clock, "!r", BOB, True), Membership("$m3", 0, "!else", ANN, True))
    thread = chat.store.thread(1)
    assert [m.text for m in thread if m.kind is Kind.SYSTEM] == ["Ann left"]
    assert chat.store.ticket(1).heard == thread[0].id, "it is no news"


def test_typing_is_told_and_not_kept(chat: Chat) -> None:
    before = chat.store.last_seq()
    (active,) = chat.hear(Activity(chat.room.clock, ANN, "typing", "!r")).active
    assert (active.ticket, active.doing, active.agent) == (1, "typing", "Ann")
    assert 5_000 <= active.until - (chat.room.clock - MINUTE) <= 30_000
    (here,) = chat.hear(Activity(chat.room.clock, ANN, "online")).active
    assert here.ticket == 1, "who says no conversation is meant wherever they spoke"
    (nobody,) = chat.hear(Activity(chat.room.clock, BOB, "typing", "!nowhere")).active
    assert (nobody.ticket, nobody.doing) == (0, "")
    assert chat.store.last_seq() == before


def test_hostile_marks_and_names_are_cleaned(chat: Chat) -> None:
    chat.hear(Reaction("$2", 0, "$1", Identity("matrix", "@e:x", "\x1b[2JEve\n"), "\x1b]0;x\x07" * 40))
    (mark,) = chat.store.thread(1)[0].marks
    assert "\x1b" not in mark.mark + mark.who
    assert len(mark.mark) <= 20


def test_names_of_any_length_and_times_of_any_clock_hold_up_no_account(chat: Chat) -> None:
    long = "".join(map(chr, range(0x4E00, 0x9000)))
    eve = Identity("matrix", long, long)
    far = chat.says("$far", "from the future", Identity("matrix", "@far:x"))
    told = [
        chat.says(long, "very long names", eve, room=long, message_id=long, in_reply_to=(long,), answers=long),
        replace(far, received_at=1 << 70, at=-(1 << 70), reply_until=1 << 70),
    ]
    assert chat.hear(*told).messages == 2
    assert chat.hear(*told).doubles == 2
    chat.hear(Edit("$e", 0, long, "found again by its long name"), chat.says("$again", "and its room", eve, room=long))
    (first, second) = chat.store.thread(2)
    assert (first.text, second.text) == ("found again by its long name", "and its room")
    (contact,) = chat.store.contacts(chat.store.thread(1)[-1].customer or 0)
    assert contact.at <= chat.room.clock, "a wrong clock keeps nobody from being heard later"
    assert chat.store.check() == []
