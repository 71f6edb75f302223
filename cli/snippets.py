"""The verb snippet: canned texts, listed, shown filled in, and searched; and `--snippet`, which begins a message with one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from cli import output, personal
from cli.wiring import Session, now, session
from desk import canned
from desk.canned import Canned
from desk.config import DeskConfig
from desk.errors import ConfigError, Invalid, NotFound, suggest
from desk.model import Customer, Role
from desk.params import address
from desk.permissions import demand
from desk.placeholders import asked, data, last_said
from desk.tables import named
from desk.templates import expand
from desk.text import clean, one_line

_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object a line")


@click.group("snippet", invoke_without_command=True)
@click.pass_context
def snippet_command(context: click.Context) -> None:
    """List canned texts, show one filled in for a ticket, or look for words in them.

    deskhand reply 12 --snippet NAME sends one.
    """
    if context.invoked_subcommand is None:
        _list("", as_json=False)


@snippet_command.command("list")
@_JSON
def list_(as_json: bool) -> None:
    """List the canned texts there are."""
    _list("", as_json=as_json)


@snippet_command.command("search")
@click.argument("words", nargs=-1, required=True)
@_JSON
def search(words: tuple[str, ...], as_json: bool) -> None:
    """List the canned texts that have all these words in name, title, tags or text."""
    _list(" ".join(words), as_json=as_json)


@snippet_command.command("show")
@click.argument("name")
@click.argument("ticket", required=False, type=output.NUMBER)
@_JSON
def show(name: str, ticket: int | None, as_json: bool) -> None:
    """Show a canned text, with TICKET as it would be written there."""
    here = session()
    found = named(_config(here)[0], "snippets", name, canned.load)
    text = found.text if ticket is None else _expanded(here, found, ticket)
    if as_json:
        output.json_line(_json(name, found) | ({"expanded": text} if ticket is not None else {}))
    else:
        click.echo(clean(text).rstrip())


def _list(words: str, *, as_json: bool) -> None:
    here = session()
    config, wrong = _config(here)
    checked = canned.load(config)
    found = canned.search(checked.items, words)
    for name, text in found.items():
        if as_json:
            output.json_line(_json(name, text))
        else:
            click.echo(f"{name:<20} {output.fit(one_line(text.title), 28)} {one_line(text.text)[:60]}".rstrip())
    for error in (*wrong, *checked.errors):
        output.say(str(error))
    if not found and not as_json:
        output.say(
            "No snippet has these words." if words else f"No snippets yet. Write one into {personal.folder()}/snippets.toml: "
            '[snippets.hello] text = "Hello {{ customer.first_name }},"'
        )  # fmt: skip


def _config(here: Session) -> tuple[DeskConfig, list[ConfigError]]:
    config, wrong = personal.covered(here.store().config)
    return config, list(wrong.values())


def _json(name: str, found: Canned) -> dict[str, Any]:
    return {"name": name, "title": found.title, "text": found.text, "tags": list(found.tags)}


# -- putting one into a message ---------------------------------------------------------


def before(here: Session, name: str, body: str, ids: Sequence[int], requester: str) -> dict[int, str]:
    """The body for each ticket (0: the new one) with the canned text before it; Invalid names the ticket that lacks a value."""
    found = named(_config(here)[0], "snippets", name, canned.load)
    texts: dict[int, str] = {}
    for number in ids or (0,):
        try:
            text = _expanded(here, found, number, requester)
        except Invalid as error:
            about = f"#{number}" if number else "a new ticket"
            raise Invalid(f"{about}: snippet {name}: {error}; nothing is done") from error
        texts[number] = "\n\n".join(part for part in (text.strip("\n"), body.strip("\n")) if part)
    return texts


def begun(here: Session) -> list[tuple[str, str]]:
    """Every canned text by its name, with its title or its first words."""
    items = canned.load(_config(here)[0]).items
    return [(name, one_line(found.title or found.text)[:100]) for name, found in items.items()]


def filled(here: Session, name: str, ticket: int) -> str:
    """The canned text called `name` as it is written on a ticket; NotFound names the nearest, or all there are."""
    config = _config(here)[0]
    known = tuple(config.tables.get("snippets", {}))
    if name not in known:
        raise NotFound(f'there is no snippet "{name}"{suggest(name, known)}' if known else "there are no snippets yet")
    return _expanded(here, named(config, "snippets", name, canned.load), ticket)


def _expanded(here: Session, found: Canned, number: int, requester: str = "") -> str:
    store, who = here.store(), here.who()
    agent = demand(who.agent, "snippet", Role.READ_ONLY)
    ticket, customer, said = None, None, None
    if number:
        row = next(iter(store.rows([number])), None)
        if row is None:
            raise NotFound(f"there is no ticket #{number}")
        ticket, customer = row.ticket, row.customer
        if any(name.startswith("message") for name in asked([found.text])):
            said = last_said(store.thread(number))
    elif requester:
        person = address(requester)
        customer = Customer(0, person.display, person.value)
    known = data(ticket, customer, said, agent=agent, config=store.config, at=now(), zone=who.zone)
    return expand(found.text, known)
