"""Setting up: init (a desk and its first mailbox) and config (check, apply)."""

from __future__ import annotations

import asyncio
import os
import shlex
from pathlib import Path
from typing import Any

import click

from cli import output
from cli.publishing import behind, catch_up, differs, publish
from cli.wiring import Session, session, station, user_config
from desk.acknowledge import check as check_template
from desk.channel import ChannelError
from desk.config import Config, Source, parse
from desk.errors import ConfigError, Conflict, Invalid, NotFound
from desk.model import Role
from desk.params import address as read_address
from desk.permissions import demand
from desk.tables import problems


@click.command("init")
@click.option("--address", help="The address customers write to")
@click.option("--name", default="", help="The name beside it")
@click.option("--account", default="support", show_default=True, help="What the account is called here")
@click.option("--imap", metavar="HOST[:PORT]", help="Where mail is read (default: looked for)")
@click.option("--smtp", metavar="HOST[:PORT]", help="Where mail is handed in (default: looked for)")
@click.option(
    "--tls",
    type=click.Choice(["tls", "starttls", "none"]),
    help="How the connections are secured (default: what the servers offer)",
)
@click.option("--user", help="The login name (default: the address)")
@click.option("--password-cmd", metavar="COMMAND", help="A command that prints the password: 'pass show mail/support'")
@click.option(
    "--password-file",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="A file of mode 0600 that holds the password",
)
@click.option(
    "--ca-file", metavar="FILE", type=click.Path(dir_okay=False), help="Certificates to trust instead of the system's"
)
@click.option("--shared", metavar="GROUP", help="Make a store that this group of the host shares")
@click.option("--no-account", is_flag=True, help="Only the store, no mailbox yet")
@click.option("--no-test", is_flag=True, help="Save without trying the connection")
def init_command(**given: Any) -> None:
    """Set up a desk: make the store, find the mail servers, try to log in, and only then save.

    What is not given is asked for. The password itself is never stored: a command or a
    file that yields it is.
    """
    here = session()
    target = Path(here.options["config"]).expanduser() if here.options.get("config") else user_config()
    if given["shared"]:
        _share(here, given["shared"])
    if given["no_account"]:
        here.store(create=True, upgrade=True)
        _wrote(f"the store {here.url}; you are its admin")
        _save_store_url(here, target)
        return
    table = _mailbox(given, target)
    before = target.read_text("utf-8") if target.exists() else ""
    config = parse(before + _toml({"channels": {given["account"]: table}}), str(target))
    if not given["no_test"]:
        _try(config, given["account"])
    addition = "" if before or not here.options.get("store") else _toml({"store": {"url": here.url}})
    _append(target, before, addition + _toml({"channels": {given["account"]: table}}))
    _wrote(f"{target} (account {given['account']}, {table['address']})")
    here.__dict__.pop("config", None)
    here.__dict__.pop("config_path", None)
    here.store(create=True, upgrade=True)
    _wrote(f"the store {here.url}")
    click.echo("Next: deskhand relay fetches and sends; deskhand opens the screen.")


