"""Columns chosen while the screen is open, and the configuration read again."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from cli.screen import _again
from cli.wiring import Session
from desk.config import KeysConfig, ScreenConfig, parse
from desk.errors import ConfigError
from desk.perform import Desk
from tests.desks import make_desk
from tests.tui.shown import Shown, front, run, shown
from tui.front import Fresh


async def line(screen: Shown, text: str) -> None:
    """Type a command line."""
    await screen.press(":")
    await screen.type(text)
    await screen.press("enter")


def heading(screen: Shown) -> list[str]:
    """The titles of the columns."""
    return next(line for line in screen.lines if "SUBJECT" in line or " NO" in line).split()


def test_columns_are_chosen_for_a_view_until_the_end(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who), (100, 24)) as screen:
            usual = heading(screen)
            await line(screen, "columns number, subject team")
            assert heading(screen) == ["NO", "SUBJECT", "TEAM"]
            await screen.press("g", "u")
            assert heading(screen) == usual
            await screen.press("g", "-")
            assert heading(screen) == ["NO", "SUBJECT", "TEAM"]
            await line(screen, "columns")
            assert "columns number subject team; there are also due status" in screen.status
            await line(screen, "columns numbr")
            assert 'there is no column "numbr" (did you mean "number"?)' in screen.status
            await line(screen, "columns usual")
            assert heading(screen) == usual

    run(body())


def test_what_was_read_again_holds_at_once(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)
    config = parse('[views.vpn]\ntitle = "Tunnels"\nquery = "subject:vpn"\nkey = "t"\n').desk
    wrong: list[ConfigError] = []

    def reload() -> Fresh:
        if wrong:
            raise wrong[0]
        return Fresh(replace(desk, config=config), KeysConfig(list={"Z": "take"}), ScreenConfig())

    async def body() -> None:
        async with shown(front(desk, who, reload=reload), (160, 30)) as screen:
            await screen.press("Z")
            assert "Z does nothing here" in screen.status
            await line(screen, "reload")
            await screen.see("9 Tunnels 1")
            await screen.press("g", "t")
            await screen.see("[9 Tunnels 1]", "1 ticket")
            await screen.press("Z")
            await screen.see("1 Mine 1")
            wrong.append(ConfigError('config.toml, [views.vpn] line 3: unknown key "titel"; all stays as it was'))
            await line(screen, "reload")
            assert "line 3: unknown key" in screen.status
            await screen.see("[9 Tunnels 1]")

    run(body())


def test_files_are_read_again_all_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, _, _ = make_desk(tmp_path)
    store.set_setting("secret", "00" * 32)
    store.close()
    file = tmp_path / "config.toml"
    file.write_text("")
    here = Session({"config": str(file), "store": f"sqlite:///{tmp_path}/desk.db"})
    before: Desk = here.desk()
    file.write_text('[keys.list]\nZ = "take"\n\n[views.late]\nquery = "is:overdue"\n')
    fresh = _again(here)
    assert fresh.keys.list == {"Z": "take"}
    assert "late" in fresh.desk.config.tables["views"]
    assert fresh.desk.store is before.store
    file.write_text('[views.late]\nquery = "is:overdue"\ntitel = "Late"\n[views.b]\nsort = "best"\n')
    with pytest.raises(ConfigError, match=r'line 3: unknown key "titel".*1 more.*all stays as it was'):
        _again(here)
    file.write_text('[keys.list]\nZ = "tkae"\n')
    with pytest.raises(ConfigError, match=r'line 2.*there is no command "tkae"'):
        _again(here)
    before.store.close()
