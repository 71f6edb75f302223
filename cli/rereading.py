"""Mail that could not be read, and reading kept mail again: unprocessable, reparse."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from cli import output
from cli.wiring import Session, now, session, station
from desk.channel import Inbound, Raw
from desk.errors import ConfigError, NotFound
from desk.model import Message, Role
from desk.permissions import demand
from desk.store import Batch, Store, Tx
from desk.text import one_line
from desk.when import iso

if TYPE_CHECKING:
    from relay.workers import Workers

SHARE = 200


@click.command("unprocessable")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line")
def unprocessable_command(as_json: bool) -> None:
    """List messages that could not be read; their bytes are kept, `show --raw` writes them."""
    here = session()
    for message in _originals(here.store(), True):
        why = one_line(message.text)[:200]
        if as_json:
            shown = {"message": message.id, "ticket": message.ticket, "at": iso(message.at), "account": message.account}
            output.json_line(shown | {"text": why, "raw": message.raw})
        else:
            click.echo(f"{message.id:>7}  #{message.ticket:<6} {iso(message.at)}  {why}")


@click.command("reparse")
@click.argument("messages", nargs=-1, type=output.NUMBER, metavar="[MESSAGE...]")
@click.option("--all", "everything", is_flag=True, help="All mail, not only what could not be read")
@click.option("--dry-run", is_flag=True, help="Say what would be read differently, and change nothing")
@click.option("--json", "as_json", is_flag=True, help="Say what was done as one JSON object")
def reparse_command(messages: tuple[int, ...], everything: bool, dry_run: bool, as_json: bool) -> None:
    """Read kept mail again with this version: what could not be read, the messages named, or all.

    Text, quotes, files and kind are put right; what agents did is not touched. It may be
    stopped and started again at any time.
    """
    here = session()
    store = here.store()
    agent = demand(here.agent(), "reparse", Role.LEAD)
    wanted = set(messages)
    source = (m for m in _originals(store, not (everything or wanted)) if not wanted or m.id in wanted)
    progress = output.Progress("messages")
    looked = changed = 0
    from relay.workers import Workers

    workers = Workers(os.cpu_count() or 1)
    try:
        while share := list(islice(source, SHARE)):
            items = _read(here, store, workers, share)
            changed += _replace(store, here.batch(now(), agent.name, "reparse"), share, items, dry_run)
            looked += len(share)
            progress.show(looked)
    finally:
        workers.close()
        progress.end(looked)
    if looked < len(wanted):
        raise NotFound("some of these messages are not there, or did not come as bytes")
    if as_json:
        output.json_line({"looked_at": looked, "changed": changed, "dry_run": dry_run})
    else:
        click.echo(f"{looked:,} messages read again, {changed:,} {'would be ' if dry_run else ''}different")


def _originals(store: Store, unprocessable: bool) -> Iterator[Message]:
    after = 0
    while found := store.originals(after, SHARE, unprocessable=unprocessable):
        yield from found
        after = found[-1].id


def _read(here: Session, store: Store, workers: Workers, messages: list[Message]) -> dict[int, Inbound]:
    items: dict[int, Inbound] = {}
    for name in {m.account for m in messages}:
        mine = [m for m in messages if m.account == name]
        raws = [Raw(str(m.id), store.blob(m.raw or ""), m.at) for m in mine]
        read = asyncio.run(workers.prepare(_parser(here, name), raws))
        items |= {m.id: item for m, item in zip(mine, read, strict=True) if isinstance(item, Inbound)}
    return items


def _replace(store: Store, batch: Batch, messages: list[Message], items: dict[int, Inbound], dry_run: bool) -> int:
    from desk.perform import Undone
    from desk.reading_again import read_again

    changed = 0

    def body(tx: Tx) -> None:
        nonlocal changed
        changed = sum(read_again(tx, message, items[message.id], batch) for message in messages)
        if dry_run:
            raise Undone

    with suppress(Undone):
        store.write(body)
    return changed


def _parser(here: Session, account: str) -> Any:
    """How the account's mail is read: as its settings say, or as any mail where it has none any more."""
    if account in here.config.channels:
        try:
            found = station(here.config, account).parse
        except ConfigError:
            found = None
        if found is not None:
            return found
    import channels.email

    return channels.email.parse
