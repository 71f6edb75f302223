"""The header block of a mail or of a part: cut from the bytes, unfolded, decoded one by one.

Nothing here trusts the sender: a block, the number of its fields and the length of each
value have caps, and every scan is linear.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from channels.kit.mail.charsets import decode, storable

BLOCK_BYTES = 256 * 1024
FIELDS = 1_000
VALUE_BYTES = 16 * 1024
NAME_BYTES = 200
PARAMETERS = 100

_FIELD = re.compile(rb"^([!-9;-~]+)[ \t]*:(.*(?:\n[ \t].*)*)", re.MULTILINE)
_STRAY = re.compile(rb"^(?![ \t])(?![!-9;-~]+[ \t]*:).", re.MULTILINE)
_EMPTY = re.compile(rb"\r?\n")
_BLANK = re.compile(rb"(?:[ \t]{0,1000}+\r?\n)++")
_GAP = re.compile(rb"\n\r?\n")
_KNOWN = re.compile(
    rb"(?:from|to|cc|bcc|subject|date|message-id|in-reply-to|references|reply-to|sender|return-path|received|"
    rb"mime-version|content-[a-z-]+|x-[a-z0-9-]+|list-[a-z-]+|dkim-signature|delivered-to|auto-submitted|precedence)[ \t]*:",
    re.IGNORECASE,
)
_WORD = re.compile(r"=\?([^?\s]{1,80})\?([bBqQ])\?(.{0,998}?)\?=", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_PARAMETER = re.compile(r';\s*([^\s=;]+)\s*=\s*("(?:[^"\\]|\\.)*"?|[^;]*)', re.DOTALL)
_TYPE = re.compile(r"\s*([A-Za-z0-9!#$&^_.+-]{1,80})\s*/\s*([A-Za-z0-9!#$&^_.+-]{1,80})", re.ASCII)
_ESCAPE = re.compile(r"\\([\"\\])")
_BASE64 = re.compile(r"[^A-Za-z0-9+/]+")


@dataclass(slots=True)
class Headers:
    """The fields of one block by lower-case name, values as bytes in their order.

    `hint` is the charset that the mail itself names, for values in raw 8-bit text.
    """

    fields: dict[str, list[bytes]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    hint: str | None = None

    def raw(self, name: str) -> str:
        """The first non-empty value called `name`, encoded words untouched; "" if there is none."""
        for value in self.fields.get(name, ()):
            if text := self._text(name, value):
                return text
        return ""

    def every(self, name: str) -> list[str]:
        """All values called `name`, encoded words untouched."""
        return [self._text(name, value) for value in self.fields.get(name, ())]

    def text(self, name: str) -> str:
        """The first non-empty value called `name` as a person reads it."""
        return readable(self.raw(name))

    def _text(self, name: str, value: bytes) -> str:
        if len(value) > VALUE_BYTES:
            value = value[:VALUE_BYTES]
            self.problems.append(
                f'The header "{name[:40]}" is over {VALUE_BYTES // 1024} KiB; the rest is left in the raw mail.'
            )
        if value.isascii() and b"\x1b" not in value:
            return value.decode("ascii").strip()
        text, problem = decode(value, self.hint if not _is_utf8(value) else "utf-8")
        if problem:
            self.problems.append(f'The header "{name[:40]}" holds text in no charset that it names; it was guessed.')
        return text.strip()


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


# -- the block ---------------------------------------------------------------


def read_block(raw: bytes, start: int, end: int) -> tuple[Headers, int]:
    """The headers of `raw[start:end]` and the offset of the body behind them."""
    headers = Headers()
    stop, body = block_end(raw, start, end)
    if stop - start > BLOCK_BYTES:
        headers.problems.append(
            f"The header block is over {BLOCK_BYTES // 1024} KiB; the rest is left in the raw mail."
        )
        whole_lines = raw.rfind(b"\n", start, start + BLOCK_BYTES)
        stop = whole_lines if whole_lines > start else start + BLOCK_BYTES
    block = raw[start:stop].replace(b"\r\n", b"\n")
    if not _collect(block, headers):
        headers.fields.clear()
        block, kept_lines = _mend(block, headers)
        if kept_lines is not None:
            body = _line_offset(raw, start, kept_lines)
        _collect(block, headers)
    return headers, min(body, end)


def read_top(raw: bytes) -> tuple[Headers, int]:
    """The headers of a whole mail; blank lines before and inside them are forgiven once."""
    blank = _BLANK.match(raw)
    start = blank.end() if blank else 0
    headers, body = read_block(raw, start if _KNOWN.match(raw, start) else 0, len(raw))
    if not headers.fields.keys() & {"from", "content-type"} and _KNOWN.match(raw, body):
        more, body = read_block(raw, body, len(raw))
        for name, values in more.fields.items():
            headers.fields.setdefault(name, []).extend(values)
        headers.problems += ["An empty line stood among the headers.", *more.problems]
    return headers, body


def _line_offset(raw: bytes, start: int, lines: int) -> int:
    for _ in range(lines):
        start = raw.find(b"\n", start) + 1
    return start


def block_end(raw: bytes, start: int, end: int) -> tuple[int, int]:
    """Where the block that begins at `start` ends and where the body begins: at the first empty line."""
    if first := _EMPTY.match(raw, start, end):
        return start, first.end()
    gap = _GAP.search(raw, start, end)
    return (gap.start(), gap.end()) if gap else (end, end)


def _collect(block: bytes, headers: Headers) -> bool:
    """Put the fields of `block` into `headers`; False if there is anything else between them."""
    found = _FIELD.findall(block)
    fields = headers.fields
    for name, value in found[:FIELDS]:
        if len(name) <= NAME_BYTES:
            fields.setdefault(name.decode("ascii").lower(), []).append(value.replace(b"\n", b""))
    if len(found) > FIELDS:
        headers.problems.append(f"There are over {FIELDS} header fields; the rest is left in the raw mail.")
    lines = block.rstrip(b"\n").count(b"\n") - block.count(b"\n ") - block.count(b"\n\t") + bool(block)
    return lines == len(found)


def _mend(block: bytes, headers: Headers) -> tuple[bytes, int | None]:
    """Fold stray lines into the field above while known fields follow; else the body begins there.

    Returns the mended block and, where the body begins inside it, how many lines stand before.
    """
    lines = block.split(b"\n")
    if lines[0].startswith((b"From ", b">From ")):  # the separator of an mbox
        lines[0] = b"X-Envelope:"
    last = max((number for number, line in enumerate(lines) if _KNOWN.match(line)), default=-1)
    mended: list[bytes] = []
    for number, line in enumerate(lines):
        if not _STRAY.match(line):
            mended.append(line)
        elif number > last or (number == 0 and line.startswith(b"--")):
            headers.problems.append("The header block ends without an empty line.")
            return b"\n".join(mended), number
        else:
            mended.append(b" " + line if mended else b"X-Stray: " + line)
            headers.problems.append("A header line was continued without a space in front.")
    return b"\n".join(mended), None


# -- values ------------------------------------------------------------------


def readable(value: str) -> str:
    """`value` with its encoded words decoded, on one line."""
    if "=?" in value:
        value = decode_words(value)
    if value.isprintable():
        return value
    return storable(_CONTROL.sub(" ", value)).strip()


def decode_words(value: str) -> str:
    """`value` with its encoded words (RFC 2047) decoded; neighbours in one charset are joined as bytes first."""
    out: list[str] = []
    run: list[tuple[str, str, str]] = []
    at = 0
    for match in _WORD.finditer(value):
        between = value[at : match.start()]
        if run and (between.strip() or _charset(match[1]) != _charset(run[0][0])):
            out.append(_decoded(run))
            run = []
            between = between if between.strip() else ""
        elif run:
            between = ""
        out.append(between)
        run.append((match[1], match[2].lower(), match[3]))
        at = match.end()
    if run:
        out.append(_decoded(run))
    return "".join(out) + value[at:]


def _charset(label: str) -> str:
    return label.partition("*")[0].lower()


def _decoded(run: Sequence[tuple[str, str, str]]) -> str:
    """The text of neighbouring words; a character may begin in one and end in the next."""
    data = bytearray()
    pending = ""
    for _, method, payload in run:
        if method == "b":
            pending += _BASE64.sub("", payload)
            if len(pending) % 4 and not payload.rstrip().endswith("="):
                continue  # cut inside a group of four: the next word goes on
        data += _from_base64(pending)
        pending = ""
        if method == "q":
            data += binascii.a2b_qp(payload.encode("utf-8", "replace"), header=True)
    data += _from_base64(pending)
    return decode(bytes(data), _charset(run[0][0]))[0]


def _from_base64(text: str) -> bytes:
    """The bytes of base64 without padding; a single left-over character is dropped."""
    if len(text) % 4 == 1:
        text = text[:-1]
    return binascii.a2b_base64(text + "=" * (-len(text) % 4))


@lru_cache(maxsize=256)
def content_type(value: str) -> tuple[str, dict[str, str]]:
    """The type in lower case and its parameters; ("", {}) when it makes no sense. Do not change the answer."""
    found = _TYPE.match(value)
    kind = f"{found[1]}/{found[2]}".lower() if found else ""
    return kind, parameters(value)


def parameters(value: str) -> dict[str, str]:
    """The parameters behind the first `;`, RFC 2231 pieces joined and decoded, encoded words too."""
    plain: dict[str, str] = {}
    pieces: dict[str, list[tuple[int, bool, str]]] = {}
    for count, match in enumerate(_PARAMETER.finditer(value)):
        if count >= PARAMETERS:
            break
        name, text = match[1].lower(), match[2].strip()
        if text.startswith('"'):
            text = _ESCAPE.sub(r"\1", text[1:].removesuffix('"'))
        if "*" in name:
            base, _, rest = name.partition("*")
            number = rest.rstrip("*")
            pieces.setdefault(base, []).append(
                (int(number) if number.isdecimal() and len(number) < 5 else 0, rest.endswith("*") or not rest, text)
            )
        else:
            plain.setdefault(name, readable(text) if "=?" in text else text)
    for base, found in pieces.items():
        plain[base] = _joined(sorted(found, key=lambda piece: piece[0]))
    return plain


def _joined(pieces: Sequence[tuple[int, bool, str]]) -> str:
    """One value from its numbered pieces (RFC 2231); only the first names the charset."""
    label, data = "utf-8", bytearray()
    for number, (_, encoded, text) in enumerate(pieces):
        if number == 0 and encoded and text.count("'") >= 2:
            label, _, text = text.split("'", 2)
        raw = text.encode("utf-8", "replace")
        data += unquote_to_bytes(raw) if encoded else raw
    return decode(bytes(data), label or "utf-8")[0]
