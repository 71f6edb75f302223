"""What is being written on the open ticket: from the text over the review to what was sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from textual.app import SuspendNotSupported

from desk import lines
from desk.errors import Away, Invalid
from desk.lines import Call
from desk.model import Draft
from desk.outgoing import NOTE, News, call
from desk.perform import Outcome
from desk.text import clean
from tui.commands import told
from tui.editor import edit
from tui.outgoing import heading, preview, question, review, send
from tui.waiting import Asked, Text
from tui.widgets.lines import Lines

if TYPE_CHECKING:
    from tui.app import DeskApp
    from tui.widgets.composer import Composer

_AFTER = {"y": "send", "s": "send and solve", "p": "send and pending"}
_AFTERWARDS: dict[str, tuple[Call, ...]] = {"y": (), "s": (Call("solve"),), "p": (Call("status", {"to": "pending"}),)}
_SENT = {"y": "sent", "s": "sent and solved", "p": "sent and pending"}


class Writing:
    """The text under way on the open ticket. `stage` is "" (none), "writing" or "reviewing"; `kind` what it is to become.

    It lies below the conversation, in the ticket's pane: the composer, and in its turn the review.
    """

    def __init__(self, app: DeskApp) -> None:
        self._app = app
        self.stage = ""
        self.kind = ""
        self.seen = 0
        """The newest message that the writer has seen."""
        self.drafts: dict[tuple[int, str], str] = {}
        self.review = Lines(app.look, "review")
        self._composer: Composer | None = None

    # -- keys -------------------------------------------------------------------

    def key(self, name: str) -> bool:
        """Take a key of the composer or the review; False when it belongs to the text."""
        if self.stage == "writing":
            return self._writing(name)
        self._reviewing(name)
        return True

    def _writing(self, name: str) -> bool:
        app = self._app
        match name:
            case "^s":
                app.hands.spawn(self.check())
            case "^e":
                self._edit()
            case "^t":
                self._fill()
            case "escape" | "^c":
                if self.keep():
                    app.say(
                        f"the {self.kind} is kept on #{self._number}, unsent: {goes_on(self.kind)} goes on with it",
                        "quiet",
                    )
            case _:
                return False
        return True

    def _reviewing(self, name: str) -> None:
        app = self._app
        match name:
            case "y" | "s" | "p":
                app.hands.spawn(self._send(name))
            case "e" | "escape" | "h" | "^c":
                self._back()
            case "q":
                app.hands.ask(
                    "throw this text away?",
                    {"d": ("discard", self._discard), "k": ("keep for later", self._keep)},
                )
            case "j" | "down" | "k" | "up" | "space" | "^d" | "^u" | "pagedown" | "pageup":
                app.pane.half_page(-1 if name in ("k", "up", "^u", "pageup") else 1)
            case _:
                app.say(f"{name} does nothing here; y sends, e edits, q leaves", "quiet")

    # -- the text ---------------------------------------------------------------

    @property
    def _number(self) -> int:
        view = self._app.ticket.view
        return view.ticket.id if view else 0

    @property
    def body(self) -> str:
        """What has been written so far."""
        return self._composer.text if self._composer and self.stage else ""

    @body.setter
    def body(self, text: str) -> None:
        if self._composer:
            self._composer.text = text

    def unsent(self, number: int) -> list[str]:
        """What is begun on a ticket and not sent, as sentences."""
        return [f"unsent {kind}: {goes_on(kind)} goes on" for kept, kind in self.drafts if kept == number]

    async def begin(self, kind: str) -> None:
        """Begin a reply or a note, or go on with the one kept; errors say why it cannot be."""
        app, number = self._app, self._number
        assert app.ticket.view is not None
        message = None
        # Without the store nobody knows whether it may be sent, but it may be written.
        with suppress(Away):
            message = await app.runner.write(lambda: preview(app.front, kind, number))
        composer = await self._written()
        self.kind, self.stage, self.seen = kind, "writing", app.ticket.view.newest
        text = self.drafts.pop((number, kind), "")
        self._arrange()
        composer.open(kind, heading(kind, message), text)
        app.ticket.tell()
        app.call_after_refresh(app.ticket.conversation.end)

    async def _written(self) -> Composer:
        if self._composer is None:
            # Not before somebody writes: an editor widget is a large import.
            from tui.widgets.composer import Composer

            self._composer = Composer(self._app.look)
            await self._app.ticket.mount(self._composer)
        return self._composer

    def keep(self) -> bool:
        """Put the text away for later; False when there was none."""
        if not self.stage:
            return False
        text = self.body
        if text.strip():
            self.drafts[self._number, self.kind] = text
        self._end()
        return bool(text.strip())

    def _end(self) -> None:
        self.stage = ""
        self._arrange()
        self._app.ticket.tell()
        self._app.ticket.conversation.focus()

    def give_back(self, text: Text) -> None:
        """Keep a text that was not sent after all; what is being written there now comes behind it."""
        key = (text.ticket, text.kind)
        if self.stage and (self._number, self.kind) == key:
            self.body = "\n\n".join(filter(None, (text.body, self.body)))
            return
        self.drafts[key] = "\n\n".join(filter(None, (text.body, self.drafts.get(key))))
        self._app.ticket.tell()

    def _edit(self) -> None:
        app = self._app
        try:
            # Nothing may be drawn while the editor has the terminal: the driver's thread would wait for ever.
            with app.suspend(), app.batch_update():
                text = edit(self.body, app.front.editor)
        except SuspendNotSupported:
            app.say("this terminal cannot be lent to an editor; write here")
        except Invalid as error:
            app.say(str(error))
        else:
            self.body = text

    def _fill(self) -> None:
        """Put a canned text in the place of its name, which was just typed."""
        if (shelf := self._app.front.macros) is not None:
            number = self._number
            self._app.hands.spawn(self._filled(lambda name: shelf.snippet(name, number)))

    async def _filled(self, text_of: Callable[[str], str]) -> None:
        assert self._composer is not None
        area = self._composer.area
        row, column = area.cursor_location
        before = area.document.get_line(row)[:column]
        name = before.split(" ")[-1]
        text = await self._app.runner.read(lambda: text_of(name))
        area.replace(clean(text).expandtabs(4).rstrip("\n"), (row, column - len(name)), (row, column))

    # -- what is shown ------------------------------------------------------------

    def _arrange(self) -> None:
        self._app.ticket.conversation.display = self.stage != "reviewing"
        self.review.display = self.stage == "reviewing"
        if self._composer:
            self._composer.display = self.stage == "writing"

    def focus(self) -> None:
        """Let keys go to what is shown: the text or the review."""
        if self.stage == "writing" and self._composer:
            self._composer.take_keys()
        else:
            self.review.focus()

    def restyle(self) -> None:
        """The look is another: what was told the editor of it is told again."""
        if self._composer:
            self._composer.colour(self.kind)

    # -- sending ------------------------------------------------------------------

    async def check(self) -> None:
        """Show what would go out, to whom; errors say why it cannot."""
        app, number, kind, body = self._app, self._number, self.kind, self.body
        message = await app.runner.write(lambda: preview(app.front, kind, number, body))
        self.stage = "reviewing"
        self._arrange()
        self.review.put(review(kind, message, app.ticket.size.width))
        self.review.go(0)
        self.review.focus()

    def _back(self) -> None:
        """From the review to the text again."""
        self.stage = "writing"
        self._arrange()
        self.focus()

    def _asked(self, key: str) -> Asked:
        """What was reviewed, to be sent, and what `key` says besides."""
        front, number, seen, kind, body = self._app.front, self._number, self.seen, self.kind, self.body
        calls, batch = [call(Draft(number, "", kind, 0, body, {})), *_AFTERWARDS[key]], front.new_batch()

        def work(ids: Sequence[int], versions: Mapping[int, int]) -> Outcome | News:
            return send(front, calls, number, seen, batch, versions.get(number))

        return Asked(batch, lines.title(calls), (number,), work, Text(number, kind, body))

    async def _send(self, key: str) -> None:
        app = self._app
        asked = self._asked(key)
        result = await app.waiting.do(asked)
        if isinstance(result, News):
            await app.ticket.reload()
            self._ask(result, key)
            return
        self._end()
        if result is None:
            return
        app.commands.sent = asked
        self._tell(result, key)
        await app.commands.settle(result)
        await app.ticket.see()

    def _ask(self, news: News, key: str) -> None:
        async def read() -> None:
            self._accept(news)
            self._back()
            self._app.ticket.conversation.end()

        async def over() -> None:
            self._accept(news)
            await self._send(key)

        self._app.hands.ask(question(news), {"g": ("read it", read), "o": (f"{_AFTER[key]} over it", over)})

    def _accept(self, news: News) -> None:
        """What came meanwhile has been shown; sending may go on."""
        self.seen = max(self.seen, *(m.id for m in news.messages))

    def _tell(self, outcome: Outcome, key: str) -> None:
        app = self._app
        if outcome.queued:
            app.edges.sending = (app.front.now() + app.front.desk.config.undo, _SENT[key])
            app.edges.clear()
            app.edges.refresh()
        else:
            app.say(told(outcome, app.hands.key("undo")), "good")

    async def _discard(self) -> None:
        self._end()
        self._app.say("thrown away, nothing was sent", "quiet")

    async def _keep(self) -> None:
        self.keep()
        self._app.say(f"kept on #{self._number}, unsent", "quiet")


def goes_on(kind: str) -> str:
    """The key that goes on with a text of this kind."""
    return "i" if kind == NOTE else "r"