def _share(here: Session, group: str) -> None:
    import grp

    path = Path("/" + here.url.partition(":///")[2].lstrip("/"))
    try:
        gid = grp.getgrnam(group).gr_gid
    except KeyError:
        raise NotFound(f'this host has no group "{group}"; make one with: groupadd {group}') from None
    if path.exists():
        raise Conflict(
            f"{path} exists already; share it with: chgrp {group} {path.parent} {path} && chmod 2770 {path.parent} && chmod 660 {path}"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.chown(path.parent, -1, gid)
        path.parent.chmod(0o2770)
    except OSError as error:
        raise Invalid(
            f"{path.parent}: {error.strerror}; the folder must be yours, and you in the group {group}"
        ) from error


def _mailbox(given: dict[str, Any], target: Path) -> dict[str, Any]:
    """The account's table, from the options and what is asked for."""
    if target.exists() and given["account"] in parse(target.read_text("utf-8"), str(target)).channels:
        raise Conflict(
            f"{target} has an account {given['account']} already; edit it there, or name another with --account"
        )
    address = read_address(given["address"] or click.prompt("The address customers write to")).value
    from cli.servers import find

    found = find(address, given["imap"], given["smtp"], given["tls"], output.say)
    table: dict[str, Any] = {"kind": "email", "address": address}
    if given["name"]:
        table["name"] = given["name"]
    secret = _secret(given)
    common = {key: value for key, value in (("user", given["user"]), ("ca_file", given["ca_file"])) if value}
    table["imap"] = found.imap | common | secret
    table["smtp"] = found.smtp | ({"ca_file": given["ca_file"]} if given["ca_file"] else {})
    return table


def _secret(given: dict[str, Any]) -> dict[str, Any]:
    if given["password_file"]:
        return {"password_file": str(Path(given["password_file"]).expanduser().resolve())}
    command = given["password_cmd"] or click.prompt(
        "A command that prints the password", default="pass show mail/support"
    )
    return {"password_cmd": shlex.split(command)}


def _try(config: Config, account: str) -> None:
    output.say("trying the connection ...")
    channel = station(config, account).channel

    async def attempt() -> list[str]:
        try:
            return list(await channel.check())
        finally:
            await channel.close()

    try:
        for sentence in asyncio.run(attempt()):
            output.say(f"  {sentence}")
    except (ChannelError, OSError) as error:
        raise Invalid(
            f"{error}\nnothing was saved; mend it and run init again (--no-test saves it all the same)"
        ) from error


def _toml(table: dict[str, Any]) -> str:
    import tomli_w

    return tomli_w.dumps(table)


def _append(target: Path, before: str, addition: str) -> None:
    """Add tables at the end: a file that somebody wrote is never written anew."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = not target.exists()
    with target.open("a", encoding="utf-8") as handle:
        handle.write(("\n" if before and not before.endswith("\n\n") else "") + addition)
    if fresh:
        target.chmod(0o600)


def _save_store_url(here: Session, target: Path) -> None:
    if here.options.get("store") and not target.exists():
        _append(target, "", _toml({"store": {"url": here.url}}))
        _wrote(str(target))


def _wrote(what: str) -> None:
    click.echo(f"wrote {what}")


@click.group("config", invoke_without_command=True)
@click.pass_context
def config_command(context: click.Context) -> None:
    """Say which configuration is in force; check it, or publish the team's part."""
    if context.invoked_subcommand is None:
        here = session()
        click.echo(f"file     {here.config_path or 'none (the defaults)'}")
        click.echo(f"store    {here.url}")
        click.echo(f"accounts {', '.join(here.config.channels) or 'none'}")


@config_command.command("check")
@click.argument("file", required=False, type=click.Path(dir_okay=False))
def check(file: str | None) -> None:
    """Check a configuration file down to every account's table, without connecting anywhere."""
    here = session()
    if file:
        here.options["config"] = file
    if here.config_path is None:
        raise ConfigError("there is no configuration file; deskhand init makes one")
    for name in here.config.channels:
        station(here.config, name)
    _ = here.zone
    try:
        check_template(here.config.desk)
    except Invalid as error:
        raise (here.config.source or Source("config.toml", "")).error(("desk", "acknowledge"), str(error)) from error
    from cli.screen import key_problems

    if wrong := [*problems(here.config.desk), *key_problems(here)]:
        raise ConfigError("\n".join(str(error) for error in wrong))
    tables = ", ".join(f"{len(entries)} {kind}" for kind, entries in here.config.desk.tables.items())
    click.echo(f"{here.config_path}: all is well, {len(here.config.channels)} accounts{', ' if tables else ''}{tables}")


@config_command.command("apply")
def apply() -> None:
    """Publish [desk] into the store, so that everybody who shares it works by the same rules."""
    here = session()
    store = here.store()
    admin = demand(here.agent(), "config apply", Role.ADMIN)
    if wrong := problems(here.config.desk):
        raise ConfigError("\n".join(str(error) for error in wrong))
    changes = differs(store, here.config.desk)
    progress = output.Progress("tickets", None)
    if not changes:
        moved = catch_up(here, store, admin.name, progress.show) if behind(store) else 0
        click.echo("nothing has changed" + (f"; {moved:,} tickets are due at another time" if moved else ""))
        return
    number, moved = publish(here, store, changes, admin.name, progress.show)
    told = ", ".join(_told(key, *pair) for key, pair in changes.items())
    click.echo(f"version {number}: {told}" + (f"; {moved:,} tickets are due at another time" if moved else ""))


def _told(key: str, before: Any, after: Any) -> str:
    if key == "order":
        return "tables stand in another order"
    if isinstance(before, dict) or isinstance(after, dict):
        return f"{key} {'is new' if before is None else 'is gone' if after is None else 'changed'}"
    return f"{key} {before!r} → {after!r}"
