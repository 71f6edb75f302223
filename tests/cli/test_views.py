"""ls --view and the verb view."""

from __future__ import annotations

from pathlib import Path

import pytest

from desk.views import COLUMNS
from tests.cli.conftest import Deskhand
from tests.desks import Room


@pytest.fixture
def own(home: Path) -> Path:
    """The user's configuration, with two views."""
    path = home / "config" / "deskhand" / "config.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(
        '[views.vpn]\ntitle = "VPN"\nquery = "tag:vpn or tag:router"\nsort = "newest"\n'
        'columns = ["number", "tags", "subject"]\nkey = "p"\n[views.routers]\nquery = "tag:router"\nteam = "network"\n'
    )
    return path


def test_ls_shows_a_view_in_its_order_and_columns(deskhand: Deskhand, room: Room, own: Path) -> None:
    room.do("tag vpn", 1)
    room.do("tag router", 2)
    assert [row["id"] for row in deskhand("ls", "-v", "vpn", "--json").objects] == [2, 1]
    assert [row["id"] for row in deskhand("ls", "--view", "vpn", "tag:vpn", "--json").objects] == [1]
    assert deskhand("ls", "-v", "vpn", "--sort", "oldest", "--plain").out.splitlines() == [
        "1\tvpn\tVPN drops every 20 minutes",
        "2\trouter\tCannot log in after the reset",
    ]
    assert deskhand("ls", "-v", "vpn", "--count").out == "2\n"


def test_ls_says_when_a_view_is_empty_or_unknown(deskhand: Deskhand, room: Room) -> None:
    assert deskhand("ls", "-v", "mine").err == "nothing in Mine\n"
    ran = deskhand("ls", "-v", "breeched")
    assert (ran.code, ran.err) == (3, 'deskhand: there is no view "breeched" (did you mean "breached"?)\n')


def test_every_column_can_be_shown(deskhand: Deskhand, room: Room, own: Path) -> None:
    room.do("take; tag vpn", 1)
    own.write_text(f"[views.all]\ncolumns = {list(COLUMNS)}\n")
    (line, *_) = deskhand("ls", "-v", "all", "id:1", "--plain").out.splitlines()
    assert len(line.split("\t")) == len(COLUMNS)
    assert "VPN" in deskhand("ls", "-v", "all", "id:1").out


def test_view_list_counts_and_leaves_out_what_is_for_others(deskhand: Deskhand, room: Room, own: Path) -> None:
    room.do("take; tag vpn", 1)
    found = {row["name"]: row for row in deskhand("view", "list", "--counts", "--json").objects}
    assert "routers" not in found
    assert (found["mine"]["count"], found["vpn"]["count"], found["open"]["count"]) == (1, 1, 5)
    assert "count" not in deskhand("view", "list", "--json").objects[0]
    assert "Waiting on us" in deskhand("view").out
    assert "gn" in deskhand("view", "list", "--counts").out


def test_view_show_tells_all_of_a_view(deskhand: Deskhand, room: Room, own: Path) -> None:
    assert deskhand("view", "show", "vpn", "--json").object == {
        "name": "vpn",
        "title": "VPN",
        "query": "tag:vpn or tag:router",
        "sort": "newest",
        "columns": ["number", "tags", "subject"],
        "key": "p",
        "team": None,
    }
    assert "tag:router" in deskhand("view", "show", "routers").out


def test_a_view_with_a_mistake_is_told_by_config_check_and_the_others_hold(
    deskhand: Deskhand, room: Room, own: Path
) -> None:
    own.write_text('[views.late]\nquery = "is:open"\nsort = "soon"\n')
    ran = deskhand("config", "check")
    assert ran.code == 6
    assert 'line 3: there is no order "soon"' in ran.err
    assert deskhand("ls", "-v", "open").code == 0
