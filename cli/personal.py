"""An agent's own macros and snippets: the files of the folder `macros` beside their configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from msgspec.structs import replace

from cli import wiring
from cli.wiring import user_config
from desk.config import DeskConfig, Source
from desk.errors import ConfigError
from desk.query import suggest
from desk.tables import Tables, cover, join, take

KINDS = ("macros", "snippets")
"""What a file of the folder may hold."""

Stamp = tuple[tuple[str, int, int], ...]


def folder() -> Path:
    """Where they lie."""
    return user_config().parent / "macros"


def folders() -> tuple[tuple[Path, bool], ...]:
    """Where files and programs are looked for, and whether what lies there is the agent's own."""
    return (wiring.SYSTEM_CONFIG.parent / "macros", False), (folder(), True)


def stamp(where: Path | None = None) -> Stamp:
    """Name, time and size of each file there: another one when something changed. It reads no file."""
    found = []
    for path in _files(where or folder()):
        try:
            told = path.stat()
        except OSError:
            continue
        found.append((path.name, told.st_mtime_ns, told.st_size))
    return tuple(found)


def covered(config: DeskConfig) -> tuple[DeskConfig, dict[str, ConfigError]]:
    """The configuration with the agent's own macros and snippets over it, and what is wrong with files of theirs, by name.

    A file with a mistake is left out; the others hold.
    """
    own: Tables = {}
    errors: dict[str, ConfigError] = {}
    for path in _files(folder()):
        if path.suffix != ".toml":
            continue
        try:
            own = join(own, read(path))
        except ConfigError as error:
            errors[path.stem] = error
    return replace(config, tables=cover(config.tables, own)), errors


def read(path: Path) -> Tables:
    """The macros and snippets of one file; ConfigError says what is wrong with it."""
    import tomllib

    try:
        source = Source(str(path), path.read_text("utf-8"))
        whole = tomllib.loads(source.text)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{path}: {error}") from error
    found = take(whole, source)
    for name in [*whole, *(kind for kind in found if kind not in KINDS)]:
        raise source.error((name,), f'a file of macros has no table "{name}"{suggest(name, KINDS)}')
    return found


def place(name: str) -> Path:
    """Where a macro of the agent's own is written."""
    return folder() / f"{name}.toml"


def write(name: str, table: dict[str, Any]) -> Path:
    """Write the macro `name` into a file of its own, and give its place; ConfigError when it is wrong."""
    import tomli_w

    from desk import macros
    from desk.tables import Entry

    target = place(name)
    text = tomli_w.dumps({"macros": {name: table}}, multiline_strings=True)
    entry = Entry("macros", name, table, Source(target.name, text))
    if errors := macros.load(DeskConfig(tables={"macros": {name: entry}})).errors:
        raise errors[0]
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    target.write_text(text, "utf-8")
    return target


def _files(where: Path) -> list[Path]:
    try:
        return sorted(where.iterdir())
    except OSError:
        return []
