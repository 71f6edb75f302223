"""The list of the line mode: a query in an order that holds still, read a page at a time."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Collection

from cli.ids import env
from cli.wiring import Session
from desk import views
from desk.errors import Invalid
from desk.query import All, Is, Node, parse, suggest
from desk.store import SORTS, Row

BEGIN = "is:open"
"""What is shown first."""


class Queue:
    """The tickets that a query asks for, in the order they had when the list was read."""

    def __init__(self, here: Session) -> None:
        self._here = here
        self.query, self.title, self.sort = BEGIN, "", ""
        self.ids = array("q")
        self._known = array("q")
        self.arrived: set[int] = set()
        """Tickets that came into it since it was read."""
        self.place = 0
        """How many of them have been shown."""

    # -- choosing -----------------------------------------------------------------

    def filter(self, query: str) -> None:
        """Show what a query asks for; with none what was shown first."""
        query = query or BEGIN
        self._node(query)
        self._show(query, "", "")

    def view(self, name: str) -> None:
        """Show a saved view."""
        view = views.find(self._here.store().config, name)
        self._show(view.terms(), view.title, view.sort)

    def order(self, sort: str) -> None:
        """Put the list into an order."""
        if sort not in SORTS:
            raise Invalid(f'there is no order "{sort}"{suggest(sort, SORTS)}')
        self._show(self.query, self.title, sort)

    def _show(self, query: str, title: str, sort: str) -> None:
        before = self.query, self.title, self.sort
        self.query, self.title, self.sort = query, title, sort
        try:
            self.read()
        except BaseException:
            self.query, self.title, self.sort = before
            raise

    def offered(self) -> dict[str, views.View]:
        """The saved views for whoever asks."""
        return views.offered(self._here.store().config, env(self._here).teams)

    def count(self, view: views.View) -> int:
        """How many tickets are in a view."""
        return self._here.store().count(self._node(view.terms()))

    def _node(self, query: str | None = None) -> Node:
        return parse(self.query if query is None else query, env(self._here))

    # -- reading --------------------------------------------------------------------

    def read(self) -> None:
        """Read the list, and begin at its beginning."""
        store, node = self._here.store(), self._node()
        found = store.ids(node, sort=self.sort or store.natural_sort(node))
        self.ids, self._known = array("q", found), array("q", sorted(found))
        self.place = 0
        self.arrived.clear()

    def rows(self, most: int) -> list[Row]:
        """The next so many tickets; `shown` tells how many of them were shown."""
        ids = self.ids[self.place : self.place + most].tolist()
        return self._here.store().rows(ids, agent=env(self._here).me)

    def shown(self, count: int) -> None:
        """Go on behind so many."""
        self.place = min(len(self.ids), self.place + count)

    @property
    def left(self) -> int:
        """How many have not been shown."""
        return len(self.ids) - self.place

    def touched(self, ids: Collection[int]) -> bool:
        """Look whether tickets that changed belong to the list now; True when there are new ones."""
        unknown = [number for number in ids if not self._has(number)]
        matching = self._here.store().ids(All((self._node(), Is("id", tuple(unknown))))) if unknown else []
        before = set(self.arrived)
        self.arrived = (self.arrived - set(ids)) | set(matching)
        return bool(self.arrived - before)

    def _has(self, number: int) -> bool:
        place = bisect_left(self._known, number)
        return place < len(self._known) and self._known[place] == number

    def next(self, after: int | None) -> int | None:
        """The next ticket behind `after` that needs somebody: unread first, then what is due; None when there is none."""
        store, asking = self._here.store(), env(self._here)
        node = self._node()
        sort = self.sort or store.natural_sort(node)
        for more in ("is:unread", "due:2h"):
            found = store.ids(All((node, parse(more, asking))), sort=sort, limit=1_000)
            if found and after in found:
                found = found[found.index(after) + 1 :] + found[: found.index(after)]
            if found:
                return found[0]
        return None
