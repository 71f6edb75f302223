"""check finds every damage, and a backup made in the middle of the work is whole."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from desk.blobs import Blob
from desk.errors import StoreError
from desk.model import Attachment
from desk.query import EVERYTHING
from storage import open_store, upkeep
from storage.copying import copy, silent
from tests.desks import Room, receiving
from tests.servers.postgres import Postgres

pytestmark = pytest.mark.sqlite("damages and copies a file")


def damage(tmp_path: Path, *statements: str, file: str = "desk.db") -> None:
    conn = sqlite3.connect(tmp_path / file, isolation_level=None)
    for statement in statements:
        conn.execute(statement)
    conn.close()


_DAMAGES = {
    "messages without a ticket": "UPDATE message SET ticket = 99 WHERE id = 1",
    "tickets without a requester": "UPDATE ticket SET requester = 99 WHERE id = 2",
    "deliveries without a message": "UPDATE delivery SET message = 99",
    "items taken in without their message": "UPDATE external SET message = 99 WHERE external_id = 'INBOX/1/3'",
    "drafts without their ticket": "INSERT INTO draft VALUES (99, 'kim', 'note', 1, 'Hm', '{}', 0)",
    "work on tickets that are not there": "INSERT INTO effort VALUES (99, 'kim', 'views', 1)",
    "log lines without their batch": "DELETE FROM batch WHERE id = 'filled'",
    "gaps in the log": "DELETE FROM event WHERE seq = 9",
    "tickets whose message count is wrong": "UPDATE ticket SET message_count = 7 WHERE id = 3",
    "tickets opened but not in the log": "UPDATE event SET kind = 'Closed' WHERE kind = 'Opened' AND about = '4'",
    "tickets whose tags and tag index differ": "DELETE FROM tag",
    "tickets open in one column and not in another": "UPDATE ticket SET live = 0 WHERE id = 5",
    "two messages with one outside id and content": "UPDATE message SET message_id = 'x', digest = 'x' WHERE id < 3",
}


def test_every_rule_has_a_damage_here() -> None:
    assert {name for name, _ in upkeep._RULES} == set(_DAMAGES)


@pytest.mark.parametrize("name", _DAMAGES)
def test_check_finds_each_damage_and_names_the_culprit(room: Room, tmp_path: Path, name: str) -> None:
    room.do("tag vpn; reply hello", 1)
    assert room.store.check() == []
    damage(tmp_path, _DAMAGES[name])
    found = room.store.check()
    assert any(sentence.startswith(f"{name}: ") for sentence in found), found


def test_check_finds_each_damage_in_a_database_too(room: Room, postgres: Postgres) -> None:
    raw = Blob.of(b"raw")
    room.receive(room.mail(60, raw=raw.key, blobs=(raw,)))
    room.do("tag vpn; reply hello", 1)
    url = postgres.empty()
    with closing(open_store(url, create=True)) as store:
        copy(room.store, store, "", silent)  # type: ignore[arg-type]
        assert store.check() == []
        for statement in (*_DAMAGES.values(), "DELETE FROM blob"):
            store._execute(statement)  # type: ignore[attr-defined]
        found = [sentence.partition(": ")[0] for sentence in store.check()]
    assert found == [*_DAMAGES, "messages whose bytes are missing"]
    postgres.drop(url)


def test_check_finds_bytes_that_are_missing(room: Room, tmp_path: Path) -> None:
    raw, file = Blob.of(b"raw"), Blob.of(b"file")
    room.receive(
        room.mail(60, raw=raw.key, blobs=(raw,)),
        room.mail(61, attachments=(Attachment("a", "x/y", 4, file.key),), blobs=(file,)),
    )
    assert room.store.check() == []
    damage(tmp_path, f"DELETE FROM blob WHERE key = x'{file.key}'", file="desk-blobs.db")
    assert room.store.check() == ["messages whose bytes are missing: 7"]
    damage(tmp_path, "DELETE FROM blob", file="desk-blobs.db")
    assert room.store.check() == ["messages whose bytes are missing: 6, 7"]


@pytest.mark.parametrize("only_attachment", [False, True])
def test_check_misses_the_whole_file_of_bytes(room: Room, tmp_path: Path, only_attachment: bool) -> None:
    blob = Blob.of(b"raw")
    held = {"attachments": (Attachment("a", "x/y", 3, blob.key),)} if only_attachment else {"raw": blob.key}
    room.receive(room.mail(60, blobs=(blob,), **held))
    room.store.close()
    (tmp_path / "desk-blobs.db").unlink()
    store = open_store(f"sqlite:///{tmp_path}/desk.db")
    assert store.check() == [f"the file with raw mail is missing: {tmp_path}/desk-blobs.db"]
    store.close()


def test_a_file_of_bytes_that_was_only_begun_is_no_damage(room: Room, tmp_path: Path) -> None:
    room.store.close()
    for name in ("desk-blobs.db", "desk-blobs.db-wal", "desk-blobs.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    (tmp_path / "desk-blobs.db").touch(0o600)
    store = open_store(f"sqlite:///{tmp_path}/desk.db")
    assert store.check() == []
    store.backup(str(tmp_path / "copy"))
    store.close()


def test_check_finds_a_broken_file(room: Room, tmp_path: Path) -> None:
    room.store.close()
    path = tmp_path / "desk.db"
    data = bytearray(path.read_bytes())
    conn = sqlite3.connect(path)
    root = conn.execute("SELECT rootpage FROM sqlite_master WHERE name = 'message_ticket'").fetchone()[0]
    size = conn.execute("PRAGMA page_size").fetchone()[0]
    conn.close()
    data[(root - 1) * size + 8 : root * size] = bytes(size - 8)
    path.write_bytes(data)
    store = open_store(f"sqlite:///{path}")
    assert any(sentence.startswith("the file itself: ") for sentence in store.check())
    store.close()


# -- backup -----------------------------------------------------------------


def test_a_backup_made_while_others_write_is_whole(room: Room, tmp_path: Path) -> None:
    with receiving(room):
        for n in range(5):
            room.store.backup(str(tmp_path / f"copy{n}"))
    sizes = []
    for n in range(5):
        copy = open_store(f"sqlite:///{tmp_path}/copy{n}/desk.db")
        assert copy.check() == []
        newest = copy.ids(EVERYTHING, sort="newest")[0]
        raw = copy.thread(newest)[0].raw
        assert raw is not None
        assert copy.blob(raw).startswith(b"raw ")
        sizes.append(copy.numbers().messages)
        copy.close()
    assert sizes == sorted(sizes)
    assert sizes[0] > 5


def test_a_backup_is_private_and_never_overwrites(room: Room, tmp_path: Path) -> None:
    target = tmp_path / "copy"
    raw = Blob.of(b"raw")
    room.receive(room.mail(60, raw=raw.key, blobs=(raw,)))
    room.store.backup(str(target))
    assert {f.name for f in target.iterdir()} == {"desk.db", "desk-blobs.db"}
    assert {stat.S_IMODE(f.stat().st_mode) for f in (target, *target.iterdir())} == {0o700, 0o600}
    before = (target / "desk.db").read_bytes()
    with pytest.raises(StoreError, match="exists already; name an empty folder, a backup never writes over another"):
        room.store.backup(str(target))
    assert (target / "desk.db").read_bytes() == before


def test_a_backup_that_was_stopped_can_be_made_again(room: Room, tmp_path: Path) -> None:
    raw = Blob.of(b"raw")
    room.receive(room.mail(60, raw=raw.key, blobs=(raw,)))
    target = tmp_path / "copy"
    target.mkdir(0o700)
    (target / "desk.part").write_bytes(b"half")
    room.store.backup(str(target))
    copy = open_store(f"sqlite:///{target}/desk.db")
    assert copy.check() == []
    assert copy.numbers().messages == 6
    copy.close()
