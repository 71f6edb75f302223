"""Whether everything that should hold does, and copies while others go on working."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

from desk.errors import NotFound, StoreError
from storage.sql import Connection

if TYPE_CHECKING:
    from storage.sqlite import SqliteConnection


def _lacks(table: str, column: str) -> str:
    """That there is no row of this number; PostgreSQL would compare every row with every other for NOT IN."""
    return f"NOT EXISTS (SELECT 1 FROM {table} AS other WHERE other.id = {column})"


_RULES: tuple[tuple[str, str], ...] = (
    ("messages without a ticket", f"SELECT id FROM message WHERE {_lacks('ticket', 'message.ticket')}"),
    ("tickets without a requester", f"SELECT id FROM ticket WHERE {_lacks('customer', 'ticket.requester')}"),
    ("deliveries without a message", f"SELECT id FROM delivery WHERE {_lacks('message', 'delivery.message')}"),
    (
        "items taken in without their message",
        f"SELECT external_id FROM external WHERE message IS NOT NULL AND {_lacks('message', 'external.message')}",
    ),
    ("drafts without their ticket", f"SELECT ticket FROM draft WHERE {_lacks('ticket', 'draft.ticket')}"),
    ("work on tickets that are not there", f"SELECT ticket FROM effort WHERE {_lacks('ticket', 'effort.ticket')}"),
    ("log lines without their batch", f"SELECT seq FROM event WHERE {_lacks('batch', 'event.batch')}"),
    ("gaps in the log", "SELECT value FROM counter WHERE name = 'seq' AND value <> (SELECT count(*) FROM event)"),
    (
        "tickets whose message count is wrong",
        "SELECT id FROM ticket WHERE message_count <> (SELECT count(*) FROM message WHERE message.ticket = ticket.id AND withdrawn = 0)",
    ),
    (
        "tickets opened but not in the log",
        "SELECT id FROM ticket WHERE NOT EXISTS "
        "(SELECT 1 FROM event WHERE entity = 'ticket' AND about = CAST(ticket.id AS TEXT) AND kind = 'Opened')",
    ),
    (
        "tickets whose tags and tag index differ",
        # Counted once for all: the tags of one ticket cannot be looked up.
        "SELECT id FROM ticket LEFT JOIN (SELECT ticket AS tagged, count(*) AS held FROM tag GROUP BY ticket) AS kept "
        "ON tagged = id WHERE {tags} <> coalesce(held, 0)",
    ),
    (
        "tickets open in one column and not in another",
        "SELECT id FROM ticket WHERE (live = 1) <> (status NOT IN ('solved', 'closed'))",
    ),
    (
        "two messages with one outside id and content",
        "SELECT min(id) FROM message WHERE digest IS NOT NULL GROUP BY message_id, digest HAVING count(*) > 1",
    ),
)


def unheld(conn: Connection) -> list[str]:
    """Every rule that does not hold, as a sentence with the first few culprits."""
    found: list[str] = []
    for name, query in _RULES:
        culprits = [str(row[0]) for row in conn.execute(f"{query.format(tags=conn.sql.length.format('tags'))} LIMIT 6")]
        if culprits:
            found.append(f"{name}: {', '.join(culprits[:5])}{' ...' if len(culprits) > 5 else ''}")
    return found


def check(conn: SqliteConnection, blobs: Path) -> list[str]:
    """The same of a SQLite file and the one with its blobs."""
    try:
        broken = [f"the file itself: {row[0]}" for row in conn.execute("PRAGMA integrity_check(5)") if row[0] != "ok"]
        return broken + unheld(conn) + _missing_blobs(conn, blobs)
    except sqlite3.DatabaseError as error:
        return [f"the file itself: {error}; take the newest backup that store check finds well"]


def postgres_check(conn: Connection) -> list[str]:
    """The same of a PostgreSQL database, which has its blobs in a table."""
    query = (
        "WITH wanted (key, message) AS (SELECT raw, id FROM message WHERE raw IS NOT NULL UNION ALL "
        "SELECT kept.value ->> 3, message.id FROM message, json_array_elements(CAST(attachments AS JSON)) kept (value) "
        "WHERE attachments IS NOT NULL) "
        "SELECT message FROM wanted WHERE NOT EXISTS (SELECT 1 FROM blob WHERE blob.key = decode(wanted.key, 'hex')) LIMIT 6"
    )
    culprits = [str(row[0]) for row in conn.execute(query)]
    missing = [f"messages whose bytes are missing: {', '.join(culprits[:5])}"] if culprits else []
    return unheld(conn) + missing


def _missing_blobs(conn: sqlite3.Connection, blobs: Path) -> list[str]:
    if not blobs.exists():
        return _all_missing(conn, blobs)
    conn.execute("ATTACH ? AS blobs", (str(blobs),))
    try:
        # Whoever made the file may have been killed before anything was in it.
        if not conn.execute("SELECT 1 FROM blobs.sqlite_master WHERE name = 'blob'").fetchone():
            return _all_missing(conn, blobs)
        # unhex() is newer than the SQLite of Debian 12; comparing hex text is slower but the same.
        query = (
            "WITH wanted(key, message) AS (SELECT raw, id FROM message WHERE raw IS NOT NULL UNION ALL "
            "SELECT json_extract(j.value, '$[3]'), message.id FROM message, json_each(message.attachments) j WHERE message.attachments IS NOT NULL) "
            "SELECT message FROM wanted WHERE upper(key) NOT IN (SELECT hex(key) FROM blobs.blob) LIMIT 6"
        )
        culprits = [str(row[0]) for row in conn.execute(query)]
    finally:
        conn.execute("DETACH blobs")
    return [f"messages whose bytes are missing: {', '.join(culprits[:5])}"] if culprits else []


def _all_missing(conn: sqlite3.Connection, blobs: Path) -> list[str]:
    kept = "SELECT count(*) FROM message WHERE raw IS NOT NULL OR attachments IS NOT NULL"
    wanted = conn.execute(kept).fetchone()[0]
    return [f"the file with raw mail is missing: {blobs}"] if wanted else []


def backup(conn: sqlite3.Connection, path: Path, blobs: Path, target: Path) -> None:
    """Copy the store into the folder `target`; the rows first, so that every blob they name is copied after."""
    copy = target / path.name
    part = begun(copy)
    # Made before they hold anything, so that nobody else reads them while they grow.
    part.touch(0o600)
    conn.execute("VACUUM INTO ?", (str(part),))
    if blobs.exists():
        (target / blobs.name).touch(0o600)
        _copy_blobs(blobs, target / blobs.name)
    part.replace(copy)


def begun(copy: Path) -> Path:
    """Where a backup grows until it is whole, in a folder of its own; nothing is left of one that was stopped."""
    try:
        copy.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StoreError(
            f"{copy.parent}: cannot be made ({error.strerror}); name a folder where you may write"
        ) from error
    if copy.exists():
        raise StoreError(f"{copy}: exists already; name an empty folder, a backup never writes over another")
    part = copy.with_suffix(".part")
    for left in (part, part.with_stem(f"{part.stem}-blobs")):
        for ending in ("", "-wal", "-shm"):
            left.with_name(left.name + ending).unlink(missing_ok=True)
    return part


def backup_in(folder: Path) -> Path:
    """The file of the backup in a folder, beside which its bytes lie; NotFound."""
    found = sorted(path for path in folder.glob("*.db") if not path.stem.endswith("-blobs"))
    if len(found) != 1:
        raise NotFound(
            f"{folder}: holds {'several stores' if found else 'no backup'}; name the folder that was given to: deskhand store backup"
        )
    return found[0]


def _copy_blobs(source: Path, target: Path) -> None:
    """Only what the copy does not hold yet."""
    reader = sqlite3.connect(source, timeout=60, isolation_level=None)
    try:
        reader.execute("ATTACH ? AS copy", (str(target),))
        reader.execute("CREATE TABLE IF NOT EXISTS copy.blob (key BLOB PRIMARY KEY, size INTEGER, packed BLOB)")
        if reader.execute("SELECT 1 FROM main.sqlite_master WHERE name = 'blob'").fetchone():
            reader.execute("INSERT OR IGNORE INTO copy.blob SELECT key, size, packed FROM main.blob")
        reader.execute("PRAGMA copy.user_version = 1")
        reader.execute("DETACH copy")
    finally:
        reader.close()
