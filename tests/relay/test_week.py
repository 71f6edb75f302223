"""A week of faults in fast forward: whatever happens every hour, in the end nothing is lost, doubled or unsettled."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from desk import lines
from desk.channel import AuthRequired, ChannelError
from desk.intake import Intake
from desk.model import Millis, State
from desk.perform import Who, perform
from relay import pump as pumping
from relay.engine import Engine
from relay.outbox import outbox
from tests.channels.email.accounts import account, clear, mail
from tests.relays import Room, now, running, until
from tests.servers.cutting import Cutting
from tests.servers.dovecot import User
from tests.servers.scripted_smtp import DROP, STEPS, ScriptedSmtp

HOUR: Millis = 3_600_000
SETTLED = {State.SENT, State.UNKNOWN, State.FAILED}


class Week:
    """A desk whose servers have a bad time, and a clock that has none."""

    def __init__(self, folder: Path, user: User, seed: int) -> None:
        self.dice = random.Random(seed)
        self.user = user
        self.room = Room(folder, account(user.imap()))
        self.clock: Millis = now()
        self.mails = self.answers = 0
        self.said: Counter[str] = Counter()
        self.smtp = ScriptedSmtp()
        self.password = "secret"
        self.holders = 0

    def engine(self, **tables: Any) -> Engine:
        """A relay as a new process would be; its clock is ours."""
        self.holders += 1
        imap = tables.pop("imap", {}) | {"password": self.password}
        settings = account(
            self.user.imap(**imap), clear(self.smtp.port, timeout_s=1.0, answer_timeout_s=1.0) | tables.pop("smtp", {})
        )
        engine = self.room.engine(f"relay-{self.holders}", settings=settings)
        engine.now = lambda: self.clock
        return engine

    async def hour(self) -> None:
        """Something comes in, somebody answers, something goes wrong, and the relay makes the best of it."""
        for _ in range(self.dice.choice((0, 1, 1, 2, 5))):
            self.mails += 1
            self.user.deliver(mail(self.mails))
        if self.dice.random() < 0.5:
            self.answers += 1
            agent = self.room.store.agents()["kim"]
            line = lines.script(f"reply answer-{self.answers:04}.")
            perform(self.room.desk, line, (1,), Who(agent, 0, "host"), at=self.clock, batch_id=f"w{self.answers}")
        fault = self.dice.choice(
            ("none", "none", "imap away", "imap cut", "wrong password", "exchanged", "greylist", "smtp drop", "killed")
        )
        self.said[fault] += 1
        await getattr(self, f"_{fault.replace(' ', '_')}")()
        self.clock += HOUR

    async def _none(self) -> None:
        await self.work(self.engine())

    async def _imap_away(self) -> None:
        await self.work(self.engine(imap={"port": 1}))

    async def _imap_cut(self) -> None:
        async with Cutting(self.user.server.port, self.dice.randrange(1, 4_000)) as wire:
            await self.work(self.engine(imap={"port": wire.port, "tls": "none"}))

    async def _wrong_password(self) -> None:
        self.password = "wrong"
        await self.work(self.engine())
        self.password = "secret"

    async def _exchanged(self) -> None:
        with suppress(FileNotFoundError):
            self.user.renumber()
        await self.work(self.engine())

    async def _greylist(self) -> None:
        self.smtp._script["RCPT"].append("451 4.7.1 greylisted")
        await self.work(self.engine())
        self.smtp._script.clear()

    async def _smtp_drop(self) -> None:
        self.smtp._script[self.dice.choice(STEPS)].append(DROP)
        await self.work(self.engine())
        self.smtp._script.clear()

    async def _killed(self) -> None:
        """The process ends at some moment: nothing that it still meant to do or to write down happens."""
        engine = self.engine()
        original, left = engine.call, self.dice.randrange(1, 12)
        gone = asyncio.Event()

        async def call(work: Any, *args: Any, **kwargs: Any) -> Any:
            nonlocal left
            left -= 1
            if left <= 0:
                gone.set()
                await asyncio.Event().wait()  # a dead process finishes nothing
            return await original(work, *args, **kwargs)

        engine.call = call  # type: ignore[method-assign]
        tasks = [asyncio.ensure_future(self.work(engine)), asyncio.ensure_future(gone.wait())]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=1)
        self.clock += HOUR  # its leases run out
        await self.work(self.engine())

    async def work(self, engine: Engine) -> None:
        """Read the mailbox once and send what is due."""
        station = engine.stations[0]
        how = Intake("support", "email", engine.config, engine.signer, pumping._own(engine))
        try:
            await pumping._read(engine, station, how, pumping.Strays())
        except AuthRequired:
            self.said["login refused"] += 1
        except ChannelError:
            self.said["reading failed"] += 1
        async with running(outbox(engine)):
            await until(lambda: not self._due(), "what is due to be sent")
        await station.channel.close()

    def _due(self) -> bool:
        rows = self.room.store._read.execute(  # type: ignore[attr-defined]
            "SELECT count(*) FROM delivery WHERE state = 'sending' OR (state IN ('queued', 'failed for now') AND next_at <= ?)",
            (self.clock,),
        )
        return bool(rows.fetchone()[0])

    def verdict(self, hours: int) -> str:
        """Count what became of it all."""
        subjects = Counter(
            row[0] for row in self.room.store._read.execute("SELECT subject FROM message WHERE direction = 'in'")
        )  # type: ignore[attr-defined]
        lost = [n for n in range(1, self.mails + 1) if not subjects[f"mail {n}"]]
        doubled = [n for n in range(1, self.mails + 1) if subjects[f"mail {n}"] > 1]
        states = Counter(state for state, _ in self.room.states())
        sent = [sum(f"answer-{n:04}.".encode() in m for m in self.smtp.messages) for n in range(1, self.answers + 1)]
        twice, silent = sum(n > 1 for n in sent), states[State.SENT] - sum(1 for n in sent if n)
        said = (
            f"{hours} hours: {dict(self.said)}; {self.mails} mails: lost {len(lost)}, doubled {len(doubled)}; "
            f"{self.answers} answers: { {s.value: n for s, n in states.items()} }, sent twice {twice}, silently lost {max(0, silent)}"
        )
        assert not lost, said
        assert not doubled, said
        assert not twice, said
        assert silent <= 0, said
        assert set(states) <= SETTLED, said
        assert self.room.store.check() == [], said
        return said


async def live(folder: Path, user: User, hours: int, seed: int) -> str:
    """So many hours of faults, then a quiet day."""
    week = Week(folder, user, seed)
    async with week.smtp:
        for _ in range(hours):
            await week.hour()
        for _ in range(24):
            await week._none()
            week.clock += HOUR
        return week.verdict(hours)


async def test_day_of_faults_loses_and_doubles_nothing(tmp_path: Path, user: User) -> None:
    print(await live(tmp_path, user, 24, 1))


@pytest.mark.torture
@pytest.mark.parametrize("seed", range(3))
def test_week_of_faults_loses_and_doubles_nothing(tmp_path: Path, user: User, seed: int) -> None:
    print(asyncio.run(live(tmp_path, user, 7 * 24, seed)))
