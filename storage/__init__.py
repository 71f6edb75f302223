"""Stores: places where everything is kept, all behind `desk.store.Store`."""

from __future__ import annotations

from pathlib import Path

from desk.config import DeskConfig
from desk.errors import ConfigError
from desk.store import Store


def open_store(url: str, config: DeskConfig | None = None, *, create: bool = False, upgrade: bool = False) -> Store:
    """The store at `url` (`sqlite:///path`, a plain path, or `postgresql://user@host/database`).

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
        try:
            from storage.postgres import open_postgres
        except ImportError as error:
            raise ConfigError(
                f"a store in PostgreSQL needs more of deskhand ({error}): pipx install 'deskhand[postgres]'"
            ) from error
        return open_postgres(url, config or DeskConfig(), create=create, upgrade=upgrade)
    raise ConfigError(
        f'"{scheme}://" names no store; write sqlite:///path/to/desk.db (three slashes, and a fourth for an absolute path) '
        "or postgresql://USER@HOST/DATABASE"
    )


__all__ = ["Store", "open_store"]
