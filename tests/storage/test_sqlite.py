"""The SQLite file itself: who planted what, who holds it, and what a full disk leaves behind."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from desk.blobs import Blob
from desk.errors import Busy, StoreError
from desk.query import EVERYTHING
from storage import open_store, sqlite
from storage.blobs import Blobs
from tests.desks import Room
from tests.servers import missing

pytestmark = pytest.mark.sqlite("connections and errors of SQLite")


@pytest.fixture
def raw(room: Room, tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """The file as somebody without deskhand opens it."""
    conn = sqlite3.connect(tmp_path / "desk.db", isolation_level=None)
    yield conn
    conn.close()


@pytest.mark.parametrize(
    ("planted", "said"),
    [
        (
            "CREATE TRIGGER cover AFTER INSERT ON event BEGIN DELETE FROM event WHERE seq = NEW.seq; END",
            "trigger 'cover'",
        ),
        ("CREATE VIEW everything AS SELECT * FROM message", "view 'everything'"),
    ],
)
def test_what_deskhand_never_makes_is_refused(raw: sqlite3.Connection, tmp_path: Path, planted: str, said: str) -> None:
    raw.execute(planted)
    for how in ({}, {"create": True}, {"upgrade": True}):
        with pytest.raises(StoreError) as caught:
            open_store(f"sqlite:///{tmp_path}/desk.db", **how)
        assert f"somebody added the {said}, which deskhand never makes; ask who, then drop it" in str(caught.value)


def test_a_held_store_is_a_sentence_and_goes_on_afterwards(
    tmp_path: Path, raw: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "_BUSY_S", 0)
    store = open_store(f"sqlite:///{tmp_path}/desk.db")
    raw.execute("BEGIN IMMEDIATE")
    with pytest.raises(Busy, match="another process holds the store for over 0 s; deskhand doctor names it"):
        store.set_setting("x", "1")
    assert store.ids(EVERYTHING), "reading waits for nobody"
    raw.execute("ROLLBACK")
    store.set_setting("x", "1")
    assert store.setting("x") == "1"
    store.close()


def test_every_connection_is_careful(room: Room) -> None:
    store = room.store
    for conn in (store._read, store._open_writer()):  # type: ignore[attr-defined]
        assert conn.execute("PRAGMA trusted_schema").fetchone() == (0,)
        assert conn.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert store._open_writer().execute("PRAGMA synchronous").fetchone() == (2,)  # type: ignore[attr-defined]


def test_saved_means_durable_and_bulk_means_fast(room: Room) -> None:
    writer = room.store._open_writer()  # type: ignore[attr-defined]
    room.store.write(lambda tx: tx.put_blobs([Blob.of(b"x")]), bulk=True)
    assert writer.execute("PRAGMA synchronous").fetchone() == (1,)
    room.do("tag a", 1)
    assert writer.execute("PRAGMA synchronous").fetchone() == (2,)


def test_an_address_that_names_no_store_is_explained(tmp_path: Path) -> None:
    for url, said in (
        ("mysql://x/y", "names no store; write sqlite:///path/to/desk.db"),
        ("postgresql://127.0.0.1:1/y", "cannot be reached .*is the server up, and the address right"),
        ("sqlite://", "names no store"),
    ):
        with pytest.raises(Exception, match=said):
            open_store(url)
    store = open_store(str(tmp_path / "plain.db"), create=True)
    assert (tmp_path / "plain.db").exists()
    store.close()


# -- a full disk ------------------------------------------------------------


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of three megabytes."""
    point = tmp_path / "small"
    point.mkdir()
    if os.geteuid() != 0:
        missing("tmpfs", "only root can mount one")
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m,mode=0700", "tmpfs", str(point)], capture_output=True, text=True
    )
    if done.returncode:
        missing("tmpfs", done.stderr.strip())
    yield point
    subprocess.run(["umount", "-l", str(point)], check=True)


def test_a_full_disk_is_a_sentence_and_loses_nothing(small: Path) -> None:
    room = Room.open(small)
    stored: list[int] = []
    errors: list[str] = []
    number = 1_000
    while len(errors) < 5:
        number += 1
        noise = os.urandom(9_000)
        blob = Blob.of(noise)
        try:
            room.receive(room.mail(number, text=noise.hex()[:4_000], raw=blob.key, blobs=(blob,)))
            stored.append(number)
        except StoreError as error:
            errors.append(str(error))
    assert {e.partition(": ")[2] for e in errors} == {
        "the disk is full; nothing was changed, make room and do it again"
    }
    assert len(stored) > 5
    assert room.store.check() == []
    assert room.store.numbers().messages == 5 + len(stored)
    assert room.store.known("support", [f"INBOX/1/{n}" for n in range(1_001, number + 1)]) == {
        f"INBOX/1/{n}" for n in stored
    }
    room.store.close()
    _make_room(small)
    again = open_store(f"sqlite:///{small}/desk.db")
    assert again.check() == []
    again.set_setting("x", "1")
    again.close()


def _make_room(point: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=16m", str(point)], check=True)


def test_no_row_refers_to_bytes_that_were_not_kept(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = Blob.of(b"raw")
    mail = room.mail(60, raw=raw.key, blobs=(raw,))

    def lost(self: Blobs) -> None:
        self.rollback()
        raise sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as patch:
        patch.setattr(Blobs, "commit", lost)
        with pytest.raises(StoreError, match="disk I/O error; nothing was changed"):
            room.receive(mail)
    assert room.store.numbers().messages == 5
    assert room.store.check() == []
    assert room.receive(mail).messages == 1
    assert room.store.blob(raw.key) == b"raw"


def test_after_an_error_the_next_change_is_whole(room: Room) -> None:
    def broken(tx: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    with pytest.raises(StoreError, match="disk I/O error; nothing was changed"):
        room.store.write(broken)
    room.do("tag a", 1)
    assert room.store.ticket(1).tags == ("a",)
    assert room.store.check() == []
