"""The team's tables: `[policies.NAME]`, `[rules.NAME]` and their like, from the file to what they mean.

They stand in `config.toml` and in the files of the folder `team` beside it, which a team
keeps in git; `deskhand config apply` publishes them to everybody who shares the store. A
table with a mistake is left out, with an error that names its line; the others hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, time
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from msgspec import Struct, field
from msgspec.structs import replace

from desk.errors import ConfigError, DeskError, KeyProblem, NotFound

if TYPE_CHECKING:
    from desk.config import DeskConfig, Source

T = TypeVar("T")

_MODULES: tuple[str, ...] = (
    "desk.canned",
    "desk.hooks",
    "desk.hours",
    "desk.macros",
    "desk.sla",
    "desk.rules",
    "desk.views",
)
"""Who knows what a kind of table means: each has a `load(config)` that gives a Checked."""

KINDS = ("calendars", "policies", "rules", "views", "macros", "snippets", "hooks")
"""The tables a team has, each with named entries whose order counts."""

PERSONAL = ("views", "macros", "snippets")
"""What an agent may have besides, in files of their own; it wins over what the team calls the same."""


class Entry(Struct, frozen=True):
    """One `[kind.NAME]` as it is written, and the file it stands in."""

    kind: str
    name: str
    values: Mapping[str, Any]
    source: Source
    personal: bool = False

    def error(self, key: str, message: str) -> ConfigError:
        """The error `message` about `key` ("" for the whole), with file and line."""
        return self.source.error((self.kind, self.name, *([key] if key else [])), message)


Tables = Mapping[str, Mapping[str, Entry]]


class Checked(Struct, Generic[T], frozen=True):
    """The entries of a kind that are right, in their order, and what is wrong with the others."""

    items: Mapping[str, T] = field(default_factory=dict)
    errors: tuple[ConfigError, ...] = ()


def take(tables: dict[str, Any], source: Source) -> dict[str, dict[str, Entry]]:
    """Take the team's tables out of a parsed file."""
    found: dict[str, dict[str, Entry]] = {}
    for kind in KINDS:
        named = tables.pop(kind, {})
        if not isinstance(named, dict) or not all(isinstance(values, dict) for values in named.values()):
            raise source.error((kind,), f"{kind} are tables with names: [{kind}.NAME]")
        if named:
            found[kind] = {name: Entry(kind, name, _plain(values), source) for name, values in named.items()}
    return found


def join(first: Tables, second: Tables) -> dict[str, dict[str, Entry]]:
    """The entries of both, in this order; a name that stands in both is a ConfigError."""
    whole = {kind: dict(entries) for kind, entries in first.items()}
    for kind, entries in second.items():
        here = whole.setdefault(kind, {})
        for name, entry in entries.items():
            if name in here:
                raise entry.error(
                    "", f"[{kind}.{name}] stands in {here[name].source.name} already; give it another name"
                )
            here[name] = entry
    return whole


def cover(team: Tables, own: Tables) -> dict[str, dict[str, Entry]]:
    """The team's entries with an agent's own views, macros and snippets over them."""
    whole = {kind: dict(entries) for kind, entries in team.items()}
    for kind in PERSONAL:
        for name, entry in own.get(kind, {}).items():
            whole.setdefault(kind, {})[name] = Entry(kind, name, entry.values, entry.source, personal=True)
    return whole


def written(tables: Tables) -> dict[str, dict[str, Mapping[str, Any]]]:
    """The tables as plain data, for publishing."""
    return {kind: {name: entry.values for name, entry in entries.items()} for kind, entries in tables.items()}


def read(text: Mapping[str, Any], source: Source) -> dict[str, dict[str, Entry]]:
    """What `written` gave."""
    return {
        kind: {name: Entry(kind, name, values, source) for name, values in entries.items()}
        for kind, entries in text.items()
    }


def checked(config: DeskConfig, kind: str, make: Callable[[Entry], T]) -> Checked[T]:
    """Every entry of `kind` as `make` understands it; its DeskErrors and ValueErrors become errors with a place."""
    items: dict[str, T] = {}
    errors: list[ConfigError] = []
    for name, entry in config.tables.get(kind, {}).items():
        try:
            items[name] = make(entry)
        except ConfigError as error:
            errors.append(error)
        except KeyProblem as problem:
            errors.append(entry.error(problem.key, str(problem)))
        except (DeskError, ValueError) as error:
            errors.append(entry.error("", str(error)))
    return Checked(items, tuple(errors))


def built(entry: Entry, schema: type[T]) -> T:
    """The entry as the class `schema`; ConfigError names file, line and the nearest key."""
    from desk.config import build

    return build(schema, dict(entry.values), entry.source, (entry.kind, entry.name))


def once(load: Callable[[DeskConfig], T]) -> Callable[[DeskConfig], T]:
    """`load`, done once for each configuration: a configuration never changes, it is replaced."""
    return lru_cache(maxsize=4)(load)


def named(config: DeskConfig, kind: str, name: str, load: Callable[[DeskConfig], Checked[T]]) -> T:
    """The entry of `kind` with this name; its own error if it is wrong, NotFound with the nearest name if there is none."""
    found = load(config)
    if name in found.items:
        return found.items[name]
    if entry := config.tables.get(kind, {}).get(name):
        raise load(replace(config, tables={kind: {name: entry}})).errors[0]
    from desk.query import suggest

    word = kind.removesuffix("s")
    raise NotFound(f'there is no {word} "{name}"{suggest(name, tuple(found.items))}; deskhand {word} list shows them')


def problems(config: DeskConfig) -> list[ConfigError]:
    """Everything that is wrong with the team's tables, in the order of the kinds."""
    from importlib import import_module

    found: list[ConfigError] = []
    for module in _MODULES:
        found += import_module(module).load(config).errors
    return found


def _plain(value: Any) -> Any:
    """Dates and times as text, so that all of it can be kept as JSON."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, (date, time)) else value
