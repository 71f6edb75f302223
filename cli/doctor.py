"""doctor: look at everything the desk depends on, and say the exact fix for what is wrong."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import click

from cli import output
from cli.channels import tried
from cli.publishing import behind
from cli.rules import runs
from cli.wiring import Session, now, session, station
from desk import rules
from desk.errors import DeskError
from desk.health import fares, trouble
from desk.hosts import relay_runs
from desk.hours import load as load_hours
from desk.tables import problems


@dataclass(frozen=True)
class Finding:
    """One thing looked at: its area, whether it is well, and what to do when it is not."""

    area: str
    well: bool
    words: str


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a finding")
@click.option("--offline", is_flag=True, help="Do not connect to the accounts' servers")
def doctor_command(as_json: bool, offline: bool) -> int | None:
    """Check terminal, configuration, store, relay and accounts; exit code 1 when something is wrong."""
    here = session()
    wrong = 0
    for look in (_terminal, _tmux, _configuration, _store, _agent, _macros, *(() if offline else (_accounts,))):
        for finding in _safely(look, here):
            wrong += not finding.well
            if as_json:
                output.json_line({"area": finding.area, "well": finding.well, "text": finding.words})
            else:
                mark = click.style("ok  ", fg="green") if finding.well else click.style("FIX ", fg="red", bold=True)
                click.echo(f"{mark} {finding.area:<9} {finding.words}")
    return 1 if wrong else None


def _safely(look: Callable[[Session], Iterator[Finding]], here: Session) -> Iterator[Finding]:
    try:
        yield from look(here)
    except DeskError as error:
        yield Finding(look.__name__.strip("_"), False, str(error))


def _macros(here: Session) -> Iterator[Finding]:
    """The files and programs of one's own, and the team's programs; the tables are the configuration's."""
    from cli import personal
    from cli.shelf import Shelf
    from desk import canned

    if not any(folder.is_dir() for folder, _ in personal.folders()):
        return
    shelf = Shelf(here)
    told_before = {str(error) for error in problems(here.config.desk)}
    texts = canned.load(shelf.config)
    wrong = [error for error in (*shelf.errors, *texts.errors) if str(error) not in told_before]
    yield from (Finding("macros", False, str(error)) for error in wrong)
    if not wrong:
        counts = f"{len(shelf.tables)} macros, {len(shelf.programs)} programs, {len(texts.items)} snippets"
        yield Finding("macros", True, f"{counts}; your own lie in {personal.folder()}")


def _terminal(here: Session) -> Iterator[Finding]:
    if not sys.stdout.isatty():
        yield Finding("terminal", True, "not a terminal: only the verbs are used here")
        return
    term, colours = os.environ.get("TERM", ""), os.environ.get("COLORTERM", "")
    if term in ("", "dumb"):
        yield Finding("terminal", False, "TERM is not set; export TERM=xterm-256color")
    elif colours in ("truecolor", "24bit"):
        yield Finding("terminal", True, f"{term}, full colour")
    else:
        yield Finding(
            "terminal", True, f"{term}, 256 colours at most (export COLORTERM=truecolor if yours can do more)"
        )
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    yield Finding("locale", encoding == "utf8", "UTF-8" if encoding == "utf8" else f"{encoding}; export LANG=C.UTF-8")


def _tmux(here: Session) -> Iterator[Finding]:
    if not os.environ.get("TMUX") or shutil.which("tmux") is None:
        return
    escape = _tmux_option("escape-time")
    if escape.isdigit():
        yield Finding(
            "tmux",
            int(escape) <= 50,
            f"escape-time {escape} ms" + ("" if int(escape) <= 50 else "; add to ~/.tmux.conf: set -sg escape-time 10"),
        )
    clipboard = _tmux_option("set-clipboard")
    if clipboard:
        yield Finding(
            "tmux",
            clipboard != "off",
            f"set-clipboard {clipboard}"
            + ("; add to ~/.tmux.conf: set -g set-clipboard on" if clipboard == "off" else ""),
        )


def _tmux_option(name: str) -> str:
    try:
        return subprocess.run(
            ["tmux", "show-options", "-sv", name], capture_output=True, text=True, timeout=5
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def _configuration(here: Session) -> Iterator[Finding]:
    path = here.config_path
    if path is None:
        yield Finding("config", True, "no file, the defaults hold; deskhand init makes one")
        return
    for name in here.config.channels:
        station(here.config, name)
    yield Finding("config", True, f"{path}, accounts: {', '.join(here.config.channels) or 'none'}")
    if path.stat().st_mode & 0o022:
        yield Finding("config", False, f"others may write {path}; close it with: chmod go-w {path}")


def _store(here: Session) -> Iterator[Finding]:
    store = here.store()
    numbers = store.numbers()
    (well, words), *more = store.circumstances()
    yield Finding("store", well, f"{store.url}: {numbers.tickets:,} tickets, {words}")
    yield from (Finding("store", well, words) for well, words in more)
    at = now()
    held = [lease for lease in store.leases() if lease.until > at]
    if relay_runs(store, at):
        yield Finding("relay", True, ", ".join(sorted({lease.holder for lease in held})))
    elif store.accounts():
        yield Finding("relay", False, "not running, nothing is fetched or sent; start it with: deskhand relay")
    for account in store.accounts().values():
        if (fared := fares(account)).startswith(("paused", "retrying")):
            then = f"; go on with: deskhand channel resume {account.name}" if account.held else ""
            yield Finding("account", False, f"{account.name} {fared}{then}")
    # While a file is wrong, what was published before may hold: both are looked at.
    if behind(store):
        words = "the clocks of some tickets go by older policies yet; set them with: deskhand config apply"
        yield Finding("clocks", False, words)
    found = (str(problem) for config in (here.config.desk, store.config) for problem in problems(config))
    for words in dict.fromkeys(found):
        yield Finding("config", False, words)
    if rules.load(store.config).items and relay_runs(store, at) and not runs(store, at):
        yield Finding("rules", False, "no relay runs them; start the relay again, in the newest version")
    for part, words in trouble(store, at):
        yield Finding(part, False, f"{words}; try them with: deskhand rules test")
    if numbers.unknown:
        yield Finding(
            "outbox", False, f"{numbers.unknown} messages may or may not have gone out; look with: deskhand outbox"
        )


def _agent(here: Session) -> Iterator[Finding]:
    agent = here.agent()
    if agent is None:
        yield Finding(
            "agent",
            False,
            f"uid {os.getuid()} is nobody here; an admin runs: deskhand agent add NAME --uid {os.getuid()}",
        )
    else:
        yield Finding("agent", True, f"you are {agent.name}, {agent.role}")
    store = here.store()
    for one in store.agents().values():
        if one.hours and one.hours not in load_hours(store.config).items:
            words = f"{one.name} works in the hours {one.hours}, which are not there; write [calendars.{one.hours}]"
            yield Finding("agent", False, f"{words}, or: deskhand agent set {one.name} --hours none")


def _accounts(here: Session) -> Iterator[Finding]:
    for name in here.config.channels:
        well, words = tried(here, name)
        yield Finding("account", well, f"{name}: {words}")
