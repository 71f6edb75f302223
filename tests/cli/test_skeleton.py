"""channel new: the package it writes is built, installed, proven by its own tests, and run by a relay."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.channels import channel_command
from desk.errors import DeskError
from desk.model import Message
from storage import open_store
from tests.cli.conftest import Deskhand

ROOT = Path(channel_command.callback.__code__.co_filename).resolve().parent.parent  # type: ignore[union-attr]
KIND = "carrier-pigeon"


def test_new_says_what_was_written_and_what_is_next(
    deskhand: Deskhand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = deskhand("channel", "new", KIND)
    assert ran.code == 0
    folder = tmp_path / f"deskhand-{KIND}"
    written = sorted(path.name for path in folder.iterdir())
    assert written == ["README.md", "deskhand_carrier_pigeon.py", "pyproject.toml", "test_carrier_pigeon.py"]
    assert ran.out.count("wrote ") == 4
    assert "README.md" in ran.out.splitlines()[-1]
    for path in folder.iterdir():
        assert "letterbox" not in path.read_text().lower(), path
    assert "class CarrierPigeon:" in (folder / "deskhand_carrier_pigeon.py").read_text()


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("email", 5, 'there is a channel of the kind "email" already'),
        ("Pigeon", 2, "no name for a kind of channel"),
        ("../pigeon", 2, "no name for a kind of channel"),
        ("class-", 2, "no name for a kind of channel"),
    ],
)
def test_new_refuses_names_that_cannot_be(deskhand: Deskhand, home: Path, name: str, code: int, said: str) -> None:
    ran = deskhand("channel", "new", name, home / "made")
    assert ran.code == code
    assert said in ran.err
    assert not (home / "made").exists()


def test_new_overwrites_nothing(deskhand: Deskhand, home: Path) -> None:
    (home / "made").mkdir()
    (home / "made" / "mine").write_text("")
    ran = deskhand("channel", "new", KIND, home / "made")
    assert (ran.code, "is there already" in ran.err) == (5, True)
    assert [path.name for path in (home / "made").iterdir()] == ["mine"]


@pytest.fixture
def package(deskhand: Deskhand, home: Path) -> Path:
    """The package, as written."""
    assert deskhand("channel", "new", KIND, home / "package").code == 0
    return home / "package"


@pytest.fixture
def environment(package: Path, home: Path) -> dict[str, str]:
    """An environment in which it is installed, as pip does it, without a network."""
    site = home / "site"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    done = subprocess.run(
        [*command, "--disable-pip-version-check", "--target", site, package], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return {**os.environ, "PYTHONPATH": f"{site}{os.pathsep}{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"}


def test_its_tests_pass_where_it_is_installed(package: Path, environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_carrier_pigeon.py"]
    done = subprocess.run(command, cwd=package, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert " failed" not in done.stdout


def test_a_desk_runs_it_as_any_other(home: Path, environment: dict[str, str]) -> None:
    def deskhand(*args: str) -> str:
        command = [sys.executable, "-m", "cli.main", *args]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=home)
        assert done.returncode == 0, done.stderr
        return done.stdout

    box = home / "box"
    (box / "ann").mkdir(parents=True)
    config = home / "config" / "deskhand" / "config.toml"
    config.parent.mkdir()
    config.write_text(f'[desk]\nundo_s = 0\n[channels.box]\nkind = "{KIND}"\nfolder = "{box}"\npoll_s = 0.1\n')
    (box / "ann" / "hello.txt").write_text("The tunnel drops")
    assert f"{KIND} (installed) " in deskhand("channel", "list", "--kinds").replace("  ", " ")
    assert "1 customers have written" in deskhand("channel", "check", "box")
    relay = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "relay"], env=environment, cwd=home, stderr=subprocess.PIPE
    )
    try:
        _until(lambda: _first(home), relay)
        message = _first(home)
        assert message
        assert (message.text, message.channel, message.sender and message.sender.value) == (
            "The tunnel drops",
            KIND,
            "ann",
        )
        assert f"box ({KIND}, support): ok" in deskhand("channel", "list")
        deskhand("reply", "1", "**On it.**")
        _until(lambda: list((box / "ann").glob("*.answer")), relay)
        (answer,) = (box / "ann").glob("*.answer")
        assert "On it." in answer.read_text()
        deskhand("channel", "pause", "box", "the pigeon", "is ill")
        assert "paused: by" in deskhand("channel", "list")
    finally:
        relay.terminate()
        relay.communicate(timeout=30)
    assert relay.returncode == 0


def _first(home: Path) -> Message | None:
    """The first message of the desk, once it is there."""
    try:
        store = open_store(f"sqlite:///{home}/data/deskhand/desk.db")
    except DeskError:
        return None
    try:
        return next(iter(store.thread(1)), None) if store.numbers().tickets else None
    finally:
        store.close()


def _until(condition: Callable[[], object], relay: subprocess.Popen[bytes], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert relay.poll() is None, (relay.communicate()[1] or b"").decode()
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
