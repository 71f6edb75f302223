"""Recording a macro on the screen: what one does between two keys becomes its lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from desk import recording
from desk.errors import Conflict, DeskError, Invalid
from desk.macros import Input
from tui.completion import Asking
from tui.draw import cut, flat, pad
from tui.sheets import Entry, Page, Sheet
from tui.sheets.kit import groups, heading

if TYPE_CHECKING:
    from desk.lines import Call
    from tui.app import DeskApp
    from tui.front import Macros


class Recorder:
    """Notes where recording began, and turns what was done since into a macro."""

    def __init__(self, app: DeskApp) -> None:
        self._app = app
        self._begun: tuple[int, frozenset[str]] | None = None
        self._calls: Sequence[Call] = ()
        self._left: Sequence[str] = ()
        self._values: list[Input] = []
        """Everything that may differ the next time, in the order of the lines."""
        self._asked: set[int] = set()
        """Which of them are asked for; the others are written down as they were."""
        app.edges.recording = lambda: self._begun is not None

    @property
    def _shelf(self) -> Macros:
        if self._app.front.macros is None:
            raise Invalid("no macros are kept from this screen; deskhand macro record NAME writes one")
        return self._app.front.macros

    async def turn(self) -> None:
        """Begin; or end, and show what was written down."""
        app, me, store = self._app, self._app.front.me, self._app.front.desk.store
        assert self._shelf
        if me is None:
            raise Invalid("nobody this desk knows could have done anything to record")
        if self._begun is None:
            self._begun = (await app.runner.read(store.last_seq), frozenset(app.own))
            app.say(f"what you do from here on is written down; {app.hands.key('record')} ends that", "quiet")
            return
        after, before = self._begun
        own = app.own - before
        done = await app.runner.read(lambda: recording.meanwhile(store, me, after, own))
        self._begun = None
        self._note(done)
        await app.open_sheet(self._sheet())

    def _note(self, done: Sequence[recording.Done]) -> None:
        calls: list[Call] = []
        left: list[str] = []
        for one in done:
            try:
                calls += recording.calls(one)
            except DeskError as error:
                left.append(f"{flat(one.line)[:60]}: {error}")
        if not calls:
            raise Invalid("nothing was done that a macro could do again" + (f"; {left[0]}" if left else ""))
        self._calls, self._left, self._values = calls, left, []

        def value(one: Input) -> bool:
            self._values.append(one)
            return False

        recording.table(calls, "", value)
        # A whole text is seldom another the next time.
        self._asked = {place for place, one in enumerate(self._values) if one.name != "text"}

    def _table(self, title: str = "") -> dict[str, Any]:
        places = iter(range(len(self._values)))
        return recording.table(self._calls, title, lambda one: next(places) in self._asked)

    # -- looking at it ------------------------------------------------------------

    def _sheet(self) -> Sheet:
        def read(width: int) -> Page:
            do = [
                Entry(((f"  {cut(flat(line), width - 2)}", "text"),), key=f"line {place}")
                for place, line in enumerate(self._table()["do"])
            ]
            values = [
                Entry(
                    (
                        (
                            pad("asked" if place in self._asked else "always", 8),
                            "notice" if place in self._asked else "quiet",
                        ),
                        (cut(f"{flat(one.title)}  “{flat(one.default)}”", width - 8), "text"),
                    ),
                    key=place,
                )
                for place, one in enumerate(self._values)
            ]
            left = [Entry(((cut(flat(words), width), "notice"),), key=words) for words in self._left]
            return Page(
                groups(
                    (heading("The lines"), do), (heading("What may differ", "space: asked each time, or always as it was"), values),
                    (heading("Left out"), left),
                )
            )  # fmt: skip

        answers = {
            "y": ("name it", self._name),
            **({"space": ("asked or always", self._turn_over)} if self._values else {}),
        }
        return Sheet(
            "A new macro", read, hints=(("back", "leave, nothing is kept"),), answers=answers, live=False, local=True
        )

    async def _turn_over(self) -> None:
        entry = self._app.sheet.current
        if entry is None or not isinstance(entry.key, int):
            raise Invalid("that line is no value that may differ")
        self._asked ^= {entry.key}
        await self._app.sheet.reload()

    async def _name(self) -> None:
        async def then(name: str | None) -> None:
            if name and name.strip():
                self._app.hands.spawn(self.keep(name.strip()))

        self._app.prompting.ask(
            Asking("name", lambda text: (), then), hint="a name for the macro: small letters, digits, - and _"
        )

    async def keep(self, name: str, *, over: bool = False) -> None:
        """Write the macro into a file of the agent's own; one that is there is asked about."""
        app, shelf = self._app, self._shelf
        table = self._table(recording.demand_name(name))
        try:
            place = await app.runner.read(lambda: shelf.keep(name, table, over=over))
        except Conflict as error:
            app.hands.ask(f"{error}; write over it?", {"y": ("write over it", lambda: self.keep(name, over=True))})
            return
        await app.back()
        app.say(f"the macro {name} is there, {app.hands.key('macro')} offers it: {place}", "good")
