"""A desk goes from engine to engine and back without losing anything, wherever it is killed on the way."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from cli.exporting import as_json
from desk.blobs import Blob
from desk.errors import Busy, DeskError, StoreError
from desk.model import MINUTE, Attachment, Draft, Effort, Presence
from desk.query import EVERYTHING, Env, parse
from storage import contents, copying, open_store
from storage.copying import copy, differing, into_folder, silent
from tests.desks import Room, receiving
from tests.servers.postgres import Postgres

FINISH = "deskhand store copy THIS THAT"
LATER = 1_800_000_000_000
ENV = Env(LATER, None)


@pytest.fixture
def room(room: Room) -> Room:
    """A desk with something in every table but the log of automatic mails."""
    for number in range(60, 72):
        raw, file = Blob.of(b"raw %d" % number), Blob.of(b"\x00\xff" * number)
        attached = (Attachment("plan.txt", "text/plain", 2 * number, file.key),)
        room.receive(room.mail(number, raw=raw.key, attachments=attached, blobs=(raw, file)))
    room.do("tag vpn; reply hello", 1)
    room.do("tag vpn café; note hi; snooze 2d", 2)
    room.answer(1, "still there")
    room.send()
    room.do("reply again", 3)
    room.do("note away", 4)
    room.undo()
    room.store.lease("clock", "somebody", room.clock, room.clock + 1)
    room.store.keep_draft(Draft(3, "kim", "reply", room.clock, "Dear Ann", {"cc": "boss@example.com"}, 4))
    room.store.attend(Presence("kim:1", "kim", "desk1", 3, "writes", LATER), MINUTE)
    return room


Make = Callable[[str], str]


@pytest.fixture
def make(postgres: Postgres, tmp_path: Path) -> Iterator[Make]:
    """Makes the URL of a place where there is nothing yet, for an engine."""
    databases: list[str] = []
    places = iter(range(1_000))

    def made(engine: str) -> str:
        if engine == "postgresql":
            databases.append(postgres.empty())
            return databases[-1]
        return f"sqlite:///{tmp_path}/{next(places)}/desk.db"

    yield made
    for url in databases:
        postgres.drop(url)


def whole(source: Any, url: str, **how: Any) -> copying.Copied:
    """Copy into the store at `url`."""
    with closing(open_store(url, create=True, unfinished=True)) as target:
        return copy(source, target, FINISH, silent, **how)  # type: ignore[arg-type]


def exported(store: Any) -> bytes:
    """What `deskhand export` writes."""
    out = io.BytesIO()
    for number in sorted(store.ids(EVERYTHING)):
        as_json(store, number, out, LATER)
    return out.getvalue()


def indexes(url: str) -> set[str]:
    with closing(open_store(url, create=True)) as store:
        there = contents.contents(store)
        with there.moment() as conn:
            return set(there.indexes(conn))


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_a_desk_that_went_there_and_back_is_the_same(room: Room, make: Make, engine: str) -> None:
    there, back = make(engine), make("sqlite")
    done = whole(room.store, there)
    assert (done.tickets, done.messages, done.changed) == (17, 22, 0)
    before = exported(room.store)
    assert before.count(b"\n") == 17
    with closing(open_store(there)) as store:
        assert store.check() == []
        assert exported(store) == before
        whole(store, back)
    with closing(open_store(back)) as store:
        assert store.check() == []
        assert exported(store) == before
        assert differing(room.store, store, silent) == []  # type: ignore[arg-type]
        raw = store.thread(6)[0].raw
        assert raw is not None
        assert store.blob(raw) == b"raw 60"
        assert store.drafts() == room.store.drafts() != []
        assert store.effort(3) == [Effort("kim", "writes", MINUTE)]
        assert (store.leases(), store.present(0)) == ([], []), "they are of the moment"
        for words in ("hello", "subject:vpn", "plan", '"two lines"'):
            query = parse(words, ENV)
            assert store.ids(query) == room.store.ids(query) != [], words
    assert indexes(there) == indexes(make(engine))
    assert indexes(back) == indexes(make("sqlite"))


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_no_number_is_given_twice(room: Room, make: Make, engine: str) -> None:
    for kind, last in (("ticket", 100), ("message", 200), ("delivery", 300), ("customer", 400)):
        room.store._execute("UPDATE counter SET value = ? WHERE name = ?", (last, kind))  # type: ignore[attr-defined]
    there, back = make(engine), make("sqlite")
    whole(room.store, there)
    with closing(open_store(there)) as store:
        whole(store, back)
    for url in (there, back):
        with closing(open_store(url)) as store:
            numbers = store.write(
                lambda tx: [tx.new_id(kind) for kind in ("ticket", "message", "delivery", "customer")]
            )  # type: ignore[attr-defined]
            assert numbers == [101, 201, 301, 401]
            assert store.last_seq() == room.store.last_seq()


def test_an_empty_desk_is_copied_too(make: Make) -> None:
    url, there, back = make("sqlite"), make("postgresql"), make("sqlite")
    for source, target in ((url, there), (there, back)):
        with closing(open_store(source, create=True)) as store:
            assert whole(store, target).rows == 0
    with closing(open_store(back)) as store:
        assert store.write(lambda tx: tx.new_id("ticket")) == 1


# -- stopped, and gone on with ----------------------------------------------------

_CHILD = """
import os, signal, sys
from contextlib import closing
from storage import copying, contents, open_store, postgres, sqlite

