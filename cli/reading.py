"""Verbs that only look: ls, show, log, follow."""

from __future__ import annotations

import os
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli import output
from cli.ids import chosen, env
from cli.wiring import Session, now, session
from desk.errors import Invalid, NotFound
from desk.query import needles, parse
from desk.store import SORTS
from desk.text import one_line

if TYPE_CHECKING:
    from desk.events import Record
    from desk.views import View

DEFAULT = "is:open"


class _Asking(click.Command):
    """A verb whose words are a query, where `-tag:vpn` is a term and no option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        takes_value = {
            name: isinstance(param, click.Option) and not param.is_flag
            for param in self.get_params(ctx)
            if isinstance(param, click.Option)
            for name in (*param.opts, *param.secondary_opts)
        }
        options: list[str] = []
        words: list[str] = []
        left = iter(args)
        for arg in left:
            if arg == "--":
                words += left
            elif arg.partition("=")[0] in takes_value or arg.startswith("--"):
                options.append(arg)
                if takes_value.get(arg):
                    options += [value for value in (next(left, None),) if value is not None]
            else:
                words.append(arg)
        return super().parse_args(ctx, [*options, "--", *words])


@click.command("ls", cls=_Asking)
@click.argument("query", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line")
@click.option("--sort", type=click.Choice(SORTS), help="Order; open tickets come by urgency, others newest first")
@click.option("--limit", default=50, type=output.COUNT, show_default=True, help="At most so many; 0 for all")
@click.option("--count", is_flag=True, help="Only how many there are")
@click.option("--snippets/--no-snippets", default=None, help="Show where the words stand (default: on a terminal)")
@click.option("-q", "also", metavar="QUERY", help="The query as one word")
@click.option("-v", "--view", "name", metavar="NAME", help="The saved view of this name; QUERY narrows it")
def ls_command(
    query: tuple[str, ...], as_json: bool, sort: str | None, limit: int, count: bool, snippets: bool | None, also: str | None,
    name: str | None,
) -> None:  # fmt: skip
    """List the tickets that QUERY asks for (default: is:open).

    QUERY is written as in the screen: is:open assignee:me due:<2h "refund" -tag:vpn
    """
    here = session()
    store = here.store()
    words = " ".join((*query, *([also] if also else [])))
    view = _view(here, name) if name is not None else None
    node = parse(view.terms(words) if view else words or DEFAULT, env(here))
    if count:
        click.echo(store.count(node))
        return
    order = sort or (view and view.sort) or store.natural_sort(node)
    me = env(here).me
    page = store.page(node, sort=order, limit=limit or 1_000_000_000, agent=me)
    at, plain = now(), bool(here.options.get("plain"))
    on = sys.stdout.isatty() and not (as_json or plain) if snippets is None else snippets
    wanted = needles(node) if on else []
    room = max(20, output.width() - output.INDENT)
    found = store.snippets([row.ticket.id for row in page.rows], wanted, room) if wanted else {}
    if as_json:
        for row in page.rows:
            shown = output.snippet_json(found.get(row.ticket.id)) if snippets else {}
            output.json_line(output.row_json(row, at) | shown)
    else:
        columns = view.columns if view else ()
        output.table(page.rows, at, me, plain=plain, snippets=found, columns=columns)
    if page.next is not None:
        output.say(f"the first {limit}; --limit 0 shows all")
    elif not page.rows and not as_json:
        output.say(f"nothing in {view.title}" if view else _nothing(here, words))


def _view(here: Session, name: str) -> View:
    from desk.views import find

    return find(here.store().config, name)


def _nothing(here: Session, words: str) -> str:
    numbers = here.store().numbers()
    if numbers.tickets == 0:
        return "No tickets yet. Add a mailbox with: deskhand init, or an archive with: deskhand import"
    if not words:
        return f"Nothing open. All {numbers.tickets:,} tickets: deskhand ls id:1.."
    return "Nothing matches. Widen the query, or look at everything: deskhand ls id:1.."


@click.command("show")
@click.argument("words", nargs=-1, metavar="IDS")
@click.option("-q", "query", metavar="QUERY", help="The tickets this query asks for")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a ticket")
@click.option("--events", is_flag=True, help="Add what happened")
@click.option("--raw", type=output.NUMBER, metavar="MESSAGE", help="Write the bytes of a message as they came")
@click.option(
    "--save",
    type=(output.NUMBER, int, click.Path(dir_okay=False)),
    metavar="MESSAGE N FILE",
    help="Save attachment N of a message",
)
def show_command(
    words: tuple[str, ...],
    query: str | None,
    as_json: bool,
    events: bool,
    raw: int | None,
    save: tuple[int, int, str] | None,
) -> None:
    """Show tickets with their conversation."""
    here = session()
    ids, rest = chosen(here, words, query)
    if rest:
        raise Invalid(f'show does not take "{rest[0]}"; it is written: show IDS')
    if raw is not None or save is not None:
        _bytes(here, ids, raw, save)
        return
    store, me, at = here.store(), env(here).me, now()
    for place, number in enumerate(ids):
        rows = store.rows([number], agent=me)
        if not rows:
            raise NotFound(f"there is no ticket #{number}")
        thread = store.thread(number)
        effort = store.effort(number)
        log = store.log(ticket=number, limit=10_000) if events else []
        if as_json:
            whole = output.whole_json(rows[0], thread, effort, at)
            output.json_line(whole | ({"events": [output.record_json(r) for r in log]} if events else {}))
        else:
            if place:
                click.echo("\n" + "─" * min(output.width(), 100))
            output.conversation(rows[0], thread, at, here.zone, effort)
            for record in log:
                click.echo(_line(record, here))
        if me and thread:
            store.seen(me, number, max(m.id for m in thread))


def _bytes(here: Session, ids: list[int], raw: int | None, save: tuple[int, int, str] | None) -> None:
    store = here.store()
    wanted = raw if raw is not None else save[0] if save else None
    message = next((m for number in ids for m in store.thread(number) if m.id == wanted), None)
    if message is None:
        raise NotFound(f"message {wanted} is not on {', '.join(f'#{i}' for i in ids)}")
    if raw is not None:
        if message.raw is None:
            raise NotFound(f"message {raw} did not come as bytes; show prints its text")
        sys.stdout.buffer.write(store.blob(message.raw))
        return
    assert save is not None
    if not 1 <= save[1] <= len(message.attachments):
        raise NotFound(f"message {wanted} has {len(message.attachments)} attachments")
    try:
        with Path(save[2]).open("xb") as target:
            target.write(store.blob(message.attachments[save[1] - 1].sha256))
    except OSError as error:
        raise Invalid(f"{save[2]}: {error.strerror}") from error


@click.command("log")
@click.argument("words", nargs=-1, metavar="[IDS]")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line")
@click.option("--limit", default=100, type=output.COUNT, show_default=True, help="The last so many lines; 0 for all")
def log_command(words: tuple[str, ...], as_json: bool, limit: int) -> None:
    """Show what happened, to tickets or to the whole desk: who, when, what, in which batch."""
    here = session()
    store = here.store()
    numbers = chosen(here, words, None)[0] if words else [None]
    for number in numbers:
        if number is not None:
            store.ticket(number)
        for record in store.log(ticket=number, limit=limit or 1_000_000_000, newest=True):
            if as_json:
                output.json_line(output.record_json(record))
            else:
                click.echo(_line(record, here))


def _line(record: Record, here: Session) -> str:
    from desk.telling import describe

    when = datetime.fromtimestamp(record.at / 1000, here.zone).strftime("%Y-%m-%d %H:%M:%S")
    about = f"#{record.about}" if record.entity == "ticket" else f"{record.entity} {record.about}"
    # The agent of a rule says nothing that the rule does not.
    who = record.source if record.source.startswith("rule:") else record.agent or record.source or "-"
    return f"{record.seq:>7}  {when}  {who:<12} {about:<10} {one_line(describe(record))}  ({record.batch})"


@click.command("follow")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line")
@click.option("--after", type=output.NUMBER, help="Begin behind this seq (default: now)")
@click.option("--exec", "program", metavar="COMMAND", help="Run COMMAND for each, the object on its standard input")
@click.option("--count", type=int, help="End after so many")
def follow_command(as_json: bool, after: int | None, program: str | None, count: int | None) -> None:
    """Print what happens as it happens, until interrupted."""
    here = session()
    store = here.store()
    seq = store.last_seq() if after is None else after
    left = count
    while left is None or left > 0:
        if store.wait(seq, 5.0) <= seq:
            continue
        for record in store.log(after=seq):
            seq = record.seq
            _tell(record, here, as_json, program)
            left = None if left is None else left - 1
            if left == 0:
                return


def _tell(record: Record, here: Session, as_json: bool, program: str | None) -> None:
    import json

    line = json.dumps(output.record_json(record), ensure_ascii=False)
    if program is not None:
        import shlex
        import subprocess

        # An argument list, never a shell: what customers write cannot become a command.
        done = subprocess.run(
            shlex.split(program), input=line + "\n", text=True, env={**os.environ, "DESKHAND_EVENT": record.kind}
        )
        if done.returncode:
            output.say(f"{program}: ended with {done.returncode} at seq {record.seq}")
        return
    click.echo(line if as_json else _line(record, here))
