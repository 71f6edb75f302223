"""Stores: places where everything is kept, all behind `desk.store.Store`."""

from __future__ import annotations

from pathlib import Path

from desk.config import DeskConfig
from desk.errors import ConfigError
from desk.store import Store


def open_store(url: str, config: DeskConfig | None = None, *, create: bool = False, upgrade: bool = False) -> Store:
    """The store at `url` (`sqlite:///path`, or a plain path).

    `create` makes it, with its folder, when there is none; `upgrade` brings an older
    schema up to date. Without them a missing or older store is an error with the
    command that helps.
    """
    scheme, found, rest = url.partition("://")
    if not found:
        scheme, rest = "sqlite", f"/{url}"
    if scheme == "sqlite" and rest.startswith("/") and len(rest) > 1:
        from storage.opening import open_sqlite

        return open_sqlite(Path(rest[1:]).expanduser(), url, config or DeskConfig(), create=create, upgrade=upgrade)
    if scheme in ("postgresql", "postgres"):
        raise ConfigError('this version keeps its store in SQLite; write [store] url = "sqlite:///path/to/desk.db"')
    raise ConfigError(
        f'"{url}" names no store; write sqlite:///path/to/desk.db (three slashes, and a fourth for an absolute path)'
    )


__all__ = ["Store", "open_store"]
