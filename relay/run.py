"""Running all parts of the relay until somebody says stop."""

from __future__ import annotations

import asyncio
import json
import signal
from functools import partial

from desk.channel import Attentive, Poller
from desk.config import published
from desk.errors import DeskError
from desk.hosts import RELAY
from relay import hooks, rules
from relay.attending import attending
from relay.engine import Engine, Station
from relay.log import log
from relay.outbox import outbox
from relay.pump import pump
from relay.ticks import Trust, ticks

STOP_S = 15.0
SETTINGS_S = 1.0


async def run(engine: Engine) -> None:
    """Pump, send and tick until SIGTERM or SIGINT; then end in good order and give every lease back."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    log.info("relay started", extra={"holder": engine.holder, "accounts": [s.name for s in engine.stations]})
    # Before anything comes in: what comes after this is news to the rules and the hooks.
    for name in (rules.CURSOR, hooks.CURSOR):
        await engine.call(rules.begin, engine, name)
    for station in engine.stations:
        await engine.call(engine.store.save_account, engine.describe(station, "starting"))
    await engine.look()
    parts = [asyncio.create_task(_presence(engine), name="presence")]
    parts.append(asyncio.create_task(_settings(engine), name="settings"))
    for station in engine.stations:
        if isinstance(station.channel, Poller):
            parts.append(
                asyncio.create_task(engine.supervise(f"pump:{station.name}", partial(_account, engine, station)))
            )
    parts.append(asyncio.create_task(engine.supervise("outbox", partial(outbox, engine)), name="outbox"))
    parts.append(asyncio.create_task(engine.supervise("clock", partial(ticks, engine, Trust())), name="clock"))
    parts.append(asyncio.create_task(engine.supervise("rules", partial(rules.rules, engine)), name="rules"))
    parts.append(asyncio.create_task(engine.supervise("hooks", partial(hooks.hooks, engine)), name="hooks"))
    await stop.wait()
    await _end(engine, parts)


async def _account(engine: Engine, station: Station) -> None:
    """Keep an account read, and its customers shown who is there: both under one lease, for both share a connection."""
    if not (engine.attend and isinstance(station.channel, Attentive)):
        await pump(engine, station)
        return
    shown = asyncio.create_task(attending(engine, station))
    try:
        await pump(engine, station)
    finally:
        shown.cancel()


async def _end(engine: Engine, parts: list[asyncio.Task[None]]) -> None:
    log.info("relay stops")
    for part in parts:
        part.cancel()
    await asyncio.wait(parts, timeout=STOP_S)
    for station in engine.stations:
        await station.channel.close()
    engine.workers.close()
    try:
        await engine.once(engine.store.release, f"{RELAY}{engine.holder}", engine.holder)
    except DeskError as error:
        log.warning("presence not taken back", extra={"error": str(error)})
    log.info("relay stopped")


async def _settings(engine: Engine) -> None:
    """Go by what is published while we run, and by which accounts are paused."""
    known = await engine.call(engine.store.setting, "config_version")
    while True:
        await asyncio.sleep(SETTINGS_S)
        try:
            await engine.look()
            version = await engine.call(engine.store.setting, "config_version")
            if version is not None and version != known:
                text = await engine.call(engine.store.setting, "config")
                engine.config = published(json.loads(text or "{}"), int(version))
                known = version
                log.info("configuration taken up", extra={"version": int(version)})
        except DeskError as error:
            log.warning("configuration not taken up", extra={"error": str(error)})


async def _presence(engine: Engine) -> None:
    while True:
        try:
            await engine.patience.outlast(engine.show_up)
        except DeskError as error:
            log.warning("presence not renewed", extra={"error": str(error)})
        await asyncio.sleep(engine.lease_ms / 3_000)
