"""Entities and Markdown: nothing of a text is lost either way, and Telegram can read what goes out."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.telegram.entities import markdown_of
from channels.telegram.markup import html_of, messages
from tests.servers.telegram import _Reading


@pytest.mark.parametrize(
    ("text", "entities", "markdown"),
    [
        ("😀 bold", [("bold", 3, 4)], "😀 **bold**"),
        ("a b c", [("italic", 0, 5), ("bold", 2, 1)], "*a **b** c*"),
        ("trailing ", [("bold", 0, 9)], "**trailing** "),
        ("old price", [("strikethrough", 0, 3)], "~~old~~ price"),
        ("run it now", [("code", 0, 3)], "`run` it now"),
        ("see x=1 end", [("pre", 4, 3)], "see \n```\nx=1\n```\n end"),
        ("q1\nq2\nrest", [("blockquote", 0, 5)], "> q1\n> q2\n\nrest"),
        ("plain", [("bold", 3, 99)], "pla**in**"),
        ("half 😀", [("bold", 0, 6)], "half 😀"),
        ("x", [("bold", 5, 1), ("hashtag", 0, 1), ("bold", 0, -1)], "x"),
    ],
)
def test_entities_become_markdown(text: str, entities: list[tuple[str, int, int]], markdown: str) -> None:
    told = [{"type": kind, "offset": offset, "length": length} for kind, offset, length in entities]
    assert markdown_of(text, told) == markdown


def test_links_keep_their_target() -> None:
    link = {"type": "text_link", "offset": 0, "length": 4, "url": "https://example.com/a(b)"}
    assert markdown_of("here", [link]) == "[here](https://example.com/a(b%29)"
    assert markdown_of("here", [{**link, "url": 5}]) == "here"


@pytest.mark.parametrize(
    ("markdown", "html"),
    [
        ("# Head\n\ntext", "<b>Head</b>\n\ntext"),
        ("a\nb", "a\nb"),
        ("- a\n- b\n  1. x\n  2. y", "• a\n• b\n  1. x\n  2. y"),
        ("> quoted\n>\n> > nested\n\nanswer", "<blockquote>quoted\n\nnested</blockquote>\n\nanswer"),
        ("```py\nif a < b:\n  x\n```", "<pre>if a &lt; b:\n  x</pre>"),
        ("|a|b|\n|-|-|\n|1|2|", "<pre>a | b\n1 | 2</pre>"),
        ("[x](https://example.com/?a=1&b=2)", '<a href="https://example.com/?a=1&amp;b=2">x</a>'),
        ("[x](javascript:alert(1))", "[x](javascript:alert(1))"),
        ("<script>x</script>", "&lt;script&gt;x&lt;/script&gt;"),
    ],
)
def test_markdown_becomes_what_telegram_reads(markdown: str, html: str) -> None:
    assert html_of(markdown)[0] == html


def test_a_code_block_is_closed_at_a_cut_and_opened_again() -> None:
    said = messages("```\n" + "line of code\n" * 800 + "```", 4096)
    assert len(said) > 1
    assert all(one.startswith("<pre>") and one.endswith("</pre>") for one in said)


def test_what_grows_on_the_way_still_fits() -> None:
    said = messages("a\n# b\n" * 1200, 4096)
    assert all(len(_Reading(one).text) <= 4096 for one in said)


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="ab *_`~#>-[]()<&|\n😀1.", max_size=300), st.integers(70, 200))
def test_any_markdown_is_readable_and_fits(text: str, limit: int) -> None:
    for one in messages(text, limit):
        reading = _Reading(one)
        assert reading.wrong == ""
        assert len(reading.text.encode("utf-16-le")) // 2 <= limit


@settings(max_examples=150, deadline=None)
@given(
    st.text(alphabet="ab \n😀", max_size=60),
    st.lists(
        st.fixed_dictionaries(
            {
                "type": st.sampled_from(["bold", "code", "pre", "blockquote", "text_link"]),
                "offset": st.integers(-2, 70),
                "length": st.integers(-2, 70),
            }
        ),
        max_size=4,
    ),
)
def test_any_entities_leave_the_words(text: str, entities: list[dict[str, object]]) -> None:
    found = markdown_of(text, entities)
    kept = iter(found)
    assert all(character in kept for character in text), "every character is there, in order"
