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
_SURE = 400
_WRONG = 8
"""Where 400 are expected and not an eighth of them is met, the estimate is wrong."""


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
        holding = f"FROM words WHERE text @@ CAST(? AS TSQUERY) {subject}"
        expected = self._estimate(match)
        bound, order = ("<=", "DESC") if sign < 0 else (">=", "ASC")
        step = f"SELECT rowid {holding} AND rowid {bound} ? AND rowid {'>' if sign < 0 else '<'} ? ORDER BY rowid {order} LIMIT ?"

        def whole(row: int) -> list[int]:
            found = self._conn.execute(f"SELECT DISTINCT rowid >> {SHIFT} {holding} AND rowid {bound} ?", (match, row))
            return sorted(number * sign for (number,) in found)

        def walk(place: int) -> Iterator[Sequence[int]]:
            row = self._row(place, sign)
            width = int(_SURE * self._newest / expected) + 1 << SHIFT
            sizes = iter(_READ_AT_ONCE)
            size = met = 0
            edge = row + sign * width
            while 0 <= row <= self._newest + 1 << SHIFT:
                found = self._conn.execute(step, (match, row, edge, size := next(sizes, size))).fetchall()
                met += len(found)
                if found:
                    yield [(number >> SHIFT) * sign for (number,) in found]
                    row = found[-1][0] + sign
                if len(found) < size:
                    if met < _SURE / _WRONG and not subject:
                        # Not where we are, whatever the planner thinks of all there is.
                        yield whole(edge)
                        return
                    row, met, width = edge, 0, 2 * width
                    edge = row + sign * width

        if expected**2 < FEW * self._total:
            return listed(whole(self._row(FIRST, sign)))
        return Hits(walk, far=FAR)

    def _row(self, place: int, sign: int) -> int:
        """The row behind which all at or behind a place lie."""
        ticket = max(place * sign, 0) if place > FIRST else (0 if sign > 0 else self._newest)
        return ticket << SHIFT | (MESSAGE if sign < 0 else 0)

    @cached_property
    def _newest(self) -> int:
        return int(self._conn.execute(f"SELECT coalesce(max(rowid), 0) >> {SHIFT} FROM words").fetchone()[0])

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
