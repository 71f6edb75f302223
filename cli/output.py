"""What goes to stdout: the documented JSON shapes, and calm text for people."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from desk.model import MINUTE, SECOND, Effort, Kind, Message, Millis, Ticket
from desk.text import clean, one_line
from desk.when import brief, iso

if TYPE_CHECKING:
    from desk.events import Record
    from desk.snippets import Snippet
    from desk.store import Row


COUNT = click.IntRange(0, 1_000_000_000)
"""How many lines an option asks for."""

NUMBER = click.IntRange(0, 10**15)
"""The number of a message, a delivery or a line of the log: no store holds larger ones."""


def json_line(value: Any) -> None:
    """One object on one line of stdout."""
    click.echo(json.dumps(value, ensure_ascii=False, separators=(", ", ": ")))


def say(text: str) -> None:
    """A sentence for the person at the terminal, beside the data."""
    click.echo(text, err=True)


def row_json(row: Row, at: Millis) -> dict[str, Any]:
    """A ticket as `ls --json` and `show --json` give it (documented in the man page; keys are never taken away)."""
    ticket, customer = row.ticket, row.customer
    return {
        "id": ticket.id,
        "subject": ticket.subject,
        "status": ticket.status.value,
        "priority": str(ticket.priority),
        "assignee": ticket.assignee,
        "team": ticket.team,
        "requester": {"name": customer.name, "address": customer.address},
        "organisation": customer.organisation,
        "channel": ticket.channel,
        "tags": list(ticket.tags),
        "created_at": iso(ticket.created_at),
        "updated_at": iso(ticket.updated_at),
        "due_at": iso(ticket.due_at),
        "due_kind": ticket.due_kind,
        "overdue": ticket.due_at is not None and ticket.due_at < at and not ticket.paused,
        "paused": ticket.paused,
        "snoozed_until": iso(ticket.snoozed_until),
        "unread": row.unread,
        "message_count": ticket.message_count,
        "type": ticket.type,
        "cc": list(ticket.cc),
        "watchers": list(ticket.watchers),
        "links": [{"kind": link.kind, "id": link.ticket} for link in ticket.links],
        "merged_into": ticket.merged_into,
        "bin": ticket.bin.value or None,
        "account": ticket.account or None,
    }


def message_json(message: Message) -> dict[str, Any]:
    """A message as `show --json` gives it."""
    return {
        "id": message.id,
        "kind": message.kind.value,
        "direction": message.direction.value,
        "channel": message.channel or None,
        "author": message.author,
        "at": iso(message.at),
        "text": message.text,
        "visible": message.visible,
        "state": message.state.value if message.state else None,
        "threaded_by": message.threaded_by,
        "attachments": [
            {"name": a.name, "content_type": a.content_type, "size": a.size, "sha256": a.sha256, "inline": a.inline}
            for a in message.attachments
        ],
        "to": [i.value for i in message.to],
        "cc": [i.value for i in message.cc],
        "message_id": message.message_id,
        "automatic": message.automatic,
        "flags": list(message.flags),
        "marks": [{"mark": mark.mark, "by": mark.by, "who": mark.who} for mark in message.marks],
        "link": message.link,
    }


def whole_json(row: Row, thread: Iterable[Message], effort: Iterable[Effort], at: Millis) -> dict[str, Any]:
    """A ticket as `show --json` gives it."""
    spent: dict[str, dict[str, int]] = {}
    for one in effort:
        spent.setdefault(one.agent, {})[one.doing] = one.spent // SECOND
    return row_json(row, at) | {"messages": [message_json(message) for message in thread], "effort": spent}


def record_json(record: Record) -> dict[str, Any]:
    """A line of the log as `log --json`, `follow --json` and `show --json --events` give it."""
    from desk.telling import describe

    return {
        "seq": record.seq,
        "at": iso(record.at),
        "batch": record.batch,
        "entity": record.entity,
        "about": record.about,
        "kind": record.kind,
        "data": record.data,
        "agent": record.agent,
        "uid": record.uid,
        "host": record.host or None,
        "line": record.line or None,
        "source": record.source or None,
        "undoes": record.undoes,
        "caused_by": record.caused_by,
        "text": describe(record),
    }


# -- for people -------------------------------------------------------------

INDENT = 18
"""Where the second line of a row begins, in columns."""


def width() -> int:
    """Columns to fill; wide when nobody looks."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns
    except (OSError, ValueError):
        return 120


