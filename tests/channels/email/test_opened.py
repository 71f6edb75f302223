"""channels.kit.mail.content: what is inside of winmail.dat, invitations, signatures and reports."""

from __future__ import annotations

import base64
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.kit.mail import invitations, rtf, smime, tnef
from tests.channels.email import builders
from tests.channels.email.mails import blob, mail, multipart

PLAIN = b"Content-Type: text/plain\n\nplain words\n"


def coded(kind: bytes, data: bytes, more: bytes = b"") -> bytes:
    """A part with this file in base64."""
    return b"Content-Type: " + kind + b"\nContent-Transfer-Encoding: base64\n" + more + b"\n" + base64.encodebytes(data)


# -- winmail.dat -----------------------------------------------------------------

UTF16, STRING, BINARY, LONG = 0x1F, 0x1E, 0x102, 0x03
FILE = (
    (2, 0x9002, b"\0" * 14),
    (2, 0x8010, b"REPORT~1.PDF\0"),
    (2, 0x800F, b"%PDF of the report"),
    (
        2,
        0x9005,
        builders.properties((UTF16, 0x3707, "Größe.pdf\0".encode("utf-16-le")), (STRING, 0x370E, b"application/pdf\0")),
    ),
)
PICTURE = (
    (2, 0x9002, b"\0" * 14),
    (
        2,
        0x9005,
        builders.properties(
            (STRING, 0x3707, b"logo.png\0"), (BINARY, 0x3701, b"PNG"), (STRING, 0x3712, b"logo@example.com\0")
        ),
    ),
)


def winmail(*attributes: tuple[int, int, bytes]) -> bytes:
    return coded(b"application/ms-tnef; name=winmail.dat", builders.tnef(*attributes))


def test_a_winmail_dat_is_opened_and_kept() -> None:
    inbound = multipart("mixed", PLAIN, winmail((1, 0x800C, b"not shown\0"), *FILE, *PICTURE))
    assert inbound.text == "plain words\n"
    assert [(file.name, file.content_type, file.inline, file.content_id) for file in inbound.attachments] == [
        ("winmail.dat", "application/ms-tnef", False, None),
        ("Größe.pdf", "application/pdf", False, None),
        ("logo.png", "image/png", True, "logo@example.com"),
    ]
    assert (blob(inbound, 1), blob(inbound, 2)) == (b"%PDF of the report", b"PNG")


@pytest.mark.parametrize(
    ("attribute", "text"),
    [
        ((1, 0x800C, b"from the body\0"), "from the body"),
        (
            (
                1,
                0x9003,
                builders.properties((0x40, 0x8123, b"\0" * 8), (UTF16, 0x1000, "größer\0".encode("utf-16-le"))),
            ),
            "größer",
        ),
        (
            (
                1,
                0x9003,
                builders.properties(
                    (LONG, 0x3FDE, struct.pack("<I", 65001)), (BINARY, 0x1013, "<p>größer</p>".encode())
                ),
            ),
            "größer",
        ),
        (
            (
                1,
                0x9003,
                builders.properties(
                    (BINARY, 0x1009, builders.packed_rtf(b"{\\rtf1\\ansi gr\\'f6\\'dfer\\par{\\*\\x no}more}"))
                ),
            ),
            "größer\nmore",
        ),
    ],
    ids=["body", "plain", "html", "rich"],
)
def test_the_text_of_a_winmail_dat_is_read_where_there_is_no_other(
    attribute: tuple[int, int, bytes], text: str
) -> None:
    assert multipart("mixed", winmail(attribute)).text == text


def test_a_mail_inside_a_winmail_dat_is_opened() -> None:
    inner = b"\0" * 16 + builders.tnef((1, 0x800C, b"the inner mail\0"), *FILE)
    outer = winmail(
        (2, 0x9002, b"\0" * 14), (2, 0x9005, builders.properties((STRING, 0x3001, b"Offer\0"), (0x0D, 0x3701, inner)))
    )
    inbound = multipart("mixed", PLAIN, outer)
    assert [file.name for file in inbound.attachments] == ["winmail.dat", "Offer.txt", "Größe.pdf"]
    assert blob(inbound, 1) == b"the inner mail"


