"""Verbs that change tickets: every action of the registry, and do, new, undo, redo."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from cli import output
from cli.ids import chosen
from cli.wiring import Session, new_batch, now, read_file, session
from desk import lines
from desk.actions import Action, Argument
from desk.errors import Invalid
from desk.hosts import relay_runs
from desk.lines import Call
from desk.perform import Outcome, perform, undo

WITH_SNIPPETS = ("reply", "note", "open")
"""The verbs whose text may begin with a canned one."""


def _common() -> list[click.Option]:
    return [
        click.Option(["--json", "as_json"], is_flag=True, help="Say what was done as one JSON object"),
        click.Option(["--dry-run"], is_flag=True, help="Say what would be done, and do nothing"),
    ]


def action_command(action: Action, name: str | None = None) -> click.Command:
    """An action of the registry as a verb of the command line, from its signature."""
    params: list[click.Parameter] = [click.Argument(["words"], nargs=-1, metavar=_metavar(action))]
    if not action.creates:
        params.append(click.Option(["-q", "query"], metavar="QUERY", help="The tickets this query asks for"))
    for argument in action.arguments:
        if argument.option:
            params.append(_option(argument))
    if action.name in WITH_SNIPPETS:
        params.append(click.Option(["--snippet"], metavar="NAME", help="Begin with this canned text"))
    return click.Command(
        name or action.name,
        params=[*params, *_common()],
        callback=lambda **given: _act(action, **given),
        help=action.help,
        short_help=action.summary,
        context_settings={"ignore_unknown_options": False},
    )


def _metavar(action: Action) -> str:
    words = [] if action.creates else ["IDS"]
    for argument in action.arguments:
        if not argument.option:
            word = "|".join(argument.param.choices) or argument.param.word.upper()
            words.append(word if argument.required and argument.param.word != "body" else f"[{word}]")
    return " ".join(words)


def _option(argument: Argument) -> click.Option:
    if argument.param.word == "flag":
        return click.Option([f"--{argument.name}", f"arg_{argument.name}"], is_flag=True, default=None)
    many = argument.param.word in ("addresses", "files")
    return click.Option(
        [f"--{argument.name}", f"arg_{argument.name}"], metavar=argument.param.word.upper(), multiple=many, required=False,
        help="May be given several times" if many else None,
    )  # fmt: skip


def _act(
    action: Action,
    words: tuple[str, ...],
    as_json: bool,
    dry_run: bool,
    query: str | None = None,
    snippet: str | None = None,
    **options: Any,
) -> int | None:
    here = session()
    ids: list[int] = []
    rest = list(words)
    if action.creates:
        here.store(create=True)
    else:
        ids, rest = chosen(here, words, query)
    given: dict[str, Any] = _positional(action, rest)
    for argument in action.arguments:
        value = options.get(f"arg_{argument.name}")
        if value is None or value == ():
            continue
        given[argument.name] = _several(argument, value) if isinstance(value, tuple) else value
    if snippet is None:
        _ask_for_body(action, given, ids)
        return run(here, [lines.bind(action, given)], ids, as_json=as_json, dry_run=dry_run)
    from cli.snippets import before

    if given.get("body") == "-":
        _ask_for_body(action, given, ids)
    bodies = before(here, snippet, given.get("body", ""), ids, given.get("requester", ""))
    calls = {number: [lines.bind(action, {**given, "body": body})] for number, body in bodies.items()}
    if len(calls) == 1:
        return run(here, next(iter(calls.values())), ids, as_json=as_json, dry_run=dry_run)
    return run(here, calls, ids, as_json=as_json, dry_run=dry_run, line=f"{action.name} --snippet {snippet}")


def _positional(action: Action, words: Sequence[str]) -> dict[str, Any]:
    given: dict[str, Any] = {}
    left = list(words)
    for argument in (a for a in action.arguments if not a.option):
        if not left:
            break
        if argument.param.rest or argument.param.many:
            given[argument.name] = " ".join(left)
            left = []
        else:
            given[argument.name] = left.pop(0)
    if left:
        raise Invalid(f'{action.name} does not take "{left[0]}"; it is written: {action.name} {_metavar(action)}')
    return given


def _several(argument: Argument, values: tuple[str, ...]) -> Any:
    return shlex.join(values) if argument.param.word == "files" else ", ".join(values)


def _ask_for_body(action: Action, given: dict[str, Any], ids: Sequence[int]) -> None:
    """A body that is not on the command line comes from standard input, or from the editor."""
    body = next((a for a in action.arguments if a.param.word == "body" and not a.option and a.required), None)
    if body is None or given.get(body.name, "-") != "-":
        return
    if not sys.stdin.isatty():
        given[body.name] = sys.stdin.read()
    else:
        given[body.name] = edit(
            f"# {action.summary} Ticket {', '.join(f'#{i}' for i in ids)}. Lines that begin with # are left out.\n"
        )
    if not given[body.name].strip():
        raise Invalid("nothing was written, nothing is done")


def edit(hint: str, text: str = "") -> str:
    """`text` as somebody leaves it in their editor; below it stands `hint`, whose lines begin with `#` and are left out."""
    editor = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    folder = os.environ.get("XDG_RUNTIME_DIR") or None
    with tempfile.TemporaryDirectory(prefix="deskhand-", dir=folder) as name:
        path = Path(name) / "message.md"
        path.write_text(f"{text}\n{hint}", "utf-8")
        try:
            done = subprocess.run([*editor, str(path)])
        except OSError as error:
            raise Invalid(
                f"{editor[0]} cannot be started ({error.strerror}); set EDITOR, or pass the text on standard input"
            ) from error
        if done.returncode:
            raise Invalid(f"{editor[0]} ended with {done.returncode}, nothing is done")
        written = path.read_text("utf-8", "replace").splitlines()
    return "\n".join(line for line in written if not (hint and line.startswith("#"))).strip("\n")


def run(
    here: Session,
    calls: Sequence[Call] | Mapping[int, Sequence[Call]],
    ids: Sequence[int],
    *,
    as_json: bool,
    dry_run: bool,
    line: str = "",
) -> int | None:
    """Do `calls` on `ids`, with progress when there are many, and say what was done."""
    desk, who = here.desk(), here.who()

    def progress(done: int, whole: int) -> bool:
        if whole > 200 and sys.stderr.isatty():
            click.echo(f"\r{done:,} of {whole:,}", nl=done == whole, err=True)
        return True

    outcome = perform(
        desk,
        calls,
        ids,
        who,
        at=now(),
        batch_id=new_batch(),
        line=line,
        source=here.source,
        dry_run=dry_run,
        read_file=read_file,
        progress=progress,
    )
    return tell(here, outcome, as_json=as_json, dry_run=dry_run)


def tell(here: Session, outcome: Outcome, *, as_json: bool, dry_run: bool) -> int | None:
    """Say what was done; the exit code is 1 when some tickets were left alone."""
    recipients = _recipients(outcome)
    if as_json:
        output.json_line(outcome_json(outcome, dry_run=dry_run))
    else:
        _tell_person(here, outcome, recipients, dry_run)
    if outcome.queued and not dry_run and not relay_runs(here.store(), now()):
        output.say("no relay is running, so nothing goes out yet; start one with: deskhand relay")
    return 1 if outcome.skipped else None


def outcome_json(outcome: Outcome, *, dry_run: bool) -> dict[str, Any]:
    """What was done (or would be), as `--json` gives it."""
    return {
        "batch": outcome.batch,
        "line": outcome.line,
        "done": outcome.done,
        "changed": outcome.changed,
        "opened": outcome.opened,
        "messages": outcome.posted,
        "recipients": sorted({r for group in _recipients(outcome).values() for r in group}),
        "given": _given(outcome),
        "skipped": [{"id": number, "reason": reason} for number, reason in outcome.skipped.items()],
        "dry_run": dry_run,
    }


def _given(outcome: Outcome) -> dict[str, list[int]]:
    """Who was given which tickets when they were distributed; what somebody named themselves needs no telling."""
    from desk.events import Changed

    changes = [e for e in outcome.events if isinstance(e, Changed)]
    given: dict[str, list[int]] = {str(e.about): [] for e in changes if (e.entity, e.field) == ("agent", "turn")}
    for event in changes:
        if event.entity == "ticket" and event.field == "assignee" and event.added in given:
            given[event.added].append(int(event.about))
    return given


def _recipients(outcome: Outcome) -> dict[int, tuple[str, ...]]:
    from desk.events import Posted

    return {d.message: d.recipients for e in outcome.events if isinstance(e, Posted) for d in e.deliveries}


def _tell_person(here: Session, outcome: Outcome, recipients: dict[int, tuple[str, ...]], dry_run: bool) -> None:
    would = "would be " if dry_run else ""
    for number in outcome.opened:
        click.echo(f"#{number} {would}opened")
    shown = outcome.done[:20]
    if shown and not outcome.opened:
        more = f" and {len(outcome.done) - 20:,} more" if len(outcome.done) > 20 else ""
        words = f"{would}done" if outcome.changed else "nothing to change"
        click.echo(f"{', '.join(f'#{n}' for n in shown)}{more}: {outcome.line}: {words}")
    for name, numbers in _given(outcome).items():
        more = f" and {len(numbers) - 20:,} more" if len(numbers) > 20 else ""
        click.echo(f"{name} {'would get' if dry_run else 'gets'} {', '.join(f'#{n}' for n in numbers[:20])}{more}")
    for message, addresses in recipients.items():
        when = "" if dry_run else f", in {_wait_s(here, outcome, message)} s; deskhand undo takes it back"
        click.echo(f"message {message} {'would go' if dry_run else 'goes'} to {', '.join(addresses)}{when}")
    for number, reason in outcome.skipped.items():
        output.say(f"#{number} left alone: {reason}")


def _wait_s(here: Session, outcome: Outcome, message: int) -> int:
    """Seconds until a message goes out: fewer where the customer looks on."""
    from desk.events import Posted

    store = here.store()
    posted = next(e.message for e in outcome.events if isinstance(e, Posted) and e.message.id == message)
    account = store.accounts().get(posted.account)
    live = account is not None and account.capabilities is not None and account.capabilities.live
    return store.config.undo_window(live=live) // 1000


@click.command("do")
@click.argument("script")
@click.argument("words", nargs=-1, metavar="IDS")
@click.option("-q", "query", metavar="QUERY", help="The tickets this query asks for")
@click.option("--json", "as_json", is_flag=True, help="Say what was done as one JSON object")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing")
def do_command(script: str, words: tuple[str, ...], query: str | None, as_json: bool, dry_run: bool) -> int | None:
    """Run command lines, separated by ;, on tickets: all of them or nothing, one undo.

    deskhand do 'take; tag vpn; reply "We are on it."' 12,15
    """
    here = session()
    calls = lines.script(script)
    creates = bool(calls) and calls[0].verb == "open"
    ids, rest = ([], list(words)) if creates else chosen(here, words, query)
    if rest:
        raise Invalid(f'do does not take "{rest[0]}"; it is written: do "LINE; LINE" IDS')
    return run(here, calls, ids, as_json=as_json, dry_run=dry_run)


def _undo(redo: bool, batch: str | None, as_json: bool, dry_run: bool) -> int | None:
    here = session()
    outcome = undo(here.desk(), here.who(), at=now(), batch_id=new_batch(), batch=batch, redo=redo, dry_run=dry_run)
    return tell(here, outcome, as_json=as_json, dry_run=dry_run)


@click.command("undo")
@click.argument("batch", required=False)
@click.option("--json", "as_json", is_flag=True, help="Say what was done as one JSON object")
@click.option("--dry-run", is_flag=True, help="Say what would be taken back, and do nothing")
def undo_command(batch: str | None, as_json: bool, dry_run: bool) -> int | None:
    """Take back your last change, or the batch named (deskhand log shows them).

    A reply is taken back as long as it has not begun to go out.
    """
    return _undo(False, batch, as_json, dry_run)


@click.command("redo")
@click.option("--json", "as_json", is_flag=True, help="Say what was done as one JSON object")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing")
def redo_command(as_json: bool, dry_run: bool) -> int | None:
    """Do again what you took back last."""
    return _undo(True, None, as_json, dry_run)


def __getattr__(name: str) -> click.Command:
    # `new` is the verb `open` by the name people look for.
    if name == "new_command":
        from desk.actions import load

        return action_command(load()["open"], "new")
    raise AttributeError(name)
