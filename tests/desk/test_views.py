"""Saved views: the shipped ones, those of a file, and what is wrong with a table."""

from __future__ import annotations

import pytest

from desk import tables, views
from desk.config import DeskConfig, parse
from desk.errors import NotFound
from desk.query import Env
from desk.query import parse as query
from desk.store import SORTS
from tests.desks import Room

SHIPPED = ["mine", "unassigned", "due-soon", "breached", "waiting", "snoozed", "open", "solved"]


def test_the_shipped_views_are_always_there_and_in_order() -> None:
    found = views.load(DeskConfig())
    assert list(found.items) == SHIPPED
    assert found.errors == ()
    assert len({view.key for view in found.items.values()}) == len(SHIPPED)
    assert {view.sort for view in found.items.values()} <= {"", *SORTS}


def test_a_table_changes_what_it_names_of_a_shipped_view_and_may_hide_it() -> None:
    desk = parse('[views.mine]\nkey = "x"\n[views.snoozed]\nhide = true\n[views.late]\nquery = "is:overdue"\n').desk
    found = views.load(desk).items
    assert list(found) == [*(name for name in SHIPPED if name != "snoozed"), "late"]
    assert (found["mine"].key, found["mine"].query, found["mine"].title) == ("x", "is:open assignee:me", "Mine")
    assert found["late"].title == "late"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('query = "is:opne"', 'line 2: "is:opne" means nothing (did you mean "open"?)'),
        ('sort = "urgent"', 'line 2: there is no order "urgent" (did you mean "urgency"?)'),
        ('columns = ["due", "sujbect"]', 'line 2: there is no column "sujbect" (did you mean "subject"?)'),
        ('key = "gg"', 'line 2: "gg" is no key for a view: one character, none of g v h c n - /'),
        ('qery = "is:open"', 'line 2: unknown key "qery" (did you mean "query"?)'),
        ('columns = "due"', 'line 2: columns is a list: columns = ["..."]'),
    ],
)
def test_a_mistake_names_its_line_and_the_other_views_stay(line: str, said: str) -> None:
    desk = parse(f"[views.mine]\n{line}\n").desk
    found = views.load(desk)
    assert [str(error) for error in found.errors] == [f"config.toml, [views.mine] {said}"]
    assert list(found.items) == SHIPPED
    assert tables.problems(desk) == list(found.errors)


def test_a_view_of_a_team_is_offered_to_its_agents_and_found_by_anybody() -> None:
    desk = parse('[views.routers]\nquery = "tag:router"\nteam = "network"\n').desk
    assert "routers" in views.offered(desk, ("network", "billing"))
    assert "routers" not in views.offered(desk, ())
    assert views.find(desk, "routers").query == "tag:router"


def test_an_unknown_view_is_told_with_the_nearest() -> None:
    with pytest.raises(NotFound, match=r'there is no view "snozed" \(did you mean "snoozed"\?\)'):
        views.find(DeskConfig(), "snozed")


def test_more_terms_narrow_a_view_that_says_or() -> None:
    view = views.View(query="tag:a or tag:b")
    assert view.terms("is:open") == "(tag:a or tag:b) is:open"
    assert view.terms() == "tag:a or tag:b"
    assert views.View(query="").terms("is:open") == "is:open"


def test_each_shipped_view_shows_what_its_title_says(room: Room) -> None:
    room.do("take", 1)
    room.do("snooze 2d", 2)
    room.do("solve", 3)
    at = room.clock

    def shown(name: str, at: int = at) -> list[int]:
        view = views.find(DeskConfig(), name)
        return sorted(room.store.ids(query(view.terms(), Env(at, "kim")), sort=view.sort or "urgency"))

    assert {name: shown(name) for name in SHIPPED} == {
        "mine": [1],
        "unassigned": [4, 5],
        "due-soon": [],
        "breached": [],
        "waiting": [1, 4, 5],
        "snoozed": [2],
        "open": [1, 4, 5],
        "solved": [3],
    }
    due = room.store.ticket(1).due_at
    assert due is not None
    assert shown("due-soon", due - 1) == [1, 4, 5]
    assert shown("breached", due + 1) == [1]
