"""What would happen, before it does: each change as a line, each message with its exact recipients and text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import click

from desk.events import Event, Posted
from desk.perform import Outcome
from desk.preview import by_ticket, recipients, told
from desk.store import Store
from desk.text import clean, one_line

WHOLE = 10
"""Tickets that are shown one by one; of more the changes are counted."""


def as_json(outcome: Outcome) -> list[dict[str, Any]]:
    """The changes and messages by ticket, for `--dry-run --json`."""
    return [
        {
            "id": number,
            "changes": [told(event) for event in events if not isinstance(event, Posted)],
            "messages": [
                {"kind": e.message.kind.value, "to": recipients(e), "text": e.message.text}
                for e in events
                if isinstance(e, Posted)
            ],
        }
        for number, events in by_ticket(outcome).items()
    ]


def show(store: Store, outcome: Outcome, skipped: Mapping[int, str]) -> None:
    """Print what would happen to each ticket, and which would be left alone."""
    of_each = by_ticket(outcome)
    subjects = {row.ticket.id: row.ticket.subject for row in store.rows(list(of_each)[:WHOLE])}
    for number, events in list(of_each.items())[:WHOLE]:
        click.echo(click.style(f"#{number}  {one_line(subjects.get(number, ''))}".rstrip(), bold=True))
        for event in events:
            _show(event)
    rest = [event for events in list(of_each.values())[WHOLE:] for event in events]
    if rest:
        click.echo(click.style(f"and {len(of_each) - WHOLE:,} more:", bold=True))
        for what, times in Counter(one_line(told(event)) for event in rest).most_common():
            click.echo(f"  {times:>6,} x {what}")
    unchanged = [number for number in outcome.done if number not in of_each]
    if unchanged:
        click.echo(
            f"nothing to change: {', '.join(f'#{n}' for n in unchanged[:20])}{' ...' if len(unchanged) > 20 else ''}"
        )
    tell_skipped(skipped)


def tell_skipped(skipped: Mapping[int, str]) -> None:
    """Say which tickets are left alone; the same reason once."""
    reasons: dict[str, list[int]] = {}
    for number, reason in skipped.items():
        reasons.setdefault(reason, []).append(number)
    for reason, numbers in reasons.items():
        more = f" and {len(numbers) - 10:,} more" if len(numbers) > 10 else ""
        click.echo(f"{', '.join(f'#{n}' for n in numbers[:10])}{more} left alone: {reason}", err=True)


def _show(event: Event) -> None:
    if not isinstance(event, Posted):
        line = one_line(told(event))
        click.echo(click.style(f"  ~ {line}", fg="yellow"))
        return
    click.echo(click.style(f"  + {one_line(told(event))}", fg="green"))
    for line in clean(event.message.text).splitlines():
        click.echo(f"    | {line}".rstrip())
