"""Keys while something is written or reviewed, and what they lead to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import SuspendNotSupported

from desk.errors import Invalid
from desk.perform import Outcome
from tui.commands import told
from tui.editor import edit
from tui.outgoing import NOTE, News, question
from tui.screens.ticket import AFTER

if TYPE_CHECKING:
    from tui.app import DeskApp

_SENT = {"y": "sent", "s": "sent and solved", "p": "sent and pending"}


class Writing:
    """Leads from the text over the review to what was sent."""

    def __init__(self, app: DeskApp) -> None:
        self._app = app

    def key(self, name: str) -> bool:
        """Take a key of the composer or the review; False when it belongs to the text."""
        if self._app.ticket.stage == "writing":
            return self._writing(name)
        self._reviewing(name)
        return True

    def _writing(self, name: str) -> bool:
        app = self._app
        match name:
            case "^s":
                app.hands.spawn(app.ticket.check())
            case "^e":
                self._edit()
            case "^t":
                self._fill()
            case "escape" | "^c":
                kind = app.ticket.kind
                if app.ticket.keep():
                    app.say(
                        f"the {kind} is kept on #{self._number}, unsent: {'i' if kind == NOTE else 'r'} goes on with it",
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
                app.ticket.edit()
            case "q":
                app.hands.ask(
                    "throw this text away?",
                    {"d": ("discard", self._discard), "k": ("keep for later", self._keep)},
                )
            case "j" | "down" | "k" | "up" | "space" | "^d" | "^u" | "pagedown" | "pageup":
                app.pane.half_page(-1 if name in ("k", "up", "^u", "pageup") else 1)
            case _:
                app.say(f"{name} does nothing here; y sends, e edits, q leaves", "quiet")

    @property
    def _number(self) -> int:
        view = self._app.ticket.view
        return view.ticket.id if view else 0

    async def _discard(self) -> None:
        self._app.ticket.discard()
        self._app.say("thrown away, nothing was sent", "quiet")

    async def _keep(self) -> None:
        self._app.ticket.keep()
        self._app.say(f"kept on #{self._number}, unsent", "quiet")

    def _edit(self) -> None:
        app = self._app
        try:
            # Nothing may be drawn while the editor has the terminal: the driver's thread would wait for ever.
            with app.suspend(), app.batch_update():
                text = edit(app.ticket.body, app.front.editor)
        except SuspendNotSupported:
            app.say("this terminal cannot be lent to an editor; write here")
        except Invalid as error:
            app.say(str(error))
        else:
            app.ticket.body = text

    def _fill(self) -> None:
        """Put a canned text in the place of its name, which was just typed."""
        app = self._app
        shelf = app.front.macros
        if shelf is None:
            return

        number = self._number
        app.hands.spawn(app.ticket.fill(lambda name: shelf.snippet(name, number)))

    async def _send(self, key: str) -> None:
        app, ticket = self._app, self._app.ticket
        asked = ticket.ask(key)
        result = await app.waiting.do(asked)
        if isinstance(result, News):
            await ticket.reload()
            self._ask(result, key)
            return
        ticket.discard()
        if result is None:
            return
        app.commands.sent = asked
        self._tell(result, key)
        await app.commands.settle(result)
        await ticket.see()

    def _ask(self, news: News, key: str) -> None:
        async def read() -> None:
            self._app.ticket.accept(news)
            self._app.ticket.edit()
            self._app.ticket.conversation.end()

        async def over() -> None:
            self._app.ticket.accept(news)
            await self._send(key)

        self._app.hands.ask(question(news), {"g": ("read it", read), "o": (f"{AFTER[key]} over it", over)})

    def _tell(self, outcome: Outcome, key: str) -> None:
        app = self._app
        if outcome.queued:
            app.edges.sending = (
                app.front.now() + app.front.desk.config.undo,
                _SENT[key],
            )
            app.edges.clear()
            app.edges.refresh()
        else:
            app.say(told(outcome, app.hands.key("undo")), "good")
