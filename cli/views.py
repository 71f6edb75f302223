"""The verb view: which saved views there are, what is in them, and what one asks for."""

from __future__ import annotations

from typing import Any

import click

from cli import output
from cli.ids import env
from cli.wiring import session
from desk import views
from desk.query import parse
from desk.views import View

_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object a line")


@click.group("view", invoke_without_command=True)
@click.pass_context
def view_command(context: click.Context) -> None:
    """List the saved views; show one. Their tickets: deskhand ls -v NAME."""
    if context.invoked_subcommand is None:
        _list(counts=False, as_json=False)


@view_command.command("list")
@click.option("--counts", is_flag=True, help="How many tickets are in each")
@_JSON
def list_(counts: bool, as_json: bool) -> None:
    """List the views that are offered to you."""
    _list(counts, as_json)


def _list(counts: bool, as_json: bool) -> None:
    here = session()
    store, asking = here.store(), env(here)
    for name, view in views.offered(store.config, asking.teams).items():
        count = store.count(parse(view.terms(), asking)) if counts else None
        if as_json:
            output.json_line(_json(name, view) | ({"count": count} if counts else {}))
        else:
            number = f"{count:>9,}  " if counts else ""
            key = f"g{view.key}" if view.key else ""
            click.echo(f"{name:<16} {key:<4} {number}{output.fit(view.title, 24)} {view.query}".rstrip())


@view_command.command("show")
@click.argument("name")
@_JSON
def show(name: str, as_json: bool) -> None:
    """Show what a view asks for and how it is shown."""
    view = views.find(session().store().config, name)
    whole = _json(name, view)
    if as_json:
        output.json_line(whole)
        return
    for key, value in whole.items():
        click.echo(f"{key:<8} {(' '.join(value) if isinstance(value, list) else value) or '-'}")


def _json(name: str, view: View) -> dict[str, Any]:
    return {
        "name": name,
        "title": view.title,
        "query": view.query,
        "sort": view.sort or None,
        "columns": list(view.columns),
        "key": view.key or None,
        "team": view.team or None,
    }
