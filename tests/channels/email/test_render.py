"""channels.kit.mail.render: what goes out, and that it comes back as it was."""

from __future__ import annotations

import email
import email.policy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from channels.kit.mail.render import html, render
from desk.channel import Outgoing
from desk.model import Attachment, Identity
from tests.channels.email.mails import blob, read

HELP = Identity("email", "help@desk.example", "Support")
MAX = Identity("email", "max@example.com", "Max Kohl")
DRAFT = Outgoing(
    7,
    "out1@desk.example",
    1_704_103_200_000,
    HELP,
    (MAX,),
    "Hello **Max**,\n\nit is mended.\n\nRobin\n-- \nSupport",
    "Re: Broken",
)


def sent(draft: Outgoing) -> email.message.EmailMessage:
    """The draft as the standard library reads it."""
    message = email.message_from_bytes(render(draft).data, policy=email.policy.default)
    assert isinstance(message, email.message.EmailMessage)
    return message


def test_an_answer_has_the_headers_of_one() -> None:
    draft = replace(
        DRAFT,
        cc=(Identity("email", "ann@example.com"),),
        bcc=(Identity("email", "boss@example.com"),),
        reply_to=Identity("email", "help+7@desk.example"),
        references=("m0@example.com", "m1@example.com"),
        automatic=True,
    )
    message = sent(draft)
    assert {name: str(value) for name, value in message.items()} == {
        "From": "Support <help@desk.example>",
        "To": "Max Kohl <max@example.com>",
        "Cc": "ann@example.com",
        "Reply-To": "help+7@desk.example",
        "Subject": "Re: Broken",
        "Date": "Mon, 01 Jan 2024 10:00:00 +0000",
        "Message-ID": "<out1@desk.example>",
        "In-Reply-To": "<m1@example.com>",
        "References": "<m0@example.com> <m1@example.com>",
        "Auto-Submitted": "auto-replied",
        "X-Auto-Response-Suppress": "All",
        "MIME-Version": "1.0",
        "Content-Type": message["Content-Type"],
    }
    assert message.get_content_type() == "multipart/alternative"
    assert render(draft).recipients == ("max@example.com", "ann@example.com", "boss@example.com")
    assert b"boss@" not in render(draft).data


def test_a_person_who_answers_is_not_automatic() -> None:
    data = render(DRAFT).data
    assert b"Auto-Submitted" not in data
    assert b"In-Reply-To" not in data


def test_the_same_draft_gives_the_same_bytes_with_crlf() -> None:
    data = render(DRAFT).data
    assert data == render(DRAFT).data
    assert data.count(b"\n") == data.count(b"\r\n") == data.count(b"\r")
    assert max(map(len, data.split(b"\r\n"))) <= 78


def test_the_text_goes_as_it_was_written_and_as_html() -> None:
    plain, page = sent(DRAFT).iter_parts()
    assert plain.get_content() == DRAFT.text.replace("\n", "\r\n") + "\r\n"
    assert plain["Content-Transfer-Encoding"] == "7bit"
    assert "<strong>Max</strong>" in page.get_content()
    assert "<p>Robin<br>\r\n--<br>\r\nSupport</p>" in page.get_content()


@pytest.mark.parametrize(
    "text", ["x" * 2_000, "Größe " * 300, "From here\n.\nFrom there", "a\x00b\rc", "日本語" * 200, "trail  \n", "-- \n"]
)
def test_any_text_survives_the_way(text: str) -> None:
    data = render(replace(DRAFT, text=text)).data
    assert max(map(len, data.split(b"\r\n"))) <= 78
    assert b"\nFrom " not in data
    assert read(data).text.rstrip("\n") == text.replace("\r", "\n").replace("\x00", "�").rstrip("\n")


@pytest.mark.parametrize(
    ("text", "there", "missing"),
    [
        ("<script>alert(1)</script>", "&lt;script&gt;", "<script"),
        ("[x](javascript:alert(1))", "x", "<a"),
        ("[x](data:text/html,y)", "x", "<a"),
        ('[x](https://example.com/ "t")', 'href="https://example.com/"', "style"),
        ("[x](mailto:a@example.com)", 'href="mailto:a@example.com"', "script"),
        ("![x](https://example.com/a.png)", "x", "<img"),
        ("a\n===\nb\n-- \nc", "<br>", "<h"),
        ("| a | b |\n| - | - |\n| 1 | 2 |", "<table>", "|"),
        ("> quoted", "<blockquote>", "&gt;"),
        ("    four spaces", "four spaces", "<pre>"),
    ],
)
def test_html_is_safe(text: str, there: str, missing: str) -> None:
    page = html(text)
    assert there in page
    assert missing not in page


