"""The screen in a real terminal: which bytes reach it, and how many."""

from __future__ import annotations

import os
import re
from pathlib import Path

from desk.model import Attachment
from tests.desks import NOW, answer, mail, make_desk, receive
from tests.tui.terminals import terminal

EVIL = "\x1b]52;c;ZXZpbA==\x07\x1b[2J\x9b31m\x9d0;t\x9c\u202egnp.exe\u2066\x08\x7f\r\x00x"
_OURS = re.compile(
    rb"\x1b\[[0-9;]*m|\x1b\[\d+;\d+H|\x1b\[\?[0-9;]+[hl]|\x1b\[\?\d+\$p|\x1b\[[<>=]\d*u|\x1b\[\d*[JKXCLM]|\x1b\[(?:\d+;\d+)?r|\x1b\]22;default\x07|\x1b\]0;deskhand\x07|\r\n"
)
_HARMFUL = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def test_no_hostile_byte_reaches_the_terminal(tmp_path: Path) -> None:
    store, desk, _ = make_desk(tmp_path, tickets=0)
    file = Attachment(f"{EVIL}.png", "image/png", 5, "0" * 64)
    receive(
        desk,
        [mail(1, subject=f"subject {EVIL}", name=f"name {EVIL}", text=f"text {EVIL}\nend of it", attachments=(file,))],
        batch="b",
    )
    answer(desk, 1, f"again {EVIL}", batch="again", at=NOW)
    store.close()
    with terminal(tmp_path) as screen:
        screen.see("subject")
        for keys, sign in ((b"\r", "end of it"), (b"w", "here because"), (b"f", "wrote"), (b"r", "REPLY")):
            screen.press(keys)
            screen.see(sign)
        screen.press(b"\x1b[200~pasted " + EVIL.encode("utf-8", "replace").replace(b"\x00", b"") + b"\x1b[201~")
        screen.see("paste")
        screen.press(b"\x13")
        screen.see("as the customer gets it")
        screen.press(b"y")
        screen.see("queued")
    left = _OURS.sub(b"", screen.raw).decode("utf-8")
    assert _HARMFUL.findall(left) == []


def test_a_cursor_key_costs_less_than_a_hundred_bytes(tmp_path: Path) -> None:
    store, _, _ = make_desk(tmp_path, tickets=20)
    store.lease("relay:host:1", "somebody", NOW, NOW + 10**9)
    store.close()
    with terminal(tmp_path) as screen:
        screen.see("20 tickets")
        screen.read(0.5)
        assert all(0 < len(screen.press(b"j")) <= 100 for _ in range(10))


def test_nothing_is_written_while_nothing_changes(tmp_path: Path) -> None:
    store, _, _ = make_desk(tmp_path)
    store.close()
    with terminal(tmp_path) as screen:
        screen.see("5 tickets")
        screen.read(0.5)
        assert screen.read(2.5) == b""


def test_the_cursor_of_the_terminal_is_on_the_line_that_matters(tmp_path: Path) -> None:
    store, _, _ = make_desk(tmp_path)
    store.close()
    for options, shown in (((), False), (("--cursor",), True)):
        with terminal(tmp_path, *options) as screen:
            screen.see("Feature idea")
            for key, subject in ((b"j", "Cannot log in"), (b"j", "Invoice shows"), (b"G", "Feature idea")):
                screen.press(key)
                line, seen = screen.cursor
                assert subject in screen.text.split("\n")[line]
                assert seen is shown
            screen.press(b":sol")
            screen.see(": sol")
            assert screen.cursor == (39, shown)


def test_a_shell_command_gets_the_terminal_and_the_tickets(tmp_path: Path) -> None:
    store, _, _ = make_desk(tmp_path)
    store.close()
    with terminal(tmp_path, SHELL="/bin/sh") as screen:
        screen.see("Feature idea")
        screen.press(b"j ")
        screen.press(b" ")
        screen.see("2 marked")
        screen.press(b"!")
        screen.see("$DESKHAND_TICKETS is 2 3")
        screen.press(b"echo about $DESKHAND_TICKETS; exit 3\r")
        screen.see("about 2 3")
        screen.see("[3]  Enter goes back")
        screen.press(b"\r")
        screen.see("Feature idea")
        screen.press(b"j")
        screen.see("2 marked")


def test_no_color_means_no_colour(tmp_path: Path) -> None:
    store, _, _ = make_desk(tmp_path)
    store.close()
    with terminal(tmp_path, NO_COLOR="1") as screen:
        screen.see("5 tickets")
        screen.press(b"i")
        screen.see("only colleagues see it")
    codes = {code for codes in re.findall(rb"\x1b\[([0-9;]*)m", screen.raw) for code in codes.split(b";")}
    assert not {b"38", b"48"} & codes
    assert not any(30 <= int(code or 0) <= 37 or 40 <= int(code or 0) <= 47 for code in codes)


def test_the_editor_gets_the_terminal_and_gives_it_back(tmp_path: Path) -> None:
    store, _, _ = make_desk(tmp_path)
    store.close()
    with terminal(tmp_path) as screen:
        screen.see("5 tickets")
        screen.press(b"r")
        screen.see("REPLY")
        screen.press(b"\x05")
        screen.see("Written elsewhere")
        assert b"THE EDITOR HAS THE TERMINAL" in screen.raw
        screen.press(b"\x13")
        screen.see("as the customer gets it")


def test_q_ends_the_program_and_leaves_the_terminal_clean(tmp_path: Path) -> None:
    store, _, _ = make_desk(tmp_path)
    store.close()
    with terminal(tmp_path) as screen:
        screen.see("5 tickets")
        os.write(screen.master, b"q")
        screen.read(1.0)
        assert screen.process.wait(10) == 0
        assert b"\x1b[?1049l" in screen.raw
        assert b"Traceback" not in screen.raw


def test_a_screen_whose_terminal_is_gone_ends(tmp_path: Path) -> None:
    store, _, _ = make_desk(tmp_path)
    store.close()
    with terminal(tmp_path) as screen:
        screen.see("Feature idea")
        screen.hang_up()
        assert screen.process.wait(10) in (0, 129)


def test_a_key_of_its_own_is_not_waited_for(tmp_path: Path) -> None:
    store, _, _ = make_desk(tmp_path)
    store.close()
    with terminal(tmp_path) as screen:
        screen.see("Feature idea")
        screen.press(b"\r")
        screen.see("this is mail 0")
        # Escape alone, and one that begins an arrow.
        screen.press(b"\x1b")
        screen.see("SUBJECT")
        screen.press(b"\x1b[B")
        assert screen.cursor[0] == 6
