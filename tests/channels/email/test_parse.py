"""channels.kit.mail.parser: what a mail says, however it says it."""

from __future__ import annotations

import base64

import pytest

from channels.kit.mail.addresses import addresses
from channels.kit.mail.show import describe
from desk.model import Identity
from tests.channels.email.mails import RECEIVED_AT, blob, mail, multipart, read


def test_a_plain_mail_is_understood() -> None:
    inbound = read(
        b'Return-Path: <max@example.com>\r\nDate: Mon, 01 Jan 2024 12:00:00 +0200\r\nFrom: "Kohl, Max" <Max@Example.com>\r\n'
        b"To: Support <help@desk.example>, x@example.com\r\nCc: y@example.com\r\nReply-To: z@example.com\r\nSubject: It is\r\n broken\r\n"
        b"Message-ID: <m2@example.com>\r\nIn-Reply-To: <m1@desk.example>\r\nReferences: <m0@desk.example>\r\n\t<m1@desk.example>\r\n\r\n"
        b"Hello\r\n\r\nyou\r\n"
    )
    assert describe(inbound) == {
        "subject": "It is broken",
        "from": {"name": "Kohl, Max", "address": "max@example.com"},
        "to": [{"name": "Support", "address": "help@desk.example"}, {"name": "", "address": "x@example.com"}],
        "cc": [{"name": "", "address": "y@example.com"}],
        "reply_to": [{"name": "", "address": "z@example.com"}],
        "message_id": "m2@example.com",
        "in_reply_to": ["m1@desk.example"],
        "references": ["m0@desk.example", "m1@desk.example"],
        "date": "2024-01-01T10:00:00Z",
        "text": "Hello\n\nyou\n",
        "visible": "Hello\n\nyou\n",
        "html": False,
        "attachments": [],
        "automatic": None,
        "bounce": None,
        "problems": [],
        "protection": None,
        "authentication": "",
        "spam": False,
    }
    assert (inbound.external_id, inbound.received_at) == ("INBOX/1/1", RECEIVED_AT)
    assert inbound.raw == inbound.blobs[0].key


# -- headers -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        (b"=?utf-8?Q?Gr=C3=B6=C3=9Fe?=", "Größe"),
        (b"=?utf-8?B?R3LDtg==?=\n =?utf-8?B?w59l?=", "Größe"),
        (b"=?utf-8?Q?Gr=C3?= =?utf-8?Q?=B6=C3=9Fe?=", "Größe"),
        (b"=?utf-8?B?R3LD?= =?utf-8?B?tsOf?= =?utf-8?B?ZQ==?=", "Größe"),
        (b"=?utf-8?B?R3LDts?= =?utf-8?B?OfZQ?=", "Größe"),
        (b"=?utf-8?B?R3LDtsOfZQ?=", "Größe"),
        (b"Re: =?iso-8859-1?q?Gr=F6=DFe?= please", "Re: Größe please"),
        (b"Re:=?iso-8859-1?q?Gr=F6=DFe?=please", "Re:Größeplease"),
        (b"=?utf-8*de?Q?Gr=C3=B6=C3=9Fe?=", "Größe"),
        (b"=?utf-8?Q?Are you =C3=BC there??=", "Are you ü there?"),
        (b"=?gb2312?B?" + base64.b64encode("镕订单".encode("gb18030")) + b"?=", "镕订单"),
        (b"=?x-unknown-42?Q?Gr=C3=B6=C3=9Fe?=", "Größe"),
        (b"=?us-ascii?Q?Gr=C3=B6=C3=9Fe?=", "Größe"),
        (b"=?iso-8859-1?Q?Gr=C3=B6=C3=9Fe?=", "Größe"),
        (b"=?iso-2022-jp?B?" + base64.b64encode("注文の件".encode("iso-2022-jp")) + b"?=", "注文の件"),
        ("Größe".encode(), "Größe"),
        ("Größe".encode("latin-1"), "Größe"),
        ("Привет, мой заказ не доставлен".encode("windows-1251"), "Привет, мой заказ не доставлен"),
        ("注文の件について".encode("shift_jis"), "注文の件について"),
        ("注文の件".encode("iso-2022-jp"), "注文の件"),
        (b"=?iso-2022-jp?Q?=1B$BCmJ8-!!!-j=1B(B_A?=", "注文①　㈱ A"),
        (b"=?utf-8?B?!!!?= =?bogus?Q?=ZZ?= rest", "=ZZ rest"),
        (b"a\x00b\rc", "a b c"),
        (b"=?utf-8?Q?a=0D=0ABcc:_x?=", "a Bcc: x"),
        (b"=?utf-7?Q?+2AA-?= x", "� x"),
    ],
)
def test_a_subject_is_read(subject: bytes, expected: str) -> None:
    assert read(b"From: a@example.com\nSubject: " + subject + b"\n\nx\n").subject == expected


