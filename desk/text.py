"""Text that came from strangers: made safe to draw, and cut into words to search for.

Both stores index exactly the tokens made here, and `desk.query.matches` compares the
same tokens, so that a search means one thing everywhere.
"""

from __future__ import annotations

import re
import unicodedata
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


# -- searching --------------------------------------------------------------

TOKEN_LIMIT = 64
"""Longest token kept, in characters: longer runs are machine noise, found by their beginning."""

INDEXED_LIMIT = 1_000_000
"""How much of one text is indexed, in characters."""

#: Scripts written without spaces: a run of them is indexed as overlapping pairs.
_DENSE = "\u0e00-\u0e7f\u1100-\u11ff\u3005-\u3007\u3040-\u30ff\u3130-\u318f\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003134f"
_ASCII_RUN = re.compile(r"[a-z0-9]+")


@cache
def _runs() -> re.Pattern[str]:
    # Compiled when first needed: most texts are ASCII, and most verbs look for nothing.
    return re.compile(rf"[{_DENSE}]+|[^\W_{_DENSE}]+")


@cache
def _dense() -> re.Pattern[str]:
    return re.compile(rf"[{_DENSE}]")


@cache
def _marks() -> re.Pattern[str]:
    # Marks that make no other letter. The breve of й stays, as do voiced kana and the vowels of Indic scripts and Thai.
    return re.compile(
        r"(?<!и)\u0306|[\u0300-\u0305\u0307-\u036f\u0591-\u05c7\u064b-\u065f\u0670\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]"
    )


def _fold(text: str) -> str:
    """Lower case, compatibility forms unified, accents gone (ё = е, ü = u, Ａ = a)."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return decomposed if decomposed.isascii() else unicodedata.normalize("NFC", _marks().sub("", decomposed))


def tokens(text: str) -> list[str]:
    """The words of `text` in order, as they are indexed.

    Punctuation separates, so `ERR-4711` is `err 4711` and an address is its parts:
    both are found whole (as a phrase) and in part. Chinese, Japanese, Korean and
    Thai runs give overlapping pairs and their last character.
    """
    if text.isascii():
        ascii_found: list[str] = _ASCII_RUN.findall(text[:INDEXED_LIMIT].lower())
        if max(map(len, ascii_found), default=0) <= TOKEN_LIMIT:
            return ascii_found
        return [token[:TOKEN_LIMIT] for token in ascii_found]
    found: list[str] = []
    for run in _runs().findall(_fold(text[:INDEXED_LIMIT])):
        if _dense().match(run):
            found.extend([run[i : i + 2] for i in range(len(run) - 1)])
            found.append(run[-1])
        else:
            found.append(run[:TOKEN_LIMIT])
    return found


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
