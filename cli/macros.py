"""The verb macro: list, show, check, run and record."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from cli import output, personal, preview, programs
from cli.changing import outcome_json, tell
from cli.ids import chosen
from cli.programs import Program
from cli.shelf import Shelf
from cli.wiring import Session, new_batch, now, read_file, session
from desk import macros
from desk.config import DeskConfig
from desk.errors import ConfigError, Conflict, DeskError, Invalid
from desk.macros import Input, Macro, Prepared
from desk.perform import Outcome
from desk.text import one_line

_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object a line")


@click.group("macro", invoke_without_command=True)
@click.pass_context
def macro_command(context: click.Context) -> None:
    """Run macros on tickets; list, show, check and record them."""
    if context.invoked_subcommand is None:
        _list(None, as_json=False)


# -- looking ------------------------------------------------------------------------------


@macro_command.command("list")
@click.argument("ticket", required=False, type=output.NUMBER)
@_JSON
def list_command(ticket: int | None, as_json: bool) -> None:
    """List the macros there are for you; with TICKET those that are offered on it."""
    _list(ticket, as_json=as_json)


def _list(ticket: int | None, *, as_json: bool) -> None:
    here = session()
    shelf = Shelf(here)
    offered = shelf.offered() if ticket is None else shelf.offered_on(ticket)
    for name, macro in offered.items():
        if as_json:
            output.json_line(_json(shelf, name, macro))
        else:
            key = macro.key if isinstance(macro, Macro) else ""
            click.echo(
                f"{name:<20} {shelf.origin(name):<12} {key:<4} {one_line(macro.title):<32} {macro.when}".rstrip()
            )
    for error in shelf.errors:
        output.say(str(error))
    if not offered and not as_json and ticket is None:
        output.say(
            f"No macros yet. Write one into {personal.folder()}/, or record what you just did: deskhand macro record NAME"
        )


def _json(shelf: Shelf, name: str, macro: Macro | Program) -> dict[str, Any]:
    own = macro if isinstance(macro, Macro) else None
    return {
        "name": name,
        "origin": shelf.origin(name),
        "title": macro.title,
        "description": own.description if own else "",
        "key": (own and own.key) or None,
        "when": macro.when or None,
        "team": (own and own.team) or None,
        "inputs": [_input_json(one) for one in macro.inputs],
        "do": own and list(own.do),
        "then": own and own.then,
        "path": None if isinstance(macro, Macro) else str(macro.path),
    }


def _input_json(one: Input) -> dict[str, Any]:
    return {
        "name": one.name,
        "title": one.label,
        "kind": one.kind,
        "choices": list(one.choices),
        "default": one.default or None,
        "required": one.required,
    }


@macro_command.command("show")
@click.argument("name")
@_JSON
def show_command(name: str, as_json: bool) -> None:
    """Show what a macro does and what it asks for."""
    shelf = Shelf(session())
    macro = shelf.find(name)
    if as_json:
        output.json_line(_json(shelf, name, macro))
        return
    click.echo(click.style(f"{name}: {one_line(macro.title)}".rstrip(": "), bold=True) + f"  ({shelf.origin(name)})")
    if isinstance(macro, Macro) and macro.description:
        click.echo(macro.description.strip())
    if macro.when:
        click.echo(f"offered where {macro.when}")
    if isinstance(macro, Macro) and macro.team:
        click.echo(f"for the team {macro.team}")
    for one in macro.inputs:
        choices = f" ({', '.join(one.choices)})" if one.choices else ""
        default = f", else {one_line(one.default)}" if one.default else "" if one.required else ", or nothing"
        click.echo(f"asks {one.name}: {one_line(one.label)}, {one.kind}{choices}{default}")
    if isinstance(macro, Program):
        click.echo(f"runs {macro.path}, {macro.limit_s:g} s at most")
        return
    for line in macro.do:
        click.echo("\n".join(("  " if place else "- ") + text for place, text in enumerate(line.splitlines())))


@macro_command.command("check")
@click.argument("file", required=False, type=click.Path(dir_okay=False, exists=True, path_type=Path))
def check_command(file: Path | None) -> None:
    """Check all macros and snippets, or those of FILE, a TOML file or a program; nothing is run."""
    if file is not None:
        _check_file(file)
        return
    here = session()
    shelf = Shelf(here)
    from desk import canned

    texts = canned.load(shelf.config)
    if errors := [*shelf.errors, *texts.errors]:
        raise ConfigError("\n".join(str(error) for error in errors))
    click.echo(f"all is well, {len(shelf.tables)} macros, {len(shelf.programs)} programs, {len(texts.items)} snippets")


def _check_file(file: Path) -> None:
    if file.suffix != ".toml":
        program = programs.read(file.absolute())
        if program is None:
            raise ConfigError(f'{file}: no line "# deskhand-macro: TITLE" in its first 4 KiB')
        click.echo(f"{file}: all is well, {program.title}")
        return
    from desk import canned

    config = DeskConfig(tables=personal.read(file))
    if errors := [*macros.load(config).errors, *canned.load(config).errors]:
        raise ConfigError("\n".join(str(error) for error in errors))
    counts = ", ".join(f"{len(entries)} {kind}" for kind, entries in config.tables.items())
    click.echo(f"{file}: all is well, {counts or 'nothing in it'}")


# -- running --------------------------------------------------------------------------------


@macro_command.command("run")
@click.argument("name")
@click.argument("words", nargs=-1, metavar="IDS")
@click.option("-q", "query", metavar="QUERY", help="The tickets this query asks for")
@click.option("--set", "settings", metavar="KEY=VALUE", multiple=True, help="Answer what it asks for; several times")
@click.option("--yes", is_flag=True, help="Do not show and ask first")
@click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing")
@click.option("--json", "as_json", is_flag=True, help="Say what was done as one JSON object")
def run_command(
    name: str,
    words: tuple[str, ...],
    query: str | None,
    settings: tuple[str, ...],
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> int | None:
    """Run the macro NAME on tickets: each gets all of it or nothing, one undo takes all of it back.

    On a terminal it shows the changes and the exact recipients first, and asks, when there
    are several tickets or something would be sent.
    """
    here = session()
    shelf = Shelf(here)
    macro = shelf.find(name)
    ids, rest = chosen(here, words, query)
    if rest:
        raise Invalid(f'macro run does not take "{rest[0]}"; it is written: macro run NAME IDS')
    on_terminal = sys.stdin.isatty() and sys.stdout.isatty() and not as_json
    given = _answers(macro.inputs, settings, ask=on_terminal)
    progress = output.Progress("tickets asked about", len(ids)) if isinstance(macro, Program) and len(ids) > 1 else None
    ready = shelf.prepare(name, ids, given, progress=progress.show if progress else None)
    if progress:
        progress.end(len(ids))
    if not ready.calls and not ready.skipped:
        output.say(f"{name} asks for nothing to be done")
    if dry_run or (on_terminal and not yes):
        would = _run(here, ready, dry_run=True)
        if dry_run and as_json:
            output.json_line(outcome_json(would, dry_run=True) | {"preview": preview.as_json(would)})
            return 1 if would.skipped else None
        asks = len(ready.calls) > 1 or bool(would.queued)
        if dry_run or asks:
            preview.show(here.store(), would, would.skipped)
        if dry_run:
            return 1 if would.skipped else None
        if asks and not click.confirm(_question(name, would), err=True):
            output.say("nothing is done")
            return None
    return tell(here, _run(here, ready, dry_run=False), as_json=as_json, dry_run=False)


def _question(name: str, would: Outcome) -> str:
    count = len(would.done)
    tickets = "1 ticket" if count == 1 else f"{count:,} tickets"
    sent = f", {len(would.queued):,} to be sent" if would.queued else ""
    return f"Run {name} on {tickets}{sent}?"


def _answers(inputs: Sequence[Input], settings: Sequence[str], *, ask: bool) -> dict[str, str]:
    given: dict[str, str] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise Invalid(f'"{setting}" sets nothing; write --set {setting}=VALUE')
        given[key.strip()] = value
    if ask:
        for one in inputs:
            if one.name not in given:
                kind = click.Choice(one.choices) if one.choices else str
                default = one.default or (None if one.required else "")
                given[one.name] = click.prompt(
                    one.label, default=default, type=kind, err=True, show_default=bool(default)
                )
    return given


def _run(here: Session, ready: Prepared, *, dry_run: bool) -> Outcome:
    whole = len(ready.calls)
    progress = output.Progress("tickets", whole) if whole > 200 and not dry_run else None

    def show(done: int, _: int) -> bool:
        if progress:
            progress.show(done)
        return True

    outcome = macros.run(
        here.desk(), ready, here.who(), at=now(), batch_id=new_batch(), source=here.source, dry_run=dry_run,
        read_file=read_file, progress=show,
    )  # fmt: skip
    if progress:
        progress.end(whole)
    return outcome


# -- recording --------------------------------------------------------------------------------


@macro_command.command("record")
@click.argument("name")
@click.option("--last", type=click.IntRange(1, 100), default=1, show_default=True, help="So many of your last changes")
@click.option("--from", "since", metavar="BATCH", help="All of your changes from this batch on")
@click.option("--ask", is_flag=True, help="Ask each time for agents, dates, amounts and texts")
@click.option("--title", default="", help="What it is called in lists")
@click.option("--force", is_flag=True, help="Write over a file that is there")
def record_command(name: str, last: int, since: str | None, ask: bool, title: str, force: bool) -> None:
    """Write what you did last into a macro of your own, word for word.

    On a terminal, --ask asks for each value whether the macro is to ask for it.
    """
    from desk import recording

    here = session()
    recording.demand_name(name)
    agent = here.agent()
    if agent is None:
        raise Invalid(
            "nobody this desk knows has done anything yet; an admin adds you with: deskhand agent add NAME --uid UID"
        )
    if not force and personal.place(name).exists():
        raise Conflict(
            f"{personal.place(name)} is there already; give the macro another name, or write over it with --force"
        )
    calls = []
    for one in recording.done(here.store(), agent.name, last=last, since=since):
        try:
            calls += recording.calls(one)
        except DeskError as error:
            output.say(f'left out: "{one_line(one.line)[:60]}" ({one.batch}): {error}')
    if not calls:
        raise Invalid("there is nothing left to record")
    on_terminal = sys.stdin.isatty() and sys.stdout.isatty()

    def wanted(one: Input) -> bool:
        if not ask or not on_terminal:
            return ask
        return click.confirm(f'ask each time "{one.title}" instead of always "{one_line(one.default)[:50]}"?', err=True)

    target = personal.write(name, recording.table(calls, title or name, wanted))
    click.echo(f"wrote {target}")
    click.echo(f"Look at it with: deskhand macro show {name}; run it with: deskhand macro run {name} IDS")
