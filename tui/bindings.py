"""Which key means what: those of the verbs, the screen's, a preset's and the agent's own, one over the other."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from desk import lines
from desk.actions import load
from desk.config import KeysConfig, Source
from desk.errors import ConfigError, DeskError, Invalid
from desk.query import suggest
from tui.keymap import split, written
from tui.presets import DEFAULT, PRESETS, Tables
from tui.verbs import VERBS

PLACES = ("list", "ticket", "sheet")


def bound(place: str, chosen: KeysConfig, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The keys of "list", "ticket" or "sheet", with the lines they stand for; `extra` gets those that are left."""
    table = _over(place, (_of_verbs(), DEFAULT, PRESETS.get(chosen.preset, {}), _own(chosen)))
    taken = {split(keys) for keys in table}
    for keys, line in (extra or {}).items():
        path = split(keys)
        if not any(_meet(path, other) for other in taken):
            table[keys] = line
    return table


def _of_verbs() -> Tables:
    asked = {}
    for verb in load().values():
        for key in verb.keys.split():
            needs = any(argument.required for argument in verb.arguments)
            asked[key] = f"{verb.name} " if needs else verb.name
    return {"everywhere": asked}


def _own(chosen: KeysConfig) -> Tables:
    return {
        name: {written(split(keys)): line for keys, line in getattr(chosen, name).items()}
        for name in ("everywhere", *PLACES)
    }


def _over(place: str, layers: Iterable[Tables]) -> dict[str, str]:
    table: dict[str, str] = {}
    for layer in layers:
        table |= layer.get("everywhere", {})
        table |= layer.get(place, {})
    return {keys: line for keys, line in table.items() if line}


def _meet(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether one is the other, or its beginning: then only the shorter can be typed."""
    return one[: len(other)] == other[: len(one)]


# -- mistakes -----------------------------------------------------------------------


def problems(chosen: KeysConfig, source: Source) -> list[ConfigError]:
    """Everything that is wrong with `[keys]`, each with its line and what was probably meant."""
    found: list[ConfigError] = []
    if chosen.preset not in PRESETS:
        found.append(
            source.error(
                ("keys", "preset"), f'there is no preset "{chosen.preset}"{suggest(chosen.preset, tuple(PRESETS))}'
            )
        )
    for name in ("everywhere", *PLACES):
        seen: dict[tuple[str, ...], str] = {}
        for keys, line in getattr(chosen, name).items():
            try:
                path = _key(keys)
                if path in seen:
                    raise Invalid(f'"{keys}" is the same key as "{seen[path]}"; one of them is too many')
                seen[path] = keys
                _line(keys, line)
            except DeskError as error:
                found.append(source.error(("keys", name, keys), str(error)))
    return found or _conflicts(chosen, source)


def _key(keys: str) -> tuple[str, ...]:
    path = split(keys)
    if path[0] in "123456789":
        raise Invalid(f'"{keys}" begins with a digit, and digits are counts; begin with another key')
    if "escape" in path:
        raise Invalid("escape always leaves, and cannot mean anything else; choose another key")
    return path


def _line(keys: str, line: object) -> None:
    if not isinstance(line, str):
        raise Invalid(f'"{keys}" needs a command line in quotes, or "" to mean nothing')
    if not line:
        return
    found = re.match(r"\s*([^\s;]*)", line)
    verb = found[1] if found else ""
    if verb in VERBS:
        return
    actions = load()
    if verb not in actions:
        raise Invalid(f'"{keys}": there is no command "{verb}"{suggest(verb, (*VERBS, *actions))}')
    if line.strip() != verb and not line.endswith(" "):
        lines.script(line)


def _conflicts(chosen: KeysConfig, source: Source) -> list[ConfigError]:
    found: dict[tuple[str, str], ConfigError] = {}
    for place in PLACES:
        table = {split(keys): line for keys, line in bound(place, chosen).items()}
        for name in ("everywhere", place):
            for keys in getattr(chosen, name):
                path = split(keys)
                for other in table:
                    if path in table and path != other and _meet(path, other):
                        short, long = (written(p) for p in sorted((path, other), key=len))
                        found.setdefault((name, keys), source.error(("keys", name, keys), (
                            f'"{short}" ({table[split(short)].strip()}) is the beginning of "{long}" '
                            f'({table[split(long)].strip()}), which could not be typed; '
                            f'take one away with "{written(other)}" = "", or choose another key'
                        )))  # fmt: skip
    return list(found.values())
