"""One ticket: what was said, and where the answer is written, reviewed and sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.containers import Vertical

from desk import lines
from desk.errors import Away
from desk.lines import Call
from desk.model import Customer, Message, Ticket
from desk.perform import Outcome
from desk.text import clean
from tui.clock import due_words
from tui.columns import channel, who
from tui.draw import Look, cut, flat
from tui.front import Front
from tui.outgoing import NOTE, News, call, heading, preview, review, send
from tui.runner import Runner
from tui.waiting import Asked, Text
from tui.widgets.bars import Line, Part, Rule
from tui.widgets.conversation import Conversation
from tui.widgets.lines import Lines

if TYPE_CHECKING:
    from tui.widgets.composer import Composer

AFTER = {"y": "send", "s": "send and solve", "p": "send and pending"}
_AFTERWARDS: dict[str, tuple[Call, ...]] = {"y": (), "s": (Call("solve"),), "p": (Call("status", {"to": "pending"}),)}


@dataclass(frozen=True, slots=True)
class View:
    """A ticket as read from the store."""

    ticket: Ticket
    customer: Customer
    thread: list[Message]

    @property
    def newest(self) -> int:
        """The id of the newest message."""
        return max((m.id for m in self.thread), default=0)


class TicketPane(Vertical):
    """A ticket, open. `stage` is "reading", "writing" or "reviewing"."""

    def __init__(self, front: Front, runner: Runner, look: Look) -> None:
        super().__init__(id="ticket")
        self.front, self.runner, self.look = front, runner, look
        self.view: View | None = None
        self.stage = "reading"
        self.kind = ""
        self.drafts: dict[tuple[int, str], str] = {}
        self.seen = 0
        self.conversation = Conversation(look, front.now, front.zone)
        self._composer: Composer | None = None
        self._heads = (Line(look, "head"), Line(look, "due"))
        self.review = Lines(look, "review")

    def compose(self) -> ComposeResult:
        """The head, and the conversation or the review below it."""
        yield from self._heads
        yield Rule(self.look)
        yield self.conversation
        yield self.review

    # -- reading ----------------------------------------------------------------

    def read(self, number: int) -> View:
        """Read a ticket; runs in a thread."""
        store = self.front.desk.store
        ticket = store.ticket(number)
        return View(ticket, store.customer(ticket.requester), store.thread(number))

    async def open(self, number: int) -> None:
        """Show the ticket `number`; NotFound."""
        view = await self.runner.read(lambda: self.read(number))
        self.stage, self.view = "reading", view
        self._arrange()
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
        self.keep()
        self.view, self.stage = None, "reading"
        self._arrange()

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
        left += [
            (f"   unsent {kind}: {'i' if kind == NOTE else 'r'} goes on", "notice")
            for n, kind in self.drafts
            if n == ticket.id
        ]
        # The clock keeps its words: who it is gets shorter first.
        room = self.size.width - 4 - sum(cell_len(text) for text, _ in left)
        self._heads[1].say(left, [(_person(customer, room), "quiet")])

    # -- writing ----------------------------------------------------------------

    async def write(self, kind: str) -> None:
        """Begin a reply or a note, or go on with the one kept; errors say why it cannot be."""
        assert self.view is not None
        number = self.view.ticket.id
        message = None
        # Without the store nobody knows whether it may be sent, but it may be written.
        with suppress(Away):
            message = await self.runner.write(lambda: preview(self.front, kind, number))
        composer = await self._written()
        self.kind, self.stage, self.seen = kind, "writing", self.view.newest
        text = self.drafts.pop((number, kind), "")
        self._arrange()
        composer.open(kind, heading(kind, message), text)
        self.tell()
        self.call_after_refresh(self.conversation.end)

    def restyle(self) -> None:
        """The look is another: what was told the editor of it is told again."""
        if self._composer:
            self._composer.colour(self.kind)

    async def _written(self) -> Composer:
        if self._composer is None:
            # Not before somebody writes: an editor widget is a large import.
            from tui.widgets.composer import Composer

            self._composer = Composer(self.look)
            await self.mount(self._composer)
        return self._composer

    @property
    def body(self) -> str:
        """What has been written so far."""
        return self._composer.text if self._composer and self.stage != "reading" else ""

    @body.setter
    def body(self, text: str) -> None:
        if self._composer:
            self._composer.text = text

    async def fill(self, text_of: Callable[[str], str]) -> None:
        """Put the text that stands for the word before the cursor in its place."""
        assert self._composer is not None
        area = self._composer.area
        row, column = area.cursor_location
        before = area.document.get_line(row)[:column]
        name = before.split(" ")[-1]
        text = await self.runner.read(lambda: text_of(name))
        area.replace(clean(text).expandtabs(4).rstrip("\n"), (row, column - len(name)), (row, column))

    def keep(self) -> bool:
        """Put the text away for later; False when there was none."""
        if self.stage == "reading" or self.view is None:
            return False
        text = self.body
        if text.strip():
            self.drafts[self.view.ticket.id, self.kind] = text
        self._leave()
        return bool(text.strip())

    def discard(self) -> None:
        """Forget the text here."""
        self._leave()

    def _leave(self) -> None:
        self.stage = "reading"
        self._arrange()
        self.tell()
        self.conversation.focus()

    def _arrange(self) -> None:
        self.conversation.display = self.stage != "reviewing"
        self.review.display = self.stage == "reviewing"
        if self._composer:
            self._composer.display = self.stage == "writing"

    # -- sending ----------------------------------------------------------------

    async def check(self) -> None:
        """Show what would go out, to whom; errors say why it cannot."""
        assert self.view is not None
        number, kind, body = self.view.ticket.id, self.kind, self.body
        message = await self.runner.write(lambda: preview(self.front, kind, number, body))
        self.stage = "reviewing"
        self._arrange()
        self.review.put(review(kind, message, self.size.width))
        self.review.go(0)
        self.review.focus()

    def focus_stage(self) -> None:
        """Let keys go to what is shown: the text, the review or the conversation."""
        if self.stage == "writing" and self._composer:
            self._composer.take_keys()
        else:
            (self.review if self.stage == "reviewing" else self.conversation).focus()

    def edit(self) -> None:
        """Back from the review to the text."""
        self.stage = "writing"
        self._arrange()
        self.focus_stage()

    def ask(self, key: str) -> Asked:
        """What was reviewed, to be sent, and what `key` says besides."""
        assert self.view is not None
        front, number, seen, kind, body = self.front, self.view.ticket.id, self.seen, self.kind, self.body
        calls, batch = [call(kind, body), *_AFTERWARDS[key]], front.new_batch()

        def work(ids: Sequence[int], versions: Mapping[int, int]) -> Outcome | News:
            return send(front, calls, number, seen, batch, versions.get(number))

        return Asked(batch, lines.title(calls), (number,), work, Text(number, kind, body))

    def give_back(self, text: Text) -> None:
        """Keep a text that was not sent after all; what is being written there now comes behind it."""
        key = (text.ticket, text.kind)
        if self.stage != "reading" and self.view and (self.view.ticket.id, self.kind) == key:
            self.body = "\n\n".join(filter(None, (text.body, self.body)))
            return
        self.drafts[key] = "\n\n".join(filter(None, (text.body, self.drafts.get(key))))
        self.tell()

    def accept(self, news: News) -> None:
        """What came meanwhile has been shown; sending may go on."""
        self.seen = max(self.seen, *(m.id for m in news.messages))


def _person(customer: Customer, room: int) -> str:
    """Who a customer is, in at most `room` columns: name, address and organisation, as many as fit."""
    name, address = flat(customer.name), flat(customer.address)
    known = f"{name} <{address}>" if customer.name != customer.address else address
    organisation = f" · {flat(customer.organisation)}" if customer.organisation else ""
    return next((text for text in (known + organisation, known) if cell_len(text) <= room), cut(name, max(room, 8)))
