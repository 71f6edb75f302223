"""Queries as SQL: the tree of `desk.query`, compiled for a store that holds the columns of `storage.rows`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any as Value

from msgspec import Struct, field

from desk.query import (
    LIVE,
    VISIBLE,
    All,
    Any,
    Attached,
    Between,
    Has,
    Is,
    Node,
    Not,
    Of,
    Snoozed,
    Unread,
    Within,
    Words,
)
from storage.sql import Dialect

SHIFT = 35
"""A row of the word index is `ticket << SHIFT | message`; message 0 is the subject."""

MESSAGE = (1 << SHIFT) - 1
"""The part of such a row that is the message."""

COMMON = 3_000
"""Where `hits ** 2` is beyond so many times the tickets, it pays to look ticket by ticket.

All hits at once cost 1 us each. Ticket by ticket, a page of 50 needs `50 * tickets / hits`
looks of 60 us each: the same where `hits ** 2` is 3,000 times the tickets.
"""

COMMON_TAG = 50
"""The same for tags, where a look costs 1 us."""

NEVER = 9_000_000_000_000_000
"""The key of a time that is none, as the migrations have it."""

#: What each sort compares, and its direction. One direction a sort and no NULLs, so that the
#: key of a row is looked up in the index however deep the page. Literals as in the indexes.
_ORDERS = {
    "urgency": (("ticket.due_key", "ticket.id"), "ASC"),
    "newest": (("ticket.id",), "DESC"),
    "oldest": (("ticket.id",), "ASC"),
    "updated": (("ticket.updated_at", "ticket.id"), "DESC"),
    "waiting": (("ticket.waiting_key", "ticket.id"), "ASC"),
    "priority": (("ticket.priority", "ticket.id"), "DESC"),
}


class Compiled(Struct):
    """A condition, with its parameters by name."""

    where: str
    params: dict[str, Value] = field(default_factory=dict)


Rare = Callable[[Words | Has | Attached], bool]
"""Whether all tickets with these words, this tag, or a file, are best looked up at once."""


def compile_query(node: Node, sql: Dialect, rare: Rare = lambda node: True) -> Compiled:
    """`node` as a condition on `ticket`; what is not `rare` is looked up ticket by ticket."""
    compiled = Compiled("")
    compiled.where = _Compiler(sql, rare, compiled.params).condition(node)
    return compiled


def people(node: Words, sql: Dialect, limit: int) -> tuple[str, dict[str, Value]]:
    """What asks for the first customers with these words, and its parameters."""
    into = _Compiler(sql, lambda node: True, {"limit": limit})
    return f"SELECT id FROM customer WHERE {_named(node, sql, into.bind)} LIMIT :limit", into.params


def _named(node: Words, sql: Dialect, bind: Callable[[Value], str]) -> str:
    column = "words" if node.where == "requester" else "organisation_words"
    return sql.within.format(column, bind(f" {node.needle}" if node.prefix else f" {node.needle} "))


def order_by(sort: str) -> str:
    """The ORDER BY of a sort."""
    expressions, direction = _ORDERS[sort]
    return ", ".join(f"{expression} {direction}" for expression in expressions)


def key_columns(sort: str) -> str:
    """The expressions whose values are the key of a row."""
    return ", ".join(_ORDERS[sort][0])


def behind(sort: str, key: tuple[Value, ...], params: dict[str, Value]) -> str:
    """The condition that a row comes after the row with this key."""
    expressions, direction = _ORDERS[sort]
    params |= {f"k{i}": value for i, value in enumerate(key)}
    marks = ", ".join(f":k{i}" for i in range(len(key)))
    return f"({', '.join(expressions)}) {'>' if direction == 'ASC' else '<'} ({marks})"


class _Compiler(Struct):
    """Puts a condition together for one engine, and its values into `params`."""

    sql: Dialect
    rare: Rare
    params: dict[str, Value]

    def bind(self, value: Value) -> str:
        name = f"p{len(self.params)}"
        self.params[name] = int(value) if isinstance(value, bool) else value
        return f":{name}"

    def condition(self, node: Node) -> str:
        # Written as the partial indexes are, so that they are used.
        if node == LIVE:
            return "ticket.live = 1"
        if node == VISIBLE:
            return "ticket.bin = '' AND ticket.merged_into IS NULL"
        match node:
            case All(parts):
                found = [self.condition(p) for p in parts]
                return (
                    " AND ".join(f"({c})" if isinstance(p, Any) else c for p, c in zip(parts, found, strict=True))
                    or _YES
                )
            case Any(parts):
                return " OR ".join(f"({self.condition(p)})" for p in parts) or _NO
            case Not(part):
                return f"NOT ({self.condition(part)})"
            case Is(column, values):
                if len(values) > _SOME and column in _NUMBERS:
                    numbers = self.sql.numbers([int(value or 0) for value in values])
                    return self.sql.one_of.format(f"ticket.{column}", self.bind(numbers))
                name = f"ticket.{column}" if len(values) == 1 else _column(column)
                return "(" + (" OR ".join(self._equal(name, value) for value in values) or _NO) + ")"
            case Has(column, value):
                return self._has(node, column, value)
            case Between(column, low, high):
                tests = [f"{_column(column)} >= {self.bind(low)}"] if low is not None else []
                tests += [f"{_column(column)} <= {self.bind(high)}"] if high is not None else []
                return "(" + (" AND ".join(tests) or _YES) + ")"
            case Within():
                return self._moment(node)
            case Words():
                return self._words(node)
            case Snoozed(at):
                asleep = f"ticket.snoozed_until > {self.bind(at)}"
                for_reply = "ticket.snoozed_until IS NULL AND ticket.snoozed_for_reply = 1"
                return f"(({for_reply}) OR (ticket.snoozed_until IS NOT NULL AND {asleep}))"
            case Unread(None):
                return _NO
            case Unread(agent):
                # What was never news, an archive that was taken in, is in no index of what was.
                mark = f"(SELECT message FROM seen WHERE seen.agent = {self.bind(agent)} AND seen.ticket = ticket.id)"
                return f"(ticket.heard > 0 AND ticket.heard > coalesce({mark}, 0))"
            case Attached():
                if self.rare(node):
                    return "ticket.id IN (SELECT ticket FROM message WHERE attachments IS NOT NULL AND withdrawn = 0)"
                held = "SELECT 1 FROM message WHERE message.ticket = ticket.id AND message.attachments IS NOT NULL AND message.withdrawn = 0"
                return f"EXISTS ({held})"
            case Of():
                raise AssertionError("what was before a change is known to nobody but the log")

    def _equal(self, name: str, value: Value) -> str:
        if value is None:
            return f"{name} IS NULL"
        test = f"{name} = {self.bind(value)}"
        # Where a column is empty the answer is no, and not "unknown", which stays what it is when it is denied.
        return test if name.removeprefix("+").removeprefix("ticket.") in _FULL else f"({test} AND {name} IS NOT NULL)"

    def _has(self, node: Has, column: str, value: str | None) -> str:
        if value is None:
            return f"ticket.{column} = '[]'"
        if column != "tags":
            return self.sql.member.format(f"ticket.{column}", self.bind(value))
        if self.rare(node):
            return f"ticket.id IN (SELECT ticket FROM tag WHERE tag = {self.bind(value)})"
        return f"EXISTS (SELECT 1 FROM tag WHERE tag.tag = {self.bind(value)} AND tag.ticket = ticket.id)"

    def _moment(self, node: Within) -> str:
        column, wanted = node.column, node.range
        # The key of a due or waiting time is what an index holds; "no time" is behind every time.
        key = {"due_at": "due_key", "waiting_since": "waiting_key"}.get(column, column)
        if key == column:
            tests = [f"ticket.{column} IS NOT NULL"]
        else:
            # One bound and no second: that would be computed from the row, for every row.
            tests = [f"ticket.{key} < {NEVER}"] if wanted.end is None else []
        tests += [f"ticket.{key} >= {self.bind(wanted.start)}"] if wanted.start is not None else []
        tests += [f"ticket.{key} < {self.bind(wanted.end)}"] if wanted.end is not None else []
        return "(" + " AND ".join(tests) + ")"

    def _words(self, node: Words) -> str:
        if node.where in ("requester", "organisation"):
            return f"ticket.requester IN (SELECT id FROM customer WHERE {_named(node, self.sql, self.bind)})"
        matches = self.sql.matches.format(self.bind(self.sql.phrase(node.needle, node.prefix)))
        if self.rare(node):
            subject = f" AND rowid & {MESSAGE} = 0" if node.where == "subject" else ""
            return f"ticket.id IN (SELECT rowid >> {SHIFT} FROM words WHERE {matches}{subject})"
        last = 0 if node.where == "subject" else MESSAGE
        return (
            f"EXISTS (SELECT 1 FROM words WHERE {matches} "
            f"AND rowid BETWEEN (ticket.id << {SHIFT}) AND (ticket.id << {SHIFT}) + {last})"
        )


_YES, _NO = "1 = 1", "1 = 0"
_FULL = ("status", "priority", "bin", "live", "id", "channel", "requester")
"""Columns that are never empty."""
_NUMBERS = ("id", "requester")
_SOME = 8


def _column(name: str) -> str:
    # A fifth of all tickets has a priority: found by several, they would all be sorted; in their order a page is met at once.
    return "+ticket.priority" if name == "priority" else f"ticket.{name}"
