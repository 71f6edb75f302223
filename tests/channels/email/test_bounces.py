"""channels.kit.mail.automatic and bounces: what programs send."""

from __future__ import annotations

import pytest

from desk.channel import Bounce, Inbound, Undelivered
from tests.channels.email.mails import mail, multipart, read

REPORT = b"Content-Type: text/plain\n\nYour mail did not arrive.\n"
RETURNED = b"Content-Type: message/rfc822\n\nFrom: help@desk.example\nMessage-ID: <out1@desk.example>\nSubject: Re: Hello\n\nold\n"


def report(status: bytes, *more: bytes, kind: bytes = b"delivery-status") -> Inbound:
    """A multipart/report with this machine-readable part."""
    part = b"Content-Type: message/" + kind + b"\n\n" + status
    inner = b"".join(b"--r\n" + piece + b"\n" for piece in (REPORT, part, *more))
    head = (
        b'From: Mail System <mailer-daemon@example.com>\nContent-Type: multipart/report; report-type=%s; boundary="r"\n\n'
        % kind
    )
    return read(head + inner + b"--r--\n")


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"", None),
        (b"Auto-Submitted: no\n", None),
        (b"Auto-Submitted: auto-replied\n", "auto-reply"),
        (b"Auto-Submitted: auto-generated (failure)\n", "auto-reply"),
        (b"Precedence: auto_reply\n", "auto-reply"),
        (b"Precedence: bulk\n", "list"),
        (b"Precedence: list\n", "list"),
        (b"Precedence: first-class\n", None),
        (b"List-Id: <talk.example.com>\n", "list"),
        (b"List-Unsubscribe: <https://example.com/>\n", "list"),
        (b"List-Id: <talk.example.com>\nAuto-Submitted: auto-replied\n", "auto-reply"),
        (b"X-Auto-Response-Suppress: DR, RN, NRN\n", None),
        (b"X-Auto-Response-Suppress: All\n", "auto-reply"),
        (b"X-Autoreply: yes\n", "auto-reply"),
        (b"X-Loop: help@example.com\n", "auto-reply"),
        (b"Return-Path: <>\n", "auto-reply"),
        (b"Return-Path: <MAILER-DAEMON@example.com>\n", "auto-reply"),
        (b"Return-Path: <max@example.com>\n", None),
        (b"X-Failed-Recipients: a@example.com\n", "bounce"),
    ],
)
def test_programs_are_told_from_people(head: bytes, kind: str | None) -> None:
    assert mail(b"Hello\n", head).automatic == kind


@pytest.mark.parametrize(
    ("sender", "subject", "kind"),
    [
        (b"MAILER-DAEMON@example.com (Mail Delivery Subsystem)", b"Returned mail", "bounce"),
        (b"postmaster@example.com", b"Undeliverable: Hello", "bounce"),
        (b"postmaster@example.com", b"Question about our mail server", None),
        (b"max@example.com", b"Undeliverable parcel", None),
        (b"max@example.com", b"Automatic reply: Hello", "auto-reply"),
        (b"max@example.com", b"Abwesenheitsnotiz: Hallo", "auto-reply"),
        (b"max@example.com", "自动回复: 你好".encode(), "auto-reply"),
        (b"max@example.com", b"Out of office until 5 May", "auto-reply"),
        (b"max@example.com", b"Out of Office Reply", "auto-reply"),
        (b"max@example.com", b"AUTO: Max Kohl is out of the office (returning 05/01/2024)", "auto-reply"),
        (b"max@example.com", b"Max Kohl is out of the office.", "auto-reply"),
        (b"max@example.com", b"Re: Max Kohl is out of the office", None),
        (b"max@example.com", b"Max Kohl is out of the office, whom can I ask?", None),
        (b"max@example.com", "Automātiskā atbilde: Sveiki".encode(), "auto-reply"),
        (b"max@example.com", b"Your automatic reply is broken", None),
        (b"max@example.com", b"Re: Automatic reply: Hello", None),
    ],
)
def test_senders_and_subjects_tell_programs_too(sender: bytes, subject: bytes, kind: str | None) -> None:
    assert read(b"From: " + sender + b"\nSubject: " + subject + b"\n\nx\n").automatic == kind


