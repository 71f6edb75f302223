"""The queue: a query, the tickets it asks for, and what is new since."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import tzinfo

from msgspec import Struct
from textual import events
from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.message import Message

from desk.errors import DeskError
from desk.model import DAY, Millis
from desk.query import EVERYTHING, All, Env, Is, Node, Not, parse
from desk.store import Page, Row
from desk.views import View, find, offered
from desk.when import brief
from tui.clock import wall
from tui.columns import heading
from tui.counting import Counting
from tui.draw import Look, plural
from tui.front import Front
from tui.order import Order
from tui.peek import Peek
from tui.runner import Runner
from tui.widgets.bars import Line, Part, Rule
from tui.widgets.queue import QueueList
from tui.widgets.tabs import Tabs

FIRST = 100
"""Tickets read before the first frame; the numbers of the rest follow."""

_AT_ONCE = 500


class Loaded(Struct, frozen=True):
    """The beginning of a list as of `at`, what to say when it is empty, and the newest number, which sets a column's width."""

    page: Page
    at: Millis = 0
    empty: tuple[str, ...] = ()
    newest: int = 0


class _Part(Container):
    """Holds the list and its titles, or these and the preview."""


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
        self.before: tuple[str, str, str] | None = None
        """The list before this one: its query, order and view."""
        self.columns: dict[str, tuple[str, ...]] = {}
        """Columns that were chosen for a view, by its name, while this screen is open."""
        self.arrived: set[int] = set()
        self.counting = Counting(self, self._tell_views)
        self.list = QueueList(look, front.now, front.me)
        self.peek = Peek(self, front.screen.preview)
        self.split = _Part(id="split")
        """The list, and the preview beside it or below."""
        self._as_of: Millis = 0
        self._tabs = Tabs(look)
        self._filter = Line(look, "filter")
        self._heading = Line(look, "heading", ground="heading")
        self._turn = 0

    def compose(self) -> ComposeResult:
        """The views, the filter, the titles, the list."""
        yield self._tabs
        yield self._filter
        yield Rule(self.look)
        with self.split, _Part(id="tickets"):
            yield self._heading
            yield self.list

    def on_resize(self, event: events.Resize) -> None:
        """The preview gets its share of the new size."""
        self.peek.arrange()

    # -- reading ----------------------------------------------------------------

    def env(self, at: Millis | None = None) -> Env:
        """What `me` and `today` mean in a query now (or `at`)."""
        agent = self.front.who.agent
        at = self.front.now() if at is None else at
        return Env(at, self.front.me, agent.teams if agent else (), self.front.zone)

    def node(self, text: str | None = None, at: Millis | None = None) -> Node:
        """The query as a tree; QueryError when it cannot be understood."""
        return parse(self.query_text if text is None else text, self.env(at))

    def first(self, text: str, sort: str = "urgency") -> Loaded:
        """Read the beginning of a list; runs in a thread."""
        store, at = self.front.desk.store, self.front.now()
        page = store.page(self.node(text, at), sort=sort, limit=FIRST, agent=self.front.me)
        newest = store.ids(EVERYTHING, sort="newest", limit=1)
        return Loaded(page, at, () if page.rows else self._nothing(text), newest[0] if newest else 0)

    def _nothing(self, text: str) -> tuple[str, ...]:
        store = self.front.desk.store
        if not text.strip() or not store.ids(parse("", self.env()), limit=1):
            return ("No tickets yet.", "They come in while the relay runs: deskhand relay.  C opens one by hand.")
        sleeping = self._sleeping()
        if text == self.front.query:
            return (f"Nothing to do here.{sleeping}", "Solved tickets: / is:solved")
        if any(view.query == text for view in self.views.values()):
            return (
                f"Nothing in this view.{sleeping}",
                f"J and K show the others; Escape goes back to {self.front.query}.",
            )
        return (
            "No ticket matches this filter.",
            f"Escape goes back to {self.front.query}; / changes it; -word excludes, or widens.{sleeping}",
        )

    def _sleeping(self) -> str:
        """How many tickets sleep, and when the next one wakes."""
        store, now = self.front.desk.store, self.front.now()
        asleep = store.ids(parse("is:snoozed", self.env(now)))
        if not asleep:
            return ""
        waking = [row.ticket.snoozed_until for row in store.rows(asleep[:_AT_ONCE])]
        times = [at for at in waking if at is not None]
        # Of very many the first of all would take too long to find.
        at = min(times) if times and len(asleep) <= _AT_ONCE else None
        next_ = "" if at is None else f", the next wakes {_when(at, now, self.front.zone)}"
        return f" {len(asleep):,} asleep{next_}: / is:snoozed shows them."

    @property
    def views(self) -> dict[str, View]:
        """The saved views for whoever sits here."""
        agent = self.front.who.agent
        return offered(self.front.desk.config, agent.teams if agent else ())

    @property
    def place(self) -> int | None:
        """Which of the views is shown; a query of one's own may be the same as a view's."""
        names = list(self.views)
        if self.view in names:
            return names.index(self.view)
        same = [
            place
            for place, view in enumerate(self.views.values())
            if (view.query, view.sort or "urgency") == (self.query_text, self.sort) and not view.columns
        ]
        return same[0] if same else None

    async def show(self, name: str) -> None:
        """Show a saved view; NotFound."""
        view = find(self.front.desk.config, name)
        await self.load(view.terms(), sort=view.sort or "urgency", view=name)

    async def back(self) -> bool:
        """Show the list before this one again; False when there was none."""
        if self.before is None:
            return False
        text, sort, view = self.before
        await self.load(text, sort=sort, view=view)
        return True

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
            self.counting.ask()
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
        if view != self.view:
            self.before = (self.query_text, self.sort, self.view)
        self.query_text, self.sort, self.view, self._as_of = text, sort, view, loaded.at
        self.list.chosen = self.chosen
        self.arrived.clear()
        rows = loaded.page.rows
        self.list.digits = max(4, len(str(loaded.newest)))
        self.list.fill(order or Order([row.ticket.id for row in rows]), rows, keep=keep, empty=loaded.empty)
        self.tell(more=loaded.page.next is not None and order is None)

    def choose(self, columns: Sequence[str] | None) -> None:
        """Show these columns in this view while the screen is open (None: its own again)."""
        if columns is None:
            self.columns.pop(self.view, None)
        else:
            self.columns[self.view] = tuple(columns)
        self.list.choose(self.chosen)

    async def renew(self) -> None:
        """The views may be others now."""
        self.columns.clear()
        view = self.views.get(self.view)
        if view is not None and (view.query, view.sort or "urgency") != (self.query_text, self.sort):
            await self.show(self.view)
        elif view is None:
            self.view = ""
        self.list.choose(self.chosen)
        self.tell()
        self.counting.ask()

    @property
    def chosen(self) -> tuple[str, ...]:
        """The columns of the view that is shown, if it names some, or somebody did."""
        configured = self.views[self.view].columns if self.view in self.views else ()
        return self.columns.get(self.view, configured)

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
        self.peek.touched(wanted)
        self.counting.ask()
        return True

    async def passed(self) -> None:
        """Time went on: that alone brings tickets and takes some away, as when one wakes or is due soon."""
        self.counting.ask()
        store, now = self.front.desk.store, self.front.now()
        before, after = self.node(at=self._as_of), self.node(at=now)
        if before == after:
            return

        def work() -> tuple[list[int], list[int]]:
            return store.ids(All((after, Not(before)))), store.ids(All((before, Not(after))))

        turn = self._turn
        entering, leaving = await self.runner.read(work)
        if turn == self._turn:
            self._as_of = now
            self.list.put((), gone=[i for i in leaving if i in self.list.order], back=entering)
            self.arrived |= {i for i in entering if i not in self.list.order}
            self.arrived -= set(leaving)
            self.tell()

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

    async def within(self, wanted: Node) -> list[int]:
        """The tickets of this list that `wanted` asks for."""
        node = self.node()
        return await self.runner.read(lambda: self.front.desk.store.ids(All((node, wanted))))

    def marking(self) -> int | None:
        """How many tickets are marked while moving marks them; None while it does not."""
        return None if self.list.pivot is None else len(self.list.marks)

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
        self._tell_views()

    def _tell_views(self) -> None:
        counts = self.counting.counts
        self._tabs.show([(view.title, counts.get(name)) for name, view in self.views.items()], self.place)

    async def on_tabs_chosen(self, event: Tabs.Chosen) -> None:
        """A tab was clicked."""
        self.run_worker(self.show(list(self.views)[event.place]))

    def on_queue_list_moved(self, event: QueueList.Moved) -> None:
        """Put the titles above the columns."""
        self._heading.say([(heading(event.columns)[1:], "heading")])

    def on_queue_list_changed(self, event: QueueList.Changed) -> None:
        """The cursor moved."""
        if self.list.pivot is not None:
            self.tell()
        self.peek.follow()

    async def on_queue_list_wanted(self, event: QueueList.Wanted) -> None:
        """Read what came into sight."""
        self.run_worker(self._fetch(event.ids), group="rows")

    async def _fetch(self, ids: Sequence[int]) -> None:
        try:
            await self.fetch(ids)
        except DeskError as error:
            self.post_message(self.Failed(error))


def _when(at: Millis, now: Millis, zone: tzinfo) -> str:
    return f"at {wall(at, zone)}" if at - now < DAY else f"in {brief(at - now)}"
