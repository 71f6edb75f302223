"""The prompts of the screen: what each asks, what it offers, and what becomes of the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from rich.cells import cell_len

from desk import completion
from desk.actions import load
from desk.completion import Choice, Known
from desk.errors import Invalid
from desk.query import QueryError
from tui.completion import Asking, search
from tui.keymap import shown
from tui.rights import may
from tui.verbs import VERBS

if TYPE_CHECKING:
    from tui.app import DeskApp
    from tui.widgets.prompt import Prompt


class Prompting:
    """Opens prompts and acts on what was typed into them."""

    def __init__(self, app: DeskApp) -> None:
        self._app = app
        self.prompt: Prompt | None = None
        self._before = ""

    @cached_property
    def known(self) -> Known:
        """What can be typed, as far as it is known; the first frame does not wait for all the actions there are."""
        agent = self._app.front.who.agent
        return Known(
            {name: action for name, action in load().items() if may(agent, name)},
            {verb.name: verb.summary for verb in VERBS.values() if not verb.quick and may(agent, verb.name)},
        )

    @property
    def active(self) -> bool:
        """Whether something is being typed."""
        return self.prompt is not None and bool(self.prompt.display)

    def learn(self, agents: Sequence[str], teams: Sequence[str], tags: Iterable[str]) -> None:
        """Offer these names as arguments."""
        self.known.agents, self.known.teams = agents, teams
        self.known.tags.update(tags)

    def _informed(self) -> Known:
        """What can be typed, with the accounts that there are by now."""
        self.known.accounts = {name: account.channel for name, account in self._app.edges.accounts.items()}
        return self.known

    async def recall(self) -> None:
        """Bring back what was typed before this screen was opened."""
        if (memory := self._app.front.memory) is not None:
            for kind, lines in (("command", self.known.history), ("filter", self.known.filters)):
                lines[:0] = await asyncio.to_thread(memory.recall, kind)

    def _remember(self, kind: str, history: list[str], line: str) -> None:
        if line in history:
            history.remove(line)
        history.append(line)
        if (memory := self._app.front.memory) is not None:
            self._app.run_worker(asyncio.to_thread(memory.remember, kind, line))

    # -- any prompt -----------------------------------------------------------------

    def ask(self, asking: Asking, text: str = "", hint: str | None = None) -> None:
        """Open a prompt that begins with `text`; `hint` is a sentence above it until something is typed."""

        async def open_() -> None:
            if self.prompt is None:
                # Not before somebody types: the first frame does without an input field.
                from tui.widgets.prompt import Prompt

                self.prompt = Prompt(self._app.look)
                # Before all others: whatever is behind in the order of the screen would be drawn again.
                await self._app.screen.mount(self.prompt, before=0)
            self.prompt.open(asking, text)
            self.prompt.complain(hint, "quiet")
            if asking.more is not None:
                self._app.run_worker(self._app.guarded(self._look_further(text)))

        self._app.hands.spawn(open_())

    async def key(self, name: str) -> bool:
        """Take a key for the open prompt; False when it is text. What it closes with is acted on before the next key."""
        prompt = self.prompt
        if prompt is None:
            return False
        taken = prompt.key(name)
        if not prompt.display:
            self._app.focus_pane()
            await self._app.guarded(prompt.asking.then(prompt.answer))
        return taken

    async def changed(self, text: str) -> None:
        """Follow what is being typed."""
        if self.prompt is None or self.prompt.field.value != text:
            # Typing went on; only the newest text is followed.
            return
        self.prompt.complain(None)
        await self.prompt.asking.typed(text)
        await self._look_further(text)

    async def _look_further(self, text: str) -> None:
        prompt = self.prompt
        if prompt is not None and (more := prompt.asking.more) is not None:
            found = await self._app.runner.read(lambda: more(text))
            if prompt.asking.more is more and prompt.field.value == text:
                prompt.offer(found)

    # -- command lines ----------------------------------------------------------------

    def command(self, text: str = "", hint: str | None = None) -> None:
        """Ask for a command line, beginning with `text`."""
        known = self._informed()
        self.ask(Asking(":", lambda line: completion.command(line, known), self._run, known.history), text, hint)

    async def _run(self, line: str | None) -> None:
        if line is not None and line.strip():
            self._remember("command", self.known.history, line.strip())
            await self._app.hands.run_line(line.strip())

    def choose(self, sign: str, choices: Sequence[Choice]) -> None:
        """Offer these lines and run the one chosen."""

        async def run(line: str | None) -> None:
            if line is not None:
                # A space at its end means that more is to be asked.
                await self._app.hands.run_line(line)

        self.ask(Asking(sign, lambda words: search(words, choices), run, picks=True))

    # -- lists to search in -------------------------------------------------------------

    def palette(self) -> None:
        """Offer every verb there is, by what it does."""
        hints, keys = self._hints(), self._keys()
        self.choose("run", [Choice(self._line(name), name, hints[name], keys.get(name, "")) for name in sorted(hints)])

    def help(self) -> None:
        """Offer every key and verb, what has a key here first."""
        hints, keys = self._hints(quick=True), self._keys()
        usages = {name: action.usage for name, action in self.known.actions.items() if action.arguments}
        choices = [
            Choice(self._line(line), line, hints.get(line.split(" ")[0], "what you made of this key"), key)
            for line, key in keys.items()
        ]
        choices += [
            Choice(self._line(name), name, f"{hints[name]}   {usages.get(name, '')}".rstrip())
            for name in sorted(hints)
            if name not in keys
        ]
        self.choose("help", choices)

    def _hints(self, *, quick: bool = False) -> dict[str, str]:
        """What each verb does, by its name; the `quick` ones too, which are keys only."""
        agent = self._app.front.who.agent
        screen = {v.name: v.summary for v in VERBS.values() if (quick or not v.quick) and may(agent, v.name)}
        return screen | {name: action.summary for name, action in self.known.actions.items()}

    def _line(self, line: str) -> str:
        """The line that runs a verb: one that needs something asks for it."""
        action = self.known.actions.get(line)
        return f"{line} " if action and any(a.required for a in action.arguments) else line

    def _keys(self) -> dict[str, str]:
        """The keys that mean something here, by the line they stand for, in the order of the tables."""
        found: dict[str, str] = {}
        for key, line in self._app.hands.bindings.items():
            line = line.strip()
            if not may(self._app.front.who.agent, line):
                continue
            found[line] = f"{found[line]} {shown(key)}" if line in found else shown(key)
        return found

    # -- the filter -----------------------------------------------------------------------

    def filter(self) -> None:
        """Ask for a query; the list follows what is typed."""
        self._before = self._app.queue.query_text
        text = f"{self._before} " if self._before else ""
        known = self._informed()
        self.ask(
            Asking(
                "/", lambda line: completion.query(line, known), self._filtered, known.filters, typed=self._filtering
            ),
            text,
        )

    async def _filtering(self, text: str) -> None:
        assert self.prompt is not None
        if completion.unfinished(text):
            # The name of a field is begun, and no word to look for: the list stays as it is.
            return
        try:
            self._app.queue.node(text.strip())
        except QueryError as error:
            # The place is pointed at where it was typed, so the line is not told again.
            lead = cell_len(f" {self.prompt.asking.sign} ") + cell_len(text[: error.at])
            self.prompt.complain(f"{str(error).partition(chr(10))[0]}\n{' ' * (lead - 1)}▾")
        else:
            await self._app.queue.load(text.strip())

    async def _filtered(self, text: str | None) -> None:
        self._app.hands.spawn(self._show(text))

    async def _show(self, text: str | None) -> None:
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
        self._remember("filter", self.known.filters, text)
        if queue.query_text != text:
            await queue.load(text)
