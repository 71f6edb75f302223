"""Numbers in a line that no desk has given out: a sentence each, and never another ticket than the one named."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.desks import make_desk
from tests.tui.shown import Shown, front, run, shown
from tui.keymap import number

HUGE = "9" * 5_000


def test_a_number_is_read_with_its_sign_or_without() -> None:
    assert [number(word) for word in ("4812", " #4812 ", "0012", "0", "#0")] == [4812, 4812, 12, 0, 0]
    assert [number(word) for word in ("", "#", "##1", "-1", "1.5", "²", "12a")] == [None] * 7
    assert number(HUGE) == number("9" * 20) == 2**63 - 1


LINES = {
    "show {}": "there is no ticket #", "{}": "there is no ticket #", "unsent {} reply": "there is no ticket #",
    "history {}": "there is no ticket #", "drop {}": "nothing waits in place", "view {}": "there are",
    "quote {}": "there is no message", "filter id:{}": "", "merge {}": "", "retry {}": "there is no",
}  # fmt: skip


@pytest.mark.parametrize("digits", ["9" * 20, HUGE], ids=["20 digits", "5000 digits"])
def test_a_number_beyond_all_is_refused_in_words(digits: str, tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            for line, told in LINES.items():
                await ran(screen, line.format(digits))
                assert told in screen.status, (line, screen.status)
                assert "does not answer" not in screen.status, line
            await ran(screen, f"log {digits}")
            assert screen.app.place == "sheet"

    run(body())


def test_a_word_is_no_ticket_and_opens_none(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await ran(screen, "show vpn")
            assert screen.status.startswith('"vpn" is not the number of a ticket')
            assert not screen.app.reading

    run(body())


async def ran(screen: Shown, line: str) -> None:
    """Run a line with nothing said before."""
    screen.app.edges.clear()
    await screen.run(line)
