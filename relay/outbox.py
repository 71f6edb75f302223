"""The way out: claim what is due, send it, settle what became of it.

The phase is written down before the data goes out, so that after a crash it is known
whether a message may have left: before the data phase it is sent again, in or after it
it is `unknown`, and only a person sends it again.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import count

from msgspec.structs import replace

from desk.channel import (
    AuthRequired,
    ChannelError,
    Outgoing,
    Part,
    Permanent,
    RateLimited,
    Refusal,
    Retry,
    Sender,
    Sent,
    Unknown,
)
from desk.errors import DeskError, Invalid, NotFound
from desk.model import Delivery, Identity, Kind, State
from desk.signatures import signature, signed
from desk.store import Outbound
from desk.text import handle, storable
from desk.threads import IN_PUBLIC, PRIVATE, conversation_named
from relay.engine import Engine, Station
from relay.hooks import ask
from relay.log import log
from relay.retry import GIVE_UP_MS, LATER_S, SLOWEST_S, backoff

IDLE_S = 0.5
AT_ONCE = 4
STOP_S = 5.0
"""How long a sending under way may go on after the relay was told to stop."""


async def outbox(engine: Engine) -> None:
    """Send what is due, for ever; none waits for the slowest of those before it."""
    stations = {s.name: s for s in engine.stations if isinstance(s.channel, Sender)}
    under_way: dict[asyncio.Task[None], Delivery] = {}
    try:
        while True:
            # Ours are not lost, however long we could not say so.
            ours = [delivery.id for delivery in under_way.values()]
            lost = await engine.call(engine.store.reclaim, engine.now(), without=ours)
            if lost:
                log.warning("taken over from a lost sender", extra={"deliveries": lost})
            # Each account has its own room: a server that hangs holds up no reply to others.
            busy = Counter(delivery.account for delivery in under_way.values())
            full = [name for name, count in busy.items() if count >= AT_ONCE]
            full += [name for name in engine.held if name not in full]
            claimed = await engine.call(_claim, engine, full)
            for one in claimed:
                task = asyncio.create_task(_deliver(engine, stations.get(one.delivery.account), one))
                under_way[task] = one.delivery
            if claimed:
                continue
            await _change(under_way)
    finally:
        await _end(under_way)


def _claim(engine: Engine, without: list[str]) -> list[Outbound]:
    at = engine.now()
    return engine.store.claim(engine.holder, at, at + engine.lease_ms, 1, without=without)


async def _change(under_way: dict[asyncio.Task[None], Delivery]) -> None:
    """Return when there may be something to send and room for it; raises what failed unforeseen."""
    if not under_way:
        await asyncio.sleep(IDLE_S)
        return
    done, _ = await asyncio.wait(under_way, timeout=IDLE_S, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        del under_way[task]
        task.result()


async def _end(under_way: dict[asyncio.Task[None], Delivery]) -> None:
    """We are to stop: those under way are given time to end."""
    if not under_way:
        return
    _, late = await asyncio.wait(under_way, timeout=STOP_S)
    for task in late:
        task.cancel()
    if late:
        await asyncio.wait(late, timeout=STOP_S)


@dataclass(frozen=True)
class _Result:
    state: State
    error: str = ""
    remote_id: str | None = None
    again_in_s: float | None = None
    again: tuple[str, ...] = ()
    conversation: str | None = None
    account: str = ""
    """How the account fares, where the attempt shows it."""


class _ClaimLost(Exception):
    """Another process has taken the delivery over."""


async def _deliver(engine: Engine, station: Station | None, one: Outbound) -> None:
    """Carry one delivery to its end; an attempt that was cut off by our own stop is settled too."""
    part: Part | None = None
    async with _held(engine, one.delivery.id) as phase:
        try:
            if station is None:
                raise Retry(f'no account "{one.delivery.account}" is configured where the relay runs')
            await ask(engine, one)
            parts = await engine.patience.outlast(partial(asyncio.to_thread, _render, engine, station, one))
            part = parts[-1]
            result = await _send(engine, station, parts, one, phase)
        except _ClaimLost:
            log.warning("delivery taken over by another relay", extra={"delivery": one.delivery.id})
            return
        except (ChannelError, DeskError) as error:
            result = _failure(one, error, before_data=True)
        except Exception as error:  # whatever is wrong with one reply, the others are to go out
            log.error("unexpected failure", exc_info=error, extra={"delivery": one.delivery.id})
            result = _failure(one, _unforeseen(error), before_data=True)
        settled = await _settle(engine, one, result)
    if result.account:
        await engine.report(f"send:{one.delivery.account}", result.account)
    if settled and result.state is State.SENT and part is not None and station is not None:
        await _archive(station, part, one.delivery.id)


async def _settle(engine: Engine, one: Outbound, result: _Result) -> bool:
    """Write down what became of an attempt; a store that is away for a moment does not make it unknown."""
    give_up = result.again_in_s is not None and engine.now() - one.delivery.not_before > GIVE_UP_MS
    if give_up and result.state is State.DEFERRED:
        result = _Result(State.FAILED, f"given up after three days: {result.error}")
    next_at = engine.now() + int(result.again_in_s * 1000) if result.again_in_s is not None else None
    error = storable(result.error)
    told = {"delivery": one.delivery.id, "ticket": one.ticket.id, "state": result.state.value, "error": error}
    work = partial(
        engine.store.settle, one.delivery.id, engine.holder, result.state, engine.now(),
        error=error, remote_id=result.remote_id, conversation=result.conversation, next_at=next_at, again=result.again,
    )  # fmt: skip
    settled = await _written_down(engine, work, told)
    log.info("delivery settled" if settled else "delivery lost to another relay", extra=told)
    return settled


async def _written_down(engine: Engine, work: Callable[[], bool], told: Mapping[str, object]) -> bool:
    """What `work` says of a delivery, however often the store must be asked for it."""
    for attempt in count(1):
        try:
            return await asyncio.shield(engine.call(work))
        except DeskError as trouble:
            log.warning("delivery not yet settled", extra={**told, "why": str(trouble)})
            await asyncio.sleep(backoff(attempt, longest_s=STOP_S))
    raise AssertionError


@asynccontextmanager
async def _held(engine: Engine, number: int) -> AsyncIterator[_Phase]:
    phase = _Phase(engine, number)
    keeper = asyncio.create_task(phase.keep())
    try:
        yield phase
    finally:
        keeper.cancel()


class _Phase:
    """Where an attempt stands; written down before it matters, and renewed while it lasts."""

    def __init__(self, engine: Engine, number: int) -> None:
        self._engine, self._number = engine, number
        self._one_by_one = asyncio.Lock()
        self.name = "connect"

    async def __call__(self, name: str) -> None:
        self.name = name
        if not await self._note():
            raise _ClaimLost

    async def keep(self) -> None:
        while True:
            await asyncio.sleep(self._engine.lease_ms / 3_000)
            # A store that is away for a moment must not end the renewals.
            with suppress(DeskError):
                await self._note()

    async def _note(self) -> bool:
        # A renewal that began before "data" and is written after it would make a message that
        # may have gone out look like one that never began.
        async with self._one_by_one:
            engine = self._engine
            # Not asked again later: the other side would not wait for it in the middle of a message.
            return await engine.once(
                engine.store.phase, self._number, engine.holder, self.name, engine.now() + engine.lease_ms
            )


async def _send(engine: Engine, station: Station, parts: Sequence[Part], one: Outbound, phase: _Phase) -> _Result:
    """Send what is left of a message, part by part; the result is that of the last one tried."""
    last = len(parts) - 1
    for number in range(min(one.delivery.part, last), last):
        result = await _attempt(station, parts[number], number, one, phase)
        if result.state is not State.SENT:
            return result
        # It went out: not to say so would be to send it again.
        noted = partial(engine.store.sent_part, one.delivery.id, engine.holder, number, result.remote_id)
        if not await _written_down(engine, noted, {"delivery": one.delivery.id, "part": number}):
            raise _ClaimLost
        phase.name = "connect"
    return await _attempt(station, parts[last], last, one, phase)


async def _attempt(station: Station, part: Part, number: int, one: Outbound, phase: _Phase) -> _Result:
    assert isinstance(station.channel, Sender)
    key = f"deskhand-{one.delivery.id}-{one.message.id}" + (f"-{number}" if number else "")
    try:
        sent = await station.channel.send(part, key, phase)
    except asyncio.CancelledError:
        if phase.name == "connect" or station.channel.capabilities.idempotent:
            return _Result(State.DEFERRED, "the relay was stopped; it is sent again", again_in_s=0.0)
        return _Result(State.UNKNOWN, "the relay was stopped in the middle; it may have gone out")
    except Unknown as error:
        if station.channel.capabilities.idempotent:
            # What came twice there is there once.
            return _failure(one, Retry(str(error)), before_data=True)
        return _failure(one, error, before_data=False)
    except ChannelError as error:
        return _failure(one, error, before_data=phase.name == "connect")
    except (DeskError, _ClaimLost):
        raise  # the phase could not be written down: nothing was begun
    except Exception as error:  # the system's, or a mistake in the channel
        if phase.name == "connect" or station.channel.capabilities.idempotent:
            return _failure(one, _unforeseen(error), before_data=True)
        return _Result(State.UNKNOWN, f"it broke off in the middle; it may have gone out ({error})")
    return _accepted(one, sent)


def _unforeseen(error: Exception) -> Retry:
    return Retry(f"{type(error).__name__}: {error}")


def _accepted(one: Outbound, sent: Sent) -> _Result:
    final = [_told(a, r) for a, r in sent.refused.items() if r.permanent]
    later = {a: r for a, r in sent.refused.items() if not r.permanent}
    words = "; ".join(final + [_told(a, r) for a, r in later.items()])
    again = tuple(_ours(a, one) for a in later)
    pause = _pause(one, LATER_S) if later else None
    # What the other side calls them is cleaned as it is when it comes in: they are compared.
    return _Result(State.SENT, words, _named(sent.remote_id), pause, again, _named(sent.conversation), "ok")


def _named(name: str | None) -> str | None:
    return None if name is None else handle(name)


def _told(address: str, refusal: Refusal) -> str:
    return f"{address}: {refusal.code} {refusal.text}".strip()


def _ours(address: str, one: Outbound) -> str:
    """The recipient as the delivery names it, for one the channel wrote in another way."""
    if address in one.delivery.recipients:
        return address
    return next((a for a in one.delivery.recipients if a.rpartition("@")[0] == address.rpartition("@")[0]), address)


def _failure(one: Outbound, error: Exception, *, before_data: bool) -> _Result:
    match error:
        case Unknown():
            return _Result(State.UNKNOWN, str(error))
        case Permanent():
            return _Result(State.FAILED, str(error))
        case AuthRequired():
            return _Result(State.DEFERRED, str(error), again_in_s=15.0, account=f"paused: {error}")
        case RateLimited(after_s=after_s):
            return _Result(
                State.DEFERRED, str(error), again_in_s=_pause(one, after_s or 0.0), account=f"waiting: {error}"
            )
        case Retry(after_s=after_s):
            return _Result(State.DEFERRED, str(error), again_in_s=_pause(one, after_s or 0.0))
        case _ if before_data:
            return _Result(State.DEFERRED, str(error), again_in_s=_pause(one))
    return _Result(State.UNKNOWN, str(error))


def _pause(one: Outbound, at_least_s: float = 0.0) -> float:
    """Seconds until the next attempt; a customer waits, but nobody's server is to be worn down for three days."""
    # Whatever the other side asks for, somebody looks once a day.
    return min(max(at_least_s, backoff(one.delivery.attempts + 2, longest_s=SLOWEST_S)), 86_400.0)


