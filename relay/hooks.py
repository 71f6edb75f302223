"""The team's hooks at work: programs called with what happened, and asked before a message goes out.

They read the log behind everybody else, as rules do, with a place of their own in it: after
a crash what had not ended is called again. A message that a hook is to see first never
goes out unseen: what cannot be asked holds it until it can.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import deque
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from desk.channel import Permanent, Retry
from desk.conditions import case
from desk.errors import DeskError, Invalid, NotFound, StoreError
from desk.hooks import BEFORE_SEND, Hook, before_send, load
from desk.model import Ticket
from desk.news import News, told
from desk.store import Outbound, Tx
from desk.text import clean, one_line
from desk.when import iso
from relay import programs, trouble
from relay.engine import Engine
from relay.log import log

CURSOR = "hooks:"
"""The name under which it is kept how far the hooks have read; no account can have it."""

PAGE = 1_000
AT_ONCE = 4
LONGEST = 10_000
"""Calls that may wait; beyond that the oldest are given up."""

WAIT_S = 1.0
KEEP_S = 1.0
"""How often it is kept how far the hooks have read; what is behind is called again after a crash."""
LATER_S = 60.0
"""When a message is tried again that no hook could be asked about."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a hook that is to be made: for what, and where in the log it stands."""

    hook: Hook
    occasion: str
    ticket: int
    message: int | None
    seq: int
    changes: tuple[dict[str, Any], ...] = ()


async def hooks(engine: Engine) -> None:
    """Call the hooks for what happens, for ever."""
    work = Work(engine, int(await engine.call(engine.store.cursor, CURSOR) or 0))
    try:
        while True:
            more = await work.read_on()
            work.start()
            await engine.patience.outlast(work.keep)
            if not more:
                await work.rest()
    finally:
        await work.end()


@dataclass
class Work:
    """One relay's turn at the hooks: the calls that wait, and those under way."""

    engine: Engine
    read: int
    waiting: deque[Call] = field(default_factory=deque)
    under_way: dict[asyncio.Task[None], Call] = field(default_factory=dict)
    kept: int = -1
    kept_at: float = 0.0
    dropped: int = 0

    def __post_init__(self) -> None:
        self.trouble = trouble.Trouble(self.engine.store, trouble.HOOKS)

    async def read_on(self) -> bool:
        """Take up a page of the log; whether there is more."""
        seq, found = await self.engine.call(self._page)
        for call in found:
            if len(self.waiting) == LONGEST:
                lost = self.waiting.popleft()
                self.dropped += 1
                log.warning(
                    "hook given up", extra={"hook": lost.hook.name, "ticket": lost.ticket, "occasion": lost.occasion}
                )
            self.waiting.append(call)
        more, self.read = seq > self.read, max(seq, self.read)
        return more

    def _page(self) -> tuple[int, list[Call]]:
        wanted = [hook for hook in load(self.engine.config).items.values() if hook.enabled]
        if not wanted:
            return self.engine.store.last_seq(), []
        page = self.engine.store.log(after=self.read, limit=PAGE)
        calls = [call for _, news in told(page) for one in news for call in self._calls(wanted, one)]
        return page[-1].seq if page else self.read, calls

    def _calls(self, wanted: list[Hook], news: News) -> list[Call]:
        found: list[Call] = []
        ticket: Ticket | None = None
        for hook in wanted:
            calls = list(hook.calls(news))
            try:
                ticket = ticket or (self.engine.store.ticket(news.ticket) if calls else None)
                if ticket is None or not _holds(
                    self.engine, hook, ticket, news.before(ticket), news.messages("in", "out")
                ):
                    continue
            except NotFound:
                return []
            changes = tuple(r.data for r in news.records if r.kind == "Changed")
            found += [
                Call(hook, occasion, news.ticket, message, news.records[0].seq, changes) for occasion, message in calls
            ]
        return found

    def start(self) -> None:
        """Make the calls that there is room for."""
        while self.waiting and len(self.under_way) < AT_ONCE:
            call = self.waiting.popleft()
            self.under_way[asyncio.create_task(self._make(call))] = call

    async def _make(self, call: Call) -> None:
        try:
            data = await self.engine.call(_told, self.engine, call.occasion, call.ticket, call.message, call.changes)
            ran = await asyncio.to_thread(_run, self.engine, call.hook, data)
        except StoreError:
            raise
        except DeskError as error:
            ran = programs.Ran("", "", None, str(error))
        extra = {
            "hook": call.hook.name, "occasion": call.occasion, "ticket": call.ticket, "status": ran.code, "stderr": clean(ran.err)[:2_000],
        }  # fmt: skip
        if ran.well:
            log.info("hook ran", extra=extra)
        else:
            log.warning("hook failed", extra={**extra, "why": ran.trouble})
            await self.engine.call(self.trouble.note, self.engine.now(), call.hook.name, call.ticket, ran.trouble)

    async def rest(self) -> None:
        """Return when there may be something to do."""
        if self.waiting or self.under_way:
            await asyncio.wait(self.under_way, timeout=WAIT_S / 10, return_when=asyncio.FIRST_COMPLETED)
        elif load(self.engine.config).items:
            await self.engine.news(self.read, WAIT_S)
        else:
            await asyncio.sleep(WAIT_S)
        for task in [task for task in self.under_way if task.done()]:
            del self.under_way[task]
            task.result()

    async def keep(self, after_s: float = KEEP_S) -> None:
        """Write down how far everything has been called for, now and then."""
        place = min((call.seq for call in (*self.under_way.values(), *self.waiting)), default=self.read + 1) - 1
        now = asyncio.get_running_loop().time()
        if place == self.kept or now - self.kept_at < after_s:
            return

        def body(tx: Tx) -> None:
            if int(tx.cursor(CURSOR) or 0) < place:
                tx.set_cursor(CURSOR, str(place))

        await self.engine.once(self.engine.store.write, body)
        self.kept, self.kept_at = place, now

    async def end(self) -> None:
        """Stop: what is under way is called again by whoever goes on."""
        for task in self.under_way:
            task.cancel()
        await asyncio.gather(*self.under_way, return_exceptions=True)
        with suppress(DeskError):
            await asyncio.shield(self.keep(0.0))


