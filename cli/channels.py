"""The verb channel: the accounts by which customers are reached, tried, paused and resumed, and new kinds of them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

from cli import output
from cli.wiring import Session, now, session, station
from desk.capabilities import Capabilities
from desk.channel import ChannelError
from desk.errors import ConfigError, DeskError, NotFound
from desk.health import fares
from desk.model import HOUR, MINUTE, Account, Role
from desk.permissions import demand
from desk.query import suggest
from desk.text import one_line
from desk.when import brief, iso

_PATIENCE_S = 30
_WHY = 200
"""So many characters of a reason are kept: it is read in one line."""


@click.group("channel", invoke_without_command=True)
@click.pass_context
def channel_command(context: click.Context) -> None:
    """The accounts of the desk: list them, try them, pause and resume them; begin a new kind of channel."""
    if context.invoked_subcommand is None:
        _list(as_json=False)


@channel_command.command("list")
@click.option("--kinds", is_flag=True, help="The kinds of channel there are, ours and installed ones")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line")
def list_(kinds: bool, as_json: bool) -> None:
    """List the accounts: how each fares, who has paused it and why, and what it carries."""
    (_kinds if kinds else _list)(as_json)


def _list(as_json: bool) -> None:
    here, at = session(), now()
    known = here.store().accounts()
    accounts = [known.get(name) or _not_yet(here, name) for name in dict.fromkeys((*known, *here.config.channels))]
    for account in accounts:
        if as_json:
            output.json_line(_json(account, configured=account.name in here.config.channels))
            continue
        age = f", {brief(at - account.health_at)} ago" if account.health_at and not account.held else ""
        said = (account.name, account.channel, account.address, f"{one_line(fares(account)) or 'never read'}{age}")
        if here.options.get("plain"):
            click.echo("\t".join((*said, carried(account.capabilities))))
            continue
        click.echo(f"{said[0]} ({', '.join(word for word in said[1:3] if word)}): {said[3]}")
        click.echo(click.style(f"  {carried(account.capabilities)}", dim=True))
    if not accounts:
        output.say("there is no account yet; add one with: deskhand init")


def _not_yet(here: Session, name: str) -> Account:
    """An account that no relay has told of: as much as the configuration says."""
    kind = here.config.channels[name]["kind"]
    try:
        channel = station(here.config, name).channel
    except DeskError as error:
        return Account(name, kind, "", health=str(error))
    ours = channel.addresses[0]
    health = "no relay has run it yet; start one with: deskhand relay"
    return Account(name, kind, ours.value, ours.display, channel.capabilities, health)


def _json(account: Account, *, configured: bool) -> dict[str, Any]:
    return {
        "name": account.name,
        "channel": account.channel,
        "address": account.address,
        "display": account.display,
        "health": fares(account),
        "paused": account.paused or bool(account.held),
        "held": account.held,
        "at": iso(account.health_at or None),
        "configured": configured,
        "carries": msgspec.to_builtins(account.capabilities) if account.capabilities else None,
    }


def carried(can: Capabilities | None) -> str:
    """What an account carries, as a line for people."""
    if can is None:
        return "what it carries is not known: no relay has told yet"
    return "; ".join(_carried(can))


def _carried(can: Capabilities) -> Iterator[str]:
    if not can.sends:
        yield "only listens"
    else:
        yield "text" if can.markup == "plain" else f"text with {can.markup}"
        if can.text_limit is not None:
            yield f"at most {can.text_limit:,} {can.unit}" + (", longer ones in several" if can.splits else "")
        if can.public_limit is not None:
            yield f"in public at most {can.public_limit:,} {can.public_unit or can.unit}"
        if can.attachment_limit_bytes:
            count = f"{can.attachment_count} " if can.attachment_count is not None else ""
            types = f" ({', '.join(can.attachment_types)})" if can.attachment_types else ""
            yield f"{count}files up to {_size(can.attachment_limit_bytes)}{types}"
        else:
            yield "no files"
        yield "may begin" if can.may_start else "only answers"
        if can.window_ms is not None:
            then = f", then {can.after_window}" if can.after_window else ""
            yield f"free answers for {_span(can.window_ms)} after the customer wrote{then}"
        where = [word for word, there in (("in public", can.public), ("in private", can.private)) if there]
        yield from where
    told = ("subject", "copies", "edits", "deletes", "reactions", "receipts", "typing", "presence")
    words = {"subject": "subjects", "deletes": "removals"}
    if has := [words.get(name, name) for name in told if getattr(can, name)]:
        yield ", ".join(has)
    if can.cost:
        yield can.cost


def _size(count: int) -> str:
    return f"{count / 1_000_000:,.3g} MB" if count >= 1_000_000 else f"{count // 1_000:,} kB"


def _span(ms: int) -> str:
    return f"{ms // HOUR} hours" if ms >= 2 * HOUR else f"{ms // MINUTE} minutes"


def _kinds(as_json: bool) -> None:
    import channels

    for kind in channels.kinds():
        ours = kind in channels.BUILT_IN
        try:
            about = (channels.load(kind).__doc__ or "").strip().partition("\n")[0]
        except ConfigError as error:
            about = str(error)
        if as_json:
            output.json_line({"kind": kind, "built_in": ours, "about": about})
        else:
            click.echo(f"{kind:<14} {'' if ours else '(installed) '}{about}".rstrip())


# -- trying ---------------------------------------------------------------------------


@channel_command.command("check")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--json", "as_json", is_flag=True, help="One JSON object an account")
def check(names: tuple[str, ...], as_json: bool) -> int | None:
    """Try accounts of the configuration (all, without NAME): connect, log in, look; exit code 1 when one fails."""
    here = session()
    there = here.config.channels
    if not there:
        place = here.config_path or "the configuration"
        raise ConfigError(f"{place} names no account to try; add one with: deskhand init")
    for name in names:
        if name not in there:
            raise NotFound(f'the configuration has no account "{name}"{suggest(name, tuple(there))}')
    wrong = 0
    for name in names or there:
        well, words = tried(here, name)
        wrong += not well
        if as_json:
            output.json_line({"name": name, "well": well, "text": words})
        else:
            mark = click.style("ok  ", fg="green") if well else click.style("FIX ", fg="red", bold=True)
            click.echo(f"{mark} {name}: {words}")
    return 1 if wrong else None


def tried(here: Session, name: str) -> tuple[bool, str]:
    """Whether the account `name` of the configuration works, and what was found."""

    async def attempt() -> list[str]:
        channel = station(here.config, name).channel
        try:
            return list(await asyncio.wait_for(channel.check(), _PATIENCE_S))
        finally:
            await channel.close()

    try:
        return True, one_line("; ".join(asyncio.run(attempt())))
    except TimeoutError:
        return False, f"no answer within {_PATIENCE_S} s; check host and port"
    except (ChannelError, ConfigError, OSError) as error:
        return False, one_line(str(error))


# -- pausing ----------------------------------------------------------------------------


@channel_command.command("pause")
@click.argument("name")
@click.argument("why", nargs=-1)
def pause(name: str, why: tuple[str, ...]) -> None:
    """Have nothing fetched or sent by an account until it is resumed; WHY is shown to everybody."""
    here = session()
    agent = demand(here.agent(), "channel pause", Role.LEAD)
    _account(here, name)
    reason = one_line(" ".join(why)).strip()[:_WHY]
    words = f"by {agent.name}" + (f": {reason}" if reason else "")
    here.store().hold_account(name, words, here.batch(now(), agent.name, f"channel pause {name} {reason}".rstrip()))
    click.echo(f"{name} is paused; go on with: deskhand channel resume {name}")


@channel_command.command("resume")
@click.argument("name")
def resume(name: str) -> None:
    """Fetch and send by a paused account again; what waited goes on at once."""
    here = session()
    agent = demand(here.agent(), "channel resume", Role.LEAD)
    account = _account(here, name)
    if not account.held:
        fared = f"; it fares so: {one_line(account.health)}" if account.health not in ("", "ok") else ""
        output.say(f"nobody has paused {name}{fared}")
        return
    here.store().hold_account(name, "", here.batch(now(), agent.name, f"channel resume {name}"))
    click.echo(f"{name} goes on")


def _account(here: Session, name: str) -> Account:
    accounts = here.store().accounts()
    if name in accounts:
        return accounts[name]
    if name in here.config.channels:
        raise NotFound(f"no relay has run {name} yet, so there is nothing to pause; start one with: deskhand relay")
    raise NotFound(f'there is no account "{name}"{suggest(name, tuple(accounts))}; deskhand channel list names them')


# -- a kind of one's own ------------------------------------------------------------------


@channel_command.command("new")
@click.argument("name")
@click.argument("folder", required=False, type=click.Path(path_type=Path))
def new(name: str, folder: Path | None) -> None:
    """Begin a kind of channel of your own: a package that works, with its tests, to be changed and installed."""
    from cli.skeleton import write

    made = write(name, folder or Path(f"deskhand-{name}"))
    for path in made.files:
        click.echo(f"wrote {path}")
    click.echo(f"Next: read {made.folder}/README.md; it says how to run the tests, install it, and configure it.")


__all__ = ["carried", "channel_command", "tried"]
