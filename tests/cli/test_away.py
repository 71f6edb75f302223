"""Verbs while the store is away: one sentence and exit code 7."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage import open_store
from tests.servers.postgres import Postgres


@pytest.fixture
def url(postgres: Postgres) -> Iterator[str]:
    """A store on a server of our own."""
    postgres.own()
    address = postgres.url(postgres.copy_of(made), connect_timeout="2")
    yield address
    postgres.thaw()
    if not postgres._answers():
        postgres.start()


def made(url: str) -> None:
    """Make an empty store."""
    open_store(url, create=True).close()


def deskhand(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a verb."""
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *words],
        env=os.environ | {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=30,
    )


@pytest.mark.parametrize("how", ["stop", "freeze"])
@pytest.mark.parametrize("words", [("ls",), ("solve", "1"), ("health",)])
def test_a_verb_says_it_in_one_sentence(
    postgres: Postgres, url: str, tmp_path: Path, how: str, words: tuple[str, ...]
) -> None:
    getattr(postgres, how)()
    begun = time.monotonic()
    done = deskhand(tmp_path, "--store", url, *words)
    assert (done.returncode, done.stdout) == (7, "")
    assert done.stderr.startswith("deskhand: postgresql://desk@")
    assert done.stderr.count("\n") == 1
    assert "cannot be reached" in done.stderr
    assert time.monotonic() - begun < 10
