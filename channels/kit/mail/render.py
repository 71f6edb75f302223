"""An answer of the desk as the bytes of a mail; the same draft gives the same bytes.

The text goes out twice: as the agent wrote it, and as HTML made from its Markdown.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import cache
from typing import TYPE_CHECKING

from channels.kit.mail.encode import LINE_CHARACTERS, address, clean, header, mailbox, mailboxes, parameter, words
from desk.channel import Outgoing, Part
from desk.model import Attachment

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

REFERENCES_EACH_END = 20
ID_CHARACTERS = 250

_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,60}/[a-z0-9][a-z0-9!#$&^_.+-]{0,60}")
_ID = re.compile(r"[^\s<>()\x00-\x20\x7f-\x9f]+")
_SCHEMES = {"http", "https", "mailto"}
_TAGS = {
    *(
        "a",
        "blockquote",
        "br",
        "code",
        "del",
        "em",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "li",
        "ol",
        "p",
        "pre",
        "s",
        "strong",
    ),
    *("table", "tbody", "td", "th", "thead", "tr", "ul"),
}
_PAGE = '<!DOCTYPE html>\n<html>\n<head><meta charset="utf-8"></head>\n<body>\n{}</body>\n</html>\n'


def render(draft: Outgoing) -> Part:
    """The bytes of `draft` and the addresses they go to."""
    entity = _with_files(_alternatives(draft), draft) if draft.attachments else _alternatives(draft)
    fields = b"".join(header(name, value) for name, value in _fields(draft) if value)
    return Part(fields + entity, _recipients(draft))


def _recipients(draft: Outgoing) -> tuple[str, ...]:
    everybody = (address(person.value) for person in (*draft.to, *draft.cc, *draft.bcc))
    return tuple(dict.fromkeys(one for one in everybody if one))


# -- header ------------------------------------------------------------------


def _fields(draft: Outgoing) -> list[tuple[str, str]]:
    references = _references(draft.references)
    return [
        ("From", mailbox(draft.sender)),
        ("To", mailboxes(draft.to) or ("" if draft.cc else "undisclosed-recipients:;")),
        ("Cc", mailboxes(draft.cc)),
        ("Reply-To", mailbox(draft.reply_to) if draft.reply_to else ""),
        ("Subject", words(draft.subject)),
        ("Date", format_datetime(datetime.fromtimestamp(draft.at // 1000, UTC))),
        ("Message-ID", _bracketed(draft.message_id)),
        ("In-Reply-To", references[-1] if references else ""),
        ("References", " ".join(references)),
        ("Auto-Submitted", "auto-replied" if draft.automatic else ""),
        ("X-Auto-Response-Suppress", "All" if draft.automatic else ""),
        ("MIME-Version", "1.0"),
    ]


def _references(ids: Sequence[str]) -> list[str]:
    """The first, which names the thread, and the last, which are answered."""
    found = [one for one in (_bracketed(text) for text in ids) if one]
    return (
        found if len(found) <= 2 * REFERENCES_EACH_END else found[:REFERENCES_EACH_END] + found[-REFERENCES_EACH_END:]
    )


def _bracketed(text: str) -> str:
    bare = "".join(_ID.findall(clean(text)))
    return f"<{bare}>" if 0 < len(bare) <= ID_CHARACTERS else ""


# -- body --------------------------------------------------------------------


def _alternatives(draft: Outgoing) -> bytes:
    text = (
        draft.text.encode("utf-8", "replace")
        .decode()
        .replace("\r\n", "\n")
        .replace("\r", "\n")
        .replace("\x00", "\ufffd")
    )
    text = text if text.endswith("\n") else text + "\n"
    parts = [_text_part(text, "plain"), _text_part(_PAGE.format(html(text)), "html")]
    return _multipart("alternative", parts, draft.message_id)


def _with_files(body: bytes, draft: Outgoing) -> bytes:
    files = [_file_part(attachment, data) for attachment, data in draft.attachments]
    return _multipart("mixed", [body, *files], draft.message_id)


def _multipart(kind: str, parts: Sequence[bytes], message_id: str) -> bytes:
    """Several parts with a boundary that comes from the message id and from nothing inside."""
    number = 0
    while True:
        digest = hashlib.sha256(f"{kind} {number} {message_id}".encode("utf-8", "replace")).hexdigest()[:32]
        boundary = f"=_{digest}".encode()
        if not any(boundary in part for part in parts):
            break
        number += 1
    inner = b"".join(b"--%s\r\n%s\r\n" % (boundary, part) for part in parts)
    return (
        header("Content-Type", f'multipart/{kind}; boundary="{boundary.decode()}"')
        + b"\r\n"
        + inner
        + b"--%s--\r\n" % boundary
    )


def _text_part(text: str, kind: str) -> bytes:
    """Text as 7bit while it is plain ASCII in short lines, else quoted-printable."""
    if text.isascii() and max(map(len, text.split("\n"))) <= LINE_CHARACTERS and not _mangled(text):
        encoding, body = "7bit", text.encode().replace(b"\n", b"\r\n")
    else:
        encoding, body = "quoted-printable", _quoted_printable(text)
    fields = header("Content-Type", f"text/{kind}; charset=utf-8") + header("Content-Transfer-Encoding", encoding)
    return fields + b"\r\n" + body


def _mangled(text: str) -> bool:
    """True for what some servers change on the way: control characters, `From ` at the start of a line."""
    return "\nFrom " in text or text.startswith("From ") or not text.replace("\n", "").replace("\t", "").isprintable()


def _quoted_printable(text: str) -> bytes:
    lines = binascii.b2a_qp(text.encode(), istext=True).split(b"\n")
    return b"\r\n".join(b"=46" + line[1:] if line.startswith(b"From ") else line for line in lines)


def _file_part(attachment: Attachment, data: bytes) -> bytes:
    kind = attachment.content_type.lower()
    if not _TYPE.fullmatch(kind) or kind.startswith(("multipart/", "message/")):
        kind = "application/octet-stream"  # the others must not be sent in base64 (RFC 2046, 5.2)
    fields = header("Content-Type", kind + parameter("name", attachment.name))
    disposition = "inline" if attachment.inline else "attachment"
    fields += header("Content-Disposition", disposition + parameter("filename", attachment.name))
    if attachment.content_id and (content_id := _bracketed(attachment.content_id)):
        fields += header("Content-ID", content_id)
    fields += header("Content-Transfer-Encoding", "base64")
    return fields + b"\r\n" + base64.encodebytes(data).replace(b"\n", b"\r\n")


# -- Markdown ----------------------------------------------------------------


def html(text: str) -> str:
    """`text` as safe HTML: no raw HTML, no pictures, links only to the web and to mail."""
    import nh3

    page = _markdown().render(text)
    return nh3.clean(
        page,
        tags=_TAGS,
        attributes={"a": {"href"}, "ol": {"start"}},
        url_schemes=_SCHEMES,
        link_rel="noopener noreferrer",
    )


@cache
def _markdown() -> MarkdownIt:
    """Markdown as people write it in mails: a line break is one, and "-- " makes no heading of the line above."""
    from markdown_it import MarkdownIt

    reader = MarkdownIt("commonmark", {"html": False, "breaks": True})
    reader.enable(["table", "strikethrough"])
    reader.disable(["lheading", "image", "code", "html_block", "html_inline"])
    reader.validateLink = _is_safe  # type: ignore[method-assign, assignment]
    return reader


def _is_safe(target: str) -> bool:
    return target.partition(":")[0].strip().lower() in _SCHEMES
