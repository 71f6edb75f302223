"""Programs on a leash: who may have written them, and what they can do to whoever runs them."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from desk.errors import Forbidden, NotFound
from relay.programs import OUTPUT_BYTES, demand_trusted, run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "macros"
    found.mkdir(mode=0o700)
    return found


def program(folder: Path, text: str, name: str = "tool") -> Path:
    """An executable of the user's own."""
    path = folder / name
    path.write_text(text)
    path.chmod(0o700)
    return path


# -- who may have written it --------------------------------------------------


def test_a_file_of_ones_own_is_trusted(folder: Path) -> None:
    demand_trusted(program(folder, "#!/bin/sh\n"), {os.getuid()})


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777, 0o720])
def test_a_file_that_others_may_write_is_refused_with_the_remedy(folder: Path, mode: int) -> None:
    path = program(folder, "#!/bin/sh\n")
    path.chmod(mode)
    with pytest.raises(Forbidden, match=f"{path} can be written by other users; chmod go-w {path}$"):
        demand_trusted(path, {os.getuid()})


def test_a_folder_above_that_others_may_write_is_refused(folder: Path) -> None:
    path = program(folder, "#!/bin/sh\n")
    folder.parent.chmod(0o777)
    with pytest.raises(Forbidden, match=f"{path} is not run: {folder.parent} can be written .*chmod go-w"):
        demand_trusted(path, {os.getuid()})


def test_a_sticky_folder_lets_nobody_replace_what_is_not_theirs(folder: Path) -> None:
    folder.chmod(0o1777)
    demand_trusted(program(folder, "#!/bin/sh\n"), {os.getuid()})


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
@pytest.mark.parametrize("which", ["file", "folder"])
def test_what_belongs_to_somebody_else_is_refused(folder: Path, which: str) -> None:
    path = program(folder, "#!/bin/sh\n")
    os.chown(path if which == "file" else folder, 12_345, -1)
    with pytest.raises(Forbidden, match="belongs to the user 12345"):
        demand_trusted(path, {os.getuid()})
    demand_trusted(path, {os.getuid(), 12_345})


def test_a_link_is_as_safe_as_where_it_lies_and_where_it_leads(folder: Path, tmp_path: Path) -> None:
    path = program(folder, "#!/bin/sh\n")
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    (open_to_all / "tool").symlink_to(path)
    with pytest.raises(Forbidden, match="open can be written"):
        demand_trusted(open_to_all / "tool", {os.getuid()})
    (folder / "link").symlink_to(program(open_to_all, "#!/bin/sh\n", "theirs"))
    with pytest.raises(Forbidden, match="open can be written"):
        demand_trusted(folder / "link", {os.getuid()})


def test_what_is_not_there_or_no_file_is_refused(folder: Path) -> None:
    with pytest.raises(NotFound, match="no such program"):
        demand_trusted(folder / "gone", {os.getuid()})
    (folder / "round").symlink_to(folder / "round")
    with pytest.raises(NotFound, match="no such program"):
        demand_trusted(folder / "round", {os.getuid()})
    with pytest.raises(Forbidden, match="is not a file"):
        demand_trusted(folder, {os.getuid()})


# -- what it can do -------------------------------------------------------------


def test_it_gets_its_input_and_gives_its_output(folder: Path) -> None:
    ran = run(program(folder, "#!/bin/sh\ncat; echo aside >&2; pwd >&2\n"), b"tag vpn\n" * 20_000, cap=1 << 20)
    assert ran.well
    assert (ran.out, ran.err, ran.code) == ("tag vpn\n" * 20_000, f"aside\n{folder}\n", 0)


def test_its_environment_is_small(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPPORT_PASSWORD", "secret")
    ran = run(program(folder, "#!/bin/sh\nenv\n"), env={"DESKHAND_MACRO": "tool"})
    names = {line.partition("=")[0] for line in ran.out.splitlines()}
    assert {"PATH", "LANG", "DESKHAND_MACRO"} <= names
    assert "SUPPORT_PASSWORD" not in names


def test_an_exit_code_is_trouble_and_its_words_are_kept(folder: Path) -> None:
    ran = run(program(folder, "#!/bin/sh\necho half; echo broken >&2; exit 3\n"))
    assert (ran.well, ran.trouble, ran.code, ran.out, ran.err) == (False, "tool ended with 3", 3, "half\n", "broken\n")


def test_one_that_dies_says_of_what(folder: Path) -> None:
    assert run(program(folder, "#!/bin/sh\nkill -SEGV $$\n")).trouble == "tool was killed by SIGSEGV"


def test_one_that_hangs_is_stopped_at_its_limit(folder: Path) -> None:
    begun = time.monotonic()
    ran = run(program(folder, "#!/bin/sh\necho begun\nsleep 100\n"), limit_s=0.3)
    assert time.monotonic() - begun < 5
    assert (ran.out, ran.code, ran.trouble) == ("begun\n", None, "tool was stopped, it ran longer than 0.3 s")


@pytest.mark.parametrize("stream", ["", " >&2"])
def test_one_that_floods_is_stopped_at_the_cap(folder: Path, stream: str) -> None:
    ran = run(program(folder, f"#!/bin/sh\nyes flood{stream}\n"))
    assert ran.trouble == "tool was stopped, it printed more than 64 KiB"
    assert len(ran.out) + len(ran.err) < 4 * OUTPUT_BYTES


def test_its_children_end_with_it_even_when_they_hold_its_output(folder: Path) -> None:
    begun = time.monotonic()
    ran = run(program(folder, "#!/bin/sh\nsleep 100 &\necho $!\n"), limit_s=30)
    assert ran.well
    assert time.monotonic() - begun < 10
    assert _gone(int(ran.out))


def test_its_children_end_with_it_when_it_is_stopped(folder: Path) -> None:
    text = "#!/bin/sh\n(trap '' TERM INT HUP; sleep 100) &\necho $!\ntrap '' TERM INT HUP\nwait\n"
    ran = run(program(folder, text), limit_s=0.5)
    assert "longer than" in ran.trouble
    assert _gone(int(ran.out))


def _gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody waited for is a zombie in a container without an init."""
    for _ in range(1000):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        os.sched_yield()
    return False


def test_one_that_does_not_listen_is_none_the_worse_for_it(folder: Path) -> None:
    ran = run(program(folder, "#!/bin/sh\nexec <&-\necho solve\n"), b"x" * 1_000_000)
    assert (ran.out, ran.trouble) == ("solve\n", "")


def test_one_that_closes_everything_and_hangs_is_stopped_too(folder: Path) -> None:
    ran = run(program(folder, "#!/bin/sh\nexec <&- >&- 2>&-\nsleep 100\n"), b"x", limit_s=0.3)
    assert "longer than 0.3 s" in ran.trouble


def test_what_is_not_text_is_trouble(folder: Path) -> None:
    ran = run(program(folder, "#!/bin/sh\nprintf '\\377\\376'\n"))
    assert (ran.trouble, ran.out) == ("tool printed what is not UTF-8 text", "\ufffd\ufffd")


def test_what_cannot_be_started_says_why(folder: Path) -> None:
    path = program(folder, "#!/bin/sh\n")
    path.chmod(0o600)
    if not os.access(path, os.X_OK):
        assert run(path).trouble == f"tool cannot be started: it is not executable; chmod u+x {path}"
    assert "names an interpreter that is not there" in run(program(folder, "#!/no/such/thing\n")).trouble
    assert "Exec format error" in run(program(folder, "solve\n")).trouble
