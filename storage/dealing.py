"""What distributing tickets asks of a transaction: who has how many, and who had this one."""

from __future__ import annotations

from collections.abc import Mapping

from desk.config import DeskConfig
from desk.model import Millis, Status, Ticket
from storage.pending import Keeper, Pending
from storage.reads import read_workload
from storage.sql import Connection

_LOOKED_AT = 20


class Dealing(Pending):
    """Loads as this transaction sees them, tickets that it gave away itself among them."""

    def __init__(self, conn: Connection, keeper: Keeper, config: DeskConfig) -> None:
        super().__init__(conn, keeper, config)
        self._loads: dict[str, int] | None = None
        self._holders: dict[int, str | None] = {}

    def workload(self, at: Millis) -> Mapping[str, int]:
        if self._loads is None:
            self._keeper.alone("dealing")
            self._loads = read_workload(self.conn, at)
        # Counted once; from then on only what this transaction has in its hands can differ.
        for number, ticket in self._now.items():
            if number not in self._holders:
                before = self._before.get(number)
                self._holders[number] = _holder(before, at) if before else None
            was, now = self._holders[number], _holder(ticket, at)
            if was != now:
                self._holders[number] = now
                for name, step in ((was, -1), (now, 1)):
                    if name is not None:
                        self._loads[name] = self._loads.get(name, 0) + step
        return self._loads

    def previous(self, ticket: Ticket) -> list[str]:
        field, added, removed = (self.conn.sql.key.format("payload", key) for key in ("field", "added", "removed"))
        query = (
            f"SELECT {added}, {removed} FROM event WHERE entity = 'ticket' "
            f"AND about = ? AND kind = 'Changed' AND {field} = 'assignee' ORDER BY seq DESC"
        )
        found = [ticket.assignee, *(name for row in self.conn.execute(query, (str(ticket.id),)) for name in row)]
        found += [t.assignee for t in reversed(self._now.values()) if t.requester == ticket.requester]
        others = (
            f"SELECT assignee FROM ticket WHERE requester = ? AND id <> ? ORDER BY updated_at DESC LIMIT {_LOOKED_AT}"
        )
        found += [name for (name,) in self.conn.execute(others, (ticket.requester, ticket.id))]
        return list(dict.fromkeys(name for name in found if name))


def _holder(ticket: Ticket, at: Millis) -> str | None:
    """Whom the ticket keeps busy."""
    busy = ticket.status.live and ticket.status is not Status.PENDING and ticket.visible and not ticket.snoozed(at)
    return ticket.assignee if busy else None
