"""Themes: those shipped, those of one's own, and what is said about mistakes in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from themes import STYLES, ThemeError, choose, load, names
from tui.draw import look


@pytest.mark.parametrize("name", ["dark", "light", "mono"])
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
    assert choose("dark", (), {"NO_COLOR": "1"}).name == "mono"
    assert choose("dark", (), {"NO_COLOR": ""}).name == "dark"


def test_own_theme_extends_and_recolours(tmp_path: Path) -> None:
    (tmp_path / "sea.toml").write_text(
        'extends = "dark"\n[colors]\nred = "#123456"\ndeep = "#000080"\n[styles]\nnotice = "bold deep on white"\n'
    )
    theme = load("sea", [tmp_path])
    assert theme.overdue == "bold #123456"
    assert theme.notice == "bold #000080 on white"
    assert theme.soon == load("dark").soon
    assert "sea" in names([tmp_path])


def test_own_theme_may_replace_a_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "dark.toml").write_text('[styles]\ntext = "green"\n')
    assert load("dark", [tmp_path]).text == "green"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('[styles]\noverdew = "red"', 'mine.toml, [styles]: unknown key "overdew" (did you mean "overdue"?)'),
        (
            '[styles]\nsoon = "blod red"',
            'mine.toml, [styles] soon: "blod" is neither a colour nor an attribute (did you mean "bold"?)',
        ),
        ("[styles]\nsoon = 3", "mine.toml, [styles] soon: must be text in quotes, not 3"),
        (
            '[styles]\nsoon = "red blue"',
            'mine.toml, [styles] soon: "red blue" reads as no style; write it like "bold red on #202020"',
        ),
        (
            '[styles]\nsoon = "red on"',
            'mine.toml, [styles] soon: "red on" reads as no style; write it like "bold red on #202020"',
        ),
        ('[colors]\nred = "#12"', 'mine.toml, [colors] red: "#12" is not a colour'),
        ('[colour]\nred = "#123456"', 'mine.toml: unknown key "colour" (did you mean "colors"?)'),
        ('extends = "drak"', 'there is no theme "drak" (did you mean "dark"?)'),
        ('extends = "mine"', "mine.toml, extends: the themes extend each other in a circle (mine -> mine)"),
        ("dark = 1", "mine.toml, dark: must be true or false"),
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
