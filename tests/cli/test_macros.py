"""Macros, programs as macros, canned texts and recording, as somebody types them."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from cli import personal
from tests.cli.conftest import Deskhand
from tests.desks import Room

ROOT = Path(__file__).resolve().parent.parent.parent

GREET = """
[macros.greet]
title = "Greet"
when = "is:open or is:new"
do = ["reply Hello {{ customer.first_name }}, {{ input.what }}.", "tag greeted"]
[[macros.greet.inputs]]
name = "what"
[macros.sort]
do = ["tag sorted", "team network"]
"""


@pytest.fixture
def folder(home: Path) -> Path:
    """The folder of one's own macros."""
    home.chmod(0o700)
    found = home / "config" / "deskhand" / "macros"
    found.mkdir(parents=True, mode=0o700)
    return found


def own(folder: Path, text: str = GREET, name: str = "own") -> None:
    (folder / f"{name}.toml").write_text(text)


def program(folder: Path, body: str, head: str = "", name: str = "tool") -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n# deskhand-macro: A tool\n{head}{body}\n")
    path.chmod(0o700)
    return path


# -- looking ----------------------------------------------------------------------------


def test_ones_own_files_are_listed_and_a_broken_one_hides_no_other(
    room: Room, folder: Path, deskhand: Deskhand
) -> None:
    own(folder)
    own(folder, "[macros.x\n", "broken")
    own(folder, f"x = {'[' * 5000}", "deep")
    own(folder, '[policies.x]\nquery = ""\n', "wrong")
    own(folder, '[macros.bad]\ndo = ["asign me"]\n', "bad")
    ran = deskhand("macro", "list", "--json")
    assert [(m["name"], m["origin"]) for m in ran.objects] == [("greet", "own"), ("sort", "own")]
    assert ran.objects[0]["inputs"][0]["name"] == "what"
    assert "broken.toml: Expected ']'" in ran.err
    assert "deep.toml: " in ran.err
    assert 'wrong.toml, line 1: a file of macros has no table "policies"' in ran.err
    assert 'bad.toml, [macros.bad] line 2: "asign me": there is no verb' in ran.err
    checked = deskhand("macro", "check")
    assert checked.code == 6
    assert 'did you mean "assign"?' in checked.err
    shown = deskhand("macro", "show", "bad")
    assert (shown.code, "no verb" in shown.err) == (6, True)
    assert deskhand("macro", "show", "broken").code == 6
    lost = deskhand("macro", "show", "gret")
    assert (lost.code, 'did you mean "greet"?' in lost.err) == (3, True)


def test_a_list_for_a_ticket_has_only_what_is_offered_there(room: Room, folder: Path, deskhand: Deskhand) -> None:
    own(folder)
    room.do("solve", 2)
    assert [m["name"] for m in deskhand("macro", "list", 1, "--json").objects] == ["greet", "sort"]
    assert [m["name"] for m in deskhand("macro", "list", 2, "--json").objects] == ["sort"]
    assert deskhand("macro", "list", 99).code == 3


def test_doctor_names_what_is_wrong_with_them(room: Room, folder: Path, deskhand: Deskhand) -> None:
    own(folder)
    assert "2 macros, 0 programs, 0 snippets" in deskhand("doctor", "--offline").out
    own(folder, "[macros.x\n", "broken")
    ran = deskhand("doctor", "--offline", "--json")
    assert [f["text"][-60:] for f in ran.objects if f["area"] == "macros" and "broken.toml" in f["text"]]


def test_what_somebody_says_to_be_stands_beside_the_macro(room: Room, folder: Path, deskhand: Deskhand) -> None:
    own(folder)
    deskhand("agent", "allow-as", "yes")
    assert deskhand("--as", "sam", "macro", "run", "sort", 1).code == 0
    record = room.store.log(ticket=1, newest=True, limit=1)[0]
    assert (record.agent, record.source) == ("sam", "macro:sort, self-declared")


