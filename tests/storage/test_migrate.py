"""Schemas: newer ones are refused, older ones brought up to date, and a killed step leaves nothing."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from desk.errors import NotFound, StoreError
from storage import migrate, open_store
from storage.migrate import VERSION, upgrade, version
from storage.migrations import STEPS
from storage.schema import SqliteSchema

pytestmark = pytest.mark.sqlite("files of other versions; PostgreSQL has tests/contracts")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    open_store(f"sqlite:///{tmp_path}/desk.db", create=True).close()
    return tmp_path / "desk.db"


def at_version(path: Path, number: int) -> None:
    conn = sqlite3.connect(path)
    conn.execute(f"PRAGMA user_version = {number}")
    conn.close()


@pytest.mark.parametrize("how", [{}, {"create": True}, {"upgrade": True}])
def test_a_newer_schema_is_refused(path: Path, how: dict[str, bool]) -> None:
    at_version(path, VERSION + 1)
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"written by a newer deskhand .* upgrade deskhand on this host"):
        open_store(f"sqlite:///{path}", **how)
    assert path.read_bytes() == before


def test_an_older_schema_waits_for_whoever_may_upgrade(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def step(db: object) -> None:
        db.run("CREATE TABLE another (x INTEGER)")  # type: ignore[attr-defined]

    monkeypatch.setattr(migrate, "STEPS", (*migrate.STEPS, step))
    monkeypatch.setattr(migrate, "VERSION", VERSION + 1)
    with pytest.raises(StoreError, match=r"needs an upgrade .* start the relay, or run: deskhand store upgrade"):
        open_store(f"sqlite:///{path}")
    store = open_store(f"sqlite:///{path}", upgrade=True)
    assert store._read.execute("SELECT count(*) FROM another").fetchone() == (0,)
    assert version(store._read) == VERSION + 1
    store.close()


def test_a_store_that_is_not_there_is_made_only_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "desk.db"
    with pytest.raises(NotFound, match=r"there is no store at .* yet; make one with: deskhand init"):
        open_store(f"sqlite:///{path}")
    assert not path.exists()
    path.touch(0o600)
    with pytest.raises(NotFound, match="is empty; make one with: deskhand init"):
        open_store(f"sqlite:///{path}")
    open_store(f"sqlite:///{path}", create=True).close()
    open_store(f"sqlite:///{path}").close()


def test_a_file_that_is_something_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "desk.db"
    path.write_bytes(b"my diary, " * 500)
    path.chmod(0o600)
    with pytest.raises(StoreError, match="file is not a database"):
        open_store(f"sqlite:///{path}", create=True)
    assert path.read_bytes() == b"my diary, " * 500


_CHILD = """
import sys
from storage import open_store
sys.stdin.readline()
store = open_store(sys.argv[1], create=True)
store.set_setting(sys.argv[2], "here")
print(store.check())
"""


def test_three_processes_make_one_store_at_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/desk.db"
    children = [
        subprocess.Popen([sys.executable, "-c", _CHILD, url, str(n)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for n in range(3)
    ]  # fmt: skip
    said = []
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    for child in children:
        out, err = child.communicate(timeout=60)
        said.append((child.returncode, out, err))
    assert said == [(0, "[]\n", "")] * 3
    store = open_store(url)
    assert [store.setting(str(n)) for n in range(3)] == ["here"] * 3
    store.close()


def schema_of(conn: sqlite3.Connection) -> list[str]:
    """What a file has: tables and indexes, column by column."""
    return [row[0] for row in conn.execute("SELECT coalesce(sql, name) FROM sqlite_master ORDER BY type, name")]


def schema_after(steps: int) -> list[str]:
    """What a file has after the first `steps` steps."""
    conn = sqlite3.connect(":memory:", isolation_level=None)
    for step in STEPS[:steps]:
        step(SqliteSchema(conn))
    return schema_of(conn)


class Killed(BaseException):
    """What a kill looks like from inside."""


def test_a_step_that_is_killed_anywhere_leaves_nothing(tmp_path: Path) -> None:
    statements, whole = 0, [schema_after(step) for step in range(VERSION + 1)]
    for stop in range(1, 500):
        path = tmp_path / f"{stop}.db"

        class Dying(sqlite3.Connection):
            """A connection that ends at its n-th statement."""

            left = stop

            def execute(self, *args: object) -> sqlite3.Cursor:  # type: ignore[override]
                self.left -= 1
                if self.left == 0:
                    raise Killed
                return super().execute(*args)  # type: ignore[arg-type]

        dying = sqlite3.connect(path, isolation_level=None, factory=Dying)
        sqlite3.Connection.execute(dying, "PRAGMA synchronous = OFF")
        try:
            upgrade(dying, "x")
        except Killed:
            dying.close()
        else:
            statements = stop
            dying.close()
            break
        left = sqlite3.connect(path, isolation_level=None)
        left.execute("PRAGMA synchronous = OFF")
        done = version(left)
        assert schema_of(left) == whole[done], "a step is there whole, or not at all"
        assert upgrade(left, "x") == [*range(done + 1, VERSION + 1)]
        assert version(left) == VERSION
        left.close()
    assert statements > 30, "every statement was killed once, until a run was clean"


def test_a_step_that_ends_its_own_transaction_is_a_mistake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def step(db: object) -> None:
        db.run("CREATE TABLE x (y INTEGER)")  # type: ignore[attr-defined]
        db.run("COMMIT")  # type: ignore[attr-defined]

    monkeypatch.setattr(migrate, "STEPS", (step,))
    conn = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
    with pytest.raises(StoreError, match="step 1 of the upgrade ended its own transaction"):
        upgrade(conn, "x")
    assert version(conn) == 0
    conn.close()
