"""What is in a store, row for row and the same for every engine: what a copy reads, writes and compares."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec.json import Encoder

from storage.engine import Engine
from storage.indexing import Lines
from storage.search import SHIFT
from storage.sql import Connection, marks

if TYPE_CHECKING:
    from storage.postgres import PostgresEngine
    from storage.project import Transaction
    from storage.sqlite import SqliteEngine

T = TypeVar("T")
Row = Sequence[Any]
Key = tuple[Any, ...]

OWN = ("counter", "lease", "presence", "words")
"""What is not copied as it stands: numbers are set, leases and who is where are of the moment, words are made from the messages."""

_PIECE, _PIECE_OF_BYTES = 256, 8
"""So many rows are read at once."""

_FINISHED = "name <> 'copying'"

_lines = Encoder().encode_lines
_NUL = b"\\u0000"


@dataclass(frozen=True)
class Table:
    """A table in the order of its key. What only says that a copy is under way is none of its rows."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]

    def pieces(self, conn: Connection, after: Key | None = None) -> Iterator[Piece]:
        """The rows behind the key `after`, a few at a time."""
        limit = _PIECE_OF_BYTES if self.name == "blob" else _PIECE
        places = [self.columns.index(name) for name in self.key]
        columns, key = ", ".join(self.columns), ", ".join(self.key)
        while True:
            behind = f" AND ({key}) > ({marks(self.key)})" if after else ""
            statement = f"SELECT {columns} FROM {self._rows}{behind} ORDER BY {key} LIMIT {limit}"
            rows = conn.execute(statement, after or ()).fetchall()
            if not rows:
                return
            after = tuple(rows[-1][place] for place in places)
            yield Piece(rows, after)

    def last(self, conn: Connection) -> Key | None:
        """The key of the last row."""
        behind = ", ".join(f"{name} DESC" for name in self.key)
        row = conn.execute(f"SELECT {', '.join(self.key)} FROM {self._rows} ORDER BY {behind} LIMIT 1").fetchone()
        return tuple(row) if row else None

    def count(self, conn: Connection) -> int:
        """How many rows it has."""
        return int(conn.execute(f"SELECT count(*) FROM {self._rows}").fetchone()[0])

    def clear(self, conn: Connection) -> None:
        """Take all rows out."""
        conn.execute(f"DELETE FROM {self._rows}")

    @property
    def _rows(self) -> str:
        return f"{self.name} WHERE {_FINISHED if self.name == 'setting' else 'true'}"


class Piece:
    """A few rows of a table; `key` is that of the last, `canonical` the same on every engine."""

    def __init__(self, rows: list[Row], key: Key) -> None:
        self.rows, self.key = rows, key
        self.canonical = _lines(rows)

    def printable(self) -> int:
        """Put U+FFFD for NUL, which PostgreSQL refuses; how many texts had one."""
        if _NUL not in self.canonical:
            return 0
        found = sum(isinstance(value, str) and "\x00" in value for row in self.rows for value in row)
        self.rows = [[_printable(value) for value in row] for row in self.rows]
        self.key = tuple(_printable(value) for value in self.key)
        self.canonical = _lines(self.rows)
        return found


def _printable(value: Any) -> Any:
    return value.replace("\x00", "\ufffd") if isinstance(value, str) else value


class Sum:
    """How many rows, and one SHA-256 over all of them."""

    def __init__(self) -> None:
        self.count, self._hash = 0, sha256()

    def add(self, piece: Piece) -> None:
        """Take in the next rows."""
        self.count += len(piece.rows)
        self._hash.update(piece.canonical)

    @property
    def result(self) -> tuple[int, str]:
        """What two equal tables have in common."""
        return self.count, self._hash.hexdigest()


