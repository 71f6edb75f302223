"""What others did meanwhile, told before the next prompt and never in between."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from cli.plain_queue import Queue
from cli.plain_words import channel, several
from cli.wiring import Session, now
from desk.errors import DeskError
from desk.events import Record
from desk.hosts import relay_runs
from desk.model import Direction
from desk.telling import describe
from desk.text import one_line

_STEP = 1_000
_TOLD = 3
"""Changes of the open ticket that are told one by one."""


class News:
    """Follows the log, apart from the batches in `own`."""

    def __init__(self, here: Session, queue: Queue, own: Collection[str]) -> None:
        self._here, self._queue, self._own = here, queue, own
        self.known: set[int] = set()
        """Messages that were read out already."""
        self._seq = here.store().last_seq()
        self._away = ""

    def since(self, opened: int | None) -> Iterator[str]:
        """What is new since this was asked last; `opened` is the ticket that is open."""
        try:
            records = self._records()
            here = [record for record in records if opened is not None and self._matters(record, opened)]
            told = [*self._opened(here, opened), *self._listed(records, opened)]
        except DeskError as error:
            if str(error) != self._away:
                self._away = str(error)
                yield self._away
            return
        if self._away:
            self._away = ""
            yield "the store is back"
        yield from told

    def relay(self) -> bool:
        """Whether somebody fetches and sends; of a store that is away nothing is known, and nothing is begun."""
        try:
            return relay_runs(self._here.store(), now())
        except DeskError:
            return True

    def _records(self) -> list[Record]:
        store = self._here.store()
        found: list[Record] = []
        if store.last_seq() <= self._seq:
            return found
        while records := store.log(after=self._seq, limit=_STEP):
            self._seq = records[-1].seq
            found += [record for record in records if record.entity == "ticket" and record.batch not in self._own]
        return found

    def _opened(self, records: list[Record], opened: int | None) -> Iterator[str]:
        for record in records[:_TOLD]:
            yield f"#{opened}: {self._said(record)}"
        if len(records) > _TOLD:
            yield f"#{opened}: {several(len(records) - _TOLD, 'more change')}; show reads the ticket again"

    def _said(self, record: Record) -> str:
        if record.kind == "Posted":
            thread = self._here.store().thread(int(record.about))
            message = next((m for m in thread if m.id == record.data["message"]), None)
            if message is not None:
                author = one_line(message.author) or "somebody"
                how = f" by {channel(message.channel)}" if message.direction is Direction.IN else ""
                what = "left an INTERNAL NOTE" if message.kind == "note" else f"wrote{how}"
                return f"{author} {what}; show reads it"
        who = record.agent or record.source
        return f"{one_line(who)}: {one_line(describe(record))}" if who else one_line(describe(record))

    def _listed(self, records: list[Record], opened: int | None) -> Iterator[str]:
        changed = {int(r.about) for r in records} | {r.data["to"] for r in records if r.kind == "Moved"}
        if changed and self._queue.touched(changed - {opened}):
            count = len(self._queue.arrived)
            yield f"{several(count, 'new ticket')}; list shows {'it' if count == 1 else 'them'}"

    def _matters(self, record: Record, opened: int) -> bool:
        """Whether it is worth a line to who has the ticket open."""
        if record.kind == "Clock":
            return int(record.about) == opened and record.data["what"] in ("warn", "breach")
        if record.kind == "Posted" and record.data["message"] in self.known:
            return False
        return int(record.about) == opened or (record.kind == "Moved" and record.data["to"] == opened)
