"""Verbs that only look: ls, show, log, follow, health, outbox, and the shapes of their JSON."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from desk.blobs import Blob
from desk.model import SECOND, Attachment, Presence, State
from tests.cli.conftest import Deskhand
from tests.desks import NOW, Room

ROW = {
    "id", "subject", "status", "priority", "assignee", "team", "requester", "organisation", "channel", "tags", "created_at",
    "updated_at", "due_at", "due_kind", "overdue", "paused", "snoozed_until", "unread", "message_count",
}  # fmt: skip
MESSAGE = {
    "id", "kind", "direction", "channel", "author", "at", "text", "visible", "state", "threaded_by", "attachments",
}  # fmt: skip
RECORD = {
    "seq",
    "at",
    "batch",
    "entity",
    "about",
    "kind",
    "data",
    "agent",
    "uid",
    "host",
    "line",
    "source",
    "undoes",
    "caused_by",
    "text",
}
ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def test_ls_gives_the_documented_keys(deskhand: Deskhand, room: Room) -> None:
    room.do("take; tag vpn hot; team network; snooze --only 9y; priority high", 1)
    (row,) = deskhand("ls", "--json", "id:1").objects
    assert set(row) >= ROW
    assert row["requester"] == {"name": "Customer 0", "address": "c0@acme.example"}
    assert (row["id"], row["status"], row["priority"], row["assignee"], row["team"]) == (
        1,
        "open",
        "high",
        "kim",
        "network",
    )
    assert (row["tags"], row["channel"], row["organisation"], row["message_count"]) == (
        ["hot", "vpn"],
        "email",
        "acme.example",
        1,
    )
    assert (row["unread"], row["paused"], row["due_kind"]) == (True, False, "first-reply")
    assert all(ISO.fullmatch(row[k]) for k in ("created_at", "updated_at", "due_at", "snoozed_until"))
    assert isinstance(row["overdue"], bool)


def test_ls_lists_what_the_query_asks_for(deskhand: Deskhand, room: Room) -> None:
    room.do("solve", 1, 2)
    assert [r["id"] for r in deskhand("ls", "--json").objects] == [3, 4, 5]
    assert [r["id"] for r in deskhand("ls", "--json", "is:solved").objects] == [2, 1]
    assert [r["id"] for r in deskhand("ls", "--json", "--sort", "oldest", "id:1..").objects] == [1, 2, 3, 4, 5]
    assert deskhand("ls", "--count", "is:open", "VPN or Invoice").out == "1\n"
    some = deskhand("ls", "--json", "--limit", 2, "id:1..")
    assert len(some.objects) == 2
    assert some.err == "the first 2; --limit 0 shows all\n"
    assert len(deskhand("ls", "--json", "--limit", 0, "id:1..").objects) == 5


def test_ls_for_people_and_for_pipes(deskhand: Deskhand, room: Room) -> None:
    room.receive(room.mail(60, subject="evil \x1b[2J\u202e subject"))
    shown = deskhand("ls", "id:6").out
    assert "evil ␛[2J⟨rlo⟩ subject" in shown
    plain = deskhand("ls", "--plain", "id:6").out
    assert plain.rstrip("\n").split("\t")[:3] == ["6", "new", "normal"]
    assert len(plain.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing-like-this"], "Nothing matches. Widen the query"),
        ([], "Nothing open. All 5 tickets: deskhand ls id:1.."),
    ],
)
def test_an_empty_list_says_what_else_there_is(deskhand: Deskhand, room: Room, words: list[str], said: str) -> None:
    room.do("solve", 1, 2, 3, 4, 5)
    ran = deskhand("ls", *words)
    assert (ran.code, ran.out) == (0, "")
    assert ran.err.startswith(said)


@pytest.mark.parametrize("verb", [["ls"], ["log"], ["outbox"]])
@pytest.mark.parametrize("limit", ["-1", "99999999999999999999", "x"])
def test_a_limit_that_is_none_is_a_mistake(deskhand: Deskhand, room: Room, verb: list[str], limit: str) -> None:
    ran = deskhand(*verb, "--limit", limit)
    assert (ran.code, ran.out) == (2, "")
    assert "--limit" in ran.err


def test_show_gives_the_documented_keys(deskhand: Deskhand, room: Room) -> None:
    file = Blob.of(b"%PDF")
    room.answer(1, attachments=(Attachment("a.pdf", "application/pdf", 4, file.key),), blobs=(file,))
    room.do("reply --at 3h hello", 1)
    shown = deskhand("show", 1, "--json", "--events").object
    assert set(shown) >= ROW | {"messages", "effort", "events"}
    assert shown["effort"] == {}
    first, second, reply = shown["messages"]
    assert set(first) >= MESSAGE
    assert (first["kind"], first["direction"], first["threaded_by"], first["state"]) == ("public", "in", "new", None)
    assert second["threaded_by"] == "references"
    assert second["attachments"] == [
        {"name": "a.pdf", "content_type": "application/pdf", "size": 4, "sha256": file.key, "inline": False}
    ]
    assert (reply["direction"], reply["state"], reply["author"], reply["text"]) == ("out", "queued", "Kim", "hello")
    assert ISO.fullmatch(first["at"])
    assert {k for record in shown["events"] for k in record} == RECORD
    assert [r["kind"] for r in shown["events"]][:2] == ["Opened", "Posted"]


def test_show_marks_as_read(deskhand: Deskhand, room: Room) -> None:
    assert deskhand("ls", "--json", "id:1").object["unread"]
    deskhand("show", 1)
    assert not deskhand("ls", "--json", "id:1").object["unread"]


def test_show_is_calm_text_for_people(deskhand: Deskhand, room: Room) -> None:
    room.receive(room.mail(60, text="hello \x1b]52;c;evil\x07 you", name="Eve\x1b[2J\r\nX"))
    out = deskhand("show", "6,1", "--events").out
    assert "#6  VPN drops every 20 minutes" in out
    assert "hello ␛]52;c;evil␇ you" in out
    assert f"message in {room.store.thread(6)[0].id}" in out
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", re.sub(r"\x1b\[[0-9;]*m", "", out))


def test_show_says_what_went_into_a_ticket(deskhand: Deskhand, room: Room) -> None:
    assert "views" not in deskhand("show", 1).out
    for n, (agent, doing, spent) in enumerate([("sam", "views", 40), ("kim", "writes", 65 * 60), ("kim", "views", 61)]):
        room.store.attend(Presence(f"t{n}", agent, "h", 1, doing, NOW), spent * SECOND)
    assert "\nkim views 1m, writes 1h 05m · sam views 40s\n" in deskhand("show", 1).out
    effort = {"kim": {"views": 61, "writes": 3900}, "sam": {"views": 40}}
    assert deskhand("show", 1, "--json").object["effort"] == effort
    assert deskhand("export", 1).object["effort"] == effort
    assert "sam" not in deskhand("show", 2).out


def test_show_writes_bytes_as_they_came(deskhand: Deskhand, room: Room, tmp_path: Path) -> None:
    raw, file = Blob.of(b"Subject: x\r\n\r\nbytes"), Blob.of(b"%PDF")
    room.receive(
        room.mail(60, raw=raw.key, attachments=(Attachment("../../a.pdf", "x/y", 4, file.key),), blobs=(raw, file))
    )
    message = room.store.thread(6)[0].id
    assert deskhand("show", 6, "--raw", message).out == "Subject: x\r\n\r\nbytes"
    target = tmp_path / "saved"
    assert deskhand("show", 6, "--save", message, 1, target).code == 0
    assert target.read_bytes() == b"%PDF"
    again = deskhand("show", 6, "--save", message, 1, target)
    assert (again.code, again.err) == (2, f"deskhand: {target}: File exists\n")
    assert deskhand("show", 6, "--save", message, 2, tmp_path / "other").code == 3
    assert deskhand("show", 1, "--raw", 1).err == "deskhand: message 1 did not come as bytes; show prints its text\n"
    assert deskhand("show", 1, "--raw", message).code == 3


def test_the_log_tells_who_did_what(deskhand: Deskhand, room: Room) -> None:
    batch = room.do("solve", 2).batch
    lines = deskhand("log").out.splitlines()
    assert len(lines) > 10
    assert re.search(rf"kim +#2 +status new → solved  \({batch}\)", lines[-2])
    assert re.search(rf"kim +#2 +first reply no longer promised  \({batch}\)", lines[-1])
    record, _ = deskhand("log", 2, "--json", "--limit", 2).objects
    assert set(record) == RECORD
    assert (record["about"], record["agent"], record["line"], record["text"]) == (
        2,
        "kim",
        "solve",
        "status new → solved",
    )
    assert deskhand("log", 99).code == 3


def test_follow_goes_on_behind_a_seq(deskhand: Deskhand, room: Room, tmp_path: Path) -> None:
    seq = room.store.last_seq()
    room.do("solve", 1)
    room.do("tag vpn", 2)
    told = deskhand("follow", "--after", seq, "--count", 2, "--json").objects
    assert [r["text"] for r in told] == ["status new → solved", "first reply no longer promised"]
    deskhand("follow", "--after", seq, "--count", 1, "--exec", f"tee {tmp_path}/heard")
    assert json.loads((tmp_path / "heard").read_text())["text"] == "status new → solved"


def test_health_says_what_needs_a_person(deskhand: Deskhand, room: Room) -> None:
    ran = deskhand("health", "--json")
    assert ran.code == 1
    assert set(ran.object) == {
        "well", "relay", "accounts", "queued", "unknown", "failed", "tickets", "open", "messages", "seq", "leases",
        "rules",
    }  # fmt: skip
    assert (ran.object["well"], ran.object["relay"], ran.object["tickets"]) == (False, False, 5)
    from cli.wiring import now

    (account,) = ran.object["accounts"]
    assert set(account) == {"name", "channel", "address", "health", "paused", "held", "at", "today", "week"}
    assert (account["today"], account["week"]) == ({"in": 0, "out": 0}, {"in": 0, "out": 0})
    room.store.lease("relay:x", "x", now(), now() + 60_000)
    well = deskhand("health")
    assert well.code == 0
    assert "0 in, 0 out today; 0 in, 0 out in 7 days" in well.out
    room.do("reply hello", 1)
    room.send(state=State.UNKNOWN)
    assert "1 unknown" in deskhand("health").out
    assert deskhand("health").code == 1


def test_the_outbox_lists_what_is_on_its_way_and_sends_again(deskhand: Deskhand, room: Room) -> None:
    room.do("reply hello", 1)
    (waiting,) = deskhand("outbox", "--json").objects
    assert set(waiting) == {
        "delivery", "ticket", "message", "account", "recipients", "state", "phase", "attempts", "error", "not_before", "next_at"
    }  # fmt: skip
    assert (waiting["state"], waiting["recipients"]) == ("queued", ["c0@acme.example"])
    room.send(state=State.FAILED, error="550 no such user")
    assert "failed" in deskhand("outbox").out
    assert "550 no such user" in deskhand("outbox").out
    ran = deskhand("outbox", "retry", waiting["delivery"])
    assert (ran.code, ran.out) == (0, "delivery 1: queued again\n")
    assert "no relay is running" in ran.err
    assert deskhand("outbox", "--json").object["state"] == "queued"
    for number, code in (("1", 5), ("99", 3), ("9" * 30, 2), ("x", 2)):
        assert deskhand("outbox", "retry", number).code == code, number


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["show"], 2, "which tickets? write numbers (12), ranges (1-3,5), - for standard input, or -q QUERY"),
        (["show", "99"], 3, "there is no ticket #99"),
        (["show", "x"], 2, '"x" is not a ticket number'),
        (["show", "1", "2"], 2, 'show does not take "2"; it is written: show IDS'),
        (["ls", "is:opne"], 2, '"is:opne" means nothing (did you mean "open"?)'),
        (["ls", "id:" + "9" * 30], 2, "is not a ticket number"),
        (["ls", "(vpn"], 2, "this parenthesis is never closed"),
        (["sohw", "1"], 2, 'there is no verb "sohw" (did you mean "show"?)'),
        (["--store", "mysql://x", "ls"], 6, "names no store"),
        (["--config", "/nowhere/x.toml", "ls"], 6, "there is no such file; deskhand init makes one"),
        (["--as", "kimm", "ls"], 3, 'there is no agent "kimm" (did you mean "kim"?)'),
    ],
)
def test_a_mistake_is_one_sentence_and_a_code(
    deskhand: Deskhand, room: Room, args: list[str], code: int, said: str
) -> None:
    ran = deskhand(*args)
    assert (ran.code, ran.out) == (code, "")
    assert said in ran.err
    assert ran.err.startswith("deskhand: ")


def test_without_a_store_every_verb_says_how_to_begin(deskhand: Deskhand) -> None:
    for args in (["ls"], ["show", "1"], ["take", "1"], ["log"], ["health"], ["undo"], ["export"]):
        ran = deskhand(*args)
        assert (ran.code, ran.out) == (3, ""), args
        assert "yet; make one with: deskhand init, or look around with: deskhand demo" in ran.err


def test_the_bare_command_needs_a_terminal(deskhand: Deskhand, room: Room) -> None:
    ran = deskhand()
    assert ran.code == 2
    assert "the screen needs a terminal; in a script use verbs" in ran.err


def test_help_and_version_end_well(deskhand: Deskhand) -> None:
    for args in (["--help"], ["ls", "--help"], ["assign", "-h"], ["agent", "add", "--help"], ["--version"]):
        ran = deskhand(*args)
        assert ran.code == 0
        assert ran.out
