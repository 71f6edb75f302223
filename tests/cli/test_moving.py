"""Mail in and out: import, export, parse."""

from __future__ import annotations

import json
import mailbox
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from bench.corpus import generate
from bench.mail import Message
from bench.mailfiles import write_maildir, write_mbox
from cli import importing
from desk.model import Direction, Status
from desk.query import EVERYTHING
from desk.store import Store
from storage import open_store
from tests.cli.conftest import Deskhand
from tests.desks import MAIL

COUNT = 60
OURS = "help@support.example"


@pytest.fixture(scope="module")
def corpus() -> list[Message]:
    return list(generate(COUNT, seed=3, customers=20))


@pytest.fixture(params=["mbox", "maildir", "eml"])
def archive(request: pytest.FixtureRequest, tmp_path: Path, corpus: list[Message]) -> Path:
    """The corpus as an archive of each kind."""
    out = tmp_path / "archive"
    if request.param == "mbox":
        write_mbox(iter(corpus), out)
    elif request.param == "maildir":
        write_maildir(iter(corpus), out, COUNT)
    else:
        out.mkdir()
        for message in corpus:
            (out / f"{message.index:04}.eml").write_bytes(message.raw)
    return out


def opened(home: Path) -> Store:
    return open_store(f"sqlite:///{home}/data/deskhand/desk.db")


def test_an_archive_becomes_solved_tickets(
    deskhand: Deskhand, home: Path, archive: Path, corpus: list[Message]
) -> None:
    ran = deskhand("import", archive, "--own", OURS, "--workers", 1, "--json")
    assert ran.code == 0, ran.err
    assert set(ran.object) == {"messages", "tickets", "doubles", "seconds", "per_second"}
    threads = sum(m.in_reply_to is None for m in corpus)
    assert (ran.object["messages"], ran.object["tickets"], ran.object["doubles"]) == (COUNT, threads, 0)
    store = opened(home)
    assert {store.ticket(n).status for n in store.ids(EVERYTHING)} == {Status.SOLVED}
    messages = [m for n in store.ids(EVERYTHING) for m in store.thread(n)]
    directions = Counter(m.direction for m in messages)
    assert directions[Direction.IN] == sum(m.direction == "in" for m in corpus)
    assert {m.message_id for m in messages} == {m.message_id.strip("<>") for m in corpus}
    assert sorted({m.at // 1000 for m in messages}) == sorted({m.timestamp for m in corpus})
    assert store.count(EVERYTHING) == threads
    assert not any(row.unread for row in store.rows(store.ids(EVERYTHING), agent="root"))
    assert store.check() == []
    assert store.outbox() == []


def test_a_second_import_is_silent(deskhand: Deskhand, home: Path, archive: Path) -> None:
    deskhand("import", archive, "--workers", 1)
    store = opened(home)
    seq = store.last_seq()
    again = deskhand("import", archive, "--workers", 1)
    assert again.out.startswith(f"0 messages, 0 new tickets, {COUNT} known already")
    assert store.last_seq() == seq


def test_an_import_that_was_stopped_goes_on(
    deskhand: Deskhand, home: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "SHARE", 10)
    monkeypatch.setattr(importing, "COMMIT", 2)
    whole = importing._commit
    commits = iter(range(100))

    def stopped(*args: Any) -> None:
        if next(commits) == 2:
            raise KeyboardInterrupt
        whole(*args)

    with monkeypatch.context() as patch:
        patch.setattr(importing, "_commit", stopped)
        assert deskhand("import", archive, "--workers", 1).code == 130
    store = opened(home)
    half = store.numbers().messages
    assert half == 40
    assert store.check() == []
    ran = deskhand("import", archive, "--workers", 1, "--json").object
    assert (ran["messages"], ran["doubles"]) == (COUNT - half, half)
    assert store.numbers().messages == COUNT
    assert store.check() == []


def test_an_import_may_keep_tickets_open(deskhand: Deskhand, home: Path, tmp_path: Path, corpus: list[Message]) -> None:
    (tmp_path / "one.eml").write_bytes(corpus[0].raw)
    ran = deskhand("import", tmp_path / "one.eml", "--status", "open", "--account", "old", "--workers", 1)
    assert (ran.code, ran.err) == (0, "")
    (row,) = deskhand("ls", "--json").objects
    assert (row["status"], row["account"], row["channel"]) == ("open", "old", "email")


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["import", "/nowhere/mail"], 3, "/nowhere/mail: there is no such file or folder"),
        (["import"], 2, "Missing argument"),
        (["import", ".", "--status", "opne"], 2, "opne"),
    ],
)
def test_what_cannot_be_imported_is_a_sentence(deskhand: Deskhand, args: list[str], code: int, said: str) -> None:
    ran = deskhand(*args)
    assert (ran.code, said in ran.err) == (code, True)


