"""Any bytes that call themselves a mail, read as far as they can be read.

`parse` is pure and never raises. What a mail does wrong is said in `problems`; what is
over a cap stays in the raw mail, which is always kept.
"""

from __future__ import annotations

from channels.kit.mail.addresses import addresses
from channels.kit.mail.automatic import automatic
from channels.kit.mail.bounces import read_bounce
from channels.kit.mail.charsets import storable
from channels.kit.mail.content import read_content
from channels.kit.mail.headers import Headers
from channels.kit.mail.ids import message_id, message_ids, moment
from channels.kit.mail.mime import read_parts
from channels.kit.mail.show import describe
from channels.kit.mail.trust import Trust, authentication, is_spam
from desk.blobs import Blob
from desk.channel import Inbound, Raw
from desk.model import Identity

NOBODY = Trust()
SUBJECT_CHARACTERS = 1_000
PROBLEMS = 20
_UNREAD_BYTES = 64 * 1024
_SENDERS = ("from", "sender", "reply-to", "return-path")


def parse(raw: Raw, trust: Trust = NOBODY) -> Inbound:
    """The message in these bytes; what cannot be read of it is said in `problems`."""
    whole = Blob.of(raw.data)
    try:
        return _read(raw, whole, trust)
    except Exception as error:  # one mail that surprises us must neither be lost nor stop the next
        return _unread(raw, whole, error)


def _read(raw: Raw, whole: Blob, trust: Trust) -> Inbound:
    data = raw.data if b"\n" in raw.data else raw.data.replace(b"\r", b"\n")
    problems: list[str] = []
    root = read_parts(data, problems)
    headers = root.headers
    content = read_content(data, root, problems)
    subject = headers.text("subject")
    kind = automatic(headers, root, subject, content.text)
    content.blobs.pop(whole.key, None)
    return Inbound(
        external_id=raw.external_id,
        received_at=raw.received_at,
        sender=_sender(headers),
        text=content.text,
        visible=content.visible,
        subject=subject[:SUBJECT_CHARACTERS],
        at=moment(headers.raw("date")),
        to=_people(headers, "to"),
        cc=_people(headers, "cc"),
        reply_to=_people(headers, "reply-to"),
        message_id=message_id(headers.raw("message-id")),
        in_reply_to=_ids(headers, "in-reply-to"),
        references=_ids(headers, "references"),
        html=content.html,
        attachments=tuple(content.attachments),
        automatic=kind,
        bounce=read_bounce(data, root, content.text) if kind == "bounce" else None,
        problems=_sentences([*headers.problems, *problems]),
        protection=", ".join(sorted(content.protection, reverse=True)) or None,
        authentication=authentication(headers, trust),
        spam=is_spam(headers, trust),
        raw=whole.key,
        blobs=(whole, *content.blobs.values()),
    )


def _unread(raw: Raw, whole: Blob, error: Exception) -> Inbound:
    text = storable(raw.data[:_UNREAD_BYTES].decode("utf-8", "replace"))
    return Inbound(
        external_id=raw.external_id,
        received_at=raw.received_at,
        sender=None,
        text=text,
        visible=text,
        problems=(storable(f"The mail could not be read ({type(error).__name__}: {error})."[:300]),),
        unreadable=True,
        raw=whole.key,
        blobs=(whole,),
    )


def _sender(headers: Headers) -> Identity | None:
    """Who it is from: the first of From, Sender, Reply-To and Return-Path that names anybody."""
    for name in _SENDERS:
        if name in headers.fields and (people := _people(headers, name)):
            return people[0]
    return None


def _people(headers: Headers, name: str) -> tuple[Identity, ...]:
    values = headers.every(name)
    return addresses(values[0] if len(values) == 1 else ", ".join(values)) if values else ()


def _ids(headers: Headers, name: str) -> tuple[str, ...]:
    return message_ids(" ".join(headers.every(name))) if name in headers.fields else ()


def _sentences(problems: list[str]) -> tuple[str, ...]:
    return tuple(storable(problem) for problem in dict.fromkeys(problems))[:PROBLEMS]


__all__ = ["describe", "parse"]
