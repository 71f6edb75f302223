"""Configuration: classes that are the schema, and a TOML loader whose errors a person can mend.

An error names file, table, line and the nearest valid key:
`config.toml, [channels.support] line 14: unknown key "hots" (did you mean "host"?)`.
"""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar, Union, get_args, get_origin

from msgspec import NODEFAULT, Struct, field, structs
from msgspec.structs import replace

from desk import tables
from desk.errors import ConfigError, Invalid, KeyProblem, suggest
from desk.model import DAY, SECOND, Millis
from desk.tables import Tables

T = TypeVar("T")


class DeskConfig(Struct, frozen=True):
    """`[desk]`: how this desk works, the same for everybody who shares the store.

    `tables` holds the team's tables (policies, rules, ...) as written; `version` is the number
    under which all this was published, 0 for what comes from files alone.
    """

    name: str = "deskhand"
    undo_s: int = 10
    undo_live_s: int = 3
    reopen_window_d: int = 0
    default_account: str = ""
    signature: str = ""
    acknowledge: str = ""
    relay_uids: tuple[int, ...] = ()
    tables: Tables = field(default_factory=dict)
    version: int = 0

    NO_KEYS: ClassVar[tuple[str, ...]] = ("tables", "version")

    def __hash__(self) -> int:
        return hash((self.name, self.version))

    @property
    def undo(self) -> Millis:
        """How long a reply waits before it goes out."""
        return self.undo_s * SECOND

    def undo_window(self, *, live: bool) -> Millis:
        """How long a message waits before it goes out; shorter where a customer looks on (a chat)."""
        return min(self.undo_s, self.undo_live_s) * SECOND if live else self.undo

    @property
    def reopen_window(self) -> Millis:
        """How long after closing a message still reopens the ticket instead of making a follow-up."""
        return self.reopen_window_d * DAY


class StoreConfig(Struct, frozen=True):
    """`[store]`: where the desk is kept."""

    url: str = ""


class ScreenConfig(Struct, frozen=True):
    """`[screen]`: how it looks, for this user."""

    theme: str = "dark"
    time_zone: str = ""
    preview: Literal["off", "auto", "right", "below"] = "off"
    cursor: bool = False
    open: str = "xdg-open"
    downloads: str = ""


class KeysConfig(Struct, frozen=True):
    """`[keys]`: what keys mean on this user's screen.

    `everywhere`, `list`, `ticket` and `sheet` are tables of keys with command lines; the screen knows
    which there are.
    """

    preset: str = "default"
    everywhere: dict[str, str] = field(default_factory=dict)
    list: dict[str, str] = field(default_factory=dict)
    ticket: dict[str, str] = field(default_factory=dict)
    sheet: dict[str, str] = field(default_factory=dict)


WAYS = ("line", "bell", "title", "desktop")
"""How a screen can tell by itself that something happened."""


class NotifyConfig(Struct, frozen=True):
    """`[notify]`: what this user's screen tells by itself, and how: each event with its ways."""

    assigned: tuple[str, ...] = ("line",)
    reply: tuple[str, ...] = ("line",)
    mention: tuple[str, ...] = ("line",)
    due: tuple[str, ...] = ("line",)
    breached: tuple[str, ...] = ("line",)
    failed: tuple[str, ...] = ("line",)
    desktop: str = "auto"

    def __post_init__(self) -> None:
        for event in ("assigned", "reply", "mention", "due", "breached", "failed"):
            for way in getattr(self, event):
                if way not in WAYS:
                    raise KeyProblem(event, f'there is no way "{way}"{suggest(way, WAYS)}')
        if self.desktop not in ("auto", "9", "777", "99"):
            raise KeyProblem("desktop", f'there is no sequence "{self.desktop}": "auto", "9", "777" or "99"')


class RelayConfig(Struct, frozen=True):
    """`[relay]`: the process that reads and sends."""

    log: str = "-"
    log_level: str = "info"
    workers: int = 2
    lease_s: int = 30
    attend: bool = True


class Config(Struct, frozen=True):
    """A whole `config.toml`. `channels` holds each account's table as written; its channel knows the schema."""

    store: StoreConfig = field(default_factory=StoreConfig)
    desk: DeskConfig = field(default_factory=DeskConfig)
    screen: ScreenConfig = field(default_factory=ScreenConfig)
    keys: KeysConfig = field(default_factory=KeysConfig)
    notify: NotifyConfig = field(default_factory=NotifyConfig)
    relay: RelayConfig = field(default_factory=RelayConfig)
    channels: dict[str, dict[str, Any]] = field(default_factory=dict)
    source: Source | None = None


