"""What a ticket is called and sorted by."""

from __future__ import annotations

from desk.actions import Context, action
from desk.events import Event, change
from desk.model import Ticket
from desk.params import PriorityName, Tags, Text, Word


@action(keys="+")
def priority(ticket: Ticket, to: PriorityName, *, ctx: Context) -> list[Event]:
    """Say how much the ticket matters."""
    return [*change(ticket, priority=to)]


@action(keys="t")
def tag(ticket: Ticket, tags: Tags, *, ctx: Context) -> list[Event]:
    """Add tags."""
    return [*change(ticket, tags=tuple(sorted({*ticket.tags, *tags})))]


@action()
def untag(ticket: Ticket, tags: Tags, *, ctx: Context) -> list[Event]:
    """Remove tags."""
    return [*change(ticket, tags=tuple(t for t in ticket.tags if t not in tags))]


@action()
def type(ticket: Ticket, to: Word, *, ctx: Context) -> list[Event]:
    """Say what kind of ticket it is; `none` says nothing."""
    return [*change(ticket, type=None if to == "none" else (to or "").lower())]


@action()
def rename(ticket: Ticket, to: Text, *, ctx: Context) -> list[Event]:
    """Give the ticket another subject."""
    return [*change(ticket, subject=to)]