class Contents(ABC):
    """A store as a copy sees it."""

    keeps_nul: bool

    def __init__(self, store: Engine) -> None:
        self.store = store

    @property
    def name(self) -> str:
        """Where it is."""
        return self.store.url

    @abstractmethod
    def moment(self) -> AbstractContextManager[Connection]:
        """Everything in it, as of one moment."""

    @abstractmethod
    def tables(self, conn: Connection) -> dict[str, Table]:
        """What can be copied as it stands, by name."""

    @abstractmethod
    def numbers(self, conn: Connection) -> dict[str, int]:
        """The last number given out, of each kind."""

    @abstractmethod
    def go_on(self, conn: Connection, numbers: Mapping[str, int]) -> None:
        """Give out no number again."""

    @abstractmethod
    def indexes(self, conn: Connection) -> dict[str, str]:
        """The indexes that rows are added faster without, by name, each with the statement that makes it."""

    @abstractmethod
    def make(self, conn: Any, statement: str) -> None:
        """Make an index."""

    @abstractmethod
    def shape(self) -> Callable[[Lines], Lines]:
        """What makes token lines fit the word index; another process can be given it."""

    @abstractmethod
    def put_words(self, conn: Connection, lines: Lines) -> None:
        """Add to the word index what fits it."""

    @abstractmethod
    def forget_words(self, conn: Connection) -> None:
        """Empty the word index."""

    @abstractmethod
    def indexed(self, conn: Connection) -> int:
        """How many subjects and messages the word index has."""

    @abstractmethod
    def settle(self, conn: Connection) -> None:
        """Have the engine look at what it was given, so that its plans are good from the first query on."""

    def change(self, body: Callable[[Transaction], T], *, bulk: bool = False) -> T:
        """Run `body` in a transaction."""
        return self.store.change(body, bulk=bulk)


def last_indexed(conn: Connection) -> int:
    """The last ticket whose words are in the index."""
    row = conn.execute("SELECT rowid FROM words ORDER BY rowid DESC LIMIT 1").fetchone()
    return int(row[0]) >> SHIFT if row else 0


def _tables(found: Iterator[Row]) -> dict[str, Table]:
    """Tables of rows of (table, column, place in the key or nothing)."""
    columns: dict[str, list[str]] = {}
    keys: dict[str, dict[int, str]] = {}
    for table, column, place in found:
        if table not in OWN:
            columns.setdefault(table, []).append(column)
            keys.setdefault(table, {}).update({place: column} if place is not None else {})
    return {
        name: Table(name, tuple(columns[name]), tuple(column for _, column in sorted(keys[name].items())))
        for name in sorted(columns)
    }


class SqliteContents(Contents):
    """Two files, looked at as one."""

    keeps_nul = True
    store: SqliteEngine

    def change(self, body: Callable[[Transaction], T], *, bulk: bool = False) -> T:
        writer = self.store._open_writer()
        if not writer.execute("SELECT 1 FROM pragma_database_list WHERE name = 'blobs'").fetchone():
            self._whole(writer)
            # A large index is sorted on the disk, not in memory.
            writer.execute("PRAGMA temp_store = FILE")
        return super().change(body, bulk=bulk)

    def _whole(self, conn: Any) -> None:
        conn.execute("ATTACH ? AS blobs", (str(self.store._open_blobs().path),))

    @contextmanager
    def moment(self) -> Iterator[Connection]:
        from storage.sqlite import Reader

        with closing(self.store.connect(Reader)) as conn:
            self._whole(conn)
            conn.execute("BEGIN")
            yield conn

    def tables(self, conn: Connection) -> dict[str, Table]:
        masters = "SELECT name, type FROM main.sqlite_master UNION ALL SELECT name, type FROM blobs.sqlite_master"
        statement = (
            f"SELECT made.name, had.name, CASE WHEN had.pk > 0 THEN had.pk END FROM ({masters}) made, pragma_table_xinfo(made.name) had "
            "WHERE made.type = 'table' AND made.name NOT GLOB 'sqlite_*' AND made.name NOT GLOB 'words_*' AND had.hidden = 0 "
            "ORDER BY made.name, had.cid"
        )
        return _tables(iter(conn.execute(statement)))

    def numbers(self, conn: Connection) -> dict[str, int]:
        return dict(conn.execute("SELECT name, value FROM counter").fetchall())

    def go_on(self, conn: Connection, numbers: Mapping[str, int]) -> None:
        conn.executemany("UPDATE counter SET value = ? WHERE name = ?", [(n, name) for name, n in numbers.items()])

    def indexes(self, conn: Connection) -> dict[str, str]:
        statement = "SELECT name, sql FROM main.sqlite_master WHERE type = 'index' AND sql NOT LIKE 'CREATE UNIQUE %'"
        return dict(conn.execute(statement).fetchall())

    def make(self, conn: Any, statement: str) -> None:
        conn.execute(statement)

    def shape(self) -> Callable[[Lines], Lines]:
        return list

    def put_words(self, conn: Connection, lines: Lines) -> None:
        conn.index((), lines)

    def forget_words(self, conn: Connection) -> None:
        conn.execute("INSERT INTO words (words) VALUES ('delete-all')")

    def indexed(self, conn: Connection) -> int:
        return int(conn.execute("SELECT count(*) FROM words").fetchone()[0])

    def settle(self, conn: Connection) -> None:
        pass  # its plans are fixed