class Source(Struct, frozen=True):
    """The text a table came from, to name the line of what is wrong in it."""

    name: str
    text: str

    def line(self, path: tuple[str, ...]) -> int | None:
        """The line of the key at `path`, counted from 1; None when it cannot be found."""
        table: tuple[str, ...] = ()
        fallback: int | None = None
        for number, line in enumerate(self.text.splitlines(), 1):
            header = re.match(r"\s*\[\[?\s*([^\]]+?)\s*\]\]?\s*(#.*)?$", line)
            if header:
                # A name in quotes may have dots in it.
                table = tuple(part.strip("\"'") for part in re.findall(r"\"[^\"]*\"|'[^']*'|[^.\s]+", header[1]))
                if table[: len(path)] == path:
                    return number
                if path[: len(table)] == table:
                    fallback = number
                continue
            key = _KEY.match(line)
            if key:
                parts = _parts(key[1])
                if table + parts == path or (table + parts == path[: len(table + parts)] and "{" in line):
                    return number
        return fallback

    def error(self, path: tuple[str, ...], message: str) -> ConfigError:
        """The error `message` about the key at `path`, with its place."""
        number = self.line(path)
        table = ".".join(path[:-1])
        place = f"{self.name}, " + (f"[{table}] " if table else "") + (f"line {number}: " if number else "")
        return ConfigError(place + message)


_KEY = re.compile(r"""\s*("(?:[^"\\]|\\.)*"|'[^']*'|[\w"'.-]+)\s*=""")


def _parts(key: str) -> tuple[str, ...]:
    """A key as it is written in a file, cut at its dots; one in quotes is whole."""
    if re.fullmatch(r"""'[^']*'|"[^"]*\\?[^"]*\"""", key):
        return (key[1:-1].replace('\\"', '"').replace("\\\\", "\\") if key[0] == '"' else key[1:-1],)
    return tuple(part.strip("\"'") for part in key.split("."))


def load(path: Path) -> Config:
    """The configuration in the file at `path` and in the folder `team` beside it; ConfigError tells what is wrong and where."""
    config = parse(_text(path), str(path))
    whole = _with_days_off(config.desk.tables, path.parent)
    for file in sorted((path.parent / "team").glob("*.toml")):
        source = Source(str(file), _text(file))
        found = _toml(source)
        whole = tables.join(whole, _with_days_off(tables.take(found, source), file.parent))
        for name in found:
            from desk.query import suggest

            raise source.error((name,), f'unknown table "{name}"{suggest(name, tables.KINDS)}')
    return replace(config, desk=replace(config.desk, tables=whole))


def _with_days_off(found: Tables, folder: Path) -> Tables:
    """`found` with what calendar files say put into the calendars, so that what is published needs no file."""
    if not any("ical" in entry.values for entry in found.get("calendars", {}).values()):
        return found
    from desk.hours import ical_days

    read: dict[str, tables.Entry] = {}
    for name, entry in found["calendars"].items():
        values = dict(entry.values)
        file = values.pop("ical", "")
        try:
            if file:
                values["closed"] = [*values.get("closed", ()), *ical_days(_text((folder / str(file)).expanduser()))]
        except (ConfigError, Invalid, TypeError) as error:
            # The calendar alone is wrong, and says so.
            values["ical"] = str(error)
        read[name] = replace(entry, values=values)
    return {**found, "calendars": read}


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8") from error
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error


