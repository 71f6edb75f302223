"""Invariants 2, 3, 5 and 6: exchanged folders, removed mail, and connections that break anywhere, counted."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from desk.intake import Intake
from desk.model import State
from relay import pump as pumping
from relay.engine import Engine
from relay.outbox import outbox
from relay.pump import pump
from tests.channels.email.accounts import account, clear, mail
from tests.relays import Room, running, until
from tests.servers.cutting import Cutting
from tests.servers.dovecot import User
from tests.servers.scripted_imap import ScriptedImap
from tests.servers.scripted_smtp import ScriptedSmtp

STEPS = 10
"""Answers that one reading of the scripted mailbox takes, from the greeting to the last flag."""


async def read(engine: Engine) -> None:
    """Let the relay read the mailbox once."""
    station = engine.stations[0]
    how = Intake("support", "email", engine.config, engine.signer, pumping._own(engine))
    await pumping._read(engine, station, how, pumping.Strays())


def texts(room: Room) -> Counter[tuple[str, str]]:
    """Every message from outside, by subject and text."""
    rows = room.store._execute("SELECT subject, text FROM message WHERE direction = 'in'")  # type: ignore[attr-defined]
    return Counter((subject, text) for subject, text in rows)


def tickets(room: Room) -> int:
    """How many there are."""
    return int(room.store._execute("SELECT count(*) FROM ticket")[0][0])  # type: ignore[attr-defined]


def odd(number: int) -> bytes:
    """Mail as it comes: every third without a Message-ID, every fifth with one that others have, too."""
    data = mail(number)
    if number % 3 == 0:
        return data.replace(b"Message-ID: <%d@example.com>\r\n" % number, b"")
    return data.replace(b"<%d@example.com>" % number, b"<same@example.com>") if number % 5 == 0 else data


# -- exchanged folders ------------------------------------------------------


async def exchange(folder: Path, user: User, runs: int) -> str:
    room = Room(folder, account(user.imap()))
    engine = room.engine("a")
    count = 12
    user.deliver(*(odd(n) for n in range(1, count + 1)))
    await read(engine)
    for _ in range(runs):
        before, kept = tickets(room), texts(room)
        await engine.stations[0].channel.close()
        user.renumber()
        await read(engine)
        assert tickets(room) == before, "the same mail opened a ticket again"
        assert texts(room) == kept
        count += 1
        user.deliver(odd(count))
        await engine.stations[0].channel.close()
        user.renumber()  # this time with a new message among the old ones
        await read(engine)
        assert sum(texts(room).values()) == sum(kept.values()) + 1
    await engine.stations[0].channel.close()
    kept = texts(room)
    found = sum(n for (subject, _), n in kept.items() if subject.startswith("mail "))
    doubled = [key for key, n in kept.items() if n > 1]
    assert (count - found, doubled) == (0, [])
    assert room.store.check() == []
    return f"invariant 2: {2 * runs} new UIDVALIDITYs, {count} mails: lost {count - found}, doubled {len(doubled)}"


async def test_exchanged_folder_loses_and_doubles_nothing(tmp_path: Path, user: User) -> None:
    print(await exchange(tmp_path, user, 4))


@pytest.mark.torture
def test_fifty_exchanges_lose_and_double_nothing(tmp_path: Path, user: User) -> None:
    print(asyncio.run(exchange(tmp_path, user, 50)))


# -- removed mail, broken connections ---------------------------------------


async def test_expunge_deletes_nothing_here(tmp_path: Path, user: User) -> None:
    room = Room(tmp_path, account(user.imap()))
    engine = room.engine("a")
    user.deliver(*(mail(n) for n in range(1, 21)))
    await read(engine)
    kept = texts(room)
    client = user.look()
    client.store("1:*", "+FLAGS", r"(\Deleted)")
    client.expunge()
    client.logout()
    user.deliver(mail(21))
    await read(engine)
    assert texts(room) - kept == Counter({("mail 21", next(t for s, t in texts(room) if s == "mail 21")): 1})
    assert kept - texts(room) == Counter()
    await engine.stations[0].channel.close()


async def _back(folder: Path, step: int, how: str) -> float:
    """Seconds until a relay has read everything although the server breaks off at `step`."""
    folder.mkdir()
    async with ScriptedImap([mail(n) for n in range(1, 8)], cut_at=step, how=how) as server:
        room = Room(folder, account(clear(server.port, timeout_s=1.0)))
        engine = room.engine("a", lease_ms=3_000)
        begun = time.monotonic()
        async with running(engine.supervise("pump:support", partial(pump, engine, engine.stations[0]))):
            await until(lambda: server.seen == set(range(1, 8)), f"all mail in spite of the cut at step {step}", 60)
            seconds = time.monotonic() - begun
        await engine.stations[0].channel.close()
        assert sum(n for (s, _), n in texts(room).items() if s.startswith("mail ")) == 7
        assert server.steps >= step
        return seconds


@pytest.mark.parametrize("how", ["before", "half", "silence"])
async def test_relay_is_back_soon_wherever_the_server_breaks_off(tmp_path: Path, how: str) -> None:
    times = await asyncio.gather(*(_back(tmp_path / str(step), step, how) for step in range(1, STEPS + 1)))
    mine = {t for t in asyncio.all_tasks() if "ScriptedImap" not in repr(t.get_coro())} - {asyncio.current_task()}
    print(f"invariant 3: cut ({how}) at {STEPS} steps, back after {max(times):.1f} s at most, hung tasks {len(mine)}")
    assert max(times) < 60
    assert not mine


# -- sending ----------------------------------------------------------------


async def cuts(folder: Path, count: int, *, asked: bool) -> str:
    """Answers on a line that is cut once for each, anywhere: after so many bytes sent, or received."""
    dice = random.Random(count + asked)
    room = Room(folder)
    attempts: Counter[State] = Counter()
    async with ScriptedSmtp() as server:
        for number in range(count):
            # The beginning, where the verbs are, as often as the message itself.
            after = (
                dice.choice((dice.randrange(1, 250), dice.randrange(250, 1_400))) if asked else dice.randrange(1, 320)
            )
            async with Cutting(server.port, after, asked=asked) as wire:
                engine = room.engine("a", settings=account(smtp=clear(wire.port, timeout_s=2.0, answer_timeout_s=2.0)))
                room.do(f"reply answer-{number:03}.")
                async with running(outbox(engine)):
                    await until(lambda number=number: _state(room, number) in _ENDED, f"answer {number} to be settled")
                attempts[_state(room, number)] += 1
        engine = room.engine("a", settings=account(smtp=clear(server.port)))
        room.hurry()
        async with running(outbox(engine)):
            await until(lambda: {s for s, _ in room.states()} <= {State.SENT, State.UNKNOWN}, "the rest to go out", 60)
    arrived = [sum(f"answer-{n:03}.".encode() in m for m in server.messages) for n in range(count)]
    states = [state for state, _ in room.states()]
    lost = [n for n in range(count) if states[n] is State.SENT and not arrived[n]]
    twice = [n for n in range(count) if arrived[n] > 1]
    first = ", ".join(f"{n} {state.value}" for state, n in attempts.items())
    assert (lost, twice) == ([], [])
    side = "sent" if asked else "received"
    return f"invariants 5, 6: {count} cuts by bytes {side}: {first}; silently lost {len(lost)}, sent twice {len(twice)}"


_ENDED = {State.SENT, State.DEFERRED, State.UNKNOWN}


def _state(room: Room, number: int) -> State | None:
    states = room.states()
    return states[number][0] if len(states) > number else None


@pytest.mark.parametrize("asked", [True, False])
async def test_cut_anywhere_is_sent_again_or_known_to_be_unknown(tmp_path: Path, asked: bool) -> None:
    print(await cuts(tmp_path, 6, asked=asked))


@pytest.mark.torture
@pytest.mark.parametrize("asked", [True, False])
def test_hundred_cuts_lose_and_double_nothing(tmp_path: Path, asked: bool) -> None:
    print(asyncio.run(cuts(tmp_path, 100, asked=asked)))


@pytest.mark.torture
def test_hundred_copies_that_fail_send_nothing_again(tmp_path: Path) -> None:
    """Invariant 6: the copy to Sent breaks off at any byte; the answer went out once all the same."""

    async def copies() -> str:
        dice = random.Random(6)
        count = 100
        async with ScriptedSmtp() as server, ScriptedImap([]) as imap:
            room = Room(tmp_path, account(clear(imap.port), clear(server.port), sent_folder="Sent"))
            for number in range(count):
                async with Cutting(imap.port, dice.randrange(1, 260)) as wire:
                    settings = account(clear(wire.port, timeout_s=1.0), clear(server.port), sent_folder="Sent")
                    engine = room.engine("a", settings=settings)
                    room.do(f"reply copy-{number:03}.")
                    async with running(outbox(engine)):
                        await until(lambda number=number: _state(room, number) is State.SENT, "the answer to be sent")
                        room.hurry()
                    await engine.stations[0].channel.close()
            arrived = [sum(f"copy-{n:03}.".encode() in m for m in server.messages) for n in range(count)]
            assert arrived == [1] * count
            return f"invariant 6: {count} copies cut off, {len(imap.appended)} kept, sent twice {sum(n > 1 for n in arrived)}"

    print(asyncio.run(copies()))
