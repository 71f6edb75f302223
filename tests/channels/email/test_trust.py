"""channels.kit.mail.trust: only what our own mail server says counts, and it comes to the ticket."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from msgspec.structs import replace

from channels.email import Email
from channels.email.settings import Settings
from channels.kit.mail.trust import Trust
from desk.channel import Inbound, Raw
from desk.intake import prepare
from desk.model import Bin
from tests.channels.email.accounts import account
from tests.desks import make_desk, receive

OURS = "Authentication-Results: mx.example.com; "


def read(head: str, trust: Trust) -> Inbound:
    from channels.kit.mail.parser import parse

    return parse(
        Raw("INBOX/1/1", f"From: max@example.com\nMessage-ID: <t1@example.com>\n{head}\n\nHello\n".encode(), 1), trust
    )


@pytest.mark.parametrize(
    ("head", "verdicts"),
    [
        (
            OURS + "spf=pass smtp.mailfrom=max@example.com;\n dkim=pass header.d=example.com; dmarc=fail",
            "spf=pass dkim=pass dmarc=fail",
        ),
        ("Authentication-Results: MX.example.com 1; spf=softfail", "spf=softfail"),
        ("Authentication-Results: mx.example.org; spf=pass", ""),
        ("Authentication-Results: mx.example.com.evil.example; spf=pass", ""),
        ("Authentication-Results: evil.example (mx.example.com; spf=pass)", ""),
        (OURS + "spf=fail (says; dkim=pass (really; dmarc=pass)) smtp.mailfrom=x", "spf=fail"),
        (OURS + 'spf=fail reason="; dkim=pass"', "spf=fail"),
        (OURS + "spf=fail (never closed; dkim=pass", ""),
        (OURS + "none", ""),
        (OURS + "spf=fail\n" + OURS + "spf=pass; dkim=pass", "spf=fail dkim=pass"),
        (OURS + "dkim=fail header.d=a; dkim=pass header.d=b", "dkim=pass"),
        ("ARC-Authentication-Results: i=1; mx.example.com; spf=pass", ""),
    ],
)
def test_verdicts_are_those_of_our_server(head: str, verdicts: str) -> None:
    assert read(head, Trust("mx.example.com")).authentication == verdicts
    assert read(head, Trust()).authentication == ""


@pytest.mark.parametrize(
    ("head", "spam"),
    [
        ("X-Spam-Flag: YES", True),
        ("x-spam-flag:yes", True),
        ("X-Spam-Flag: NO", False),
        ("X-Spam-Flag: NO\nX-Spam-Flag: YES", True),
        ("X-Spam: YES", False),
        ("X-Spam-Level: *****", True),
        ("X-Spam-Level: ***", False),
    ],
)
def test_spam_is_what_the_configured_headers_say(head: str, spam: bool) -> None:
    assert read(head, Trust(spam_headers=("X-Spam-Flag: YES", "X-Spam-Level: *****"))).spam is spam
    assert not read(head, Trust()).spam


def test_an_account_hands_out_a_parser_that_knows_its_settings() -> None:
    mailbox = Email("support", account(auth_server="mx.example.com", spam_headers=("X-Spam-Flag: YES",)))
    parser = pickle.loads(pickle.dumps(mailbox.parser))
    inbound = parser(Raw("INBOX/1/1", f"{OURS}spf=pass\nX-Spam-Flag: YES\n\nHello\n".encode(), 1))
    assert (inbound.authentication, inbound.spam) == ("spf=pass", True)


@pytest.mark.parametrize("entry", ["X-Spam-Flag", ": YES", ""])
def test_a_spam_header_without_a_name_or_colon_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match="spam_headers"):
        account(spam_headers=(entry,))


def test_spam_goes_to_its_bin_and_facts_to_the_message(tmp_path: Path) -> None:
    store, desk, _ = make_desk(tmp_path, tickets=0)
    trust = Trust("mx.example.com", ("X-Spam-Flag: YES",))
    item = prepare(read(f"{OURS}spf=pass; dkim=fail\nX-Spam-Flag: YES", trust))
    receive(desk, [replace(item, protection="signed, encrypted")], batch="one")
    assert store.ticket(1).bin is Bin.SPAM
    assert {"signed", "encrypted", "auth:spf=pass,dkim=fail", "spam"} <= set(store.thread(1)[0].flags)


def test_spam_does_not_take_a_ticket_away_that_goes_on(tmp_path: Path) -> None:
    store, desk, _ = make_desk(tmp_path, tickets=0)
    trust = Trust(spam_headers=("X-Spam-Flag: YES",))
    receive(desk, [prepare(read("Subject: one", Trust()))], batch="one")
    again = read("X-Spam-Flag: YES\nIn-Reply-To: <t1@example.com>", trust)
    answer = replace(again, external_id="2", message_id="t2@example.com")
    receive(desk, [prepare(answer)], batch="two")
    assert store.ticket(1).bin is Bin.NONE
    assert "spam" in store.thread(1)[-1].flags


def test_settings_say_whose_word_counts() -> None:
    assert Settings.__dataclass_fields__["auth_server"].default == ""
    assert account(auth_server="mx.example.com").trust == Trust("mx.example.com")