def test_a_standard_report_is_read() -> None:
    status = (
        b"Reporting-MTA: dns; mx.example.com\n\n"
        b"Original-Recipient: rfc822; Max@example.com\nFinal-Recipient: rfc822; max@relay.example\nAction: failed\nStatus: 5.1.1\n"
        b"Diagnostic-Code: smtp; 550 5.1.1 <max@example.com>:\n no such user\n\n"
        b"Final-Recipient: rfc822;ann@example.com\nAction: delayed\nStatus: 4.4.1 (no answer)\n\n"
        b"Final-Recipient: rfc822; joe@example.com\nAction: delivered\nStatus: 2.0.0\n"
    )
    inbound = report(status, RETURNED)
    assert inbound.automatic == "bounce"
    assert inbound.bounce == Bounce(
        (Undelivered("max@example.com", "5.1.1", True), Undelivered("ann@example.com", "4.4.1", False)),
        "out1@desk.example",
    )


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (b"Final-Recipient: rfc822; a@example.com\nAction: failed\nStatus: 4.4.7\n", ("4.4.7", True)),
        (
            b"Final-Recipient: rfc822; a@example.com\nAction: failed\nDiagnostic-Code: smtp; 550 no such user\n",
            ("5.0.0", True),
        ),
        (b"Final-Recipient: rfc822; a@example.com\nStatus: 5.2.2\n", ("5.2.2", True)),
        (b"Final-Recipient: a@example.com\nAction: delayed\n", ("", False)),
        (
            b"\r\n\r\nReporting-MTA: x\r\n\r\n\r\nFinal-Recipient: rfc822; <a@example.com>\r\nAction: Failed\r\nStatus: 5.0.0\r\n",
            ("5.0.0", True),
        ),
    ],
)
def test_reports_that_leave_things_out_are_read(status: bytes, expected: tuple[str, bool]) -> None:
    bounce = report(status).bounce
    assert bounce is not None
    assert [(one.address, one.status, one.permanent) for one in bounce.recipients] == [("a@example.com", *expected)]


def test_a_report_of_success_names_nobody() -> None:
    inbound = report(b"Reporting-MTA: x\n\nFinal-Recipient: rfc822; a@example.com\nAction: delivered\n", RETURNED)
    assert inbound.bounce == Bounce((), "out1@desk.example")


def test_the_message_is_found_in_returned_headers_too() -> None:
    headers = b"Content-Type: text/rfc822-headers\n\nSubject: x\nMessage-ID: <out2@desk.example>\n"
    inbound = report(b"X: y\n\nFinal-Recipient: rfc822; a@example.com\nAction: failed\n", headers)
    assert inbound.bounce is not None
    assert inbound.bounce.original_message_id == "out2@desk.example"


@pytest.mark.parametrize(
    ("head", "body", "expected"),
    [
        (
            b"X-Failed-Recipients: max@example.com\n",
            b"A message that you sent could not be delivered.\n\n  max@example.com\n    550 5.1.1 unknown user\n\n"
            b"------ This is a copy of the message, including all the headers. ------\n\nMessage-ID: <out1@desk.example>\n",
            [("max@example.com", "5.1.1", True)],
        ),
        (
            b"",
            b"Hi. This is the qmail-send program at example.com.\nI'm afraid I wasn't able to deliver your message to the following addresses.\n\n"
            b"<max@example.com>:\n192.0.2.1 does not like recipient.\nRemote host said: 550 5.1.1 no mailbox\n\n"
            b"--- Below this line is a copy of the message.\n\nTo: other@example.com\nMessage-ID: <out1@desk.example>\n",
            [("max@example.com", "5.1.1", True)],
        ),
        (
            b"",
            b"   ----- The following addresses had permanent fatal errors -----\n<max@example.com>\n    (reason: 550 5.1.1 User unknown)\n\n"
            b"   ----- Original message follows -----\nMessage-ID: <out1@desk.example>\n",
            [("max@example.com", "5.1.1", True)],
        ),
    ],
    ids=["header", "qmail", "sendmail"],
)
def test_other_forms_are_read(head: bytes, body: bytes, expected: list[tuple[str, str, bool]]) -> None:
    inbound = read(b"From: mailer-daemon@example.com\nSubject: failure notice\n" + head + b"\n" + body)
    assert inbound.automatic == "bounce"
    assert inbound.bounce is not None
    assert [(one.address, one.status, one.permanent) for one in inbound.bounce.recipients] == expected
    assert inbound.bounce.original_message_id == "out1@desk.example"


DAEMON = b"From: Mail Delivery System <mailer-daemon@mx.example.net>\nTo: help@desk.example\nSubject: %s\n\n"
COPY = b"\n------ This is a copy of your message. ------\n\nTo: max@example.com\nMessage-ID: <out1@desk.example>\n"