# -- before a message goes out ------------------------------------------------------


async def ask(engine: Engine, one: Outbound) -> None:
    """Let the hooks look at a message that is about to go out; Permanent when one of them holds it back.

    Retry when one could not be asked: it is not sent unseen.
    """
    try:
        asked = before_send(engine.config)
    except Invalid as error:
        raise Retry(str(error), LATER_S) from error
    for hook in asked:
        if await engine.call(_holds, engine, hook, one.ticket, None, (one.message.id,)):
            await _ask(engine, hook, one)


async def _ask(engine: Engine, hook: Hook, one: Outbound) -> None:
    about = {"hook": hook.name, "occasion": BEFORE_SEND, "ticket": one.ticket.id, "delivery": one.delivery.id}
    try:
        data = await engine.call(_told, engine, BEFORE_SEND, one.ticket.id, one.message.id, ())
        ran = await asyncio.to_thread(_run, engine, hook, data | {"recipients": list(one.delivery.recipients)})
    except StoreError:
        raise
    except DeskError as error:
        ran = programs.Ran("", "", None, str(error))
    told = {**about, "status": ran.code, "stderr": clean(ran.err)[:2_000]}
    if ran.code is None or ran.code < 0:
        log.warning("hook could not be asked", extra={**told, "why": ran.trouble})
        raise Retry(f"hook {hook.name} could not be asked: {ran.trouble}", LATER_S)
    log.info("hook asked", extra=told)
    if ran.code:
        reason = one_line(clean(f"{ran.out.strip()} {ran.err.strip()}"))[:500].strip()
        raise Permanent(f"held back by hook {hook.name}: {reason or f'it ended with {ran.code}'}")


# -- the parts they share -------------------------------------------------------------


def _holds(engine: Engine, hook: Hook, ticket: Ticket, before: Ticket | None, new: Collection[int]) -> bool:
    person, thread = engine.store.customer(ticket.requester), partial(engine.store.thread, ticket.id)
    return hook.condition.holds(case(ticket, person, thread, hook.condition.asks, before=before, new=new), engine.now())


def _told(
    engine: Engine, occasion: str, ticket: int, message: int | None, changes: tuple[dict[str, Any], ...]
) -> dict[str, Any]:
    """What a program gets to read."""
    whole = engine.shown(ticket)
    said = next((m for m in whole.get("messages", ()) if m["id"] == message), None)
    return {"event": occasion, "at": iso(engine.now()), "ticket": whole, "message": said, "changes": list(changes)}


def _run(engine: Engine, hook: Hook, data: dict[str, Any]) -> programs.Ran:
    path = Path(hook.program)
    if not path.is_absolute():
        if engine.folder is None:
            raise Invalid(f"{hook.program} is the name of a file in the folder hooks, but the relay has no config.toml")
        path = engine.folder / "hooks" / path
    programs.demand_trusted(path, {os.getuid()})
    line = json.dumps(data, ensure_ascii=False).encode("utf-8", "replace")
    return programs.run(path, line, limit_s=hook.timeout_s, env={"DESKHAND_EVENT": str(data["event"])})
