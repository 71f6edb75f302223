"""What happened to a ticket in one go: the log, as rules and hooks look at it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

from msgspec.structs import replace

from desk.events import SETS, Record, typed
from desk.model import Millis, Ticket

HAPPENINGS = ("created", "message-in", "message-out", "changed", "sla-warned", "sla-breached")
"""What a rule or a hook can wait for."""


@dataclass(frozen=True)
class News:
    """The lines of the log that one batch has about one ticket."""

    ticket: int
    records: tuple[Record, ...]

    @property
    def batch(self) -> str:
        """The batch that did it."""
        return self.records[0].batch

    @property
    def source(self) -> str:
        """Who or what asked for it: an account, the clock, a rule."""
        return self.records[0].source

    @property
    def at(self) -> Millis:
        """When it happened."""
        return self.records[0].at

    @cached_property
    def on(self) -> frozenset[str]:
        """Which of HAPPENINGS it is."""
        return frozenset(name for record in self.records if (name := happening(record)))

    @property
    def imported(self) -> bool:
        """An archive was taken in, which wakes nobody."""
        return self.source.startswith("import:")

    @property
    def undone(self) -> bool:
        """Something was taken back, or done again."""
        return self.records[0].undoes is not None

    def messages(self, *directions: str) -> list[int]:
        """The messages that came ("in") or were written ("out")."""
        return [r.data["message"] for r in self.records if r.kind == "Posted" and r.data["direction"] in directions]

    def before(self, ticket: Ticket) -> Ticket | None:
        """`ticket` with what this changed as it was before; None for a ticket that was not there."""
        fields: dict[str, object] = {}
        for record in reversed(self.records):
            if record.kind == "Opened":
                return None
            if record.kind != "Changed":
                continue
            name, removed, added = record.data["field"], record.data["removed"], record.data["added"]
            if name in SETS:
                now = fields.get(name, getattr(ticket, name))
                gone, came = typed(name, removed) or (), typed(name, added) or ()
                fields[name] = tuple(v for v in now if v not in came) + tuple(gone)  # type: ignore[attr-defined]
            else:
                fields[name] = typed(name, removed)
        return replace(ticket, **fields) if fields else ticket


def happening(record: Record) -> str | None:
    """Which of HAPPENINGS a line of the log is."""
    data = record.data
    match record.kind:
        case "Opened":
            return "created"
        case "Changed":
            return "changed"
        case "Posted" if data["direction"] == "in":
            return "message-in" if data["kind"] != "system" else None
        case "Posted":
            return "message-out" if data["kind"] in ("public", "call") else None
        case "Clock":
            return {"warn": "sla-warned", "breach": "sla-breached"}.get(data["what"])
    return None


def told(records: Sequence[Record]) -> list[tuple[int, list[News]]]:
    """The news of each batch, by ticket, in the order of the log; each batch with the seq of its last line.

    A batch that others came in between of, as a bulk run, is told in parts.
    """
    found: list[tuple[int, list[News]]] = []
    for _, lines in groupby(records, lambda record: record.batch):
        together = list(lines)
        tickets: dict[int, list[Record]] = {}
        for record in together:
            if record.entity == "ticket":
                tickets.setdefault(int(record.about), []).append(record)
        news = [News(number, tuple(about)) for number, about in tickets.items()]
        found.append((together[-1].seq, news))
    return found
