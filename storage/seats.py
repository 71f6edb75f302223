"""Who sits before which ticket, what they have begun to write there, and how much they get done.

None of it is an action: it has no line in the log, and nobody is woken by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec.json import decode

from desk.model import DAY, HOUR, Draft, Effort, Millis, Pace, Presence
from storage.engine import Engine
from storage.reads import read_workload
from storage.rows import dump
from storage.sql import keeping

if TYPE_CHECKING:
    from storage.project import Transaction

_DRAFT = Draft.__struct_fields__
_KEEP = (
    f"{keeping('draft', ('ticket', 'agent', 'kind', 'at', 'text', 'options', 'seen'), 3)} WHERE draft.at <= excluded.at"
)

_PRESENCE = Presence.__struct_fields__
# Nothing comes back from a terminal that has said just this before.
_ATTEND = (
    f"{keeping('presence', _PRESENCE)} WHERE (presence.ticket, presence.doing, presence.until) "
    "<> (excluded.ticket, excluded.doing, excluded.until) RETURNING session"
)
_PRESENT = f"SELECT {', '.join(_PRESENCE)} FROM presence WHERE until > ? ORDER BY ticket, agent, session"
_SPEND = (
    "INSERT INTO effort (ticket, agent, doing, spent) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (ticket, agent, doing) DO UPDATE SET spent = effort.spent + excluded.spent"
)

_PACE = (
    "WITH RECURSIVE span (since, until) AS (SELECT :begin, :begin + :step UNION ALL SELECT until, until + :step FROM span "
    "WHERE until < :end) SELECT "
    "(SELECT count(*) FROM ticket WHERE bin = '' AND merged_into IS NULL AND created_at >= since AND created_at < until), "
    "(SELECT count(*) FROM message WHERE direction = 'out' AND kind = 'public' AND withdrawn = 0 AND automatic IS NULL "
    "AND at >= since AND at < until{replied}), "
    "(SELECT count(*) FROM ticket WHERE bin = '' AND merged_into IS NULL AND solved_at >= since AND solved_at < until{solved}) "
    "FROM span ORDER BY since"
)


class Seats(Engine):
    """The part of the store that is about people at work."""

    _swept: Millis = 0

    def drafts(self, *, agent: str | None = None, ticket: int | None = None) -> list[Draft]:
        wanted = {name: value for name, value in (("agent", agent), ("ticket", ticket)) if value is not None}
        where = " AND ".join(f"{name} = :{name}" for name in wanted) or "true"
        query = f"SELECT {', '.join(_DRAFT)} FROM draft WHERE {where} ORDER BY at DESC, ticket, agent, kind"
        return [
            Draft(number, name, kind, at, text, decode(options), seen)
            for number, name, kind, at, text, options, seen in self._read.execute(query, wanted)
        ]

    def keep_draft(self, draft: Draft) -> None:
        values = [getattr(draft, name) for name in _DRAFT]
        values[_DRAFT.index("options")] = dump(draft.options)
        self._execute(_KEEP, values)

    def drop_draft(self, ticket: int, agent: str, kind: str) -> None:
        self._execute("DELETE FROM draft WHERE ticket = ? AND agent = ? AND kind = ?", (ticket, agent, kind))

    def attend(self, presence: Presence, spent: Millis = 0) -> None:
        sweeps = presence.until > self._swept + HOUR

        def body(tx: Transaction) -> None:
            said = tx.conn.execute(_ATTEND, [getattr(presence, name) for name in _PRESENCE]).fetchall()
            if said and spent and presence.ticket:
                tx.conn.execute(_SPEND, (presence.ticket, presence.agent, presence.doing, spent))
            if sweeps:
                # Of terminals that ended without a word.
                tx.conn.execute("DELETE FROM presence WHERE until < ?", (presence.until - DAY,))

        # What the last seconds before a power cut were spent on is not worth a wait for the disk every time.
        self.change(body, bulk=True)
        if sweeps:
            self._swept = presence.until

    def depart(self, session: str) -> None:
        if self._read.execute("SELECT 1 FROM presence WHERE session = ?", (session,)).fetchone():
            self.change(lambda tx: tx.conn.execute("DELETE FROM presence WHERE session = ?", (session,)), bulk=True)

    def present(self, at: Millis) -> list[Presence]:
        return [Presence(*row) for row in self._read.execute(_PRESENT, (at,))]

    def effort(self, ticket: int) -> list[Effort]:
        query = "SELECT agent, doing, spent FROM effort WHERE ticket = ? ORDER BY agent, doing"
        return [Effort(*row) for row in self._read.execute(query, (ticket,))]

    def workload(self, at: Millis) -> Mapping[str, int]:
        return read_workload(self._read, at)

    def pace(self, begin: Millis, step: Millis, count: int, *, agent: str | None = None) -> Pace:
        mine = (
            {"replied": "", "solved": ""}
            if agent is None
            else {"replied": " AND agent = :agent", "solved": " AND assignee = :agent"}
        )
        values = {"begin": begin, "step": step, "end": begin + count * step}
        found = self._read.execute(
            _PACE.format(**mine), values if agent is None else values | {"agent": agent}
        ).fetchall()
        opened, replied, solved = zip(*found, strict=True)
        return Pace(begin, step, opened, replied, solved)
