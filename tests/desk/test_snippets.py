"""What was found is shown where it stands, as it is written."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.query import Env, needles, parse
from desk.snippets import Snippet, snippet, spans
from desk.text import columns, contains, fold, one_line, phrase, words


def hits(text: str, typed: str) -> list[str]:
    """The pieces of `text` that are shown as found."""
    needle, prefix = phrase(typed.rstrip("*"), prefix=typed.endswith("*"))
    return [text[start:end] for start, end in spans(text, needle, prefix)]


@pytest.mark.parametrize(
    ("text", "typed", "found"),
    [
        ("Refund the refund, refunds later", "refund", ["Refund", "refund"]),
        ("Refund the refund, refunds later", "refund*", ["Refund", "refund", "refund"]),
        ("The Café, CAFÉS and Cafe\u0301.", "cafe", ["Café", "Cafe\u0301"]),
        ("see ERR-4711 and err 4711", "err-4711", ["ERR-4711", "err 4711"]),
        ("№4711", "4711", ["4711"]),
        ("Straße", "strasse", ["Straße"]),
        ("край, й", "й", ["й"]),
        ("Rechnungs\u00adnummer", "rechnungsnummer", ["Rechnungs\u00adnummer"]),
        ("我的订单在哪里，订单号", "订单", ["订单", "订单"]),
        ("我的订单在哪里", "我的订单", ["我的订单"]),
        ("西東京市", "東", ["東"]),
        ("ハハハハ", "ハハ", ["ハハハハ"]),
        ("ｶﾞｲﾄﾞ", "ガイド", ["ｶﾞｲﾄﾞ"]),
        ("\u1112\u116a\u11ab\u1107\u116e\u11af 한국", "환불", ["\u1112\u116a\u11ab\u1107\u116e\u11af"]),
        ("हिन्दी में", "हिन्दी", ["हिन्दी"]),
        ("ﬁle ﬁles", "file", ["ﬁle"]),
        ("٤٧١١", "4711", ["٤٧١١"]),
        ("nothing here", "refund", []),
        ("", "refund", []),
    ],
)
def test_spans_are_where_the_words_stand(text: str, typed: str, found: list[str]) -> None:
    assert hits(text, typed) == found


_TEXTS = st.text(
    st.one_of(st.characters(codec=None), st.sampled_from("aéßиё\u0306ﬁ東京ｶﾞ한ᄒ\u1161ि\u00ad-4٤ ")), max_size=20
)


@given(_TEXTS, _TEXTS)
def test_spans_are_honest(text: str, other: str) -> None:
    needle, prefix = phrase(other)
    places = spans(text, needle, prefix)
    assert places == sorted(places)
    assert all(end > start for start, end in places)
    assert all(left[1] <= right[0] for left, right in pairwise(places))
    if places:
        assert contains(words(text), needle, prefix)
    for start, end in places:
        assert fold(text[start:end])[0].strip()


@given(_TEXTS, st.integers(0, 19), st.integers(1, 5))
def test_whatever_is_found_has_a_place(text: str, start: int, length: int) -> None:
    needle, prefix = phrase(text[start : start + length])
    if needle and contains(words(text), needle, prefix):
        assert spans(text, needle, prefix)


def test_a_short_text_is_shown_whole() -> None:
    assert snippet("the printer\nis  on fire", [("fire", False), ("printer", False)], 40) == Snippet(
        "the printer is on fire", [(4, 11), (18, 22)]
    )


def test_a_long_text_is_cut_around_the_first_place() -> None:
    text = f"{'before ' * 30}printer fire {'after ' * 30}"
    found = snippet(text, [("fire", False)], 40)
    assert found is not None
    assert found.text == "…printer fire after after after after a…"
    assert [found.text[a:b] for a, b in found.spans] == ["fire"]


def test_what_is_not_there_has_no_snippet() -> None:
    assert snippet("the printer", [("fire", False)], 40) is None
    assert snippet("the printer", [], 40) is None


@given(_TEXTS, st.integers(8, 60))
def test_a_snippet_is_one_harmless_line_that_fits(text: str, room: int) -> None:
    whole = f"{text} needle {text} needle {text}"
    found = snippet(whole, [("needle", False)], room)
    if found is None:
        # Letters may have grown together with it.
        assert not spans(one_line(whole), "needle")
        return
    assert columns(found.text) <= room
    assert found.text == one_line(found.text)
    assert found.spans
    assert all(found.text[start:end] for start, end in found.spans)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("is:open Café -printer", [("cafe", False)]),
        ('"paper jam" or jam* subject:Fire from:ann', [("paper jam", False), ("jam", True), ("fire", False)]),
        ("jam jam -(fire or -smoke)", [("jam", False)]),
        ("is:open", []),
    ],
)
def test_needles_are_the_words_asked_for(query: str, found: list[tuple[str, bool]]) -> None:
    assert needles(parse(query, Env(0))) == found