def test_raw_text_in_a_header_is_in_the_charset_that_the_mail_names() -> None:
    head = b"From: a@example.com\nSubject: %s\nContent-Type: text/plain; charset=gb2312\n\nx"
    assert read(head % "订单镕".encode("gb18030")).subject == "订单镕"


@pytest.mark.parametrize(
    "data",
    [
        b"Subject: first line that\ngoes on without a space\nFrom: a@example.com\n\nbody\n",
        b"Subject: =?utf-8?B?b25l\n?=\nFrom: a@example.com\n\nbody\n",
        b"Subject: one\nReceived: by x\n\nFrom: a@example.com\nTo: b@example.com\n\nbody\n",
        b"\n\nSubject: one\nFrom: a@example.com\n\nbody\n",
        b"From a@example.com Mon Jan  1 10:00:00 2024\nSubject: one\nFrom: a@example.com\n\nbody\n",
        b"Subject: one\rFrom: a@example.com\r\rbody\r",
        b"Subject : one\nFrom: a@example.com\n\nbody\n",
        b"garbage\nSubject: one\nFrom: a@example.com\n\nbody\n",
    ],
)
def test_a_broken_header_block_is_mended(data: bytes) -> None:
    inbound = read(data)
    assert inbound.sender == Identity("email", "a@example.com")
    assert inbound.text.strip() == "body"
    assert inbound.subject


def test_a_body_without_an_empty_line_before_it_is_a_body() -> None:
    inbound = read(b"From: a@example.com\nSubject: one\nHello, I am the body\nand go on\n\nas one does\n")
    assert inbound.text == "Hello, I am the body\nand go on\n\nas one does\n"
    assert inbound.problems == ("The header block ends without an empty line.",)


