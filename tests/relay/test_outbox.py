"""relay.outbox: no reply is silently lost, and none is sent twice by the program (invariants 5 to 8)."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

import channels.email as email
from desk.channel import Outgoing, Part, Phase, Sent
from desk.errors import Busy, StoreError
from desk.model import State
from relay import outbox as module
from relay.engine import Station
from relay.outbox import outbox
from tests.channels.email.accounts import NOWHERE, account, clear
from tests.relays import Room, batch, now, running, until
from tests.servers.scripted_smtp import DROP, SILENCE, STEPS, ScriptedSmtp

FINAL = {State.SENT, State.FAILED, State.UNKNOWN, State.DEFERRED}


def settled(room: Room) -> bool:
    return all(state in FINAL for state, _ in room.states())


def at(server: ScriptedSmtp, **other: object) -> dict[str, object]:
    return clear(server.port, **other)


async def test_reply_goes_out_with_threading_headers_and_is_sent(tmp_path: Path) -> None:
    async with ScriptedSmtp() as server:
        room = Room(tmp_path, account(smtp=at(server)))
        room.do("reply **Hello** Ann")
        async with running(outbox(room.engine("a"))):
            await until(lambda: room.states() == [(State.SENT, "")], "the reply to be sent")
    (sent,) = server.messages
    thread = room.store.thread(1)
    assert f"Message-ID: <{thread[1].message_id}>".encode() in sent
    assert f"In-Reply-To: <{thread[0].message_id}>".encode() in sent
    assert b"<strong>Hello</strong>" in sent
    assert thread[1].state is State.SENT
    assert room.store.ticket(1).waiting_since is None


@pytest.mark.parametrize("fault", [DROP, SILENCE])
@pytest.mark.parametrize("step", STEPS)
async def test_cut_is_sent_again_before_the_data_and_unknown_from_there_on(
    tmp_path: Path, step: str, fault: str
) -> None:
    async with ScriptedSmtp(**{step: fault}) as server:
        room = Room(tmp_path, account(smtp=at(server, timeout_s=0.3, answer_timeout_s=0.3)))
        room.do("reply Hello")
        async with running(outbox(room.engine("a"))):
            await until(lambda: settled(room), f"the cut at {step} to be settled")
            if step in ("DATA", "DOT"):
                assert [s for s, _ in room.states()] == [State.UNKNOWN]
                assert room.store.thread(1)[1].state is State.UNKNOWN
                room.hurry()
                await asyncio.sleep(2 * module.IDLE_S)
                assert len(server.messages) == (step == "DOT"), "an unknown delivery is never sent again by the program"
                room.store.retry(1, batch("outbox retry 1"))
            else:
                assert [s for s, _ in room.states()] == [State.DEFERRED]
                assert not server.messages
                room.hurry()
            await until(lambda: room.states()[0][0] is State.SENT, "the second attempt")
    ids = {line for message in server.messages for line in message.split(b"\r\n") if line.startswith(b"Message-ID:")}
    assert len(ids) == 1, "every attempt carries the same Message-ID"
    assert len(server.messages) == (2 if step == "DOT" else 1)


@pytest.mark.parametrize(
    ("verb", "said", "state"),
    [
        ("RCPT", "451 4.7.1 try later", State.DEFERRED),
        ("RCPT", "550 5.1.1 no such user", State.FAILED),
        ("MAIL", "452 4.3.1 disk full", State.DEFERRED),
        ("DATA", "554 5.7.1 not from you", State.FAILED),
        ("DOT", "451 4.3.0 mailbox busy", State.DEFERRED),
        ("DOT", "552 5.3.4 too big", State.FAILED),
        ("AUTH", "535 5.7.8 wrong", State.DEFERRED),
        ("RCPT", "550 5.1.1 Empf\udce4nger unbekannt", State.FAILED),
        ("MAIL", "452 4.3.1 sp\udce4ter", State.DEFERRED),
        ("DOT", "554 5.7.1 unerw\udcfcnscht", State.FAILED),
    ],
)
async def test_server_says_no_and_the_agent_reads_why(tmp_path: Path, verb: str, said: str, state: State) -> None:
    async with ScriptedSmtp(**{verb: said}) as server:
        room = Room(tmp_path, account(smtp=at(server)))
        room.do("reply Hello")
        async with running(outbox(room.engine("a"))):
            await until(lambda: settled(room), f"{said} to be settled")
    ((found, why),) = room.states()
    assert found is state
    assert said.split(" ", 2)[2].encode(errors="surrogateescape").decode(errors="replace") in why or verb == "AUTH"
    assert room.store.thread(1)[1].state is state


@pytest.mark.parametrize(
    ("verb", "said", "health"),
    [
        ("GREETING", "554 no SMTP service here", "waiting: 127.0.0.1 turns us away: 554 no SMTP service here"),
        ("EHLO", "550 who are you", "waiting: 127.0.0.1 turns us away: 550 who are you"),
        ("AUTH", "535 5.7.8 wrong", "paused: 127.0.0.1 wants a valid login: 535 5.7.8 wrong"),
    ],
)
async def test_account_that_is_turned_away_says_so_and_its_replies_wait(
    tmp_path: Path, verb: str, said: str, health: str
) -> None:
    async with ScriptedSmtp(**{verb: said}) as server:
        room = Room(tmp_path, account(smtp=at(server)))
        room.do("reply Hello")
        async with running(outbox(room.engine("a"))):
            await until(lambda: room.store.accounts()["support"].health == health, "the health to be told")
            assert room.states()[0][0] is State.DEFERRED
            assert room.store.accounts()["support"].paused is (verb == "AUTH")
            room.hurry()
            await until(lambda: room.states()[0][0] is State.SENT, "the next attempt")
            await until(lambda: room.store.accounts()["support"].health == "ok", "the health to be well again")


async def test_health_of_one_half_does_not_hide_the_other(tmp_path: Path) -> None:
    room = Room(tmp_path)
    here = room.engine("a")
    told = []
    for part, words in (("send", "paused: no"), ("pump", "ok, but slow"), ("pump", "retrying: gone"), ("send", "ok")):
        await here.report(f"{part}:support", words)
        told.append(room.store.accounts()["support"].health)
    assert told == ["paused: no", "paused: no", "retrying: gone", "retrying: gone"]


async def test_words_of_acceptance_in_any_encoding_are_an_acceptance(tmp_path: Path) -> None:
    async with ScriptedSmtp(DOT="250 angenommen f\udcfcr sp\udce4ter") as server:
        room = Room(tmp_path, account(smtp=at(server)))
        room.do("reply Hello")
        async with running(outbox(room.engine("a"))):
            await until(lambda: settled(room), "the reply to be settled")
    assert room.states() == [(State.SENT, "")]


async def test_greylisted_reply_is_tried_again_after_a_minute_or_few(tmp_path: Path) -> None:
    async with ScriptedSmtp(RCPT="451 4.7.1 greylisted") as server:
        room = Room(tmp_path, account(smtp=at(server)))
        room.do("reply Hello")
        begun = now()
        async with running(outbox(room.engine("a"))):
            await until(lambda: settled(room), "the greylisting to be settled")
        ((_, again_at),) = room.store.outbox((State.DEFERRED,))
        assert 60_000 <= (again_at or 0) - begun <= 5 * 60_000


async def test_partial_refusal_is_told_per_recipient_and_only_the_deferred_one_is_tried_again(tmp_path: Path) -> None:
    answers = ["250 ok", "550 5.1.1 no such user", "451 4.7.1 later", "250 ok"]
    async with ScriptedSmtp(RCPT=answers) as server:
        room = Room(tmp_path, account(smtp=at(server)))
        room.do("reply --cc 'bob@example.com, cyd@example.com' Hello")
        async with running(outbox(room.engine("a"))):
            await until(
                lambda: len(room.states()) == 2, "the recipient refused for now to become a delivery of its own"
            )
            first, second = room.states()
            assert first[0] is State.SENT
            assert "bob@example.com: 550" in first[1]
            assert second[0] is State.DEFERRED
            room.hurry()
            await until(lambda: room.states()[1][0] is State.SENT, "the second attempt")
    recipients = [c for c in server.commands if c.startswith("RCPT")]
    assert [c.partition("<")[2].rstrip(">") for c in recipients] == [
        "ann@example.com",
        "bob@example.com",
        "cyd@example.com",
        "cyd@example.com",
    ]


@pytest.mark.parametrize(("phase", "state"), [("connect", State.DEFERRED), ("data", State.UNKNOWN)])
async def test_lost_sender_is_taken_over_according_to_its_phase(tmp_path: Path, phase: str, state: State) -> None:
    room = Room(tmp_path, account(smtp=NOWHERE))
    room.do("reply Hello")
    (claimed,) = room.store.claim("lost", now() + 1, now() + 1)
    assert room.store.phase(claimed.delivery.id, "lost", phase, now() - 1)
    room.store.reclaim(now() + 1)
    assert [s for s, _ in room.states()] == [state]
    assert not room.store.settle(claimed.delivery.id, "lost", State.SENT, now()), "who lost the claim settles nothing"
    assert not room.store.phase(claimed.delivery.id, "lost", "data", now()), "nor may it begin to send"
    assert [s for s, _ in room.states()] == [state]


async def test_sleeping_sender_that_wakes_after_takeover_sends_nothing(tmp_path: Path) -> None:
    async with ScriptedSmtp() as server:
        room = Room(tmp_path, account(smtp=at(server)))
        room.do("reply Hello")
        (claimed,) = room.store.claim("asleep", now() + 1, now())
        room.store.reclaim(now() + 10)
        asleep = room.engine("asleep")
        await module._deliver(asleep, asleep.stations[0], claimed)
        assert not server.messages
        async with running(outbox(room.engine("b"))):
            await until(lambda: room.states()[0][0] is State.SENT, "the one who took over to send")
    assert len(server.messages) == 1


async def test_two_relays_never_send_the_same_delivery(tmp_path: Path) -> None:
    async with ScriptedSmtp() as server:
        room = Room(tmp_path, account(smtp=at(server)))
        for number in range(20):
            room.do(f"reply Hello {number}")
        async with running(outbox(room.engine("a")), outbox(room.engine("b"))):
            await until(lambda: all(s is State.SENT for s, _ in room.states()), "all replies to be sent")
    assert len(server.messages) == 20
    assert len(set(server.messages)) == 20


async def test_stopped_relay_leaves_nothing_half_done(tmp_path: Path) -> None:
    async with ScriptedSmtp(DOT=SILENCE) as server:
        room = Room(tmp_path, account(smtp=at(server, answer_timeout_s=0.5)))
        room.do("reply Hello")
        async with running(outbox(room.engine("a"))):
            await until(lambda: server.messages, "the data to be on its way")
    assert [s for s, _ in room.states()] == [State.UNKNOWN]


async def test_delivery_of_an_account_that_is_not_configured_waits(tmp_path: Path) -> None:
    room = Room(tmp_path, account(smtp=NOWHERE))
    room.do("reply Hello")
    engine = room.engine("a")
    engine.stations.clear()
    async with running(outbox(engine)):
        await until(lambda: settled(room), "the delivery to be settled")
    assert room.states() == [(State.DEFERRED, 'no account "support" is configured where the relay runs')]


async def test_copy_that_cannot_be_kept_sends_nothing_again(tmp_path: Path) -> None:
    async with ScriptedSmtp() as server:
        room = Room(tmp_path, account(smtp=at(server), imap=NOWHERE, sent_folder="Sent"))
        room.do("reply Hello")
        async with running(outbox(room.engine("a"))):
            await until(lambda: room.states()[0][0] is State.SENT, "the reply to be sent")
            room.hurry()
            await asyncio.sleep(2 * module.IDLE_S)
    assert len(server.messages) == 1


async def test_reply_that_cannot_be_rendered_holds_up_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with ScriptedSmtp() as server:
        room = Room(tmp_path, account(smtp=at(server)))
        engine = room.engine("a")
        whole = engine.stations[0].channel.render  # type: ignore[attr-defined]

        def render(draft: Outgoing) -> object:
            if "poison" in draft.text:
                raise ZeroDivisionError("a mistake of ours")
            return whole(draft)

        monkeypatch.setattr(engine.stations[0].channel, "render", render)
        room.do("reply poison")
        room.do("reply Hello")
        async with running(outbox(engine)):
            await until(lambda: settled(room), "both replies to be settled")
    assert room.states() == [(State.DEFERRED, "ZeroDivisionError: a mistake of ours"), (State.SENT, "")]


async def test_mistake_of_a_channel_in_the_data_phase_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = Room(tmp_path)
    engine = room.engine("a")

    async def send(part: Part, key: str, phase: Phase) -> Sent:
        await phase("data")
        raise KeyError(key)

    monkeypatch.setattr(engine.stations[0].channel, "send", send)
    room.do("reply Hello")
    async with running(outbox(engine)) as tasks:
        await until(lambda: settled(room), "the reply to be settled")
        assert not tasks[0].done()
    assert [state for state, _ in room.states()] == [State.UNKNOWN]


async def test_store_that_is_away_for_a_moment_makes_nothing_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "backoff", lambda attempt, **_: 0.01)
    async with ScriptedSmtp() as server:
        room = Room(tmp_path, account(smtp=at(server)))
        settle, refusals = room.store.settle, iter([StoreError("the disk is full"), Busy("somebody holds it")])

        def full(*args: object, **kwargs: object) -> bool:
            for refusal in refusals:
                raise refusal
            return settle(*args, **kwargs)  # type: ignore[arg-type]

        monkeypatch.setattr(room.store, "settle", full)
        room.do("reply Hello")
        async with running(outbox(room.engine("a"))):
            await until(lambda: settled(room), "the reply to be settled")
    assert room.states() == [(State.SENT, "")]
    assert len(server.messages) == 1


async def test_slow_answer_holds_up_no_other_reply(tmp_path: Path) -> None:
    async with ScriptedSmtp(DOT=SILENCE) as server:
        room = Room(tmp_path, account(smtp=at(server, timeout_s=30, answer_timeout_s=30)))
        for number in range(9):
            room.do(f"reply Hello {number}")
        async with running(outbox(room.engine("a"))):
            await until(lambda: sum(s is State.SENT for s, _ in room.states()) == 8, "all but the slow one to be sent")
            server.hang_up()
            await until(lambda: settled(room), "the slow one to be settled")
    assert [s for s, _ in room.states()].count(State.UNKNOWN) == 1


async def test_renewal_never_takes_the_data_phase_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room(tmp_path)
    engine = room.engine("a", lease_ms=3)
    written: list[str] = []

    def slow(number: int, holder: str, name: str, until: int) -> bool:
        # The later a renewal was asked for, the sooner it is written.
        time.sleep(0.05 if name == "connect" else 0)
        written.append(name)
        return True

    monkeypatch.setattr(room.store, "phase", slow)
    async with module._held(engine, 1) as phase:
        await asyncio.sleep(0.02)
        await phase("data")
        written_by_then = len(written)
        await asyncio.sleep(0.1)
    assert written[written_by_then - 1] == "data"
    assert set(written[written_by_then:]) == {"data"}


async def test_server_that_hangs_holds_up_no_other_account(tmp_path: Path) -> None:
    async with ScriptedSmtp(GREETING=[SILENCE] * 100) as hung, ScriptedSmtp() as good:
        room = Room(tmp_path, account(smtp=at(hung, timeout_s=60)))
        for number in range(20):
            room.do(f"reply Hello {number}")
        engine = room.engine("a")
        other = account(smtp=at(good))
        engine.stations.append(Station("other", "email", email.open("other", other), email.parse, 5))
        room.write("bob@example.com", "Mine hangs")
        async with running(outbox(engine)):
            await until(lambda: len(hung._open) == module.AT_ONCE, "the hanging account to have its share")
            room.do("reply Hello", 2)
            room.store._execute("UPDATE delivery SET account = 'other' WHERE ticket = 2")  # type: ignore[attr-defined]
            await until(lambda: good.messages, "the other account's reply to be sent")
            assert len(hung._open) == module.AT_ONCE
            hung.hang_up()
