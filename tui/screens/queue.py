"""The queue: a query, the tickets it asks for, and what is new since."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message

from desk.errors import DeskError
from desk.query import EVERYTHING, All, Env, Is, Node, parse
from desk.store import Page, Row
from desk.views import View, find, offered
from tui.columns import heading
from tui.draw import Look, plural
from tui.front import Front
from tui.order import Order
from tui.runner import Runner
from tui.widgets.bars import Line, Part, Rule
from tui.widgets.queue import QueueList

FIRST = 100
"""Tickets read before the first frame; the numbers of the rest follow."""

_AT_ONCE = 500


class Loaded(Struct, frozen=True):
    """The beginning of a list, what to say when it is empty, and the newest number, which sets the width of a column."""

    page: Page
    empty: tuple[str, ...] = ()
    newest: int = 0


class QueuePane(Vertical):
    """The list with its filter above it."""

    class Failed(Message):
        """A list could not be read."""

        def __init__(self, error: DeskError) -> None:
            super().__init__()
            self.error = error

    def __init__(self, front: Front, runner: Runner, look: Look) -> None:
        super().__init__(id="queue")
        self.front, self.runner, self.look = front, runner, look
        self.query_text = front.query
        self.sort = "urgency"
        self.view = ""
        """The saved view that is shown; "" when it is a query of one's own."""
        self.arrived: set[int] = set()
        self.list = QueueList(look, front.now, front.me)
        self._filter = Line(look, "filter")
        self._heading = Line(look, "heading", ground="heading")
        self._turn = 0

    def compose(self) -> ComposeResult:
        """The filter, the titles, the list."""
        yield self._filter
        yield Rule(self.look)
        yield self._heading
        yield self.list

    # -- reading ----------------------------------------------------------------

    def env(self) -> Env:
        """What `me` and `today` mean in a query now."""
        agent = self.front.who.agent
        return Env(self.front.now(), self.front.me, agent.teams if agent else (), self.front.zone)

    def node(self, text: str | None = None) -> Node:
        """The query as a tree; QueryError when it cannot be understood."""
        return parse(self.query_text if text is None else text, self.env())

    def first(self, text: str, sort: str = "urgency") -> Loaded:
        """Read the beginning of a list; runs in a thread."""
        store = self.front.desk.store
        page = store.page(self.node(text), sort=sort, limit=FIRST, agent=self.front.me)
        newest = store.ids(EVERYTHING, sort="newest", limit=1)
        return Loaded(page, () if page.rows else self._nothing(text), newest[0] if newest else 0)

    def _nothing(self, text: str) -> tuple[str, ...]:
        store = self.front.desk.store
        asleep = store.count(parse("is:snoozed", self.env()))
        sleeping = f" {asleep:,} asleep: / is:snoozed shows them." if asleep else ""
        if text == self.front.query:
            if not store.ids(parse("", self.env()), limit=1):
                return ("No tickets yet.", "They come in while the relay runs: deskhand relay.  C opens one by hand.")
            return (f"Nothing to do here.{sleeping}", "Solved tickets: / is:solved")
        return (
            "No ticket matches this filter.",
            f"Escape goes back to {self.front.query}; / changes it; -word excludes, or widens.{sleeping}",
        )

    @property
    def views(self) -> dict[str, View]:
        """The saved views for whoever sits here."""
        agent = self.front.who.agent
        return offered(self.front.desk.config, agent.teams if agent else ())

    @property
    def title(self) -> str:
        """What the view that is shown is called; "" when it is a query of one's own."""
        return find(self.front.desk.config, self.view).title if self.view else ""

    async def show(self, name: str) -> None:
        """Show a saved view; NotFound."""
        view = find(self.front.desk.config, name)
        await self.load(view.terms(), sort=view.sort or "urgency", view=name)

    async def load(
        self, text: str | None = None, *, sort: str | None = None, keep: int | None = None, view: str = ""
    ) -> None:
        """Show the list of a query (default: the one shown, afresh)."""
        self._turn += 1
        turn = self._turn
        view = self.view if text is None else view
        text, sort = self.query_text if text is None else text, sort or self.sort
        try:
            node = self.node(text)
            loaded = await self.runner.read(lambda: self.first(text, sort))
            shown = [row.ticket.id for row in loaded.page.rows]
            more = loaded.page.next is not None
            if turn == self._turn and (not more or keep is None or keep in shown):
                self.begin(text, loaded, sort=sort, keep=keep, view=view)
            if more:
                order = await self.runner.read(lambda: self.whole(node, sort, shown))
                if turn == self._turn and self.query_text == text and self.list.ids[: len(shown)].tolist() == shown:
                    self.complete(order)
                elif turn == self._turn:
                    # The ticket under the cursor is further down: the list moves only once it is known where.
                    self.begin(text, loaded, sort=sort, keep=keep, order=order, view=view)
        except DeskError as error:
            self.post_message(self.Failed(error))

    def whole(self, node: Node, sort: str, begin: Sequence[int]) -> Order:
        """Read the numbers of all that a query asks for, behind those that are shown; runs in a thread."""
        return Order(self.front.desk.store.ids(node, sort=sort), begin=begin)

    def begin(
        self, text: str, loaded: Loaded, *, sort: str = "urgency", keep: int | None = None, order: Order | None = None,
        view: str = "",
    ) -> None:  # fmt: skip
        """Show the beginning of a list."""
        self.query_text, self.sort, self.view = text, sort, view
        self.list.chosen = find(self.front.desk.config, view).columns if view else ()
        self.arrived.clear()
        rows = loaded.page.rows
        self.list.digits = max(4, len(str(loaded.newest)))
        self.list.fill(order or Order([row.ticket.id for row in rows]), rows, keep=keep, empty=loaded.empty)
        self.tell(more=loaded.page.next is not None and order is None)

    def complete(self, order: Order) -> None:
        """Put the numbers of all the others behind the beginning, so that the scrollbar and `G` tell the truth."""
        self.list.extend(order)
        self.tell()

    async def fetch(self, ids: Sequence[int]) -> None:
        """Read rows that came into sight."""
        rows = await self.runner.read(lambda: self.front.desk.store.rows(ids, agent=self.front.me))
        self.list.put(rows)

    # -- what happened ----------------------------------------------------------

    async def touched(self, ids: Iterable[int], *, own: bool) -> bool:
        """Read tickets again that changed, if that can be. Others' changes never move a line; one's own take effect at once."""
        wanted = list(ids)
        try:
            rows, matching = await self.runner.read(lambda: self._reread(wanted))
        except DeskError:
            # The list is read anew when the store is back.
            return False
        listed = {i for i in wanted if i in self.list.order}
        entering, leaving = matching - listed, listed - matching
        self.list.put(rows, gone=() if own else leaving, back=listed & matching)
        if own:
            self.arrived -= set(wanted)
            if leaving:
                self.list.drop(leaving)
            if entering or not self.list.ids:
                await self.load(keep=self.list.current)
        else:
            self.arrived = (self.arrived - set(wanted)) | entering
        self.tell()
        return True

    def _reread(self, ids: list[int]) -> tuple[list[Row], set[int]]:
        store, node = self.front.desk.store, self.node()
        matching: set[int] = set()
        for start in range(0, len(ids), _AT_ONCE):
            matching.update(store.ids(All((node, Is("id", tuple(ids[start : start + _AT_ONCE]))))))
        rows = store.rows([i for i in ids if i in self.list.rows], agent=self.front.me)
        return rows, matching

    # -- finding ----------------------------------------------------------------

    async def attention(self) -> int | None:
        """The next ticket that needs somebody: unread first, then what is due; None when there is none."""
        store, env = self.front.desk.store, self.env()

        def work() -> tuple[list[int], list[int]]:
            unread = store.ids(All((self.node(), parse("is:unread", env))), limit=1_000)
            return unread, [] if unread else store.ids(All((self.node(), parse("due:2h", env))), limit=1_000)

        unread, due = await self.runner.read(work)
        places = sorted(p for i in unread or due if (p := self.list.order.place(i)) is not None)
        after = [p for p in places if p > self.list.cursor]
        return (after or places)[0] if places else None

    # -- telling ----------------------------------------------------------------

    def tell(self, *, more: bool = False) -> None:
        """Say what the list shows and what is new."""
        count = len(self.list.ids)
        left: list[Part] = [("/ ", "quiet"), (self.query_text or "everything", "text")]
        if self.sort != "urgency":
            left.append((f"  by {self.sort}", "quiet"))
        right: list[Part] = [(f"{count:,}+ tickets" if more else plural(count, "ticket"), "quiet")]
        if self.list.marks:
            right.insert(0, (f"{len(self.list.marks):,} marked   ", "mark"))
        if self.arrived:
            right += [("   ", "quiet"), (f"{len(self.arrived):,} new", "strong"), ("  ^l to show", "quiet")]
        self._filter.say(left, right)

    def on_queue_list_moved(self, event: QueueList.Moved) -> None:
        """Put the titles above the columns."""
        self._heading.say([(heading(event.columns)[1:], "heading")])

    async def on_queue_list_wanted(self, event: QueueList.Wanted) -> None:
        """Read what came into sight."""
        self.run_worker(self._fetch(event.ids), group="rows")

    async def _fetch(self, ids: Sequence[int]) -> None:
        try:
            await self.fetch(ids)
        except DeskError as error:
            self.post_message(self.Failed(error))
