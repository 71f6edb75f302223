"""What a search found, shown: the places of its words in a text, and the piece around them."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from desk.text import INDEXED_LIMIT, columns, cut, fold, one_line

Span = tuple[int, int]

Needle = tuple[str, bool]
"""What `phrase` makes of what somebody types: a token line, and whether its last word is a beginning."""

SEEN_LIMIT = 100_000
"""How much of one text is looked through for something to show, in characters."""


class Snippet(NamedTuple):
    """A piece of a text on one line, and the places in it where the words stand."""

    text: str
    spans: list[Span]


def spans(text: str, needle: str, prefix: bool = False) -> list[Span]:
    """Where the words of the token line `needle` stand in `text`: (start, end), in order, none inside another."""
    return _Placed(text).spans([(needle, prefix)])


def snippet(text: str, needles: Sequence[Needle], room: int) -> Snippet | None:
    """A piece of `text` in at most `room` columns around the first place of any of `needles`; None when there is none."""
    line = one_line(text[:SEEN_LIMIT])
    found = _Placed(line).spans(needles)
    if not found:
        return None
    start, end = _window(line, found[0], room)
    before, after = "…" if start else "", "…" if end < len(line) else ""
    shift = len(before) - start
    kept = [(max(a, start) + shift, min(b, end) + shift) for a, b in found if a < end and b > start]
    return Snippet(f"{before}{line[start:end]}{after}", kept)


def _window(line: str, first: Span, room: int) -> Span:
    """The part of `line` to show: what stands at `first`, a little before it, and as much behind it as there is room."""
    if columns(line) <= room:
        return 0, len(line)
    start = end = first[0]
    left = room // 4
    while start and (left := left - columns(line[start - 1])) >= 0:
        start -= 1
    if start and (space := line.find(" ", start, first[0])) >= 0:
        start = space + 1
    left = room - 2 - columns(line[start:end])
    while end < len(line) and (left := left - columns(line[end])) >= 0:
        end += 1
    return start, end


class _Placed:
    """The tokens of a text with their places in it."""

    def __init__(self, text: str) -> None:
        text = text[:INDEXED_LIMIT]
        self._tokens: list[str] = []
        self._starts: list[int] = []
        self._edges: list[Span] | None = None
        folded, runs = fold(text)
        if not text.isascii():
            pieces = [(start, end, fold(text[start:end])[0]) for start, end in _clusters(text)]
            self._edges = [(start, end) for start, end, piece in pieces for _ in piece]
            if "".join(piece for *_, piece in pieces) != folded:
                # Characters that only together become another: rather nothing than a wrong place.
                return
        for run in runs.finditer(folded):
            for token, start in cut(run[0]):
                self._tokens.append(token)
                self._starts.append(run.start() + start)

    def spans(self, needles: Sequence[Needle]) -> list[Span]:
        """Where any of `needles` stands."""
        found: list[Span] = []
        for start, end in sorted(span for needle, prefix in needles for span in self._of(needle.split(), prefix)):
            if found and start < found[-1][1]:
                found[-1] = (found[-1][0], max(end, found[-1][1]))
            else:
                found.append((start, end))
        return found

    def _of(self, wanted: list[str], prefix: bool) -> Iterator[Span]:
        if not wanted:
            return
        *head, last = wanted
        for at, token in enumerate(self._tokens[len(head) :], len(head)):
            if (token.startswith(last) if prefix else token == last) and self._tokens[at - len(head) : at] == head:
                yield self._place(self._starts[at - len(head)], self._starts[at] + len(last))

    def _place(self, start: int, end: int) -> Span:
        return (start, end) if self._edges is None else (self._edges[start][0], self._edges[end - 1][1])


def _clusters(text: str) -> Iterator[Span]:
    """Characters with the marks and jamo that belong to them: what folds by itself."""
    start = 0
    for at, character in enumerate(text):
        belongs = (
            unicodedata.category(character)[0] == "M"
            or "\u1160" <= character <= "\u11ff"
            or "\uff9e" <= character <= "\uff9f"
            or "\uffc2" <= character <= "\uffdc"
        )
        if at and not belongs:
            yield start, at
            start = at
    if text:
        yield start, len(text)
