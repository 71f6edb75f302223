"""The macros as a screen asks for them: nothing is loaded for an agent who has none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cli import personal
from cli.wiring import Session

if TYPE_CHECKING:
    from cli.shelf import Shelf
    from desk.macros import Input, Prepared


class Watched:
    """The macros as a screen asks for them: looked through again as soon as a file of theirs is another."""

    def __init__(self, here: Session) -> None:
        self._here = here
        self._known: tuple[object, Shelf] | None = None

    def _shelf(self) -> Shelf:
        from cli.shelf import Shelf

        stamp = (self._here.store().config.version, *self._stamps())
        if self._known is None or self._known[0] != stamp:
            self._known = (stamp, Shelf(self._here))
        return self._known[1]

    def _stamps(self) -> list[personal.Stamp]:
        return [personal.stamp(folder) for folder, _ in personal.folders()]

    def keys(self) -> dict[str, str]:
        """The macros that have a key, by it."""
        if "macros" not in self._here.store().config.tables and not any(self._stamps()):
            return {}
        from desk.macros import Macro

        return {
            macro.key: name for name, macro in self._shelf().offered().items() if isinstance(macro, Macro) and macro.key
        }

    def offered(self, ticket: int) -> list[tuple[str, str, str]]:
        """Name, title and key of each macro that is offered on the ticket."""
        from desk.macros import Macro

        found = self._shelf().offered_on(ticket).items()
        return [(name, macro.title, macro.key if isinstance(macro, Macro) else "") for name, macro in found]

    def inputs(self, name: str) -> Sequence[Input]:
        """What it asks for."""
        return self._shelf().find(name).inputs

    def prepare(self, name: str, ids: Sequence[int], given: Mapping[str, str]) -> tuple[Prepared, str]:
        """What it is to do, and what a program said about it."""
        said: list[str] = []
        return self._shelf().prepare(name, ids, given, tell=said.append), " ".join(said)

    def snippets(self) -> list[tuple[str, str]]:
        """Name of each canned text, and how it begins."""
        from cli import snippets

        return snippets.begun(self._here)

    def snippet(self, name: str, ticket: int) -> str:
        """The canned text called `name`, filled in for a ticket."""
        from cli import snippets

        return snippets.filled(self._here, name, ticket)

    def keep(self, name: str, table: Mapping[str, Any], *, over: bool = False) -> str:
        """Write a macro of the agent's own; Conflict when there is one, unless it is to be written `over`."""
        from desk.errors import Conflict

        if not over and personal.place(name).exists():
            raise Conflict(f"{personal.place(name)} is there already")
        return str(personal.write(name, dict(table)))

    def then(self, name: str) -> str:
        """Where to go afterwards: stay, next or close."""
        from desk.macros import Macro

        macro = self._shelf().find(name)
        return macro.then if isinstance(macro, Macro) else "stay"
