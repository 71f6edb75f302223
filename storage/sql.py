"""The SQL that all stores share, and the few words in which they differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct

Params = Sequence[Any] | Mapping[str, Any]


class Found(Protocol):
    """The rows that a statement gave."""

    def fetchone(self) -> Any: ...

    def fetchmany(self, size: int = ...) -> list[Any]: ...

    def fetchall(self) -> list[Any]: ...

    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """What runs statements. Values are `?`, or `:name` with a mapping; never both, and never part of the text."""

    @property
    def sql(self) -> Dialect:
        """How this engine says things."""

    def execute(self, statement: str, parameters: Any = ..., /) -> Found:
        """Run one statement."""

    def executemany(self, statement: str, parameters: Any, /) -> Any:
        """Run one statement for each of some rows of values."""

    def insert(self, table: str, columns: Sequence[str], values: Sequence[Sequence[Any]]) -> None:
        """Add new rows, the fastest way there is."""

    def index(self, gone: Sequence[tuple[int, str]], fresh: Sequence[tuple[int, str]]) -> None:
        """Take token lines out of the word index, and put others in: each its number and its words."""


class Dialect(Struct, frozen=True):
    """What an engine says in words of its own.

    Of a `distant` one every question costs a journey: what will be asked is asked at once. `lock` ends a SELECT whose rows are about to be changed, `skip` one that takes only
    rows nobody else has locked. `among` is the condition that a column is one of some values,
    and its values; `listed` the tickets whose numbers are the parameter `ids`, made with
    `numbers`, `one_of` that a column is among such; `along` the tickets in the order of an index (None: of their numbers). Of the rest each takes the names of a column and a value:
    `member` (whether a JSON list holds it), `key` (what a JSON object has there), `length` (how long a JSON list is),
    `within` (whether a text holds another), `matches` (whether the words of a message
    hold a phrase, made with `phrase` from a token line). `login` is the session's role on the server.
    """

    name: str
    distant: bool
    lock: str
    skip: str
    among: Callable[[str, Sequence[Any]], tuple[str, list[Any]]]
    listed: str
    numbers: Callable[[Sequence[int]], Any]
    one_of: str
    along: Callable[[str | None], str]
    member: str
    key: str
    length: str
    within: str
    matches: str
    phrase: Callable[[str, bool], str]
    login: str


def marks(values: Sequence[Any] | int) -> str:
    """As many places for values as there are."""
    return ", ".join("?" * (values if isinstance(values, int) else len(values)))


def adding(table: str, columns: Iterable[str]) -> str:
    """A statement that adds a row; nothing happens where there is one with its key."""
    names = tuple(columns)
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks(names)}) ON CONFLICT DO NOTHING"


def keeping(table: str, columns: Sequence[str], keys: int = 1) -> str:
    """A statement that puts a row in place of the one with its key: the first `keys` columns."""
    rest = ", ".join(f"{name} = excluded.{name}" for name in columns[keys:])
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks(columns)}) "
        f"ON CONFLICT ({', '.join(columns[:keys])}) DO UPDATE SET {rest}"
    )