def test_a_file_in_a_winmail_dat_has_a_type_that_can_be_kept() -> None:
    odd = (
        2,
        0x9005,
        builders.properties((STRING, 0x3707, b"a.pdf\0"), (STRING, 0x370E, b"no\0type\x1b"), (BINARY, 0x3701, b"x")),
    )
    inbound = multipart("mixed", PLAIN, winmail((2, 0x9002, b""), odd))
    assert inbound.attachments[1].content_type == "application/pdf"


def test_a_damaged_winmail_dat_gives_what_it_has() -> None:
    whole = builders.tnef(*FILE, *PICTURE)
    for end in range(len(whole)):
        opened = tnef.open_tnef(whole[:end])
        assert opened is None or len(opened.files) <= 2
    inbound = multipart("mixed", PLAIN, coded(b"application/ms-tnef", b"nonsense"))
    assert inbound.problems == ("A winmail.dat is damaged; it is kept as it is.",)


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_are_opened(data: bytes) -> None:
    tnef.open_tnef(tnef.SIGNATURE + data)
    tnef.open_tnef(builders.tnef((1, 0x9003, data), (2, 0x9002, b""), (2, 0x9005, data)))
    rtf.text(rtf.unpacked(struct.pack("<II4sI", 0, 1 << 31, b"LZFu", 0) + data)).encode()
    rtf.text(b"{\\rtf1 " + data).encode()
    smime.kind(data)
    smime.signed_content(data)
    invitations.invitation("BEGIN:VEVENT\n" + data.decode("latin-1"))


# -- invitations -----------------------------------------------------------------


def calendar(*lines: str, method: str = "REQUEST") -> bytes:
    inner = "\r\n".join(
        ["BEGIN:VCALENDAR", f"METHOD:{method}", "BEGIN:VEVENT", *lines, "END:VEVENT", "END:VCALENDAR", ""]
    )
    return b"Content-Type: text/calendar; charset=utf-8; method=REQUEST\n\n" + inner.encode()


MEETING = (
    "UID:1@example.com",
    "SUMMARY:About the offer\\, in",
    "  short",
    "DTSTART;TZID=Europe/Berlin:20240101T100000",
    "DTEND;TZID=Europe/Berlin:20240101T113000",
    "LOCATION:Room 5",
    'ORGANIZER;CN="Kohl: Max":mailto:max@example.com',
    "ATTENDEE;CN=Ann;PARTSTAT=ACCEPTED:mailto:ann@example.com",
    "BEGIN:VALARM",
    "SUMMARY:not this",
    "END:VALARM",
)


def test_an_invitation_is_told_below_the_text_and_kept() -> None:
    inbound = multipart("alternative", PLAIN, calendar(*MEETING))
    assert inbound.text == (
        "plain words\n\nInvitation: About the offer, in short\nWhen: Monday 1 January 2024, 10:00–11:30 (Europe/Berlin)\n"
        "Where: Room 5\nOrganiser: Kohl: Max <max@example.com>\n"
    )
    assert inbound.visible == inbound.text
    assert [file.name for file in inbound.attachments] == ["part-2.ics"]


def test_an_invitation_that_comes_twice_is_told_once() -> None:
    again = (
        b"Content-Type: application/ics; name=invite.ics\nContent-Disposition: attachment\n\n"
        + calendar(*MEETING).partition(b"\n\n")[2]
    )
    inbound = multipart("mixed", PLAIN, calendar(*MEETING), again)
    assert inbound.text.count("Invitation:") == 1
    assert len(inbound.attachments) == 2


@pytest.mark.parametrize(
    ("lines", "method", "told"),
    [
        (("SUMMARY:x", "DTSTART:20240101T100000Z"), "CANCEL", "Cancelled meeting: x\nWhen: Monday 1 January 2024, 10:00 (UTC)"),
        (("SUMMARY:x", "DTSTART;VALUE=DATE:20240229", "RRULE:FREQ=WEEKLY"), "PUBLISH", "Meeting: x\nWhen: Thursday 29 February 2024, repeated"),
        (
            ("SUMMARY:x", "DTSTART:20240101T230000", "DTEND:20240102T010000"),
            "REQUEST",
            "Invitation: x\nWhen: Monday 1 January 2024, 23:00 – Tuesday 2 January 2024, 01:00",
        ),
        (MEETING[-4:-3], "REPLY", "Answer to an invitation: (without a title)\nAnn <ann@example.com> accepts"),
        (("SUMMARY:x", "DTSTART:20249999T100000"), "REQUEST", "Invitation: x"),
    ],
)  # fmt: skip
def test_what_is_told_of_a_meeting(lines: tuple[str, ...], method: str, told: str) -> None:
    assert invitations.invitation(calendar(*lines, method=method).decode().partition("\n\n")[2]) == told