async def _archive(station: Station, part: Part, number: int) -> None:
    """Keep the copy in the Sent folder; that it fails never sends again."""
    assert isinstance(station.channel, Sender)
    try:
        await station.channel.archive(part)
    except Exception as error:
        log.warning("no copy was kept on the server", extra={"delivery": number, "error": str(error)})


def _render(engine: Engine, station: Station, one: Outbound) -> list[Part]:
    """The parts of a message, for those of its recipients that this delivery is for; the same each time."""
    assert isinstance(station.channel, Sender)
    draft = compose(engine, station, one)
    by_mail = "email" in station.channel.capabilities.kinds
    people = one.delivery.recipients
    recipients = tuple(_written(station.channel, draft, a) for a in people) if by_mail else people
    return [Part(part.data, recipients, draft.automatic) for part in station.channel.render(draft)]


def _written(channel: Sender, draft: Outgoing, address: str) -> str:
    """A recipient as the channel writes it: a domain in Punycode, for one."""
    if address.isascii():
        return address
    alone = replace(draft, to=(Identity("email", address),), cc=(), bcc=(), attachments=())
    return next(iter(channel.render(alone)[0].recipients), address)


def _signature(engine: Engine, one: Outbound) -> str:
    """The agent's own signature, else the desk's; a template that is wrong must not hold up an answer."""
    agent = engine.store.agents().get(one.message.agent or "")
    try:
        return signature(agent, engine.config, one.ticket)
    except Invalid as error:
        log.warning("signature left out", extra={"agent": one.message.agent, "error": str(error)})
        return ""


