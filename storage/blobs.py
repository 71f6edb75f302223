"""Raw mail and attachments, in a SQLite file of their own so that the main one stays small."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path

from desk.blobs import Blob
from desk.errors import NotFound


class Blobs:
    """Bytes by their SHA-256. Not safe for several threads at once: its store holds the lock."""

    def __init__(self, path: Path, *, full: bool = True) -> None:
        self.path = path
        self.conn = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)
        self.conn.execute("PRAGMA journal_mode = WAL")
        self.durable(full)
        if self.conn.execute("PRAGMA user_version").fetchone()[0] == 0:
            self.conn.executescript(
                "BEGIN IMMEDIATE; CREATE TABLE IF NOT EXISTS blob (key BLOB PRIMARY KEY, size INTEGER, packed BLOB);"
                "PRAGMA user_version = 1; COMMIT;"
            )

    def durable(self, full: bool) -> None:
        """Whether every commit is on the disk when it returns."""
        self.conn.execute(f"PRAGMA synchronous = {'FULL' if full else 'NORMAL'}")

    def put(self, blobs: Iterable[Blob]) -> None:
        """Keep blobs, in one transaction with all that came since the last commit."""
        if not self.conn.in_transaction:
            self.conn.execute("BEGIN IMMEDIATE")
        self.conn.executemany(
            "INSERT OR IGNORE INTO blob (key, size, packed) VALUES (?, ?, ?)",
            [(bytes.fromhex(b.key), b.size, b.packed) for b in blobs],
        )

    def commit(self) -> None:
        """Make what was put stay, before any row refers to it."""
        if self.conn.in_transaction:
            self.conn.execute("COMMIT")

    def rollback(self) -> None:
        """Forget what was put since the last commit."""
        if self.conn.in_transaction:
            self.conn.execute("ROLLBACK")

    def get(self, key: str) -> bytes:
        """The compressed bytes named `key`; NotFound."""
        row = self.conn.execute("SELECT packed FROM blob WHERE key = ?", (bytes.fromhex(key),)).fetchone()
        if row is None:
            raise NotFound(
                f"the store does not hold the bytes {key[:12]}…; a restore may have left them out: deskhand store check"
            )
        packed: bytes = row[0]
        return packed

    def holds(self, keys: Iterable[str]) -> set[str]:
        """Which of `keys` are kept."""
        return {
            k for k in keys if self.conn.execute("SELECT 1 FROM blob WHERE key = ?", (bytes.fromhex(k),)).fetchone()
        }

    def close(self) -> None:
        """Let go of the file."""
        self.conn.close()