@pytest.mark.parametrize(
    ("head", "sender"),
    [
        (b"Sender: s@example.com\nReply-To: r@example.com", "s@example.com"),
        (b"From: \nReply-To: r@example.com", "r@example.com"),
        (b"From: <>\nReturn-Path: <p@example.com>", "p@example.com"),
        (b"From: a@example.com\nFrom: b@example.com", "a@example.com"),
        (b"X: y", None),
    ],
)
def test_the_sender_is_found(head: bytes, sender: str | None) -> None:
    found = read(head + b"\n\nx").sender
    assert (found.value if found else None) == sender


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Max Kohl | [example.com] <kohl@example.com>", [("Max Kohl | [example.com]", "kohl@example.com")]),
        ('"Kohl, Max" <Max@Example.com>, b@example.com', [("Kohl, Max", "max@example.com"), ("", "b@example.com")]),
        ("Kohl, Max <max@example.com>, b@example.com", [("Kohl, Max", "max@example.com"), ("", "b@example.com")]),
        ("=?utf-8?Q?Kohl=2C_M=C3=A4x?= <max@example.com>", [("Kohl, Mäx", "max@example.com")]),
        ('"=?utf-8?Q?M=C3=A4x?=" <max@example.com>', [("Mäx", "max@example.com")]),
        ("=?utf-8?B?TWF4IDxtYXhAZXhhbXBsZS5jb20+?=", [("Max", "max@example.com")]),
        ("undisclosed-recipients:;", []),
        ("undisclosed-recipient:@mx.example.com", []),
        ("Max <max@(the host)example.com>", [("Max", "max@example.com")]),
        ("Undisclosed recipients", []),
        (
            "Team: a@example.com, B <b@example.com>; c@example.com",
            [("", "a@example.com"), ("B", "b@example.com"), ("", "c@example.com")],
        ),
        ("<max@example.com.>", [("", "max@example.com")]),
        ("<<max@example.com>>", [("", "max@example.com")]),
        ("Max <max@example.com", [("Max", "max@example.com")]),
        ('"Max <max@example.com>', [("Max", "max@example.com")]),
        ("Max < max @ example.com >", [("Max", "max@example.com")]),
        ("'Max' <mailto:max@example.com>", [("Max", "max@example.com")]),
        ("max@example.com (Max (the) Kohl)", [("Max (the) Kohl", "max@example.com")]),
        ('"max@example.com" <max@example.com>', [("", "max@example.com")]),
        ("<@a.example,@b.example:max@example.com>", [("", "max@example.com")]),
        ("MAILER-DAEMON (Mail System)", [("Mail System", "mailer-daemon")]),
        ('"max kohl"@example.com', [("", '"max kohl"@example.com')]),
        ("a@example.com, a@example.com", [("", "a@example.com")]),
        (",;:<>()[", []),
    ],
)
def test_an_address_list_is_read(value: str, expected: list[tuple[str, str]]) -> None:
    assert [(one.display, one.value) for one in addresses(value)] == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"Mon, 01 Jan 2024 10:00:00 +0100", 1_704_099_600_000),
        (b"1 Jan 2024 10:00 -0500 (EST)", 1_704_121_200_000),
        (b"2024-01-01T10:00:00Z", 1_704_103_200_000),
        (b"Mon, 01 Jan 2024 10:00:60 +0000", 1_704_103_259_000),
        (b"Mon, 32 Foo 20x6", None),
        (b"Mon, 01 Jan 1901 10:00:00 +0000", None),
        (b"Mon, 01 Jan 2124 10:00:00 +0000", None),
        (b"Mon, 01 Jan 99999 10:00:00 +0000", None),
        (b"Mon, 01 Jan 2024 10:00:00 +9999", None),
        (b"", None),
    ],
)
def test_a_date_is_read_or_left(value: bytes, expected: int | None) -> None:
    assert read(b"Date: " + value + b"\n\n").at == expected


def test_ids_are_mended_and_bounded() -> None:
    refs = b"\n ".join(b"<%d@example.com>" % number for number in range(300))
    inbound = read(
        b"Message-ID: <abc\n def@example.com>\nIn-Reply-To: your mail of Monday <x@example.com>\nReferences: "
        + refs
        + b"\n\n"
    )
    assert inbound.message_id == "abcdef@example.com"
    assert inbound.in_reply_to == ("x@example.com",)
    assert len(inbound.references) == 100
    assert (inbound.references[0], inbound.references[-1]) == ("0@example.com", "299@example.com")
    assert read(b"Message-ID: no-brackets@example.com\n\n").message_id == "no-brackets@example.com"
    assert read(b"Message-ID: <" + b"x" * 2000 + b">\n\n").message_id is None


# -- bodies ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("charset", "data", "expected"),
    [
        (b"utf-8", "Größe".encode(), "Größe"),
        (b"GB2312", "镕订单".encode("gb18030"), "镕订单"),
        (b"us-ascii", "Größe".encode(), "Größe"),
        (b"us-ascii", "Größe".encode("latin-1"), "Größe"),
        (b"x-invented", "Größe".encode(), "Größe"),
        (b"iso-8859-1", "“Größe”".encode("cp1252"), "“Größe”"),
        (b"iso-2022-jp", "注文①".encode("iso2022_jp_ext", "ignore"), "注文"),
        (b"utf-8", "Größe".encode() + b"\xff\xfe", "Größe\ufffd\ufffd"),
        (b"utf-8", "Größe, die fehlt an einer Stelle".encode() + b"\xff", "Größe, die fehlt an einer Stelle�"),
        (b"utf-16", "Größe".encode("utf-16"), "Größe"),
        (b"rot13", b"Hello", "Hello"),
        (b"", "注文の件について".encode("shift_jis"), "注文の件について"),
    ],
)
def test_a_body_is_decoded_whatever_its_label(charset: bytes, data: bytes, expected: str) -> None:
    head = b"Content-Type: text/plain; charset=%s\nContent-Transfer-Encoding: base64\n" % charset
    assert mail(base64.encodebytes(data), head).text == expected


