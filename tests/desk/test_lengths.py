"""Texts are as long as the other side counts them, and long ones are cut where nothing breaks."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from desk.lengths import BYTES, CHARACTERS, SEGMENTS, SHORTENED, UTF16, WEIGHTED, length, split

UNITS = (CHARACTERS, BYTES, UTF16, WEIGHTED, SHORTENED)
SNIPPETS = st.sampled_from(
    ["word", " ", "\n", "\n\n", "\r\n", "\t", ". ", "```\n", "```python\n", "~~~~\n", "    indented", "e\u0301", "कि", "👨‍👩‍👧", "🇩🇪", "1️⃣", "👍🏽", "x" * 60,
     "https://example.com/a?b=c", "@ann@example.org", "日本語。", "`" * 50 + "\n", "\n```" + "info " * 20 + "\n"]
)  # fmt: skip
TEXTS = st.lists(SNIPPETS, max_size=60).map("".join)


def bare(text: str) -> str:
    """What is said, without space and fences, of which a cut may make more."""
    return re.sub(r"\s|```+(?:python)?|~~~~+", "", text)


@given(TEXTS, st.integers(60, 400), st.sampled_from(UNITS))
@example("```" + "x" * 90 + "\ncode\n```", 60, CHARACTERS)
def test_every_piece_fits_and_nothing_is_lost(text: str, limit: int, unit: str) -> None:
    pieces = split(text, limit, unit)
    assert all(length(piece, unit) <= limit for piece in pieces)
    if "info" not in text and "`" * 50 not in text:
        assert bare("".join(pieces)) == bare(text)


@given(
    st.lists(st.sampled_from(["e\u0301\u0323", "कि", "👨‍👩‍👧", "🇩🇪", "1️⃣", "👍🏽", "각"]), max_size=80),
    st.integers(12, 40),
)
def test_what_is_seen_as_one_character_is_never_cut(seen: list[str], limit: int) -> None:
    rest = list(seen)
    for piece in split("".join(seen), limit):
        while piece:
            assert piece.startswith(rest[0])
            piece = piece[len(rest.pop(0)) :]
    assert rest == []


@given(
    st.lists(st.sampled_from(["x = 1", "", "  y = 2", "print('a. b')", "z" * 30]), min_size=1, max_size=60),
    st.integers(60, 120),
)
def test_a_code_block_is_closed_and_opened_again_and_none_is_empty(code: list[str], limit: int) -> None:
    text = "Try this:\n\n```python\n" + "\n".join(code) + "\n```\n\nThat is all."
    for piece in split(text, limit):
        fences = [line for line in piece.split("\n") if line.startswith("```")]
        assert fences == ["```python", "```"] * (len(fences) // 2)
        assert "```python\n```" not in piece or not "".join(code)


@pytest.mark.parametrize(
    ("text", "weight"),
    [
        ("hello", 5), ("日本", 4), ("👨‍👩‍👧", 2), ("🇩🇪", 2), ("1️⃣", 2), ("🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", 2),
        ("a\u200db", 3), ("https://example.com/a/very/long/path?with=things", 23), ("see example.jp now", 31),
        ("詳細はhttps://example.com/をご覧", 6 + 23 + 6), ("ann@example.com", 15), ("cafe\u0301", 4),
    ],
)  # fmt: skip
def test_x_weighs_as_it_says_it_does(text: str, weight: int) -> None:
    assert length(text, WEIGHTED) == weight


def test_a_short_message_has_segments() -> None:
    assert [length(text, SEGMENTS) for text in ("", "a" * 160, "a" * 161, "€" * 80, "я" * 70, "я" * 71)] == [
        0,
        1,
        2,
        1,
        1,
        2,
    ]


@pytest.mark.parametrize("unit", [CHARACTERS, BYTES, UTF16, WEIGHTED])
@pytest.mark.parametrize("text", ["Some words and more. ", "```\nx = call(1)\n```\n", "a-", "a."])
def test_a_text_of_any_length_is_cut_at_once(unit: str, text: str) -> None:
    begun = time.process_time()
    pieces = split(text * (200_000 // len(text)), 300, unit)
    assert time.process_time() - begun < 5, "the time grows with the text, not with its square"
    assert len(pieces) > 100
