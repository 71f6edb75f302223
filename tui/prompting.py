"""The prompts of the screen: what each asks, what it offers, and what becomes of the answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from desk import completion
from desk.actions import load
from desk.completion import Choice, Known
from desk.errors import Invalid
from tui.completion import Asking, search
from tui.keymap import shown
from tui.verbs import VERBS

if TYPE_CHECKING:
    from tui.app import DeskApp
    from tui.widgets.prompt import Prompt

_REMEMBERED = 100


class Prompting:
    """Opens prompts and acts on what was typed into them."""

    def __init__(self, app: DeskApp) -> None:
        self._app = app
        self.prompt: Prompt | None = None
        self.known = Known(load(), {v.name: v.summary for v in VERBS.values() if not v.quick})
        self._before = ""

    @property
    def active(self) -> bool:
        """Whether something is being typed."""
        return self.prompt is not None and bool(self.prompt.display)

    def learn(self, agents: Sequence[str], teams: Sequence[str], tags: Iterable[str]) -> None:
        """Offer these names as arguments."""
        self.known.agents, self.known.teams = agents, teams
        self.known.tags.update(tags)

    # -- asking -------------------------------------------------------------------

    def command(self, text: str = "", hint: str | None = None) -> None:
        """Ask for a command line, beginning with `text`."""
        self._open(
            Asking("command", ":", lambda line: completion.command(line, self.known), self.known.history), text, hint
        )

    def filter(self) -> None:
        """Ask for a query; the list follows what is typed."""
        self._before = self._app.queue.query_text
        text = f"{self._before} " if self._before else ""
        self._open(Asking("filter", "/", lambda line: completion.query(line, self.known), self.known.filters), text)

    def palette(self) -> None:
        """Offer every verb there is."""
        names = {**self.known.verbs, **{name: action.summary for name, action in self.known.actions.items()}}
        keys = self._keys()
        choices = [Choice(name, name, hint, keys.get(name, "")) for name, hint in sorted(names.items())]
        self._open(Asking("palette", "run", lambda words: search(words, choices), picks=True))

    def choose(self, sign: str, choices: Sequence[Choice]) -> None:
        """Offer these lines and run the one chosen."""
        self._open(Asking("palette", sign, lambda words: search(words, choices), picks=True))

    def help(self) -> None:
        """Offer every key and verb, those with keys first."""
        keys = self._keys()
        hints = {v.name: v.summary for v in VERBS.values()} | {
            name: action.summary for name, action in self.known.actions.items()
        }
        usages = {name: action.usage for name, action in self.known.actions.items() if action.arguments}
        order = sorted(hints, key=lambda name: (name not in keys, list(keys).index(name) if name in keys else 0, name))
        choices = [
            Choice(name, name, f"{hints[name]}   {usages.get(name, '')}".rstrip(), keys.get(name, "")) for name in order
        ]
        self._open(Asking("help", "help", lambda words: search(words, choices), picks=True))

    def _keys(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for key, line in self._app.hands.bindings.items():
            verb = line.strip()
            found[verb] = f"{found[verb]} {shown(key)}" if verb in found else shown(key)
        return found

    def _open(self, asking: Asking, text: str = "", hint: str | None = None) -> None:
        async def open_() -> None:
            if self.prompt is None:
                # Not before somebody types: the first frame does without an input field.
                from tui.widgets.prompt import Prompt

                self.prompt = Prompt(self._app.look)
                # Before all others: whatever is behind in the order of the screen would be drawn again.
                await self._app.screen.mount(self.prompt, before=0)
            self.prompt.open(asking, text)
            self.prompt.complain(hint, "notice")

        self._app.hands.spawn(open_())

    async def key(self, name: str) -> bool:
        """Take a key for the open prompt; False when it is text. What it closes with is acted on before the next key."""
        prompt = self.prompt
        if prompt is None:
            return False
        taken = prompt.key(name)
        if not prompt.display:
            await self._app.guarded(self.left(prompt.asking.kind, prompt.answer))
        return taken

    # -- answers ------------------------------------------------------------------

    async def changed(self, kind: str, text: str) -> None:
        """Follow what is being typed."""
        if self.prompt is None or self.prompt.field.value != text:
            # Typing went on; the list follows the newest text only.
            return
        if kind != "filter":
            self.prompt.complain(None)
            return
        try:
            self._app.queue.node(text.strip())
        except Invalid as error:
            self.prompt.complain(str(error))
            return
        self.prompt.complain(None)
        await self._app.queue.load(text.strip())

    async def left(self, kind: str, text: str | None) -> None:
        """Act on a line, or on its absence."""
        self._app.focus_pane()
        if kind == "filter":
            self._app.hands.spawn(self._filtered(text))
        elif text is not None and text.strip():
            if kind == "command":
                _remember(self.known.history, text.strip())
            await self._app.hands.run_line(text.strip())

    async def _filtered(self, text: str | None) -> None:
        queue = self._app.queue
        if text is None:
            if queue.query_text != self._before:
                await queue.load(self._before)
            return
        text = text.strip()
        try:
            queue.node(text)
        except Invalid:
            await queue.load(self._before)
            raise
        _remember(self.known.filters, text)
        if queue.query_text != text:
            await queue.load(text)


def _remember(history: list[str], line: str) -> None:
    if line in history:
        history.remove(line)
    history.append(line)
    del history[:-_REMEMBERED]
