"""The sample desk as somebody sits at it: for an evening, fifty times as fast, and it takes no more memory at its end."""

from __future__ import annotations

import os
import re
import statistics
import sys
import time
from pathlib import Path

import pytest

from bench.terminal import Session

ROOT = Path(__file__).resolve().parent.parent.parent
SPEED = 50
LENGTH_S = float(os.environ.get("DESKHAND_DEMO_S", "1800"))
GROWTH_MIB = 6.0
"""What may come on top between the first quarter and the last: numbers of some thousand tickets, and chance."""

ROUND = (
    # Whatever was left open is left; then a ticket, a canned text, and what sends it.
    (b"\x1b", 0.3), (b"\x1b", 0.3), (b"\x1b", 0.3), (b"j", 0.1), (b"\r", 0.6), (b"r", 0.6), (b"hi\x14", 0.5), (b"\x13", 0.6), (b"y", 0.8),
    (b"h", 0.3), (b"\x0c", 0.5),
)  # fmt: skip
"""Keys, and how long the screen is looked at after each."""


class Evening:
    """The demo in a terminal, with somebody who answers one customer after the other."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.place = folder / "run"
        self.place.mkdir(mode=0o700)
        homes = {f"XDG_{kind}_HOME": str(folder) for kind in ("CONFIG", "DATA", "STATE")}
        homes["XDG_RUNTIME_DIR"] = str(self.place)
        command = (sys.executable, "-m", "cli.main", "demo", *options)
        self.session = Session(command, columns=120, rows=40, env=homes, cwd=str(ROOT))
        assert self.session.wait_for("VPN drops"), self.session.emulator.text()

    def watch(self, seconds: float) -> None:
        """Let it run, and read all that it draws."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if chunk := self.session.read(left):
                self.session.apply([chunk])
            assert not self.session.eof, f"it ended:\n{self.session.emulator.text()}"

    def answer(self) -> None:
        """Answer the ticket under the cursor, and go on to the next."""
        for keys, seconds in ROUND:
            self.session.send(keys)
            self.watch(seconds)

    def rss_mib(self) -> float:
        """What the screen's process takes."""
        status = Path(f"/proc/{self.session.process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+)", status)
        assert found
        return int(found[1]) / 1024

    def see(self, pattern: str) -> None:
        """Wait until it stands on the screen."""
        assert self.session.wait_for(pattern, quiet=0.05), self.session.emulator.text()


def test_eight_keys_from_the_start_a_first_answer_is_sent_and_the_customer_is_content(tmp_path: Path) -> None:
    """Each key stands on the screen before it is pressed, with the user's own keys where they have some."""
    (tmp_path / "deskhand").mkdir()
    (tmp_path / "deskhand" / "config.toml").write_text(
        '[store]\nurl = "sqlite:///nowhere/desk.db"\n\n[keys.list]\n"N" = "down"\n"j" = ""\n"down" = ""\n'
    )
    evening = Evening(tmp_path, "--speed", "10")
    keys = 0
    try:
        for told, key in (
            ("1/6  (.* )?N ", b"N"), ("2/6  ⏎ ", b"\r"), ("3/6  r ", b"r"), ("4/6  hi \\^t ", b"hi\x14"), ("5/6  \\^s ", b"\x13"), ("6/6  y ", b"y"),
        ):  # fmt: skip
            evening.see(told)
            evening.session.send(key)
            keys += len(key)
        evening.see("That is all")
        evening.see("Will the corrected invoice have the same number")
        assert list(evening.place.iterdir())
    finally:
        # A terminal that hangs up: nothing is left of the desk, and nobody sends any more.
        evening.session.close(grace=20)
    assert keys <= 8
    assert not list(evening.place.iterdir())


@pytest.mark.torture
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read where Linux tells it")
def test_half_an_hour_fifty_times_as_fast_takes_no_more_memory(tmp_path: Path) -> None:
    evening = Evening(tmp_path, "--speed", str(SPEED))
    taken: list[float] = []
    begun = time.monotonic()
    try:
        while time.monotonic() - begun < LENGTH_S:
            evening.answer()
            taken.append(evening.rss_mib())
            print(f"{time.monotonic() - begun:6.0f} s  {taken[-1]:5.1f} MiB", flush=True)
        drawn = evening.session.emulator.text()
    finally:
        evening.session.close()
    found = re.search(r"([\d,]+) tickets", drawn)
    assert found, drawn
    # Half of the customers at least: the machine has other things to do besides.
    assert int(found[1].replace(",", "")) > LENGTH_S * SPEED / 25 / 2, drawn
    quarter = max(1, len(taken) // 4)
    first, last = statistics.median(taken[:quarter]), statistics.median(taken[-quarter:])
    print(f"{len(taken)} answers, {found[0]}: {first:.1f} MiB in the first quarter, {last:.1f} in the last")
    assert last - first < GROWTH_MIB
