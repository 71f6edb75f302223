"""One generated mail: its bytes and the truth they encode, the encodings, and the ways to break it."""

from __future__ import annotations

import binascii
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(slots=True)
class Attachment:
    """One attachment, as a parser should report it."""

    name: str
    content_type: str
    data: bytes


@dataclass(slots=True)
class Message:
    """One generated message: the bytes, and the truth they encode."""

    index: int
    thread: int
    timestamp: int
    message_id: str
    in_reply_to: str | None
    references: list[str]
    direction: str  # "in" from a customer, "out" from an agent
    sender_name: str
    sender_address: str
    recipient_name: str
    recipient_address: str
    subject: str
    text: str
    language: str
    charset: str
    attachments: list[Attachment]
    raw: bytes
    defect: str | None = None

    def truth(self) -> dict[str, object]:
        """The decoded message as plain data (what a correct parser returns)."""
        return {
            "index": self.index,
            "thread": self.thread,
            "date": self.timestamp,
            "message_id": self.message_id,
            "in_reply_to": self.in_reply_to,
            "references": self.references,
            "direction": self.direction,
            "from_name": self.sender_name,
            "from_address": self.sender_address,
            "to_address": self.recipient_address,
            "subject": self.subject,
            "text": self.text,
            "language": self.language,
            "charset": self.charset,
            "attachments": [{"name": a.name, "type": a.content_type, "size": len(a.data)} for a in self.attachments],
            "size": len(self.raw),
            "defect": self.defect,
        }


def rfc5322_date(timestamp: int) -> str:
    """`timestamp` as an RFC 5322 date in UTC (locale-independent)."""
    t = time.gmtime(timestamp)
    return f"{_DAYS[t.tm_wday]}, {t.tm_mday:02d} {_MONTHS[t.tm_mon - 1]} {t.tm_year} {t.tm_hour:02d}:{t.tm_min:02d}:{t.tm_sec:02d} +0000"


def base64_lines(data: bytes) -> bytes:
    """Base64 in lines of 76 characters, with a final newline."""
    text = binascii.b2a_base64(data, newline=False)
    return b"".join([text[i : i + 76] + b"\n" for i in range(0, len(text), 76)])


def encoded_words(text: str, charset: str, method: str = "B") -> str:
    """`text` as RFC 2047 encoded words of at most 75 characters, folded.

    ASCII text is returned unchanged.  A word never splits a character.
    """
    if text.isascii():
        return text
    room = 75 - len(charset) - 7
    words: list[str] = []
    start = 0
    while start < len(text):
        end = min(len(text), start + 30)
        while True:
            payload = _header_payload(text[start:end].encode(charset), method)
            if len(payload) <= room or end - start == 1:
                break
            end = start + max(1, (end - start) * room // len(payload))
        words.append(f"=?{charset}?{method}?{payload}?=")
        start = end
    return "\n ".join(words)


def _header_payload(data: bytes, method: str) -> str:
    if method == "B":
        return binascii.b2a_base64(data, newline=False).decode("ascii")
    return "".join(chr(b) if chr(b).isalnum() and b < 128 else "_" if b == 32 else f"={b:02X}" for b in data)


def text_part(text: str, charset: str, subtype: str, cte: str) -> bytes:
    """A leaf text part: headers, blank line, encoded body ending in a newline."""
    data = text.encode(charset)
    if cte == "quoted-printable":
        body = binascii.b2a_qp(data, istext=True)
    elif cte == "base64":
        body = base64_lines(data)
    else:
        body = data
    return b"Content-Type: text/%s; charset=%s\nContent-Transfer-Encoding: %s\n\n%s" % (
        subtype.encode(),
        charset.encode(),
        cte.encode(),
        body,
    )


def html_escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


# -- broken on purpose ------------------------------------------------------


def _cut_header(raw: bytes, name: bytes) -> bytes:
    """`raw` without the (possibly folded) header `name`."""
    head, gap, body = raw.partition(b"\n\n")
    kept: list[bytes] = []
    dropping = False
    for line in head.split(b"\n"):
        if line[:1] not in (b" ", b"\t"):
            dropping = line.lower().startswith(name.lower() + b":")
        if not dropping:
            kept.append(line)
    return b"\n".join(kept) + gap + body


_DEFECTS: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "unknown-charset": lambda raw, rng: raw.replace(b"charset=", b"charset=x-unknown-", 1),
    "wrong-charset": lambda raw, rng: raw.replace(b"charset=utf-8", b"charset=us-ascii"),
    "no-message-id": lambda raw, rng: _cut_header(raw, b"Message-ID"),
    "no-date": lambda raw, rng: _cut_header(raw, b"Date"),
    "bad-date": lambda raw, rng: raw.replace(b"\nDate: ", b"\nDate: 32 Foo 20x6 ", 1),
    "no-from": lambda raw, rng: _cut_header(raw, b"From"),
    "bad-from": lambda raw, rng: _cut_header(raw, b"From").replace(b"\nTo: ", b"\nFrom: a@b@c, <>;:[\nTo: ", 1),
    "duplicate-subject": lambda raw, rng: raw.replace(b"\nSubject: ", b"\nSubject: first\nSubject: ", 1),
    "raw-8bit-header": lambda raw, rng: raw.replace(b"\nSubject: ", b"\nSubject: \xcf\xf0\xe8\xe2\xe5\xf2 \xff ", 1),
    "broken-encoded-word": lambda raw, rng: raw.replace(
        b"\nSubject: ", b"\nSubject: =?utf-8?B?4pyT4p?= =?bogus?Q?=ZZ?= ", 1
    ),
    "unterminated-multipart": lambda raw, rng: raw.rstrip(b"-\n").rsplit(b"\n--", 1)[0] + b"\n",
    "truncated": lambda raw, rng: raw[: max(40, len(raw) * rng.randint(30, 90) // 100)],
    "nul-bytes": lambda raw, rng: raw[:-20] + b"\x00\x00binary\x00" + raw[-20:],
    "bad-base64": lambda raw, rng: raw.replace(
        b"\nContent-Transfer-Encoding: 7bit", b"\nContent-Transfer-Encoding: base64", 1
    ),
    "lone-cr": lambda raw, rng: raw.replace(b"\n\n", b"\n\n\rlone\rcr\r\n", 1),
    "empty-body": lambda raw, rng: raw.partition(b"\n\n")[0] + b"\n\n",
    "no-headers": lambda raw, rng: raw.partition(b"\n\n")[2],
    "deep-nesting": lambda raw, rng: (
        raw.partition(b"\nMIME-Version")[0]
        + b"".join(b'\nContent-Type: multipart/mixed; boundary="b%d"\n\n--b%d' % (i, i) for i in range(120))
        + b"\nContent-Type: text/plain\n\ndeep\n"
    ),
}


def damage(message: Message, rng: random.Random) -> None:
    """Break `message.raw` in one deterministic, named way."""
    message.defect = rng.choice(tuple(_DEFECTS))
    message.raw = _DEFECTS[message.defect](message.raw, rng)
