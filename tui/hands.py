"""Keys on their way to what they mean: one thing at a time, typed ahead or not."""

from __future__ import annotations

import shlex
from collections import deque
from collections.abc import Awaitable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from textual import events

from tui import keymap
from tui.bindings import bound
from tui.keymap import Keys
from tui.rights import may
from tui.sheets import Answer
from tui.verbs import VERBS
from tui.widgets.bars import Part, keys

if TYPE_CHECKING:
    from tui.app import DeskApp
    from tui.widgets.hints import Hints

_THINKING_S = 0.4
"""Whoever knows what follows has typed it by then."""

_HABITS = dict.fromkeys(("q", "q!", "qa", "qa!", "wq", "x", "exit", "quit!"), "quit")
"""What fingers type to leave; nothing is lost by it, a text under way stays as a draft."""

_LEAVING = ("escape", "^c")
_ACTING = {
    "prompt": (*_LEAVING, "enter", "tab", "shift+tab", "up", "down", "^k", "^n"),
    "writing": (*_LEAVING, "^s", "^e", "^t", "^k", "^q", "^o", "^x", "^y", "^g", "^p"),
}
"""Keys that end or change what is being typed. Others that are no text move in it or delete: they come back too."""


class Hands:
    """Takes the keys. While something is being done the next ones wait, so that each finds the screen it was meant for."""

    def __init__(self, app: DeskApp) -> None:
        self._app = app
        self.learn()
        self._answers: Mapping[str, Answer] = {}
        self._held: deque[events.Key] = deque()
        self._works = 0
        self._passing = False
        self._handing = False
        self._hints: Hints | None = None
        self._hinted = 0
        self.cancelled = False
        """Set by Escape while something is being done: a long run stops after the chunk at hand."""

    def learn(self) -> None:
        """Read which keys there are: the agent's, those of views and of macros."""
        app = self._app
        views = {f"g{view.key}": f"view {name}" for name, view in app.queue.views.items() if view.key}
        shelf, chosen = app.front.macros, app.front.keys
        # Views and macros get their keys where nothing else has them.
        macros = {key: f"macro {shlex.quote(name)}" for key, name in shelf.keys().items()} if shelf else {}
        self._readers = {
            "queue": Keys(bound("list", chosen, {**views, **macros})),
            "ticket": Keys(bound("ticket", chosen, macros)),
            "sheet": Keys(bound("sheet", chosen)),
        }

    @property
    def busy(self) -> bool:
        """Whether something is being done, or keys wait."""
        return self._works > 0 or self._passing or bool(self._held)

    @property
    def bindings(self) -> Mapping[str, str]:
        """The keys of the list or the ticket, with their lines."""
        return self._reader.bindings

    def key(self, line: str) -> str:
        """The key for a line here, as the screen prints it; the line itself where it has none."""
        return self._reader.key(line) or f":{line}"

    def hints(self) -> list[tuple[str, str]]:
        """The keys of the sheet that is shown, with their words."""
        sheet = self._app.sheet.sheet
        if sheet is None:
            return []
        return [
            *((key, word) for key, (word, _) in sheet.answers.items()),
            *((self.key(line), word) for line, word in sheet.hints),
        ]

    @property
    def _reader(self) -> Keys:
        return self._readers.get(self._app.place, self._readers["ticket"])

    # -- one key ------------------------------------------------------------------

    async def take(self, event: events.Key) -> None:
        """A key was pressed: act on it as soon as those before it are done."""
        if self._works and keymap.name(event) in _LEAVING:
            self._held.clear()
            self.cancelled = True
            return
        self._held.append(event)
        await self._hand_on()

    async def _hand_on(self) -> None:
        if self._handing:
            return
        self._handing = True
        try:
            while self._held and not self._works and not self._passing:
                await self._one(self._held.popleft())
        finally:
            self._handing = False

    async def _one(self, event: events.Key) -> None:
        typing = "prompt" if self._app.prompting.active else self._app.place
        if typing in _ACTING and not self._answers:
            # By way of the field, so that it comes after the text before it; what follows waits for it.
            name = keymap.name(event)
            self._passing = name in _ACTING[typing] or not (event.is_printable or name == "enter")
            await self._app.forward(event)
        else:
            await self._act(keymap.name(event))

    async def passed(self, event: events.Key) -> bool:
        """A key came back from the field it went through; True when it was no business of the field's."""
        taken = await self._act(keymap.name(event))
        if self._passing:
            self._passing = False
            self._app.call_next(self._hand_on)
        return taken

    async def _act(self, name: str) -> bool:
        self._app.edges.clear()
        taken = await self._meant(name)
        self._app.edges.refresh()
        return taken

    async def _meant(self, name: str) -> bool:
        app = self._app
        if self._answers:
            self._answer(name)
        elif app.prompting.active:
            return await app.prompting.key(name)
        elif app.place == "sheet" and app.sheet.sheet and name in app.sheet.sheet.answers:
            self.spawn(app.sheet.sheet.answers[name][1]())
        elif app.writing.stage:
            return app.writing.key(name)
        else:
            await self._command(self._reader, name)
        return True

    async def _command(self, reader: Keys, name: str) -> None:
        await self._keyed(reader, name)
        self._hinted += 1
        if self._hints is not None:
            self._hints.display = False
        if reader.pending and not reader.digits:
            turn = self._hinted
            self._app.set_timer(_THINKING_S, lambda: self._hint(turn))

    async def _hint(self, turn: int) -> None:
        """Whoever waits after the first key of several is shown what may follow."""
        reader = self._reader
        if turn != self._hinted or not reader.pending:
            return
        if self._hints is None:
            from tui.widgets.hints import Hints

            self._hints = Hints(self._app.look)
            await self._app.screen.mount(self._hints, before=0)
        agent = self._app.front.who.agent
        self._hints.offer([(key, self._meaning(line)) for key, line in sorted(reader.hints()) if may(agent, line)])

    def _meaning(self, line: str) -> str:
        verb, _, rest = line.partition(" ")
        if verb == "view" and rest in self._app.queue.views:
            return self._app.queue.views[rest].title
        return VERBS[verb].summary.rstrip(".") if verb in VERBS and not rest else line

    async def _keyed(self, reader: Keys, name: str) -> None:
        if name == "escape" and reader.waiting:
            reader.clear()
            return
        typed = reader.feed(name)
        if typed is not None:
            await self.run_line(typed.line, typed.count)
        elif not reader.waiting and len(name) == 1:
            self._app.say(f"{name} does nothing here; {self.key('help')} lists the keys", "quiet")

    def pending(self) -> Sequence[Part]:
        """What has been begun, and what may follow."""
        reader = self._readers.get(self._app.place)
        if self._app.prompting.active or reader is None or not reader.waiting:
            return ()
        begun = reader.digits + keymap.written(reader.pending)
        follow = reader.hints() or [
            (self.key("show"), "opens that ticket"),
            (self.key("bottom"), "goes to that line"),
            *self._numbered(reader.digits),
        ]
        return [(f"{begun}  ", "strong"), *keys(*follow)]

    def _numbered(self, digits: str) -> list[tuple[str, str]]:
        """The view whose place in the line of views was typed: that is another key."""
        views, key = list(self._app.queue.views.values()), self._readers["queue"].key(f"view {digits}")
        listed = self._app.place == "queue" and digits.isdecimal() and 0 < int(digits) <= len(views)
        return [(key, f"shows {views[int(digits) - 1].title}")] if listed and key else []

    # -- what it leads to -----------------------------------------------------------

    async def run_line(self, line: str, count: int | None = None) -> None:
        """Do a command line: of the screen, a ticket's number, or of the desk."""
        app = self._app
        line = _HABITS.get(line, line)
        word, _, rest = line.partition(" ")
        if word.lstrip("#").isdecimal() and not rest:
            word, rest = "show", word
        elif word == "open" and rest.lstrip("#").isdecimal():
            # A new ticket needs more than a number, so it is one there is that is meant.
            word = "show"
        if word in VERBS and VERBS[word].quick:
            await app.guarded(VERBS[word].run(app, count, rest))
        elif word in VERBS:
            self.spawn(VERBS[word].run(app, count, rest))
        elif line.endswith(" ") and not rest.strip():
            # With nothing behind it but a space, what it needs is still to be told.
            self.spawn(app.commands.complete(word))
        elif line.endswith(" "):
            app.prompting.command(line)
        else:
            self.spawn(app.commands.run(line))

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something that takes time; keys wait, the screen does not."""
        self._works += 1
        self.cancelled = False
        self._app.run_worker(self._turn(work))

    async def _turn(self, work: Awaitable[None]) -> None:
        try:
            await self._app.guarded(work)
        finally:
            self._works -= 1
            self._app.edges.refresh()
            self._app.call_next(self._hand_on)

    # -- questions --------------------------------------------------------------------

    def ask(self, question: str, answers: Mapping[str, Answer]) -> None:
        """Ask; any key but the answers' means no."""
        self._answers = answers
        self._app.edges.question = (question, (*((key, word) for key, (word, _) in answers.items()), ("esc", "no")))
        self._app.edges.refresh()

    def _answer(self, name: str) -> None:
        answers, self._answers, self._app.edges.question = self._answers, {}, None
        if name in answers:
            self.spawn(answers[name][1]())