def test_newlines_nul_and_lone_surrogates_become_storable() -> None:
    assert mail(b"a\r\nb\rc\x00d").text == "a\nb\nc�d"
    assert mail(b"x+2AA-y", b"Content-Type: text/plain; charset=utf-7\n").text == "x�y"


@pytest.mark.parametrize(
    ("encoding", "body", "expected"),
    [
        (b"quoted-printable", b"a=3Db=\nc=ZZ", "a=bc=ZZ"),
        (b"BASE64", b"SGVsbG8=\n", "Hello"),
        (b"base64", b"SGVsbG8", "Hello"),
        (b"base64", b"SGVs\nbG8=\nIHlvdQ==\n", "Hello you"),
        (b"base64", b"Hello, this is no base64 at all.\n", "Hello, this is no base64 at all.\n"),
        (
            b"base64",
            b"plain words in lines that are long enough\n" * 3,
            "plain words in lines that are long enough\n" * 3,
        ),
        (b"x-uuencode", b"begin 644 x\n%2&5L;&\\ \n`\nend\n", "Hello"),
        (b"invented", b"Hello", "Hello"),
    ],
)
def test_transfer_encodings_are_taken_off(encoding: bytes, body: bytes, expected: str) -> None:
    assert mail(body, b"Content-Transfer-Encoding: " + encoding + b"\n").text == expected


def test_flowed_text_is_joined() -> None:
    body = b"One long \nline.\n\n> quoted \n> too\n -- no signature\n-- \nMax\n"
    assert (
        mail(body, b"Content-Type: text/plain; format=flowed\n").text
        == "One long line.\n\n> quoted too\n-- no signature\n-- \nMax\n"
    )
    assert (
        mail(
            b"\xe6\xb3\xa8 \n\xe6\x96\x87\n", b"Content-Type: text/plain; charset=utf-8; format=flowed; delsp=yes\n"
        ).text
        == "注文\n"
    )


def test_a_uuencoded_file_in_the_text_becomes_a_file() -> None:
    inbound = mail(b"See:\nbegin 644 ../evil/a.txt\n%2&5L;&\\ \n`\nend\nBye\n")
    assert inbound.text == "See:\nBye\n"
    assert (inbound.attachments[0].name, blob(inbound, 0)) == ("a.txt", b"Hello")
    assert mail(b"begin 644 thoughts\nwith words and no end\n").attachments == ()


PLAIN = b"Content-Type: text/plain\n\nplain words\n"
HTML = b"Content-Type: text/html\n\n<p>html <b>words</b></p>\n"


def test_plain_text_is_preferred_among_alternatives() -> None:
    inbound = multipart("alternative", PLAIN, HTML)
    assert (inbound.text, inbound.html, inbound.attachments) == ("plain words\n", True, ())
    assert multipart("alternative", PLAIN, PLAIN).text == "plain words\n"


def test_a_named_text_among_alternatives_is_text() -> None:
    inbound = multipart("alternative", b"Content-Type: text/plain; name=body.txt\n\nplain words\n", HTML)
    assert (inbound.text, inbound.attachments) == ("plain words\n", ())


@pytest.mark.parametrize(
    "plain",
    [
        b" \n\n",
        b"Your e-mail client does not support HTML.\n",
        b"View this message in a browser: https://example.com/\n",
    ],
)
def test_html_is_taken_where_the_plain_text_says_nothing(plain: bytes) -> None:
    inbound = multipart("alternative", b"Content-Type: text/plain\n\n" + plain, HTML)
    assert inbound.text == "html **words**"


def test_a_short_text_about_browsers_is_no_placeholder() -> None:
    page = b"Content-Type: text/html\n\n<p>My browser shows nothing since Monday.</p>\n"
    assert (
        multipart("alternative", b"\nMy browser shows nothing since Monday.\n", page).text
        == "My browser shows nothing since Monday.\n"
    )


def test_texts_beside_each_other_are_put_together() -> None:
    image = b"Content-Type: image/png; name=a.png\nContent-Disposition: inline; filename=a.png\n\nPNG"
    inbound = multipart("mixed", PLAIN, image, HTML, PLAIN)
    assert inbound.text == "plain words\n\nhtml **words**\n\nplain words\n"
    assert [(file.name, file.inline) for file in inbound.attachments] == [("a.png", True)]


