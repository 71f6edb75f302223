"""From a real mailbox to a ticket, and an answer back, with the relay killed on the way."""

from __future__ import annotations

import os
from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path

import pytest

from tests.journeys.shift import Shift, soon
from tests.servers.dovecot import Dovecot, User
from tests.servers.exim import Exim

pytestmark = pytest.mark.servers


def letter(number: int, sender: str = "ann@desk.test", **headers: str) -> bytes:
    """What a customer's program sends."""
    fields = {
        "From": f"Ann Example <{sender}>",
        "To": "support@desk.test",
        "Subject": f"The tunnel drops ({number})",
        "Message-ID": f"<letter.{number}@customer.example>",
        "Date": "Fri, 20 Nov 2026 09:00:00 +0000",
    } | {name.replace("_", "-"): value for name, value in headers.items()}
    return (
        "".join(f"{name}: {value}\n" for name, value in fields.items()).encode()
        + b"\nSince Monday it drops every 20 minutes.\n"
    )


@pytest.fixture
def shift(tmp_path: Path, dovecot: Dovecot, user: User, exim: Exim) -> Iterator[Shift]:
    """A desk on a real mailbox and a real mail server."""
    user.create("Sent")
    mailbox = {
        "kind": "email",
        "address": "support@desk.test",
        "name": "Example Support",
        "poll_s": 5,
        "sent_folder": "Sent",
        "imap": user.imap(),
        "smtp": exim.smtp(),
    }
    found = Shift(tmp_path, {"support": mailbox}, undo_s=3)
    found.run("init", "--no-account")
    found.run("agent", "add", "kim", "--display", "Kim Arden")
    yield found
    found.end()


def test_mail_becomes_a_ticket_and_the_answer_comes_back_on_it(shift: Shift, user: User, exim: Exim) -> None:
    user.deliver(letter(1), letter(2, "bob@desk.test"))
    relay = shift.relay()
    first = soon(lambda: len(t := shift.tickets()) == 2 and min(t, key=lambda x: x["id"]), "two tickets")
    assert (first["subject"], first["status"], first["requester"]) == (
        "The tunnel drops (1)",
        "new",
        {"name": "Ann Example", "address": "ann@desk.test"},
    )
    assert first["due_kind"] == "first-reply"
    soon(lambda: user.count(criteria="SEEN") == 2, "both mails to be flagged after the commit")

    shift.run("take", "1")
    shift.run("reply", "1", "Please **restart** the router.")
    shift.run("reply", "2", "This one was a mistake.")
    shift.run("undo")
    sent = soon(lambda: exim.delivered(b"restart"), "the answer at the customer's server")
    assert len(sent) == 1
    assert not exim.delivered(b"mistake"), "what was taken back never leaves"
    assert soon(lambda: shift.messages(1)[-1]["state"] == "sent", "the state sent")
    answer = message_from_bytes(sent[0])
    assert answer["In-Reply-To"] == "<letter.1@customer.example>"
    assert answer["To"] == "Ann Example <ann@desk.test>"
    assert soon(lambda: user.count("Sent") == 1, "the copy in Sent")

    shift.kill(relay)
    user.deliver(
        letter(
            3,
            In_Reply_To=answer["Message-ID"],
            References=f"<letter.1@customer.example> {answer['Message-ID']}",
            Subject="Re: The tunnel drops",
        )
    )
    shift.run("status", "1", "pending")
    shift.relay()
    soon(lambda: len(shift.messages(1)) == 3, "the customer's answer on the same ticket")
    ticket = shift.tickets("id:1")[0]
    assert (ticket["status"], ticket["due_kind"]) == ("open", "next-reply")
    assert shift.messages(1)[-1]["threaded_by"] == "token"
    assert len(shift.tickets()) == 2
    assert "all is well" in shift.run("store", "check")
    log = shift.json("log", "1")
    assert next(r for r in log if r["line"] == "take")["agent"] is not None
    assert {r["uid"] for r in log if r["agent"]} == {os.getuid()}


