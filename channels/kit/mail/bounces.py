"""Reports that something we sent did not arrive: for whom, why, and which message it was.

The standard form (RFC 3464) is read first, wherever it stands, then a header that some
servers set, then what servers say in words; the returned message is asked last.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator

from channels.kit.mail import bouncetext, mime
from channels.kit.mail.addresses import addresses
from channels.kit.mail.headers import Headers, read_block
from channels.kit.mail.ids import message_id, message_ids
from channels.kit.mail.mime import Part
from desk.channel import Bounce, Undelivered

RECIPIENTS = 200
REPORT_BYTES = 256 * 1024
_LIBRARY_PARTS = 50
_LIBRARY_BYTES = 128 * 1024
_LINE_ENDS = b"\r\n"

_REPORTS = frozenset({"message/delivery-status", "message/global-delivery-status"})
_RETURNED = frozenset(
    {"message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers", "message/rfc822-headers"}
)
_ARRIVED = frozenset({"delivered", "relayed", "expanded", "deliverable"})
# Fields of a report that came as text: indented, quoted, or in a mail whose parts fell apart.
_IN_TEXT = re.compile(r"^[ \t>]{0,8}(?:final|original)-recipient:", re.IGNORECASE | re.MULTILINE)
_GAP = re.compile(r"\n[ \t>]*\n")
_INDENT = re.compile(r"^[ \t>]{1,8}(?=[A-Za-z-]+:)", re.MULTILINE)
_COPIED_ID = re.compile(r"^[> \t]{0,8}Message-ID:\s{0,80}(<[^<>\n]{1,500}>)", re.IGNORECASE | re.MULTILINE)
_COPIED_TO = re.compile(r"^[> \t]{0,8}To:[ \t]*(.{1,500})", re.IGNORECASE | re.MULTILINE)


def read_bounce(raw: bytes, root: Part, text: str) -> Bounce | None:
    """What the report says, None if it names neither a recipient nor a message."""
    text = text[: bouncetext.CHARACTERS]
    returned = _returned(raw, root)
    standard = _standard(raw, root, text)
    found = standard if standard is not None else _told(raw, root, text, returned)
    known = {one.address: one for one in reversed(found)}
    unique = tuple(reversed(known.values()))[:RECIPIENTS]
    original = _original(root, text, returned)
    return Bounce(unique, original) if unique or original or standard is not None else None


# -- RFC 3464 ----------------------------------------------------------------


def _standard(raw: bytes, root: Part, text: str) -> list[Undelivered] | None:
    """The recipients that did not get it; None where no report names any."""
    named = [one for part in root.walk() if part.content_type in _REPORTS for one in _of_part(raw, part)]
    if not named and _IN_TEXT.search(text):
        named = [one for group in _GAP.split(text)[:RECIPIENTS] if _IN_TEXT.search(group) for one in _of_text(group)]
    return [one for one in named if one is not None][: RECIPIENTS * 2] if named else None


def _of_part(raw: bytes, part: Part) -> list[Undelivered | None]:
    return list(_groups(mime.body(raw, part, [])[:REPORT_BYTES]))


def _of_text(group: str) -> list[Undelivered | None]:
    return list(_groups(_INDENT.sub("", group).encode("utf-8", "replace")))


def _groups(report: bytes) -> Iterator[Undelivered | None]:
    """What became of each recipient: a group of fields each, empty lines between; None for one who got it."""
    at = 0
    while at < len(report):
        if report[at] in _LINE_ENDS:
            at += 1
            continue
        headers, stop = read_block(report, at, len(report))
        # The address that we wrote to comes before the one it was forwarded to.
        for name in ("original-recipient", "final-recipient", "x-actual-recipient"):
            if people := addresses(headers.raw(name).rpartition(";")[2].strip()):
                yield _recipient(headers, people[0].value)
                break
        at = max(stop, at + 1)


def _recipient(headers: Headers, address: str) -> Undelivered | None:
    action = headers.text("action").lower().partition(" ")[0]
    status = bouncetext.status(headers.raw("status")) or bouncetext.status(headers.raw("diagnostic-code"))
    if action in _ARRIVED or (action not in ("failed", "delayed") and status.startswith("2")):
        return None
    if action in ("failed", "delayed"):
        return Undelivered(address, status, action == "failed")
    return Undelivered(address, status, not status.startswith("4"))


# -- everything else ---------------------------------------------------------


def _told(raw: bytes, root: Part, text: str, returned: Headers | None) -> list[Undelivered]:
    """The recipients, from whatever else the report is made of; the surest sign wins."""
    own = frozenset(
        person.value
        for name in ("from", "sender", "to", "envelope-to")
        for value in root.headers.every(name)[:5]
        for person in addresses(value)
    )
    report = bouncetext.Report(text, root.headers.text("subject"))
    return (
        [report.judged(address) for address in _failed_header(root.headers)]
        or report.recipients(own)
        or _library(raw, root)
        or report.mentioned(own)
        or [report.judged(address) for address in _written_to(text, returned)]
    )


def _failed_header(headers: Headers) -> list[str]:
    """What Exim and Gmail write into a header of their own."""
    return [one.value for value in headers.every("x-failed-recipients")[:20] for one in addresses(value)]


def _written_to(text: str, returned: Headers | None) -> list[str]:
    """Whom the returned message was for, if that was one address."""
    values = returned.every("to") if returned else _COPIED_TO.findall(text)[-1:]
    people = addresses(values[0]) if len(values) == 1 else ()
    return [people[0].value] if len(people) == 1 and "@" in people[0].value else []


def _library(raw: bytes, root: Part) -> list[Undelivered]:
    """The many odd forms that a library knows; only for small mails, as it is no fortress."""
    if len(raw) > _LIBRARY_BYTES or sum(1 for _ in root.walk()) > _LIBRARY_PARTS:
        return []
    try:
        import email

        from flufl.bounce import all_failures

        logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL)
        delayed, failed = all_failures(email.message_from_bytes(raw))
    except Exception:
        return []
    pairs = [(address, True) for address in sorted(failed)] + [(address, False) for address in sorted(delayed)]
    people = [(addresses(address.decode("utf-8", "replace")), final) for address, final in pairs]
    return [Undelivered(found[0].value, "", final) for found, final in people if found]


# -- which message -----------------------------------------------------------


def _returned(raw: bytes, root: Part) -> Headers | None:
    """The header of the message that came back, if it did."""
    for part in root.walk():
        if part.content_type in _RETURNED:
            data = mime.body(raw, part, [])[:REPORT_BYTES].lstrip(b"\r\n")
            returned, _ = read_block(data, 0, len(data))
            if returned.fields.keys() & {"message-id", "to", "from", "subject"}:
                return returned
    return None


def _original(root: Part, text: str, returned: Headers | None) -> str | None:
    """The id of the message that came back: from its header, else from the report."""
    if returned and (found := message_id(returned.raw("message-id"))):
        return found
    if copied := _COPIED_ID.search(text):
        return message_id(copied[1])
    for name in ("in-reply-to", "references"):
        if ids := message_ids(root.headers.raw(name)):
            return ids[-1]
    return None
