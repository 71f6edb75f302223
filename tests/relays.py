"""A desk with one mailbox and the relay that runs it, in this process, for tests."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import channels.email as email
from channels.email.settings import Settings
from desk import lines
from desk.channel import Inbound
from desk.config import DeskConfig
from desk.intake import Intake, prepare, take_in
from desk.model import Agent, Identity, Role, State
from desk.perform import Desk, Outcome, Who, perform
from desk.store import Batch, Store
from desk.threads import Signer
from relay.engine import Engine, Station
from relay.outbox import outbox
from relay.workers import Workers
from storage import open_store
from tests.channels.email.accounts import account

CONFIG = DeskConfig(undo_s=0)
SIGNER = Signer(b"test" * 8)
_numbers = itertools.count(1)


def now() -> int:
    """The time, in Unix milliseconds."""
    return time.time_ns() // 1_000_000


def batch(line: str = "") -> Batch:
    """A fresh header."""
    return Batch(f"b{next(_numbers)}", now(), line=line)


class Room:
    """A store with an agent, an account `support` and one ticket, and relays for it."""

    def __init__(self, folder: Path, settings: Settings | None = None, url: str = "") -> None:
        self.url = url or f"sqlite:///{folder}/desk.db"
        self.store: Store = open_store(self.url, CONFIG, create=True)
        self.store.save_agent(Agent("kim", role=Role.ADMIN, uid=0), batch())
        self.desk = Desk(self.store, CONFIG, SIGNER)
        self.settings = settings or account()
        engine = self.engine("setup")
        self.store.save_account(engine.describe(engine.stations[0], "ok"))
        self.write("ann@example.com", "The tunnel drops")

    def write(self, sender: str, subject: str) -> None:
        """Let a customer write."""
        number = next(_numbers)
        how = Intake("support", "email", CONFIG, SIGNER, frozenset({"support@desk.test"}))
        item = prepare(
            Inbound(
                f"x/{number}",
                now(),
                Identity("email", sender),
                "Hello",
                subject=subject,
                message_id=f"{number}@example.com",
            )
        )
        self.store.write(lambda tx: take_in(tx, how, [item], batch()))

    def do(self, line: str, *ids: int) -> Outcome:
        """Let the agent act."""
        return perform(
            self.desk,
            lines.script(line),
            ids or (1,),
            Who(self.store.agents()["kim"], 0, "host"),
            at=now(),
            batch_id=f"p{next(_numbers)}",
        )

    def engine(self, holder: str, lease_ms: int = 30_000, settings: Settings | None = None) -> Engine:
        """A relay's surroundings, as another process would have them."""
        station = Station("support", "email", email.open("support", settings or self.settings), email.parse, 5)
        return Engine(self.store, CONFIG, SIGNER, [station], holder, now, Workers(0), lease_ms)

    def states(self) -> list[tuple[State, str]]:
        """State and error of every delivery, oldest first."""
        return [
            (d.state, d.error or "") for d, _ in sorted(self.store.outbox(tuple(State)), key=lambda pair: pair[0].id)
        ]

    def hurry(self) -> None:
        """Let the time pass until every waiting delivery is due again."""
        self.store._execute("UPDATE delivery SET next_at = 0 WHERE state IN ('queued', 'failed for now')")  # type: ignore[attr-defined]


@asynccontextmanager
async def running(*parts: Any) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Run parts of a relay beside the block."""
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task


async def until(condition: Callable[[], object], what: str, seconds: float = 15.0) -> None:
    """Wait until `condition` holds; fail with `what` when it does not in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds:.0f} s in vain: {what}")
        await asyncio.sleep(0.01)


def outboxes(engines: Sequence[Engine]) -> list[Any]:
    """The sending parts of several relays."""
    return [outbox(engine) for engine in engines]
