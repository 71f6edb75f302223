"""Whichever way a page is found, it holds what the query means, in order, to the last page."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from desk.query import All, Between, Env, Node, QueryError, matches, parse
from desk.store import Store
from storage import find, fts5, search
from tests.contracts import test_query_agreement as agreement
from tests.contracts.test_query_agreement import NOW, cases, fill, store
from tests.torture import often

__all__ = ["store"]

HASTY = {
    (find, "PATIENCE"): 0,
    (find, "FEW"): 4,
    (find, "_SAMPLE"): 2,
    (find, "_LARGEST"): 4,
    (search, "COMMON"): 0,
    (fts5, "_SAMPLE"): 2,
    (fts5, "_SPELLINGS"): 1,
}
"""Every change of plan after the second ticket, instead of after thousands."""

_WORDY = st.lists(st.one_of(agreement._WORD, agreement._PREFIX, agreement._PHRASE), min_size=1, max_size=3).flatmap(
    lambda words: st.sampled_from([" ", " or ", " -"]).map(lambda gap: gap.join(words))
)
_QUERIES = st.one_of(
    _WORDY,
    st.tuples(_WORDY, agreement._FIELD).map(" ".join),
    st.tuples(_WORDY, agreement._FIELD).map(lambda pair: f"is:live ({pair[0]}) {pair[1]}"),
    agreement._QUERIES,
)


def pages(store: Store, node: Node, sort: str, size: int) -> list[list[int]]:
    """All pages, each begun behind the one before."""
    found, after = [], None
    while True:
        page = store.page(node, sort=sort, after=after, limit=size)
        found.append([row.ticket.id for row in page.rows])
        after = page.next
        if after is None:
            return found


@pytest.mark.parametrize("limits", [{}, HASTY], ids=["at leisure", "in haste"])
@given(desk=agreement._DESKS, queries=st.lists(_QUERIES, min_size=8, max_size=8), size=st.integers(1, 3))
@settings(max_examples=often(15), deadline=None, suppress_health_check=list(HealthCheck))
def test_pages_hold_what_the_query_means(
    store: Store, limits: dict[tuple[ModuleType, str], int], desk: list[Any], queries: list[str], size: int
) -> None:
    numbers = fill(store, desk, next(agreement._TURNS))
    here = Between("id", numbers[0], numbers[-1])
    asked = list(cases(store, numbers, "kim"))
    with pytest.MonkeyPatch.context() as patch:
        for (module, name), value in limits.items():
            patch.setattr(module, name, value)
        for query in queries:
            try:
                node = parse(query, Env(NOW, "kim", ("network",)))
            except QueryError:
                continue
            meant = [case.ticket.id for case in asked if matches(node, case)]
            for sort in ("oldest", "newest", "urgency", "updated"):
                whole = pages(store, All((node, here)), sort, size)
                found = [number for page in whole for number in page]
                assert sorted(found) == meant, (query, sort)
                assert all(len(page) == size for page in whole[:-1])
                if sort in ("oldest", "newest"):
                    assert found == sorted(meant, reverse=sort == "newest")
                else:
                    assert found == store.ids(All((node, here)), sort=sort)