def due(ticket: Ticket, at: Millis) -> str:
    """The clock of a ticket in seven columns: `-2h 05m`, `14m`, `paused`, `-`."""
    if ticket.due_at is None:
        return "-"
    if ticket.paused:
        return "paused"
    left = ticket.due_at - at
    return f"-{brief(left)}" if left < 0 else brief(left)


def fit(text: str, columns: int) -> str:
    """`text` in exactly so many columns, wide characters counted as two."""
    from desk.text import columns as cells

    if cells(text) <= columns:
        return text + " " * (columns - cells(text))
    if text.isascii():
        return text[: columns - 1] + "…"
    kept, used = "", 0
    for character in text:
        wide = cells(character)
        if used + wide > columns - 1:
            break
        kept, used = kept + character, used + wide
    return kept + "…" + " " * (columns - 1 - used)


def snippet_json(found: Snippet | None) -> dict[str, Any]:
    """What `ls --json --snippets` adds: the piece, and where in it the words stand."""
    return {"snippet": found and found.text, "snippet_spans": [list(span) for span in found.spans] if found else []}


def bold(found: Snippet) -> str:
    """A snippet with its words in bold."""
    drawn, at = [], 0
    for start, end in found.spans:
        drawn += [click.style(found.text[at:start], dim=True), click.style(found.text[start:end], bold=True)]
        at = end
    return "".join(drawn) + click.style(found.text[at:], dim=True)


_PLAIN = ("number", "status", "priority", "due", "who", "requester", "subject")
_SHOWN = ("due", "number", "status", "priority", "subject", "requester", "who", "updated")
_WIDTHS = {
    "due": 10, "number": 6, "status": 7, "priority": 6, "tags": 18, "requester": 24, "channel": 7, "team": 10, "who": 8,
    "age": 6, "updated": 6,
}  # fmt: skip
_RIGHT = ("number", "age", "updated")


