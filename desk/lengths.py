"""How long a text is where it is to go, and how a long one is split.

Every channel counts in a unit of its own. A text that is too long for one message is cut
where a reader would pause: between paragraphs, lines, sentences, words, and only then anywhere;
never inside a code block, which is closed before the cut and opened again behind it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

CHARACTERS, BYTES, UTF16, WEIGHTED, SEGMENTS = "characters", "bytes", "utf-16", "weighted", "segments"
"""Code points; bytes of UTF-8; UTF-16 units (Telegram); X's weighted characters; SMS segments."""

SHORTENED = "shortened"
"""Characters as Mastodon counts: what is seen as one is one, a link is 23, a name goes without its server."""

_LINK = re.compile(
    r"(?:https?://[a-z0-9.-]+(?::\d+)?|(?<![a-z0-9_@/.$#-])(?:[a-z0-9][a-z0-9-]{0,62}\.)+"
    r"(?:[a-z]{2}|com|net|org|edu|gov|mil|int|info|biz|name|pro|app|dev|xyz|online|shop|site|store|tech|blog|cloud)(?![a-z0-9@-]))"
    r"(?:[/?#][a-z0-9\u00c0-\u024f\u0400-\u04ff!*';:=+,.$/%#\[\]\-_~@|&?()]*)?",
    re.I,
)
"""What X takes for a link; where only a list of all domains could tell, what looks like one is one."""

_LINK_WEIGHT = 23
_LIGHT = re.compile("[\0-\u10ff\u2000-\u200d\u2010-\u201f\u2032-\u2037]+")
"""Code points that weigh one in X's counting (its text-library configuration, version 3); others weigh two."""

_PICTURE = (
    "(?:[\u203c\u2049\u2122\u2139\u2194-\u2199\u21a9\u21aa\u231a-\u23ff\u24c2\u25aa-\u25fe\u2600-\u27bf\u2934\u2935"
    "\u2b05-\u2b55\u3030\u303d\u3297\u3299\U0001f004\U0001f0cf\U0001f170-\U0001faff]|[\u00a9\u00ae](?=\ufe0f))"
    "[\ufe0f\U0001f3fb-\U0001f3ff]*[\U000e0020-\U000e007f]*"
)
_EMOJI = re.compile(f"[0-9#*]\ufe0f?\u20e3|[\U0001f1e6-\U0001f1ff]{{2}}|{_PICTURE}(?:\u200d{_PICTURE})*")
"""An emoji of however many code points; it weighs as much as one of one."""

_WEB = re.compile(r"https?://[^\s<>]*[^\s<>.,;:!?'\")\]]", re.I)
_ELSEWHERE = re.compile(r"(?<![\w/@])(@\w+(?:[.-]\w+)*)@\w(?:[\w.-]*\w)?")

_GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_TWICE = frozenset("^{}\\[~]|€\f")
"""The alphabets of 3GPP TS 23.038; a text with any other character goes as UCS-2."""

_FENCE = re.compile(r"^ {0,3}(```+|~~~+)([^\n`]*)$", re.M)


def length(text: str, unit: str = CHARACTERS) -> int:
    """How long `text` is in `unit`; ValueError for a unit that does not exist."""
    return _measure(unit)(text)


