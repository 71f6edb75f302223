"""Text from strangers: harmless on a terminal, and cut into the same words everywhere."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.text import TOKEN_LIMIT, clean, columns, contains, one_line, phrase, storable, tokens, words

# -- drawing ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("hostile", "harmless"),
    [
        ("\x1b[2J\x1b]0;owned\x07", "␛[2J␛]0;owned␇"),
        ("a\rb", "a␍b"),
        ("line\r\nline", "line\nline"),
        ("\x9b31m", "�31m"),
        ("\x7f", "␡"),
        ("abc\u202etxt.exe", "abc⟨rlo⟩txt.exe"),
        ("\u2066x\u2069", "⟨lri⟩x⟨pdi⟩"),
        ("in\u200bvis\u00adible\ufeff", "invisible"),
        ("tag\U000e0041", "tag"),
        ("one\u2028two", "one\ntwo"),
        ("half \ud800", "half �"),
    ],
)
def test_what_could_steer_a_terminal_becomes_a_picture_of_itself(hostile: str, harmless: str) -> None:
    assert clean(hostile) == harmless


@pytest.mark.parametrize("text", ["Grüße, 東京 und привет", "tab\tand\nline", "a 👍🏽 b", ""])
def test_ordinary_text_is_left_as_it_is(text: str) -> None:
    assert clean(text) == text


@given(st.text(st.characters(codec=None)))
def test_no_control_survives_cleaning(text: str) -> None:
    drawn = clean(text)
    assert not [c for c in drawn if unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t"]
    assert not set(drawn) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c\u2028\u2029")
    assert clean(drawn) == drawn


@given(st.text(st.characters(codec=None)))
def test_one_line_is_one_line_with_single_spaces(text: str) -> None:
    line = one_line(text)
    assert "\n" not in line
    assert "\t" not in line
    assert "  " not in line


@given(st.text(st.characters(codec=None)))
def test_every_text_can_be_made_storable(text: str) -> None:
    stored = storable(text)
    assert "\x00" not in stored
    assert stored.encode().decode() == stored


def test_storable_keeps_what_a_database_takes() -> None:
    assert storable("Grüße\x07") == "Grüße\x07"


@pytest.mark.parametrize(
    ("text", "wide"), [("abc", 3), ("東京", 4), ("e\u0301", 1), ("👍", 2), ("", 0), ("é\u200d", 1)]
)
def test_columns_counts_cells_not_characters(text: str, wide: int) -> None:
    assert columns(text) == wide


# -- searching --------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Hello, World", ["hello", "world"]),
        ("ERR-4711 at 0x80070005", ["err", "4711", "at", "0x80070005"]),
        ("ann.lee+vpn@acme.example", ["ann", "lee", "vpn", "acme", "example"]),
        ("snake_case", ["snake", "case"]),
        ("Müller STRASSE Straße", ["muller", "strasse", "strasse"]),
        ("naïve café", ["naive", "cafe"]),
        ("ёлка Ёж", ["елка", "еж"]),
        ("край йод", ["край", "йод"]),
        ("ＡＢＣ１２", ["abc12"]),
        ("ﬁle", ["file"]),
        ("東京都", ["東京", "京都", "都"]),
        ("abc東京", ["abc", "東京", "京"]),
        ("한국어", ["한국", "국어", "어"]),
        ("a" * 100, ["a" * TOKEN_LIMIT]),
        ("é" * 100, ["e" * TOKEN_LIMIT]),
        ("... !!", []),
    ],
)
def test_tokens_are_folded_words(text: str, found: list[str]) -> None:
    assert tokens(text) == found


def test_the_breve_of_short_i_is_a_letter_and_not_an_accent() -> None:
    assert tokens("й") != tokens("и")
    assert tokens("ў") == tokens("у")


@given(st.text())
def test_composed_and_decomposed_text_has_the_same_words(text: str) -> None:
    assert tokens(unicodedata.normalize("NFD", text)) == tokens(unicodedata.normalize("NFC", text))


@given(st.text(st.characters(max_codepoint=127)))
def test_ascii_is_cut_as_other_text_is(text: str) -> None:
    assert tokens(f"{text} é") == [*tokens(text), "e"]


def test_words_joins_the_tokens_of_all_texts() -> None:
    assert words("A-b", "", "C") == "a b c"


@pytest.mark.parametrize(
    ("asked", "text", "there"),
    [
        ("err 4711", "see ERR-4711.", True),
        ("4711", "see ERR-4711.", True),
        ("471", "see ERR-4711.", False),
        ("err-47*", "see ERR-4711.", True),
        ("cafe", "Café", True),
        ("елка", "Ёлка", True),
        ("東京", "西東京市", True),
        ("東", "西東京市", True),
        ("市", "西東京市", True),
        ("京西", "西東京市", False),
        ("東京市", "西東京市", True),
        ("refund please", "please refund", False),
    ],
)
def test_a_phrase_finds_what_a_person_means(asked: str, text: str, there: bool) -> None:
    needle, prefix = phrase(asked.rstrip("*"), prefix=asked.endswith("*"))
    assert contains(words(text), needle, prefix) is there


@given(st.text(st.sampled_from("aбё東京é1 -"), max_size=12), st.text(st.sampled_from("aбё東京é1 -"), max_size=12))
def test_every_text_is_found_by_itself_and_by_its_beginning(text: str, more: str) -> None:
    needle, prefix = phrase(text)
    if needle:
        assert contains(words(text), needle, prefix)
        assert contains(words(f"{text} {more}"), needle, prefix)
