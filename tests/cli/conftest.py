"""The command line, run in this process, with a home of its own."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cli.main import main
from storage import open_store
from tests.desks import Room


@dataclass(frozen=True)
class Ran:
    """What a command said, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def objects(self) -> list[Any]:
        """Its standard output as JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def object(self) -> Any:
        """Its one JSON object."""
        (found,) = self.objects
        return found


Deskhand = Callable[..., Ran]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user with no files yet."""
    for kind in ("CONFIG", "DATA", "CACHE", "STATE", "RUNTIME"):
        folder = tmp_path / kind.lower()
        folder.mkdir(mode=0o700)
        monkeypatch.setenv("XDG_RUNTIME_DIR" if kind == "RUNTIME" else f"XDG_{kind}_HOME", str(folder))
    for name in ("DESKHAND_CONFIG", "DESKHAND_STORE", "EDITOR", "VISUAL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("cli.wiring.SYSTEM_CONFIG", tmp_path / "etc" / "config.toml")
    return tmp_path


@pytest.fixture
def deskhand(home: Path, capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> Deskhand:
    """`deskhand ARGS`, with `stdin` as its standard input."""

    def run(*args: object, stdin: str | bytes = "") -> Ran:
        data = stdin.encode() if isinstance(stdin, str) else stdin
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), "utf-8"))
        capsysbinary.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(a) for a in args])
        out, err = capsysbinary.readouterr()
        assert b"Traceback" not in err
        code = ended.value.code
        assert isinstance(code, int)
        return Ran(code, out.decode(), err.decode())

    return run


@pytest.fixture
def room(home: Path) -> Room:
    """The user's own desk: its admin is kim, whose uid runs the tests."""
    folder = home / "data" / "deskhand"
    folder.mkdir(mode=0o700)
    made = Room.open(folder)
    made.store.set_setting("secret", (b"x" * 32).hex())
    from msgspec.structs import replace

    from desk.store import Batch

    kim = made.store.agents()["kim"]
    made.store.save_agent(replace(kim, uid=os.getuid()), Batch("kim", made.clock))
    made.store.close()
    made.store = open_store(made.store.url)
    return made