def _measure(unit: str) -> Callable[[str], int]:
    try:
        return _MEASURES[unit]
    except KeyError:
        raise ValueError(f'there is no unit "{unit}"; there are {", ".join(_MEASURES)}') from None


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _utf16(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _weighted(text: str) -> int:
    text = unicodedata.normalize("NFC", text)
    rest, links = _LINK.subn("", text)
    rest = rest if rest.isascii() else _EMOJI.sub("\u4e2d", rest)
    light = len(rest) if rest.isascii() else sum(map(len, _LIGHT.findall(rest)))
    return links * _LINK_WEIGHT + 2 * len(rest) - light


def _shortened(text: str) -> int:
    text = _ELSEWHERE.sub(r"\1", _WEB.sub("x" * _LINK_WEIGHT, text))
    if not any(_joins(character) or "\U0001f1e6" <= character <= "\U0001f1ff" for character in set(text)):
        return len(text) - text.count("\r\n")
    return sum(not _continues(text, place) for place in range(len(text)))


def _segments(text: str) -> int:
    if not text:
        return 0
    if set(text) <= _GSM | _GSM_TWICE:
        septets = len(text) + sum(map(text.count, _GSM_TWICE))
        return 1 if septets <= 160 else -(-septets // 153)
    units = _utf16(text)
    return 1 if units <= 70 else -(-units // 67)


_MEASURES: dict[str, Callable[[str], int]] = {
    CHARACTERS: len,
    BYTES: _bytes,
    UTF16: _utf16,
    WEIGHTED: _weighted,
    SEGMENTS: _segments,
    SHORTENED: _shortened,
}


def split(text: str, limit: int | None, unit: str = CHARACTERS) -> list[str]:
    """`text` as pieces of at most `limit` each, in order; one piece when it fits.

    Nothing but space at the cuts is lost. A code block that must be cut is closed with its fence
    and opened again with the same one.
    """
    measure = _measure(unit)
    text = text.strip("\n")
    if limit is None:
        return [text]
    pieces: list[str] = []
    begin, head = 0, ""
    while begin < len(text):
        most = _most(head, text, begin, limit, measure)
        if most == len(text):
            pieces.append(head + text[begin:])
            break
        piece, begin, opened = _cut(head, text, begin, most, limit, measure)
        pieces.append(piece)
        head = f"{opened}\n" if opened else ""
    return [piece for piece in pieces if piece.strip()] or [""]


def _cut(
    head: str, text: str, begin: int, most: int, limit: int, measure: Callable[[str], int]
) -> tuple[str, int, str]:
    """The next piece, where the one behind it begins, and the line that opens its code block again."""
    blocks = _blocks(head + text[begin:most], limit // 4)
    end, block = _place(head, text, begin, most, limit, measure, blocks)
    piece = head + text[begin:end].rstrip()
    if block is None:
        return piece, end + _blank(text, end, " \t\r\n"), ""
    marker = block.marker
    # Indentation belongs to the code that goes on.
    end += _blank(text, end, "\r\n")
    over = re.compile(rf" {{0,3}}{re.escape(marker)}{marker[0]}*[ \t\r]*(?:\n|$)").match(text, end)
    opened = block.line if measure(f"{block.line}\n\n{marker}") <= limit // 2 else marker
    return f"{piece}\n{marker}", over.end() if over else end, "" if over else opened


def _place(
    head: str, text: str, begin: int, most: int, limit: int, measure: Callable[[str], int], blocks: list[_Block]
) -> tuple[int, _Block | None]:
    """Where the piece ends that begins at `begin` and ends at `most` at the latest, and the code block that it cuts."""
    room = text[begin:most]
    for end in _pauses(room, [(b.begin - len(head), b.end - len(head)) for b in blocks]):
        # A cut in the first third wastes a message.
        if end > len(room) // 3:
            block = _around(blocks, len(head) + end)
            if block is None:
                return begin + end, None
            closed = f"{head}{room[:end].rstrip()}\n{block.marker}"
            if len(head) + end > block.begin + len(block.line) + 1 and measure(closed) <= limit:
                return begin + end, block
    block = _around(blocks, len(head) + len(room))
    if block is None:
        return most, None
    if len(head) < block.begin >= len(head) + len(room) - len(block.line) - 1:
        # Nothing of it but its fence would be here.
        return begin + block.begin - len(head), None
    most = min(most, _most(head, text, begin, limit - measure(f"\n{block.marker}"), measure))
    return most, _around(blocks, len(head) + most - begin)


def _most(head: str, text: str, begin: int, limit: int, measure: Callable[[str], int]) -> int:
    """How far `text` fits behind `head` from `begin` on: a character at least, and never half of what is seen as one."""
    # Mostly a character counts one: what is looked at is about there, not all that there is.
    low, high, step = begin, len(text), 1
    probe = min(high, begin + max(1, limit - len(head)))
    while low < high:
        if measure(head + text[begin:probe]) <= limit:
            low, probe = probe, min(high, probe + step)
        else:
            high, probe = probe - 1, max(low + 1, probe - 1 - step)
        if probe > high or probe <= low or step > high - low:
            probe = (low + high + 1) // 2
        step *= 2
    whole = low
    while begin < whole < len(text) and _continues(text, whole):
        whole -= 1
    return whole if whole > begin else max(begin + 1, low)


def _blank(text: str, begin: int, blanks: str) -> int:
    """How many of the characters in `blanks` there are from `begin` on."""
    end = begin
    while end < len(text) and text[end] in blanks:
        end += 1
    return end - begin


def _continues(text: str, place: int) -> bool:
    """Whether the character at `place` is seen as one with what is before it."""
    here = text[place]
    if place == 0 or here.isascii():
        return place > 0 and here == "\n" and text[place - 1] == "\r"
    before = text[place - 1]
    if "\U0001f1e6" <= here <= "\U0001f1ff":
        flags = place
        while flags and "\U0001f1e6" <= text[flags - 1] <= "\U0001f1ff":
            flags -= 1
        return (place - flags) % 2 == 1
    return _joins(here) or (before == "\u200d" and not here.isalpha())


@cache
def _joins(character: str) -> bool:
    """Marks, variation and skin tones, the letters of which flags are made, and the later parts of a Korean syllable."""
    return (
        unicodedata.category(character) in ("Mn", "Mc", "Me")
        or character == "\u200d"
        or "\U0001f3fb" <= character <= "\U0001f3ff"
        or "\U000e0020" <= character <= "\U000e007f"
        or "\u1160" <= character <= "\u11ff"
    )


def _pauses(room: str, code: Sequence[tuple[int, int]]) -> list[int]:
    """Where one may pause in `room`, the best places first; of equals the last. `code` is where its code blocks are."""
    found = [begin for begin, _ in code if begin > 0][-1:]
    for pattern in _PAUSES:
        ends = [m.end() for m in pattern.finditer(room)]
        outside = next((end for end in reversed(ends) if not any(b < end < e for b, e in code)), None)
        found += [outside] if outside is not None else []
        found += ends[-1:] if pattern.pattern == r"\n" else []
    return found


_PAUSES = [re.compile(p) for p in (r"\n[ \t]*\n", r"\n", r"[.!?。！？…](?=\s)|[。！？]", r"\s", r"[,;:)\-/](?=.)")]


class _Block(NamedTuple):
    """A code block from the first character of its fence to behind its last; one that stays open ends nowhere."""

    begin: int
    end: int
    line: str
    marker: str


def _blocks(text: str, longest: int) -> list[_Block]:
    """The code blocks in `text`; a fence of more than `longest` characters is none."""
    found: list[_Block] = []
    open_: _Block | None = None
    for fence in _FENCE.finditer(text):
        marker, more = fence[1], fence[2]
        if open_ is None and 3 <= len(marker) <= max(longest, 3):
            open_ = _Block(fence.start(), _NOWHERE, fence[0].rstrip("\r"), marker)
        elif open_ is not None and marker.startswith(open_.marker) and not more.strip():
            found.append(open_._replace(end=fence.end()))
            open_ = None
    return found if open_ is None else [*found, open_]


_NOWHERE = 1 << 62


def _around(blocks: Sequence[_Block], place: int) -> _Block | None:
    return next((block for block in blocks if block.begin < place < block.end), None)


__all__ = ["BYTES", "CHARACTERS", "SEGMENTS", "SHORTENED", "UTF16", "WEIGHTED", "length", "split"]
