"""One ticket: its clocks, what was said, who the customer is, with room below for what is being written."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct
from rich.cells import cell_len
from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from desk import sla
from desk.model import Attachment, Customer, Delivery, Message, Millis, Presence, Ticket
from desk.when import coming
from tui.clock import clocks
from tui.columns import channel, who
from tui.draw import Look, cut, flat
from tui.front import Front
from tui.links import Item, Link, items
from tui.runner import Runner
from tui.thread import attached, happened
from tui.widgets import card
from tui.widgets.bars import Line, Part, Rule
from tui.widgets.card import Card, Known, Seen
from tui.widgets.conversation import Conversation
from tui.widgets.lines import Lines

_LOG = 10_000


class View(Struct, frozen=True):
    """A ticket as read from the store; `seen` is up to where the agent had read it before."""

    ticket: Ticket
    customer: Customer
    items: list[Item]
    promises: tuple[sla.Promise, ...] = ()
    trouble: dict[int, list[Delivery]] = {}
    seen: int = 0

    @property
    def thread(self) -> list[Message]:
        """Its messages in time order."""
        return [item.message for item in self.items]

    @property
    def newest(self) -> int:
        """The id of the newest message."""
        return max((item.message.id for item in self.items), default=0)

    def links(self) -> dict[str, Link]:
        """All links of the conversation, by letter."""
        return {link.letter: link for item in self.items for link in item.links}

    def files(self) -> dict[int, Attachment]:
        """All attachments of the conversation, by number."""
        return {
            number: attachment
            for item in self.items
            for number, attachment in enumerate(attached(item.message), item.first)
        }


class _Talk(Horizontal):
    """The conversation, or the review in its place, and the card."""


class TicketPane(Vertical):
    """A ticket, open. `unsent` tells which kinds of text are kept for a ticket, unsent; `below` is shown under the conversation."""

    def __init__(
        self, front: Front, runner: Runner, look: Look, unsent: Callable[[int], Sequence[str]], below: Lines
    ) -> None:
        super().__init__(id="ticket")
        self.front, self.runner, self.look = front, runner, look
        self.view: View | None = None
        self.known: Known | None = None
        self.around: Callable[[int], Sequence[Presence]] = lambda number: ()
        """Who else is at a ticket."""
        self.conversation = Conversation(look, front.now, front.zone)
        self.conversation.turned = self.place_card
        self.card = Card(look)
        self.wanted = True
        """Whether the card is to stand beside the conversation where there is room."""
        self._unsent, self._below = unsent, below
        self._heads = (Line(look, "head"), Line(look, "due"), Line(look, "person"))

    def compose(self) -> ComposeResult:
        """The heads, and the conversation, or the review in its place, with the card beside it."""
        yield from self._heads
        yield Rule(self.look)
        with _Talk(id="talk"):
            yield self.conversation
            yield self._below
            yield self.card

    def on_resize(self, event: events.Resize) -> None:
        """The card goes where there is room for it."""
        self.place_card()

    def place_card(self) -> None:
        """Show the card beside the conversation, or what matters of it in one line."""
        width = self.size.width or self.app.size.width
        self.card.display = self.wanted and width >= card.ROOM and bool(self.conversation.display)
        self._heads[2].display = width < card.ROOM or not self.wanted
        self.tell()

    # -- reading ----------------------------------------------------------------

    def read(self, number: int) -> View:
        """Read a ticket; runs in a thread."""
        store, me = self.front.desk.store, self.front.me
        ticket = store.ticket(number)
        customer = store.customer(ticket.requester)
        policy = sla.policy_of(ticket, store.config, lambda: customer) if ticket.visible else None
        trouble: dict[int, list[Delivery]] = {}
        for delivery in store.trouble(number):
            trouble.setdefault(delivery.message, []).append(delivery)
        seen = store.seen_to(me, number) if me else 0
        promises = sla.promises(ticket, policy)
        return View(ticket, customer, items(store.thread(number)), promises, trouble, seen)

    async def open(self, number: int) -> None:
        """Show the ticket `number`; NotFound."""
        view = await self.runner.read(lambda: self.read(number))
        self.view, self.known = view, None
        self.place_card()
        self.conversation.open(view.items, view.trouble, view.seen)
        self.conversation.focus()

    async def reload(self) -> None:
        """Read the ticket again, keeping the place."""
        if self.view is None:
            return
        number = self.view.ticket.id
        view = await self.runner.read(lambda: self.read(number))
        if self.view is not None and self.view.ticket.id == number:
            self.view = view
            self.tell()
            self.conversation.show(view.items, view.trouble)
            await self.learn()
            if self.conversation.happened is not None:
                await self.tell_events(True)

    async def learn(self) -> None:
        """Read what is known around the ticket, which the first frame does not wait for."""
        if (view := self.view) is None:
            return
        known = await self.runner.read(lambda: card.known(self.front.desk.store, view.ticket, view.thread))
        if self.view is not None and self.view.ticket.id == view.ticket.id:
            self.known = known
            self.tell()

    async def tell_events(self, wanted: bool) -> None:
        """Show what happened between messages, or no longer."""
        view = self.view
        if view is None or not wanted:
            self.conversation.tell_events(None)
            return
        store, now, zone = self.front.desk.store, self.front.now(), self.front.zone
        number = view.ticket.id

        def read() -> list[tuple[Millis, str, str]]:
            return happened(store.log(ticket=number, limit=_LOG, newest=True), lambda at: coming(at, now, zone))

        found = await self.runner.read(read)
        if self.view is not None and self.view.ticket.id == number:
            self.conversation.tell_events(found)

    async def see(self) -> None:
        """Note that the agent has seen it all."""
        view, me = self.view, self.front.me
        if view and me and view.items:
            await self.runner.write(lambda: self.front.desk.store.seen(me, view.ticket.id, view.newest))

    def close(self) -> None:
        """Show no ticket."""
        self.view = None

    # -- telling ----------------------------------------------------------------

    @property
    def facts(self) -> Seen | None:
        """All that a card shows of the ticket now."""
        if (view := self.view) is None:
            return None
        front = self.front
        around = self.around(view.ticket.id)
        return Seen(view.ticket, view.customer, self.known, around, front.me, front.now(), front.zone)

    def tell(self) -> None:
        """Say what ticket this is, what its clocks show, and who is there."""
        if (view := self.view) is None or (seen := self.facts) is None:
            return
        width = self.size.width or self.app.size.width
        ticket = view.ticket
        facts = [
            str(ticket.status),
            str(ticket.priority),
            who(ticket, self.front.me),
            flat(ticket.team or ""),
            channel(ticket.channel),
        ]
        subject = flat(ticket.subject) or "(no subject)"
        self._heads[0].say(
            [(f"{ticket.id}  ", "quiet"), (subject, "strong")],
            [(" · ".join(f for f in facts if f and f != "-"), "text")],
        )
        kept: list[Part] = [(told, "notice") for told in self._unsent(ticket.id)]
        if ticket.merged_into:
            kept.insert(0, (f"merged into #{ticket.merged_into}", "notice"))
        room = width - 3 - sum(cell_len(text) + 3 for text, _ in kept)
        self._heads[1].say(_apart([*clocks(ticket, view.promises, self.front.now(), room), *kept]))
        self._heads[2].say(*_person(seen, width - 3))
        if self.card.display:
            self.card.tell(seen)


def _apart(phrases: Sequence[Part]) -> list[Part]:
    parts: list[Part] = []
    for text, style in phrases:
        if parts:
            parts.append(("   ", "text"))
        parts.append((text, style))
    return parts


def _person(seen: Seen, room: int) -> tuple[list[Part], list[Part]]:
    """The card in a line of `room` columns: as many facts as fit on the left, who else is there on the right."""
    there: list[Part] = []
    for name, what in card.others(seen)[:2]:
        there += [("   ", "text"), (f"{name} {what}", "notice")]
    room -= sum(cell_len(text) for text, _ in there)
    first, *facts = card.one_line(seen)
    text = cut(first, room)
    for fact in facts:
        if cell_len(text) + 3 + cell_len(fact) <= room:
            text += f" · {fact}"
    return [(text, "quiet")], there[1:]
