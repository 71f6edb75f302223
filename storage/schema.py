"""What a migration may do to a schema, in the words of each engine."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from storage.sql import Connection

Columns = Mapping[str, type]


class Schema(Protocol):
    """A schema in the middle of a step. `engine` is "sqlite" or "postgresql"."""

    engine: str

    def table(self, name: str, columns: Columns, pk: str | tuple[str, ...], not_null: Collection[str] = ()) -> None:
        """Make a table of numbers (`int`) and texts (`str`)."""

    def keyed(self, name: str, columns: Columns, pk: tuple[str, ...]) -> None:
        """Make a table that is little more than its key."""

    def computed(self, table: str, column: str, expression: str) -> None:
        """Add a number that follows from the other columns of its row."""

    def run(self, statement: str) -> None:
        """Run a statement that both engines understand, or one for `engine` alone."""


Step = Callable[[Schema], None]


class SqliteSchema:
    """The schema of a SQLite file, by way of sqlite-utils."""

    engine = "sqlite"

    def __init__(self, conn: Any) -> None:
        from sqlite_utils import Database

        self.db = Database(conn, execute_plugins=False)

    def table(self, name: str, columns: Columns, pk: str | tuple[str, ...], not_null: Collection[str] = ()) -> None:
        self.db.table(name).create(columns=dict(columns), pk=pk, not_null=set(not_null))

    def keyed(self, name: str, columns: Columns, pk: tuple[str, ...]) -> None:
        # WITHOUT ROWID is what sqlite-utils does not offer.
        named = ", ".join(f"{column} {'INTEGER' if kind is int else 'TEXT'}" for column, kind in columns.items())
        self.run(f"CREATE TABLE {name} ({named}, PRIMARY KEY ({', '.join(pk)})) WITHOUT ROWID")

    def computed(self, table: str, column: str, expression: str) -> None:
        self.run(f"ALTER TABLE {table} ADD COLUMN {column} INTEGER AS ({expression}) VIRTUAL")

    def run(self, statement: str) -> None:
        self.db.conn.execute(statement)


class PostgresSchema:
    """The schema of a PostgreSQL database."""

    engine = "postgresql"

    def __init__(self, conn: Connection) -> None:
        self.conn = conn

    def table(self, name: str, columns: Columns, pk: str | tuple[str, ...], not_null: Collection[str] = ()) -> None:
        named = ", ".join(f"{c} {_type(kind)}{' NOT NULL' if c in not_null else ''}" for c, kind in columns.items())
        key = pk if isinstance(pk, str) else ", ".join(pk)
        self.run(f"CREATE TABLE {name} ({named}, PRIMARY KEY ({key}))")

    def keyed(self, name: str, columns: Columns, pk: tuple[str, ...]) -> None:
        self.table(name, columns, pk)

    def computed(self, table: str, column: str, expression: str) -> None:
        self.run(f"ALTER TABLE {table} ADD COLUMN {column} BIGINT GENERATED ALWAYS AS ({expression}) STORED")

    def run(self, statement: str) -> None:
        self.conn.execute(statement)


def _type(kind: type) -> str:
    # Ordered by code points, as SQLite does, whatever the language of the database.
    return "BIGINT" if kind is int else 'TEXT COLLATE "C"'