left = int(sys.argv[3])

def dying(body):
    def statement(*args):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return body(*args)
    return statement

for kind in (sqlite.SqliteConnection, postgres.PostgresConnection):
    for name in ("execute", "executemany", "insert"):
        setattr(kind, name, dying(getattr(kind, name)))
copying.CHUNK_ROWS, contents._PIECE = 4, 3
with closing(open_store(sys.argv[1])) as source:
    with closing(open_store(sys.argv[2], create=True, unfinished=True)) as target:
        copying.copy(source, target, "deskhand store copy THIS THAT", copying.silent)
"""


def killed(source: str, target: str, statement: int) -> bool:
    """Copy, and be killed at a statement; whether the copy came to its end before."""
    child = subprocess.run(
        [sys.executable, "-c", _CHILD, source, target, str(statement)], capture_output=True, text=True
    )
    assert child.returncode in (0, -signal.SIGKILL), child.stderr
    return child.returncode == 0


@pytest.mark.parametrize(("one", "two"), [("sqlite", "postgresql"), ("postgresql", "sqlite")])
def test_a_copy_that_is_killed_again_and_again_comes_to_its_end(room: Room, make: Make, one: str, two: str) -> None:
    source, target = make(one), make(two)
    whole(room.store, source)
    runs = refused = 0
    while not killed(source, target, 90 + 35 * runs):
        runs += 1
        try:
            open_store(target).close()
        except DeskError as error:
            refused += str(error).endswith(f"is being copied into; finish it with: {FINISH}")
    assert refused > 3
    same_desk(room, target)


@pytest.mark.torture
@pytest.mark.parametrize("two", ["postgresql", "sqlite"])
def test_a_copy_may_be_killed_at_any_statement(room: Room, make: Make, two: str) -> None:
    for statement in range(1, 2_000, 11):
        target = make(two)
        if killed(room.store.url, target, statement):
            break
        assert killed(room.store.url, target, 1_000_000)
        same_desk(room, target)
    assert statement > 300


def same_desk(room: Room, url: str) -> None:
    with closing(open_store(url)) as store:
        assert store.check() == []
        assert differing(room.store, store, silent) == []  # type: ignore[arg-type]
        assert exported(store) == exported(room.store)


class Stopped(BaseException):
    """What Ctrl-C looks like from inside."""


@pytest.fixture(params=["sqlite", "postgresql"])
def half(request: pytest.FixtureRequest, room: Room, make: Make, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store in which all rows are, and no words: the copy of the room was stopped."""
    url = make(request.param)

    def stopped(*_: object) -> None:
        raise Stopped

    with monkeypatch.context() as patch:
        patch.setattr(copying._Copy, "_index", stopped)
        with pytest.raises(Stopped):
            whole(room.store, url)
    return url


def test_what_changed_while_a_copy_was_stopped_is_copied_again(room: Room, half: str) -> None:
    room.do("rename other; note late", 2)
    room.receive(room.mail(99))
    whole(room.store, half)
    same_desk(room, half)
    with closing(open_store(half)) as store:
        assert store.ids(parse("other", ENV)) == [2]


