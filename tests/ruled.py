"""A desk with rules, and the relay's part that runs them, on a clock that the test moves."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from desk.config import DeskConfig, parse
from desk.model import Millis
from desk.perform import Desk
from desk.tables import problems
from relay.engine import Engine
from relay.rules import Work, begin
from relay.workers import Workers
from tests.desks import Room


def configured(text: str, **desk: object) -> DeskConfig:
    """The team's tables in `text`, all of them right."""
    config = replace(parse(text).desk, undo_s=0, **desk)  # type: ignore[arg-type]
    wrong = [str(error) for error in problems(config)]
    assert not wrong, wrong
    return config


class Ruled:
    """A room, a relay beside it, and what its rules did."""

    def __init__(self, folder: Path, text: str, tickets: int = 1, **desk: object) -> None:
        config = configured(text, **desk)
        self.room = Room.open(folder, tickets, config=config)
        self.store = self.room.store
        self.engine = self.relay("one")
        begin(self.engine)
        self.work = Work(self.engine)

    def relay(self, holder: str) -> Engine:
        """The surroundings of another relay."""
        desk = self.room.desk
        return Engine(self.store, desk.config, desk.signer, [], holder, lambda: self.room.clock, Workers(0))

    def publish(self, text: str) -> None:
        """Other rules hold from now on."""
        self.engine.config = self.store.config = configured(text)
        self.room.desk = Desk(self.store, self.engine.config, self.room.desk.signer)

    def settle(self) -> int:
        """Let the rules act until they have nothing left to do; how often they acted."""
        before = self.work.acted
        for _ in range(1_000):
            seq = self.store.last_seq()
            if not self.work.step() and self.store.last_seq() == seq:
                return self.work.acted - before
        raise AssertionError("the rules never end")

    def later(self, span: Millis) -> int:
        """Let time pass, and the rules act."""
        self.room.clock += span
        return self.settle()

    def acts(self, ticket: int = 1) -> list[tuple[str, str]]:
        """The rules that acted on a ticket, and what they did, oldest first."""
        lines = {
            r.batch: (r.source.removeprefix("rule:"), r.line)
            for r in self.store.log(ticket=ticket)
            if r.source.startswith("rule:")
        }
        return list(lines.values())
