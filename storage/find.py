"""How a page of tickets is found: by the words it asks for, or along an index.

A common word stands in half of a million tickets, a rare one in ten; either is wanted in
the order of the list, fifty at a time. So words are never looked up for every ticket:
newest first, the tickets that hold them are met one after the other and asked for the
rest; in another order, the tickets that the rest asks for are taken from its index in
chunks, and those without the words left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any, Protocol

from desk.query import LIVE, VISIBLE, All, Attached, Has, Is, Node, Not, Snoozed, Within, Words
from desk.query import Any as AnyOf
from storage import search
from storage.search import NEVER, behind, compile_query, key_columns, order_by
from storage.sql import Connection
from storage.walk import FIRST, Both, Stream, chunks, drives, listed, places, split, stream

Key = tuple[Any, ...]

PATIENCE = 2_000
"""So many tickets are met in vain before asking whether few are in question anyway."""

FEW = 5_000
"""So many are looked at all at once: 5 to 10 ms."""

_PEOPLE = 1_000
_LARGEST = 4_096
_PAGE = 1_000
_SAMPLE = 256


class Lexicon(Protocol):
    """The word index of an engine."""

    def hits(self, words: Words, sign: int) -> Stream:
        """The tickets with these words; with the sign -1 counted down from 0, so that the newest come first."""

    def share(self, needle: str, prefix: bool, newest: int) -> float:
        """How many of the tickets up to the number `newest` hold a phrase, as a part of 1: about."""


class Finder:
    """Answers one query on one connection."""

    def __init__(self, conn: Connection, query: Node, lexicon: Lexicon) -> None:
        self._conn, self._lexicon = conn, lexicon
        self._query = self._known(query) if conn.sql.distant else query
        self._text, self._rest = split(self._query)

    def page(self, sort: str, after: Key | None, limit: int) -> list[Key]:
        """The number and the key of the first `limit` tickets behind the key `after`, in order."""
        if limit > _PAGE or not self._indexed(sort):
            return self._select(self._query, sort, after, limit, lambda node: True)
        by_number = sort in ("newest", "oldest")
        if self._text is not None and by_number and drives(self._text):
            return self._by_words(self._text, sort, after, limit)
        if self._text is not None:
            return self._by_order(self._text, sort, after, limit)
        if (by_number or sort == "updated") and _dated(self._rest):
            return self._by_date(sort, after, limit)
        if any(isinstance(part, Snoozed) for part in self._rest.parts):
            # They lie scattered among all that is open, but have an index of their own.
            few = self._few_of_the_rest()
            if few is not None:
                return self._among(few, sort, after, limit)
        return self._select(self._query, sort, after, limit, self._rare)

    def count(self) -> int:
        """How many tickets there are."""
        compiled = compile_query(self._query, self._conn.sql)
        # Says nothing, but leads to the index that holds all that views ask for: 0.1 us a ticket instead of 0.6.
        parts = self._rest.parts
        awake = any(isinstance(part, Not) and isinstance(part.part, Snoozed) for part in parts)
        bound = any(isinstance(part, Within) and part.column in ("due_at", "waiting_since") for part in parts)
        led = awake and not bound and natural_sort(self._query) == "urgency"
        index = f" AND ticket.due_key <= {NEVER}" if led else ""
        statement = f"SELECT count(*) FROM ticket WHERE ({compiled.where}){index}"
        return int(self._conn.execute(statement, compiled.params).fetchone()[0])

    def _indexed(self, sort: str) -> bool:
        return sort in ("newest", "oldest", "updated") or natural_sort(self._query) == "urgency"

    def _known(self, node: Node) -> Node:
        """`node` with the numbers of people in the place of their names where they are few: a planner knows no names."""
        match node:
            case All(parts) if node != VISIBLE:
                return All(tuple(self._known(part) for part in parts))
            case AnyOf(parts):
                return AnyOf(tuple(self._known(part) for part in parts))
            case Not(part):
                return Not(self._known(part))
            case Words(where="requester" | "organisation"):
                found = self._conn.execute(*search.people(node, self._conn.sql, _PEOPLE + 1)).fetchall()
                return Is("requester", tuple(row[0] for row in found)) if len(found) <= _PEOPLE else node
        return node

    # -- newest or oldest first -----------------------------------------------------

    def _by_words(self, text: Node, sort: str, after: Key | None, limit: int) -> list[Key]:
        sign = -1 if sort == "newest" else 1
        start = FIRST if after is None else after[0] * sign + 1
        found: list[int] = []
        met, looked = 0, False
        for chunk in chunks(self._stream(text, sign), start, limit):
            found += self._holding([place * sign for place in chunk])
            met += len(chunk)
            if len(found) >= limit:
                break
            if met > PATIENCE and not looked:
                looked = True
                few = self._few_of_the_rest()
                if few is not None:
                    ahead = Both([listed(sorted(number * sign for number in few)), self._stream(text, sign)])
                    found += [place * sign for place in islice(places(ahead, chunk[-1] + 1), limit)]
                    break
        return [(number, number) for number in found[:limit]]

    def _holding(self, ids: Sequence[int]) -> list[int]:
        """Which of these tickets the rest of the query asks for."""
        where = compile_query(self._rest, self._conn.sql, lambda node: False)
        statement = f"SELECT ticket.id FROM {self._conn.sql.listed} WHERE {where.where}"
        params = {**where.params, "ids": self._conn.sql.numbers(ids)}
        kept = {row[0] for row in self._conn.execute(statement, params)}
        return [number for number in ids if number in kept]

    def _few_of_the_rest(self) -> list[int] | None:
        where = compile_query(self._rest, self._conn.sql)
        statement = f"SELECT ticket.id FROM ticket WHERE {where.where} LIMIT {FEW + 1}"
        found = [row[0] for row in self._conn.execute(statement, where.params)]
        return found if len(found) <= FEW else None

    def _by_date(self, sort: str, after: Key | None, limit: int) -> list[Key]:
        # A week in its own index, or years in the order of the list; the planner cannot know which it is.
        few = self._few_of_the_rest()
        if few is not None:
            return self._among(few, sort, after, limit)
        along = self._conn.sql.along("ticket_updated" if sort == "updated" else None)
        return self._select(self._rest, sort, after, limit, self._rare, along)

    # -- in the order of another index --------------------------------------------------

    def _by_order(self, text: Node, sort: str, after: Key | None, limit: int) -> list[Key]:
        found: list[Key] = []
        met, size = 0, 2 * limit
        looks = [(0, _SAMPLE), (PATIENCE, FEW)] if drives(text) else []
        while True:
            if looks and met >= looks[0][0]:
                most = looks.pop(0)[1]
                few = list(islice(places(self._stream(text, 1)), most + 1))
                if len(few) <= most:
                    return [*found, *self._among(few, sort, after, limit)][:limit]
            chunk = self._select(self._rest, sort, after, size, self._rare)
            kept = self._with_words(text, sorted(key[0] for key in chunk))
            found += [key for key in chunk if key[0] in kept]
            if len(found) >= limit or len(chunk) < size:
                return found[:limit]
            met += len(chunk)
            after, size = chunk[-1][1:], min(2 * size, _LARGEST)

    def _with_words(self, text: Node, ids: Sequence[int]) -> set[int]:
        found = Both([listed(ids), self._stream(text, 1, lambda: listed(ids))])
        return set(places(found))

    def _among(self, ids: Sequence[int], sort: str, after: Key | None, limit: int) -> list[Key]:
        sql = self._conn.sql
        return self._select(self._rest, sort, after, limit, lambda node: False, sql.listed, {"ids": sql.numbers(ids)})

    def _select(
        self, query: Node, sort: str, after: Key | None, limit: int, rare: search.Rare,
        table: str = "ticket", more: dict[str, Any] | None = None,
    ) -> list[Key]:  # fmt: skip
        compiled = compile_query(query, self._conn.sql, rare)
        where, params = compiled.where, {**compiled.params, **(more or {}), "limit": limit}
        if after is not None:
            where = f"({where}) AND {behind(sort, after, params)}"
        # The keys only, so that what a row shows is looked up for the rows of the page alone.
        statement = (
            f"SELECT ticket.id, {key_columns(sort)} FROM {table} WHERE {where} ORDER BY {order_by(sort)} LIMIT :limit"
        )
        return self._conn.execute(statement, params).fetchall()

    # -- words ------------------------------------------------------------------------

    def _stream(self, text: Node, sign: int, everything: Callable[[], Stream] | None = None) -> Stream:
        def none() -> Stream:
            raise AssertionError("a query that only says no leads nowhere")

        return stream(text, lambda words: self._lexicon.hits(words, sign), everything or none)

    def _rare(self, node: Words | Has | Attached) -> bool:
        newest = self._conn.execute("SELECT max(id) FROM ticket").fetchone()[0] or 0
        if not isinstance(node, Words):
            most = int((search.COMMON_TAG * newest) ** 0.5)
            held = (
                "tag WHERE tag = ?"
                if isinstance(node, Has)
                else "message WHERE attachments IS NOT NULL AND withdrawn = 0"
            )
            params = (node.value, most) if isinstance(node, Has) else (most,)
            count = f"SELECT count(*) FROM (SELECT 1 FROM {held} LIMIT ?) AS first"
            return bool(self._conn.execute(count, params).fetchone()[0] < most)
        # As dense among all tickets as among the newest.
        hits = self._lexicon.share(node.needle, node.prefix, newest) * newest
        return bool(hits**2 < search.COMMON * newest)


def _dated(node: All) -> bool:
    return any(isinstance(part, Within) and part.column == "solved_at" for part in node.parts)


def natural_sort(query: Node) -> str:
    """The order people expect: what is open by urgency, an archive by what is newest."""
    parts = query.parts if isinstance(query, All) else (query,)
    return (
        "urgency"
        if any(p == LIVE or (isinstance(p, All) and natural_sort(p) == "urgency") for p in parts)
        else "newest"
    )
