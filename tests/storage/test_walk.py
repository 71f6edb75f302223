"""Streams meet as sets do, wherever they are entered and however their rows come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.query import EVERYTHING, VISIBLE, All, Any, Is, Node, Not, Words
from storage.walk import FIRST, Hits, chunks, drives, listed, places, split, stream

_ALL = range(40)
_WORDS = {name: Words("text", name, False) for name in "abc"}
_SETS = st.fixed_dictionaries({name: st.sets(st.sampled_from(_ALL)) for name in _WORDS})
_NODES: st.SearchStrategy[Node] = st.recursive(
    st.sampled_from(list(_WORDS.values())),
    lambda inner: st.one_of(
        inner.map(Not),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: All(tuple(parts))),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: Any(tuple(parts))),
    ),
    max_leaves=6,
)


def rows(found: set[int], size: int, far: float) -> Hits:
    """A stream that hands out so many rows at once."""

    def read(place: int) -> Iterator[Sequence[int]]:
        left = sorted(p for p in found if p >= place)
        return (left[i : i + size] for i in range(0, len(left), size))

    return Hits(read, far)


def meant(node: Node, sets: dict[str, set[int]]) -> set[int]:
    """What the streams should come to."""
    match node:
        case All(parts):
            return set.intersection(*(meant(part, sets) for part in parts))
        case Any(parts):
            return set.union(*(meant(part, sets) for part in parts))
        case Not(part):
            return set(_ALL) - meant(part, sets)
        case Words(_, needle):
            return sets[needle]
    raise AssertionError(node)


@given(_NODES, _SETS, st.integers(1, 5), st.sampled_from([0, 2, float("inf")]), st.sampled_from([FIRST, 0, 7, 39]))
def test_streams_meet_as_sets_do(node: Node, sets: dict[str, set[int]], size: int, far: float, start: int) -> None:
    found = stream(node, lambda words: rows(sets[words.needle], size, far), lambda: listed(_ALL))
    assert list(places(found, start)) == sorted(p for p in meant(node, sets) if p >= start)


@given(_NODES, _SETS)
def test_what_drives_needs_nothing_to_begin_with(node: Node, sets: dict[str, set[int]]) -> None:
    def nothing() -> Hits:
        raise AssertionError

    if drives(node):
        found = stream(node, lambda words: rows(sets[words.needle], 3, 4), nothing)
        assert set(places(found)) == meant(node, sets)


def test_a_gap_is_leapt_over_by_asking_anew() -> None:
    asked: list[int] = []

    def read(place: int) -> Iterator[Sequence[int]]:
        asked.append(place)
        return (range(at, at + 10) for at in range(place, 100_000, 10))

    hits = Hits(read, far=100)
    assert [hits.seek(place) for place in (5, 50, 90_000, 90_001)] == [5, 50, 90_000, 90_001]
    assert asked == [5, 90_000]


def test_chunks_grow() -> None:
    assert [len(chunk) for chunk in chunks(listed(range(100)), FIRST, 10, largest=40)] == [10, 20, 40, 30]


a, b, c = _WORDS.values()
IS, FROM = Is("team", ("x",)), Words("requester", "ann", False)


@pytest.mark.parametrize(
    ("node", "words", "rest"),
    [
        (All((VISIBLE, a)), All((a,)), All((VISIBLE,))),
        (All((VISIBLE, All((a, IS, Not(b))))), All((a, Not(b))), All((VISIBLE, IS))),
        (All((VISIBLE, Any((a, Not(b))))), All((Any((a, Not(b))),)), All((VISIBLE,))),
        (All((VISIBLE, Any((a, IS)))), None, All((VISIBLE, Any((a, IS))))),
        (All((VISIBLE, FROM)), None, All((VISIBLE, FROM))),
        (All((VISIBLE, EVERYTHING)), None, All((VISIBLE,))),
    ],
)
def test_words_are_split_from_the_rest(node: Node, words: Node | None, rest: Node) -> None:
    assert split(node) == (words, rest)


@pytest.mark.parametrize(
    ("node", "leads"),
    [
        (a, True),
        (Not(a), False),
        (Any((a, Not(b))), False),
        (All((Not(a), b)), True),
        (All((Not(a), Not(b))), False),
        (All((a, Any((b, Not(c))))), False),
        (All((a, Not(Not(b)))), False),
    ],
)
def test_only_what_names_a_word_leads_anywhere(node: Node, leads: bool) -> None:
    assert drives(node) is leads
