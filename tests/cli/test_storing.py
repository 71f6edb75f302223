"""The store as a whole: init, upgrade, check, copy, backup, restore."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from desk.blobs import Blob
from desk.model import Attachment
from storage import copying, migrate
from storage.schema import Schema
from tests.cli.conftest import Deskhand
from tests.desks import Room
from tests.servers.postgres import Postgres


@pytest.fixture
def room(room: Room) -> Room:
    """The user's desk, with something of everything."""
    raw, file = Blob.of(b"raw"), Blob.of(b"file")
    room.receive(
        room.mail(60, raw=raw.key, blobs=(raw,)),
        room.mail(61, attachments=(Attachment("plan.txt", "text/plain", 4, file.key),), blobs=(file,)),
    )
    room.do("tag vpn; reply hello", 1)
    room.do("note hi; snooze 2d", 2)
    room.send()
    return room


@pytest.fixture
def database(postgres: Postgres) -> Iterator[str]:
    """The URL of an empty database."""
    url = postgres.empty()
    yield url
    postgres.drop(url)


@pytest.fixture(params=["sqlite", "postgresql"])
def new(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a store that is not there yet, in each engine."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/new/desk.db"
    url: str = request.getfixturevalue("database")
    return url


def exported(deskhand: Deskhand, url: str) -> list[dict[str, object]]:
    ran = deskhand("--store", url, "export")
    assert ran.code == 0, ran.err
    return ran.objects


# -- init, upgrade, check -----------------------------------------------------------


def test_init_makes_a_store_once_and_you_are_its_admin(deskhand: Deskhand, new: str) -> None:
    ran = deskhand("store", "init", new)
    assert ran.code == 0, ran.err
    assert "made " in ran.out
    assert "; you are " in ran.out
    assert ran.out.endswith(", admin\n")
    (me,) = deskhand("--store", new, "agent", "list", "--json").objects
    assert me["role"] == "admin"
    again = deskhand("store", "init", new)
    assert (again.code, again.out.startswith("there is a store already")) == (0, True)


def test_no_password_is_shown(deskhand: Deskhand, database: str) -> None:
    password = database.partition("@")[0].rpartition(":")[2]
    said = [deskhand("store", "init", database), deskhand("--store", database, "store", "upgrade")]
    assert not any(password in ran.out + ran.err for ran in said)


def another(schema: Schema) -> None:
    """Another table."""
    schema.run("CREATE TABLE another (x INTEGER)")


def test_an_upgrade_is_told_before_it_is_done(deskhand: Deskhand, new: str, monkeypatch: pytest.MonkeyPatch) -> None:
    deskhand("store", "init", new)
    assert deskhand("--store", new, "store", "upgrade", "--dry-run").out == "nothing to do\n"
    number = migrate.VERSION + 1
    monkeypatch.setattr(migrate, "STEPS", (*migrate.STEPS, another))
    monkeypatch.setattr(migrate, "VERSION", number)
    for _ in range(2):
        ran = deskhand("--store", new, "store", "upgrade", "--dry-run")
        assert ran.out == f"to schema {number}: Another table.\n1 steps to do: deskhand store upgrade\n"
    older = deskhand("--store", new, "ls")
    assert (older.code, "run: deskhand store upgrade" in older.err) == (7, True)
    ran = deskhand("--store", new, "store", "upgrade")
    assert ran.out.startswith(f"to schema {number}: Another table.\n")
    assert ran.out.endswith("is up to date\n")
    assert deskhand("--store", new, "ls").code == 0
    monkeypatch.undo()


def test_what_newer_code_wrote_is_refused_by_older(
    deskhand: Deskhand, new: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as newer:
        newer.setattr(migrate, "STEPS", (*migrate.STEPS, another))
        newer.setattr(migrate, "VERSION", migrate.VERSION + 1)
        deskhand("store", "init", new)
    for verb in (["ls"], ["store", "upgrade"], ["store", "upgrade", "--dry-run"], ["store", "init"]):
        ran = deskhand("--store", new, *verb)
        assert (ran.code, "written by a newer deskhand" in ran.err) == (7, True), verb


@pytest.mark.parametrize("verb", [["store", "upgrade"], ["store", "upgrade", "--dry-run"], ["store", "check"]])
def test_where_there_is_no_store_init_is_named(deskhand: Deskhand, new: str, verb: list[str]) -> None:
    ran = deskhand("--store", new, *verb)
    assert (ran.code, "make one with: deskhand" in ran.err) == (3, True), ran.err


def test_upgrade_says_that_all_is_well(deskhand: Deskhand, home: Path) -> None:
    assert deskhand("init", "--no-account").code == 0
    assert deskhand("store", "upgrade").out.endswith("is up to date\n")


def test_check_names_the_damage(deskhand: Deskhand, room: Room) -> None:
    room.store._execute("UPDATE ticket SET message_count = 5 WHERE id = 1")  # type: ignore[attr-defined]
    ran = deskhand("store", "check")
    assert (ran.code, ran.out) == (7, "tickets whose message count is wrong: 1\n")
    assert "1 rules do not hold" in ran.err


# -- copy -----------------------------------------------------------------------


def test_a_copy_to_postgresql_and_back_is_the_same_desk(
    deskhand: Deskhand, room: Room, database: str, tmp_path: Path
) -> None:
    back = f"sqlite:///{tmp_path}/back/desk.db"
    for source, target in ((room.store.url, database), (database, back)):
        ran = deskhand("store", "copy", source, target)
        assert (ran.code, ran.out) == (0, "copied 7 tickets, 9 messages; both are the same\n"), ran.err
        assert deskhand("--store", target, "store", "check").out == "all is well\n"
        assert deskhand("store", "copy", source, target, "--verify-only").out == "both are the same\n"
    assert exported(deskhand, back) == exported(deskhand, room.store.url) == exported(deskhand, database)
    assert deskhand("--store", database, "ls", "--count", "hello").out == "7\n"
    for url in (database, back):
        opened = deskhand("--store", url, "new", "one more", "--requester", "ann@x.example", "--body", "hi", "--json")
        assert opened.object["opened"] == [8], opened.err


def test_a_store_that_was_only_made_takes_a_copy(deskhand: Deskhand, room: Room, new: str) -> None:
    deskhand("store", "init", new)
    assert deskhand("store", "copy", room.store.url, new).code == 0
    assert exported(deskhand, new) == exported(deskhand, room.store.url)


def test_a_copy_is_never_put_over_a_desk(deskhand: Deskhand, room: Room, tmp_path: Path) -> None:
    other = Room.open(tmp_path / "data")
    other.store.close()
    ran = deskhand("store", "copy", room.store.url, other.store.url)
    assert (ran.code, "there is a desk in it already" in ran.err) == (7, True)
    assert len(exported(deskhand, other.store.url)) == 5


def test_a_copy_that_was_stopped_is_named_and_goes_on(
    deskhand: Deskhand, room: Room, new: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(copying._Copy, "_index", stopped)
        ran = deskhand("store", "copy", room.store.url, new)
    assert ran.code == 130
    finish = next(line for line in ran.err.splitlines() if line.startswith("stopped")).partition("with: ")[2]
    refused = deskhand("--store", new, "ls")
    assert (refused.code, f"is being copied into; finish it with: {finish}" in refused.err) == (7, True)
    assert deskhand("store", "copy", room.store.url, new).code == 0
    assert exported(deskhand, new) == exported(deskhand, room.store.url)


def test_verifying_names_the_table_that_differs(deskhand: Deskhand, room: Room, tmp_path: Path) -> None:
    there = f"sqlite:///{tmp_path}/there/desk.db"
    deskhand("store", "copy", room.store.url, there)
    room.do("note another", 3)
    ran = deskhand("store", "copy", "--verify-only", room.store.url, there)
    assert (ran.code, "differs from" in ran.err) == (7, True)
    assert " in: batch, event, message, seen, ticket; " in ran.err


# -- backup and restore -----------------------------------------------------------


def test_a_backup_can_be_opened_checked_and_restored(deskhand: Deskhand, room: Room, new: str, tmp_path: Path) -> None:
    before = exported(deskhand, room.store.url)
    ran = deskhand("backup", tmp_path / "copy")
    assert f"deskhand store check --store sqlite:///{tmp_path}/copy/desk.db" in ran.out
    assert deskhand("store", "check", "--store", f"sqlite:///{tmp_path}/copy/desk.db").out == "all is well\n"
    assert deskhand("store", "backup", tmp_path / "copy").code == 7
    restored = deskhand("--store", new, "store", "restore", tmp_path / "copy")
    assert (restored.code, restored.out) == (0, "restored 7 tickets, 9 messages\n"), restored.err
    assert exported(deskhand, new) == before
    assert deskhand("--store", new, "store", "restore", tmp_path / "copy").code == 7


def test_a_backup_of_postgresql_is_a_file(deskhand: Deskhand, room: Room, database: str, tmp_path: Path) -> None:
    deskhand("store", "copy", room.store.url, database)
    ran = deskhand("--store", database, "store", "backup", tmp_path / "copy")
    assert (ran.code, f"--store sqlite:///{tmp_path}/copy/desk.db" in ran.out) == (0, True), ran.err
    assert sorted(path.name for path in (tmp_path / "copy").iterdir()) == ["desk-blobs.db", "desk.db"]
    assert exported(deskhand, f"sqlite:///{tmp_path}/copy/desk.db") == exported(deskhand, room.store.url)
    again = deskhand("--store", database, "store", "backup", tmp_path / "copy")
    assert (again.code, "exists already; name an empty folder" in again.err) == (7, True)


def test_what_is_no_backup_cannot_be_restored(deskhand: Deskhand, home: Path, tmp_path: Path) -> None:
    ran = deskhand("store", "restore", tmp_path)
    assert (ran.code, "holds no backup" in ran.err) == (3, True)