def test_a_nested_mail_and_a_report_stay_byte_for_byte() -> None:
    nested = b"From:   odd@example.com\nSubject: =?utf-8?Q?=C3=BC?=\nX:\ty \n\n--=_inner\nbody  \n"
    status = b"Reporting-MTA: dns; mx.example\n\nFinal-Recipient:  rfc822;x@example.com\nAction: delayed\n"
    inbound = multipart(
        "mixed",
        PLAIN,
        b"Content-Type: message/rfc822\n\n" + nested,
        b"Content-Type: message/delivery-status\n\n" + status,
    )
    assert (blob(inbound, 0), blob(inbound, 1)) == (nested, status)
    assert [file.name for file in inbound.attachments] == ["part-2.eml", "part-3.txt"]


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b'Content-Disposition: attachment; filename="report.pdf"', "report.pdf"),
        (b"Content-Disposition: attachment; filename=my report.pdf", "my report.pdf"),
        (b"Content-Disposition: attachment; filename*=utf-8''Gr%C3%B6%C3%9Fe.pdf", "Größe.pdf"),
        (
            b"Content-Disposition: attachment; filename*0*=iso-8859-1''Gr%F6; filename*1*=%DFe; filename*2=.pdf",
            "Größe.pdf",
        ),
        (b"Content-Disposition: attachment; filename*1=b.pdf; filename*0=a", "ab.pdf"),
        (b'Content-Type: application/pdf; name="=?utf-8?Q?Gr=C3=B6=C3=9Fe?=.pdf"', "Größe.pdf"),
        (b'Content-Disposition: attachment; filename="../../etc/passwd"', "passwd"),
        (b'Content-Disposition: attachment; filename="C:\\\\temp\\\\a.txt"', "a.txt"),
        (b'Content-Disposition: attachment; filename=".."', "part-2.bin"),
        (b"Content-Disposition: attachment; filename*=utf-8''%2e%2e%2f%2e%2e", "part-2.bin"),
        (b"Content-Disposition: attachment; filename*=utf-8''a%00%0Ab.txt", "ab.txt"),
        (b"Content-Type: application/pdf\nContent-Disposition: attachment", "part-2.pdf"),
        (b'Content-Disposition: attachment; filename="' + b"x" * 300 + b'.pdf"', "x" * 196 + ".pdf"),
        ('Content-Disposition: attachment; filename="Größe.pdf"'.encode(), "Größe.pdf"),
    ],
)
def test_a_file_has_only_a_files_name(head: bytes, name: str) -> None:
    default = b"" if b"Content-Type" in head else b"Content-Type: application/octet-stream\n"
    inbound = multipart("mixed", PLAIN, default + head + b"\n\ndata")
    assert [file.name for file in inbound.attachments] == [name]
    assert (inbound.attachments[0].size, blob(inbound, 0)) == (4, b"data")


def test_pictures_of_a_page_are_inline() -> None:
    picture = b"Content-Type: image/png\nContent-ID: <p1@example.com>\nContent-Transfer-Encoding: base64\n\nUE5H\n"
    inbound = multipart("related", HTML, picture)
    assert inbound.text == "html **words**"
    (file,) = inbound.attachments
    assert (file.name, file.inline, file.content_id, blob(inbound, 0)) == ("part-2.png", True, "p1@example.com", b"PNG")


@pytest.mark.parametrize(
    ("more", "text"),
    [(b"", "html **words**"), (b'; start="<t2@example.com>"', "two")],
    ids=["first to be read", "named"],
)
def test_a_page_need_not_come_first(more: bytes, text: str) -> None:
    file = b"Content-Type: text/plain\nContent-Disposition: attachment\n\nfile\n"
    second = b"Content-Type: text/plain\nContent-ID: <t2@example.com>\n\ntwo\n"
    body = b"".join(b"--=_y\n" + part for part in (file, HTML, second)) + b"--=_y--\n"
    inbound = mail(body, b"Content-Type: multipart/related; boundary==_y" + more + b"\n")
    assert inbound.text.strip() == text
    assert len(inbound.attachments) == 2


