"""An answer as an article that everybody can read: plain text, in lines that news readers show whole."""

from __future__ import annotations

import binascii
import json
import re
import textwrap
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime

from msgspec import Struct

from channels.kit.mail.encode import clean, header, mailbox, words
from desk.channel import Outgoing, Permanent

WIDTH = 76
LINE_BYTES = 990
"""A line has 998 bytes at most (RFC 5536, 2.1); a longer one is encoded."""
REFERENCES_EACH_END = 15

_ID = re.compile(r"[^\s<>()\x00-\x20\x7f-\x9f]{1,245}")
_FENCE = re.compile(r" {0,3}(```+|~~~+)")
_LISTED = re.compile(r"\s*(?:[-*+]|\d{1,3}[.)])\s+")


class Post(Struct, frozen=True):
    """What is sent: our Message-ID, the articles it answers (the nearest first), and all but Newsgroups of the article."""

    name: str
    answers: tuple[str, ...]
    article: str

    def data(self) -> bytes:
        """As bytes, for a part."""
        return json.dumps({"name": self.name, "answers": self.answers, "article": self.article}).encode()

    @staticmethod
    def of(data: bytes) -> Post:
        """The inverse of `data`."""
        found = json.loads(data)
        return Post(found["name"], tuple(found["answers"]), found["article"])


def post(draft: Outgoing) -> Post:
    """`draft` as an article; the same draft gives the same one."""
    name = _bare(draft.message_id)
    if not name or "@" not in name:
        raise Permanent("this message has no id of its own: write the answer anew")
    references = [one for one in map(_bare, draft.references) if one]
    nearest = _bare(draft.answers or "")
    if nearest and nearest not in references:
        references.append(nearest)
    root = _bare(draft.conversation or "")
    answers = tuple(dict.fromkeys(one for one in (nearest, *reversed(references), root) if one))
    body = _body(draft.text)
    encoding, text = _encoded(body)
    if len(references) > 2 * REFERENCES_EACH_END:
        references = references[:REFERENCES_EACH_END] + references[-REFERENCES_EACH_END:]
    fields = [
        ("From", mailbox(draft.sender)),
        ("Subject", words(draft.subject) or "Re: (no subject)"),
        ("Date", format_datetime(datetime.fromtimestamp(draft.at // 1000, UTC))),
        ("Message-ID", f"<{name}>"),
        ("References", " ".join(f"<{one}>" for one in references or ([root] if root else []))),
        ("MIME-Version", "1.0"),
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Transfer-Encoding", encoding),
    ]
    head = b"".join(header(field, value) for field, value in fields if value)
    return Post(name, answers, (head + b"\r\n").decode() + text)


def _body(text: str) -> str:
    """Prose in lines of 76 characters; code, quotes and links as they are."""
    lines: list[str] = []
    fence = ""
    text = text.encode("utf-8", "replace").decode().replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "\ufffd")
    for line in text.strip("\n").split("\n"):
        edge = _FENCE.match(line)
        if edge and (not fence or edge[1].startswith(fence)):
            fence = "" if fence else edge[1]
        if fence or edge or len(line) <= WIDTH or line.startswith((">", "    ", "\t", "|")):
            # "-- " begins the signature, and its space belongs to it.
            lines.append(line if line == "-- " else line.rstrip())
            continue
        listed = _LISTED.match(line)
        indent = " " * len(listed[0]) if listed else ""
        lines += textwrap.wrap(
            line, WIDTH, break_long_words=False, break_on_hyphens=False, subsequent_indent=indent
        ) or [""]
    return "\n".join(lines) + "\n"


def _encoded(body: str) -> tuple[str, str]:
    """The transfer encoding and the text in it."""
    longest = max(len(line.encode()) for line in body.split("\n"))
    plain = all(c.isprintable() or c in "\n\t" for c in body)
    if longest <= LINE_BYTES and plain:
        return ("7bit" if body.isascii() else "8bit"), body.replace("\n", "\r\n")
    coded = binascii.b2a_qp(body.encode(), istext=True).decode()
    return "quoted-printable", coded.replace("\r\n", "\n").replace("\n", "\r\n")


def with_groups(article: str, groups: Sequence[str]) -> list[bytes]:
    """The lines of the article as it is posted to `groups`."""
    return f"Newsgroups: {','.join(groups)}\r\n{article}".encode().removesuffix(b"\r\n").split(b"\r\n")


def _bare(name: str) -> str:
    found = _ID.fullmatch(clean(name).strip("<>"))
    return found[0] if found else ""


__all__ = ["Post", "post", "with_groups"]
