"""Copying a desk from one store into another, whatever their engines.

Rows go over in the order of their keys, some thousands in a transaction, so what the
target holds says how far the copy is: one that was stopped, or killed, goes on behind the
last row. Then every table of both is compared. Until all of it is right, the target says
that it is being copied into, and nobody opens it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from msgspec.json import decode, encode

from desk.errors import Busy, StoreError
from storage.contents import Contents, Key, Piece, Row, Sum, Table, contents, last_indexed
from storage.engine import Engine
from storage.indexing import Lines, parts
from storage.migrate import UNFINISHED
from storage.sql import Connection

CHUNK_ROWS, CHUNK_BYTES = 4096, 8_000_000
"""What is written at once ends at what it reaches first."""

Tell = Callable[[str, int, int], None]
"""Hears how far it is: with what, how many are done, and of how many."""

_MADE = {"setting", "agent", "batch", "event"}
"""Where a store has a row that was made and never used."""


class Copied(NamedTuple):
    """What was copied, and how many texts had a character that the target cannot keep."""

    rows: int
    tickets: int
    messages: int
    changed: int


def copy(source: Engine, target: Engine, finish: str, tell: Tell, *, still: bool = True) -> Copied:
    """Put everything in `source` into `target`, which is empty or a copy of it under way.

    `finish` is the command that goes on with it. With `still` the source must be the same
    afterwards; without, the copy is of the moment it began. StoreError says what is in the way.
    """
    work = _Copy(contents(source), contents(target), tell)
    return work.run(finish, still)


def silent(what: str, done: int, total: int) -> None:
    """Tell nobody."""


def back_up(store: Any, folder: Path, tell: Tell = silent) -> Path:
    """Copy an open store into `folder` while others go on working; returns the SQLite file to open."""
    from storage.sqlite import SqliteEngine

    if isinstance(store, SqliteEngine):
        store.backup(str(folder))
        return folder / store.path.name
    return into_folder(store, folder, tell)


def into_folder(source: Engine, folder: Path, tell: Tell = silent) -> Path:
    """Copy a store of any engine into a SQLite file in `folder`, as of one moment."""
    from storage import open_store
    from storage.sqlite import blob_path
    from storage.upkeep import begun

    whole = folder / "desk.db"
    part = begun(whole)
    store: Any = open_store(f"sqlite:///{part}", create=True)
    try:
        copy(source, store, f"deskhand store backup {folder}", tell, still=False)
    finally:
        store.close()
    blob_path(part).replace(blob_path(whole))
    return part.replace(whole)


def differing(source: Engine, target: Engine, tell: Tell) -> list[str]:
    """The tables in which two stores differ; nothing is changed."""
    work = _Copy(contents(source), contents(target), tell)
    with work.source.moment() as here:
        return work.differing(here, work.tables(here))


class _Copy:
    """One copy, from the first row to the last number."""

    def __init__(self, source: Contents, target: Contents, tell: Tell) -> None:
        self.source, self.target = source, target
        self._tell = tell
        self._sums: dict[str, tuple[int, str]] = {}
        self._indexes: dict[str, str] = {}
        self._changed = 0

    def run(self, finish: str, still: bool) -> Copied:
        with self.source.moment() as here:
            tables = self.tables(here)
            self._claim(tables, finish)
            numbers = self.source.numbers(here)
            self._fill(here, tables)
            if wrong := self.differing(here, tables):
                # They were copied before the source changed, or somebody changed the copy.
                self._forget(wrong, {table.name: table for table in tables})
                self._fill(here, tables)
                wrong = self.differing(here, tables)
            if wrong:
                raise StoreError(unlike(self.target.name, self.source.name, wrong))
        if still:
            self._demand_still(numbers["seq"], finish)
        self._put_back_indexes()
        self._finish(numbers)
        counts = {table.name: self._sums[table.name][0] for table in tables}
        return Copied(sum(counts.values()), counts["ticket"], counts["message"], self._changed)

    def tables(self, here: Connection) -> list[Table]:
        """What is to be copied; both stores must have the same."""
        with self.target.moment() as there:
            ours, theirs = self.source.tables(here), self.target.tables(there)
        for name in sorted({*ours, *theirs}):
            if ours.get(name) != theirs.get(name):
                raise StoreError(
                    f"{self.target.name}: the table {name} has not the columns that it has in {self.source.name}; "
                    "upgrade deskhand and both stores: deskhand store upgrade"
                )
        return [*ours.values()]

    # -- whose the target is ------------------------------------------------------------

    def _claim(self, tables: list[Table], finish: str) -> None:
        """Make the target ours, unless it is already."""

        def body(tx: Any) -> dict[str, str]:
            found = tx.conn.execute(UNFINISHED).fetchone()
            if found is None:
                self._demand_empty(tx.conn, tables)
                for name in _MADE:
                    tx.conn.execute(f"DELETE FROM {name}")
                indexes = self.target.indexes(tx.conn)
                for name in indexes:
                    tx.conn.execute(f"DROP INDEX {name}")
                mark = {"source": self.source.name, "finish": finish, "indexes": indexes}
                tx.conn.execute("INSERT INTO setting (name, value) VALUES ('copying', ?)", (encode(mark).decode(),))
                return indexes
            mark = decode(found[0])
            if mark["source"] != self.source.name:
                raise StoreError(
                    f"{self.target.name}: {mark['source']} is being copied into it; finish that with: {mark['finish']} "
                    "- or name an empty store"
                )
            return dict(mark["indexes"])

        self._indexes = self.target.change(body)

    def _demand_empty(self, conn: Connection, tables: list[Table]) -> None:
        """Refuse a store that somebody has used."""
        used = {table.name for table in tables if table.last(conn)} - _MADE
        settings = conn.execute("SELECT count(*) FROM setting WHERE name <> 'secret'").fetchone()[0]
        batches = conn.execute("SELECT count(*) FROM batch").fetchone()[0]
        if used or settings or batches > 1:
            raise StoreError(
                f"{self.target.name}: there is a desk in it already, and nothing is ever written over one; name an empty store"
            )

    def _demand_still(self, seq: int, finish: str) -> None:
        with self.source.moment() as here:
            if self.source.numbers(here)["seq"] != seq:
                raise StoreError(f"the source changed while it was copied: stop the relay, and run it again: {finish}")

    # -- rows ---------------------------------------------------------------------------

    def _fill(self, here: Connection, tables: list[Table]) -> None:
        """Copy all that is not copied yet."""
        places: dict[str, Key | None] = self.target.change(lambda tx: {t.name: t.last(tx.conn) for t in tables})
        held = self.target.change(lambda tx: sum(t.count(tx.conn) for t in tables if places[t.name]))
        steps = _Steps(self._tell, "rows", sum(t.count(here) for t in tables) - held)
        for table in tables:
            self._copy(here, table, places[table.name], steps)
        self._index(here)

    def _copy(self, here: Connection, table: Table, at: Key | None, steps: _Steps) -> None:
        whole = Sum() if at is None else None
        for chunk in self._chunks(table.pieces(here, at)):
            for piece in chunk:
                if whole:
                    whole.add(piece)
            self._put(table, at, chunk)
            at = chunk[-1].key
            steps.more(sum(len(piece.rows) for piece in chunk))
        if whole:
            self._sums[table.name] = whole.result

    def _chunks(self, pieces: Iterator[Piece]) -> Iterator[list[Piece]]:
        """Pieces that are written together."""
        chunk: list[Piece] = []
        for piece in pieces:
            if not self.target.keeps_nul:
                self._changed += piece.printable()
            chunk.append(piece)
            if sum(len(p.rows) for p in chunk) >= CHUNK_ROWS or sum(len(p.canonical) for p in chunk) >= CHUNK_BYTES:
                yield chunk
                chunk = []
        if chunk:
            yield chunk

    def _put(self, table: Table, before: Key | None, chunk: list[Piece]) -> None:
        found: list[Row] = [row for piece in chunk for row in piece.rows]

        def body(tx: Any) -> None:
            if self._due(tx.conn, table.last(tx.conn), before, chunk[-1].key):
                tx.conn.insert(table.name, table.columns, found)

        self.target.change(body, bulk=True)

    def _due(self, conn: Connection, there: object, before: object, after: object) -> bool:
        """Whether what leads from `before` to `after` is still to be written; Busy when somebody else writes too."""
        if conn.execute(UNFINISHED + conn.sql.lock).fetchone() and there in (before, after):
            # The answer to a commit may have been lost, and the commit not.
            return there == before
        raise Busy(
            f"{self.target.name}: another process copies into it too; let it finish, or end it and run this again"
        )

    # -- words --------------------------------------------------------------------------

    def _index(self, here: Connection) -> None:
        """Make the word index anew from what the tickets say."""
        at: int = self.target.change(lambda tx: last_indexed(tx.conn))
        left = here.execute("SELECT count(*) FROM ticket WHERE id > ?", (at,)).fetchone()[0]
        steps = _Steps(self._tell, "tickets indexed", left)
        for part in parts(here, at, self.target.shape()):
            self._put_words(part.lines, at, part.last)
            at = part.last
            steps.more(part.tickets)

    def _put_words(self, lines: Lines, before: int, after: int) -> None:
        def body(tx: Any) -> None:
            if self._due(tx.conn, last_indexed(tx.conn), before, after):
                self.target.put_words(tx.conn, lines)

        self.target.change(body, bulk=True)

    # -- the end ------------------------------------------------------------------------

    def differing(self, here: Connection, tables: list[Table]) -> list[str]:
        """The names of the tables that are not the same on both sides."""
        wrong: list[str] = []
        with self.target.moment() as there:
            unknown = [table for table in tables if table.name not in self._sums]
            total = sum(t.count(there) for t in tables) + sum(t.count(here) for t in unknown)
            steps = _Steps(self._tell, "rows compared", total)
            for table in tables:
                if table in unknown:
                    self._sums[table.name] = self._sum(self.source, here, table, steps)
                if self._sum(self.target, there, table, steps) != self._sums[table.name]:
                    wrong.append(table.name)
            standing = "SELECT (SELECT count(*) FROM ticket) + (SELECT count(*) FROM message WHERE withdrawn = 0)"
            if self.target.indexed(there) != there.execute(standing).fetchone()[0]:
                wrong.append("words")
        return wrong

    def _sum(self, side: Contents, conn: Connection, table: Table, steps: _Steps) -> tuple[int, str]:
        whole = Sum()
        for piece in table.pieces(conn):
            if not self.target.keeps_nul:
                piece.printable()
            whole.add(piece)
            steps.more(len(piece.rows))
        return whole.result

    def _forget(self, wrong: list[str], tables: dict[str, Table]) -> None:
        """Empty these tables of the target, so that they are copied again."""

        def body(tx: Any) -> None:
            for name in wrong:
                if name != "words":
                    tx.conn.execute(
                        f"DELETE FROM {name}{' WHERE name <> ' + repr('copying') if name == 'setting' else ''}"
                    )
            if {"ticket", "message", "words"} & {*wrong}:
                self.target.forget_words(tx.conn)

        self.target.change(body)

    def _put_back_indexes(self) -> None:
        """Make what the rows were added without."""
        steps = _Steps(self._tell, "indexes made", len(self._indexes))
        for name in self._indexes:
            self._put_back(name)
            steps.more(1)

    def _put_back(self, name: str) -> None:
        def body(tx: Any) -> None:
            if name not in self.target.indexes(tx.conn):
                self.target.make(tx.conn, self._indexes[name])

        self.target.change(body)

    def _finish(self, numbers: dict[str, int]) -> None:
        """Go on numbering where the source is, and open the target to all."""

        def body(tx: Any) -> None:
            self.target.go_on(tx.conn, numbers)
            self.target.settle(tx.conn)
            tx.conn.execute("DELETE FROM setting WHERE name = 'copying'")

        self.target.change(body)


class _Steps:
    """What is told while work lasts."""

    def __init__(self, tell: Tell, what: str, total: int) -> None:
        self._tell, self._what, self._total, self._done = tell, what, total, 0

    def more(self, count: int) -> None:
        """So many more are done."""
        self._done += count
        self._tell(self._what, self._done, self._total)


def unlike(target: str, source: str, wrong: list[str]) -> str:
    """Which tables differ, as a sentence with what to do."""
    return (
        f"{target}: differs from {source} in: {', '.join(wrong)}; if the source changed while it was copied, "
        "stop the relay and run it again"
    )
