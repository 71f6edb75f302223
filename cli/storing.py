"""The store as a whole: made, upgraded, checked, copied to another engine, backed up, restored."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli import output
from cli.granting import grant, revoke
from cli.wiring import session
from desk.errors import NotFound, StoreError
from desk.model import Role
from desk.permissions import demand
from storage import open_store, pending_steps

if TYPE_CHECKING:
    from storage.copying import Copied


@click.group("store")
def store_command() -> None:
    """Make, upgrade, check, copy, back up or restore the store; give its agents logins of their own."""


for command in (grant, revoke):
    store_command.add_command(command)


@store_command.command("init")
@click.argument("url", required=False)
def init(url: str | None) -> None:
    """Make a store at URL (or where the configuration says) where there is none; you become its admin.

    URL is sqlite:///path or postgresql://USER@HOST/DATABASE; the database is made with createdb before.
    """
    here = session()
    if url:
        here.options["store"] = url
    try:
        pending_steps(here.url)
    except NotFound:
        store, me = here.store(create=True), here.agent()
        click.echo(f"made {store.url}" + (f"; you are {me.name}, {me.role}" if me else ""))
    else:
        click.echo("there is a store already; nothing was changed (deskhand store upgrade brings it up to date)")


@store_command.command("upgrade")
@click.option("--dry-run", is_flag=True, help="Only say what would be done")
def upgrade(dry_run: bool) -> None:
    """Bring the store to the schema of this version, each step whole or not at all."""
    here = session()
    steps = pending_steps(here.url)
    if dry_run:
        for step in steps:
            click.echo(f"to schema {step}")
        click.echo(f"{len(steps)} steps to do: deskhand store upgrade" if steps else "nothing to do")
        return
    store = here.store(upgrade=True)
    for step in steps:
        click.echo(f"to schema {step}")
    click.echo(f"{store.url} is up to date")


@store_command.command("check")
def check() -> None:
    """Look at everything that should hold; exit code 7 and the culprits when something does not."""
    found = session().store().check()
    for sentence in found:
        click.echo(sentence)
    if found:
        raise StoreError(f"{len(found)} rules do not hold; keep a copy of the store before you change anything")
    click.echo("all is well")


# -- from store to store ----------------------------------------------------


@store_command.command("copy")
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.option("--verify-only", is_flag=True, help="Only compare the two, and change nothing")
def copy(source: str, target: str, verify_only: bool) -> None:
    """Copy the whole desk from one store into another, empty one, of the same engine or another.

    Every number stays as it is. Stop the relay before. A copy that was stopped goes on where
    it was; until it is whole and found to be the same, nothing else opens it. Who may read a
    store may copy it: the rights of the file or of the server say who that is.
    """
    from storage import copying

    if not verify_only:
        done = _copied(source, target, f"deskhand store copy {_named(source)} {_named(target)}")
        click.echo(f"copied {_told(done)}; both are the same")
        output.say(f'from now on it is: [store] url = "{_named(target)}"')
        return
    with _both(source, target, create=False) as (one, two), _shown() as tell:
        wrong = copying.differing(one, two, tell)
    if wrong:
        raise StoreError(copying.unlike(two.url, one.url, wrong))
    click.echo("both are the same")


@store_command.command("restore")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def restore(folder: Path) -> None:
    """Put a backup into the store, which must be empty or not there yet: nothing is ever written over one."""
    from storage.upkeep import backup_in

    source = f"sqlite:///{backup_in(folder.expanduser()).absolute()}"
    done = _copied(source, session().url, f"deskhand store restore {shlex.quote(str(folder))}")
    click.echo(f"restored {_told(done)}")


@click.command("backup")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def backup_command(folder: Path) -> None:
    """Copy the store into FOLDER while others go on working.

    It is put back with: deskhand store restore FOLDER
    """
    from storage.copying import back_up

    here = session()
    demand(here.agent(), "backup", Role.AGENT)
    with _shown() as tell:
        made = back_up(here.store(), folder, tell)
    click.echo(f"copied to {folder}; check it with: deskhand store check --store sqlite:///{made.resolve()}")


store_command.add_command(backup_command)


def _copied(source: str, target: str, finish: str) -> Copied:
    """Copy from store to store; whoever stops it is told how to go on."""
    from storage import copying

    with _both(source, target, create=True) as (one, two), _shown() as tell:
        try:
            return copying.copy(one, two, finish, tell)
        except KeyboardInterrupt:
            output.say(f"\nstopped; go on with: {finish}")
            raise


def _told(done: Copied) -> str:
    if done.changed:
        output.say(f"{done.changed:,} texts held the character NUL, which PostgreSQL cannot keep: it is U+FFFD there")
    return f"{done.tickets:,} tickets, {done.messages:,} messages"


def _named(url: str) -> str:
    """A URL as it may be shown: without a password."""
    if not url.startswith(("postgresql://", "postgres://")):
        return url
    from storage.pool import Server

    return Server(url).name


@contextmanager
def _both(source: str, target: str, *, create: bool) -> Iterator[tuple[Any, Any]]:
    """Two open stores, the second also when it is being copied into."""
    with closing(open_store(source)) as one, closing(open_store(target, create=create, unfinished=True)) as two:
        yield one, two


@contextmanager
def _shown() -> Iterator[Any]:
    """Something to tell how far it is: a line on the terminal for each part of the work."""
    lines: dict[str, output.Progress] = {}
    at = 0

    def tell(what: str, done: int, total: int) -> None:
        nonlocal at
        if what not in lines:
            for line in lines.values():
                line.end(at)
            lines.clear()
            lines[what] = output.Progress(what, total)
        at = done
        lines[what].show(done)

    yield tell
    for line in lines.values():
        line.end(at)
