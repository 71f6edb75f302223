"""A desk with a few tickets in a real store, for tests that need one."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from desk import intake, lines
from desk.blobs import Blob
from desk.capabilities import Capabilities
from desk.channel import Inbound
from desk.config import DeskConfig
from desk.model import HOUR, MINUTE, Account, Agent, Attachment, Identity, Millis, Role, State, Team
from desk.perform import Desk, Outcome, Who, perform, undo
from desk.store import Batch, Store
from desk.threads import Signer
from storage import open_store

NOW: Millis = 1_770_000_000_000
"""2026-02-02 02:40 UTC: the time it is at the test desk."""

ADDRESS = "help@desk.test"
SUBJECTS = (
    "VPN drops every 20 minutes",
    "Cannot log in after the reset",
    "Invoice shows the wrong VAT id",
    "Question about the export",
    "Feature idea: dark PDF",
)


MAIL = Capabilities(subject=True, copies=True, markup="markdown", attachment_limit_bytes=25_000_000, may_start=True)
"""What a mailbox carries."""


def make_desk(
    tmp_path: Path, tickets: int = 5, *, config: DeskConfig | None = None, url: str = ""
) -> tuple[Store, Desk, Who]:
    """A store with the agents kim (admin) and sam, one mail account, and so many tickets, the oldest first."""
    config = config or DeskConfig()
    store = open_store(url or f"sqlite:///{tmp_path}/desk.db", config, create=True)
    kim = Agent("kim", display="Kim", role=Role.ADMIN, uid=1000)
    for agent in (kim, Agent("sam", display="Sam", uid=1001)):
        store.save_agent(agent, Batch(f"agent-{agent.name}", NOW))
    store.save_account(Account("support", "email", ADDRESS, capabilities=MAIL, health="ok"))
    desk = Desk(store, config, Signer(b"x" * 32))
    mails = [mail(i, at=NOW - (tickets - i) * 7 * MINUTE) for i in range(tickets)]
    receive(desk, mails, batch="filled")
    return store, desk, Who(kim, 1000, "test")


def mail(
    number: int,
    *,
    at: Millis = NOW,
    text: str = "",
    subject: str | None = None,
    name: str | None = None,
    **more: object,
) -> Inbound:
    """One mail from a customer of its own."""
    return replace(
        Inbound(
            external_id=f"INBOX/1/{number}",
            received_at=at,
            sender=Identity("email", f"c{number}@acme.example", name if name is not None else f"Customer {number}"),
            text=text or f"Hello, this is mail {number}.\nIt has two lines.\n",
            subject=subject if subject is not None else SUBJECTS[number % len(SUBJECTS)],
            message_id=f"m{number}@acme.example",
        ),
        **more,  # type: ignore[arg-type]
    )


def receive(desk: Desk, mails: Sequence[Inbound], *, batch: str, at: Millis = NOW) -> intake.Taken:
    """Let mails come in, as the relay would."""
    how = intake.Intake("support", "email", desk.config, desk.signer, frozenset({ADDRESS}))
    items = [intake.prepare(item) for item in mails]
    return desk.store.write(lambda tx: intake.take_in(tx, how, items, Batch(batch, at, source="support"), batch))


def answer(
    desk: Desk, ticket: int, text: str, *, batch: str, at: Millis = NOW + HOUR, sender: int | None = None
) -> intake.Taken:
    """Let the requester of `ticket` write again."""
    first = desk.store.thread(ticket)[0]
    number = 100_000 + desk.store.last_seq()
    who = first.sender if sender is None else Identity("email", f"c{sender}@acme.example")
    again = mail(number, at=at, text=text, subject="Re: it", sender=who, in_reply_to=(first.message_id or "",))
    return receive(desk, [again], batch=batch, at=at)


def do(desk: Desk, who: Who, line: str, *ids: int, batch: str, at: Millis = NOW) -> Outcome:
    """Do a command line, as any front end would."""
    return perform(desk, lines.script(line), ids, who, at=at, batch_id=batch)


PNG = Attachment("photo.png", "image/png", 18_000, "0" * 64)


@dataclass
class Room:
    """A desk at work: whatever a test does here takes a minute and is a batch of its own."""

    store: Store
    desk: Desk
    who: Who
    clock: Millis = NOW
    turns: int = 0

    @classmethod
    def open(cls, tmp_path: Path, tickets: int = 5, *, config: DeskConfig | None = None) -> Room:
        """A desk as `make_desk` makes it, and in it lee (lead), rob (read-only) and the team network."""
        room = cls(*make_desk(tmp_path, tickets, config=config))
        for name, role, uid in (("lee", Role.LEAD, 1002), ("rob", Role.READ_ONLY, 1003)):
            room.store.save_agent(Agent(name, role=role, uid=uid), Batch(f"agent-{name}", NOW))
        room.store.save_team(Team("network"), Batch("team-network", NOW))
        return room

    def turn(self) -> str:
        """A minute later: the id of the next batch."""
        self.turns += 1
        self.clock += MINUTE
        return f"turn-{self.turns:04}"

    def be(self, name: str) -> Who:
        """Act as this agent."""
        agent = self.store.agents()[name]
        return Who(agent, agent.uid, "test")

    def do(self, line: str, *ids: int, by: str = "kim", **more: Any) -> Outcome:
        """Do a command line on tickets."""
        batch = self.turn()
        return perform(self.desk, lines.script(line), ids, self.be(by), at=self.clock, batch_id=batch, **more)

    def undo(self, *, by: str = "kim", **more: Any) -> Outcome:
        """Take back what `by` did last."""
        batch = self.turn()
        return undo(self.desk, self.be(by), at=self.clock, batch_id=batch, **more)

    def redo(self, *, by: str = "kim") -> Outcome:
        """Do again what `by` took back last."""
        return self.undo(by=by, redo=True)

    def receive(self, *mails: Inbound, **how: Any) -> intake.Taken:
        """Let mails come in; `how` changes the fields of the account's Intake."""
        batch = self.turn()
        into = replace(
            intake.Intake("support", "email", self.desk.config, self.desk.signer, frozenset({ADDRESS})), **how
        )
        items = [intake.prepare(item) for item in mails]
        return self.store.write(lambda tx: intake.take_in(tx, into, items, Batch(batch, self.clock, source="support")))

    def mail(self, number: int, **more: Any) -> Inbound:
        """A mail that arrives a minute from now."""
        return mail(number, at=self.clock + MINUTE, **more)

    def answer(self, ticket: int, text: str = "One more thing.", **more: Any) -> intake.Taken:
        """Let the requester of `ticket` write again."""
        first = self.store.thread(ticket)[0]
        number = 200_000 + self.turns
        return self.receive(
            self.mail(number, text=text, sender=first.sender, in_reply_to=(first.message_id or "",), **more)
        )

    def send(self, *, state: State = State.SENT, error: str = "") -> list[int]:
        """Let everything that waits go out now, and end so; returns the deliveries."""
        self.clock += HOUR
        claimed = self.store.claim("relay", self.clock, self.clock + MINUTE, 100)
        for one in claimed:
            assert self.store.settle(one.delivery.id, "relay", state, self.clock, error=error)
        return [one.delivery.id for one in claimed]


@contextmanager
def receiving(room: Room) -> Iterator[None]:
    """Meanwhile mail with bytes of its own comes in, one after the other; the first has come when it begins."""
    stop, begun = threading.Event(), threading.Event()

    def work() -> None:
        number = 1_000
        while not stop.is_set():
            number += 1
            raw = Blob.of(b"raw %d" % number)
            room.receive(room.mail(number, raw=raw.key, blobs=(raw,)))
            begun.set()

    writer = threading.Thread(target=work)
    writer.start()
    try:
        assert begun.wait(20)
        yield
    finally:
        stop.set()
        writer.join()
