"""Keys that are changed: presets, one's own tables, what is said about mistakes, and what the screen then shows."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual import events

from desk.config import KeysConfig, parse
from desk.model import Status
from tests.desks import make_desk
from tests.tui.shown import front, run, shown
from tui import keymap
from tui.bindings import PLACES, bound, problems
from tui.keymap import Keys, Typed, split, written
from tui.presets import DEFAULT, PRESETS


def told(text: str) -> list[str]:
    """What is wrong with `[keys]`."""
    config = parse(text)
    assert config.source is not None
    return [str(error) for error in problems(config.keys, config.source)]


@pytest.mark.parametrize(
    ("keys", "path"),
    [
        ("j", ("j",)), ("gg", ("g", "g")), ("^x", ("^x",)), ("^x^c", ("^x", "^c")), ("^x ^c", ("^x", "^c")), ("ctrl+x u", ("^x", "u")),
        ("enter", ("enter",)), ("g enter", ("g", "enter")), ("alt+x", ("alt+x",)), ("shift+f5", ("shift+f5",)), ("^", ("^",)),
        ("+", ("+",)), ("shift+tab", ("shift+tab",)), ("gé", ("g", "é")),
    ],
)  # fmt: skip
def test_keys_are_read(keys: str, path: tuple[str, ...]) -> None:
    assert split(keys) == path
    assert split(written(path)) == path


@pytest.mark.parametrize(
    ("key", "character", "name"),
    [
        ("j", "j", "j"), ("ctrl+d", "\x04", "^d"), ("alt+x", "x", "alt+x"), ("alt+shift+x", "X", "alt+X"), ("enter", "\r", "enter"),
        ("question_mark", "?", "?"), ("f5", None, "f5"), ("ctrl+underscore", "\x1f", "^_"), ("shift+tab", None, "shift+tab"),
    ],
)  # fmt: skip
def test_a_pressed_key_is_named_as_it_is_written(key: str, character: str | None, name: str) -> None:
    assert keymap.name(events.Key(key, character)) == name


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("place", PLACES)
def test_in_a_preset_every_key_can_be_typed(preset: str, place: str) -> None:
    tables = PRESETS[preset]
    own = KeysConfig("default", *(dict(tables.get(name, {})) for name in ("everywhere", *PLACES)))
    config = parse("")
    assert config.source is not None
    assert problems(own, config.source) == []
    table = bound(place, KeysConfig(preset))
    for keys, line in table.items():
        reader = Keys(table)
        *_, last = [reader.feed(key) for key in split(keys)]
        assert last == Typed(line)
    lines = {line.strip() for line in table.values()}
    assert {
        "down",
        "up",
        "command",
        "help",
        "undo",
        "solve",
        "reply",
        "assign",
        "quit" if place == "list" else "back",
    } <= lines


def test_the_shipped_keys_stand_in_normal_form() -> None:
    for tables in (DEFAULT, *PRESETS.values()):
        for table in tables.values():
            assert all(written(split(keys)) == keys for keys in table)


def test_ones_own_keys_lie_over_the_preset_and_empty_takes_away() -> None:
    chosen = KeysConfig(
        "mutt", everywhere={"d": "trash", "ctrl+x s": "solve", "q": "undo"}, list={"t": ""}, ticket={"d": "note "}
    )
    queue, ticket = bound("list", chosen), bound("ticket", chosen)
    assert (queue["d"], ticket["d"]) == ("trash", "note ")
    assert queue["^x s"] == "solve"
    assert "t" not in queue
    assert queue["q"] == "undo"
    assert queue["l"] == "filter"


def test_views_and_macros_take_what_is_left() -> None:
    keys = bound("list", KeysConfig(), {"gm": "view mine", "x": "macro a", "gga": "macro b", "g": "macro c"})
    assert keys["gm"] == "view mine"
    assert keys["x"] == "solve"
    assert "gga" not in keys
    assert "g" not in keys


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('[keys]\npreset = "emcas"', 'config.toml, [keys] line 2: there is no preset "emcas" (did you mean "emacs"?)'),
        ('[keys.list]\nZ = "solv"', 'config.toml, [keys.list] line 2: "Z": there is no command "solv" (did you mean "solve"?)'),
        ('[keys.list]\nj = "down"\n"^x ." = "assgn me"', 'config.toml, [keys.list] line 3: "^x .": there is no command "assgn" (did'),
        ('[keys.list]\n"\\\\" = "nothing"', 'config.toml, [keys.list] line 2: "\\": there is no command "nothing"'),
        ('[keys.list]\nZ = "status opne"', "config.toml, [keys.list] line 2:"),
        ("[keys.list]\nZ = 3", 'config.toml, [keys.list] line 2: "Z" needs a command line in quotes'),
        ('[keys.list]\nentr = "show"', 'config.toml, [keys.list] line 2: "entr" is no key (did you mean "enter"?)'),
        ('[keys.list]\n"alt+spcae" = "show"', 'config.toml, [keys.list] line 2: "alt+spcae" is no key'),
        ('[keys.list]\n" " = "show"', "config.toml, [keys.list] line 2: a key is written like x"),
        ('[keys.list]\n"^i" = "show"', 'config.toml, [keys.list] line 2: for a terminal ^i is the same key as tab; write "tab"'),
        ('[keys.list]\n3x = "show"', 'config.toml, [keys.list] line 2: "3x" begins with a digit'),
        ('[keys.list]\nescape = "quit"', "config.toml, [keys.list] line 2: escape always leaves"),
        ('[keys.list]\n"^x" = "quit"\n"ctrl+x" = "quit"', 'config.toml, [keys.list] line 3: "ctrl+x" is the same key as "^x"'),
        ('[keys.everywhere]\n\nxx = "solve"', 'config.toml, [keys.everywhere] line 3: "x" (solve) is the beginning of "xx" (solve)'),
        ('[keys.ticket]\ng = "bottom"', 'config.toml, [keys.ticket] line 2: "g" (bottom) is the beginning of "gg" (top), which could'),
    ],
)  # fmt: skip
def test_mistakes_are_named_with_line_and_remedy(text: str, sentence: str) -> None:
    (found,) = told(text)
    assert found.startswith(sentence)


@pytest.mark.parametrize(
    "text",
    [
        '[keys.everywhere]\nx = ""\nxx = "solve"',
        '[keys.ticket]\ng = "bottom"\ngg = ""\ngh = ""\ngn = ""\ngc = ""\n"g/" = ""',
        '[keys.list]\n"a b" = "take; tag vpn"\na = ""\n"?" = "macro refund"\nZ = "tag "',
        '[keys]\npreset = "emacs"',
    ],
)
def test_what_is_right_is_let_be(text: str) -> None:
    assert told(text) == []


def test_escape_and_a_key_typed_fast_are_that_key() -> None:
    assert Keys({"x": "solve"}).feed("alt+x") == Typed("solve")
    assert Keys({"x": "solve", "alt+x": "command"}).feed("alt+x") == Typed("command")


def test_the_screen_shows_what_is_bound(tmp_path: Path) -> None:
    store, desk, who = make_desk(tmp_path)
    chosen = KeysConfig("emacs", everywhere={"x": "", "^x s": "solve", "u": ""}, list={"Z": "take; tag vpn"})

    async def body() -> None:
        async with shown(front(desk, who, keys=chosen)) as screen:
            assert "^x s solve" in screen.status
            await screen.press("ctrl+x")
            assert "^x  ^c quit" in screen.status
            assert "s solve" in screen.status
            await screen.press("s")
            assert screen.status.strip() == "solve · #1 · ^x u takes it back"
            assert store.ticket(1).status is Status.SOLVED
            await screen.press("ctrl+x", "u")
            assert store.ticket(1).status is not Status.SOLVED
            await screen.press("x")
            assert "x does nothing here; ? lists the keys" in screen.status
            await screen.press("Z")
            assert screen.app.queue.list.current is not None
            assert "vpn" in store.ticket(screen.app.queue.list.current).tags
            await screen.press("question_mark")
            await screen.type("solve")
            await screen.see("^x s  solve")
            await screen.press("escape", "alt+x")
            assert screen.app.prompting.active

    run(body())
