"""The team's tables: from files to what was published, with every mistake at its line."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from desk import tables
from desk.config import Config, load, parse, publishable, published
from desk.errors import ConfigError, KeyProblem


@dataclass(frozen=True)
class Thing:
    """A table of these tests."""

    size: int = 1

    def __post_init__(self) -> None:
        if self.size > 9:
            raise KeyProblem("size", "size is over 9")


def written(folder: Path, **files: str) -> Config:
    for name, text in files.items():
        path = folder / ("config.toml" if name == "config" else f"team/{name}.toml")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return load(folder / "config.toml")


def test_tables_keep_their_order_and_the_files_of_the_folder_team_follow_by_name(tmp_path: Path) -> None:
    config = written(
        tmp_path,
        config='[desk]\nname = "Acme"\n[rules.z]\n[rules.a]\n',
        second="[rules.y]\n[views.late]\n",
        first="[rules.x]\n",
    )
    assert list(config.desk.tables["rules"]) == ["z", "a", "x", "y"]
    assert list(config.desk.tables["views"]) == ["late"]
    assert config.desk.name == "Acme"


def test_a_name_that_stands_twice_is_refused_with_both_places(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"team/b\.toml, .*line 2: \[rules\.x\] stands in .*team/a\.toml already"):
        written(tmp_path, config="", a="[rules.x]\n", b="\n[rules.x]\n")


def test_a_file_of_the_team_holds_tables_only(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r'team/a\.toml, line 1: unknown table "rule" \(did you mean "rules"\?\)'):
        written(tmp_path, config="", a="[rule.x]\n")


def test_a_table_without_names_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"line 1: rules are tables with names: \[rules\.NAME\]"):
        parse("[rules]\nsize = 1\n")


def test_a_mistake_leaves_out_its_own_table_and_names_its_line() -> None:
    desk = parse("[rules.good]\nsize = 2\n[rules.large]\nsize = 10\n[rules.odd]\nsise = 1\n").desk
    found = tables.checked(desk, "rules", lambda entry: tables.built(entry, Thing))
    assert found.items == {"good": Thing(2)}
    assert [str(error) for error in found.errors] == [
        "config.toml, [rules.large] line 4: size is over 9",
        'config.toml, [rules.odd] line 6: unknown key "sise" (did you mean "size"?)',
    ]


def test_what_was_published_comes_back_the_same() -> None:
    desk = parse("[desk]\nundo_s = 3\n[calendars.office]\nclosed = [2026-12-24]\n[rules.b]\n[rules.a]\n").desk
    again = published(json.loads(json.dumps(publishable(desk))), 7)
    assert publishable(again) == publishable(desk)
    assert again.version == 7
    assert list(again.tables["rules"]) == ["b", "a"]
    assert again.tables["calendars"]["office"].values == {"closed": ["2026-12-24"]}


def test_own_views_and_macros_win_over_the_teams_and_own_rules_do_not_count() -> None:
    team = parse('[views.late]\nquery = "a"\n[rules.x]\n').desk.tables
    own = parse('[views.late]\nquery = "b"\n[macros.m]\n[rules.y]\n').desk.tables
    whole = tables.cover(team, own)
    assert whole["views"]["late"].values == {"query": "b"}
    assert whole["views"]["late"].personal
    assert list(whole["macros"]) == ["m"]
    assert list(whole["rules"]) == ["x"]
