"""The sample desk: made without a question, and its relay never outlives it."""

from __future__ import annotations

import json
import os
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


def test_there_is_something_of_everything_to_see(config: Path) -> None:
    """One is overdue and one will be while somebody looks; one is paused, one asleep, one answer did not arrive."""

    def found(query: str) -> list[dict[str, object]]:
        ran = subprocess.run(
            (*DESKHAND, "--config", str(config), "ls", query, "--json"), cwd=ROOT, check=True, capture_output=True
        )
        return [json.loads(line) for line in ran.stdout.splitlines()]

    shown = found("is:open")
    assert sum(bool(ticket["overdue"]) for ticket in shown) == 1
    assert sum(bool(ticket["paused"]) for ticket in shown) >= 1
    assert len(found("is:open due:<2m -is:overdue")) == 1
    assert len(found("is:snoozed")) == 1
    assert len({ticket["assignee"] for ticket in shown}) >= 3
    sent = subprocess.run(
        (*DESKHAND, "--config", str(config), "outbox", "--json"), cwd=ROOT, check=True, capture_output=True
    )
    (failed,) = [json.loads(line) for line in sent.stdout.splitlines()]
    assert (failed["state"], failed["error"]) == ("failed", "552 5.2.2 mailbox full")


def test_at_more_speed_what_is_promised_shrinks_with_it(tmp_path: Path) -> None:
    subprocess.run(
        (*DESKHAND, "demo", "--keep", str(tmp_path / "desk"), "--no-screen", "--speed", "50"), cwd=ROOT, check=True
    )
    written = (tmp_path / "desk" / "config.toml").read_text()
    assert 'normal = "288s"' in written
    assert "every_s = 0.5" in written
    listed = subprocess.run(
        (*DESKHAND, "--config", str(tmp_path / "desk" / "config.toml"), "ls", "is:open", "--json"),
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    overdue = [json.loads(line)["overdue"] for line in listed.stdout.splitlines()]
    assert 1 <= sum(overdue) <= 2


def test_a_mistake_in_ones_own_configuration_does_not_end_the_demo(tmp_path: Path) -> None:
    """It is told, and the demo goes on to ask for a terminal, which there is none of here."""
    (tmp_path / "deskhand").mkdir()
    (tmp_path / "deskhand" / "config.toml").write_text("[screen]\ntheem = 1\n")
    ran = subprocess.run(
        (*DESKHAND, "demo"),
        cwd=ROOT,
        env={**os.environ, "XDG_CONFIG_HOME": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert "the demo goes on without it" in ran.stderr
    assert "the screen needs a terminal" in ran.stderr


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
