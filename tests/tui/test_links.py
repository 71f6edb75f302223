"""Links: where each really leads, called by a letter that stays."""

from __future__ import annotations

import time

import pytest

from channels.kit.mail.htmltext import Links, html_text
from desk.model import Attachment, Direction, Kind, Message
from tui.links import items, letter_of, shown


def message(text: str, *, number: int = 1, html: bool = False, files: int = 0) -> Message:
    """A message with this text."""
    attached = tuple(Attachment(f"{i}.txt", "text/plain", 1, "0" * 64) for i in range(files))
    return Message(number, 1, Kind.PUBLIC, Direction.IN, 0, "x", text, text, html=html, attachments=attached)


def page(source: str) -> Message:
    """A message that was HTML, as intake keeps it."""
    links = Links()
    text = html_text(source, links)
    return message(f"{text}\n\n{links.listing()}", html=True)


def doubts(source: str) -> list[str]:
    """What is said against the links of a page."""
    (item,) = items([page(source)])
    return [link.doubt for link in item.links]


@pytest.mark.parametrize(
    ("text", "targets"),
    [
        ("see http://a.example/b). and (http://a.example/c_(d))", ["http://a.example/b", "http://a.example/c_(d)"]),
        ("<https://a.example/x?y=1&z=2>, https://b.example.", ["https://a.example/x?y=1&z=2", "https://b.example"]),
        ("http:// and file:///etc/passwd and javascript:alert(1)", []),
        ("https://a.example/x and https://a.example/x", ["https://a.example/x"]),
    ],
)
def test_addresses_in_text_are_found_without_what_stands_behind_them(text: str, targets: list[str]) -> None:
    (item,) = items([message(text)])
    assert [link.target for link in item.links] == targets
    assert shown(item, text)[0] == text


def test_letters_and_numbers_go_through_the_ticket_and_stay() -> None:
    thread = [message("https://a.example https://b.example", files=2), message("https://b.example", number=2, files=1)]
    before = items(thread)
    after = items([*thread, message("https://c.example", number=3)])
    assert [[link.letter for link in item.links] for item in after] == [["a", "b"], ["b"], ["c"]]
    assert after[:2] == before
    assert [item.first for item in after] == [1, 3, 4]
    assert [letter_of(n) for n in (0, 25, 26, 27, 51, 52)] == ["a", "z", "aa", "ab", "az", "ba"]


def test_a_page_has_letters_behind_its_words_and_no_list_of_its_own() -> None:
    found = items([message("https://first.example"), page('<p>Read <a href="https://x.example/a">this</a> [9]</p>')])
    text, links = shown(found[1], found[1].message.text)
    assert text == "Read this [b] [9]"
    assert [(link.letter, link.target) for link in links] == [("b", "https://x.example/a")]


def test_a_link_that_goes_elsewhere_than_it_says_is_told() -> None:
    assert doubts('<a href="https://evil.example/x">www.bank.example</a>') == [
        "goes to evil.example, not to www.bank.example"
    ]
    assert doubts('<a href="https://evil.example">https://bank.example/login</a>')[0].startswith("goes to evil.example")
    assert doubts('<a href="https://bank.example@evil.example/">here</a>')[0].startswith("goes to evil.example")
    assert "xn--" in doubts('<a href="https://b\u0430nk.example/">here</a>')[0]


@pytest.mark.parametrize(
    "source",
    [
        '<a href="https://www.bank.example/login">bank.example</a>',
        '<a href="https://login.bank.example">www.bank.example</a>',
        '<a href="https://t.example/1">report.pdf</a>',
        'https://plain.example/x <a href="https://t.example/1">here</a>',
        '<a href="https://t.example/1">Node 3.2</a>',
        '<a href="mailto:a@b.example">the desk</a>',
    ],
)
def test_a_link_that_goes_where_it_says_is_let_be(source: str) -> None:
    assert set(doubts(source)) == {""}


@pytest.mark.parametrize(
    "text",
    ["http://a.example/" * 30_000, "http://x" + ")" * 100_000, " [1]" * 100_000 + "\n\n[1] https://a.example", "[1] https://a.example\n" * 30_000,
     "http://" * 50_000],
)  # fmt: skip
def test_hostile_text_takes_no_longer_than_other_text_of_its_length(text: str) -> None:
    begun = time.process_time()
    for html in (False, True):
        (item,) = items([message(text, html=html)])
        shown(item, text)
    assert time.process_time() - begun < 2
