"""Recording: what was done comes back word for word from a log that shortens it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desk import lines, macros, recording
from desk.config import DeskConfig, Source
from desk.errors import Invalid
from desk.lines import Call
from desk.recording import Done
from desk.tables import Entry
from desk.templates import expand
from tests.desks import Room

_BODY = st.text(st.sampled_from("ab ;…\"'\\-#{}%\n,.é東 "), min_size=1, max_size=300).map(lambda t: t.strip("\n")).filter(str.strip)  # fmt: skip
_SHORT = st.sampled_from(["tag vpn hot", "assign sam", "solve", "snooze 2h", "rename It; works …", "priority high"])
_CALLS = st.lists(
    _SHORT.map(lines.parse)
    | st.builds(lambda text: Call("note", {"body": text}), _BODY)
    | st.builds(lambda text, all_: Call("reply", {"all": True, "body": text} if all_ else {"body": text}), _BODY, st.booleans())
    | st.builds(lambda text: Call("reply", {"to": ("ann@example.com",), "body": text}), _BODY),
    min_size=1,
    max_size=4,
)  # fmt: skip


def texts(calls: list[Call]) -> tuple[str, ...]:
    return tuple(str(call.args["body"]) for call in calls if "body" in call.args)


@settings(max_examples=300)
@given(_CALLS)
def test_what_was_done_is_found_again(calls: list[Call]) -> None:
    assert recording.calls(Done("b", lines.title(calls), texts(calls))) == calls


@settings(max_examples=200)
@given(_CALLS)
def test_the_lines_of_the_macro_do_the_same(calls: list[Call]) -> None:
    table = recording.table(calls, "it", lambda one: False)
    assert "inputs" not in table
    assert filled(table, {}) == calls


@settings(max_examples=200)
@given(_CALLS)
def test_with_the_recorded_values_as_answers_it_does_the_same_too(calls: list[Call]) -> None:
    table = recording.table(calls, "it", lambda one: True)
    entry = Entry("macros", "it", table, Source("it.toml", ""))
    assert macros.load(DeskConfig(tables={"macros": {"it": entry}})).errors == ()
    assert filled(table, {one["name"]: one["default"] for one in table.get("inputs", ())}) == calls


def filled(table: Mapping[str, Any], answers: Mapping[str, str]) -> list[Call]:
    return [lines.draft(line).filled(lambda text: expand(text, {"input": dict(answers)})) for line in table["do"]]


def test_a_line_that_the_log_shortened_without_a_text_is_not_guessed() -> None:
    line = lines.title([lines.parse("rename " + "word " * 40)])
    with pytest.raises(Invalid, match="the log has only the beginning"):
        recording.calls(Done("b", line, ()))


def test_only_what_stands_and_is_ones_own_is_found(room: Room) -> None:
    room.do("tag one", 1)
    room.do("tag two", 1, by="sam")
    room.do("tag three", 1)
    room.undo()
    room.redo()
    room.do("tag four", 1)
    room.undo()
    assert [one.line for one in recording.done(room.store, "kim", last=9)] == ["tag one", "tag three"]
    with pytest.raises(Invalid, match="nothing of yours to record"):
        recording.done(room.store, "lee")