class PostgresContents(Contents):
    """A database."""

    keeps_nul = False
    store: PostgresEngine

    def moment(self) -> AbstractContextManager[Connection]:
        return self.store._moment()

    def tables(self, conn: Connection) -> dict[str, Table]:
        statement = (
            "SELECT made.relname, had.attname, array_position(CAST(pk.indkey AS INT2[]), had.attnum) FROM pg_class made "
            "JOIN pg_attribute had ON had.attrelid = made.oid LEFT JOIN pg_index pk ON pk.indrelid = made.oid AND pk.indisprimary "
            "WHERE made.relnamespace = CAST(current_schema() AS REGNAMESPACE) AND made.relkind = 'r' "
            "AND had.attnum > 0 AND NOT had.attisdropped AND had.attgenerated = '' ORDER BY made.relname, had.attnum"
        )
        return _tables(iter(conn.execute(statement)))

    def numbers(self, conn: Connection) -> dict[str, int]:
        # Asked one by one: the list of all sequences shows nothing of one that we may not read.
        given = {
            kind: conn.execute(f"SELECT last_value, is_called FROM {kind}_id").fetchone() for kind in self._kinds(conn)
        }
        logged = conn.execute("SELECT name, value FROM counter WHERE name = 'seq'").fetchall()
        return {kind: last if called else 0 for kind, (last, called) in given.items()} | dict(logged)

    def go_on(self, conn: Connection, numbers: Mapping[str, int]) -> None:
        conn.execute("UPDATE counter SET value = ? WHERE name = 'seq'", (numbers["seq"],))
        for kind in self._kinds(conn):
            conn.execute(f"SELECT setval('{kind}_id', ?, ? > 0)", (max(numbers[kind], 1), numbers[kind]))

    def _kinds(self, conn: Connection) -> list[str]:
        """What has numbers from a sequence."""
        statement = (
            "SELECT relname FROM pg_class WHERE relkind = 'S' AND relnamespace = CAST(current_schema() AS REGNAMESPACE) "
            "AND right(relname, 3) = '_id' ORDER BY relname"
        )
        return [row[0].removesuffix("_id") for row in conn.execute(statement)]

    def indexes(self, conn: Connection) -> dict[str, str]:
        statement = (
            "SELECT made.relname, pg_get_indexdef(made.oid) FROM pg_index JOIN pg_class made ON made.oid = indexrelid "
            "WHERE made.relnamespace = CAST(current_schema() AS REGNAMESPACE) AND NOT indisunique AND made.relname <> 'words_rowid'"
        )
        return dict(conn.execute(statement).fetchall())

    def make(self, conn: Any, statement: str) -> None:
        # In the server's own words, which are not those of `storage.sql`.
        conn.raw.execute(statement)

    def shape(self) -> Callable[[Lines], Lines]:
        return _as_vectors

    def put_words(self, conn: Connection, lines: Lines) -> None:
        conn.insert("words", ("rowid", "text"), lines)

    def forget_words(self, conn: Connection) -> None:
        conn.execute("TRUNCATE words")

    def indexed(self, conn: Connection) -> int:
        return int(conn.execute("SELECT count(DISTINCT rowid) FROM words").fetchone()[0])

    def settle(self, conn: Connection) -> None:
        conn.execute("ANALYZE")


def _as_vectors(lines: Lines) -> Lines:
    from storage.tsvector import vectors

    return [(number, vector) for number, line in lines for vector in vectors(line)]


def contents(store: Any) -> Contents:
    """What is in an open store, whichever its engine."""
    from storage.sqlite import SqliteEngine

    return SqliteContents(store) if isinstance(store, SqliteEngine) else PostgresContents(store)
