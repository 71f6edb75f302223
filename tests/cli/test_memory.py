"""Lines typed before, in a file that several screens share."""

from __future__ import annotations

from pathlib import Path

from cli.memory import Memory


def test_lines_come_back_each_once_the_newest_last(tmp_path: Path) -> None:
    path = tmp_path / "state" / "history"
    one, other = Memory(path), Memory(path)
    assert one.recall("command") == []
    one.remember("command", "solve")
    other.remember("command", 'note "two\nlines"')
    other.remember("filter", "is:open\tteam:mine")
    one.remember("command", "solve")
    assert other.recall("command") == ['note "two lines"', "solve"]
    assert one.recall("filter") == ["is:open\tteam:mine"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_file_stays_small(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "history")
    for number in range(2_600):
        memory.remember("command", f"tag t{number}")
    assert (tmp_path / "history").read_text().count("\n") <= 2_002
    assert memory.recall("command")[-1] == "tag t2599"
    assert len(memory.recall("command")) == 500


def test_a_place_that_cannot_be_written_is_no_reason_to_stop(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    memory = Memory(tmp_path / "file" / "history")
    memory.remember("command", "solve")
    assert memory.recall("command") == []
