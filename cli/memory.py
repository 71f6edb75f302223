"""Lines typed before, kept over the end of a screen: commands and filters."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from cli.wiring import home

_MOST = 500
_KEPT = ("command", "filter")


class Memory:
    """A file to which each screen of the user adds lines; readable to nobody else.

    What cannot be kept is not: a full disk or a folder that may not be written is no reason to stop anybody's work.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path or home("STATE", ".local/state") / "history"

    def recall(self, kind: str) -> list[str]:
        """The lines of a kind, "command" or "filter", each once, the newest last."""
        assert kind in _KEPT
        found: dict[str, None] = {}
        for line in self._lines():
            name, _, text = line.partition("\t")
            if name == kind and text:
                found.pop(text, None)
                found[text] = None
        return list(found)[-_MOST:]

    def remember(self, kind: str, line: str) -> None:
        """Keep a line."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            lines = self._lines()
            if len(lines) > 4 * _MOST:
                self._write(lines[-_MOST:])
            handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            with os.fdopen(handle, "a", encoding="utf-8") as file:
                # One write, so that two screens do not mix their lines.
                file.write(f"{kind}\t{' '.join(line.split(chr(10)))}\n")
        except OSError:
            pass

    def _write(self, lines: Sequence[str]) -> None:
        fresh = self._path.with_suffix(f".{os.getpid()}")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write("".join(f"{line}\n" for line in lines))
        fresh.replace(self._path)

    def _lines(self) -> list[str]:
        try:
            return self._path.read_text("utf-8", "replace").rstrip("\n").split("\n")
        except OSError:
            return []
