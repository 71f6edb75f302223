"""One ticket: what was said, with room below it for what is being written."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct
from rich.cells import cell_len
from textual.app import ComposeResult
from textual.containers import Vertical

from desk.model import Customer, Message, Ticket
from tui.clock import due_words
from tui.columns import channel, who
from tui.draw import Look, cut, flat
from tui.front import Front
from tui.runner import Runner
from tui.widgets.bars import Line, Part, Rule
from tui.widgets.conversation import Conversation
from tui.widgets.lines import Lines


class View(Struct, frozen=True):
    """A ticket as read from the store."""

    ticket: Ticket
    customer: Customer
    thread: list[Message]

    @property
    def newest(self) -> int:
        """The id of the newest message."""
        return max((m.id for m in self.thread), default=0)


class TicketPane(Vertical):
    """A ticket, open. `unsent` says what is begun on a ticket and not sent; `below` is shown under the conversation."""

    def __init__(
        self, front: Front, runner: Runner, look: Look, unsent: Callable[[int], Sequence[str]], below: Lines
    ) -> None:
        super().__init__(id="ticket")
        self.front, self.runner, self.look = front, runner, look
        self.view: View | None = None
        self.conversation = Conversation(look, front.now, front.zone)
        self._unsent, self._below = unsent, below
        self._heads = (Line(look, "head"), Line(look, "due"))

    def compose(self) -> ComposeResult:
        """The head, and the conversation or the review below it."""
        yield from self._heads
        yield Rule(self.look)
        yield self.conversation
        yield self._below

    # -- reading ----------------------------------------------------------------

    def read(self, number: int) -> View:
        """Read a ticket; runs in a thread."""
        store = self.front.desk.store
        ticket = store.ticket(number)
        return View(ticket, store.customer(ticket.requester), store.thread(number))

    async def open(self, number: int) -> None:
        """Show the ticket `number`; NotFound."""
        view = await self.runner.read(lambda: self.read(number))
        self.view = view
        self.tell()
        self.conversation.show(view.thread, fresh=True)
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
            self.conversation.show(view.thread, fresh=False)

    async def see(self) -> None:
        """Note that the agent has seen it all."""
        view, me = self.view, self.front.me
        if view and me and view.thread:
            await self.runner.write(lambda: self.front.desk.store.seen(me, view.ticket.id, view.newest))

    def close(self) -> None:
        """Show no ticket."""
        self.view = None

    def tell(self) -> None:
        """Say what ticket this is and what its clock shows."""
        if self.view is None:
            return
        ticket, customer = self.view.ticket, self.view.customer
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
        words, style = due_words(ticket, self.front.now())
        left: list[Part] = [(words, style)]
        if ticket.merged_into:
            left = [(f"merged into #{ticket.merged_into}", "notice")]
        if ticket.tags:
            left.append((f"   {flat(' '.join(ticket.tags))}", "quiet"))
        left += [(f"   {told}", "notice") for told in self._unsent(ticket.id)]
        # The clock keeps its words: who it is gets shorter first.
        room = self.size.width - 4 - sum(cell_len(text) for text, _ in left)
        self._heads[1].say(left, [(_person(customer, room), "quiet")])


def _person(customer: Customer, room: int) -> str:
    """Who a customer is, in at most `room` columns: name, address and organisation, as many as fit."""
    name, address = flat(customer.name), flat(customer.address)
    known = f"{name} <{address}>" if customer.name != customer.address else address
    organisation = f" · {flat(customer.organisation)}" if customer.organisation else ""
    return next((text for text in (known + organisation, known) if cell_len(text) <= room), cut(name, max(room, 8)))
