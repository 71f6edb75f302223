"""Stores: places where everything is kept, all behind `desk.store.Store`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from desk.config import DeskConfig
from desk.errors import ConfigError
from desk.store import Store


def open_store(
    url: str, config: DeskConfig | None = None, *, create: bool = False, upgrade: bool = False, unfinished: bool = False
) -> Store:
    """The store at `url` (`sqlite:///path`, a plain path, or `postgresql://user@host/database`).

    `create` makes it, with its folder, when there is none; `upgrade` brings an older
    schema up to date; `unfinished` takes one that is being copied into. Without them a
    missing, older or unfinished store is an error with the command that helps.
    """
    config = config or DeskConfig()
    if path := _file(url):
        from storage.opening import open_sqlite

        return open_sqlite(path, url, config, create=create, upgrade=upgrade, unfinished=unfinished)
    with _more_of_deskhand():
        from storage.postgres import open_postgres
    return open_postgres(url, config, create=create, upgrade=upgrade, unfinished=unfinished)


def belongs_to(url: str, uid: int) -> bool:
    """Whether the store at `url` is this user's alone: a file of theirs that nobody else may open."""
    path = _file(url)
    if path is None or not path.exists():
        return False
    found = path.stat()
    return found.st_uid == uid and not found.st_mode & 0o077


def pending_steps(url: str) -> list[str]:
    """What an upgrade of the store at `url` would do, a line a step; nothing is changed."""
    if path := _file(url):
        from storage.opening import pending_steps as of_file

        return of_file(path)
    with _more_of_deskhand():
        from storage.postgres import pending_steps as of_database
    return of_database(url)


def _file(url: str) -> Path | None:
    """The file of a store in SQLite; None for PostgreSQL."""
    scheme, found, rest = url.partition("://")
    if not found:
        scheme, rest = "sqlite", f"/{url}"
    if scheme == "sqlite" and rest.startswith("/") and len(rest) > 1:
        return Path(rest[1:]).expanduser()
    if scheme in ("postgresql", "postgres"):
        return None
    raise ConfigError(
        f'"{scheme}://" names no store; write sqlite:///path/to/desk.db (three slashes, and a fourth for an absolute path) '
        "or postgresql://USER@HOST/DATABASE"
    )


@contextmanager
def _more_of_deskhand() -> Iterator[None]:
    """Around an import of what not everybody has installed."""
    try:
        yield
    except ImportError as error:
        raise ConfigError(
            f"a store in PostgreSQL needs more of deskhand ({error}): pipx install 'deskhand[postgres]'"
        ) from error


__all__ = ["Store", "belongs_to", "open_store", "pending_steps"]