def test_a_screen_sees_files_that_changed(room: Room, folder: Path, home: Path) -> None:
    from cli.watching import Watched
    from cli.wiring import Session

    watched = Watched(Session({}))
    assert watched.offered(1) == []
    own(folder, '[macros.a]\ntitle = "A"\nkey = "S"\ndo = ["solve"]\n')
    assert watched.offered(1) == [("a", "A", "S")]
    assert watched.keys() == {"S": "a"}
    program(folder, "echo solve; echo thinking >&2")
    assert [name for name, *_ in watched.offered(1)] == ["a", "tool"]
    ready, said = watched.prepare("tool", [1], {})
    assert ([call.verb for call in ready.calls[1]], said) == (["solve"], "tool: thinking")
    assert watched.then("tool") == "stay"


def test_one_file_is_checked_by_itself(room: Room, folder: Path, deskhand: Deskhand) -> None:
    own(folder)
    assert deskhand("macro", "check").out == "all is well, 2 macros, 0 programs, 0 snippets\n"
    assert deskhand("macro", "check", folder / "own.toml").out.endswith("all is well, 2 macros\n")
    own(folder, '[snippets.x]\ntext = "{{ customer.nam }}"\n', "bad")
    ran = deskhand("macro", "check", folder / "bad.toml")
    assert (ran.code, "nothing is called customer.nam" in ran.err) == (6, True)
    assert deskhand("macro", "check", program(folder, "true")).out.endswith("tool: all is well, A tool\n")
    (folder / "plain").write_text("#!/bin/sh\n")
    assert 'no line "# deskhand-macro: TITLE"' in deskhand("macro", "check", folder / "plain").err


def test_the_stamp_changes_with_the_files_and_reads_none(folder: Path) -> None:
    before = personal.stamp()
    own(folder)
    first = personal.stamp()
    assert first != before
    assert personal.stamp() == first
    os.utime(folder / "own.toml", ns=(1, 1))
    assert personal.stamp() != first


# -- running ----------------------------------------------------------------------------


def test_a_macro_runs_as_one_batch(room: Room, folder: Path, deskhand: Deskhand) -> None:
    own(folder)
    ran = deskhand("macro", "run", "greet", "1-2,99", "--set", "what=how are you", "--json")
    assert ran.code == 1
    assert ran.object["done"] == [1, 2]
    assert ran.object["recipients"] == ["c0@acme.example", "c1@acme.example"]
    assert ran.object["skipped"] == [{"id": 99, "reason": "there is no ticket #99"}]
    assert room.store.thread(1)[-1].text == "Hello Customer, how are you."
    assert deskhand("undo").code == 0
    assert room.store.ticket(1).tags == ()


def test_what_it_asks_for_is_named_where_nobody_can_be_asked(room: Room, folder: Path, deskhand: Deskhand) -> None:
    own(folder)
    ran = deskhand("macro", "run", "greet", 1)
    assert (ran.code, ran.err) == (2, "deskhand: it asks for what; add --set what=...\n")
    assert "write --set what=VALUE" in deskhand("macro", "run", "greet", 1, "--set", "what").err


def test_a_dry_run_shows_each_change_and_each_recipient(room: Room, folder: Path, deskhand: Deskhand) -> None:
    own(folder)
    before = room.store.last_seq()
    ran = deskhand("macro", "run", "greet", 1, "--set", "what=hi", "--dry-run")
    assert "#1  VPN drops every 20 minutes" in ran.out
    assert "+ reply to c0@acme.example\n    | Hello Customer, hi.\n" in ran.out
    assert "~ tags +greeted" in ran.out
    told = deskhand("macro", "run", "greet", 1, "--set", "what=hi", "--dry-run", "--json").object
    assert told["preview"][0]["messages"] == [
        {"kind": "public", "to": ["c0@acme.example"], "text": "Hello Customer, hi."}
    ]
    assert "tags +greeted" in told["preview"][0]["changes"]
    assert room.store.last_seq() == before