def test_relay_killed_again_and_again_loses_and_doubles_nothing(shift: Shift, user: User, exim: Exim) -> None:
    """Invariant 1 (short form): mails arrive while the relay dies at moments spread over its work."""
    rounds, per_round = 4, 15
    for number in range(rounds):
        user.deliver(*(letter(number * per_round + i, f"c{i}@desk.test") for i in range(per_round)))
        relay = shift.relay()
        enough = 1 + number * per_round + (number * 5) % per_round
        soon(
            lambda enough=enough: int(shift.run("ls", "id:1..", "--count")) >= min(enough, rounds * per_round),
            "some mail to come in",
        )
        shift.kill(relay)
    relay = shift.relay()
    soon(lambda: user.count(criteria="UNSEEN") == 0, "every mail to be flagged", 60)
    assert int(shift.run("ls", "id:1..", "--count")) == rounds * per_round
    ids = [m["message_id"] for shown in shift.json("show", f"1-{rounds * per_round}") for m in shown["messages"]]
    assert sorted(ids) == sorted(f"letter.{i}@customer.example" for i in range(rounds * per_round))
    assert shift.stop(relay) == 0
    assert "all is well" in shift.run("store", "check")


@pytest.mark.sqlite("is about the account")
def test_wrong_password_pauses_the_account_and_goes_on_after_the_mend(tmp_path: Path, user: User, exim: Exim) -> None:
    secret = tmp_path / "password"
    secret.write_text("wrong")
    secret.chmod(0o600)
    imap = {k: v for k, v in user.imap().items() if k != "password"} | {"password_file": str(secret)}
    mailbox = {"kind": "email", "address": "support@desk.test", "poll_s": 5, "imap": imap, "smtp": exim.smtp()}
    shift = Shift(tmp_path, {"support": mailbox})
    try:
        user.deliver(letter(1))
        shift.relay()
        health = soon(
            lambda: (h := shift.run("health", "--json", ok=(0, 1))) and '"paused": true' in h and h,
            "the account to pause",
        )
        assert '"well": false' in health
        assert "paused" in shift.run("doctor", "--offline", ok=(1,))
        secret.write_text("secret")
        soon(lambda: shift.tickets(), "the mail to come in after the mend", 60)
        assert '"well": true' in soon(
            lambda: (h := shift.run("health", "--json", ok=(0, 1))) and '"well": true' in h and h, "health"
        )
    finally:
        shift.end()


@pytest.mark.sqlite("looks into files")
def test_secrets_are_in_no_log_and_no_store(tmp_path: Path, user: User, exim: Exim) -> None:
    """Invariant 25: a canary password, everything run, and nothing of it found."""
    canary = "canary-7f3a9e"
    secret = tmp_path / "password"
    secret.write_text(canary)
    secret.chmod(0o600)
    login = {"password_file": str(secret)}
    imap = {k: v for k, v in user.imap().items() if k != "password"} | login
    smtp = {k: v for k, v in exim.smtp().items() if k != "password"} | login
    shift = Shift(
        tmp_path,
        {"support": {"kind": "email", "address": "support@desk.test", "poll_s": 5, "imap": imap, "smtp": smtp}},
    )
    try:
        relay = shift.relay()
        soon(lambda: "paused" in shift.run("health", ok=(0, 1)), "the login to be refused")
        shift.run("new", "--requester", "ann@desk.test", "--body", "Hello", "Hello")
        soon(lambda: "failed for now" in shift.run("outbox"), "the sending to be refused", 40)
        printed = (
            shift.run("doctor", ok=(0, 1))
            + shift.run("config", "check")
            + shift.run("health", ok=(0, 1))
            + shift.run("outbox")
        )
        arguments = Path(f"/proc/{relay.pid}/cmdline").read_bytes() + Path(f"/proc/{relay.pid}/environ").read_bytes()
        shift.stop(relay)
    finally:
        shift.end()
    assert canary not in printed
    assert canary.encode() not in arguments
    for file in tmp_path.rglob("*"):
        if file.is_file() and file != secret:
            assert canary.encode() not in file.read_bytes(), file