def test_an_unreadable_mail_is_kept_and_stops_nothing(deskhand: Deskhand, home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mails"
    folder.mkdir()
    for n, data in enumerate((b"", b"\x00\xff" * 50, b"no header at all\n", b"Subject: fine\n\nhello\n")):
        (folder / f"{n}.eml").write_bytes(data)
    ran = deskhand("import", folder, "--workers", 1, "--json")
    assert (ran.code, ran.object["messages"]) == (0, 4)
    store = opened(home)
    raws = {store.blob(m.raw or "") for n in store.ids(EVERYTHING) for m in store.thread(n)}
    assert raws == {b"", b"\x00\xff" * 50, b"no header at all\n", b"Subject: fine\n\nhello\n"}


# -- out --------------------------------------------------------------------


def test_an_exported_mbox_comes_in_as_the_same_mail(
    deskhand: Deskhand, home: Path, tmp_path: Path, corpus: list[Message]
) -> None:
    write_mbox(iter(corpus), tmp_path / "in.mbox")
    deskhand("import", tmp_path / "in.mbox", "--own", OURS, "--workers", 1)
    out = tmp_path / "out.mbox"
    assert deskhand("export", "--format", "mbox", "--out", out).code == 0
    found = {m["Message-ID"] for m in mailbox.mbox(out)}
    assert found == {m.message_id if m.message_id.startswith("<") else f"<{m.message_id}>" for m in corpus}
    again = deskhand("import", out, "--own", OURS, "--workers", 1, "--json").object
    assert (again["messages"], again["doubles"]) == (0, COUNT)
    other = f"sqlite:///{home}/other/desk.db"
    fresh = deskhand("--store", other, "import", out, "--own", OURS, "--workers", 1, "--json").object
    assert fresh["messages"] == COUNT
    one, two = opened(home), open_store(other)
    texts = [sorted(m.text for n in s.ids(EVERYTHING) for m in s.thread(n)) for s in (one, two)]
    assert texts[0] == texts[1]


def test_export_writes_everything_of_a_ticket_as_a_line(deskhand: Deskhand, home: Path, tmp_path: Path) -> None:
    (tmp_path / "one.eml").write_bytes(b"From: Ann <ann@x.example>\nSubject: VPN\nMessage-ID: <1@x>\n\nhello\n")
    deskhand("import", tmp_path / "one.eml", "--workers", 1)
    deskhand("note", 1, "a note")
    (line,) = deskhand("export").objects
    assert (line["id"], line["subject"], line["requester"]["address"]) == (1, "VPN", "ann@x.example")
    assert [m["text"].strip() for m in line["messages"]] == ["hello", "a note"]
    assert line["events"][0]["kind"] == "Opened"
    out = tmp_path / "out.jsonl"
    assert deskhand("export", 1, "--out", out).out == ""
    assert json.loads(out.read_text())["id"] == 1
    again = deskhand("export", "--out", out)
    assert (again.code, again.err) == (2, f"deskhand: {out}: File exists\n")
    assert deskhand("export", 9).code == 3
    assert deskhand("export", "-q", "nothing").out == ""


def test_replies_are_exported_as_the_mail_they_are_and_notes_stay(
    deskhand: Deskhand, home: Path, tmp_path: Path
) -> None:
    (tmp_path / "one.eml").write_bytes(b"From: ann@x.example\nMessage-ID: <1@x>\n\nhello\nFrom here\n>From there\n")
    deskhand("import", tmp_path / "one.eml", "--own", OURS, "--workers", 1)
    store = opened(home)
    from msgspec.structs import replace

    store.save_account(replace(store.accounts()["import"], capabilities=MAIL))
    assert deskhand("reply", 1, "dear\nFrom us").code == 0
    deskhand("note", 1, "secret")
    out = deskhand("export", "--format", "mbox").out
    assert out.count("\nFrom ") == 1
    assert "\n>From here\n>>From there\n" in out
    assert "dear" in out
    assert "secret" not in out


# -- parse ------------------------------------------------------------------

PARSED = {
    "subject", "from", "to", "cc", "reply_to", "message_id", "in_reply_to", "references", "date", "text", "visible", "html",
    "attachments", "automatic", "bounce", "problems",
}  # fmt: skip


def test_parse_gives_one_object_a_message(deskhand: Deskhand, tmp_path: Path, corpus: list[Message]) -> None:
    files = []
    for message in corpus[:5]:
        files.append(tmp_path / f"{message.index}.eml")
        files[-1].write_bytes(message.raw)
    found = deskhand("parse", "--json", *files).objects
    assert [set(o) >= PARSED for o in found] == [True] * 5
    for shown, message in zip(found, corpus, strict=False):
        assert shown["message_id"] == message.message_id.strip("<>")
        assert shown["subject"] == message.subject
        assert set(shown["from"]) == {"name", "address"}
        assert {k for a in shown["attachments"] for k in a} <= {
            "name", "content_type", "size", "sha256", "inline", "content_id"
        }  # fmt: skip


def test_parse_reads_standard_input_and_needs_no_store(deskhand: Deskhand, home: Path) -> None:
    ran = deskhand("parse", "-", stdin=b"Subject: evil \x1b[2J\nFrom: a@x.example\n\nbody \x1b]0;x\x07\n")
    assert ran.code == 0
    assert "\x1b]" not in ran.out
    assert "body ␛]0;x␇" in ran.out
    assert not (home / "data" / "deskhand").exists()


def test_parse_goes_on_after_a_file_it_cannot_open(deskhand: Deskhand, tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_bytes(b"\xff\x00garbage")
    ran = deskhand("parse", "--json", tmp_path / "none.eml", tmp_path / "a.eml")
    assert (ran.code, len(ran.objects)) == (3, 1)
    assert "1 of 2 files could not be opened" in ran.err
