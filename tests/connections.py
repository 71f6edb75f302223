"""SQLite connections that tests watch."""

from __future__ import annotations

import sqlite3
from typing import Any


def watch(kind: type[sqlite3.Connection]) -> None:
    """From now on every connection of this process is also a `kind`, whatever else it is."""
    connect = sqlite3.connect
    mixed: dict[type, type] = {}

    def watched(*args: Any, factory: type[sqlite3.Connection] = sqlite3.Connection, **more: Any) -> sqlite3.Connection:
        if factory not in mixed:
            mixed[factory] = kind if factory is sqlite3.Connection else type("Watched", (kind, factory), {})
        return connect(*args, factory=mixed[factory], **more)

    sqlite3.connect = watched  # type: ignore[assignment]
