"""The sample desk: made without a question, and its relay never outlives it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
DESKHAND = (sys.executable, "-m", "cli.main")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The configuration of a sample desk that is kept."""
    subprocess.run((*DESKHAND, "demo", "--keep", str(tmp_path / "desk"), "--no-screen"), cwd=ROOT, check=True)
    return tmp_path / "desk" / "config.toml"


def test_demo_furnishes_a_desk_with_history(config: Path) -> None:
    listed = subprocess.run(
        (*DESKHAND, "--config", str(config), "ls", "id:1..", "--json"), cwd=ROOT, check=True, capture_output=True
    )
    tickets = [json.loads(line) for line in listed.stdout.splitlines()]
    assert {"new", "open", "pending", "solved"} <= {ticket["status"] for ticket in tickets}
    assert any(ticket["overdue"] for ticket in tickets)


def test_a_relay_started_as_a_child_ends_with_its_parent(config: Path) -> None:
    """Even when the parent is killed: what ends then is the pipe between them."""
    with subprocess.Popen(
        (*DESKHAND, "--config", str(config), "relay", "--child"),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as relay:
        assert relay.stdin is not None
        assert relay.stderr is not None
        events = []
        for line in relay.stderr:
            events.append(json.loads(line)["event"])
            if events[-1] == "taken in":
                relay.stdin.close()
        assert relay.wait(20) == 0
    assert events[0] == "relay started"
    assert events[-1] == "relay stopped"
