"""What a rule writes to people: marked as written by a machine, and within the limits that stop loops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from desk.channel import Inbound
from desk.config import DeskConfig
from desk.events import Event, Posted
from desk.loops import Answered, bare, refusal
from desk.model import DAY, Direction, Identity, Message, Millis
from desk.store import Tx


@dataclass
class Automatic:
    """Looks over what a rule is about to do; `left_out` tells what nobody will get, and why."""

    config: DeskConfig
    at: Millis
    left_out: list[str] = field(default_factory=list)

    def __call__(self, tx: Tx, events: Sequence[Event]) -> list[Event]:
        """The events as they may be written."""
        found = [self._marked(tx, e) if isinstance(e, Posted) and e.deliveries else e for e in events]
        return [event for event in found if event is not None]

    def _marked(self, tx: Tx, event: Posted) -> Posted | None:
        """The message without those who must not get it; None when nobody is left."""
        message = event.message
        refused = self._refused(tx, message)
        to, cc, bcc = (
            tuple(person for person in people if person.value not in refused)
            for people in (message.to, message.cc, message.bcc)
        )
        self.left_out += [f"{address} gets no automatic mail: {why}" for address, why in refused.items()]
        if not to:
            return None
        via = tx.accounts()[message.account]
        for person in (*to, *cc, *bcc):
            tx.note_answer(person.value, Answered(self.at, bare(message.subject)))
        # Nobody signs it, and nobody has read the ticket because of it.
        message = replace(
            message,
            to=to,
            cc=cc,
            bcc=bcc,
            automatic="auto-reply",
            agent=None,
            author=self.config.name,
            sender=Identity("email", via.address, via.display or self.config.name),
        )
        deliveries = tuple(
            replace(one, recipients=tuple(r for r in one.recipients if r not in refused)) for one in event.deliveries
        )
        return Posted(message, deliveries, silent=True)

    def _refused(self, tx: Tx, message: Message) -> dict[str, str]:
        own = frozenset(account.address for account in tx.accounts().values())
        thread = tx.thread(message.ticket)
        refused: dict[str, str] = {}
        for person in (*message.to, *message.cc, *message.bcc):
            item = Inbound("", self.at, person, "", subject=message.subject, automatic=_machine(thread, person.value))
            history, gone = tx.answered(person.value, self.at - DAY), tx.undeliverable(person.value)
            why = refusal(item, own, history, gone, self.at)
            if why:
                refused[person.value] = why
        return refused


def _machine(thread: Sequence[Message], address: str) -> str | None:
    """What kind of machine wrote last from this address; None for a person."""
    said = (m for m in reversed(thread) if m.direction is Direction.IN and m.sender and m.sender.value == address)
    last = next(said, None)
    return last.automatic if last else None
