"""The parts of a mail, cut from its bytes in one pass.

The standard library's parser recurses with the nesting and hands out nested mails
re-written; this one keeps a stack, has caps, and every part is a slice of what came, so
that `message/rfc822` and delivery reports stay byte for byte. It also costs a fifth.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from channels.kit.mail import uuencode
from channels.kit.mail.headers import BLOCK_BYTES, Headers, block_end, content_type, parameters, read_block, read_top

PARTS = 1_000
DEPTH = 50
BOUNDARY_BYTES = 200
LOOKS = 1_000_000
PIECES = 100_000  # of base64 that was glued together

_GUESSED = re.compile(rb"(?:^|\n)--([^\r\n]{1,200}?)[ \t]*\r?\nContent-", re.IGNORECASE)
_GUESS_BYTES = 64 * 1024
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
_BLANK = b" \t\r\n"
# Base64 has lines of 60 characters and more; with a space every 20 it is somebody's words.
_WORD_BYTES, _LOOK_BYTES = 20, 2_000
_CR = 13


@dataclass(slots=True)
class Part:
    """One part: its headers and either parts of its own or the body between two offsets."""

    headers: Headers
    start: int
    end: int
    content_type: str = "text/plain"
    params: dict[str, str] = field(default_factory=dict)
    disposition: str = ""
    file_name: str = ""
    parts: list[Part] = field(default_factory=list)

    def walk(self) -> Iterator[Part]:
        """This part and all below it, in the order of the mail."""
        todo = [self]
        while todo:
            part = todo.pop()
            yield part
            todo.extend(reversed(part.parts))

    @property
    def content_id(self) -> str | None:
        """The id by which HTML shows this part, without brackets."""
        return self.headers.text("content-id").strip("<> ")[:500] or None


def read_parts(raw: bytes, problems: list[str]) -> Part:
    """The whole mail as a tree of parts; what could not be followed is said in `problems`."""
    headers, body = read_top(raw)
    root = _part(headers, body, len(raw), "text/plain")
    headers.hint = root.params.get("charset")
    if root.content_type.startswith("multipart/"):
        _repair(raw, root, problems)
    if root.content_type.startswith("multipart/"):
        _Cutter(raw, problems, headers.hint).cut(root)
    return root


def _part(headers: Headers, start: int, end: int, default: str) -> Part:
    kind, params = content_type(headers.raw("content-type"))
    part = Part(headers, start, end, kind or default, params)
    name = params.get("name", "")
    if "content-disposition" in headers.fields:
        value = headers.raw("content-disposition")
        part.disposition = value.partition(";")[0].strip().lower()
        name = parameters(value).get("filename") or name
    part.file_name = name
    return part


# -- cutting -----------------------------------------------------------------


class _Cutter:
    """One pass over the lines that begin with two hyphens, with the open multiparts on a stack.

    `levels` says for each boundary which of them it belongs to, so that the boundary of an
    outer part also ends all that was left open inside it.
    """

    def __init__(self, raw: bytes, problems: list[str], hint: str | None) -> None:
        self.raw = raw
        self.problems = problems
        self.hint = hint
        self.stack: list[tuple[bytes, Part]] = []
        self.levels: dict[bytes, int] = {}
        self.looks = 0

    def cut(self, root: Part) -> None:
        """Fill in the parts below `root`."""
        self._push(root, _boundary(root))
        leaf: Part | None = None
        at, count = root.start, 1
        while found := self._delimiter(at, len(self.raw)):
            level, closing, end, at = found
            if leaf is not None:
                leaf.end = max(leaf.start, end)
                leaf = None
            self._close(level if closing else level + 1, end)
            if not self.stack:
                return
            if closing:
                continue
            if count >= PARTS:
                self.problems.append(f"There are over {PARTS:,} parts; the rest is left in the raw mail.")
                return
            count += 1
            leaf = self._begin(at)
            at = leaf.start
        endless = self.looks >= LOOKS
        self.problems.append(
            f"Over {LOOKS:,} lines look like boundaries; the rest is kept as one part."
            if endless
            else "The mail ends in the middle: a closing boundary is missing."
        )
        self._close(0, len(self.raw))

    def _delimiter(self, at: int, limit: int) -> tuple[int, bool, int, int] | None:
        """The next boundary line: whose it is, whether it closes, where it begins and where the next line does."""
        raw = self.raw
        begin = raw.find(b"\n--", max(0, at - 1), limit)
        while begin >= 0 and self.looks < LOOKS:
            self.looks += 1
            stop = raw.find(b"\n", begin + 1)
            stop = len(raw) if stop < 0 else stop
            if stop - begin < BOUNDARY_BYTES + 8:
                line = raw[begin + 3 : stop].rstrip()
                closing = line not in self.levels and line.endswith(b"--")
                level = self.levels.get(line[:-2] if closing else line)
                if level is not None:
                    end = begin - 1 if begin and raw[begin - 1] == _CR else begin
                    return level, closing, end, min(stop + 1, len(raw))
            begin = raw.find(b"\n--", stop, limit)
        return None

    def _begin(self, start: int) -> Part:
        """The part that begins at `start`, hung into the innermost open one; a multipart is opened itself."""
        parent = self.stack[-1][1]
        limit = min(len(self.raw), start + BLOCK_BYTES)
        if empty := self._delimiter(start, block_end(self.raw, start, limit)[0] + 3):
            limit = max(start, empty[2])
        headers, body = read_block(self.raw, start, limit)
        headers.hint = self.hint
        default = "message/rfc822" if parent.content_type == "multipart/digest" else "text/plain"
        part = _part(headers, body, len(self.raw), default)
        parent.parts.append(part)
        if part.content_type.startswith("multipart/"):
            self._nest(part)
        return part

    def _nest(self, part: Part) -> None:
        boundary = _boundary(part)
        if len(self.stack) >= DEPTH:
            self.problems.append(f"Parts are nested over {DEPTH} deep; the rest is kept as one file.")
            part.content_type = "application/octet-stream"
        elif boundary:
            self._push(part, boundary)

    def _push(self, part: Part, boundary: bytes) -> None:
        self.levels.setdefault(boundary, len(self.stack))
        self.stack.append((boundary, part))

    def _close(self, level: int, end: int) -> None:
        """Close the open multiparts from `level` on."""
        while len(self.stack) > level:
            boundary, part = self.stack.pop()
            part.end = max(part.start, end)
            if self.levels[boundary] == len(self.stack):
                del self.levels[boundary]


def _boundary(part: Part) -> bytes:
    value = part.params.get("boundary", "").encode("utf-8", "replace").rstrip()
    return value if len(value) <= BOUNDARY_BYTES else b""


def _repair(raw: bytes, root: Part, problems: list[str]) -> None:
    """Give the outermost multipart a boundary that its body knows, or call it text."""
    boundary = _boundary(root)
    if boundary and raw.find(b"--" + boundary, root.start) >= 0:
        return
    guess = _GUESSED.search(raw, max(0, root.start - 1), root.start + _GUESS_BYTES)
    problems.append("The multipart's boundary does not occur in it." if boundary else "A multipart names no boundary.")
    if guess:
        root.params = {**root.params, "boundary": guess[1].decode("latin-1")}
    else:
        root.content_type = "text/plain"


# -- decoding ----------------------------------------------------------------


def body(raw: bytes, part: Part, problems: list[str]) -> bytes:
    """The bytes of `part` with the transfer encoding taken off."""
    data = raw[part.start : part.end]
    encodings = part.headers.fields.get("content-transfer-encoding")
    encoding = encodings[0].strip().lower().strip(b"\"'; ") if encodings else b""
    if encoding == b"quoted-printable":
        return binascii.a2b_qp(data)
    if encoding == b"base64":
        return _from_base64(data, problems)
    if encoding in (b"x-uuencode", b"x-uue", b"uuencode", b"uue"):
        return uuencode.whole(data, problems)
    return data


def _from_base64(data: bytes, problems: list[str]) -> bytes:
    try:
        decoded = binascii.a2b_base64(data)
    except binascii.Error:
        decoded = b""
    if data.count(b" ", 0, _LOOK_BYTES) * _WORD_BYTES > len(data[:_LOOK_BYTES]) and b" " in data[:_LOOK_BYTES].strip():
        problems.append("A part says it is base64 and is not; it was left as it is.")
        return data
    digits = len(data) - data.count(b"\n") - data.count(b"\r")
    if len(decoded) * 4 > digits * 3 - 12:
        return decoded
    foreign = len(data.translate(None, _ALPHABET + _BLANK))
    if foreign * 20 > len(data) or (foreign and b" " in data.strip()):
        problems.append("A part says it is base64 and is not; it was left as it is.")
        return data
    problems.append("A base64 part is damaged; what could be read of it was kept.")
    return _patched(data)


def _patched(data: bytes) -> bytes:
    """The bytes of base64 that was cut or glued together, padding wherever it stands."""
    out = bytearray()
    for piece in data.translate(None, bytes(set(range(256)) - set(_ALPHABET))).split(b"=", PIECES):
        whole = piece.replace(b"=", b"")
        whole = whole[:-1] if len(whole) % 4 == 1 else whole
        out += binascii.a2b_base64(whole + b"=" * (-len(whole) % 4))
    return bytes(out)
