"""Texts on their way in and out: HTML as people read it, files as the store keeps them, Markdown as a channel writes it."""

from __future__ import annotations

from collections.abc import Sequence

from desk.blobs import Blob
from desk.capabilities import Capabilities
from desk.channel import Outgoing, Permanent
from desk.lengths import length, split
from desk.model import Attachment
from desk.text import storable

HTML_LIMIT = 512 * 1024
"""HTML beyond this many characters is read as far as here: posts are short, and reading takes time."""


def text_of_html(html: str) -> str:
    """What a person reads in a piece of HTML, its links numbered and listed below."""
    from channels.kit.mail.htmltext import Links, html_text

    links = Links()
    text = html_text(html[:HTML_LIMIT], links).strip()
    listing = links.listing(text)
    return f"{text}\n\n{listing}" if listing else text


def html_of_markdown(text: str) -> str:
    """An agent's Markdown as HTML that nobody can slip a script into."""
    from channels.kit.mail.render import html

    return html(storable(text))


def file(name: str, content_type: str, data: bytes, number: int = 1) -> tuple[Attachment, Blob]:
    """A file that came with a message, the `number`th of it: what the message says of it, and its bytes."""
    from channels.kit.mail.filenames import file_name, guessed_type

    blob, kind = Blob.of(data), content_type or guessed_type(name)
    return Attachment(file_name(name, number, kind), kind, len(data), blob.key), blob


def pieces(draft: Outgoing, can: Capabilities, text: str | None = None) -> list[str]:
    """The text of `draft` (or `text`, what became of it) as the messages it takes; `Permanent` when it is too long for one and must not be split."""
    whole = (draft.text if text is None else text).strip("\n")
    limit, unit = can.limit(public=draft.public)
    if limit is None or length(whole, unit) <= limit:
        return [whole]
    if not can.splits:
        raise Permanent(f"it has {length(whole, unit):,} {unit} and at most {limit:,} go: shorten it")
    return split(whole, limit, unit)


def check_files(draft: Outgoing, can: Capabilities) -> Sequence[tuple[Attachment, bytes]]:
    """The files of `draft`; `Permanent` names the first that the channel does not carry."""
    if draft.attachments and not can.attachment_limit_bytes:
        raise Permanent("this channel carries no files: send a link, or answer by mail")
    if can.attachment_count is not None and len(draft.attachments) > can.attachment_count:
        raise Permanent(f"{len(draft.attachments)} files, and at most {can.attachment_count} go with one message")
    for attachment, data in draft.attachments:
        if len(data) > can.attachment_limit_bytes:
            raise Permanent(f"{attachment.name} has {len(data):,} bytes, and at most {can.attachment_limit_bytes:,} go")
        if not can.takes(attachment.content_type):
            raise Permanent(
                f"{attachment.name} is {attachment.content_type}; it takes {', '.join(can.attachment_types)}"
            )
    return draft.attachments


__all__ = ["check_files", "file", "html_of_markdown", "pieces", "text_of_html"]
