"""Which parts of a mail are its text and which are files."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from channels.email import mime, uuencode
from channels.email.charsets import decode, storable
from channels.email.htmltext import INPUT_CHARACTERS, QUOTES_CHARACTERS, Links, holds_quotes, html_text
from channels.email.mime import Part
from channels.email.visible import visible
from desk.blobs import Blob
from desk.model import Attachment

TEXT_BYTES = 2 * 1024 * 1024
NAME_CHARACTERS = 200

_READ = frozenset({"text/plain", "text/html", "text/markdown", "text/enriched", "text/richtext"})
# A short text that speaks of these stands for the HTML beside it ("your program cannot show HTML").
_PLACEHOLDER = re.compile(r"html|browser|web ?version|e-?mail[- ](?:client|program)", re.IGNORECASE)
_PLACEHOLDER_CHARACTERS = 400
_WORD = re.compile(r"\w{4,}")
_PAGE = re.compile(r"\s*<(?:!doctype html|html|head|body)\b", re.IGNORECASE)
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_ENDINGS = {
    "text/plain": ".txt",
    "text/html": ".html",
    "text/csv": ".csv",
    "text/calendar": ".ics",
    "text/vcard": ".vcf",
    "text/x-vcard": ".vcf",
    "text/rfc822-headers": ".txt",
    "message/delivery-status": ".txt",
    "message/feedback-report": ".txt",
    "message/disposition-notification": ".txt",
    "message/rfc822": ".eml",
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "image/svg+xml": ".svg",
    "application/pdf": ".pdf",
    "application/zip": ".zip",
    "application/json": ".json",
    "application/xml": ".xml",
    "application/ics": ".ics",
    "application/ms-tnef": ".dat",
    "application/pgp-signature": ".asc",
    "application/pgp-encrypted": ".asc",
    "application/pkcs7-signature": ".p7s",
    "application/pkcs7-mime": ".p7m",
    "audio/mpeg": ".mp3",
    "video/mp4": ".mp4",
}


@dataclass(slots=True)
class Content:
    """The readable text of a mail, the same without quotes and signature, and its files."""

    text: str = ""
    visible: str = ""
    html: bool = False
    attachments: list[Attachment] = field(default_factory=list)
    blobs: dict[str, Blob] = field(default_factory=dict)


class _Piece:
    """One stretch of body text. It is decoded when somebody asks: the HTML beside a good text never is."""

    __slots__ = ("_reader", "_source", "html", "part")

    def __init__(self, part: Part, reader: _Reader) -> None:
        self.part = part
        self.html = part.content_type == "text/html"
        self._reader = reader
        self._source: str | None = None

    @property
    def source(self) -> str:
        """The text as it stands in the mail."""
        if self._source is None:
            self._source = self._reader.decoded(self.part)
            if not self.html and self._source[:200].lstrip()[:1] == "<" and _PAGE.match(self._source):
                self.html = self._reader.content.html = True
            if not self.html:
                self._source = self._reader.unwrapped(self._source, self.part)
        return self._source


def read_content(raw: bytes, root: Part, problems: list[str]) -> Content:
    """Everything in the mail that a person could read or open."""
    reader = _Reader(raw, problems)
    reader.write(reader.visit(root))
    return reader.content


class _Reader:
    def __init__(self, raw: bytes, problems: list[str]) -> None:
        self.raw = raw
        self.problems = problems
        self.content = Content()
        self.leaves = 0
        self.room = TEXT_BYTES

    # -- choosing; the depth of `visit` is bounded by the tree's

    def visit(self, part: Part) -> list[_Piece]:
        """The text of `part`; files below it are kept on the way."""
        if not part.parts:
            return self._leaf(part)
        if part.content_type == "multipart/alternative":
            return _best([self.visit(child) for child in part.parts])
        if part.content_type == "multipart/related":
            pieces = self.visit(part.parts[0])
            for child in part.parts[1:]:
                self._keep_all(child)
            return pieces
        return [piece for child in part.parts for piece in self.visit(child)]

    def _leaf(self, part: Part) -> list[_Piece]:
        self.leaves += 1
        if part.content_type in _READ and self._is_body(part):
            self.content.html |= part.content_type == "text/html"
            return [_Piece(part, self)]
        self._keep(part)
        return []

    def _is_body(self, part: Part) -> bool:
        """Text is the body unless it is meant as a file; a mail of one part is, whatever its name."""
        alone = self.leaves == 1 and part.end == len(self.raw)
        if part.disposition == "attachment":
            return alone and not part.file_name
        return alone or not part.file_name

    # -- decoding, called by the pieces

    def decoded(self, part: Part) -> str:
        """The text of a part in its charset, as far as there is room for it."""
        data = mime.body(self.raw, part, self.problems)
        if len(data) > self.room:
            self.problems.append(
                f"The text is over {TEXT_BYTES // 1024 // 1024} MiB; the rest is left in the raw mail."
            )
            data = data[: self.room]
        self.room -= len(data)
        text, problem = decode(data, part.params.get("charset") or part.headers.hint)
        if problem:
            self.problems.append(problem)
        return storable(text)

    def unwrapped(self, source: str, part: Part) -> str:
        """Plain text with soft line breaks joined and uuencoded files taken out."""
        if part.params.get("format", "").lower() == "flowed":
            source = unflowed(source, part.params.get("delsp", "").lower() == "yes")
        if "begin " in source and "\nend" in source:
            source, files = uuencode.lift(source)
            for name, data in files:
                self._add(
                    data,
                    file_name(name, self.leaves, "application/octet-stream"),
                    "application/octet-stream",
                    False,
                    None,
                )
        return source

    # -- files

    def _keep_all(self, root: Part) -> None:
        """Keep what a page shows (pictures, styles) as files, shown in place."""
        for part in root.walk():
            if not part.parts:
                self.leaves += 1
                part.disposition = part.disposition or "inline"
                self._keep(part)

    def _keep(self, part: Part) -> None:
        data = mime.body(self.raw, part, self.problems)
        kind = part.content_type
        if kind.startswith("multipart/"):
            kind = "application/octet-stream"
            if not data.strip():
                return
        name = file_name(part.file_name, self.leaves, kind)
        cid = part.content_id if "content-id" in part.headers.fields else None
        inline = part.disposition != "attachment" and (part.disposition == "inline" or cid is not None)
        self._add(data, name, kind, inline, cid)

    def _add(self, data: bytes, name: str, kind: str, inline: bool, content_id: str | None) -> None:
        blob = Blob.of(data)
        self.content.blobs.setdefault(blob.key, blob)
        self.content.attachments.append(Attachment(name, kind, blob.size, blob.key, inline, content_id))

    # -- writing

    def write(self, pieces: list[_Piece]) -> None:
        """Put the chosen pieces together as `text` and `visible`."""
        links = Links()
        whole: list[str] = []
        own: list[str] = []
        room = INPUT_CHARACTERS
        for piece in pieces:
            source = piece.source
            if piece.html:
                source, room = source[:room], max(0, room - len(source))
                whole.append(html_text(source, links))
                twice = INPUT_CHARACTERS - room <= QUOTES_CHARACTERS and holds_quotes(source)
                own.append((html_text(source, links, quotes=False) if twice else "") or whole[-1])
            else:
                whole.append(source)
                own.append(source)
        self.content.text = _listed(_joined(whole), links, links.listing())
        shown = visible(_joined(own))
        self.content.visible = _listed(shown, links, links.listing(shown))


def _listed(text: str, links: Links, listing: str) -> str:
    return _joined([text, listing]) if links.numbers else text


def _best(options: list[list[_Piece]]) -> list[_Piece]:
    """Of alternatives the plain text, unless it says nothing; else the last that says something."""
    for option in options:
        if _speaks(option) and not any(piece.html for piece in option):
            pages = [piece for other in options for piece in other if piece.html]
            if not (pages and _is_placeholder(option, pages)):
                return option
    return next((option for option in reversed(options) if any(piece.html for piece in option) and _speaks(option)), [])


def _speaks(option: list[_Piece]) -> bool:
    return any(not piece.html and piece.source.strip() for piece in option) or any(
        piece.html and piece.source.strip() for piece in option
    )


def _is_placeholder(option: list[_Piece], pages: list[_Piece]) -> bool:
    """True for "your program cannot show HTML": a short text whose words the page does not have."""
    text = " ".join(piece.source for piece in option)
    if len(text) >= _PLACEHOLDER_CHARACTERS or not _PLACEHOLDER.search(text):
        return False
    words = _WORD.findall(text)[:20]
    return sum(any(word in page.source for page in pages) for word in words) < 0.8 * len(words)


def _joined(texts: list[str]) -> str:
    """Several texts under each other, one empty line between them; one alone stays as it is."""
    full = [text for text in texts if text.strip()]
    if len(full) < 2:
        return full[0] if full else ""
    return "\n\n".join(text.strip("\n") for text in full) + "\n"


def unflowed(text: str, delete_space: bool = False) -> str:
    """`text` with the soft line breaks of format=flowed (RFC 3676) taken out."""
    out: list[list[str]] = []
    depth_before, soft = -1, False
    for line in text.split("\n"):
        depth = len(line) - len(line.lstrip(">"))
        words = line[depth:].removeprefix(" ")
        joins = soft and depth == depth_before and words != "-- "
        soft = words.endswith(" ") and words != "-- "
        if soft and delete_space:
            words = words[:-1]
        if joins:
            out[-1].append(words)
        else:
            out.append([">" * depth + (" " if depth and words else ""), words])
        depth_before = depth
    return "\n".join("".join(pieces) for pieces in out)


def file_name(name: str, number: int, kind: str) -> str:
    """A name that is only a file's name; a made-up one where there is none."""
    name = storable(_UNPRINTABLE.sub("", name)).replace("\\", "/").rpartition("/")[2].strip(" \t")
    if not name.strip(". "):
        return f"part-{number}{_ENDINGS.get(kind, '.bin')}"
    if len(name) <= NAME_CHARACTERS:
        return name
    stem, dot, ending = name.rpartition(".")
    return (
        stem[: NAME_CHARACTERS - 1 - len(ending)] + dot + ending
        if stem and len(ending) <= 20
        else name[:NAME_CHARACTERS]
    )
