"""A kind of channel to begin with: a package that works, with its tests, written under a name of one's own."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from desk.errors import Conflict, Invalid

_LETTERBOX = "letterbox"


class Made(NamedTuple):
    """What was written, and where."""

    folder: Path
    files: tuple[Path, ...]


def write(name: str, folder: Path) -> Made:
    """Write the package of a channel of the kind `name`; Conflict where there is something already."""
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        raise Invalid(f'"{name}" is no name for a kind of channel: small letters and digits, with - between them')
    import channels

    if name in channels.kinds():
        raise Conflict(f'there is a channel of the kind "{name}" already; give yours another name')
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Conflict(f"{folder} is there already; name an empty folder: deskhand channel new {name} FOLDER")
    folder.mkdir(parents=True, exist_ok=True)
    templates = sorted((resources.files(__name__) / "template").iterdir(), key=lambda file: file.name)
    files = []
    for template in templates:
        if template.is_file():
            path = folder / _named(template.name, name)
            path.write_text(_named(template.read_text("utf-8"), name), "utf-8")
            files.append(path)
    return Made(folder, tuple(files))


def _named(text: str, name: str) -> str:
    """`text` of the template with the name in place of its own: as a word, a module, a class."""
    module, title = name.replace("-", "_"), "".join(part.capitalize() for part in name.split("-"))
    for old, new in ((f"deskhand_{_LETTERBOX}", f"deskhand_{module}"), (f"test_{_LETTERBOX}", f"test_{module}")):
        text = text.replace(old, new)
    return text.replace(_LETTERBOX.capitalize(), title).replace(_LETTERBOX, name)


__all__ = ["Made", "write"]
