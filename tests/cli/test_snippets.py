"""`ls` shows where the words of a query stand."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from desk.perform import Desk
from desk.query import Env, needles, parse
from tests.desks import NOW, mail, make_desk, receive

ROOT = Path(__file__).resolve().parent.parent.parent
DESKHAND = (sys.executable, "-m", "cli.main")


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Three tickets about a printer, one with a long mail."""
    tmp_path.chmod(0o700)
    store, desk, _ = make_desk(tmp_path, tickets=0)
    fill(desk)
    store.close()
    return f"sqlite:///{tmp_path}/desk.db"


def fill(desk: Desk) -> None:
    """Take the mails in."""
    texts = ["The printer is on fire", f"{'So much to say. ' * 40}But the Printer burns. {'Bye. ' * 40}", "All is well"]
    mails = [mail(i, at=NOW, text=text, subject=f"printer {i}") for i, text in enumerate(texts)]
    receive(desk, mails, batch="mails")


def ls(url: str, *words: str) -> list[str]:
    """The lines that `deskhand ls` prints into a pipe."""
    command = (*DESKHAND, "--store", url, "ls", *words)
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()


def test_pieces_stand_below_their_rows_when_asked_for(url: str) -> None:
    lines = ls(url, "printer", "--snippets", "--sort", "oldest")
    assert len(lines) == 5
    assert lines[1].strip() == "The printer is on fire"
    assert "But the Printer burns." in lines[3]
    assert len(lines[3]) <= 120
    assert len(ls(url, "printer")) == len(ls(url, "printer", "--no-snippets")) == 3
    assert len(ls(url, "is:open", "--snippets")) == 3


def test_a_terminal_gets_them_in_bold(url: str) -> None:
    ours, theirs = pty.openpty()
    env = {**os.environ, "TERM": "xterm-256color"}
    env.pop("NO_COLOR", None)
    with subprocess.Popen((*DESKHAND, "--store", url, "ls", "fire"), cwd=ROOT, stdout=theirs, env=env) as run:
        assert run.wait(30) == 0
    os.close(theirs)
    drawn = os.read(ours, 100_000).decode()
    os.close(ours)
    assert "\x1b[1mfire\x1b[0m" in drawn


def test_json_has_them_only_when_asked_for(url: str) -> None:
    assert "snippet" not in json.loads(ls(url, "printer", "--json")[0])
    first, _, third = (json.loads(line) for line in ls(url, "printer", "--json", "--snippets", "--sort", "oldest"))
    assert first["snippet"] == "The printer is on fire"
    assert [first["snippet"][a:b] for a, b in first["snippet_spans"]] == ["printer"]
    # Its subject says so, which is shown anyway.
    assert (third["snippet"], third["snippet_spans"]) == (None, [])


def test_the_newest_message_that_has_a_word_is_shown(tmp_path: Path) -> None:
    store, desk, _ = make_desk(tmp_path, tickets=0)
    fill(desk)
    wanted = needles(parse("fire or burns or nothing", Env(NOW)))
    found = store.snippets([1, 2, 3, 99], wanted, 60)
    assert {number: [piece.text[a:b] for a, b in piece.spans] for number, piece in found.items()} == {
        1: ["fire"],
        2: ["burns"],
    }
    store.close()
