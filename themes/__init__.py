"""Themes: named styles in TOML files, and the loader that reads them.

A file has `about` (a sentence for lists), `[colors]` (names of its own) and `[styles]` (`STYLES`). A style
is written as words: attributes, a colour, and perhaps `on` and a second colour:
`bold red`, `#d0d0d0 on umber`. `extends = "dark"` takes over what the file itself does
not say. A theme of the user's is one file `NAME.toml` in their own themes folder.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct, field

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


_DRAWN: dict[str, tuple[str, str]] = {
    "ground": ("default", "what all is drawn on, ink and ground; default: as the terminal is set"),
    "text": ("default", "most of what there is to read"),
    "quiet": ("default", "what matters less: snippets, channels, ages, words beside keys"),
    "faint": ("default", "what matters least: no assignee, low priority"),
    "strong": ("bold", "the ticket's subject, the view's name, what is yours"),
    "rule": ("default", "the thin line between two parts"),
    "bar": ("default", "the top line"),
    "heading": ("default", "the titles of columns"),
    "key": ("bold", "keys in the bottom line and in lists"),
    "prompt": ("bold", "the sign before what you type"),
    "cursor": ("bold", "the bar beside the current ticket"),
    "chosen": ("reverse", "the current line of a list to choose from"),
    "mark": ("bold", "the sign of a marked ticket"),
    "unread": ("bold", "the subject of what you have not read"),
    "gone": ("dim", "tickets that left the list since it was read"),
    "overdue": ("bold", "the clock of an answer that is late"),
    "soon": ("default", "the clock of an answer that is due within the hour"),
    "urgent": ("bold", "the priority urgent"),
    "high": ("default", "the priority high"),
    "trouble": ("bold", "what failed: deliveries, accounts"),
    "error": ("bold", "why something was not done"),
    "notice": ("default", "what you should know, questions among it"),
    "good": ("default", "what was done"),
    "customer": ("bold", "the name of a customer who wrote"),
    "agent": ("default", "the name of an agent who wrote"),
    "system": ("dim", "what the desk says by itself"),
    "note": ("reverse", "internal notes"),
    "note_word": ("bold reverse", "the word NOTE, and the line it stands in"),
    "reply_word": ("bold", "the word REPLY"),
    "quoted": ("dim", "what a message quotes"),
    "emphasis": ("italic", "what a message stresses"),
    "code": ("default", "code in a message"),
    "found": ("bold reverse", "what was searched for"),
}

STYLES: dict[str, str] = {name: meaning for name, (_, meaning) in _DRAWN.items()}
"""Every style, and what is drawn in it."""

_PLAIN: dict[str, str] = {name: style for name, (style, _) in _DRAWN.items()}


class Theme(Struct, frozen=True):
    """What everything looks like: a style for each thing that the screen draws.

    `files` are those it was read from: its own, and those of the themes it extends.
    """

    name: str = "plain"
    about: str = ""
    dark: bool = True
    files: tuple[Path, ...] = ()
    styles: Mapping[str, str] = field(default_factory=lambda: dict(_PLAIN))


def load(name: str, folders: Sequence[Path] = ()) -> Theme:
    """The theme called `name`, looked for in `folders` and then among the shipped ones."""
    written = _gathered(name, folders, ())
    styles = {key: _style(key, style) for key, style in written.styles.items()}
    return Theme(name, written.about, written.dark is not False, written.files, _PLAIN | styles)


def names(folders: Sequence[Path] = ()) -> list[str]:
    """All themes there are, by name."""
    return sorted({path.stem for folder in (*folders, SHIPPED) if folder.is_dir() for path in folder.glob("*.toml")})


class Watched:
    """A theme that is read again when a file of it becomes another. NO_COLOR asks for `mono` (https://no-color.org)."""

    def __init__(self, name: str, folders: Sequence[Path] = (), *, color: bool = True) -> None:
        # Without colours the shipped theme: one of the user's of this name might have some.
        self._name, self._folders = (name, folders) if color else ("mono", ())
        self.theme = load(self._name, self._folders)
        self._files = self.theme.files
        self._stamp = self._look()

    def again(self) -> Theme | None:
        """The theme, if it is another since; ThemeError, once, when there is a mistake in it now."""
        if (stamp := self._look()) == self._stamp:
            return None
        self._stamp = stamp
        self.theme = load(self._name, self._folders)
        self._files, before = self.theme.files, self._files
        if self._files != before:
            self._stamp = self._look()
        return self.theme

    @property
    def names(self) -> list[str]:
        """All themes there are to choose from."""
        return names(self._folders)

    def choose(self, name: str) -> Theme:
        """Be another theme from now on; ThemeError."""
        theme = load(name, self._folders)
        self._name, self.theme, self._files = name, theme, theme.files
        self._stamp = self._look()
        return theme

    def _look(self) -> list[tuple[int, int]]:
        found = []
        for path in self._files:
            try:
                told = path.stat()
                found.append((told.st_mtime_ns, told.st_size))
            except OSError:
                # An editor may be about to put the new file in the old one's place.
                found.append((0, 0))
        return found


def sketch(name: str, extends: str, folders: Sequence[Path] = ()) -> str:
    """The text of a new theme: every colour and style of the one it extends, each commented out."""
    base = _gathered(extends, folders, ())
    lines = [
        f"# The theme {name}. Take away the # of what is to be another; the rest stays as in {extends}.",
        "# It is drawn anew as soon as you save this file.",
        "",
        f'about = "{extends}, changed"',
        f'extends = "{extends}"',
        "",
        "# Names for colours. One that you change changes wherever a style names it.",
        "[colors]",
        *(f'#{key} = "{value}"' for key, value in base.colors.items()),
        "",
        f"# A style is attributes ({', '.join(ATTRIBUTES)}), a colour, and perhaps",
        '# "on" and a second one for the ground: "bold red on #202020". Colours are "#rrggbb", names from',
        "# above, or the terminal's own: default, black, red, ..., white, bright_black, ..., bright_white.",
        "[styles]",
    ]
    for key, meaning in STYLES.items():
        text = base.styles[key].text if key in base.styles else _PLAIN[key]
        lines += [f"# {meaning[0].upper()}{meaning[1:]}.", f'#{key} = "{text}"']
    return "\n".join(lines) + "\n"


class _File(Struct, frozen=True):
    """A file as written, to name the line of what is wrong in it."""

    path: Path
    text: str = ""

    def error(self, message: str, key: str, table: str = "") -> ThemeError:
        place = f"{self.path.name}, " + (f"[{table}] " if table else "")
        return ThemeError(f"{place}line {self._line(key, table)}: {message}")

    def _line(self, key: str, table: str) -> int:
        here = ""
        found = 1
        for number, line in enumerate(self.text.splitlines(), 1):
            if header := re.match(r"\s*\[+\s*([^\]]+?)\s*\]", line):
                here = header[1].strip("\"'")
                if here in (table or key, key):
                    found = number
            elif here == table and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", line):
                return number
        return found


class _Style(Struct, frozen=True):
    """A style as written, with the file it stands in and the colours known there."""

    file: _File
    text: str
    colors: Mapping[str, str]


class _Written(Struct, frozen=True):
    about: str
    dark: bool | None
    colors: dict[str, str]
    styles: dict[str, _Style]
    files: tuple[Path, ...]


def _gathered(name: str, folders: Sequence[Path], below: tuple[str, ...]) -> _Written:
    path = _find(name, folders)
    file, tables = _read(path)
    if name in below or len(below) >= _DEEPEST:
        circle = " -> ".join((*below, name))
        raise file.error(f"the themes extend each other in a circle ({circle}); end it somewhere", "extends")
    parent, about, dark = tables.get("extends"), tables.get("about", ""), tables.get("dark")
    if parent is not None and not isinstance(parent, str):
        raise file.error('extends must be the name of a theme in quotes, like "dark"', "extends")
    if not isinstance(about, str):
        raise file.error("about must be a sentence in quotes", "about")
    if dark is not None and not isinstance(dark, bool):
        raise file.error("dark must be true or false", "dark")
    if parent and parent not in names(folders):
        raise file.error(f'there is no theme "{parent}"{_nearest(parent, names(folders))}', "extends")
    base = _gathered(parent, folders, (*below, name)) if parent else _Written("", None, {}, {}, ())
    colors = base.colors | _colors(file, tables.get("colors", {}))
    # A child that gives a colour another value means it in the inherited styles as well.
    inherited = {key: _Style(style.file, style.text, colors) for key, style in base.styles.items()}
    own = {key: _Style(file, text, colors) for key, text in _texts(file, "styles", tables.get("styles", {})).items()}
    return _Written(about, base.dark if dark is None else dark, colors, inherited | own, (path, *base.files))


def _find(name: str, folders: Sequence[Path]) -> Path:
    if re.fullmatch(r"[\w-]+", name):
        for folder in (*folders, SHIPPED):
            path = folder / f"{name}.toml"
            if path.is_file():
                return path
    raise ThemeError(f'there is no theme "{name}"{_nearest(name, names(folders))}')


def _read(path: Path) -> tuple[_File, dict[str, Any]]:
    import tomllib

    try:
        file = _File(path, path.read_text("utf-8"))
        tables = tomllib.loads(file.text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ThemeError(f"{path.name}: {error}") from error
    known = ("about", "extends", "dark", "colors", "styles")
    for key in tables:
        if key not in known:
            raise file.error(f'unknown key "{key}"{_nearest(key, known)}', key)
    return file, tables


def _texts(file: _File, table: str, found: Any) -> dict[str, str]:
    if not isinstance(found, dict):
        raise file.error(f"{table} is a table: [{table}]", table)
    for key, text in found.items():
        if not isinstance(text, str):
            raise file.error(f"{key} must be text in quotes, not {text!r}", key, table)
        if table == "styles" and key not in STYLES:
            raise file.error(f'unknown key "{key}"{_nearest(key, tuple(STYLES))}', key, table)
    return dict(found)


def _colors(file: _File, found: Any) -> dict[str, str]:
    colors = _texts(file, "colors", found)
    for key, text in colors.items():
        if not _HEX.fullmatch(text) and text not in TERMINAL:
            near = _nearest(text, TERMINAL, "or a name")
            raise file.error(f'{key} = "{text}" is not a colour; write "#rrggbb"{near}', key, "colors")
    return colors


def _style(key: str, style: _Style) -> str:
    words: list[str] = []
    for word in style.text.split():
        if word in style.colors:
            words.append(style.colors[word])
        elif word in ATTRIBUTES or word == "on" or word in TERMINAL or _HEX.fullmatch(word):
            words.append(word)
        else:
            near = _nearest(word, (*style.colors, *ATTRIBUTES, *TERMINAL))
            raise style.file.error(f'{key}: "{word}" is neither a colour nor an attribute{near}', key, "styles")
    grounds = words.count("on")
    hues = [word for word in words if word not in ATTRIBUTES and word != "on"]
    if (
        grounds > 1
        or (grounds and (words[-1] == "on" or words[words.index("on") + 1] in ATTRIBUTES))
        or len(hues) > 1 + grounds
    ):
        raise style.file.error(
            f'{key}: "{style.text}" reads as no style; write it like "bold red on #202020"', key, "styles"
        )
    return " ".join(words) or "default"


def _nearest(name: str, valid: Sequence[str], otherwise: str = "there are") -> str:
    import difflib

    near = difflib.get_close_matches(name, list(valid), 1, 0.6)
    return f' (did you mean "{near[0]}"?)' if near else f"; {otherwise} {', '.join(valid)}"


__all__ = ["ATTRIBUTES", "SHIPPED", "STYLES", "Theme", "ThemeError", "Watched", "load", "names", "sketch"]
