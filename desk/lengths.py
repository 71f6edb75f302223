"""How long a text is where it is to go, and how a long one is split.

Every channel counts in a unit of its own. A text that is too long for one message is cut
where a reader would pause: between paragraphs, lines, sentences, words, and only then anywhere;
never inside a code block, which is closed before the cut and opened again behind it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

CHARACTERS, BYTES, UTF16, WEIGHTED, SEGMENTS = "characters", "bytes", "utf-16", "weighted", "segments"
"""Code points; bytes of UTF-8; UTF-16 units (Telegram); X's weighted characters; SMS segments."""

SHORTENED = "shortened"
"""Characters as Mastodon counts: what is seen as one is one, a link is 23, a name goes without its server."""

_LINK = re.compile(
    r"https?://\S+|\b[\w-]+(?:\.[\w-]+)*\.(?:com|net|org|io|dev|eu|de|uk|fr|info|app|co)\b(?:/\S*)?", re.I
)
_LINK_WEIGHT = 23
_LIGHT = ((0, 0x10FF), (0x2000, 0x200D), (0x2010, 0x201F), (0x2032, 0x2037))
"""Code points that weigh one in X's counting (its text-library configuration, version 3); others weigh two."""

_WEB = re.compile(r"https?://[^\s<>]*[^\s<>.,;:!?'\")\]]", re.I)
_ELSEWHERE = re.compile(r"(?<![\w/@])(@\w+(?:[.-]\w+)*)@\w(?:[\w.-]*\w)?")

_GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_TWICE = frozenset("^{}\\[~]|€\f")
"""The alphabets of 3GPP TS 23.038; a text with any other character goes as UCS-2."""

_FENCE = re.compile(r"^ {0,3}(```+|~~~+)([^\n`]*)$")


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
    weight, rest = 0, 0
    for link in _LINK.finditer(text):
        weight += _weigh(text[rest : link.start()]) + _LINK_WEIGHT
        rest = link.end()
    return weight + _weigh(text[rest:])


def _weigh(text: str) -> int:
    weight, joined = 0, False
    for character in text:
        code = ord(character)
        if joined or code in (0xFE0F, 0x200D) or 0x1F3FB <= code <= 0x1F3FF:
            # An emoji of several code points weighs as much as one of one.
            joined = code == 0x200D
            continue
        weight += 1 if any(low <= code <= high for low, high in _LIGHT) else 2
    return weight


def _shortened(text: str) -> int:
    text = _ELSEWHERE.sub(r"\1", _WEB.sub("x" * _LINK_WEIGHT, text))
    seen, joined = 0, False
    for character in text:
        seen += not (joined or _continues(character))
        joined = character == "\u200d"
    return seen


def _segments(text: str) -> int:
    if not text:
        return 0
    if all(c in _GSM or c in _GSM_TWICE for c in text):
        septets = sum(2 if c in _GSM_TWICE else 1 for c in text)
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
    if limit is None or measure(text) <= limit:
        return [text]
    pieces: list[str] = []
    rest, opened = text, ""
    while True:
        head = f"{opened}\n" if opened else ""
        if measure(head + rest) <= limit:
            pieces.append(head + rest)
            return [piece for piece in pieces if piece.strip()]
        cut = _cut(head, rest, limit, measure)
        piece, rest = rest[:cut].rstrip(), rest[cut:]
        # Indentation belongs to the code that goes on.
        rest = rest.lstrip("\n") if (opened := _open_fence(head + piece)) else rest.lstrip()
        pieces.append(head + piece + (f"\n{_closing(opened)}" if opened else ""))


def _cut(head: str, rest: str, limit: int, measure: Callable[[str], int]) -> int:
    """Where `rest` is cut so that `head` and the piece, its fence closed, fit; at least one character."""
    most = _most(head, rest, limit, measure)
    room = rest[:most]
    for end in _pauses(room):
        # A cut in the first third wastes a message.
        if end > most // 3:
            fence = _open_fence(head + room[:end].rstrip())
            if not fence or measure(f"{head}{room[:end].rstrip()}\n{_closing(fence)}") <= limit:
                return end
    closed = _open_fence(head + room)
    if closed:
        return max(1, _most(head, rest, limit - measure(f"\n{_closing(closed)}"), measure))
    return max(1, most)


def _most(head: str, rest: str, limit: int, measure: Callable[[str], int]) -> int:
    """How many characters of `rest` fit behind `head`, never half of a character that is written in several."""
    low, high = 0, len(rest)
    while low < high:
        middle = (low + high + 1) // 2
        if measure(head + rest[:middle]) <= limit:
            low = middle
        else:
            high = middle - 1
    while 0 < low < len(rest) and _continues(rest[low]):
        low -= 1
    return low or max(1, min(high, len(rest)))


def _continues(character: str) -> bool:
    return (
        unicodedata.combining(character) != 0
        or character in "\u200d\ufe0f"
        or "\U0001f3fb" <= character <= "\U0001f3ff"
    )


def _pauses(room: str) -> list[int]:
    """Where one may pause in `room`, the best places first; of equals the last."""
    found: list[int] = []
    before_code = [
        m.start() for m in re.finditer(r"^ {0,3}(?:```|~~~)", room, re.M) if not _open_fence(room[: m.start()])
    ]
    found += before_code[-1:] if before_code else []
    for pattern in (r"\n[ \t]*\n", r"\n", r"[.!?。！？…](?=\s)|[。！？]", r"\s", r"[,;:)\-/](?=.)"):
        ends = [m.end() for m in re.finditer(pattern, room)]
        outside = [end for end in ends if not _open_fence(room[:end])] if "```" in room or "~~~" in room else ends
        found += [*outside[-1:], *(ends[-1:] if pattern == r"\n" else ())]
    return found


def _open_fence(text: str) -> str:
    """The line that opened the code block in which `text` ends; "" outside of one."""
    opened, fence = "", ""
    for line in text.split("\n"):
        found = _FENCE.match(line)
        if found is None:
            continue
        if not fence:
            opened, fence = line, found[1]
        elif found[1].startswith(fence) and not found[2].strip():
            opened, fence = "", ""
    return opened


def _closing(opened: str) -> str:
    found = _FENCE.match(opened)
    return found[1] if found else "```"


__all__ = ["BYTES", "CHARACTERS", "SEGMENTS", "SHORTENED", "UTF16", "WEIGHTED", "length", "split"]
