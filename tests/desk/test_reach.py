"""Where an answer goes: the conversation they wrote in, another account of theirs, or in private; and why not."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from desk.capabilities import Capabilities
from desk.errors import Invalid
from desk.model import HOUR, MINUTE, Account, Identity, Status
from desk.store import Batch
from tests.desk.test_signals import ANN, CHAT, Chat
from tests.desks import PNG

FORUM = Capabilities(
    kinds=("matrix",), public=True, private=True, threads=True, public_limit=280, public_unit="weighted", text_limit=1_000,
)  # fmt: skip


def outbound(chat: Chat, ticket: int = 1) -> object:
    """The newest message of a ticket, as the relay would claim it."""
    (one,) = chat.store.claim("relay", chat.room.clock + HOUR, chat.room.clock + 2 * HOUR)
    return one


def test_an_answer_goes_into_the_conversation_and_answers_the_newest(tmp_path: Path) -> None:
    chat = Chat(tmp_path)
    chat.hear(chat.says("$1", "One"), chat.says("$2", "Two"))
    chat.room.do('reply "On it."', 1)
    (one,) = chat.store.claim("relay", chat.room.clock + HOUR, chat.room.clock + 2 * HOUR)
    assert (one.message.account, one.message.conversation, one.answers) == ("chat", "chat\x1f!r", "$2")
    assert one.message.to == (ANN,)
    assert one.message.sender is not None
    assert one.message.sender.kind == "matrix"


def test_an_answer_to_ours_finds_its_ticket_wherever_it_is_said(tmp_path: Path) -> None:
    chat = Chat(tmp_path)
    chat.hear(chat.says("$1", "One", room="!a"), chat.says("$2", "Two", room="!b"))
    assert chat.store.numbers().tickets == 2
    chat.hear(chat.says("$3", "about the first", room="!b", answers="$1"))
    assert [m.text for m in chat.store.thread(1)] == ["One", "about the first"]
    assert chat.store.thread(1)[-1].threaded_by == "references"


def test_a_chat_goes_on_on_its_ticket_and_opens_it_again(tmp_path: Path) -> None:
    chat = Chat(tmp_path)
    chat.hear(chat.says("$1", "One"))
    chat.room.do("solve", 1)
    chat.hear(chat.says("$2", "It is back"))
    assert chat.store.ticket(1).status is Status.OPEN
    assert chat.store.numbers().tickets == 1


def test_the_undo_window_is_short_where_the_customer_looks_on(tmp_path: Path) -> None:
    chat = Chat(tmp_path)
    chat.hear(chat.says("$1", "One"))
    chat.room.do('reply "On it."', 1)
    ((delivery, _),) = chat.store.outbox()
    assert delivery.not_before == chat.room.clock + chat.room.desk.config.undo_window(live=True)
    assert chat.room.desk.config.undo_window(live=True) < chat.room.desk.config.undo


def in_public(tmp_path: Path, can: Capabilities = FORUM) -> Chat:
    chat = Chat(tmp_path, can)
    chat.hear(chat.says("$1", "Your service is down!", public=True))
    return chat


def test_in_public_the_public_limit_counts_in_its_own_unit(tmp_path: Path) -> None:
    chat = in_public(tmp_path)
    with pytest.raises(Invalid, match=r"300 weighted .* takes 280: shorten it by 20"):
        chat.room.do(f"reply {'日' * 150}", 1)
    chat.room.do(f"reply {'a' * 280}", 1)
    assert "in-public" in chat.store.thread(1)[-1].flags


def test_in_private_it_begins_a_conversation_that_the_ticket_keeps(tmp_path: Path) -> None:
    chat = in_public(tmp_path)
    chat.room.do('reply --private "Your password, please - no, rather not."', 1)
    (one,) = chat.store.claim("relay", chat.room.clock + HOUR, chat.room.clock + 2 * HOUR)
    assert one.message.conversation is None
    assert one.answers == "$1"
    assert "private" in one.message.flags
    from desk.model import State

    assert chat.store.settle(one.delivery.id, "relay", State.SENT, chat.room.clock, remote_id="$p", conversation="!dm")
    chat.hear(chat.says("$4", "Thanks, here you are", room="!dm"))
    assert [m.text for m in chat.store.thread(1)][-1] == "Thanks, here you are"
    chat.room.do('reply "Got it."', 1)
    last = chat.store.thread(1)[-1]
    assert (last.conversation, last.flags) == ("chat\x1f!dm", ())


def test_an_account_without_private_says_so(tmp_path: Path) -> None:
    chat = in_public(tmp_path, replace(FORUM, private=False))
    with pytest.raises(Invalid, match="no answer in private"):
        chat.room.do('reply --private "psst"', 1)


def test_a_ticket_of_mail_goes_on_over_the_chat_of_the_same_customer(tmp_path: Path) -> None:
    chat = Chat(tmp_path)
    chat.hear(chat.says("$1", "Hello"))
    mail = chat.room.mail(7)
    chat.room.receive(mail)
    ann = chat.store.ticket(1).requester
    chat.room.do("requester matrix:@ann:example.org", 2)
    assert chat.store.ticket(2).requester == ann
    chat.room.do('reply --account matrix "Look at your chat"', 2)
    message = chat.store.thread(2)[-1]
    assert (message.account, message.conversation) == ("chat", "chat\x1f!r")
    chat.hear(chat.says("$5", "I am here"))
    assert chat.store.thread(2)[-1].text == "I am here", "the newest ticket of a conversation is the one that goes on"


def test_whom_an_account_never_heard_cannot_be_reached_by_it(tmp_path: Path) -> None:
    chat = Chat(tmp_path, replace(CHAT, may_start=False))
    chat.room.receive(chat.room.mail(7))
    with pytest.raises(
        Invalid, match=r"nobody knows where chat \(matrix\) would reach this customer; name them: --to matrix:NAME"
    ):
        chat.room.do('reply --account chat "Hello"', 1)
    with pytest.raises(Invalid, match="has not written to chat yet"):
        chat.room.do('reply --account chat --to matrix:@new:example.org "Hello"', 1)


@pytest.mark.parametrize(
    ("can", "line", "why"),
    [
        (replace(CHAT, sends=False), 'reply "x"', "only listens"),
        (CHAT, 'reply --cc bob@example.com "x"', None),
        (replace(CHAT, text_limit=3), "reply 12345", "it has 5 characters and chat takes 3: shorten it by 2"),
        (replace(CHAT, text_limit=3, splits=True), "reply 12345", None),
    ],
)
def test_what_an_account_cannot_carry_is_refused_before_it_is_sent(
    tmp_path: Path, can: Capabilities, line: str, why: str | None
) -> None:
    chat = Chat(tmp_path, can)
    chat.hear(chat.says("$1", "One"))
    if why is None:
        chat.room.do(line, 1)
        return
    with pytest.raises(Invalid, match=why):
        chat.room.do(line, 1)
    assert len(chat.store.thread(1)) == 1


def test_a_closed_window_is_told_with_what_can_be_done(tmp_path: Path) -> None:
    chat = Chat(tmp_path)
    chat.hear(replace(chat.says("$1", "One"), reply_until=chat.room.clock + 2 * MINUTE))
    chat.room.clock += 5 * HOUR
    with pytest.raises(Invalid, match=r"chat let us answer until 5 hours ago; wait for the customer"):
        chat.room.do('reply "Sorry"', 1)
    chat.hear(replace(chat.says("$2", "Anybody?"), reply_until=chat.room.clock + HOUR))
    chat.room.do('reply "Sorry"', 1)


def test_files_are_refused_by_size_count_and_type(tmp_path: Path) -> None:
    from desk.reach import Way, refusal

    account = Account("chat", "matrix", "@desk:example.org")

    def why(**can: object) -> str:
        limits = Capabilities(kinds=("matrix",), **can)  # type: ignore[arg-type]
        return refusal(Way(replace(account, capabilities=limits), (ANN,)), text="x", at=0, attach=(PNG, PNG))

    assert "carries no files" in why()
    assert "2 files, and chat carries 1" in why(attachment_limit_bytes=10**6, attachment_count=1)
    assert "photo.png has 18,000 bytes" in why(attachment_limit_bytes=1_000)
    assert "photo.png is image/png" in why(attachment_limit_bytes=10**6, attachment_types=("application/pdf",))
    assert why(attachment_limit_bytes=10**6, attachment_types=("image/*",)) == ""


def test_a_paused_account_takes_nothing_and_says_who_can_mend_it(tmp_path: Path) -> None:
    chat = Chat(tmp_path)
    chat.hear(chat.says("$1", "One"))
    chat.store.hold_account("chat", "by lee: spam wave", Batch("hold", chat.room.clock, "lee"))
    chat.store.save_account(replace(chat.store.accounts()["chat"], health="retrying", held=""))
    assert chat.store.accounts()["chat"].held == "by lee: spam wave", "the relay's word of it leaves it paused"
    with pytest.raises(Invalid, match="channel resume chat"):
        chat.room.do('reply "x"', 1)
    assert [r.kind for r in chat.store.log() if r.entity == "account"] == ["Changed"]


def test_identities_are_typed_by_kind() -> None:
    from desk.params import address, written

    assert address("Ann <matrix:@ann:example.org>") == ANN
    assert written(ANN) == "Ann <matrix:@ann:example.org>"
    assert address(written(Identity("xmpp", "bob@example.org"))) == Identity("xmpp", "bob@example.org")
    assert address("bob@example.com").kind == "email"
