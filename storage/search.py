"""Queries as SQL: the tree of `desk.query`, compiled for a store that holds the columns of `storage.rows`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any as Value

from desk.query import LIVE, VISIBLE, All, Any, Attached, Between, Has, Is, Node, Not, Snoozed, Unread, Within, Words

SHIFT = 35
"""A row of the word index is `ticket << SHIFT | message`; message 0 is the subject."""

COMMON = 2_000
"""From so many hits on, a word is looked up ticket by ticket instead of all at once."""

_ORDERS = {
    "urgency": (("(ticket.due_at IS NULL)", "ASC"), ("ticket.due_at", "ASC"), ("ticket.id", "DESC")),
    "newest": (("ticket.id", "DESC"),),
    "oldest": (("ticket.id", "ASC"),),
    "updated": (("ticket.updated_at", "DESC"), ("ticket.id", "DESC")),
    "waiting": (("(ticket.waiting_since IS NULL)", "ASC"), ("ticket.waiting_since", "ASC"), ("ticket.id", "ASC")),
    "priority": (("ticket.priority", "DESC"), ("ticket.id", "DESC")),
}


@dataclass
class Compiled:
    """A condition, with its parameters by name."""

    where: str
    params: dict[str, Value] = field(default_factory=dict)


def compile_query(node: Node, hits: Callable[[str, int], int]) -> Compiled:
    """`node` as a condition on `ticket`; `hits(match, limit)` counts rows of the word index, up to the limit."""
    compiled = Compiled("")
    compiled.where = _condition(node, compiled.params, hits)
    return compiled


def order_by(sort: str) -> str:
    """The ORDER BY of a sort."""
    return ", ".join(f"{expression} {direction}" for expression, direction in _ORDERS[sort])


def key_columns(sort: str) -> str:
    """The expressions whose values are the key of a row."""
    return ", ".join(expression for expression, _ in _ORDERS[sort])


def behind(sort: str, key: tuple[Value, ...], params: dict[str, Value]) -> str:
    """The condition that a row comes after the row with this key (NULL equals NULL)."""
    steps = []
    order = _ORDERS[sort]
    for i, value in enumerate(key):
        params[f"k{i}"] = value
    for i, (expression, direction) in enumerate(order):
        if key[i] is None:
            continue
        same = [f"{order[j][0]} IS :k{j}" for j in range(i)]
        steps.append("(" + " AND ".join([*same, f"{expression} {'>' if direction == 'ASC' else '<'} :k{i}"]) + ")")
    return "(" + " OR ".join(steps) + ")"


def match_text(needle: str, prefix: bool) -> str:
    """A token line as an FTS5 phrase."""
    return f'"{needle}"' + (" *" if prefix else "")


def _condition(node: Node, params: dict[str, Value], hits: Callable[[str, int], int]) -> str:
    def bind(value: Value) -> str:
        name = f"p{len(params)}"
        params[name] = value
        return f":{name}"

    def many(values: tuple[Value, ...]) -> str:
        return ", ".join(bind(v) for v in values)

    # Written as the partial indexes are, so that they are used.
    if node == LIVE:
        return "ticket.live = 1"
    if node == VISIBLE:
        return "ticket.bin = '' AND ticket.merged_into IS NULL"
    match node:
        case All(parts):
            return (
                " AND ".join(
                    f"({_condition(p, params, hits)})" if isinstance(p, Any) else _condition(p, params, hits)
                    for p in parts
                )
                or "1"
            )
        case Any(parts):
            return " OR ".join(f"({_condition(p, params, hits)})" for p in parts) or "0"
        case Not(part):
            return f"NOT ({_condition(part, params, hits)})"
        case Is(column, values):
            named = tuple(v for v in values if v is not None)
            tests = [f"ticket.{column} IS NULL"] if None in values else []
            if named:
                listed = f"IN ({many(named)})" if len(named) > 1 else f"= {bind(named[0])}"
                tests.append(
                    f"coalesce(ticket.{column} {listed}, 0)"
                    if column in ("assignee", "team", "type")
                    else f"ticket.{column} {listed}"
                )
            return "(" + " OR ".join(tests) + ")"
        case Has(column, None):
            return f"ticket.{column} = '[]'"
        case Has("tags", value):
            return f"ticket.id IN (SELECT ticket FROM tag WHERE tag = {bind(value)})"
        case Has(column, value):
            return f"EXISTS (SELECT 1 FROM json_each(ticket.{column}) WHERE value = {bind(value)})"
        case Between(column, low, high):
            tests = [f"ticket.{column} >= {bind(low)}"] if low is not None else []
            tests += [f"ticket.{column} <= {bind(high)}"] if high is not None else []
            return "(" + (" AND ".join(tests) or "1") + ")"
        case Within(column, wanted):
            tests = [f"ticket.{column} IS NOT NULL"]
            tests += [f"ticket.{column} >= {bind(wanted.start)}"] if wanted.start is not None else []
            tests += [f"ticket.{column} < {bind(wanted.end)}"] if wanted.end is not None else []
            return "(" + " AND ".join(tests) + ")"
        case Words(where, needle, prefix):
            return _words(where, needle, prefix, bind, hits)
        case Snoozed(at):
            asleep = f"ticket.snoozed_until > {bind(at)}"
            return f"CASE WHEN ticket.snoozed_until IS NULL THEN ticket.snoozed_for_reply ELSE {asleep} END"
        case Unread(None):
            return "0"
        case Unread(agent):
            mark = f"(SELECT message FROM seen WHERE seen.agent = {bind(agent)} AND seen.ticket = ticket.id)"
            return f"ticket.heard > coalesce({mark}, 0)"
        case Attached():
            held = "SELECT 1 FROM message WHERE message.ticket = ticket.id AND message.attachments IS NOT NULL AND message.withdrawn = 0"
            return f"EXISTS ({held})"


def _words(where: str, needle: str, prefix: bool, bind: Callable[[Value], str], hits: Callable[[str, int], int]) -> str:
    if where in ("requester", "organisation"):
        column = "words" if where == "requester" else "organisation_words"
        wanted = bind(f" {needle}" if prefix else f" {needle} ")
        return f"ticket.requester IN (SELECT id FROM customer WHERE instr({column}, {wanted}) > 0)"
    text = match_text(needle, prefix)
    match = bind(text)
    mask = (1 << SHIFT) - 1
    if hits(text, COMMON) < COMMON:
        subject = f" AND rowid & {mask} = 0" if where == "subject" else ""
        return f"ticket.id IN (SELECT rowid >> {SHIFT} FROM words WHERE words MATCH {match}{subject})"
    last = 0 if where == "subject" else mask
    return (
        f"EXISTS (SELECT 1 FROM words WHERE words MATCH {match} "
        f"AND rowid BETWEEN (ticket.id << {SHIFT}) AND (ticket.id << {SHIFT}) + {last})"
    )
