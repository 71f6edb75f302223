"""Saved views: lists with a name, `[views.NAME]`, shipped or a team's or an agent's own.

deskhand ls -v waiting            on the screen: J and K, or g and the view's key
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from desk.errors import Invalid, KeyProblem, NotFound
from desk.query import Env, parse, suggest
from desk.store import SORTS
from desk.tables import Checked, Entry, built, checked, once

if TYPE_CHECKING:
    from desk.config import DeskConfig

COLUMNS = (
    "due", "status", "priority", "number", "subject", "tags", "requester", "channel", "team", "who", "age", "updated",
)  # fmt: skip
"""What a list can show of a ticket; `who` is the assignee, `age` and `updated` count from the first and the last event."""

TAKEN = "gvhcn-/"
"""What `g` means something else with: `gg` the first line, `gv` a view by its name, `gh` health, `gc` the next chat,
`gn` notices, `g/` anywhere, `g-` the list before."""


class View(Struct, frozen=True):
    """`[views.NAME]`: a query, and how its list is shown."""

    title: str = ""
    query: str = "is:open"
    sort: str = ""
    columns: tuple[str, ...] = ()
    key: str = ""
    team: str = ""
    hide: bool = False

    def __post_init__(self) -> None:
        if self.sort and self.sort not in SORTS:
            raise KeyProblem("sort", f'there is no order "{self.sort}"{suggest(self.sort, SORTS)}')
        for column in self.columns:
            if column not in COLUMNS:
                raise KeyProblem("columns", f'there is no column "{column}"{suggest(column, COLUMNS)}')
        if self.key and (len(self.key) > 1 or not self.key.isprintable() or self.key in TAKEN):
            raise KeyProblem("key", f'"{self.key}" is no key for a view: one character, none of {" ".join(TAKEN)}')
        try:
            parse(self.query, Env(0))
        except Invalid as error:
            raise KeyProblem("query", str(error).partition("\n")[0]) from error

    def terms(self, more: str = "") -> str:
        """The view's query; with `more`, those of its tickets that `more` asks for."""
        return f"({self.query}) {more}" if more and self.query else more or self.query


SHIPPED: dict[str, dict[str, Any]] = {
    "mine": {"title": "Mine", "query": "is:open assignee:me", "key": "m"},
    "unassigned": {"title": "Unassigned", "query": "is:open is:unassigned", "key": "u"},
    "due-soon": {"title": "Due soon", "query": "is:open due:<2h", "key": "d"},
    "breached": {"title": "Breached", "query": "is:open is:overdue", "key": "b"},
    "waiting": {"title": "Waiting on us", "query": "is:open is:waiting", "sort": "waiting", "key": "w"},
    "snoozed": {"title": "Snoozed", "query": "is:snoozed", "key": "z"},
    "open": {"title": "All open", "query": "is:open", "key": "o"},
    "solved": {"title": "Recently solved", "query": "solved:7d", "sort": "updated", "key": "s"},
}
"""The views there always are; a table of the same name changes what it names, or hides the view."""


def _view(entry: Entry) -> View:
    whole = replace(entry, values={**SHIPPED.get(entry.name, {}), **entry.values})
    view = built(whole, View)
    return view if view.title else replace(view, title=entry.name)


@once
def load(config: DeskConfig) -> Checked[View]:
    """All views by name, the shipped ones first."""
    found = checked(config, "views", _view)
    whole = {name: View(**values) for name, values in SHIPPED.items()} | dict(found.items)
    return Checked({name: view for name, view in whole.items() if not view.hide}, found.errors)


def offered(config: DeskConfig, teams: Iterable[str]) -> dict[str, View]:
    """The views for an agent of these teams."""
    mine = {"", *teams}
    return {name: view for name, view in load(config).items.items() if view.team in mine}


def find(config: DeskConfig, name: str) -> View:
    """The view called `name`; NotFound names the nearest one."""
    views = load(config).items
    if name not in views:
        raise NotFound(f'there is no view "{name}"{suggest(name, tuple(views))}')
    return views[name]
