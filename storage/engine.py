"""What the halves of a store ask of the engine beneath them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, TypeVar

from storage.sql import Connection, Params

if TYPE_CHECKING:
    from desk.config import DeskConfig
    from desk.query import Node
    from desk.store import Tx
    from storage.find import Finder
    from storage.pending import Keeper
    from storage.project import Transaction

T = TypeVar("T")

_VERSION = "SELECT value FROM setting WHERE name = 'config_version'"
_CONFIG = "SELECT value FROM setting WHERE name = 'config'"


class Engine(ABC):
    """Connections, transactions, and the configuration they go by."""

    url: str
    shared: bool

    def __init__(self, url: str, config: DeskConfig) -> None:
        self.url, self.config = url, config
        self._version: int | None = None

    @property
    @abstractmethod
    def _read(self) -> Connection:
        """Runs single statements that change nothing."""

    @abstractmethod
    def _moment(self) -> AbstractContextManager[Connection]:
        """Several statements that read, all as of one moment."""

    @abstractmethod
    def _finder(self, conn: Connection, query: Node) -> Finder:
        """What answers a query."""

    @abstractmethod
    def _packed(self, key: str) -> bytes:
        """The compressed bytes of a blob; NotFound."""

    @abstractmethod
    def change(self, body: Callable[[Transaction], T], *, bulk: bool = False) -> T:
        """Run `body` in a transaction, and commit."""

    def write(self, body: Callable[[Tx], T], *, bulk: bool = False) -> T:
        return self.change(body, bulk=bulk)

    def _begun(self, conn: Connection, keeper: Keeper) -> Transaction:
        """What a body is given: it goes by the configuration that was published last, also while we ran."""
        from storage.project import Transaction

        row = conn.execute(_VERSION).fetchone()
        version = int(row[0]) if row else 0
        if self._version not in (None, version) or self.config.version not in (0, version):
            from json import loads

            from desk.config import published

            self.config = published(loads(conn.execute(_CONFIG).fetchone()[0]), version)
        self._version = version
        return Transaction(conn, keeper, self.config)

    def _execute(self, statement: str, params: Params = ()) -> list[Any]:
        """One small statement as a transaction of its own."""
        return self.change(lambda tx: tx.conn.execute(statement, params).fetchall())
