"""The verb next: one ticket to do now, and why."""

from __future__ import annotations

import click

from cli import output
from cli.wiring import new_batch, now, session
from desk.errors import NotFound
from desk.model import Role
from desk.next import choices, take
from desk.permissions import demand
from desk.text import one_line


@click.command("next")
@click.option("--take", "taking", is_flag=True, help="Take it; two who ask at once never get the same one")
@click.option("--json", "as_json", is_flag=True, help="As one JSON object, with why")
def next_command(taking: bool, as_json: bool) -> None:
    """Find the next ticket for you, and say why this one.

    It is yours, or nobody's in your teams; first what is overdue, then what is due, then
    where a customer waits. Of equals it is what you know best and like most. What a
    colleague wrote on in the last minutes is left to them.
    """
    here = session()
    store, at = here.store(), now()
    me = demand(here.agent(), "next", Role.AGENT if taking else Role.READ_ONLY)
    if taking:
        choice = take(here.desk(), here.who(), at=at, new_batch=new_batch)
    else:
        choice = next(iter(choices(store, me, at, here.zone)), None)
    if choice is None:
        raise NotFound("there is nothing for you to do next; all that is open: deskhand ls")
    row = choice.row
    if as_json:
        output.json_line(output.row_json(row, at) | {"why": choice.why, "taken": taking})
    elif here.options.get("plain"):
        click.echo("\t".join((str(row.ticket.id), one_line(row.ticket.subject), choice.why)))
    else:
        output.table([row], at, me.name, plain=False)
        click.echo(f"{'':>{output.INDENT}}{'taken: ' if taking else ''}{choice.why}")
