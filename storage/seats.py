"""Who sits before which ticket, what they have begun to write there, and how much they get done.

None of it is an action: it has no line in the log, and nobody is woken by it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from msgspec.json import decode

from desk.model import DAY, HOUR, Draft, Effort, Millis, Pace, Presence, Volume
from desk.seats import Attended
from desk.threads import conversation_named
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

# Whoever writes on a ticket keeps what they have so far every two seconds: a draft that stays as it is belongs to
# somebody who thinks, and one that is a note is nobody's affair outside.
_BEFORE = (
    "SELECT p.ticket, max(CASE WHEN EXISTS (SELECT 1 FROM draft d WHERE d.ticket = p.ticket AND d.agent = p.agent "
    "AND d.kind <> 'note' AND d.at > :fresh) AND p.doing = 'writes' THEN 1 ELSE 0 END), "
    "max(coalesce((SELECT message FROM seen WHERE seen.agent = p.agent AND seen.ticket = p.ticket), 0)) "
    "FROM presence p WHERE p.until > :at AND p.ticket > 0 AND p.session NOT LIKE 'customer:%' GROUP BY p.ticket ORDER BY p.ticket"
)
_THEIRS = "SELECT id, account, conversation FROM message WHERE ticket = ? AND direction = 'in' AND kind = 'public'"
_LAST = f"{_THEIRS} ORDER BY at DESC, id DESC LIMIT 1"
_READ_TO = f"{_THEIRS} AND account = ? AND conversation = ? AND id <= ? ORDER BY at DESC, id DESC LIMIT 1"
_CALLED = "SELECT external_id FROM external WHERE account = ? AND message = ? ORDER BY external_id LIMIT 1"

_PACE = (
    "WITH RECURSIVE span (since, until) AS (SELECT :begin, :begin + :step UNION ALL SELECT until, until + :step FROM span "
    "WHERE until < :end) SELECT "
    "(SELECT count(*) FROM ticket WHERE bin = '' AND merged_into IS NULL AND created_at >= since AND created_at < until), "
    "(SELECT count(*) FROM message WHERE direction = 'out' AND kind = 'public' AND withdrawn = 0 AND automatic IS NULL "
    "AND at >= since AND at < until{replied}), "
    "(SELECT count(*) FROM ticket WHERE bin = '' AND merged_into IS NULL AND solved_at >= since AND solved_at < until{solved}) "
    "FROM span ORDER BY since"
)


# What the index message_volume holds, and nothing else.
_VOLUME = (
    "SELECT account, direction, count(*), sum(CASE WHEN at >= ? THEN 1 ELSE 0 END) FROM message "
    "WHERE kind IN ('public', 'call') AND withdrawn = 0 AND at >= ? GROUP BY account, direction"
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

    def attended(self, at: Millis, accounts: Collection[str], fresh: Millis) -> list[Attended]:
        found: list[Attended] = []
        for ticket, typing, seen in self._read.execute(_BEFORE, {"at": at, "fresh": at - fresh}).fetchall():
            last = self._read.execute(_LAST, (ticket,)).fetchone()
            if last is None or last[1] not in accounts or last[2] is None:
                continue
            _, account, conversation = last
            read = self._read.execute(_READ_TO, (ticket, account, conversation, seen)).fetchone()
            called = self._read.execute(_CALLED, (account, read[0])).fetchone() if read else None
            named = conversation_named(account, conversation)
            if named is not None:
                found.append(Attended(ticket, account, named, called[0] if called else None, bool(typing)))
        return found

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

    def volume(self, since: Millis, today: Millis) -> Mapping[str, Volume]:
        found: dict[str, dict[str, tuple[int, int]]] = {}
        for account, direction, count, of_today in self._read.execute(_VOLUME, (today, since)):
            found.setdefault(account or "", {})[direction] = (count, of_today)
        none = (0, 0)
        return {
            account: Volume(*(ways.get(way, none)[place] for place in (0, 1) for way in ("in", "out")))
            for account, ways in found.items()
        }
