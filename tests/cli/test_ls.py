"""Words of a query are words, also those that begin with a minus."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
DESKHAND = (sys.executable, "-m", "cli.main")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration of a sample desk: 12 tickets, #1 tagged vpn, #3 tagged invoice."""
    folder = tmp_path_factory.mktemp("desk")
    subprocess.run((*DESKHAND, "demo", "--keep", str(folder / "desk"), "--no-screen"), cwd=ROOT, check=True)
    return folder / "desk" / "config.toml"


def ls(config: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """`deskhand ls` with these words."""
    return subprocess.run((*DESKHAND, "--config", str(config), "ls", *words), cwd=ROOT, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("words", "count"),
    [
        (("id:1..",), 12),
        (("id:1..", "-tag:vpn"), 11),
        (("-tag:vpn", "id:1..", "--count"), 11),
        (("id:1..", "-(tag:vpn or tag:invoice)"), 10),
        (("id:1..", "-phonetic", "-quagmire"), 12),
        (("--sort", "newest", "id:1..", "--", "-tag:vpn"), 11),
        (("-q", "-tag:vpn id:1..",), 11),
        (("-q", "id:1..", "--limit=0"), 12),
    ],
)  # fmt: skip
def test_words_with_a_minus_are_excluded(config: Path, words: tuple[str, ...], count: int) -> None:
    counted = ls(config, "--count", *words)
    assert (counted.stdout, counted.stderr) == (f"{count}\n", "")


def test_an_unknown_long_option_is_a_mistake(config: Path) -> None:
    done = ls(config, "--shrot")
    assert done.returncode == 2
    assert "--shrot" in done.stderr


def test_options_hold_wherever_they_stand(config: Path) -> None:
    assert len(ls(config, "id:1..", "--limit", "3", "--plain", "-tag:vpn").stdout.splitlines()) == 3
    assert ls(config, "-h").stdout.startswith("Usage: deskhand ls")
