"""The relay and what it is up to: relay, health, outbox."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from functools import partial
from typing import TYPE_CHECKING

import click

from cli import output, rules
from cli.wiring import Session, now, session
from desk.errors import ConfigError, DeskError, StoreError
from desk.health import fares, volumes
from desk.health import trouble as rule_trouble
from desk.hosts import MUST_NOT_DIFFER_MS, astray, relay_runs
from desk.model import Account, State, Volume
from desk.store import Store
from desk.when import brief, iso

if TYPE_CHECKING:
    from desk.perform import Desk


@click.command("relay")
@click.option("--log", "log_to", metavar="FILE", help="Write the log there instead of standard error")
@click.option("--level", type=click.Choice(["debug", "info", "warning", "error"]), help="How much to log")
@click.option("--child", is_flag=True, hidden=True, help="End when whoever holds the other end of standard input does")
def relay_command(log_to: str | None, level: str | None, child: bool) -> None:
    """Fetch mail and messages, send replies, keep the clocks; until SIGTERM or Ctrl-C.

    Several relays may run for one store, on one host or more: each job is done by one of them.
    """
    here = session()
    stations = here.stations()
    if not stations:
        place = here.config_path or "the configuration"
        raise ConfigError(f"{place} names no account, so there is nothing to fetch; add one with: deskhand init")
    from relay import log
    from relay.engine import Engine
    from relay.patience import when_there
    from relay.run import run
    from relay.workers import Workers

    if child:
        threading.Thread(target=_end_with_parent, daemon=True).start()
    settings = here.config.relay
    listener = log.start(log_to or settings.log, level or settings.log_level)
    try:
        # Who starts a service does not start it again: it waits for a store that is not up yet.
        desk = when_there(partial(_desk, here))
        engine = Engine(
            desk.store,
            desk.config,
            desk.signer,
            stations,
            _holder(),
            now,
            Workers(settings.workers),
            settings.lease_s * 1_000,
            folder=here.config_path.absolute().parent if here.config_path else None,
            shown=partial(rules.shown, here),
            attend=settings.attend,
        )
        try:
            asyncio.run(run(engine))
        finally:
            desk.store.close()
    finally:
        listener.stop()


def _desk(here: Session) -> Desk:
    # What is due goes by this host's clock.
    if words := astray(here.store(create=True, upgrade=True).skew(), MUST_NOT_DIFFER_MS):
        raise StoreError(words)
    return here.desk()


def _end_with_parent() -> None:
    """Stop when standard input ends: however the parent went, a relay of its own must not outlive it."""
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _holder() -> str:
    return f"{os.uname().nodename}:{os.getpid()}:{os.urandom(3).hex()}"


@click.command("health")
@click.option("--json", "as_json", is_flag=True, help="As one JSON object")
def health_command(as_json: bool) -> int | None:
    """Say how the relay, the accounts and the outbox fare; exit code 1 when something needs a person."""
    here = session()
    store, at = here.store(), now()
    numbers, running = store.numbers(), relay_runs(store, at)
    accounts = list(store.accounts().values())
    trouble = [a.name for a in accounts if a.paused or fares(a).startswith(("paused", "retrying"))]
    failed = store.outbox((State.FAILED, State.BOUNCED))
    of_rules = list(rule_trouble(store, at))
    volume = volumes(store, at, here.zone)
    well = running and not trouble and not numbers.unknown
    if as_json:
        output.json_line(
            {
                "well": well,
                "relay": running,
                "accounts": [_account_json(a, volume[a.name]) for a in accounts],
                "rules": [{"part": part, "text": words} for part, words in of_rules],
                "queued": numbers.queued,
                "unknown": numbers.unknown,
                "failed": len(failed),
                "tickets": numbers.tickets,
                "open": numbers.live,
                "messages": numbers.messages,
                "seq": numbers.last_seq,
                "leases": [
                    {"name": lease.name, "holder": lease.holder, "until": iso(lease.until)} for lease in store.leases()
                ],
            }
        )
        return None if well else 1
    click.echo(
        "relay    "
        + ("running" if running else "not running: nothing is fetched or sent; start it with: deskhand relay")
    )
    for account in accounts:
        age = f", {brief(at - account.health_at)} ago" if account.health_at and not account.held else ""
        click.echo(
            f"account  {account.name} ({account.channel}, {account.address}): {fares(account) or 'never read'}{age}"
        )
        told = volume[account.name]
        click.echo(
            f"         {told.came_today:,} in, {told.went_today:,} out today; {told.came:,} in, {told.went:,} out in 7 days"
        )
    for part, words in of_rules:
        click.echo(f"{part:<8} {words}")
    if not accounts:
        click.echo("account  none yet; add one with: deskhand init")
    click.echo(
        f"outbox   {numbers.queued} waiting, {numbers.unknown} unknown, {len(failed)} failed"
        + ("" if well else "  (deskhand outbox)")
    )
    click.echo(f"store    {numbers.tickets:,} tickets, {numbers.live:,} open, {numbers.messages:,} messages")
    return None if well else 1


def _account_json(account: Account, volume: Volume) -> dict[str, object]:
    return {
        "name": account.name,
        "channel": account.channel,
        "address": account.address,
        "health": fares(account),
        "paused": account.paused or bool(account.held),
        "held": account.held,
        "at": iso(account.health_at),
        "today": {"in": volume.came_today, "out": volume.went_today},
        "week": {"in": volume.came, "out": volume.went},
    }


@click.group("outbox", invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line")
@click.option("--limit", default=100, type=output.COUNT, show_default=True, help="At most so many")
@click.pass_context
def outbox_command(context: click.Context, as_json: bool, limit: int) -> None:
    """List what is on its way out, what failed, and what is unknown."""
    if context.invoked_subcommand is not None:
        return
    here = session()
    at = now()
    for delivery, next_at in here.store().outbox(limit=limit):
        if as_json:
            output.json_line(
                {
                    "delivery": delivery.id, "ticket": delivery.ticket, "message": delivery.message, "account": delivery.account,
                    "recipients": list(delivery.recipients), "state": delivery.state.value, "phase": delivery.phase or None,
                    "attempts": delivery.attempts, "error": delivery.error, "not_before": iso(delivery.not_before), "next_at": iso(next_at),
                }
            )  # fmt: skip
            continue
        when = (
            f" in {brief(next_at - at)}"
            if next_at and next_at > at and delivery.state in (State.QUEUED, State.DEFERRED)
            else ""
        )
        why = f": {delivery.error}" if delivery.error else ""
        click.echo(
            f"{delivery.id:>6}  #{delivery.ticket:<6} {delivery.state.value}{when}  {', '.join(delivery.recipients)}{why}"
        )


@outbox_command.command("retry")
@click.argument("numbers", nargs=-1, type=output.NUMBER, required=True, metavar="DELIVERY...")
def retry(numbers: tuple[int, ...]) -> None:
    """Send failed or unknown deliveries again, with the same Message-ID.

    An unknown one may have arrived: ask the customer, or look into the server's log, first.
    """
    here = session()
    store = here.store()
    agent = _acting(here)
    for number in numbers:
        store.retry(number, here.batch(now(), agent, f"outbox retry {number}"))
        click.echo(f"delivery {number}: queued again")
    _remind(store)


def _acting(here: Session) -> str:
    from desk.model import Role
    from desk.permissions import demand

    return demand(here.agent(), "outbox retry", Role.AGENT).name


def _remind(store: Store) -> None:
    try:
        if not relay_runs(store, now()):
            output.say("no relay is running, so nothing goes out yet; start one with: deskhand relay")
    except DeskError:
        return