def test_a_source_that_changes_is_named_and_the_next_run_mends_it(
    room: Room, half: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = copying._Copy._index

    def meanwhile(work: Any, here: Any) -> None:
        room.do("note meanwhile", 3)
        index(work, here)

    with monkeypatch.context() as patch:
        patch.setattr(copying._Copy, "_index", meanwhile)
        with pytest.raises(StoreError, match="changed while it was copied: stop the relay, and run it again: deskhand"):
            whole(room.store, half)
    with pytest.raises(StoreError, match="is being copied into"):
        open_store(half)
    whole(room.store, half)
    same_desk(room, half)


def test_a_copy_under_way_takes_no_other_source(half: str, make: Make) -> None:
    other = make("sqlite")
    said = r"desk.db is being copied into it; finish that with: deskhand store copy"
    with closing(open_store(other, create=True)) as store, pytest.raises(StoreError, match=said):
        whole(store, half)


def test_two_copies_into_one_store_do_not_meet(room: Room, half: str, monkeypatch: pytest.MonkeyPatch) -> None:
    put = copying._Copy._put_words

    def twice(work: Any, *args: Any) -> None:
        put(work, *args)
        put(work, args[0], -1, -2)

    monkeypatch.setattr(copying._Copy, "_put_words", twice)
    with pytest.raises(Busy, match="another process copies into it too; let it finish"):
        whole(room.store, half)


def test_an_answer_that_was_lost_puts_no_row_twice(room: Room, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_put", "_put_words"):
        put = getattr(copying._Copy, name)

        def twice(work: Any, *args: Any, put: Any = put) -> None:
            put(work, *args)
            put(work, *args)

        monkeypatch.setattr(copying._Copy, name, twice)
    target = make("postgresql")
    whole(room.store, target)
    same_desk(room, target)


# -- what is refused, and what is seen ------------------------------------------------


def test_nothing_is_written_over_a_desk(room: Room, tmp_path: Path) -> None:
    other = Room.open(tmp_path / "other", tickets=0)
    with pytest.raises(StoreError, match="there is a desk in it already, and nothing is ever written over one"):
        whole(room.store, other.store.url)
    assert len(other.store.agents()) == 4
    other.store.close()


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_tables_that_differ_are_no_target(room: Room, make: Make, engine: str) -> None:
    url = make(engine)
    with closing(open_store(url, create=True)) as store:
        store._execute("ALTER TABLE tag ADD COLUMN colour TEXT")  # type: ignore[attr-defined]
    with pytest.raises(StoreError, match=r"the table tag has not the columns that it has in .* deskhand store upgrade"):
        whole(room.store, url)


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_every_row_that_differs_is_found(room: Room, make: Make, engine: str) -> None:
    url = make(engine)
    whole(room.store, url)
    with closing(open_store(url)) as store:
        for statement in (
            "UPDATE message SET text = 'another' WHERE id = 7",
            "DELETE FROM tag WHERE tag = 'café'",
            "UPDATE setting SET value = 'x' WHERE name = 'secret'",
            "INSERT INTO seen (agent, ticket, message) VALUES ('sam', 4, 4)",
        ):
            store._execute(statement)  # type: ignore[attr-defined]
        found = differing(room.store, store, silent)  # type: ignore[arg-type]
    assert found == ["message", "seen", "tag"]


def test_what_postgresql_cannot_keep_is_counted(room: Room, make: Make) -> None:
    room.store._execute("UPDATE message SET text = 'a' || char(0) || 'b' WHERE id < 3")  # type: ignore[attr-defined]
    url = make("postgresql")
    assert whole(room.store, url).changed == 2
    with closing(open_store(url)) as store:
        assert store.thread(1)[0].text == "a\ufffdb"
        assert differing(room.store, store, silent) == []  # type: ignore[arg-type]


def test_many_tickets_are_indexed_by_other_processes(room: Room, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.indexing.WORTH", 1)
    monkeypatch.setattr("storage.indexing.TICKETS", 2)
    for engine in ("sqlite", "postgresql"):
        url = make(engine)
        whole(room.store, url)
        same_desk(room, url)
        with closing(open_store(url)) as store:
            assert store.ids(parse("hello", ENV)) == room.store.ids(parse("hello", ENV))


def test_a_backup_of_a_database_is_of_one_moment(room: Room, make: Make, tmp_path: Path) -> None:
    url = make("postgresql")
    whole(room.store, url)
    room.store.close()
    room.store = open_store(url)
    room.desk = replace(room.desk, store=room.store)
    with receiving(room), closing(open_store(url)) as store:
        for n in range(3):
            into_folder(store, tmp_path / f"copy{n}")  # type: ignore[arg-type]
    sizes = []
    for n in range(3):
        with closing(open_store(f"sqlite:///{tmp_path}/copy{n}/desk.db")) as kept:
            assert kept.check() == []
            sizes.append(kept.numbers().messages)
            newest = kept.thread(max(kept.ids(EVERYTHING)))[0]
            assert kept.blob(newest.raw or "").startswith(b"raw ")
            assert kept.write(lambda tx: tx.new_id("message")) > newest.id
    assert sizes == sorted(sizes)
    assert sizes[0] > 22
    room.store.close()