@pytest.mark.parametrize(
    "evil", ["x\r\nBcc: evil@example.com", "x\nBcc: evil@example.com", "x\r\n\r\nbody", "x\u2028Bcc: y", "x\x85Bcc: y"]
)
def test_no_value_can_start_a_header(evil: str) -> None:
    bad = Identity("email", f"a@example.com{evil}", evil)
    draft = replace(
        DRAFT, sender=bad, to=(bad,), cc=(bad,), reply_to=bad, subject=evil, message_id=evil, references=(evil,),
        attachments=((Attachment(evil, f"text/plain{evil}", 1, "", content_id=evil), b"x"),),
    )  # fmt: skip
    data = render(draft).data
    message = email.message_from_bytes(data)
    assert "Bcc" not in message
    assert [len(message.get_all(name, [])) for name in ("From", "To", "Cc", "Subject")] == [1, 1, 1, 1]
    assert message.is_multipart()
    assert all(b"Bcc" not in line[:4] for line in data.split(b"\r\n"))
    assert all("\r" not in one and "\n" not in one for one in render(draft).recipients)


@pytest.mark.parametrize(
    ("value", "wire"),
    [
        ("max@example.com", "max@example.com"),
        ("max@bücher.example", "max@xn--bcher-kva.example"),
        ("mäx@example.com", "mäx@example.com"),
        ("mäx@bücher.example", "mäx@bücher.example"),
        (" max@example.com ", "max@example.com"),
        ("max@" + "ü" * 200, "max@" + "ü" * 200),
    ],
)
def test_domains_go_as_a_server_looks_them_up(value: str, wire: str) -> None:
    part = render(replace(DRAFT, to=(Identity("email", value, "Max"),)))
    assert part.recipients == (wire,)
    assert f"<{wire}>".encode() in part.data


@pytest.mark.parametrize(
    "name",
    [
        "a.pdf",
        "two words.pdf",
        "Größe.pdf",
        "日本語の長い名前" * 8 + ".pdf",
        'q"uo\\te;.pdf',
        "percent%20.pdf",
        "x" * 150 + ".pdf",
    ],
)
def test_files_keep_name_type_and_bytes(name: str) -> None:
    data = bytes(range(256)) * 20
    inbound = read(
        render(replace(DRAFT, attachments=((Attachment(name, "application/pdf", len(data), ""), data),))).data
    )
    (file,) = inbound.attachments
    assert (file.name, file.content_type, blob(inbound, 0)) == (
        name.replace("\\", "/").rpartition("/")[2],
        "application/pdf",
        data,
    )


def test_a_picture_stays_inline_and_a_mail_is_no_part_of_ours() -> None:
    files = (
        (Attachment("p.png", "image/png", 1, "", inline=True, content_id="p1@x"), b"P"),
        (Attachment("m.eml", "message/rfc822", 1, ""), b"M"),
    )
    picture, nested = read(render(replace(DRAFT, attachments=files)).data).attachments
    assert (picture.inline, picture.content_id) == (True, "p1@x")
    assert nested.content_type == "application/octet-stream"


def test_references_are_bounded() -> None:
    draft = replace(DRAFT, references=tuple(f"m{number}@example.com" for number in range(500)))
    references = str(sent(draft)["References"]).split()
    assert len(references) == 40
    assert (references[0], references[-1]) == ("<m0@example.com>", "<m499@example.com>")


def test_without_anybody_in_view_the_header_says_so() -> None:
    part = render(replace(DRAFT, to=(), bcc=(MAX,)))
    assert b"To: undisclosed-recipients:;\r\n" in part.data
    assert part.recipients == ("max@example.com",)


WORDS = st.text(
    st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp", "Zs"), include_characters=" "), max_size=120
).map(lambda text: " ".join(text.split()))


@settings(max_examples=150, deadline=None)
@given(
    subject=WORDS,
    name=WORDS,
    text=st.text(st.characters(exclude_categories=("Cs",)), max_size=400),
    automatic=st.booleans(),
)
def test_what_is_rendered_is_read_again(subject: str, name: str, text: str, automatic: bool) -> None:
    draft = replace(
        DRAFT,
        subject=subject,
        to=(Identity("email", "max@example.com", name),),
        text=text,
        automatic=automatic,
        references=("m0@example.com",),
    )
    inbound = read(render(draft).data)
    assert inbound.subject == subject
    assert (inbound.sender, inbound.at) == (HELP, DRAFT.at)
    assert inbound.to[0].value == "max@example.com"
    assert inbound.message_id == DRAFT.message_id
    assert inbound.in_reply_to == inbound.references == ("m0@example.com",)
    assert inbound.automatic == ("auto-reply" if automatic else None)
    assert inbound.problems == ()
    if text.strip():
        assert inbound.html
