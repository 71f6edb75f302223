"""What a frame is drawn with: no more than what changed, and never less."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual._compositor import Compositor
from textual.geometry import Region
from textual.screen import Screen
from textual.strip import Strip

from tests.desks import make_desk
from tests.tui.shown import front, run, shown
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
                ours = [strip.text for strip in frames.render_strips()]
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr(Frames, "_get_renders", Compositor._get_renders)
                    assert ours == [strip.text for strip in frames.render_strips()], key

    run(body())
