"""Text that came from strangers: made safe to draw, and cut into words to search for.

Both stores index exactly the tokens made here, and `desk.query.matches` compares the
same tokens, so that a search means one thing everywhere.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache

# -- drawing ----------------------------------------------------------------

_BREAKS = re.compile(r"[\n\t]")
_BIDI = {
    0x061C: "alm",
    0x200E: "lrm",
    0x200F: "rlm",
    0x202A: "lre",
    0x202B: "rle",
    0x202C: "pdf",
    0x202D: "lro",
    0x202E: "rlo",
    0x2066: "lri",
    0x2067: "rli",
    0x2068: "fsi",
    0x2069: "pdi",
}


@cache
def _drawn() -> dict[int, str | None]:
    return {
        **{code: chr(0x2400 + code) for code in range(0x20) if code not in (0x09, 0x0A)},
        0x7F: "␡",
        **dict.fromkeys(range(0x80, 0xA0), "�"),
        **{code: f"⟨{name}⟩" for code, name in _BIDI.items()},
        **dict.fromkeys(range(0xD800, 0xE000), "�"),
        # Nothing to see, and each can hide or split a word.
        **dict.fromkeys(
            (0x00AD, 0x180E, 0x200B, *range(0x2060, 0x2065), 0xFEFF, *range(0xFFF9, 0xFFFC), *range(0xE0000, 0xE0080))
        ),
        0x2028: "\n",
        0x2029: "\n",
    }


def clean(text: str) -> str:
    """`text` as it may be written to a terminal: no control, escape or direction character survives.

    Newlines and tabs stay. Controls become their pictures, direction marks become
    words, invisible characters go.
    """
    # isprintable() is false for every character of the table, and quick.
    if text.isprintable() or all(part.isprintable() for part in _BREAKS.split(text)):
        return text
    return text.replace("\r\n", "\n").translate(_drawn())


def one_line(text: str) -> str:
    """`text` cleaned and folded into a single line with single spaces."""
    return " ".join(clean(text).split())


def storable(text: str) -> str:
    """`text` without what a database refuses (NUL and lone surrogates)."""
    if "\x00" in text:
        text = text.replace("\x00", "�")
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-8", "replace").decode()
    return text


_HANDLE_CHARACTERS = 250


def handle(name: str) -> str:
    """`name`, by which others call something, as a store can find it again: a very long one by its beginning and a digest."""
    name = storable(name)
    if len(name) <= _HANDLE_CHARACTERS:
        return name
    import hashlib

    return f"{name[: _HANDLE_CHARACTERS // 2]}…{hashlib.sha256(name.encode()).hexdigest()}"


# -- searching --------------------------------------------------------------

TOKEN_LIMIT = 64
"""Longest token kept, in characters: longer runs are machine noise, found by their beginning."""

INDEXED_LIMIT = 1_000_000
"""How much of one text is indexed, in characters."""

#: Scripts written without spaces (Thai, Lao, Burmese, Khmer, Korean among them for its endings): a run of
#: them is indexed as overlapping pairs.
_DENSE = (
    "\u0e01-\u0e3e\u0e40-\u0e4e\u0e81-\u0eff\u1000-\u1049\u104c-\u109f\u1780-\u17d3\u17dc-\u17ff\u1100-\u11ff\u3005-\u3007"
    "\u3040-\u30ff\u3130-\u318f\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003134f"
)
_ASCII_RUN = re.compile(r"[a-z0-9]+")
#: The same runs in a table: capitals made small, and a blank in the place of all that separates.
_ASCII_TABLE = bytes(c if chr(c).isalnum() else 32 for c in bytes(range(128)).lower()).ljust(256)

#: Letters that a keyboard without them writes so, and one apostrophe that counts as a letter; the kashida only
#: stretches a word, and what cannot be seen is typed by nobody.
_ALIKE = str.maketrans(
    {"ı": "i", "ł": "l", "ø": "o", "đ": "d", "ð": "d", "ħ": "h", "æ": "ae", "œ": "oe", "þ": "th", "ی": "ي", "ى": "ي", "ک": "ك", "\u02bc": " "}
)  # fmt: skip
_UNSEEN = "\u00ad\u034f\u061c\u0640\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufe00-\ufe0f\ufeff\U000e0000-\U000e01ef"


# All compiled when first needed: most texts are ASCII, and most verbs look for nothing. Each is one class of
# characters, looked up in a table; alternatives and \d would double the time of a text.


@cache
def _runs(indic: str = "") -> re.Pattern[str]:
    return re.compile(rf"[{_DENSE}]+|(?:[^\W_{_DENSE}]|[{indic}])+" if indic else rf"[{_DENSE}]+|[^\W_{_DENSE}]+")


@cache
def _dense() -> re.Pattern[str]:
    return re.compile(rf"[{_DENSE}]")


@cache
def _marks() -> re.Pattern[str]:
    # Marks that make no other letter: not those of voiced kana, and not the vowels of Indic scripts and Thai.
    return re.compile(
        "[\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8"
        rf"\u06ea-\u06ed\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff{_UNSEEN}]"
    )


@cache
def _indic() -> str:
    # To \w they are no part of a word, but they are as much of one as letters.
    blocks = map(chr, (*range(0x900, 0xE00), *range(0xF00, 0x1000)))
    return "".join(c for c in blocks if unicodedata.category(c)[0] == "M")


@cache
def _odd() -> re.Pattern[str]:
    digits = "".join(c for c in map(chr, (*range(0x660, 0x1C60), *range(0xA620, 0xAC00))) if c.isdecimal())
    return re.compile(f"[{digits}{''.join(map(chr, _ALIKE))}{_indic()}]")


def fold(text: str) -> tuple[str, re.Pattern[str]]:
    """Lower case, compatibility forms unified, accents gone (ё = е, ü = u, Ａ = a, ٤ = 4); and what cuts it into runs."""
    if text.isascii():
        return text.lower(), _ASCII_RUN
    # Signs made of letters stand beside a word or number and are no part of it.
    text = text.replace("№", " ").replace("™", " ")
    # Taken apart before it is made small: ㎾ and 𝐀 are capitals inside.
    folded = unicodedata.normalize("NFKD", text).casefold()
    if folded.isascii():
        return folded, _runs()
    # The breve of й is no accent.
    folded = _marks().sub("", folded.replace("и\u0306", "й"))
    if _odd().search(folded):
        folded = _odd().sub(_plain, folded)
        return unicodedata.normalize("NFC", folded), _runs(_indic())
    return unicodedata.normalize("NFC", folded), _runs()


def _plain(found: re.Match[str]) -> str:
    digit = unicodedata.decimal(found[0], None)
    return found[0].translate(_ALIKE) if digit is None else str(digit)


def tokens(text: str) -> list[str]:
    """The words of `text` in order, as they are indexed.

    Punctuation separates, so `ERR-4711` is `err 4711` and an address is its parts:
    both are found whole (as a phrase) and in part. Chinese, Japanese, Korean and
    Thai runs give overlapping pairs and their last character.
    """
    text = text[:INDEXED_LIMIT]
    folded, runs = (text, _ASCII_RUN) if text.isascii() else fold(text)
    if folded.isascii():
        return _limited(folded.encode("ascii").translate(_ASCII_TABLE).decode("ascii").split())
    if not _dense().search(folded):
        return _limited(runs.findall(folded))
    found: list[str] = []
    for run in runs.findall(folded):
        if _dense().match(run):
            found.extend([run[i : i + 2] for i in range(len(run))])
        else:
            found.append(run[:TOKEN_LIMIT])
    return found


def _limited(found: list[str]) -> list[str]:
    if max(map(len, found), default=0) <= TOKEN_LIMIT:
        return found
    return [token[:TOKEN_LIMIT] for token in found]


def cut(run: str) -> Iterator[tuple[str, int]]:
    """The tokens of a run as `tokens` makes them, and where in it each begins."""
    if _dense().match(run):
        yield from ((run[i : i + 2], i) for i in range(len(run)))
    else:
        yield run[:TOKEN_LIMIT], 0


def words(*texts: str) -> str:
    """The tokens of all `texts` as one line, which is what the store indexes."""
    return " ".join([token for text in texts for token in tokens(text)])


def phrase(text: str, *, prefix: bool = False) -> tuple[str, bool]:
    """What to look for when somebody types `text`: its tokens as one line, and whether the last is a prefix.

    The end of a run without spaces may go on in the text looked through, so its last
    character is not asked for; a single such character is asked for as a beginning.
    """
    found = tokens(text)
    if found and _dense().match(found[-1]) and len(found[-1]) == 1 and not prefix:
        if len(found) > 1 and _dense().match(found[-2]) and found[-2].endswith(found[-1]):
            found.pop()
        else:
            prefix = True
    return " ".join(found), prefix


def contains(haystack: str, needle: str, prefix: bool) -> bool:
    """Whether the token line `haystack` has the token line `needle` as a phrase."""
    return f" {needle}" in f" {haystack} " if prefix else f" {needle} " in f" {haystack} "


def columns(text: str) -> int:
    """How many terminal columns `text` takes: wide characters two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(
        0
        if unicodedata.combining(c) or c in "\u200c\u200d\ufe0e\ufe0f"
        else 2
        if unicodedata.east_asian_width(c) in "WF"
        else 1
        for c in text
    )
