"""What a frame is drawn with: no more than what changed, and never less."""

from __future__ import annotations

import random
from pathlib import Path

import pyte
import pytest
from textual._compositor import Compositor, CompositorUpdate, LayoutUpdate
from textual.geometry import Region
from textual.screen import Screen
from textual.strip import Strip

from tests.desks import mail, make_desk, receive
from tests.tui.shown import front, run, shown
from tui.app import DeskApp
from tui.frames import Frames
from tui.widgets.queue import QueueList


def test_a_ticket_is_laid_out_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, desk, who = make_desk(tmp_path)
    laid = 0
    layout = Screen._refresh_layout

    def counted(screen: Screen[None], *args: object, **more: object) -> None:
        nonlocal laid
        laid += 1
        layout(screen, *args, **more)  # type: ignore[arg-type]

    async def body() -> None:
        nonlocal laid
        async with shown(front(desk, who), (200, 50)) as screen:
            # The first one has sizes to learn.
            await screen.press("enter", "q")
            await screen.see("SUBJECT")
            monkeypatch.setattr(Screen, "_refresh_layout", counted)
            for key, sign in (("enter", "this is mail 0"), ("q", "SUBJECT")):
                laid = 0
                await screen.press(key)
                await screen.see(sign)
                assert laid == 1

    run(body())


def test_a_cursor_key_asks_the_list_for_two_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.see("SUBJECT")
            drawn: list[int] = []
            ask = QueueList.render_lines

            def asked(tickets: QueueList, crop: Region) -> list[Strip]:
                drawn.append(crop.height)
                return ask(tickets, crop)

            monkeypatch.setattr(QueueList, "render_lines", asked)
            await screen.press("j")
            assert drawn == [2]

    run(body())


def test_a_frame_is_what_textual_would_draw(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            for key in ("j", "enter", "w", "r", "escape", "q", "question_mark", "q", "colon"):
                await screen.press(key)
                frames = screen.app.screen._compositor
                assert isinstance(frames, Frames)
                theirs = [strip.text for strip in Compositor.render_strips(frames)]
                assert [strip.text for strip in frames.render_strips()] == theirs, key

    run(body())


_KEYS = (
    "j",
    "k",
    "ctrl+d",
    "ctrl+u",
    "G",
    "g",
    "pagedown",
    "pageup",
    "space",
    "enter",
    "J",
    "q",
    "colon",
    "escape",
    "p",
    "tab",
)


@pytest.mark.parametrize("size", [(120, 30), (80, 24), (160, 40)])
def test_the_terminal_shows_what_a_frame_told_anew_would(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    _, desk, who = make_desk(tmp_path, tickets=150)
    receive(desk, [mail(200 + n, subject=f"VPN の設定 {n} é", text="日本語\n" * n) for n in range(40)], batch="wide")
    told = pyte.Screen(*size)
    stream = pyte.Stream(told)
    moved = 0

    def display(app: DeskApp, _screen: Screen[None], update: CompositorUpdate | None) -> None:
        nonlocal moved
        if update is not None:
            data = update.render_segments(app.console)
            moved += "r\x1b[" in data
            # In one piece, as the first frame goes to the terminal.
            stream.feed("\x1b[H" + data if isinstance(update, LayoutUpdate) else data)

    monkeypatch.setattr(DeskApp, "_display", display)

    async def body() -> None:
        dice = random.Random(7)
        async with shown(front(desk, who), size) as screen:
            await screen.see("SUBJECT")
            for turn in range(120):
                key = dice.choice(_KEYS)
                await screen.press(*("g", "g") if key == "g" else (key,))
                anew = pyte.Screen(*size)
                frames = screen.app.screen._compositor
                full = LayoutUpdate([[strip] for strip in frames.render_strips()], frames.size.region)
                pyte.Stream(anew).feed("\x1b[H" + full.render_segments(screen.app.console))
                assert told.display == anew.display, (turn, key)
                for y in range(size[1]):
                    assert _looks(told, y) == _looks(anew, y), (turn, key, y)

    run(body())
    assert moved > 5


def _looks(screen: pyte.Screen, y: int) -> list[object]:
    """What stands in each cell of a line, and how; of a blank only its ground."""
    cells = [screen.buffer[y][x] for x in range(screen.columns)]
    return [cell if cell.data != " " else (cell.bg, cell.reverse, cell.underscore) for cell in cells]
