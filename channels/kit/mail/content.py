"""Which parts of a mail are its text and which are files."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from channels.kit.mail import invitations, mime, openpgp, smime, tnef, uuencode
from channels.kit.mail.charsets import decode, storable
from channels.kit.mail.filenames import file_name, guessed_type
from channels.kit.mail.headers import content_type
from channels.kit.mail.htmltext import INPUT_CHARACTERS, QUOTES_CHARACTERS, Links, holds_quotes, html_text
from channels.kit.mail.mime import Part, read_parts
from channels.kit.mail.visible import visible
from desk.blobs import Blob
from desk.model import Attachment

TEXT_BYTES = 2 * 1024 * 1024

NESTED = 3
NOTE_BYTES = 16 * 1024

_ENCRYPTED = (
    "This message is encrypted. What it says can only be read where its key is; the original is kept with the ticket."
)
_CALENDARS = frozenset({"text/calendar", "application/ics", "text/x-vcalendar"})
_TNEFS = frozenset({"application/ms-tnef", "application/vnd.ms-tnef"})
_PKCS7 = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
_READ = frozenset({"text/plain", "text/html", "text/markdown", "text/enriched", "text/richtext"})
# A short text that speaks of these stands for the HTML beside it ("your program cannot show HTML").
_PLACEHOLDER = re.compile(
    r"browser|web ?version|online version|e-?mail[- ](?:client|program|reader|software)|(?:support|display|view|show|read|enable|require|contains|in|as|anzeigen|unterstützt|format) [\w\s-]{0,20}\bhtml\b|html[- ](?:e?-?mail|version|format|message|capable|compatible|enabled|content|part)",
    re.IGNORECASE,
)
_PLACEHOLDER_CHARACTERS = 400
_WORD = re.compile(r"\w{4,}")
_PAGE = re.compile(r"\s*<(?:!doctype html|html|head|body)\b", re.IGNORECASE)


@dataclass(slots=True)
class Content:
    """The readable text of a mail, the same without quotes and signature, and its files.

    `protection` names what the sender did to it ("signed", "encrypted"); nothing is checked.
    """

    text: str = ""
    visible: str = ""
    html: bool = False
    protection: set[str] = field(default_factory=set)
    attachments: list[Attachment] = field(default_factory=list)
    blobs: dict[str, Blob] = field(default_factory=dict)


class _Piece:
    """One stretch of body text. It is decoded when somebody asks: the HTML beside a good text never is."""

    __slots__ = ("_reader", "_source", "html", "part")

    def __init__(self, part: Part, reader: _Reader, source: str | None = None) -> None:
        self.part = part
        self.html = part.content_type == "text/html"
        self._reader = reader
        self._source = source

    @property
    def source(self) -> str:
        """The text as it stands in the mail."""
        if self._source is None:
            self._source = self._reader.decoded(self.part)
            if not self.html and self._source[:200].lstrip()[:1] == "<" and _PAGE.match(self._source):
                self.html = self._reader.content.html = True
            if not self.html:
                self._source = self._reader.unarmoured(self._reader.unwrapped(self._source, self.part))
        return self._source


def read_content(raw: bytes, root: Part, problems: list[str]) -> Content:
    """Everything in the mail that a person could read or open."""
    reader = _Reader(raw, problems, Content())
    pieces = reader.visit(root)
    reader.write(pieces + reader.spare if reader.spare and not _speaks(pieces) else pieces)
    return reader.content


class _Reader:
    """Walks through the parts of one mail; a mail inside a signature gets a reader of its own.

    `notes` are lines about parts that are no text, told below it; `spare` is text from
    inside files, for a mail that has no other.
    """

    def __init__(self, raw: bytes, problems: list[str], content: Content, depth: int = 0) -> None:
        self.raw = raw
        self.problems = problems
        self.content = content
        self.depth = depth
        self.leaves = 0
        self.room = TEXT_BYTES
        self.notes: list[str] = []
        self.spare: list[_Piece] = []

    # -- choosing; the depth of `visit` is bounded by the tree's

    def visit(self, part: Part, *, named: bool = True) -> list[_Piece]:
        """The text of `part`; files below it are kept on the way. `named`: a name makes a text a file."""
        if not part.parts:
            return self._leaf(part, named)
        if part.content_type == "multipart/alternative":
            return _best([self.visit(child, named=False) for child in part.parts])
        if part.content_type == "multipart/related":
            page = _page(part)
            pieces = self.visit(page, named=False)
            for child in part.parts:
                if child is not page:
                    self._keep_all(child)
            return pieces
        if part.content_type in ("multipart/signed", "multipart/encrypted"):
            self.content.protection.add(part.content_type.removeprefix("multipart/"))
        return [piece for child in part.parts for piece in self.visit(child)]

    def _leaf(self, part: Part, named: bool) -> list[_Piece]:
        self.leaves += 1
        if part.content_type in _READ and self._is_body(part, named):
            self.content.html |= part.content_type == "text/html"
            return [_Piece(part, self)]
        return self._opened(part, self._keep(part))

    def _is_body(self, part: Part, named: bool) -> bool:
        """Text is the body unless it is meant as a file; a mail of one part is, whatever its name."""
        alone = self.leaves == 1 and part.end == len(self.raw)
        if part.disposition == "attachment":
            return alone and not part.file_name
        return alone or not named or not part.file_name

    # -- looking into files; the originals are kept

    def _opened(self, part: Part, data: bytes) -> list[_Piece]:
        """What a file has to say that a person should read."""
        kind = part.content_type
        if kind in _CALENDARS:
            self._note(invitations.invitation(self._words(part, data[: invitations.BYTES])))
        elif kind == "message/feedback-report":
            self._note(self._words(part, data[:NOTE_BYTES]))
        elif kind in _TNEFS or data.startswith(tnef.SIGNATURE):
            self._open_tnef(part, data)
        elif kind in _PKCS7 or part.file_name.lower().endswith(".p7m"):
            return self._open_smime(part, data)
        return []

    def _words(self, part: Part, data: bytes) -> str:
        return storable(decode(data, part.params.get("charset"))[0]).strip()

    def _note(self, text: str) -> None:
        if text and text not in self.notes:
            self.notes.append(text)

    def _open_tnef(self, part: Part, data: bytes) -> None:
        opened = tnef.open_tnef(data)
        if opened is None:
            self.problems.append("A winmail.dat is damaged; it is kept as it is.")
            return
        for file in opened.files:
            kind = content_type(file.content_type)[0] or guessed_type(file.name)
            cid = storable(file.content_id.strip("<> "))[:500] or None
            self._add(file.data, file_name(file.name, self.leaves, kind), kind, cid is not None, cid)
            if kind in _CALENDARS:
                self._note(invitations.invitation(decode(file.data[: invitations.BYTES], None)[0]))
        if opened.text.strip() or opened.html.strip():
            piece = _Piece(part, self, storable(opened.text if opened.text.strip() else opened.html))
            piece.html = not opened.text.strip()
            self.spare.append(piece)

    def _open_smime(self, part: Part, data: bytes) -> list[_Piece]:
        """The mail inside an opaque signature; an encrypted one stays closed."""
        kind = smime.kind(data) or part.params.get("smime-type", "").removesuffix("-data").replace(
            "enveloped", "encrypted"
        )
        if kind not in ("signed", "encrypted"):
            return []
        self.content.protection.add(kind)
        inner = smime.signed_content(data) if kind == "signed" and self.depth < NESTED else None
        if not inner:
            return []
        reader = _Reader(inner, self.problems, self.content, self.depth + 1)
        reader.leaves, reader.room, reader.notes, reader.spare = self.leaves, self.room, self.notes, self.spare
        pieces = reader.visit(read_parts(inner, self.problems))
        self.leaves = reader.leaves
        return pieces

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

    def unarmoured(self, source: str) -> str:
        """Text without the frame of an OpenPGP signature around it."""
        if "-----BEGIN PGP " not in source:
            return source
        kind, text = openpgp.unarmoured(source)
        if kind:
            self.content.protection.add(kind)
        return text

    # -- files

    def _keep_all(self, root: Part) -> None:
        """Keep what a page shows (pictures, styles) as files, shown in place."""
        for part in root.walk():
            if not part.parts:
                self.leaves += 1
                part.disposition = part.disposition or "inline"
                self._keep(part)

    def _keep(self, part: Part) -> bytes:
        data = mime.body(self.raw, part, self.problems)
        kind = part.content_type
        if kind.startswith("multipart/"):
            kind = "application/octet-stream"
            if not data.strip():
                return b""
        name = file_name(part.file_name, self.leaves, kind)
        cid = part.content_id if "content-id" in part.headers.fields else None
        inline = part.disposition != "attachment" and (part.disposition == "inline" or cid is not None)
        self._add(data, name, kind, inline, cid)
        return data

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
        notes = [*self.notes, *self._sentences(whole)]
        self.content.text = _joined([_listed(_joined(whole), links, links.listing()), *notes])
        shown = visible(_joined(own))
        self.content.visible = _joined([_listed(shown, links, links.listing(shown)), *notes])

    def _sentences(self, whole: list[str]) -> list[str]:
        """What has to be said of a mail that cannot be read here."""
        if "encrypted" not in self.content.protection:
            return []
        self.problems.append(_ENCRYPTED)
        return [] if any(text.strip() for text in whole) else [_ENCRYPTED]


def _page(related: Part) -> Part:
    """What the other parts of a multipart/related belong to: the one it names, else the first to be read."""
    if start := related.params.get("start", "").strip("<> "):
        for child in related.parts:
            if child.content_id == start:
                return child
    for child in related.parts:
        if child.parts or (child.content_type in _READ and child.disposition != "attachment"):
            return child
    return related.parts[0]


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
    """True if there is anything to read in it."""
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
