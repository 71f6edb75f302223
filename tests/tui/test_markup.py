"""Text of messages as lines: what means something is drawn so, and nothing that somebody typed is lost."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from tui.markup import Parts, read


def lines(text: str, width: int = 60, *, typed: bool = True) -> list[str]:
    """The lines, each stressed piece as {style:piece}."""
    return [
        "".join(f"{{{style}:{piece.rstrip()}}}" if style else piece for piece, style in parts)
        for parts in read(text, width, typed=typed)
    ]


def plain(found: list[Parts]) -> str:
    """The lines without their styles."""
    return "\n".join("".join(piece for piece, _ in parts) for parts in found)


@pytest.mark.parametrize(
    "text",
    [
        "snake_case_name and __init__.py and _private",
        "*** error *** at 5*3*2 and f(*args, **kwargs)",
        "rm *.log *.txt in /usr/*/share_*/x",
        "a > b and c < d | e",
        "# apt install x\n# reboot",
        "`unclosed and it's",
        "C:\\temp\\*new* 3 * 4 * 5",
        "| not | a table",
        "```\nopened and never closed",
        "-- \nKim",
        "---",
    ],
)
def test_what_looks_like_markdown_and_is_none_stays(text: str) -> None:
    assert lines(text) == text.replace("-- ", "--").split("\n")


def test_stress_is_drawn_and_typed_signs_stay() -> None:
    assert lines("this is *important*, **very**, _so_, see `ip a`.") == [
        "this is {emphasis:*important*}, {strong:**very**}, {emphasis:_so_}, see {code:`ip a`}."
    ]


def test_of_html_the_signs_go_but_those_of_code() -> None:
    assert lines("this is *important*, **very**, see `ip a` and a_b_c.", typed=False) == [
        "this is {emphasis:important}, {strong:very}, see {code:`ip a`} and a_b_c."
    ]
    assert lines("it ***still*** drops", typed=False) == ["it {strong:still} drops"]
    assert lines("# Your **weekly** digest\n---\n2 * 3", typed=False)[::2] == ["{strong:Your weekly digest}", "2 * 3"]


def test_a_typed_heading_stands_alone() -> None:
    assert lines("# Steps\n\n# a comment\nx = 1") == ["{strong:# Steps}", "", "# a comment", "x = 1"]


def test_code_is_never_broken_between_words() -> None:
    code = "2026-02-02 tunnel down: peer insists on 1500"
    assert lines(f"so:\n```log\n{code}\n  in\n```\nend", 24) == [
        "so:",
        "{rule:│}{code:2026-02-02 tunnel down}",
        "{rule:┆}{code:: peer insists on 1500}",
        "{rule:│}{code:  in}",
        "end",
    ]


def test_lists_and_quotes_hang() -> None:
    assert lines("- one two three four five\n12. one two three four\n> one two three four", 16) == [
        "- one two three",
        "  four five",
        "12. one two",
        "    three four",
        "{quoted:> one two three}",
        "{quoted:>}{quoted:four}",
    ]


def test_a_table_stands_in_columns_and_a_wide_one_in_rows() -> None:
    text = "| Site | Drops |\n| --- | --- |\n| Berlin | 12 |\n| Nord | 1 |"
    assert plain(list(read(text, 40))).split("\n") == [
        "Site   │ Drops",
        "───────┼──────",
        "Berlin │    12",
        "Nord   │     1",
    ]
    assert lines(text.replace("Berlin", "a very long name of a site"), 24)[:3] == [
        "{strong:Site:}a very long name",
        "  of a site",
        "{strong:Drops:}12",
    ]


def test_a_table_without_titles_has_none() -> None:
    found = lines("| Subtotal | 98.90 |\n| --- | --- |\n| Total | **103.80** |", typed=False)
    assert found == ["Subtotal{rule: │} 98.90", "Total   {rule: │}103.80"]


def test_nothing_harmful_is_left() -> None:
    found = plain(
        list(read("a\x1b]52;c;eA==\x07b\u202etxt.exe\n```\n\x1b[31mred\n```\n| \x07 | b |\n|-|-|\n| \x9b | x |", 40))
    )
    assert not any(ord(c) < 32 and c != "\n" for c in found)
    assert "\u202e" not in found
    assert "\x9b" not in found


@given(st.text(alphabet=st.sampled_from("ab 12`*_#|>-~\n\té漢"), max_size=300), st.integers(8, 40))
@settings(max_examples=200, deadline=None)
def test_typed_text_keeps_every_letter_and_no_line_is_too_wide(text: str, width: int) -> None:
    found = list(read(text, width))
    assert all(sum(cell_len(piece) for piece, _ in parts) <= width for parts in found)
    if "|" not in text and "```" not in text and "~~~" not in text:
        kept = [c for c in plain(found) if c not in " \n>"]
        assert kept == [c for c in text if c not in " \n\t>"]


@pytest.mark.parametrize(
    "text",
    ["`" * 300_000, "```\n" * 60_001, "*a " * 100_000, "**a" * 100_000, "_a" * 100_000, "|" * 300_000 + "\n|-|-|", "> " * 100_000,
     " " * 300_000 + "x", "|a|b|\n|-|-|\n" * 20_000, "".join("`" * (3 + i % 7) + "x\n" for i in range(30_000))],
)  # fmt: skip
def test_hostile_text_takes_no_longer_than_other_text_of_its_length(text: str) -> None:
    begun = time.process_time()
    for _ in read(text, 80):
        pass
    assert time.process_time() - begun < 2
