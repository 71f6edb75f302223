"""The team's rules and hooks: what there is, what is wrong with it, what it would do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import click
from msgspec.structs import replace

from cli import output
from cli.ids import numbers
from cli.wiring import Session, now, session
from desk import hooks, rules
from desk.config import DeskConfig
from desk.errors import ConfigError, DeskError, Invalid
from desk.events import Posted, Record, payload
from desk.model import Millis
from desk.perform import Outcome
from desk.store import Store
from desk.telling import describe
from desk.text import clean, one_line
from desk.when import iso, span


@click.group("rules")
def rules_command() -> None:
    """The rules and hooks of the team: list, check and try them.

    They stand in the configuration, as [rules.NAME] and [hooks.NAME]; the relay runs them.
    """


@rules_command.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line")
def list_(as_json: bool) -> None:
    """List rules in the order in which they are asked, then hooks."""
    config = session().store().config
    for rule in rules.load(config).items.values():
        if as_json:
            output.json_line(
                {
                    "rule": rule.name, "on": list(rule.on), "when": rule.when, "do": list(rule.do), "idle": rule.idle or None,
                    "at": rule.at or None, "zone": rule.zone, "order": rule.order, "stop": rule.stop, "enabled": rule.enabled,
                }
            )  # fmt: skip
            continue
        when = " ".join(filter(None, (" or ".join(rule.on), rule.idle or rule.at)))
        asked = f", {rule.when}" if rule.when else ""
        _line(rule.name, rule.enabled, f"{when}{asked}: {'; '.join(rule.do)}" + (" (then stop)" if rule.stop else ""))
    for hook in hooks.load(config).items.values():
        if as_json:
            output.json_line(
                {
                    "hook": hook.name, "on": list(hook.on), "when": hook.when, "program": hook.program,
                    "timeout_s": hook.timeout_s, "enabled": hook.enabled,
                }
            )  # fmt: skip
            continue
        asked = f", {hook.when}" if hook.when else ""
        _line(hook.name, hook.enabled, f"{' or '.join(hook.on)}{asked}: runs {hook.program}")
    wrong = _wrong(config)
    if wrong:
        output.say(f"{len(wrong)} left out because of mistakes; deskhand rules check names them")
    elif not config.tables.get("rules") and not config.tables.get("hooks"):
        output.say("no rules yet; config.example.toml has some to begin with")


def _line(name: str, enabled: bool, words: str) -> None:
    text = one_line(f"{name:<20} {'' if enabled else '(off) '}{words}")
    click.echo(text if enabled else click.style(text, dim=True))


def _written(here: Session) -> DeskConfig:
    """What somebody is at work on: their own files, if they have rules or hooks; else what holds."""
    files = here.config.desk
    return files if files.tables.get("rules") or files.tables.get("hooks") else here.store().config


def _wrong(config: DeskConfig) -> list[ConfigError]:
    return [*rules.load(config).errors, *hooks.load(config).errors]


@rules_command.command("check")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a mistake")
def check(as_json: bool) -> int | None:
    """Say what is wrong with rules and hooks, by file and line; exit code 1 when something is.

    It reads your own files where they have any, and else what was published.
    """
    here = session()
    store, config = here.store(), _written(here)
    found = [str(error) for error in _wrong(config)]
    found += _unknown(store, config)
    for words in found:
        if as_json:
            output.json_line({"problem": words})
        else:
            click.echo(words)
    if not found and not as_json:
        many = len(rules.load(config).items), len(hooks.load(config).items)
        click.echo(f"{many[0]} rules and {many[1]} hooks, all is well")
    return 1 if found else None


def _unknown(store: Store, config: DeskConfig) -> Iterator[str]:
    """Agents and teams that rules name and nobody is."""
    known = {"agent": {a.name for a in store.agents().values() if a.active}, "team": set(store.teams())}
    for rule in rules.load(config).items.values():
        entry = config.tables["rules"][rule.name]
        for draft in rule.drafts:
            for name, kind in rule.names(draft):
                if kind in known and name not in known[kind]:
                    yield str(entry.error("do", f'"{draft.verb} {name}": there is no {kind} "{name}"'))


# -- what would happen ------------------------------------------------------------------


@rules_command.command("test")
@click.argument("ticket")
@click.option("--on", type=click.Choice(rules.OCCASIONS), help="As if this happened (default: what each waits for)")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a rule")
def test(ticket: str, on: str | None, as_json: bool) -> None:
    """Say of every rule whether it would act on a ticket now, what it would do, or why not.

    Nothing is changed. Each rule is tried alone, on the ticket as it is. The rules are those of
    your own files where they have any, also before they are published.
    """
    from desk.trials import trials

    here = session()
    (number,) = numbers(ticket)[:1]
    desk = replace(here.desk(), config=_written(here))
    tried = list(trials(desk, number, now(), on))
    for trial in tried:
        acts = not trial.in_the_way
        changes = list(_changes(trial.outcome)) if trial.outcome and acts else []
        if as_json:
            output.json_line(
                {
                    "rule": trial.rule.name, "acts": acts, "why_not": list(trial.in_the_way), "changes": changes,
                    "left_out": list(trial.left_out), "stop": trial.rule.stop,
                }
            )  # fmt: skip
            continue
        click.echo(click.style(f"{trial.rule.name}: {'would act' if acts else 'would not act'}", bold=acts))
        for why in trial.in_the_way:
            click.echo(f"  {one_line(why)}")
        for change in changes:
            click.echo(f"  {clean(change)}")
        if acts and not changes:
            click.echo("  but everything is so already")
        for words in trial.left_out:
            click.echo(f"  {one_line(words)}")
    if not tried and not as_json:
        output.say("there are no rules")


def _changes(outcome: Outcome) -> Iterator[str]:
    """What would be different, a line each; messages with whom they go to."""
    for event in outcome.events:
        if isinstance(event, Posted):
            people = ", ".join(i.value for i in (*event.message.to, *event.message.cc, *event.message.bcc))
            yield f"{event.message.kind.value}{f' to {people}' if people else ''}: {event.message.text}"
        else:
            entity, about, data = payload(event)
            yield describe(Record(0, 0, "", entity, about, type(event).__name__, data))


@rules_command.command("replay")
@click.option("--since", default="1w", show_default=True, metavar="SPAN", help="How far back: 2h, 3d, 1w")
@click.option("--dry-run", is_flag=True, help="What it always is: nothing is ever changed")
@click.option("--json", "as_json", is_flag=True, help="One JSON object each time a rule would have acted")
def replay(since: str, dry_run: bool, as_json: bool) -> None:
    """Say what the rules of today would have done to what happened lately. Nothing is changed.

    Each event is looked at by itself, with the ticket as it was then; rules that wait for the
    time (idle, at) are not played.
    """
    from desk import trials

    here = session()
    length = span(since)
    if length is None:
        raise Invalid(f'--since "{since}" is no length of time; write 2h, 3d or 1w')
    counts: Counter[str] = Counter()
    for acted in trials.replay(replace(here.desk(), config=_written(here)), now() - length):
        counts[acted.rule.name] += 1
        if as_json:
            output.json_line(
                {
                    "rule": acted.rule.name, "ticket": acted.news.ticket, "at": iso(acted.news.at), "batch": acted.news.batch,
                    "on": sorted(acted.news.on & set(acted.rule.on)), "line": acted.line, "trouble": acted.trouble or None,
                }
            )  # fmt: skip
            continue
        when = datetime.fromtimestamp(acted.news.at / 1000, here.zone).strftime("%Y-%m-%d %H:%M")
        trouble = f"  (but {acted.trouble})" if acted.trouble else ""
        click.echo(one_line(f"{when}  #{acted.news.ticket:<6} {acted.rule.name:<20} {acted.line}{trouble}"))
    if not as_json:
        told = ", ".join(f"{name} {count:,} times" for name, count in counts.most_common())
        output.say(f"in the last {since}: {told}" if told else f"in the last {since} no rule would have acted")


# -- for health and doctor ----------------------------------------------------------------


def runs(store: Store, at: Millis) -> bool:
    """Whether a relay runs the rules."""
    return any(lease.name == "rules" and lease.until > at for lease in store.leases())


def shown(here: Session, number: int) -> dict[str, Any]:
    """A ticket as `show --json` gives it, for hooks."""
    store = here.store()
    rows = store.rows([number])
    if not rows:
        raise DeskError(f"there is no ticket #{number}")
    return output.whole_json(rows[0], store.thread(number), store.effort(number), now())
