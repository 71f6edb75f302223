"""Text in the editor of one's choice."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from desk.errors import Invalid


def folder() -> Path | None:
    """Where a draft may lie for a moment: the user's own runtime folder, gone when they log out."""
    found = os.environ.get("XDG_RUNTIME_DIR")
    return Path(found) if found and Path(found).is_dir() else None


def edit(text: str, command: Sequence[str]) -> str:
    """`text` as the editor `command` leaves it; the file is readable to nobody else and removed at once."""
    handle, name = tempfile.mkstemp(".txt", "deskhand-", folder())
    path = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        done = subprocess.run([*command, name], check=False)
        if done.returncode:
            raise Invalid(f"{command[0]} ended with {done.returncode}; the text is as it was before")
        return path.read_text("utf-8", "replace").rstrip("\n")
    except OSError as error:
        raise Invalid(f"{command[0]}: {error.strerror}; set EDITOR to an editor that is installed") from error
    finally:
        path.unlink(missing_ok=True)
