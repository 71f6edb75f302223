"""Files to attach: chosen by their path as it is typed, and weighed before anything is sent.

What asks the disk here runs in a thread.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from msgspec import Struct

from desk.completion import Choice
from desk.errors import Invalid
from tui.draw import flat, plural, size

_OFFERED = 200
_AT_ONCE = 20


class File(Struct, frozen=True):
    """A file that is to be attached; without a size it cannot be read, for a reason."""

    path: str
    size: int | None
    why: str = ""

    @property
    def name(self) -> str:
        """What the customer sees."""
        return Path(self.path).name


def offered(typed: str) -> list[Choice]:
    """What a path being typed may become: folders first, each with what they are or how large."""
    stem, slash, name = typed.rpartition("/")
    stem += slash
    try:
        entries = Path(stem or ".").expanduser().iterdir()
        fit = [one for one in entries if one.name.startswith(name) and (name or not one.name.startswith("."))]
    except (OSError, RuntimeError):
        return []
    found = [_entry(path) for path in fit]
    found.sort(key=lambda one: (not one[0], one[1].lower()))
    return [
        Choice(stem + entry + ("/" if is_folder else ""), flat(entry) + ("/" if is_folder else ""), hint)
        for is_folder, entry, hint in found[:_OFFERED]
        if entry.isprintable()
    ]


def _entry(path: Path) -> tuple[bool, str, str]:
    try:
        if path.is_dir():
            return True, path.name, "folder"
        return False, path.name, size(path.stat().st_size)
    except OSError:
        return False, path.name, "cannot be read"


def chosen(typed: str) -> list[str]:
    """The files that a typed path means, from the root on; a `*` may stand for several. Invalid says what is wrong."""
    path = Path.cwd() / Path(typed.strip()).expanduser()
    if path.is_dir():
        raise Invalid(f"{typed.strip()} is a folder; choose a file in it")
    several = "*" in path.name and not path.exists()
    found = sorted(one for one in path.parent.glob(path.name) if one.is_file()) if several else [path]
    if not found or not (several or path.exists()):
        raise Invalid(f"there is no file {typed.strip()}; Tab completes what is there")
    if len(found) > _AT_ONCE:
        raise Invalid(f"{typed.strip()} are {len(found):,} files; pack them into one")
    for file in weigh(map(str, found)):
        if file.size is None:
            raise Invalid(f"{file.path}: {file.why}")
    return [str(one) for one in found]


def weigh(paths: Iterable[str]) -> list[File]:
    """Each file with its size, or why it cannot be read."""
    return [_weighed(path) for path in paths]


def _weighed(path: str) -> File:
    file = Path(path).expanduser()
    try:
        if not file.is_file():
            return File(path, None, "it is not there any more" if not file.exists() else "it is no file")
        if not os.access(file, os.R_OK):
            return File(path, None, "you may not read it")
        return File(path, file.stat().st_size)
    except OSError as error:
        return File(path, None, error.strerror or "it cannot be read")


def total(files: Sequence[File], limit: int) -> str:
    """How much it is together, and of how much the account lets through."""
    whole = sum(file.size or 0 for file in files)
    if limit:
        return f"{plural(len(files), 'file')}, {size(whole)} of {size(limit)} at most"
    return f"{plural(len(files), 'file')}, {size(whole)}" if len(files) > 1 else ""
