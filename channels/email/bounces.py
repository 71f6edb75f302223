"""Reports that something we sent did not arrive: for whom, why, and which message it was.

The standard form (RFC 3464) is read first, then what a few well-known servers write as
text; a library with many more forms comes last.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator

from channels.email import mime
from channels.email.addresses import addresses
from channels.email.headers import Headers, read_block
from channels.email.ids import message_id, message_ids
from channels.email.mime import Part
from desk.channel import Bounce, Undelivered

RECIPIENTS = 200
REPORT_BYTES = 256 * 1024
TEXT_CHARACTERS = 64 * 1024
_LIBRARY_PARTS = 50
_LINE_ENDS = b"\r\n"

_STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
_REPLY = re.compile(r"(?<![\d.])([45])\d\d(?=[\s-])")
_QUOTED_ID = re.compile(r"^[> ]{0,8}Message-ID:[ \t]*(<[^<>\n]{1,500}>)", re.IGNORECASE | re.MULTILINE)
_NAMED = re.compile(r"^[ \t]{0,8}<?([^\s<>:;,\"]{1,64}@[^\s<>:;,\"]{1,255}?)>?:?(?:[ \t].*)?$", re.MULTILINE)
_INTRODUCED = (
    "this is the qmail-send program",
    "could not be delivered to one or more",
    "the following address(es) failed",
    "the following addresses failed",
    "had permanent fatal errors",
    "had permanent delivery errors",
    "did not reach the following recipient",
    "delivery to the following recipient",
    "your message wasn't delivered to",
    "your message couldn't be delivered",
    "i wasn't able to deliver your message",
    "konnte nicht zugestellt werden",
)
_COPY = re.compile(
    r"^-{2,}.{0,80}(?:copy of (?:the|your) message|original message|returned message|message header)",
    re.IGNORECASE | re.MULTILINE,
)
_DELAYED = re.compile(
    r"\bdelay|\bwarning\b|still (?:being )?(?:trying|retried)|will (?:be retried|keep trying)|not yet been delivered",
    re.IGNORECASE,
)


def read_bounce(raw: bytes, root: Part, text: str) -> Bounce | None:
    """What the report says, None if it names neither a recipient nor a message."""
    recipients = _standard(raw, root) or _headers(root.headers, text) or _text(text) or _library(raw, root)
    original = _original(raw, root, text)
    known = {found.address: found for found in reversed(recipients)}
    unique = tuple(reversed(known.values()))[:RECIPIENTS]
    return Bounce(unique, original) if unique or original or _is_standard(root) else None


# -- RFC 3464 ----------------------------------------------------------------


def _is_standard(root: Part) -> bool:
    return any(part.content_type.endswith("delivery-status") for part in root.walk())


def _standard(raw: bytes, root: Part) -> list[Undelivered]:
    found: list[Undelivered] = []
    for part in root.walk():
        if part.content_type in ("message/delivery-status", "message/global-delivery-status"):
            found += _groups(mime.body(raw, part, [])[:REPORT_BYTES])
    return found[: RECIPIENTS * 2]


def _groups(report: bytes) -> Iterator[Undelivered]:
    """The failed recipients of one report: a group of fields each, empty lines between."""
    at = 0
    while at < len(report):
        if report[at] in _LINE_ENDS:
            at += 1
            continue
        headers, stop = read_block(report, at, len(report))
        if one := _recipient(headers):
            yield one
        at = max(stop, at + 1)


def _recipient(headers: Headers) -> Undelivered | None:
    action = headers.text("action").lower()
    # The address that we wrote to comes before the one it was forwarded to.
    named = headers.raw("original-recipient") or headers.raw("final-recipient")
    people = addresses(named.rpartition(";")[2].strip())
    if not people or action in ("delivered", "relayed", "expanded"):
        return None
    status = _status(headers.raw("status")) or _status(headers.raw("diagnostic-code"))
    if action not in ("failed", "delayed"):
        return Undelivered(people[0].value, status, status.startswith("5"))
    return Undelivered(people[0].value, status, action == "failed")


def _status(text: str) -> str:
    """The enhanced status code (RFC 3463) in `text`; a plain reply code gives its class."""
    if found := _STATUS.search(text):
        return found[0]
    reply = _REPLY.search(text + " ")
    return f"{reply[1]}.0.0" if reply else ""


# -- well-known servers ------------------------------------------------------


def _headers(headers: Headers, text: str) -> list[Undelivered]:
    """What Exim and Gmail write into a header of their own."""
    people = [person for value in headers.every("x-failed-recipients")[:20] for person in addresses(value)]
    report = _report_text(text)
    status = _status(report)
    return [Undelivered(person.value, status, not status.startswith("4")) for person in people]


def _text(text: str) -> list[Undelivered]:
    """Addresses on lines of their own below the words with which a server introduces them."""
    report = _report_text(text)
    low = report.lower()
    start = max((low.find(words) for words in _INTRODUCED), default=-1)
    if start < 0:
        return []
    final = not _DELAYED.search(report[:2_000]) or "permanent" in low
    found: list[Undelivered] = []
    matches = list(_NAMED.finditer(report, start))[:RECIPIENTS]
    for number, match in enumerate(matches):
        below = report[match.end() if not match[0].rstrip().endswith(match[1]) else match.start() :][:600]
        if number + 1 < len(matches):
            below = below[: max(0, matches[number + 1].start() - match.start())]
        status = _status(match[0] + "\n" + below)
        found.append(Undelivered(match[1].lower().strip("'"), status, final and not status.startswith("4")))
    return found


def _report_text(text: str) -> str:
    """The report without the copy of our message below it."""
    text = text[:TEXT_CHARACTERS]
    copy = _COPY.search(text)
    return text[: copy.start()] if copy else text


def _library(raw: bytes, root: Part) -> list[Undelivered]:
    """The many odd forms that a library knows; only for small mails, as it is no fortress."""
    if sum(1 for _ in root.walk()) > _LIBRARY_PARTS or len(raw) > REPORT_BYTES:
        return []
    import email

    from flufl.bounce import all_failures

    logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL)
    try:
        delayed, failed = all_failures(email.message_from_bytes(raw))
    except Exception:
        return []
    pairs = [(address, True) for address in sorted(failed)] + [(address, False) for address in sorted(delayed)]
    people = [(addresses(address.decode("utf-8", "replace")), final) for address, final in pairs]
    return [Undelivered(found[0].value, "", final) for found, final in people if found]


# -- which message -----------------------------------------------------------


def _original(raw: bytes, root: Part, text: str) -> str | None:
    """The id of the message that came back: from its returned headers, else from the report."""
    for part in root.walk():
        if part.content_type in (
            "message/rfc822",
            "text/rfc822-headers",
            "message/global",
            "message/global-headers",
            "message/rfc822-headers",
        ):
            returned, _ = read_block(data := mime.body(raw, part, [])[:REPORT_BYTES].lstrip(b"\r\n"), 0, len(data))
            if found := message_id(returned.raw("message-id")):
                return found
    if quoted := _QUOTED_ID.search(text[:TEXT_CHARACTERS]):
        return message_id(quoted[1])
    for name in ("in-reply-to", "references"):
        if ids := message_ids(root.headers.raw(name)):
            return ids[-1]
    return None