def _toml(source: Source) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(source.text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{source.name}: {error}") from error


def publishable(desk: DeskConfig) -> dict[str, Any]:
    """`[desk]` and the team's tables as plain data; `published` reads it again."""
    found = {name: getattr(desk, name) for name in keys(DeskConfig)}
    plain = {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}
    return plain | {"tables": tables.written(desk.tables)}


def published(whole: dict[str, Any], version: int) -> DeskConfig:
    """The configuration that was published with this number.

    A process of an older version goes on working with what it knows of it.
    """
    source = Source("the published configuration", "")
    desk = build(DeskConfig, {k: v for k, v in whole.items() if k in keys(DeskConfig)}, source, ("desk",))
    return replace(desk, tables=tables.read(whole.get("tables", {}), source), version=version)


def parse(text: str, name: str = "config.toml") -> Config:
    """The configuration written in `text`; `name` is the file's in messages."""
    source = Source(name, text)
    whole = _toml(source)
    channels = whole.pop("channels", {})
    if not isinstance(channels, dict) or not all(isinstance(table, dict) for table in channels.values()):
        raise source.error(("channels",), "channels are tables: [channels.support]")
    for account, table in channels.items():
        if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,31}", account):
            raise source.error(
                ("channels", account), f'"{account}" is no name for an account: small letters, digits, - and _'
            )
        if not isinstance(table.get("kind"), str):
            raise source.error(("channels", account), 'an account needs its kind, for example kind = "email"')
    of_team = tables.take(whole, source)
    config = build(Config, whole, source, (), skip=("channels", "source"))
    desk = replace(config.desk, tables=of_team)
    return replace(config, channels=channels, source=source, desk=desk)


def keys(schema: type[Any]) -> dict[str, Any]:
    """The keys that a table of this class has, with their defaults; NODEFAULT where a file has to say it.

    They are the fields of a Struct, or of a dataclass as channels have them, but for those
    in `NO_KEYS`.
    """
    fields: Sequence[Any]
    missing: Any
    if issubclass(schema, Struct):
        fields, missing = structs.fields(schema), NODEFAULT
    else:
        import dataclasses

        fields, missing = dataclasses.fields(schema), dataclasses.MISSING

    def default(field: Any) -> Any:
        if field.default is not missing:
            return field.default
        return NODEFAULT if field.default_factory is missing else field.default_factory()

    return {f.name: default(f) for f in fields if f.name not in getattr(schema, "NO_KEYS", ())}


def build(
    schema: type[T], table: dict[str, Any], source: Source, path: tuple[str, ...], skip: tuple[str, ...] = ()
) -> T:
    """`table` as the class `schema`, a Struct or a dataclass: unknown keys, wrong types and missing values are ConfigErrors.

    `skip` names keys of the class that are not read from the table, and keys of the
    table that are not its business.
    """
    hints = typing.get_type_hints(schema)
    fields = {name: default for name, default in keys(schema).items() if name not in skip}
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key in skip:
            continue
        if key not in fields:
            from desk.query import suggest

            raise source.error((*path, key), f'unknown key "{key}"{suggest(key, list(fields))}')
        values[key] = _typed(hints[key], value, source, (*path, key))
    for name, default in fields.items():
        if name not in values and default is NODEFAULT:
            raise source.error((*path, name), f'the key "{name}" is missing')
    try:
        return schema(**values)
    except ValueError as error:
        # A schema checks in __post_init__ what its types cannot say.
        raise source.error((*path, getattr(error, "key", "")), str(error)) from error


def _typed(hint: Any, value: Any, source: Source, path: tuple[str, ...]) -> Any:
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _typed(next(a for a in args if a is not type(None)), value, source, path)
    if hasattr(hint, "__struct_fields__") or hasattr(hint, "__dataclass_fields__"):
        if not isinstance(value, dict):
            raise source.error(path, f"{path[-1]} is a table: [{'.'.join(path)}]")
        return build(hint, value, source, path)
    if origin is typing.Literal:
        if value not in args:
            from desk.query import suggest

            names = [str(a) for a in args]
            raise source.error(
                path, f'{path[-1]} cannot be "{value}"{suggest(str(value), names)}; it is one of {", ".join(names)}'
            )
        return value
    if origin in (tuple, list):
        if not isinstance(value, list):
            raise source.error(path, f'{path[-1]} is a list: {path[-1]} = ["..."]')
        items = [_typed(args[0], item, source, path) for item in value]
        return tuple(items) if origin is tuple else items
    if origin is dict:
        if not isinstance(value, dict):
            raise source.error(path, f"{path[-1]} is a table: [{'.'.join(path)}]")
        return value
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint in (str, int, float, bool) and (not isinstance(value, hint) or (hint is int and isinstance(value, bool))):
        words = {str: "text in quotes", int: "a whole number", float: "a number", bool: "true or false"}
        raise source.error(path, f"{path[-1]} must be {words[hint]}, not {value!r}")
    return value
