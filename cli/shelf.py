"""Every macro there is for an agent, wherever it stands: the team's tables, their own files, and programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from cli import output, personal, programs
from cli.ids import env
from cli.programs import Program
from cli.wiring import Session, now
from desk import macros
from desk.errors import ConfigError, NotFound
from desk.macros import Macro, Prepared
from desk.query import All, Is, parse, suggest
from desk.tables import named


class Shelf:
    """Every macro there is for this agent: the team's, their own, and programs; and what is wrong with others."""

    def __init__(self, here: Session) -> None:
        self._here = here
        self.config, of_files = personal.covered(here.store().config)
        checked = macros.load(self.config)
        self.tables = checked.items
        self.programs, of_programs = programs.found()
        for name in set(self.programs) & set(self.config.tables.get("macros", {})):
            path = self.programs.pop(name).path
            of_programs[name] = ConfigError(f"{path}: [macros.{name}] is called the same and comes first; rename it")
        self.unread = {**of_files, **of_programs}
        self.errors = [*of_files.values(), *checked.errors, *of_programs.values()]

    def find(self, name: str) -> Macro | Program:
        """The macro called `name`; its own error if it is wrong."""
        if name in self.programs:
            return self.programs[name]
        if name not in self.config.tables.get("macros", {}):
            if name in self.unread:
                raise self.unread[name]
            every = (*self.tables, *self.programs)
            raise NotFound(f'there is no macro "{name}"{suggest(name, every)}; deskhand macro list shows them')
        return named(self.config, "macros", name, macros.load)

    def origin(self, name: str) -> str:
        """Where a macro comes from: team, own or program."""
        if name in self.programs:
            return "own program" if self.programs[name].personal else "program"
        return "own" if self.config.tables["macros"][name].personal else "team"

    def offered(self) -> dict[str, Macro | Program]:
        """All that are for this agent, by name."""
        agent = self._here.agent()
        return {**{n: m for n, m in self.tables.items() if macros.offered(m, agent)}, **self.programs}

    def offered_on(self, ticket: int) -> dict[str, Macro | Program]:
        """Those that are offered on a ticket; NotFound when there is none."""
        store, asking = self._here.store(), env(self._here)
        store.ticket(ticket)

        def holds(when: str) -> bool:
            return not when or bool(store.count(All((parse(when, asking), Is("id", (ticket,))))))

        return {name: macro for name, macro in self.offered().items() if holds(macro.when)}

    def prepare(
        self, name: str, ids: Sequence[int], given: Mapping[str, str], *, tell: Callable[[str], None] = output.say,
        progress: Callable[[int], None] | None = None,
    ) -> Prepared:  # fmt: skip
        """What the macro is to do to each ticket; `tell` hears what a program says, `progress` how many it has seen."""
        here, macro = self._here, self.find(name)
        if isinstance(macro, Program):
            return programs.prepare(here, macro, ids, at=now(), given=given, tell=tell, progress=progress)
        return macros.prepare(here.desk(), name, macro, ids, here.who(), at=now(), given=given)
