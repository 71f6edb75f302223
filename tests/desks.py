"""A desk with a few tickets in a real store, for tests that need one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from desk import intake, lines
from desk.channel import Inbound
from desk.config import DeskConfig
from desk.model import HOUR, MINUTE, Account, Agent, Attachment, Identity, Millis, Role
from desk.perform import Desk, Outcome, Who, perform
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


def make_desk(tmp_path: Path, tickets: int = 5, *, config: DeskConfig | None = None) -> tuple[Store, Desk, Who]:
    """A store with the agents kim (admin) and sam, one mail account, and so many tickets, the oldest first."""
    config = config or DeskConfig()
    store = open_store(f"sqlite:///{tmp_path}/desk.db", config, create=True)
    kim = Agent("kim", display="Kim", role=Role.ADMIN, uid=1000)
    for agent in (kim, Agent("sam", display="Sam", uid=1001)):
        store.save_agent(agent, Batch(f"agent-{agent.name}", NOW))
    store.save_account(Account("support", "email", ADDRESS, capabilities={"may_start": True}, health="ok"))
    desk = Desk(store, config, Signer(b"x" * 32))
    mails = [mail(i, at=NOW - (tickets - i) * 7 * MINUTE) for i in range(tickets)]
    receive(desk, mails, batch="filled")
    return store, desk, Who(kim, 1000, "test")


def mail(number: int, *, at: Millis = NOW, text: str = "", subject: str | None = None, name: str | None = None, **more: object) -> Inbound:
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


def answer(desk: Desk, ticket: int, text: str, *, batch: str, at: Millis = NOW + HOUR, sender: int | None = None) -> intake.Taken:
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
