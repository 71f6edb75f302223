"""The word index of SQLite: FTS5 over the tokens of `desk.text`, verbatim."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from desk.query import Words
from storage.search import MESSAGE, SHIFT
from storage.sql import Connection
from storage.walk import FAR, FIRST, Hits, Stream

_SAMPLE = 256
_SPELLINGS = 32
_READ_AT_ONCE = (16, 64, 256)


class Fts5:
    """The index on one connection."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def hits(self, words: Words, sign: int) -> Stream:
        match = self._match(words)
        subject = f"AND rowid & {MESSAGE} = 0" if words.where == "subject" else ""
        bound, order = ("<=", "DESC") if sign < 0 else (">=", "ASC")
        statement = f"SELECT rowid >> {SHIFT} FROM words WHERE words MATCH ? AND rowid {bound} ? {subject} ORDER BY rowid {order}"
        last = MESSAGE if sign < 0 else 0

        def read(place: int) -> Iterator[Sequence[int]]:
            ticket = max(place * sign, 0) if place > FIRST else (0 if sign > 0 else (1 << 28) - 1)
            rows = self._conn.execute(statement, (match, ticket << SHIFT | last))
            sizes = iter(_READ_AT_ONCE)
            size = 0
            while batch := rows.fetchmany(size := next(sizes, size)):
                yield [row[0] * sign for row in batch]

        # A beginning that goes on in many ways is put together from all of them before its first row is known.
        return Hits(read, far=float("inf") if match.endswith("*") else FAR)

    def _match(self, words: Words) -> str:
        if not words.prefix:
            return self._conn.sql.phrase(words.needle, False)
        head, _, beginning = words.needle.rpartition(" ")
        endings = self._spellings(beginning)
        if endings is None:
            return self._conn.sql.phrase(words.needle, True)
        return " OR ".join(
            self._conn.sql.phrase(f"{head} {ending}".strip(), False) for ending in endings or [beginning]
        )

    def _spellings(self, beginning: str) -> list[str] | None:
        """The words of the store that begin so; None when they are many."""
        self._conn.execute("CREATE VIRTUAL TABLE IF NOT EXISTS temp.vocabulary USING fts5vocab(main, words, instance)")
        found: list[str] = []
        at = beginning
        while len(found) <= _SPELLINGS:
            row = self._conn.execute("SELECT term FROM temp.vocabulary WHERE term >= ? LIMIT 1", (at,)).fetchone()
            if row is None or not row[0].startswith(beginning):
                return found
            found.append(row[0])
            # Behind the word and before every longer one: found without reading all places of this one.
            at = f"{row[0]}\x01"
        return None

    def share(self, needle: str, prefix: bool, newest: int) -> float:
        query = f"SELECT rowid >> {SHIFT} FROM words WHERE words MATCH ? ORDER BY rowid DESC LIMIT {_SAMPLE}"
        hits = self._conn.execute(query, (self._conn.sql.phrase(needle, prefix),)).fetchall()
        return len(hits) / max(newest, 1) if len(hits) < _SAMPLE else len(hits) / (newest - hits[-1][0] + 1)
