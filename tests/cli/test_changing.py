"""Verbs that change: every action on the command line, ids, do, new, undo and redo, roles and --as."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from desk.actions import load
from desk.model import Agent, Kind, Role, Status
from desk.store import Batch
from tests.cli.conftest import Deskhand
from tests.desks import Room

DONE = {"batch", "line", "done", "changed", "opened", "messages", "recipients", "given", "skipped", "dry_run"}

_HAPPY: dict[str, tuple[list[list[str]], dict[str, Any]]] = {
    "reply": ([["reply", "1", "All", "is", "well."]], {"message_count": 2}),
    "note": ([["note", "1", "Look", "at", "the", "MTU"]], {"message_count": 2}),
    "forward": ([["forward", "1", "--to", "v@v.example", "Please look"]], {"message_count": 2}),
    "status": ([["status", "1", "pending"]], {"status": "pending"}),
    "solve": ([["solve", "1"]], {"status": "solved"}),
    "reopen": ([["solve", "1"], ["reopen", "1"]], {"status": "open"}),
    "snooze": ([["snooze", "1", "2030-01-31", "9:00"]], {}),
    "unsnooze": ([["snooze", "1", "2h"], ["unsnooze", "1"]], {"snoozed_until": None}),
    "spam": ([["spam", "1"]], {"bin": "spam"}),
    "trash": ([["trash", "1"]], {"bin": "trash"}),
    "untrash": ([["trash", "1"], ["untrash", "1"]], {"bin": None}),
    "block": ([["block", "1"]], {"bin": "spam"}),
    "unblock": ([["block", "1"], ["unblock", "1"]], {"bin": None}),
    "assign": ([["assign", "1", "sam"]], {"assignee": "sam"}),
    "take": ([["take", "1"]], {"assignee": "kim"}),
    "unassign": ([["take", "1"], ["unassign", "1"]], {"assignee": None}),
    "team": ([["team", "1", "network"]], {"team": "network"}),
    "distribute": ([["distribute", "1", "--by", "least-loaded"]], {"assignee": "kim", "status": "open"}),
    "requester": ([["requester", "1", "Nia New <nia@new.example>"]], {"requester": {"name": "Nia New", "address": "nia@new.example"}}),
    "cc": ([["cc", "1", "a@x.example"]], {"cc": ["a@x.example"]}),
    "watch": ([["watch", "1"]], {"watchers": ["kim"]}),
    "unwatch": ([["watch", "1", "lee"], ["unwatch", "1", "lee"]], {"watchers": []}),
    "priority": ([["priority", "1", "urgent"]], {"priority": "urgent"}),
    "tag": ([["tag", "1", "vpn", "hot"]], {"tags": ["hot", "vpn"]}),
    "untag": ([["tag", "1", "vpn", "hot"], ["untag", "1", "vpn"]], {"tags": ["hot"]}),
    "tier": ([["tier", "1", "gold"]], {"status": "new"}),
    "about": ([["about", "1", "Call before ten."]], {"status": "new"}),
    "type": ([["type", "1", "bug"]], {"type": "bug"}),
    "rename": ([["rename", "1", "Another", "name"]], {"subject": "Another name"}),
    "merge": ([["merge", "1", "2"]], {"merged_into": 2}),
    "call": ([["call", "1", "It was the cable."]], {"status": "open"}),
    "join": ([["join", "1", "phone:+4930123456"]], {"status": "new"}),
    "part": ([["join", "1", "phone:+4930123456"], ["part", "1", "phone:+4930123456"]], {"status": "new"}),
    "link": ([["link", "1", "2", "parent"]], {"links": [{"kind": "parent", "id": 2}]}),
}  # fmt: skip
_ELSEWHERE = {"open", "split", "release", "move"}


@pytest.mark.parametrize("verb", sorted(_HAPPY))
def test_every_action_is_a_verb(deskhand: Deskhand, room: Room, verb: str) -> None:
    lines, expected = _HAPPY[verb]
    for line in lines:
        ran = deskhand(*line, "--json")
        assert ran.code == 0, ran.err
        assert set(ran.object) == DONE
        assert (ran.object["done"], ran.object["changed"], ran.object["skipped"]) == ([1], True, [])
    shown = deskhand("show", "1", "--json").object
    assert {key: shown[key] for key in expected} == expected


def test_every_action_is_tried() -> None:
    assert set(_HAPPY) | _ELSEWHERE == set(load())


def test_split_and_move_take_messages(deskhand: Deskhand, room: Room) -> None:
    room.answer(1)
    room.answer(1)
    _, one, two = (message.id for message in room.store.thread(1))
    ran = deskhand("split", "1", "--subject", "Printer", one, "--json")
    assert (ran.code, ran.object["opened"]) == (0, [6])
    assert deskhand("move", "1", "6", two).code == 0
    assert [m["id"] for m in deskhand("show", "6", "--json").object["messages"]] == [one, two]


def test_release_lets_a_suspended_ticket_in(deskhand: Deskhand, room: Room) -> None:
    ran = deskhand("release", "1")
    assert (ran.code, ran.err) == (2, "deskhand: #1 is not suspended; ls is:suspended lists what is\n")


@pytest.mark.parametrize("verb", ["new", "open"])
def test_a_new_ticket(deskhand: Deskhand, room: Room, verb: str) -> None:
    ran = deskhand(verb, "A", "new", "matter", "--requester", "Nia <nia@new.example>", "--body", "hello", "--json")
    assert (ran.code, ran.object["opened"], ran.object["recipients"]) == (0, [6], ["nia@new.example"])
    assert "no relay is running, so nothing goes out yet" in ran.err
    assert deskhand("new", "x").code == 2


def test_for_people_it_says_what_was_done_and_to_whom_it_goes(deskhand: Deskhand, room: Room) -> None:
    assert deskhand("solve", "1-3").out == "#1, #2, #3: solve: done\n"
    assert deskhand("solve", "1").out == "#1: solve: nothing to change\n"
    done, told = deskhand("reply", "4", "hello").out.splitlines()
    assert done == "#4: reply hello: done"
    number = room.store.thread(4)[-1].id
    assert told == f"message {number} goes to c3@acme.example, in 10 s; deskhand undo takes it back"
    assert deskhand("tag", "--dry-run", "1", "x").out == "#1: tag x: would be done\n"
    told = deskhand("reply", "--dry-run", "4", "hello").out.splitlines()[-1]
    assert re.fullmatch(r"message \d+ would go to c3@acme\.example", told)


# -- ids --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "stdin", "done"),
    [
        (["2"], "", [2]),
        (["#2"], "", [2]),
        (["1-3,5"], "", [1, 2, 3, 5]),
        (["#1-#2,2"], "", [1, 2]),
        (["-"], "1\n#3, 5-6\n\n", [1, 3, 5]),
        (["-q", "vpn or invoice"], "", [1, 3]),
        (["-q", "id:1.. -vpn"], "", [2, 3, 4, 5]),
    ],
)
def test_ids_are_numbers_ranges_input_or_a_query(
    deskhand: Deskhand, room: Room, words: list[str], stdin: str, done: list[int]
) -> None:
    ran = deskhand("tag", *words, "x", "--json", stdin=stdin)
    assert ran.object["done"] == done
    assert ran.code == (1 if ran.object["skipped"] else 0)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["take"], "which tickets?"),
        (["take", "me"], '"me" is not a ticket number'),
        (["take", "1-9999999"], "names more than a million tickets; use -q QUERY"),
        (["take", "3-1"], "take needs tickets"),
        (["take", "1", "now"], 'take does not take "now"'),
        (["assign", "1"], "assign needs an agent"),
        (["take", "-q", "is:opne"], 'did you mean "open"?'),
        (["tag", "1", "!"], '"!" is not a tag'),
        (["priority", "1", "hgih"], 'did you mean "high"?'),
        (["take", "1", "--sterl"], "--steal"),
        (["do", "take; sovle", "1"], 'there is no verb "sovle" (did you mean "solve"?)'),
    ],
)
def test_a_mistake_changes_nothing(deskhand: Deskhand, room: Room, args: list[str], said: str) -> None:
    seq = room.store.last_seq()
    ran = deskhand(*args)
    assert ran.code in (2, 3)
    assert ran.out == ""
    assert said in ran.err
    assert room.store.last_seq() == seq


def test_some_left_alone_is_exit_code_1(deskhand: Deskhand, room: Room) -> None:
    room.do("assign sam", 2)
    ran = deskhand("take", "1-3,9")
    assert ran.code == 1
    assert ran.out == "#1, #3: take: done\n"
    assert ran.err.splitlines() == [
        "#2 left alone: #2 belongs to sam; take it all the same with --steal",
        "#9 left alone: there is no ticket #9",
    ]
    assert deskhand("take", "2").code == 5
    assert deskhand("take", "9").code == 3


# -- bodies -----------------------------------------------------------------


@pytest.mark.parametrize("words", [["-"], []])
def test_a_body_comes_from_standard_input(deskhand: Deskhand, room: Room, words: list[str]) -> None:
    assert deskhand("note", "1", *words, stdin="two\nlines\n").code == 0
    assert room.store.thread(1)[-1].text == "two\nlines"
    ran = deskhand("note", "1", *words, stdin=" \n")
    assert (ran.code, ran.err) == (2, "deskhand: nothing was written, nothing is done\n")


def test_the_editor_writes_a_body_without_comment_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cli.changing import edit

    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\ngrep "^# Ticket" "$1" > /dev/null && printf "written\\n# not this\\nhere" >> "$1"\n')
    editor.chmod(0o700)
    monkeypatch.setenv("VISUAL", str(editor))
    assert edit("# Ticket 1\n") == "written\nhere"
    monkeypatch.setenv("VISUAL", "/nowhere/vi")
    with pytest.raises(Exception, match="cannot be started"):
        edit("")
    monkeypatch.setenv("VISUAL", "false")
    with pytest.raises(Exception, match="false ended with 1, nothing is done"):
        edit("")


def test_files_are_attached(deskhand: Deskhand, room: Room, tmp_path: Path) -> None:
    for name in ("a file.txt", "b.bin"):
        (tmp_path / name).write_bytes(name.encode())
    assert deskhand("note", "1", "--attach", tmp_path / "a file.txt", "--attach", tmp_path / "b.bin", "see").code == 0
    assert [(a.name, a.content_type) for a in room.store.thread(1)[-1].attachments] == [
        ("a file.txt", "text/plain"),
        ("b.bin", "application/octet-stream"),
    ]
    ran = deskhand("note", "1", "--attach", tmp_path / "none", "see")
    assert (ran.code, "cannot be read (No such file or directory)" in ran.err) == (3, True)


# -- scripts, undo ----------------------------------------------------------


def test_do_runs_several_lines_as_one(deskhand: Deskhand, room: Room) -> None:
    ran = deskhand("do", 'take; tag vpn; note "One; two."; solve', "1,2", "--json")
    assert (ran.object["done"], ran.object["line"]) == ([1, 2], 'take; tag vpn; note "One; two."; solve')
    assert [room.store.ticket(n).status for n in (1, 2)] == [Status.SOLVED] * 2
    assert room.store.thread(1)[-1].kind is Kind.NOTE
    assert sorted(deskhand("undo", "--json").object["done"]) == [1, 2]
    assert [room.store.ticket(n).status for n in (1, 2)] == [Status.NEW] * 2


def test_do_opens_tickets_too(deskhand: Deskhand, room: Room) -> None:
    ran = deskhand("do", "open --requester nia@new.example Visit; tag door", "--json")
    assert ran.object["opened"] == [6]
    assert room.store.ticket(6).tags == ("door",)


def test_undo_and_redo_say_what_they_did(deskhand: Deskhand, room: Room) -> None:
    batch = deskhand("tag", "1", "vpn", "--json").object["batch"]
    assert deskhand("undo", "--dry-run").out == "#1: undo: tag vpn: would be done\n"
    assert deskhand("undo").out == "#1: undo: tag vpn: done\n"
    assert room.store.ticket(1).tags == ()
    assert deskhand("redo").out == "#1: redo: undo: tag vpn: done\n"
    assert deskhand("undo", batch).code == 0
    ran = deskhand("undo")
    assert (ran.code, ran.err) == (3, "deskhand: there is nothing of yours to undo\n")
    assert deskhand("undo", "nonsense").code == 3


# -- who --------------------------------------------------------------------


def be(room: Room, role: Role | None) -> None:
    """Let whoever runs the tests have this role from now on."""
    kim = room.store.agents()["kim"]
    room.store.save_agent(replace(kim, role=role or kim.role, uid=kim.uid if role else None), Batch("be", room.clock))


@pytest.mark.parametrize(
    ("role", "code"), [(None, 4), (Role.READ_ONLY, 4), (Role.AGENT, 0), (Role.LEAD, 0), (Role.ADMIN, 0)]
)
def test_roles_hold(deskhand: Deskhand, room: Room, role: Role | None, code: int) -> None:
    be(room, role)
    ran = deskhand("take", "1")
    assert ran.code == code
    if code:
        assert ran.err.startswith("deskhand: take: you are ")
    assert deskhand("block", "2").code == (0 if role in (Role.LEAD, Role.ADMIN) else 4)
    assert deskhand("agent", "add", "nia").code == (0 if role is Role.ADMIN else 4)
    assert deskhand("agent", "team", "door").code == (0 if role in (Role.LEAD, Role.ADMIN) else 4)
    assert deskhand("ls").code == 0


def test_somebody_unknown_is_told_which_command_to_ask_for(deskhand: Deskhand, room: Room) -> None:
    be(room, None)
    assert "you are not an agent of this desk; an admin adds you with: deskhand agent add" in deskhand("take", "1").err


def test_as_needs_an_admins_leave_and_is_logged(deskhand: Deskhand, room: Room) -> None:
    ran = deskhand("--as", "sam", "take", "1")
    assert (ran.code, "an admin allows it with: deskhand agent allow-as yes" in ran.err) == (4, True)
    assert deskhand("take", "2", "--as", "kim").code == 0
    assert deskhand("agent", "allow-as", "yes").out == "--as is allowed\n"
    assert deskhand("take", "1", "--as", "sam").code == 0
    record = deskhand("log", "1", "--json", "--limit", "1").object
    assert (record["agent"], record["source"]) == ("sam", "self-declared")
    assert room.store.ticket(1).assignee == "sam"
    deskhand("agent", "allow-as", "no")
    assert deskhand("--as", "sam", "take", "3").code == 4


def test_agents_are_listed_added_and_changed(deskhand: Deskhand, room: Room) -> None:
    assert deskhand("agent", "add", "nia", "--uid", "4711", "--role", "lead", "--team", "network").code == 0
    listed = {a["name"]: a for a in deskhand("agent", "--json").objects}
    assert set(listed["nia"]) == set(Agent.__struct_fields__)
    assert (listed["nia"]["role"], listed["nia"]["uid"], listed["nia"]["teams"]) == ("lead", 4711, ["network"])
    assert "nia" in deskhand("agent").out
    assert deskhand("agent", "set", "nia", "--role", "read-only", "--inactive").out == "nia is read-only, inactive\n"
    assert deskhand("agent", "team").out.startswith("network")


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["add", "kim"], 2, "there is an agent kim already"),
        (["add", "Nia"], 2, '"Nia" is no name for an agent'),
        (["add", "me"], 2, '"me" is no name for an agent'),
        (["add", "nia", "--uid", "1001"], 7, "uid 1001 is sam already; take it from them first"),
        (["add", "nia", "--uid", "no-such-login"], 3, 'this host has no user "no-such-login"'),
        (["add", "nia", "--uid", "9" * 30], 2, "is no uid"),
        (["add", "nia", "--team", "netwrk"], 3, 'there is no team "netwrk" (did you mean "network"?)'),
        (["set", "kmi", "--role", "lead"], 3, 'there is no agent "kmi" (did you mean "kim"?)'),
        (["set", "kim", "--role", "lead"], 2, "kim is the only admin; make somebody else one first"),
        (["set", "kim", "--inactive"], 2, "kim is the only admin"),
        (["set", "kim", "--uid", "none"], 2, "kim is the only admin"),
        (["team", "none"], 2, '"none" is no name for a team'),
    ],
)  # fmt: skip
def test_a_desk_is_not_locked_out_of_itself(
    deskhand: Deskhand, room: Room, args: list[str], code: int, said: str
) -> None:
    before = room.store.agents()
    ran = deskhand("agent", *args)
    assert (ran.code, ran.out) == (code, "")
    assert said in ran.err
    assert room.store.agents() == before


def test_an_agent_may_change_their_own_name_and_nothing_else(deskhand: Deskhand, room: Room) -> None:
    be(room, Role.AGENT)
    assert deskhand("agent", "set", "kim", "--display", "Kim A.").code == 0
    assert deskhand("agent", "set", "kim", "--role", "admin").code == 4
    assert deskhand("agent", "set", "sam", "--display", "x").code == 4
