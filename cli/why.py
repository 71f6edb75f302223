"""`deskhand why`: which policy holds for a ticket, how its clocks stand, why each message is here, what rules did."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import click

from cli import output
from cli.ids import chosen
from cli.wiring import Session, now, session
from desk.errors import Invalid
from desk.events import MERGED
from desk.flags import THREADED
from desk.model import MINUTE, Bin, Millis
from desk.text import one_line
from desk.when import brief, iso
from desk.why import Because, Standing, explain

_AWAY = {Bin.SPAM: "spam", Bin.TRASH: "in the trash", Bin.SUSPENDED: "suspended"}


@click.command("why")
@click.argument("words", nargs=-1)
@click.option("-q", "query", metavar="QUERY", help="The tickets that a query asks for")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a ticket")
def why_command(words: tuple[str, ...], query: str | None, as_json: bool) -> None:
    """Explain a ticket: the policy that holds, every clock, why its messages are here, what rules did."""
    here = session()
    ids, rest = chosen(here, words, query)
    if rest:
        raise Invalid(f'why does not take "{rest[0]}"; it is written: why IDS')
    at = now()
    for place, number in enumerate(ids):
        because = explain(here.store(), number, at)
        if as_json:
            output.json_line(_json(because))
        else:
            if place:
                click.echo()
            click.echo("\n".join(told(because, here)))


def told(because: Because, here: Session) -> Iterator[str]:
    """What explains a ticket, line by line."""
    ticket = because.ticket
    yield click.style(f"#{ticket.id}  {one_line(ticket.subject)}", bold=True)
    yield (
        f"{ticket.status.value} · {ticket.priority} · {ticket.channel or '-'} · opened {_when(ticket.created_at, here)}"
    )
    yield "\nPolicy"
    for look in because.looks:
        asks = f"asks for {look.when}" if look.when else "is for every ticket"
        yield f"  {look.policy}: {asks}, {'and that holds' if look.holds else 'which it is not'}"
    if ticket.merged_into is not None:
        yield f"  merged into #{ticket.merged_into}, whose clocks count: nothing is promised here"
    elif not ticket.visible:
        yield f"  it is {_AWAY[ticket.bin]}: nothing is promised"
    elif because.policy is None:
        yield "  none holds: nothing is promised"
    elif not because.clocks:
        yield "  nobody waits: no clock runs"
    for clock in because.clocks:
        yield from _clock(clock, here)
    yield "\nMessages"
    for message in because.messages:
        rule = message.threaded_by
        because_of = THREADED.get(rule, one_line(rule)) if rule else "it was written here"
        if f"{MERGED}{ticket.id}" in message.flags:
            because_of = "it came by a merge"
        yield f"  [{message.id}] {_when(message.at, here)}  {one_line(message.author)}: {because_of}"
    if because.deeds:
        yield "\nRules and macros"
    for deed in because.deeds:
        yield f"  {_when(deed.at, here)}  {deed.source.replace(':', ' ', 1)}: {one_line(deed.line)}"


def _clock(clock: Standing, here: Session) -> Iterator[str]:
    promise = clock.promise
    within = f"{_span(clock.span)} of {f'calendar {clock.calendar}' if clock.calendar else 'the clock'}"
    yield click.style(f"\n{promise.clock.replace('-', ' ').capitalize()}", bold=True) + f", within {within}"
    yield f"  began   {_when(promise.since, here)}"
    for start, end in clock.paused:
        yield f"  paused  {_when(start, here)} to {_when(end, here) if end is not None else 'now'}"
    if promise.state == "kept":
        late = f", it was due {_when(promise.due, here)}" if clock.breached else ""
        yield f"  kept    {_when(promise.kept_at, here) if promise.kept_at else 'yes'}{late}"
        return
    if promise.due is not None:
        yield f"  due     {_when(promise.due, here)}"
    if clock.left is not None:
        yield (
            f"  {'late ' if clock.breached else 'left '}   {_span(abs(clock.left))}{', stands still' if promise.due is None else ''}"
        )


def _when(at: Millis | None, here: Session) -> str:
    assert at is not None
    return datetime.fromtimestamp(at / 1000, here.zone).strftime("%Y-%m-%d %H:%M:%S")


def _span(length: Millis) -> str:
    hours, minutes = divmod(length // MINUTE, 60)
    if not hours:
        return brief(length)
    return f"{hours}h {minutes:02}m" if minutes else f"{hours}h"


def _json(because: Because) -> dict[str, Any]:
    return {
        "id": because.ticket.id,
        "policy": because.policy,
        "policies": [{"name": look.policy, "when": look.when, "holds": look.holds} for look in because.looks],
        "calendar": next((clock.calendar for clock in because.clocks if clock.calendar), None),
        "clocks": [_clock_json(clock) for clock in because.clocks],
        "messages": [
            {"id": m.id, "at": iso(m.at), "threaded_by": m.threaded_by, "flags": list(m.flags)}
            for m in because.messages
        ],
        "changes": [{"at": iso(deed.at), "by": deed.source, "line": deed.line} for deed in because.deeds],
    }


def _clock_json(clock: Standing) -> dict[str, Any]:
    promise = clock.promise
    return {
        "clock": promise.clock,
        "calendar": clock.calendar or None,
        "within_seconds": clock.span // 1000,
        "started_at": iso(promise.since),
        "due_at": iso(promise.due),
        "warn_at": iso(promise.warn_at),
        "paused": promise.state == "paused",
        "pauses": [[iso(start), iso(end)] for start, end in clock.paused],
        "left_seconds": clock.left // 1000 if clock.left is not None else None,
        "fulfilled_at": iso(promise.kept_at),
        "breached": clock.breached,
    }
