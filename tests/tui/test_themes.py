"""Themes on the screen: a ground of their own, and a file that changes while one looks."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.segment import Segment
from textual.color import Color

import themes
from tests.desks import make_desk
from tests.tui.shown import Shown, front, run, shown
from tui.draw import look
from tui.terminal import Ground


def test_the_screen_is_drawn_anew_when_the_theme_changes(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)
    folder = tmp_path / "themes"
    folder.mkdir()
    mine = folder / "mine.toml"
    mine.write_text('extends = "dark"\n')
    watched = themes.Watched("mine", [folder])

    def colours(screen: Shown) -> set[str]:
        strips = screen.app.screen._compositor.render_strips()
        return {str(s.style.color.name) for strip in strips for s in strip if s.style and s.style.color}

    async def body() -> None:
        async with shown(front(desk, who, theme=watched.theme, watched=watched)) as screen:
            assert "magenta" not in colours(screen)
            mine.write_text('extends = "dark"\n[styles]\nheading = "magenta"\n')
            await screen.until(lambda: "magenta" in colours(screen))
            mine.write_text('extends = "dark"\n[styles]\nheding = "magenta"\n')
            await screen.until(lambda: "stays as it was: mine.toml, [styles] line 3: unknown key" in screen.status)
            assert "magenta" in colours(screen)

    run(body())


def test_another_theme_is_worn_at_once(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)
    watched = themes.Watched("dark")

    async def body() -> None:
        async with shown(front(desk, who, theme=watched.theme, watched=watched)) as screen:
            before = screen.app.look["overdue"]
            await screen.press(":")
            await screen.type("theme")
            await screen.press("enter")
            await screen.see("high-contrast", "colour-blind")
            await screen.type("light")
            await screen.press("enter")
            assert screen.app.look["overdue"] != before
            await screen.press(":")
            await screen.type("theme ligth")
            await screen.press("enter")
            await screen.see('there is no theme "ligth" (did you mean "light"?)')

    run(body())


@pytest.mark.parametrize("name", ["high-contrast", "colour-blind"])
def test_a_ground_of_its_own_lies_under_all(name: str, tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who, theme=themes.load(name))) as screen:
            await screen.press("enter", "r")
            for strip in screen.app.screen._compositor.render_strips():
                for segment in strip:
                    assert segment.style is not None
                    assert segment.style.bgcolor is not None
                    assert not segment.style.bgcolor.is_default, segment

    run(body())


def test_the_ground_leaves_what_has_colours_alone() -> None:
    styles = look(themes.load("high-contrast"))
    (plain, note) = Ground(styles).apply([Segment("a"), Segment("b", styles["note"])], Color(0, 0, 0))
    assert plain.style == styles["ground"]
    assert note.style == styles["note"]


def test_what_is_written_takes_the_colours_of_another_theme_at_once(tmp_path: Path) -> None:
    _, desk, who = make_desk(tmp_path)

    async def body() -> None:
        async with shown(front(desk, who)) as screen:
            await screen.press("i")
            await screen.type("Internal")
            for name in ("light", "high-contrast", "mono", "dark"):
                theme = themes.load(name)
                screen.app.wear(theme)
                await screen.settle()
                note = look(theme)["note"]
                row = next(y for y, line in enumerate(screen.lines) if line.strip("┃ ") == "Internal")
                strip = screen.app.screen._compositor.render_strips()[row]
                grounds = {style.bgcolor for text, style, _ in strip if style and "Internal" in text}
                assert [ground.get_truecolor() for ground in grounds if ground and not ground.is_default] == (
                    [note.bgcolor.get_truecolor()] if note.bgcolor else []
                )
                # Where a note has no ground of its own, a line beside it tells it apart.
                assert ("┃" in screen.lines[row]) is (name == "mono")

    run(body())