def table(
    rows: Sequence[Row], at: Millis, me: str | None, *, plain: bool, snippets: Mapping[int, Snippet] | None = None,
    columns: Sequence[str] = (),
) -> None:  # fmt: skip
    """Tickets one a line, in these columns or the usual ones; below each what was found."""
    if plain:
        for row in rows:
            click.echo("\t".join(_cell(name, row, at, None) for name in columns or _PLAIN))
        return
    names = columns or _SHOWN
    total = width()
    widths = {**_WIDTHS, "requester": max(12, min(24, total // 6))}
    widths["subject"] = max(10, total - sum(widths[name] + 1 for name in names if name != "subject"))
    for row in rows:
        late = row.ticket.due_at is not None and row.ticket.due_at < at and not row.ticket.paused
        cells = {name: _cell(name, row, at, me) for name in names}
        if "due" in cells:
            cells["due"] = f"{cells['due']:>8} {'!' if late else ' '}"
        if "subject" in cells:
            cells["subject"] = ("*" if row.unread else " ") + cells["subject"]
        line = " ".join(
            f"{text:>{widths[name]}}" if name in _RIGHT else fit(text, widths[name]) for name, text in cells.items()
        ).rstrip()
        click.echo(click.style(line, fg="red") if late else line)
        if found := (snippets or {}).get(row.ticket.id):
            click.echo(f"{'':{INDENT}}{bold(found)}")


def _cell(name: str, row: Row, at: Millis, me: str | None) -> str:
    """What a column says of a ticket."""
    ticket = row.ticket
    match name:
        case "due":
            return due(ticket, at)
        case "number":
            return str(ticket.id)
        case "status":
            return ticket.status.value
        case "priority":
            return str(ticket.priority)
        case "tags":
            return " ".join(ticket.tags)
        case "requester":
            return one_line(row.customer.name)
        case "channel":
            return ticket.channel or "-"
        case "team":
            return ticket.team or "-"
        case "who":
            return "me" if me and ticket.assignee == me else ticket.assignee or "-"
        case "age":
            return brief(at - ticket.created_at)
        case "updated":
            return brief(at - ticket.updated_at)
    assert name == "subject", name
    return one_line(ticket.subject)


def worked(effort: Iterable[Effort]) -> str:
    """What went into a ticket: `kim views 5m, writes 12m · sam views 40s`."""
    said: dict[str, list[str]] = {}
    for one in effort:
        span = brief(one.spent) if one.spent >= MINUTE else f"{one.spent // SECOND}s"
        said.setdefault(one.agent, []).append(f"{one.doing} {span}")
    return " · ".join(f"{agent} {', '.join(parts)}" for agent, parts in said.items())


def conversation(row: Row, messages: Iterable[Message], at: Millis, zone: Any, effort: Iterable[Effort] = ()) -> None:
    """A ticket with everything said on it."""
    t = row.ticket
    click.echo(click.style(f"#{t.id}  {one_line(t.subject)}", bold=True))
    facts = [
        t.status.value,
        str(t.priority),
        t.assignee or "unassigned",
        *([t.team] if t.team else []),
        t.channel or "-",
    ]
    click.echo(" · ".join(facts) + (f" · {' '.join(t.tags)}" if t.tags else ""))
    click.echo(
        f"{one_line(row.customer.name)} <{one_line(row.customer.address)}>"
        + (f" · {row.customer.organisation}" if row.customer.organisation else "")
    )
    if t.due_at is not None:
        click.echo(f"{t.due_kind}: {due(t, at)}")
    if t.merged_into:
        click.echo(f"merged into #{t.merged_into}")
    for link in t.links:
        click.echo(f"{link.kind} #{link.ticket}")
    if spent := worked(effort):
        click.echo(spent)
    for message in messages:
        click.echo()
        _message(message, zone)


def _message(message: Message, zone: Any) -> None:
    from datetime import datetime

    when = datetime.fromtimestamp(message.at / 1000, zone).strftime("%Y-%m-%d %H:%M")
    word = "NOTE" if message.kind is Kind.NOTE else message.channel or message.kind.value
    to = (
        f" → {', '.join(one_line(i.label) for i in message.to)}"
        if message.direction.value == "out" and message.to
        else ""
    )
    state = f"  {message.state.value}" if message.state else ""
    click.echo(
        click.style(
            f"[{message.id}] {one_line(message.author)}{to}  {word}  {when}{state}",
            fg="yellow" if word == "NOTE" else "cyan",
        )
    )
    if message.flags:
        from desk.flags import aside, told

        if alarming := told(message.flags):
            click.echo(click.style(f"! {one_line('; '.join(alarming))}", fg="red"))
        if quiet := aside(message.flags):
            click.echo(click.style(f"({one_line('; '.join(quiet))})", dim=True))
    click.echo(clean(message.visible).rstrip())
    if message.marks:
        click.echo(click.style("  ".join(one_line(f"{mark.mark} {mark.who}") for mark in message.marks), dim=True))
    hidden = message.text.count("\n") - message.visible.count("\n")
    if hidden > 0:
        click.echo(click.style(f"({hidden} quoted lines folded)", dim=True))
    for number, attachment in enumerate(message.attachments, 1):
        click.echo(f"  [{number}] {one_line(attachment.name)} {attachment.content_type} {attachment.size:,} bytes")


class Progress:
    """A line on the terminal while work lasts: how many, how fast, how long still."""

    def __init__(self, what: str, total: int | None = None) -> None:
        self._what, self._total = what, total
        self._begun = time.monotonic()
        self._shown = sys.stderr.isatty()

    def show(self, done: int) -> None:
        """Draw the line anew."""
        if not self._shown:
            return
        rate = done / max(time.monotonic() - self._begun, 0.001)
        left = f", {brief(int((self._total - done) / rate * 1000))} left" if self._total and rate else ""
        of = f" of {self._total:,}" if self._total else ""
        sys.stderr.write(f"\r{done:,}{of} {self._what}, {rate:,.0f} a second{left}   ")
        sys.stderr.flush()

    def end(self, done: int) -> None:
        """Leave the line."""
        self.show(done)
        if self._shown:
            sys.stderr.write("\n")
