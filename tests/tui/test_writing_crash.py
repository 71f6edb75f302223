"""A screen that is killed in the middle of a word, in a real terminal."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.desks import NOW, make_desk
from tests.tui.terminals import terminal


def test_a_killed_screen_loses_at_most_two_seconds(tmp_path: Path) -> None:
    store, _, _ = make_desk(tmp_path)
    store.close()
    log = tmp_path / "vpn.log"
    log.write_bytes(b"x" * 18_000)
    with terminal(tmp_path) as screen:
        screen.see("5 tickets")
        screen.press(b"r")
        screen.see("REPLY")
        screen.press(b"Hello Ann, half a tho")
        screen.see("draft saved")
        screen.press(b"\x19")
        screen.see("To whom is the reply to go?")
        screen.press(b"\x15to: ann@example.com\r")
        screen.see("public · mail · to ann@example.com")
        screen.press(b"\x0f")
        screen.see("Which file?")
        screen.press(str(log).encode() + b"\r")
        screen.see("[1] vpn.log  18 kB")
        screen.press(b"ught")
        screen.see("half a thought")
        screen.read(3.0)
        os.kill(screen.process.pid, signal.SIGKILL)
        screen.process.wait()
    with terminal(tmp_path) as screen:
        screen.see("1 unsent text")
        screen.press(b"r")
        screen.see("to ann@example.com")
        screen.see("Hello Ann, half a thought")
        screen.see("[1] vpn.log  18 kB")


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGHUP])
def test_a_screen_told_to_end_keeps_the_text_and_gives_the_terminal_back(told: signal.Signals, tmp_path: Path) -> None:
    store, _, _ = make_desk(tmp_path)
    with terminal(tmp_path) as screen:
        screen.see("5 tickets")
        screen.press(b"r")
        screen.see("REPLY")
        screen.press(b"Hello Ann")
        os.kill(screen.process.pid, told)
        screen.read(1.0)
        assert screen.process.wait(10) == 0
        assert b"\x1b[?1049l" in screen.raw
    assert [draft.text for draft in store.drafts(agent="kim")] == ["Hello Ann"]
    store.close()


def test_a_large_paste_holds_up_nobody(tmp_path: Path) -> None:
    store, _, _ = make_desk(tmp_path)
    store.close()
    with terminal(tmp_path) as screen:
        screen.see("5 tickets")
        screen.press(b"r")
        screen.see("REPLY")
        pasted = b"\x1b[200~" + b"many words and a line\n" * 47_000 + b"\x1b[201~"
        os.set_blocking(screen.master, True)
        while pasted:
            pasted = pasted[os.write(screen.master, pasted[:4_000]) :]
            screen.read(0)
        screen.see("too much for a message")
        screen.press(b"still here")
        screen.see("still here")
        screen.press(b"\x1b[200~:solve\r\nx q\r\n" + "陳強 ✓".encode() + b"\x1b[201~")
        screen.see("陳強")
        screen.see(":solve")
        screen.see("REPLY")


def test_a_typed_letter_costs_less_than_its_line(tmp_path: Path) -> None:
    store, _, _ = make_desk(tmp_path)
    store.lease("relay:host:1", "somebody", NOW, NOW + 10**9)
    store.close()
    with terminal(tmp_path) as screen:
        screen.see("5 tickets")
        screen.press(b"r")
        screen.see("REPLY")
        screen.read(0.5)
        costs = sorted(len(screen.press(letter.encode())) for letter in "quickbrown")
        assert costs[len(costs) // 2] <= 110
        screen.see("quickbrown")