def test_many_are_shown_by_their_number(room: Room, folder: Path, deskhand: Deskhand) -> None:
    own(folder)
    room.receive(*(room.mail(number) for number in range(10, 30)))
    ran = deskhand("macro", "run", "sort", "-q", "is:new", "--dry-run")
    assert "and 15 more:\n" in ran.out
    assert "15 x tags +sorted" in ran.out


def terminal(home: Path, *args: str, answer: str) -> tuple[str, int]:
    """Run the verb on a terminal of its own, typing `answer`."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "cli.main", *args]
    with subprocess.Popen(command, cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True) as run:
        os.close(theirs)
        os.write(ours, answer.encode())
        drawn = b""
        while True:
            try:
                piece = os.read(ours, 65_536)
            except OSError:
                break
            if not piece:
                break
            drawn += piece
        code = run.wait(60)
    os.close(ours)
    return re.sub(r"\x1b\[[\d;]*m", "", drawn.decode()).replace("\r\n", "\n"), code


def test_a_terminal_asks_for_what_is_missing_and_before_anything_is_sent(room: Room, home: Path, folder: Path) -> None:
    own(folder)
    drawn, code = terminal(home, "macro", "run", "greet", "1", answer="how are you\nn\n")
    assert "| Hello Customer, how are you." in drawn
    assert "Run greet on 1 ticket, 1 to be sent? [y/N]" in drawn
    assert drawn.rstrip().endswith("nothing is done")
    assert (code, room.store.ticket(1).tags) == (0, ())
    drawn, code = terminal(home, "macro", "run", "greet", "1", "--set", "what=hi", answer="y\n")
    assert (code, room.store.ticket(1).tags) == (0, ("greeted",))
    drawn, _ = terminal(home, "macro", "run", "sort", "2", answer="")
    assert "[y/N]" not in drawn
    drawn, _ = terminal(home, "macro", "run", "sort", "3-4", "--yes", answer="")
    assert ("[y/N]" in drawn, room.store.ticket(4).tags) == (False, ("sorted",))


# -- programs -----------------------------------------------------------------------------


def test_a_program_gets_the_ticket_and_what_it_prints_is_done(room: Room, folder: Path, deskhand: Deskhand) -> None:
    head = "# deskhand-macro-input: why text Why?\n# deskhand-macro-when: is:open or is:new\n"
    program(folder, f"cat > {folder}/seen; echo looking >&2; printf 'tag vpn\\nnote \"two\\nlines; solve\"\\n'", head)
    ran = deskhand("macro", "run", "tool", 1, "--set", "why=because", "--json")
    assert ran.object["done"] == [1]
    assert ran.err.startswith("tool: looking\n")
    assert room.store.ticket(1).tags == ("vpn",)
    assert room.store.thread(1)[-1].text == "two\nlines; solve"
    seen = json.loads((folder / "seen").read_text())
    assert (seen["id"], seen["input"], seen["agent"]) == (1, {"why": "because"}, "kim")
    assert seen["messages"][0]["visible"].startswith("Hello, this is mail 0.")
    assert room.store.log(ticket=1, newest=True, limit=1)[0].source == "macro:tool"


@pytest.mark.parametrize(
    ("body", "head", "error"),
    [
        ("echo tag vpn; exit 3", "", "tool ended with 3; nothing is done. It printed:\n  tag vpn"),
        ("echo tag vpn; sleep 100", "# deskhand-macro-timeout: 0.3\n", "tool was stopped, it ran longer than 0.3 s; nothing is done"),
        ("yes tag vpn", "", "it printed more than 64 KiB; nothing is done"),
        ("echo tag vpn; echo launch the rockets", "", 'no verb "launch"'),
        ("echo tag vpn; printf '\\377'", "", "not UTF-8"),
        ("echo tag vpn; echo 'open Another --requester ann@example.com'", "", "tool printed no command lines: open"),
        ("printf 'tag vpn\\n\\033]0;title\\007\\n'", "", "tool printed no command lines"),
    ],
)  # fmt: skip
def test_a_program_that_goes_wrong_changes_nothing_and_its_words_are_shown(
    room: Room, folder: Path, deskhand: Deskhand, body: str, head: str, error: str
) -> None:
    program(folder, body, head)
    before = room.store.last_seq()
    ran = deskhand("macro", "run", "tool", 1)
    assert ran.code == 2
    assert error in ran.err
    assert "\x1b" not in ran.err
    assert room.store.last_seq() == before


def test_a_program_may_ask_for_nothing(room: Room, folder: Path, deskhand: Deskhand) -> None:
    program(folder, "true")
    ran = deskhand("macro", "run", "tool", 1)
    assert (ran.code, ran.err) == (0, "tool asks for nothing to be done\n")


def test_of_several_tickets_only_those_are_left_alone_where_it_fails(
    room: Room, folder: Path, deskhand: Deskhand
) -> None:
    program(folder, "grep -q '\"id\": 2' && exit 1\necho tag vpn")
    ran = deskhand("macro", "run", "tool", "1-3", "--json")
    assert (ran.object["done"], [s["id"] for s in ran.object["skipped"]]) == ([1, 3], [2])


def test_a_program_that_somebody_else_could_have_written_is_refused(
    room: Room, folder: Path, deskhand: Deskhand
) -> None:
    path = program(folder, "echo solve")
    path.chmod(0o777)
    ran = deskhand("macro", "run", "tool", 1)
    assert (ran.code, f"{path} can be written by other users; chmod go-w {path}" in ran.err) == (6, True)
    path.chmod(0o700)
    folder.chmod(0o777)
    assert "chmod go-w" in deskhand("macro", "run", "tool", 1).err
    folder.chmod(0o700)
    path.chmod(0o600)
    if os.getuid():
        assert "is not executable; chmod u+x" in deskhand("macro", "run", "tool", 1).err


def test_a_file_that_does_not_say_so_is_no_macro(room: Room, folder: Path, deskhand: Deskhand) -> None:
    (folder / "notes.md").write_text("# deskhand-macro: not one\n")
    late = folder / "late"
    late.write_text("#!/bin/sh\n" + "#\n" * 3000 + "# deskhand-macro: too far down\n")
    late.chmod(0o700)
    ran = deskhand("macro", "list", "--json")
    assert (ran.out, ran.err) == ("", "")


@pytest.mark.parametrize(
    ("head", "error"),
    [
        ("# deskhand-macro-when: is:opn\n", 'line 3: "is:opn" means nothing'),
        ("# deskhand-macro-timeout: 90\n", "line 3: .*at most 60"),
        ("# deskhand-macro-input: a choice Which?\n", "line 3: a: choices"),
        ("# deskhand-macro-wen: x\n", 'line 3: "deskhand-macro-wen" means nothing .did you mean "when"'),
    ],
)
def test_a_mistake_in_a_header_is_named_with_its_line(
    room: Room, folder: Path, deskhand: Deskhand, head: str, error: str
) -> None:
    program(folder, "echo solve", head)
    ran = deskhand("macro", "list")
    assert re.search(error, ran.err)


def test_ones_own_program_covers_the_teams_and_a_table_covers_both(
    room: Room, home: Path, folder: Path, deskhand: Deskhand
) -> None:
    team = home / "etc" / "macros"
    team.mkdir(parents=True, mode=0o755)
    program(team, "echo tag theirs")
    assert deskhand("macro", "list", "--json").object["origin"] == "program"
    program(folder, "echo tag own")
    assert deskhand("macro", "run", "tool", 1).code == 0
    assert room.store.ticket(1).tags == ("own",)
    own(folder, '[macros.tool]\ndo = ["tag table"]\n')
    ran = deskhand("macro", "run", "tool", 2)
    assert room.store.ticket(2).tags == ("table",)
    assert "is called the same and comes first" in deskhand("macro", "list").err
    assert ran.code == 0


# -- canned texts ----------------------------------------------------------------------------


CANNED = """
[snippets.hours]
title = "Opening hours"
text = "We are here from 9 to 5, {{ customer.first_name }}."
tags = ["office"]
[snippets.team]
text = "Your team: {{ ticket.team }}"
"""


def test_canned_texts_are_listed_searched_and_shown_filled_in(room: Room, folder: Path, deskhand: Deskhand) -> None:
    own(folder, CANNED)
    assert [s["name"] for s in deskhand("snippet", "list", "--json").objects] == ["hours", "team"]
    assert [s["name"] for s in deskhand("snippet", "search", "open", "9", "--json").objects] == ["hours"]
    assert deskhand("snippet", "show", "hours").out == "We are here from 9 to 5, {{ customer.first_name }}.\n"
    assert deskhand("snippet", "show", "hours", 1).out == "We are here from 9 to 5, Customer.\n"
    assert 'did you mean "hours"?' in deskhand("snippet", "show", "hous").err


def test_a_message_begins_with_a_canned_text(room: Room, folder: Path, deskhand: Deskhand) -> None:
    own(folder, CANNED)
    assert deskhand("reply", 1, "Until then!", "--snippet", "hours").code == 0
    assert room.store.thread(1)[-1].text == "We are here from 9 to 5, Customer.\n\nUntil then!"
    assert deskhand("note", "1-2", "--snippet", "hours").code == 0
    assert room.store.thread(2)[-1].text == "We are here from 9 to 5, Customer."
    opened = deskhand(
        "new", "A call", "--requester", "Ann Lee <ann@example.com>", "--snippet", "hours", "--json"
    ).object
    assert room.store.thread(opened["opened"][0])[-1].text == "We are here from 9 to 5, Ann."


def test_a_canned_text_that_lacks_a_value_is_an_error_before_anything_is_done(
    room: Room, folder: Path, deskhand: Deskhand
) -> None:
    own(folder, CANNED)
    room.do("team network", 1)
    before = room.store.last_seq()
    ran = deskhand("note", "1-2", "--snippet", "team")
    assert (ran.code, "#2: snippet team" in ran.err, "ticket.team has no value here" in ran.err) == (2, True, True)
    assert room.store.last_seq() == before


# -- recording -------------------------------------------------------------------------------


def recorded(folder: Path, name: str = "again") -> dict[str, object]:
    whole: dict[str, object] = tomllib.loads((folder / f"{name}.toml").read_text())["macros"][name]
    return whole


def test_what_was_done_last_becomes_a_macro_word_for_word(room: Room, folder: Path, deskhand: Deskhand) -> None:
    text = 'Hello; "{{ agent.name }}" costs 12,50 EUR.\n\n' + "A long line; " * 30 + "\n\n  indented\\"
    deskhand("reply", 1, text, "--cc", "ann@example.com")
    deskhand("do", "tag vpn; assign sam; snooze 2h", 1)
    ran = deskhand("macro", "record", "again", "--last", 2)
    assert ran.out.startswith(f"wrote {folder}/again.toml\n")
    assert recorded(folder)["do"][1:] == ["tag vpn", "assign sam", "snooze 2h"]  # type: ignore[index]
    assert deskhand("macro", "run", "again", 2).code == 0
    message = next(m for m in room.store.thread(2) if m.agent)
    assert (message.text, [i.value for i in message.cc]) == (text, ["ann@example.com"])
    assert room.store.ticket(2).assignee == "sam"


def test_what_may_differ_is_asked_for(room: Room, folder: Path, deskhand: Deskhand) -> None:
    deskhand("do", 'reply "You get 12.50 EUR or $3."; note "Called; twice."; assign sam; snooze 2h; watch sam', 1)
    assert deskhand("macro", "record", "again", "--ask").code == 0
    whole = recorded(folder)
    assert whole["do"] == [
        'reply "You get {{ input.amount }} or {{ input.amount_2 }}."',
        "note {{ input.text }}",
        "assign {{ input.agent }}",
        "snooze {{ input.until }}",
        "watch {{ input.agent_2 }}",
    ]
    assert [i["default"] for i in whole["inputs"]] == ["12.50 EUR", "$3", "Called; twice.", "sam", "2h", "sam"]  # type: ignore[attr-defined]
    assert deskhand("macro", "run", "again", 2, "--set", "amount=7 EUR").code == 0
    assert room.store.thread(2)[-2].text == "You get 7 EUR or $3."


def test_what_was_taken_back_or_cannot_be_repeated_is_left_out(room: Room, folder: Path, deskhand: Deskhand) -> None:
    deskhand("tag", 1, "keep")
    batch = deskhand("tag", 1, "first", "--json").object["batch"]
    deskhand("tag", 1, "gone")
    deskhand("undo")
    deskhand("new", "A call", "--requester", "ann@example.com", "--body", "Hi", "--note")
    ran = deskhand("macro", "record", "again", "--from", batch)
    assert "left out:" in ran.err
    assert recorded(folder)["do"] == ["tag first"]
    assert "is there already; give the macro another name" in deskhand("macro", "record", "again").err
    deskhand("tag", 1, "third")
    assert deskhand("macro", "record", "again", "--force", "--title", "Third").code == 0
    assert recorded(folder) == {"title": "Third", "do": ["tag third"]}
    assert deskhand("macro", "record", "A b").code == 2
    assert "you have no batch nothing" in deskhand("macro", "record", "new", "--from", "nothing").err


# -- the manual ------------------------------------------------------------------------------


PAGE = (ROOT / "docs" / "macros.md").read_text("utf-8")


def shown(begins: str) -> str:
    """The indented example of the manual that begins so."""
    blocks = re.findall(r"(?:^(?:    .*|)\n)+", PAGE, re.MULTILINE)
    return next(text for block in blocks if (text := re.sub(r"^    ", "", block, flags=re.MULTILINE).strip("\n")).startswith(begins)) + "\n"  # fmt: skip


def test_the_macro_of_the_manual_does_what_the_manual_shows(room: Room, folder: Path, deskhand: Deskhand) -> None:
    own(folder, shown("[macros.refund]"), "refund")
    own(folder, shown("[snippets.hours]").partition("\n    deskhand")[0].partition("\ndeskhand")[0], "snippets")
    assert deskhand("macro", "check").out == "all is well, 1 macros, 0 programs, 1 snippets\n"
    room.do("tag invoice", 3)
    ran = deskhand("macro", "run", "refund", 3, "--set", "amount=12 EUR", "--dry-run")
    assert "  + reply to c2@acme.example\n    | Hello Customer, we refund 12 EUR.\n" in ran.out
    for line in ("~ tags +refunded", "~ status new → open", "~ status open → solved"):
        assert f"  {line}\n" in ran.out
    assert deskhand("snippet", "show", "hours", 1).out == "We are here from Monday to Friday, 9 to 5, Customer.\n"


def test_the_programs_of_the_manual_run(room: Room, folder: Path, deskhand: Deskhand) -> None:
    for name, begins in (("vpn.py", "#!/usr/bin/env python3"), ("thanks", "#!/bin/sh")):
        (folder / name).write_text(shown(begins))
        (folder / name).chmod(0o700)
    room.receive(room.mail(9, subject='The "VPN" \\ again', text="My VPN is broken."))
    assert deskhand("macro", "run", "vpn", 6, "--set", "device=phone").code == 0
    assert room.store.ticket(6).tags == ("phone", "vpn")
    assert room.store.thread(6)[-1].text == 'Moved by words:\nThe "VPN" \\ again'
    if shutil.which("jq"):
        assert deskhand("macro", "run", "thanks", 1).code == 0
        assert [m.text for m in room.store.thread(1)[1:]] == [
            "Thanked Customer 0",
            "Thank you. If it happens again, just answer this mail.",
        ]
