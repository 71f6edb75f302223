"""Stores of any size, made once through the desk's own intake and kept under bench/out/ for the next run."""

from __future__ import annotations

import hashlib
import random
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from bench.corpus import Corpus
from bench.words import NAMES
from desk.capabilities import Capabilities
from desk.channel import Inbound
from desk.config import DeskConfig
from desk.events import Event, change
from desk.intake import Intake, prepare, take_in
from desk.model import DAY, HOUR, Account, Agent, Identity, Millis, Priority, Role, Status, Team, Ticket
from desk.perform import new_batch_id
from desk.store import Batch, Tx
from desk.threads import Signer
from storage import migrations, open_store

OUT = Path(__file__).resolve().parent / "out"

LIVE = 0.03
"""The share of tickets somebody still has to do something about; the rest is archive."""

SNOOZED = 0.02
"""The share of live tickets that sleep."""

PROBES = {"xylophage": 0.0001, "brontide": 0.14, "quagmire": 0.53}
"""Words planted in this share of the messages, and used nowhere else."""

_CHUNK = 2_000
_AGENTS = ("ash", "birch", "cedar", "elm")
_TAGS = ("billing", "bug", "export", "invoice", "login", "refund", "vpn", "wish")
_LANGUAGES = ("en",) * 13 + ("de", "fr", "ru", "ru", "ja", "zh", "zh")


def store_of(tickets: int, live: float = LIVE) -> Path:
    """The file of a store with so many tickets, made now if it is not there (or was left half made)."""
    folder = OUT / (f"store-{tickets}" if live == LIVE else f"store-{tickets}-{live:.0%}-live")
    path, whole = folder / "desk.db", folder / "complete"
    if whole.exists() and whole.read_text() == _schema():
        return path
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    print(f"making a store of {tickets:,} tickets ...", file=sys.stderr, end="", flush=True)
    begun = time.perf_counter()
    fill(f"sqlite:///{path}", tickets, live)
    whole.write_text(_schema())
    print(f" {time.perf_counter() - begun:.0f} s", file=sys.stderr)
    return path


def _schema() -> str:
    """What a kept store must have been made with: the steps of the schema, word for word."""
    steps = sorted(Path(migrations.__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(step.read_bytes() for step in steps)).hexdigest()


def fill(url: str, tickets: int, live: float) -> None:
    """Put so many tickets into the empty store at `url`."""
    store = open_store(url, create=True)
    dice = random.Random(tickets)
    now = time.time_ns() // 1_000_000
    header = Batch(new_batch_id(now, b"bench"), now, line="bench")
    store.save_team(Team("billing", "Billing"), header)
    for name in _AGENTS:
        store.save_agent(Agent(name, role=Role.AGENT, teams=("billing",)), header)
    store.save_account(
        Account(
            "support",
            "email",
            "help@support.example",
            capabilities=Capabilities(may_start=True, subject=True, copies=True),
        )
    )
    live_from = int(tickets * (1 - live))
    sizes = [(start, min(start + _CHUNK, tickets)) for start in range(0, tickets, _CHUNK)]
    writer = _writer(dice, tickets, live_from, now)
    for start, end in sizes:
        items = [prepare(next(writer)) for _ in range(start, end)]
        cut = max(0, min(len(items), live_from - start))
        for share, status in ((items[:cut], Status.SOLVED), (items[cut:], Status.OPEN)):
            if share:
                how = Intake(
                    "support", "email", DeskConfig(), Signer(b"bench"), frozenset(), silent=True, status=status
                )
                store.write(lambda tx, how=how, share=share: _take(tx, how, share, dice, now), bulk=True)  # type: ignore[misc]
    store.close()


def _take(tx: Tx, how: Intake, items: list[Inbound], dice: random.Random, now: Millis) -> None:
    batch = Batch(new_batch_id(now, dice.randbytes(8)), now, source="bench")
    taken = take_in(tx, how, items, batch)
    events: list[Event] = []
    for ticket in tx.tickets(taken.touched).values():
        if ticket.status.live or dice.random() < 0.1:
            events += _sorted(ticket, dice, now)
    tx.append(batch, events)


def _sorted(ticket: Ticket, dice: random.Random, now: Millis) -> list[Event]:
    """What agents have said about a ticket."""
    return [
        *change(
            ticket,
            assignee=dice.choice((None, *_AGENTS)),
            team=dice.choice((None, "billing")),
            priority=dice.choice((Priority.LOW, Priority.NORMAL, Priority.NORMAL, Priority.HIGH, Priority.URGENT)),
            tags=tuple(sorted(dice.sample(_TAGS, dice.randrange(3)))),
            snoozed_until=now + 30 * DAY if ticket.status.live and dice.random() < SNOOZED else None,
        )
    ]


def _writer(dice: random.Random, tickets: int, live_from: int, now: Millis) -> Iterator[Inbound]:
    """Messages of two years, oldest first; those of live tickets are of the last three days."""
    sentences = Corpus(0, seed=1, customers=1).sentences
    for number in range(tickets):
        language = dice.choice(_LANGUAGES)
        person = int(dice.paretovariate(0.9)) % max(2, tickets // 8)
        first, last = NAMES[language]
        name = f"{first[person % len(first)]} {last[person % len(last)]}"
        sender = Identity("email", f"user{person}@customer{person % 400}.example", name)
        lines = dice.choices(sentences[language], k=dice.randint(2, 10))
        lines += [word for word, rate in PROBES.items() if dice.random() < rate]
        text = "\n".join(lines)
        if number >= live_from:
            at = now - 3 * DAY + int(3 * DAY * (number - live_from) / max(1, tickets - live_from))
        else:
            at = now - 730 * DAY + int(727 * DAY * number / live_from)
        at -= dice.randrange(HOUR)
        key = f"bench.{number}@customer.example"
        subject = dice.choice(sentences[language])[:60]
        yield Inbound(key, at, sender, text, text, subject, at=at, message_id=key)
