"""Themes: those shipped, those of one's own, and what is said about mistakes in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from themes import STYLES, ThemeError, Watched, load, names, sketch
from tui.draw import look


@pytest.mark.parametrize("name", names())
def test_shipped_themes_load_and_can_be_drawn(name: str) -> None:
    theme = load(name)
    assert theme.name == name
    assert set(look(theme)) == set(STYLES)


def test_mono_has_no_colour_at_all() -> None:
    assert all(style.color is None and style.bgcolor is None for style in look(load("mono")).values())


@pytest.mark.parametrize("name", ["dark", "light"])
def test_notes_have_a_ground_of_their_own(name: str) -> None:
    styles = look(load(name))
    assert styles["note"].bgcolor is not None
    assert styles["note"].bgcolor == styles["note_word"].bgcolor
    assert styles["text"].bgcolor is None


def test_no_color_chooses_mono() -> None:
    assert Watched("dark", color=False).theme.name == "mono"
    assert Watched("dark").theme.name == "dark"


def test_no_color_means_the_shipped_theme_whatever_the_user_calls_mono(tmp_path: Path) -> None:
    (tmp_path / "mono.toml").write_text('[styles]\ntext = "red"\n')
    assert Watched("mono", [tmp_path], color=False).theme.styles["text"] == "default"


def test_own_theme_extends_and_recolours(tmp_path: Path) -> None:
    (tmp_path / "sea.toml").write_text(
        'extends = "dark"\n[colors]\nred = "#123456"\ndeep = "#000080"\n[styles]\nnotice = "bold deep on white"\n'
    )
    theme = load("sea", [tmp_path])
    assert theme.styles["overdue"] == "bold #123456"
    assert theme.styles["notice"] == "bold #000080 on white"
    assert theme.styles["soon"] == load("dark").styles["soon"]
    assert "sea" in names([tmp_path])


def test_own_theme_may_replace_a_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "dark.toml").write_text('[styles]\ntext = "green"\n')
    assert load("dark", [tmp_path]).styles["text"] == "green"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('[styles]\noverdew = "red"', 'mine.toml, [styles] line 2: unknown key "overdew" (did you mean "overdue"?)'),
        (
            '[styles]\nsoon = "blod red"',
            'mine.toml, [styles] line 2: soon: "blod" is neither a colour nor an attribute (did you mean "bold"?)',
        ),
        ("[styles]\nsoon = 3", "mine.toml, [styles] line 2: soon must be text in quotes, not 3"),
        (
            '[styles]\nsoon = "red blue"',
            'mine.toml, [styles] line 2: soon: "red blue" reads as no style; write it like "bold red on #202020"',
        ),
        (
            '[styles]\nsoon = "red on"',
            'mine.toml, [styles] line 2: soon: "red on" reads as no style; write it like "bold red on #202020"',
        ),
        ('[colors]\nred = "#12"', 'mine.toml, [colors] line 2: red = "#12" is not a colour'),
        ('[colour]\nred = "#123456"', 'mine.toml, line 1: unknown key "colour" (did you mean "colors"?)'),
        ('extends = "drak"', 'mine.toml, line 1: there is no theme "drak" (did you mean "dark"?)'),
        ('extends = "mine"', "mine.toml, line 1: the themes extend each other in a circle (mine -> mine)"),
        ("dark = 1", "mine.toml, line 1: dark must be true or false"),
        ("[styles", "mine.toml: Expected"),
    ],
)
def test_mistakes_are_named_with_file_key_and_remedy(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(ThemeError) as caught:
        load("mine", [tmp_path])
    assert str(caught.value).startswith(sentence)


def test_a_name_cannot_leave_its_folder(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text("dark = true")
    with pytest.raises(ThemeError):
        load("../x", [tmp_path / "sub"])


def test_a_theme_is_read_again_when_a_file_of_it_is_another(tmp_path: Path) -> None:
    base, mine = tmp_path / "base.toml", tmp_path / "mine.toml"
    base.write_text('[styles]\nsoon = "red"\n')
    mine.write_text('extends = "base"\n')
    watched = Watched("mine", [tmp_path])
    assert watched.again() is None
    base.write_text('[styles]\nsoon = "magenta"\n')
    theme = watched.again()
    assert theme is not None
    assert theme.styles["soon"] == "magenta"
    assert watched.again() is None


def test_a_mistake_is_told_once_and_the_theme_stays(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text('extends = "dark"\n')
    watched = Watched("mine", [tmp_path])
    mine.write_text("[styles]\nsoon = 3\n")
    with pytest.raises(ThemeError):
        watched.again()
    assert watched.again() is None
    assert watched.theme.styles == load("dark").styles
    mine.write_text('extends = "light"\n')
    theme = watched.again()
    assert theme is not None
    assert not theme.dark


@pytest.mark.parametrize("name", names())
def test_a_sketch_loads_and_with_all_of_it_in_force_changes_nothing(name: str, tmp_path: Path) -> None:
    text = sketch("mine", name)
    (tmp_path / "mine.toml").write_text(text)
    assert load("mine", [tmp_path]).styles == load(name).styles
    (tmp_path / "mine.toml").write_text(text.replace("\n#", "\n").replace("\n ", "\n# "))
    assert look(load("mine", [tmp_path])) == look(load(name))
