"""Macros on the screen: chosen from those that are offered here, shown before anything is sent, then done."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from desk import macros
from desk.completion import Choice
from desk.errors import DeskError, Invalid
from desk.events import Posted
from desk.macros import Input, Prepared
from desk.perform import Outcome
from tui.commands import told
from tui.draw import plural
from tui.waiting import Asked

if TYPE_CHECKING:
    from tui.app import DeskApp
    from tui.front import Macros as Shelf


class Macros:
    """Chooses and runs macros for the screen."""

    def __init__(self, app: DeskApp) -> None:
        self._app = app

    def _shelf(self) -> Shelf:
        if self._app.front.macros is None:
            raise Invalid("there are no macros here")
        return self._app.front.macros

    def _targets(self) -> list[int]:
        targets = self._app.commands.targets()
        if not targets:
            raise Invalid("there is no ticket here to run a macro on; / shows others")
        return targets

    async def choose(self) -> None:
        """Offer the macros for the ticket at hand."""
        shelf, targets = self._shelf(), self._targets()
        found = await self._app.runner.read(lambda: shelf.offered(targets[0]))
        if not found:
            raise Invalid(f"no macro is offered on #{targets[0]}; deskhand macro list shows all there are")
        self._app.prompting.choose(
            "macro", [Choice(f"macro {shlex.quote(name)}", name, title, key) for name, title, key in found]
        )

    async def run(self, rest: str) -> None:
        """Run `NAME key=value ...` on the targets; what is missing is asked for, what is sent is shown or asked about."""
        app, front, shelf, targets = self._app, self._app.front, self._shelf(), self._targets()
        name, given = macros.typed(rest)
        inputs = await app.runner.read(lambda: shelf.inputs(name))
        if (not given and any("\n" not in one.default for one in inputs)) or macros.missing(inputs, given):
            line, hint = _asking(name, inputs, given)
            app.prompting.command(line, hint)
            return

        if app.writing.stage == "writing":
            await app.writing.putting.macro(name, given)
            return

        def prepare() -> tuple[Prepared, str, Outcome]:
            ready, said = shelf.prepare(name, targets, given)
            would = macros.run(
                front.desk, ready, front.who, at=front.now(), batch_id=front.new_batch(), dry_run=True,
                read_file=front.read_file, progress=app.commands.progress,
            )  # fmt: skip
            return ready, said, would

        ready, said, would = await app.runner.write(prepare)
        title = f"the macro {name}"

        async def look() -> None:
            await app.commands.show_first(title, would, do)

        async def do() -> None:
            await self._do(name, ready, said)

        if len(targets) > 1:
            await look()
        elif would.queued:
            app.hands.ask(_question(name, would), {"y": ("do it", do), "v": ("look first", look)})
        else:
            await do()

    async def _do(self, name: str, ready: Prepared, said: str) -> None:
        app, front, batch = self._app, self._app.front, self._app.front.new_batch()

        def work(ids: Sequence[int], versions: Mapping[int, int]) -> Outcome:
            again = replace(ready, calls={n: ready.calls[n] for n in ids}, versions=versions) if versions else ready
            return macros.run(
                front.desk,
                again,
                front.who,
                at=front.now(),
                batch_id=batch,
                read_file=front.read_file,
                progress=app.commands.progress,
            )

        outcome = await app.waiting.do(Asked(batch, f"macro {name}", tuple(ready.calls), work))
        if not app.reading:
            app.queue.list.mark(())
        if not isinstance(outcome, Outcome):
            return
        app.say(
            " · ".join(filter(None, (told(outcome, app.hands.key("undo")), said))),
            "quiet" if outcome.skipped else "good",
        )
        await app.commands.settle(outcome)
        if outcome.done and app.reading:
            await self._then(self._shelf().then(name))

    async def _then(self, where: str) -> None:
        from tui.verbs import VERBS

        if where == "close":
            self._app.to_list()
        elif where == "next":
            try:
                await VERBS["next-ticket"].run(self._app, None, "")
            except DeskError:
                # It was the last one.
                self._app.to_list()


def _choices(one: Input) -> str:
    return f" ({', '.join(one.choices)})" if one.choices else ""


def _asking(name: str, inputs: Sequence[Input], given: Mapping[str, str]) -> tuple[str, str]:
    """The line that answers everything, what has no answer yet at its end; and what is asked there."""
    known = {one.name: given.get(one.name, one.default) for one in inputs}
    # A text of several lines cannot be typed here; its default holds.
    shown = [one for one in inputs if "\n" not in known[one.name]]
    shown.sort(key=lambda one: not known[one.name])
    open_ = [one for one in shown if one.required and not known[one.name]] or shown
    asks = [f"{one.label}{_choices(one)}" for one in open_]
    words = [f"{one.name}={shlex.quote(known[one.name]) if known[one.name] else ''}" for one in shown]
    return " ".join(["macro", shlex.quote(name), *words]), f"{', '.join(asks)}; what has spaces stands in quotes"


def _question(name: str, would: Outcome) -> str:
    to = [r for e in would.events if isinstance(e, Posted) for d in e.deliveries for r in d.recipients]
    some = ", ".join(to[:3]) + (f" and {len(to) - 3} more" if len(to) > 3 else "")
    left = f", {plural(len(would.skipped), 'ticket')} left alone" if would.skipped else ""
    return f"{name} on {plural(len(would.done), 'ticket')}{left}" + (f", a message to {some}" if to else "") + "?"