@pytest.mark.parametrize(
    ("subject", "body", "expected"),
    [
        (
            b"Delivery status",
            b"There was an error delivering your mail to <max@example.com>.\n\nmx.example.com said:\n550-5.7.1 no\n550 5.7.1 never\n",
            [("max@example.com", "5.7.1", True)],
        ),
        (
            b"Delivery status",
            b"for the following list of recipients:\n\nmax@example.com: 550 5.1.1 unknown\nann@example.com: 452 4.2.2 over quota\n",
            [("max@example.com", "5.1.1", True), ("ann@example.com", "4.2.2", True)],
        ),
        (
            b"Undeliverable: Hello",
            b"did not reach some recipients.\n\n      To: help@desk.example\n      Subject: Hello\n\n"
            b"The following recipient(s) could not be reached:\n\n      max@example.com on 1/1/24 10:00 AM\n            Recipient not found\n",
            [("max@example.com", "", True)],
        ),
        (
            b"Returned mail: User unknown",
            b"   ----- Transcript of session follows -----\n>>> RCPT To:<max@example.com>\n<<< 550 No such user\n"
            b"550 <max@example.com>... User unknown\n554 <ann@example.com>... 550 Host unknown\n\n   ----- Unsent message follows -----\n",
            [("max@example.com", "5.0.0", True), ("ann@example.com", "5.0.0", True)],
        ),
        (
            b"Warning: message 1abc-2 delayed 24 hours",
            b"A message that you sent has not yet been delivered.\n\n  max@example.com\n    451 4.7.1 greylisted\n\nNo action is required. Attempts will continue.\n",
            [("max@example.com", "4.7.1", False)],
        ),
        (
            b"Unzustellbar: Hallo",
            b"Ihre Nachricht konnte nicht zugestellt werden:\n\nmax@example.com\nPostfach voll 5.2.2\n",
            [("max@example.com", "5.2.2", True)],
        ),
        (
            b"Undelivered",
            b"Technical report:\n\nAction: failed\nFinal-Recipient: rfc822; max@example.com\nStatus: 4.4.7\n",
            [("max@example.com", "4.4.7", True)],
        ),
        (b"Returned mail", b"Your message was rejected by a filter.\n", [("max@example.com", "", True)]),
        (
            b"Returned mail",
            b"Write to <postmaster@mx.example.net> for help. Mail from help@desk.example.\n",
            [("max@example.com", "", True)],
        ),
    ],
    ids=["sentence", "lines", "summary", "transcript", "delay", "german", "fields", "copy", "staff"],
)
def test_a_report_in_words_is_read(subject: bytes, body: bytes, expected: list[tuple[str, str, bool]]) -> None:
    inbound = read(DAEMON % subject + body + COPY)
    assert inbound.automatic == "bounce"
    assert inbound.bounce is not None
    assert [(one.address, one.status, one.permanent) for one in inbound.bounce.recipients] == expected
    assert inbound.bounce.original_message_id == "out1@desk.example"


@pytest.mark.parametrize(
    "head",
    [
        b"From: No Reply <no-reply@mx.example.net>\nSubject: Mail\n",
        b"From: mx.example.net\nReturn-Path: <>\nSubject: Mail\n",
        b"From: admin@mx.example.net\nSubject: Delivery failure notification\n",
    ],
)
def test_a_report_is_known_by_its_words_where_nobody_can_be_answered(head: bytes) -> None:
    inbound = read(head + b"\nYour mail could not be delivered to: <max@example.com>\n550 mailbox is full.\n")
    assert inbound.automatic == "bounce"
    assert inbound.bounce == Bounce((Undelivered("max@example.com", "5.0.0", True),))


@pytest.mark.parametrize("subject", [b"Re: Undeliverable: Hello", b"Fwd: failure notice", b"Your delivery"])
def test_a_person_who_writes_about_a_report_is_a_person(subject: bytes) -> None:
    body = (
        b"Hello,\n\nI got this, what now?\n\n> could not be delivered to: <ann@example.com>\n> 550 5.1.1 unknown user\n"
    )
    inbound = read(b"From: max@example.com\nReturn-Path: <max@example.com>\nSubject: " + subject + b"\n\n" + body)
    assert inbound.automatic is None


def test_what_a_list_sends_is_no_answer() -> None:
    assert mail(b"Hello\n", b"List-Id: <talk.example.com>\nX-Loop: talk@example.com\n").automatic == "list"
    assert mail(b"Hello\n", b"X-Loop: talk@example.com\n").automatic == "auto-reply"


def test_complaints_and_receipts_are_no_bounces() -> None:
    assert report(b"Feedback-Type: abuse\n", RETURNED, kind=b"feedback-report").automatic == "feedback"
    receipt = multipart(
        "mixed", REPORT, head=b"Content-Type: multipart/report; report-type=disposition-notification; boundary=x\n"
    )
    assert (receipt.automatic, receipt.bounce) == ("auto-reply", None)


def test_a_daemon_that_says_nothing_is_still_a_bounce() -> None:
    inbound = read(b"From: mailer-daemon@example.com\nSubject: oops\n\nIt broke.\n")
    assert (inbound.automatic, inbound.bounce) == ("bounce", None)
