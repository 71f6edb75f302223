"""The small parts that need no screen: text in cells, times, columns, keys, completion."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from rich.cells import cell_len

from desk import completion
from desk.actions import load
from desk.completion import Known
from desk.config import KeysConfig
from desk.model import DAY, HOUR, MINUTE, SECOND, Status, Ticket
from desk.when import said
from tests.desks import NOW
from tui.bindings import bound
from tui.clock import age, due, due_words
from tui.columns import layout
from tui.draw import cut, flat, middle, pad, size, wrap
from tui.feed import touched
from tui.keymap import Keys, Typed
from tui.sheets.kit import aligned

TICKET = Ticket(1, "subject", 1, NOW, NOW, due_at=NOW + 3 * HOUR)


@given(st.text(), st.integers(0, 60))
def test_padded_text_is_exactly_as_wide(text: str, width: int) -> None:
    assert cell_len(pad(flat(text), width)) == width
    assert cell_len(cut(flat(text), width)) <= width


@given(st.text(), st.integers(8, 60))
def test_wrapped_lines_fit_and_lose_no_word(text: str, width: int) -> None:
    lines = list(wrap(text, width))
    assert all(cell_len(line) <= width for line in lines)
    assert not any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 for line in lines for c in line)


@given(st.text(), st.integers(1, 40))
def test_the_middle_of_a_name_gives_way(text: str, width: int) -> None:
    name = flat(text)
    shown = middle(name, width)
    assert cell_len(shown) <= width
    assert shown == name or "…" in shown


def test_a_long_name_keeps_its_beginning_and_its_end() -> None:
    assert middle("measurements-of-all-tunnels-2026-02-02.pdf", 24) == "measurements-of…2-02.pdf"


def test_wrapping_keeps_words_whole() -> None:
    assert list(wrap("one two three four", 9)) == ["one two", "three", "four"]
    assert list(wrap("a\n\n  b", 20)) == ["a", "", "  b"]
    assert list(wrap("x" * 20, 8)) == ["x" * 8, "x" * 8, "x" * 4]


@pytest.mark.parametrize(
    ("left", "text", "style"),
    [
        (-125 * MINUTE, "-2h 05m !", "overdue"),
        (-30 * SECOND, "now !", "overdue"),
        (9 * MINUTE + 5 * SECOND, "9m 05s ~", "soon"),
        (14 * MINUTE, "14m ~", "soon"),
        (190 * MINUTE, "3h 10m", "text"),
        (3 * DAY, "3d", "text"),
    ],
)
def test_due(left: int, text: str, style: str) -> None:
    assert due(replace(TICKET, due_at=NOW + left), NOW) == (text, style)


def test_due_of_what_waits_for_nothing() -> None:
    assert due(replace(TICKET, due_at=None), NOW)[0] == "none"
    assert due(replace(TICKET, paused=True), NOW)[0] == "paused"
    assert due_words(replace(TICKET, snoozed_until=NOW + HOUR), NOW)[0] == "asleep, wakes in 1h 00m"
    assert due_words(replace(TICKET, due_at=NOW - HOUR, due_kind="next-reply"), NOW)[0] == "next reply -1h 00m overdue"
    assert due_words(replace(TICKET, status=Status.SOLVED, due_at=None), NOW)[0] == "nothing is due"


def test_ages_and_moments() -> None:
    assert [age(NOW - t, NOW) for t in (0, 40 * MINUTE, 3 * HOUR, 47 * HOUR, 9 * DAY)] == [
        "0m",
        "40m",
        "3h",
        "47h",
        "9d",
    ]
    from datetime import UTC

    assert said(NOW - HOUR, NOW, UTC) == "today 01:40"
    assert said(NOW - 4 * HOUR, NOW, UTC) == "yesterday 22:40"
    assert said(NOW - 400 * DAY, NOW, UTC) == "29 Dec 2024 02:40"


@pytest.mark.parametrize("width", [60, 80, 99, 100, 120, 139, 140, 180, 200, 250])
def test_columns_neither_overlap_nor_leave_the_line(width: int) -> None:
    columns = layout(width, 7)
    for left, right in pairwise(columns):
        assert left.x + left.width < right.x
    assert columns[-1].x + columns[-1].width <= width
    assert {"due", "number", "subject", "who"} <= {column.name for column in columns}


BOUND = bound("list", KeysConfig())


@pytest.mark.parametrize(
    ("typed", "line", "count"),
    [
        ("j", "down", None),
        ("5j", "down", 5),
        ("gg", "top", None),
        ("12gg", "top", 12),
        ("10G", "bottom", 10),
        ("Z", None, None),
    ],
)
def test_keys(typed: str, line: str | None, count: int | None) -> None:
    keys = Keys(BOUND)
    results = [keys.feed(key) for key in typed]
    assert results[-1] == (Typed(line, count) if line else None)
    assert results[:-1] == [None] * (len(typed) - 1)
    assert not keys.waiting


def test_a_key_that_leads_nowhere_forgets_what_was_begun() -> None:
    keys = Keys(BOUND)
    assert [keys.feed(key) for key in "3gq"] == [None, None, None]
    assert keys.feed("j") == Typed("down")


def test_completion_of_verbs_arguments_and_options() -> None:
    known = Known(load(), {"sort": "Order the list."}, agents=["kim", "sam"], teams=["net"], tags={"vpn", "vat"})

    def offered(line: str) -> list[str]:
        return [choice.text for choice in completion.command(line, known)]

    assert "assign " in offered("as")
    assert "sort " in offered("so")
    assert offered("assign s") == ["assign s", "assign sam"]
    assert offered("status so") == ["status so", "status solved"]
    assert offered("solve; tag v") == ["solve; tag v", "solve; tag vat", "solve; tag vpn"]
    assert "reply --all " in offered("reply --a")
    assert offered("nonsense x") == []


def test_completion_of_queries() -> None:
    known = Known(load(), agents=["kim"], tags={"vpn"})

    def offered(line: str) -> list[str]:
        return [choice.text for choice in completion.query(line, known)]

    assert "status:" in offered("st")
    assert "is:open -tag:vpn" in offered("is:open -tag:v")
    assert "assignee:kim" in offered("assignee:k")


def test_sizes() -> None:
    assert [size(n) for n in (0, 999, 18_234, 2_500_000, 3_000_000_000)] == [
        "0 B",
        "999 B",
        "18 kB",
        "2.5 MB",
        "3.0 GB",
    ]


def test_feed_names_both_tickets_of_a_merge() -> None:
    from desk.events import Record

    record = Record(1, NOW, "b", "ticket", 3, "Moved", {"to": 7, "messages": [1]})
    assert touched([record]) == {3, 7}


def test_what_fills_a_column_has_no_style_that_could_be_seen() -> None:
    rows = [(("kim", "agent"), ("look", "trouble")), (("support", "agent"), ("ok", "good"))]
    found = aligned(rows, 40, give=())
    assert [("".join(text for text, _ in parts)).rstrip() for parts in found] == ["kim      look", "support  ok"]
    assert {style for parts in found for text, style in parts if text.isspace()} == {"text"}
