"""Forms: what a verb still needs is asked for, one thing after the other, and then it runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from desk import lines
from desk.actions import Action, Argument
from desk.completion import Choice, values
from desk.errors import DeskError, Invalid
from desk.query import parse
from tui.completion import Asking, search
from tui.draw import flat

if TYPE_CHECKING:
    from tui.app import DeskApp

_NAMED = ("agent", "team", "status", "priority", "kind", "way")
"""Kinds of argument of which there are only those offered: what is typed looks for one of them."""

_ASKS = {
    "agent": "to whom",
    "status": "which status",
    "priority": "which priority",
    "team": "to which team",
    "ticket": "which ticket",
    "when": "until when: 2h, tomorrow 9:00, monday, reply",
    "address": "whose address",
}
_SHOWN = 8


class Form:
    """Asks for the arguments of a verb that are missing."""

    def __init__(self, app: DeskApp, action: Action) -> None:
        self._app, self._action = app, action
        self._given: dict[str, Any] = {}
        self._missing = [a for a in action.arguments if a.required]
        if action.creates:
            # Who calls is known first, then what it is about; the words last.
            self._missing.sort(key=lambda a: a.param.word != "address")

    def begin(self, mistake: str = "", typed: str = "") -> None:
        """Ask for the first one; again, when there was a `mistake` in the answer."""
        argument = self._missing[0]
        self._app.prompting.ask(
            Asking(
                f"{self._action.name}{self._where()} ·",
                lambda text: self._choices(argument, text),
                self._answered,
                picks=True,
                typed=lambda text: self._typed(argument, text),
                more=self._more(argument),
            ),
            text=typed,
            hint=mistake or f"{self._action.summary} {self._question(argument)}",
        )

    def _question(self, argument: Argument) -> str:
        asked = _ASKS.get(argument.param.word, argument.name.replace("_", " "))
        return f"{asked[0].upper()}{asked[1:]}?"

    def _where(self) -> str:
        targets = [] if self._action.creates else self._app.commands.targets()
        return f" #{targets[0]}" if len(targets) == 1 else f" {len(targets):,} tickets" if targets else ""

    # -- what there is to choose from -----------------------------------------------

    def _choices(self, argument: Argument, text: str) -> list[Choice]:
        typed = text.strip()
        offered = [Choice(value, value) for value in values(argument, self._app.prompting.known)]
        if argument.param.word in _NAMED:
            return search(typed, offered)
        found = [choice for choice in offered if choice.text.startswith(typed)]
        exact = [choice for choice in found if choice.text == typed]
        rest = [choice for choice in found if choice.text != typed]
        if typed and not exact:
            exact = self._as_typed(argument, typed)
        return [*exact, *rest]

    def _as_typed(self, argument: Argument, typed: str) -> list[Choice]:
        return [] if _mistake(argument, typed) else [Choice(typed, typed, "as typed")]

    async def _typed(self, argument: Argument, text: str) -> None:
        """What is wrong with what is typed so far is told at once, where nothing is offered that it may become."""
        # Words look for a ticket or a customer.
        looks = argument.param.word in (*_NAMED, "ticket", "address")
        if text.strip() and not looks and not self._choices(argument, text) and (prompt := self._app.prompting.prompt):
            prompt.complain(_mistake(argument, text.strip()), "quiet")

    def _more(self, argument: Argument) -> Callable[[str], Sequence[Choice]] | None:
        """What the store knows of it; asked in a thread."""
        store = self._app.front.desk.store
        env = self._app.queue.env()
        match argument.param.word:
            case "address":

                def customers(text: str) -> Sequence[Choice]:
                    found = store.customers(text.strip(), _SHOWN) if text.strip() else []
                    return [
                        Choice(customer.address, flat(customer.name or customer.address), flat(customer.address))
                        for customer in found
                        if "@" in customer.address
                    ]

                return customers
            case "ticket":
                targets = self._app.commands.targets()

                def tickets(text: str) -> Sequence[Choice]:
                    typed = text.strip()
                    if not typed and targets:
                        # Nothing said yet: most likely another of the same customer.
                        typed = f"customer:{store.ticket(targets[0]).requester}"
                    query = f"id:{typed.lstrip('#')}" if typed.lstrip("#").isdecimal() else typed
                    found = store.page(parse(query, env), sort="newest", limit=_SHOWN + 1).rows
                    return [
                        Choice(
                            str(row.ticket.id),
                            f"#{row.ticket.id}  {flat(row.ticket.subject)}",
                            f"{flat(row.customer.name or row.customer.address)} · {row.ticket.status}",
                        )
                        for row in found
                        if row.ticket.id not in targets
                    ]

                return tickets
        return None

    # -- what was answered ----------------------------------------------------------------

    async def _answered(self, text: str | None) -> None:
        if text is None:
            return
        argument = self._missing.pop(0)
        try:
            self._given[argument.name] = argument.param.parse(text)
        except Invalid as error:
            self._missing.insert(0, argument)
            self.begin(str(error), text)
            return
        if self._missing:
            self.begin()
            return
        await self._app.hands.run_line(lines.format(lines.bind(self._action, self._given)))


def _mistake(argument: Argument, typed: str) -> str:
    """Why that cannot be the answer; "" when it can."""
    try:
        argument.param.parse(typed)
    except DeskError as error:
        return str(error)
    return ""