# -- protection --------------------------------------------------------------------


def test_a_signed_mail_is_read_and_said_to_be_signed() -> None:
    signature = b"Content-Type: application/pgp-signature; name=signature.asc\n\n-----BEGIN PGP SIGNATURE-----\n"
    inbound = multipart("signed", PLAIN, signature)
    assert (inbound.text, inbound.protection) == ("plain words\n", "signed")
    assert [file.name for file in inbound.attachments] == ["signature.asc"]


@pytest.mark.parametrize("streamed", [False, True])
def test_a_mail_inside_a_signature_is_read(streamed: bool) -> None:
    inner = (
        b"Content-Type: multipart/mixed; boundary=i\n\n--i\n"
        + PLAIN
        + b"--i\nContent-Type: image/png; name=a.png\n\nPNG\n--i--\n"
    )
    inbound = mail(
        base64.encodebytes(builders.signed_data(inner, streamed=streamed)),
        b"Content-Type: application/pkcs7-mime; smime-type=signed-data; name=smime.p7m\nContent-Transfer-Encoding: base64\n",
    )
    assert (inbound.text, inbound.protection) == ("plain words", "signed")
    assert [file.name for file in inbound.attachments] == ["smime.p7m", "a.png"]


def test_signatures_inside_signatures_come_to_an_end() -> None:
    inner = PLAIN
    head = b"Content-Type: application/pkcs7-mime\nContent-Transfer-Encoding: base64\n\n"
    for _ in range(6):
        inner = head + base64.encodebytes(builders.signed_data(inner))
    inbound = mail(inner.partition(b"\n\n")[2], head[:-1])
    assert inbound.protection == "signed"
    assert len(inbound.attachments) == 4


@pytest.mark.parametrize(
    ("kind", "parts"),
    [
        (
            "encrypted",
            [
                b"Content-Type: application/pgp-encrypted\n\nVersion: 1\n",
                b"Content-Type: application/octet-stream\n\nsecret\n",
            ],
        ),
        (
            "mixed",
            [coded(b"application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m", builders.enveloped_data())],
        ),
        ("mixed", [coded(b"application/x-pkcs7-mime; name=smime.p7m", builders.enveloped_data())]),
    ],
)
def test_an_encrypted_mail_says_so(kind: str, parts: list[bytes]) -> None:
    inbound = multipart(kind, *parts)
    assert inbound.protection == "encrypted"
    assert inbound.text.startswith("This message is encrypted.")
    assert inbound.problems == (inbound.text.strip(),)
    assert len(inbound.attachments) == len(parts)


def test_armour_inside_the_text_is_taken_off() -> None:
    body = (
        b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nHello\n- -- \nMax\n"
        b"-----BEGIN PGP SIGNATURE-----\n\nabc=\n-----END PGP SIGNATURE-----\n"
    )
    inbound = mail(body)
    assert (inbound.text, inbound.visible, inbound.protection) == ("Hello\n-- \nMax\n", "Hello", "signed")
    assert mail(b"-----BEGIN PGP MESSAGE-----\n\nabc=\n").protection == "encrypted"
    assert mail(b"What is -----BEGIN PGP SIGNED MESSAGE-----?\n").protection is None


# -- reports -------------------------------------------------------------------------


def test_a_complaint_is_told_below_its_text() -> None:
    report = b"Content-Type: message/feedback-report\n\nFeedback-Type: abuse\nUser-Agent: x/1\nOriginal-Rcpt-To: <ann@example.com>\n"
    inbound = multipart(
        "report; report-type=feedback-report", PLAIN, report, b"Content-Type: message/rfc822\n\nSubject: x\n\nold\n"
    )
    assert inbound.automatic == "feedback"
    assert inbound.text == "plain words\n\nFeedback-Type: abuse\nUser-Agent: x/1\nOriginal-Rcpt-To: <ann@example.com>\n"
    assert [file.content_type for file in inbound.attachments] == ["message/feedback-report", "message/rfc822"]
