"""The word index of PostgreSQL: a tsvector of the tokens of `desk.text`, verbatim, and what a GIN index finds in it.

An index of this kind knows where a word stands, but not in the order of the list: all of
its messages are looked up before the newest is known. So a word that few have is looked
up whole, and one that many have is met by walking the list; the planner's estimate says
which it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from json import loads
from typing import Any

from desk.query import Words
from storage.search import MESSAGE, SHIFT
from storage.sql import Connection
from storage.walk import FAR, FIRST, Hits, Stream, listed

SPAN = 1_000
"""So many tokens go into one vector: a word has at most 256 places in one, and place 16,383 is the last."""

OVERLAP = 32
"""So many tokens of the one before begin the next, so that a phrase is whole in one of them."""

FEW = 100
"""Words are looked up whole where `hits ** 2` is below so many times the messages.

A message looked up costs about as much as one walked past: a page of 80 is met after
`80 * messages / hits` of them.
"""

_READ_AT_ONCE = (16, 64, 256)


def quoted(token: str) -> str:
    """A token as tsvector and tsquery read it."""
    return "'" + token.replace("\\", "\\\\").replace("'", "''") + "'"


def vectors(line: str) -> Iterator[str]:
    """A token line as vectors: one, or several when it is long."""
    tokens = line.split()
    for start in range(0, max(len(tokens), 1), SPAN):
        # Tokens are letters and digits: nothing in them is to be quoted.
        yield " ".join([f"{t}:{n}" for n, t in enumerate(tokens[max(start - OVERLAP, 0) : start + SPAN], 1)])


class Tsvector:
    """The index on one connection."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def hits(self, words: Words, sign: int) -> Stream:
        match = self._conn.sql.phrase(words.needle, words.prefix)
        subject = f"AND rowid & {MESSAGE} = 0" if words.where == "subject" else ""
        if self._estimate(match) ** 2 < FEW * self._total:
            whole = f"SELECT DISTINCT rowid >> {SHIFT} FROM words WHERE text @@ CAST(? AS TSQUERY) {subject}"
            return listed(sorted(row[0] * sign for row in self._conn.execute(whole, (match,))))
        bound, order = ("<=", "DESC") if sign < 0 else (">=", "ASC")
        statement = (
            f"SELECT rowid FROM words WHERE text @@ CAST(? AS TSQUERY) AND rowid {bound} ? {subject} "
            f"ORDER BY rowid {order} LIMIT ?"
        )
        last = MESSAGE if sign < 0 else 0

        def read(place: int) -> Iterator[Sequence[int]]:
            ticket = max(place * sign, 0) if place > FIRST else (0 if sign > 0 else (1 << 28) - 1)
            row = ticket << SHIFT | last
            sizes = iter(_READ_AT_ONCE)
            size = 0
            while found := self._conn.execute(statement, (match, row, size := next(sizes, size))).fetchall():
                yield [(number >> SHIFT) * sign for (number,) in found]
                if len(found) < size:
                    return
                row = found[-1][0] + sign

        return Hits(read, far=FAR)

    def share(self, needle: str, prefix: bool, newest: int) -> float:
        return min(self._estimate(self._conn.sql.phrase(needle, prefix)) / max(self._total, 1), 1.0)

    @cached_property
    def _total(self) -> float:
        return float(self._planned("SELECT 1 FROM words"))

    def _estimate(self, match: str) -> float:
        literal = match.replace("'", "''")
        return float(self._planned(f"SELECT 1 FROM words WHERE text @@ CAST('{literal}' AS TSQUERY)"))

    def _planned(self, statement: str) -> float:
        """How many rows the planner expects."""
        plan: Any = self._conn.execute(f"EXPLAIN (FORMAT JSON) {statement}").fetchone()[0]
        return float((loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]["Plan Rows"])