def compose(engine: Engine, station: Station, one: Outbound) -> Outgoing:
    """The message as the customer gets it: signature, reply token and files added."""
    message, store = one.message, engine.store
    ours = station.channel.addresses[0]
    text = message.text
    if message.kind is Kind.PUBLIC and station.channel.capabilities.subject:
        # Letters are signed; in a chat everybody sees who speaks.
        text = signed(text, _signature(engine, one))
    sender = message.sender or ours
    reply_to = None
    if station.channel.capabilities.plus_address:
        reply_to = Identity("email", engine.signer.plus(ours.value, one.ticket.id), sender.display)
    files = []
    for attachment in message.attachments:
        try:
            files.append((attachment, store.blob(attachment.sha256)))
        except NotFound as error:
            raise Permanent(f"the file {attachment.name} is gone from the store: {error}") from error
    return Outgoing(
        ticket=one.ticket.id,
        message_id=message.message_id or "",
        at=message.at,
        sender=Identity(sender.kind, ours.value, sender.display),
        to=message.to,
        cc=message.cc,
        bcc=message.bcc,
        text=text,
        subject=message.subject,
        reply_to=reply_to,
        references=one.references,
        automatic=message.automatic is not None,
        attachments=tuple(files),
        conversation=conversation_named(message.account, message.conversation),
        answers=one.answers,
        public=IN_PUBLIC in message.flags,
        private=PRIVATE in message.flags,
    )
