"""Themes: named styles in TOML files, and the loader that reads them.

A file has `[colors]` (names of its own) and `[styles]` (the fields of `Theme`). A style
is written as words: attributes, a colour, and perhaps `on` and a second colour:
`bold red`, `#d0d0d0 on umber`. `extends = "dark"` takes over what the file itself does
not say. A theme of the user's is one file `NAME.toml` in their own themes folder.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SHIPPED = Path(__file__).parent
"""Where the themes lie that come with the program."""

ATTRIBUTES = ("bold", "dim", "italic", "underline", "reverse", "strike")
_HUES = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
TERMINAL = ("default", *_HUES, *(f"bright_{hue}" for hue in _HUES))
"""Colours that every terminal has, drawn as its user set them; `default` is its own ground and ink."""

_HEX = re.compile(r"#[0-9a-fA-F]{6}")
_DEEPEST = 8


class ThemeError(Exception):
    """A theme that cannot be used; the message names file, key and what was probably meant."""


@dataclass(frozen=True, slots=True)
class Theme:
    """What everything looks like: a style for each thing that the screen draws."""

    name: str = "plain"
    dark: bool = True
    text: str = "default"
    quiet: str = "default"
    faint: str = "default"
    strong: str = "bold"
    rule: str = "default"
    bar: str = "default"
    heading: str = "default"
    key: str = "bold"
    prompt: str = "bold"
    cursor: str = "bold"
    chosen: str = "reverse"
    mark: str = "bold"
    unread: str = "bold"
    gone: str = "dim"
    overdue: str = "bold"
    soon: str = "default"
    urgent: str = "bold"
    high: str = "default"
    trouble: str = "bold"
    error: str = "bold"
    notice: str = "default"
    good: str = "default"
    customer: str = "bold"
    agent: str = "default"
    system: str = "dim"
    note: str = "reverse"
    note_word: str = "bold reverse"
    reply_word: str = "bold"
    quoted: str = "dim"


STYLES = tuple(f.name for f in dataclasses.fields(Theme) if f.name not in ("name", "dark"))


def load(name: str, folders: Sequence[Path] = ()) -> Theme:
    """The theme called `name`, looked for in `folders` and then among the shipped ones."""
    return _finished(name, _gathered(name, folders, ()))


def choose(name: str, folders: Sequence[Path], environ: Mapping[str, str]) -> Theme:
    """The theme to use: `name`, unless NO_COLOR is set, which asks for `mono` (https://no-color.org)."""
    return load("mono" if environ.get("NO_COLOR") else name, folders)


def names(folders: Sequence[Path] = ()) -> list[str]:
    """All themes there are, by name."""
    return sorted({path.stem for folder in (*folders, SHIPPED) if folder.is_dir() for path in folder.glob("*.toml")})


@dataclass(frozen=True, slots=True)
class _Style:
    """A style as written, with the file it stands in and the colours known there."""

    file: str
    text: str
    colors: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Written:
    dark: bool | None
    colors: dict[str, str]
    styles: dict[str, _Style]


def _gathered(name: str, folders: Sequence[Path], below: tuple[str, ...]) -> _Written:
    path = _find(name, folders)
    if name in below or len(below) >= _DEEPEST:
        raise ThemeError(
            f"{path.name}, extends: the themes extend each other in a circle ({' -> '.join((*below, name))}); end it somewhere"
        )
    tables = _read(path)
    parent = tables.get("extends")
    if parent is not None and not isinstance(parent, str):
        raise ThemeError(f'{path.name}, extends: must be the name of a theme in quotes, like "dark"')
    base = _gathered(parent, folders, (*below, name)) if parent else _Written(None, {}, {})
    colors = base.colors | _colors(path.name, tables.get("colors", {}))
    # A child that gives a colour another value means it in the inherited styles as well.
    inherited = {key: _Style(style.file, style.text, colors) for key, style in base.styles.items()}
    own = {
        key: _Style(path.name, text, colors)
        for key, text in _texts(path.name, "styles", tables.get("styles", {})).items()
    }
    dark = tables.get("dark", base.dark)
    if dark is not None and not isinstance(dark, bool):
        raise ThemeError(f"{path.name}, dark: must be true or false")
    return _Written(dark, colors, inherited | own)


def _find(name: str, folders: Sequence[Path]) -> Path:
    if re.fullmatch(r"[\w-]+", name):
        for folder in (*folders, SHIPPED):
            path = folder / f"{name}.toml"
            if path.is_file():
                return path
    raise ThemeError(f'there is no theme "{name}"{_nearest(name, names(folders))}')


def _read(path: Path) -> dict[str, Any]:
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ThemeError(f"{path.name}: {error}") from error
    known = ("extends", "dark", "colors", "styles")
    for key in tables:
        if key not in known:
            raise ThemeError(f'{path.name}: unknown key "{key}"{_nearest(key, known)}')
    return tables


def _texts(file: str, table: str, found: Any) -> dict[str, str]:
    if not isinstance(found, dict):
        raise ThemeError(f"{file}, {table}: is a table: [{table}]")
    for key, text in found.items():
        if not isinstance(text, str):
            raise ThemeError(f"{file}, [{table}] {key}: must be text in quotes, not {text!r}")
        if table == "styles" and key not in STYLES:
            raise ThemeError(f'{file}, [styles]: unknown key "{key}"{_nearest(key, STYLES)}')
    return dict(found)


def _colors(file: str, found: Any) -> dict[str, str]:
    colors = _texts(file, "colors", found)
    for key, text in colors.items():
        if not _HEX.fullmatch(text) and text not in TERMINAL:
            raise ThemeError(
                f'{file}, [colors] {key}: "{text}" is not a colour; write "#rrggbb"{_nearest(text, TERMINAL, "or a name")}'
            )
    return colors


def _finished(name: str, written: _Written) -> Theme:
    styles = {key: _style(key, style) for key, style in written.styles.items()}
    return Theme(name=name, dark=written.dark is not False, **styles)


def _style(key: str, style: _Style) -> str:
    words: list[str] = []
    for word in style.text.split():
        if word in style.colors:
            words.append(style.colors[word])
        elif word in ATTRIBUTES or word == "on" or word in TERMINAL or _HEX.fullmatch(word):
            words.append(word)
        else:
            valid = (*style.colors, *ATTRIBUTES, *TERMINAL)
            raise ThemeError(
                f'{style.file}, [styles] {key}: "{word}" is neither a colour nor an attribute{_nearest(word, valid)}'
            )
    grounds = words.count("on")
    hues = [word for word in words if word not in ATTRIBUTES and word != "on"]
    if (
        grounds > 1
        or (grounds and (words[-1] == "on" or words[words.index("on") + 1] in ATTRIBUTES))
        or len(hues) > 1 + grounds
    ):
        raise ThemeError(
            f'{style.file}, [styles] {key}: "{style.text}" reads as no style; write it like "bold red on #202020"'
        )
    return " ".join(words) or "default"


def _nearest(name: str, valid: Sequence[str], otherwise: str = "there are") -> str:
    near = difflib.get_close_matches(name, list(valid), 1, 0.6)
    return f' (did you mean "{near[0]}"?)' if near else f"; {otherwise} {', '.join(valid)}"


__all__ = ["SHIPPED", "STYLES", "Theme", "ThemeError", "choose", "load", "names"]
