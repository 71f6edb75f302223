"""Sorted streams of numbers that are met in one pass: how words, `or` and `-` come together.

A stream knows one thing: the first place at or behind another. Several that must hold at
once leap over each other's gaps, so what a page costs depends on how rare the meeting is
and not on how much there is. Places go up; who wants the newest first counts down from 0.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Protocol

from desk.query import VISIBLE, All, Any, Node, Not, Words

FIRST = -(1 << 62)
"""A place before every other."""

FAR = 256
"""So many rows are read on before asking again: a row costs 0.3 us, an index asked anew 25-150 us."""


class Stream(Protocol):
    """Places in rising order, without an end in sight."""

    def seek(self, place: int) -> int | None:
        """The first place at or behind `place` (None: there is none); what is asked for never goes back."""


class Hits:
    """The places that `read` gives, in batches, from a place on."""

    def __init__(self, read: Callable[[int], Iterator[Sequence[int]]], far: float = FAR) -> None:
        self._read, self._far = read, far
        self._batches: Iterator[Sequence[int]] | None = None
        self._batch: Sequence[int] = ()
        self._at = 0

    def seek(self, place: int) -> int | None:
        passed = 0
        while not self._batch or self._batch[-1] < place:
            if self._batches is None or passed > self._far:
                self._batches, passed = self._read(place), 0
            self._at, self._batch = 0, next(self._batches, ())
            passed += len(self._batch)
            if not self._batch:
                return None
        self._at = bisect_left(self._batch, place, self._at)
        return self._batch[self._at]


def listed(places: Sequence[int]) -> Stream:
    """The stream of `places`, which are in order."""
    return Hits(lambda place: iter((places,)))


class Both:
    """Where all of some streams meet."""

    def __init__(self, parts: Sequence[Stream]) -> None:
        self._parts = parts

    def seek(self, place: int) -> int | None:
        agreed = 0
        while agreed < len(self._parts):
            agreed = 0
            for part in self._parts:
                found = part.seek(place)
                if found is None:
                    return None
                agreed += found == place
                place = found
        return place


class Either:
    """Where any of some streams is."""

    def __init__(self, parts: Sequence[Stream]) -> None:
        self._next: dict[Stream, int | None] = dict.fromkeys(parts, FIRST - 1)

    def seek(self, place: int) -> int | None:
        for part, at in self._next.items():
            if at is not None and at < place:
                self._next[part] = part.seek(place)
        return min((at for at in self._next.values() if at is not None), default=None)


class Without:
    """Where one stream is and another is not."""

    def __init__(self, part: Stream, unwanted: Stream) -> None:
        self._part, self._unwanted = part, unwanted

    def seek(self, place: int) -> int | None:
        while (found := self._part.seek(place)) is not None and self._unwanted.seek(found) == found:
            place = found + 1
        return found


def places(stream: Stream, start: int = FIRST) -> Iterator[int]:
    """All that `stream` has from `start` on."""
    at: int | None = start
    while at is not None and (at := stream.seek(at)) is not None:
        yield at
        at += 1


def chunks(stream: Stream, start: int, size: int, largest: int = 1024) -> Iterator[list[int]]:
    """The same in lists, each larger than the one before: few are wanted at first."""
    rest = places(stream, start)
    while chunk := list(islice(rest, size)):
        yield chunk
        size = min(2 * size, largest)


# -- queries ------------------------------------------------------------------


def split(node: Node) -> tuple[Node | None, All]:
    """The part of `node` that asks for words in messages alone (None: nothing), and all the rest."""
    parts = list(_flat(node))
    words = tuple(part for part in parts if _wordy(part))
    return (All(words) if words else None), All(tuple(part for part in parts if not _wordy(part)))


def _flat(node: Node) -> Iterator[Node]:
    if isinstance(node, All) and node != VISIBLE:
        for part in node.parts:
            yield from _flat(part)
    else:
        yield node


def _wordy(node: Node) -> bool:
    match node:
        case Words(where):
            return where in ("text", "subject")
        case All(parts) | Any(parts):
            return bool(parts) and all(_wordy(part) for part in parts)
        case Not(part):
            return _wordy(part)
    return False


def drives(node: Node) -> bool:
    """Whether `node` leads from one ticket to the next, or somewhere only says no."""
    match node:
        case All(parts):
            led = [drives(part.part if isinstance(part, Not) else part) for part in parts]
            return all(led) and not all(isinstance(part, Not) for part in parts)
        case Any(parts):
            return all(drives(part) for part in parts)
    return isinstance(node, Words)


def stream(node: Node, hits: Callable[[Words], Stream], everything: Callable[[], Stream]) -> Stream:
    """`node`, which asks for words alone, as a stream; `everything` is what a `-` is taken from."""
    match node:
        case Words():
            return hits(node)
        case All(parts):
            wanted = [stream(part, hits, everything) for part in parts if not isinstance(part, Not)]
            unwanted = [stream(part.part, hits, everything) for part in parts if isinstance(part, Not)]
            found = wanted[0] if len(wanted) == 1 else Both(wanted) if wanted else everything()
            for part in unwanted:
                found = Without(found, part)
            return found
        case Any(parts):
            return Either([stream(part, hits, everything) for part in parts])
        case Not(part):
            return Without(everything(), stream(part, hits, everything))
    raise AssertionError(node)