@pytest.mark.parametrize(
    "body",
    [
        b"--=_y\n\nplain words\n--=_y\nContent-Type: image/png\n\nPNG\n",
        b"--other\nContent-Type: text/plain\n\nplain words\n--other\nContent-Type: image/png\n\nPNG\n--other--\n",
        b"preamble\n--=_y  \n\nplain words\n\n--=_y\t\nContent-Type: image/png\n\nPNG\n--=_y--\nepilogue\n",
    ],
    ids=["cut", "wrong boundary", "spaces"],
)
def test_a_damaged_multipart_still_gives_its_parts(body: bytes) -> None:
    inbound = mail(body, b'Content-Type: multipart/mixed; boundary="=_y"\n')
    assert inbound.text.strip() == "plain words"
    assert [file.content_type for file in inbound.attachments] == ["image/png"]


def test_a_multipart_without_parts_is_text() -> None:
    inbound = mail(b"just words\n", b"Content-Type: multipart/mixed\n")
    assert (inbound.text, inbound.problems) == ("just words\n", ("A multipart names no boundary.",))


# -- HTML --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<div>one</div><div>two</div><div><br></div><div>three</div>", "one\ntwo\n\nthree"),
        ("<p>a</p><p>b<br>c</p>", "a\n\nb\nc"),
        (
            '<a href="https://example.com/x">here</a> and <a href="https://example.com/x">there</a>',
            "here [1] and there [1]\n\n[1] https://example.com/x\n",
        ),
        (
            '<a href="https://example.com/">https://example.com/</a> <a href="mailto:a@example.com">a@example.com</a>',
            "https://example.com/ a@example.com",
        ),
        ('<a href="javascript:alert(1)">x</a><a href="#top">y</a>', "xy"),
        ("<ul><li>a<li>b</ul>", "- a\n- b"),
        ("<blockquote>a<div>b</div></blockquote>c", "> a\n> b\n\nc"),
        (
            "<table><tr><th>A</th><th>B</th></tr><tr><td>1</td><td>2</td></tr></table>",
            "| A | B |\n| --- | --- |\n| 1 | 2 |",
        ),
        ("<table><tr><td><table><tr><td><p>a</p><p>b</p></td></tr></table></td></tr></table>", "a\n\nb"),
        ('<div style="display:none">hidden</div><div style="max-height:0px">h</div><p>shown</p>', "shown"),
        ("<style>p{}</style><script>x()</script><p>shown</p>", "shown"),
        ('<img src="cid:x" alt="Logo"><img src="http://example.com/pixel.gif">text', "[Logo]text"),
        ("<div>" * 3000 + "deep" + "</div>" * 3000, "deep"),
        ("<b>" * 20_000 + "deeper", "deeper"),
    ],
)
def test_html_reads_well(page: str, text: str) -> None:
    inbound = mail(page.encode(), b"Content-Type: text/html; charset=utf-8\n")
    assert inbound.text == text
    assert inbound.html


@pytest.mark.parametrize(
    "quote",
    [
        '<div class="gmail_quote"><div class="gmail_attr">On Monday Robin wrote:<br></div><blockquote class="gmail_quote">old</blockquote></div>',
        '<div class="moz-cite-prefix">Am Montag schrieb Robin:</div><blockquote type="cite"><p>old</p></blockquote>',
        '<div class="yahoo_quoted">old</div>',
        '<hr><div id="divRplyFwdMsg"><b>From:</b> Robin<br><b>Sent:</b> Monday<br><b>To:</b> Max<br><b>Subject:</b> x</div><div>old</div>',
        "<p>On Mon, 1 Jan 2024 at 10:00 Robin wrote:</p><blockquote>old</blockquote>",
    ],
)
def test_quotes_in_html_are_known_by_their_containers(quote: str) -> None:
    inbound = mail(
        f'<p>My <a href="https://example.com/">answer</a>.</p>{quote}'.encode(), b"Content-Type: text/html\n"
    )
    assert "old" in inbound.text
    assert inbound.visible.removeprefix("My answer [1].").replace("---", "").strip() == "[1] https://example.com/"


def test_an_answer_below_a_quote_in_html_stays() -> None:
    page = b'<blockquote type="cite">old</blockquote><p>My answer</p><blockquote type="cite">old</blockquote><p>and more</p>'
    assert mail(page, b"Content-Type: text/html\n").visible == "My answer\n\nand more"
