"""A morning with macros on the sample desk: the team's, one's own, programs, canned texts, and one recorded on the way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent

TEAM = """
[macros.triage]
title = "To billing"
when = "invoice or Rechnung"
do = ["team billing", "tag invoice", "note Sorted by {{ agent.name }}: {{ ticket.subject }}"]

[snippets.thanks]
text = "Thank you, {{ customer.first_name|default('and goodbye') }}."
"""

OWN = """
[macros.answer]
do = ["take --steal", "reply Dear {{ customer.first_name }}, by {{ input.by|date('long', 'de') }} at the latest.", "status pending"]
inputs = [{ name = "by", kind = "date" }]
"""

PYTHON = """#!/usr/bin/env python3
# deskhand-macro: Loud ones first
# deskhand-macro-when: is:open
import json, sys
ticket = json.load(sys.stdin)
if ticket["subject"].isupper() or ticket["subject"].startswith("URGENT"):
    print("priority urgent")
    print("tag loud")
"""

SHELL = """#!/bin/sh
# deskhand-macro: Quiet ones last
cat >/dev/null
echo priority low
"""


class Desk:
    """The sample desk and a person at its command line."""

    def __init__(self, folder: Path) -> None:
        folder.chmod(0o700)
        self.folder = folder
        self.env = {**os.environ, "XDG_CONFIG_HOME": str(folder / "config"), "XDG_DATA_HOME": str(folder / "data")}
        self.macros = folder / "config" / "deskhand" / "macros"
        self.macros.mkdir(parents=True, mode=0o700)
        self.run("demo", "--keep", str(folder / "demo"), "--no-screen", config=False)

    def run(self, *args: str, config: bool = True, code: int = 0) -> str:
        where = ("--config", str(self.folder / "demo" / "config.toml")) if config else ()
        done = subprocess.run(
            [sys.executable, "-m", "cli.main", *where, *args], cwd=ROOT, env=self.env, capture_output=True, text=True
        )
        assert done.returncode == code, done.stderr
        return done.stdout

    def json(self, *args: str, code: int = 0) -> list[Any]:
        return [json.loads(line) for line in self.run(*args, "--json", code=code).splitlines()]

    def ticket(self, number: int) -> Any:
        return self.json("show", str(number))[0]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.mark.sqlite("is about files of macros")
def test_macros_of_all_kinds_run_from_files_on_the_sample_desk(desk: Desk) -> None:
    (desk.folder / "demo" / "team").mkdir()
    (desk.folder / "demo" / "team" / "macros.toml").write_text(TEAM)
    (desk.macros / "own.toml").write_text(OWN)
    for name, text in (("loud.py", PYTHON), ("quiet", SHELL)):
        (desk.macros / name).write_text(text)
        (desk.macros / name).chmod(0o700)
    assert [(m["name"], m["origin"]) for m in desk.json("macro", "list")] == [
        ("triage", "team"), ("answer", "own"), ("loud", "own program"), ("quiet", "own program"),
    ]  # fmt: skip

    sorted_ = desk.json("macro", "run", "triage", "-q", "is:open", code=1)[0]
    assert 3 in sorted_["done"]
    assert all("offered only where" in left["reason"] for left in sorted_["skipped"])
    assert desk.ticket(3)["messages"][-1]["text"].startswith("Sorted by ")

    loud = desk.json("macro", "run", "loud", "-q", "is:open")[0]
    assert loud["done"] == [8]
    assert desk.ticket(8)["tags"] == ["loud", "outage"]

    seen = desk.json("macro", "run", "answer", "3", "--set", "by=2026-03-02", "--dry-run")[0]["preview"]
    done = desk.json("macro", "run", "answer", "3", "--set", "by=2026-03-02")[0]
    said = desk.ticket(3)["messages"][-1]
    assert said["text"] == "Dear Jonas, by Montag, 2. März 2026 at the latest."
    assert seen[0]["messages"][0] == {"kind": "public", "to": said["to"], "text": said["text"]}
    assert done["recipients"] == said["to"]
    assert desk.ticket(3)["status"] == "pending"

    desk.run("macro", "run", "quiet", "3,5")
    desk.run("undo")
    assert desk.ticket(3)["priority"] == "normal"

    desk.run("reply", "7", "--snippet", "thanks")
    desk.run("tag", "7", "thanked")
    desk.run("macro", "record", "polite", "--last", "2", "--ask")
    desk.run("macro", "run", "polite", "11", "--set", "text=Danke!")
    again = desk.ticket(11)
    assert (again["messages"][-1]["text"], again["tags"]) == ("Danke!", ["thanked"])
    desk.run("undo")
    assert desk.ticket(11)["tags"] == []
    assert "all is well, 3 macros, 2 programs, 2 snippets" in desk.run("macro", "check")
