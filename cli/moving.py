"""Mail in and out: import, export, parse."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click

from cli import output
from cli.ids import chosen
from cli.wiring import now, session
from desk.errors import Invalid, NotFound
from desk.model import Role, Status
from desk.permissions import demand


@click.command("import")
@click.argument("paths", nargs=-1, required=True, type=click.Path())
@click.option(
    "--own",
    multiple=True,
    metavar="ADDRESS",
    help="An address of ours: mail from it is an answer (may be given several times)",
)
@click.option("--account", default="import", show_default=True, help="The account the tickets belong to")
@click.option(
    "--status", type=click.Choice([s.value for s in Status]), help="What the tickets begin as (default: solved)"
)
@click.option("--workers", default=0, help="Parsers side by side (default: one a core)")
@click.option("--json", "as_json", is_flag=True, help="Say what was done as one JSON object")
def import_command(
    paths: tuple[str, ...], own: tuple[str, ...], account: str, status: str | None, workers: int, as_json: bool
) -> None:
    """Take in an mbox, a Maildir, .eml files or folders of them.

    Silent: nobody is notified, nothing is answered, nothing is unread. What is there
    already is left out, so an import that was stopped goes on where it was.
    """
    here = session()
    store = here.store(create=True)
    demand(here.agent(), "import", Role.AGENT)
    from cli.importing import run

    done = run(here, store, [Path(p) for p in paths], own, account, Status(status) if status else None, workers)
    if as_json:
        output.json_line(done)
        return
    click.echo(
        f"{done['messages']:,} messages, {done['tickets']:,} new tickets, {done['doubles']:,} known already, {done['seconds']:.1f} s"
    )
    if done["tickets"] and status is None:
        output.say("the tickets are solved (an archive); --status open keeps them in the queue")


@click.command("export")
@click.argument("words", nargs=-1, metavar="IDS")
@click.option("-q", "query", metavar="QUERY", help="The tickets this query asks for (default: all)")
@click.option("--format", "form", type=click.Choice(["jsonl", "mbox"]), default="jsonl", show_default=True)
@click.option("--out", type=click.Path(dir_okay=False), help="Write there instead of standard output")
def export_command(words: tuple[str, ...], query: str | None, form: str, out: str | None) -> None:
    """Write tickets with their conversation as JSON lines, or their mail as an mbox."""
    here = session()
    store = here.store()
    everything = not words and query is None
    try:
        ids, rest = chosen(here, words, "id:1.." if everything else query)
    except NotFound:
        if not everything:
            raise
        # Of an empty desk that is nothing, and no mistake.
        ids, rest = [], []
    if rest:
        raise Invalid(f'export does not take "{rest[0]}"; it is written: export IDS')
    try:
        target: Any = Path(out).open("xb") if out else sys.stdout.buffer  # noqa: SIM115 - closed below
    except OSError as error:
        raise Invalid(f"{out}: {error.strerror}") from error
    from cli.exporting import as_json, as_mbox

    write = as_json if form == "jsonl" else as_mbox
    # Standard output is not ours to close.
    with target if out else nullcontext():
        for number in ids:
            write(store, number, target, now())


@click.command("parse")
@click.argument("files", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a message")
def parse_command(files: tuple[str, ...], as_json: bool) -> None:
    """Show how deskhand reads mail files (- for standard input), for people who debug mail.

    Exits 0 whatever the mail holds; only a file that cannot be opened is an error.
    """
    from channels.kit.mail.parser import describe, parse
    from desk.channel import Raw

    unreadable = 0
    for name in files:
        try:
            data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        except OSError as error:
            output.say(f"{name}: {error.strerror}")
            unreadable += 1
            continue
        shown = describe(parse(Raw(name, data, now())))
        if as_json:
            output.json_line(shown)
        else:
            _show_parsed(name, shown)
    if unreadable:
        raise NotFound(f"{unreadable} of {len(files)} files could not be opened")


def _show_parsed(name: str, shown: dict[str, Any]) -> None:
    from desk.text import clean, one_line

    click.echo(click.style(one_line(name), bold=True))
    for key in (
        "subject",
        "from",
        "to",
        "cc",
        "reply_to",
        "message_id",
        "in_reply_to",
        "references",
        "date",
        "automatic",
        "bounce",
        "problems",
    ):
        value = shown[key]
        if value:
            click.echo(f"{key + ':':<13} {one_line(_flat(value))}")
    for attachment in shown["attachments"]:
        click.echo(
            f"attachment:   {one_line(attachment['name'])} {attachment['content_type']} {attachment['size']:,} bytes"
        )
    click.echo("\n" + clean(shown["text"]).rstrip() + "\n")


def _flat(value: Any) -> str:
    if isinstance(value, dict):
        return (
            f"{value.get('name', '')} <{value['address']}>".strip()
            if "address" in value and "status" not in value
            else str(value)
        )
    return ", ".join(_flat(v) for v in value) if isinstance(value, list) else str(value)
