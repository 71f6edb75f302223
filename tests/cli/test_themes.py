"""theme: listed, looked at without the screen, and begun."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest

import themes
from cli.themes import _SAMPLE, _drawn
from tests.cli.conftest import Deskhand

ROOT = Path(__file__).resolve().parent.parent.parent


def own(home: Path, name: str, text: str) -> Path:
    """A theme in the user's folder."""
    folder = home / "config" / "deskhand" / "themes"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.toml").write_text(text)
    return folder / f"{name}.toml"


def test_list_says_which_is_in_force_and_which_are_ones_own(deskhand: Deskhand, home: Path) -> None:
    own(home, "sea", 'about = "blue"\nextends = "dark"\n')
    (home / "config" / "deskhand" / "config.toml").write_text('[screen]\ntheme = "sea"\n')
    lines = deskhand("theme").out.splitlines()
    assert [line[2:].split()[0] for line in lines] == sorted([*themes.names(), "sea"])
    assert "* sea              own  blue" in lines
    sea = next(o for o in deskhand("theme", "list", "--json").objects if o["name"] == "sea")
    assert sea == {"name": "sea", "about": "blue", "dark": True, "own": True, "chosen": True}


def test_a_theme_with_a_mistake_is_named_beside_the_list(deskhand: Deskhand, home: Path) -> None:
    own(home, "sea", '[styles]\nsoone = "red"\n')
    ran = deskhand("theme", "list")
    assert "dark" in ran.out
    assert 'sea.toml, [styles] line 2: unknown key "soone" (did you mean "soon"?)' in ran.err
    ran = deskhand("theme", "preview", "sea")
    assert (ran.code, ran.out) == (6, "")
    assert "sea.toml, [styles] line 2" in ran.err


def test_preview_shows_queue_and_ticket(deskhand: Deskhand) -> None:
    ran = deskhand("theme", "preview", "light")
    assert ran.code == 0
    for text in ("-2h 05m !", "14m ~", "paused", "NOTE", "REPLY"):
        assert text in ran.out
    assert {style for line in _SAMPLE for _, style in line} | {"ground"} == set(themes.STYLES)
    assert deskhand("theme", "preview", "ligth").code == 3


def test_preview_says_when_the_screen_would_have_no_colours(
    deskhand: Deskhand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert "would use mono" in deskhand("theme", "preview", "light").err
    assert deskhand("theme", "preview").err == ""


def test_a_style_becomes_codes_on_the_ground_of_its_theme() -> None:
    assert _drawn("a", "soon", themes.load("terminal")) == click.style("a", fg="yellow")
    high = themes.load("high-contrast")
    assert _drawn("a", "text", high) == click.style("a", fg=(255, 255, 255), bg=(0, 0, 0))
    assert _drawn("a", "note_word", high) == click.style("a", fg=(0, 0, 0), bg=(255, 215, 95), bold=True)
    assert _drawn("a", "overdue", themes.load("mono")) == click.style("a", bold=True, reverse=True)


@pytest.mark.usefixtures("home")
def test_preview_loads_no_textual() -> None:
    code = "import sys; from cli.main import main\ntry: main(['theme', 'preview', 'dark'])\nexcept SystemExit: print('textual' in sys.modules or 'tui' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "False"


def test_new_begins_a_theme_and_overwrites_none(deskhand: Deskhand, home: Path) -> None:
    ran = deskhand("theme", "new", "sea", "--extends", "light")
    path = home / "config" / "deskhand" / "themes" / "sea.toml"
    assert f"wrote {path}" in ran.out
    assert '#overdue = "bold red"' in path.read_text()
    path.write_text('extends = "light"\n')
    assert deskhand("theme", "new", "sea").code == 5
    assert path.read_text() == 'extends = "light"\n'
    assert not themes.load("sea", [path.parent]).dark


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("x", "--extends", "dakr"), 3, 'did you mean "dark"?'),
        (("../x",), 2, "is no name for a theme"),
        (("dark", "--extends", "dark"), 2, "cannot extend itself"),
    ],
)
def test_new_names_what_is_wrong(deskhand: Deskhand, args: tuple[str, ...], code: int, words: str) -> None:
    ran = deskhand("theme", "new", *args)
    assert ran.code == code
    assert words in ran.err


def test_themes_lie_beside_a_configuration_that_was_named(deskhand: Deskhand, tmp_path: Path) -> None:
    config = tmp_path / "else" / "config.toml"
    config.parent.mkdir()
    config.write_text("")
    deskhand("--config", str(config), "theme", "new", "sea")
    assert (config.parent / "themes" / "sea.toml").exists()
