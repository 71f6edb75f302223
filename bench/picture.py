"""Pictures of the screen: `make picture` draws those in the documents, `python -m bench.picture --all FOLDER` every screen.

Each is an SVG of the sample desk at a fixed moment, so that the same program draws the same picture.
"""

from __future__ import annotations

import asyncio
import io
import itertools
import os
import re
import tempfile
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC
from pathlib import Path

import click
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.segment import Segment, Segments
from rich.terminal_theme import TerminalTheme
from textual.pilot import Pilot

import themes
from cli import demo
from cli.wiring import Session, read_file
from desk.hosts import RELAY
from desk.model import DAY, Agent, Millis, Role
from desk.perform import Desk, Who
from desk.store import Batch
from storage import open_store
from tui.app import DeskApp
from tui.front import Front

AT: Millis = 1_770_026_400_000
"""2026-02-02 10:00 UTC, a Monday."""

SIZES = ((80, 24), (120, 40), (200, 50))

SCENES: dict[str, Sequence[str]] = {
    "queue": (),
    "marks": ("space", "space"),
    "preview": ("j", "p"),
    "hints": ("g",),
    "filter": ("slash", *"due:<2x"),
    "form": ("s",),
    "palette": ("ctrl+p",),
    "help": ("question_mark",),
    "ticket": ("enter",),
    "writing": ("enter", "r", *"Hello, which firmware is it?"),
    "review": ("enter", "r", *"Hello, I attach the notes on it.", "ctrl+s"),
    "note": ("enter", "i", *"Same as last week at Nord."),
    "log": ("L",),
    "dashboard": ("D",),
    "outbox": ("O",),
    "health": ("g", "h"),
    "notices": ("g", "n"),
    "history": ("H",),
    "changes": ("U",),
}
"""Every screen, by the keys that lead to it from the queue."""

_BRIGHT = [
    (0, 0, 0),
    (190, 30, 30),
    (20, 120, 40),
    (150, 100, 0),
    (30, 80, 190),
    (150, 40, 150),
    (0, 120, 130),
    (90, 90, 90),
]
_DARK = [
    (40, 40, 40),
    (220, 80, 80),
    (110, 180, 110),
    (210, 175, 95),
    (120, 160, 220),
    (190, 130, 200),
    (100, 190, 190),
    (200, 200, 200),
]
_LIT = [
    (120, 120, 120),
    (255, 110, 110),
    (150, 220, 150),
    (240, 210, 120),
    (150, 190, 250),
    (220, 160, 230),
    (140, 220, 220),
    (240, 240, 240),
]
TERMINALS = {
    True: TerminalTheme((24, 24, 24), (218, 218, 218), _DARK, _LIT),
    False: TerminalTheme((252, 252, 252), (30, 30, 30), _BRIGHT, [(110, 110, 110), *_BRIGHT[1:]]),
}  # fmt: skip
"""The ground, ink and sixteen colours of a dark and of a bright terminal."""

_FONTS = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace"


def furnished(folder: Path) -> tuple[Desk, Who]:
    """The sample desk, as it would have been at that moment, with ann at the screen."""
    config = folder / "config.toml"
    config.write_text(demo.configured(folder), "utf-8")
    here = Session({"config": str(config)})
    # Before the session would make an agent of whoever draws this.
    ann = Agent("ann", "Ann Berger", role=Role.ADMIN, uid=os.getuid(), teams=("network", "billing"))
    with closing(open_store(here.url, here.config.desk, create=True)) as store:
        store.save_agent(ann, Batch("ann", AT))
    desk = here.desk()
    demo.furnish(here, desk, at=AT)
    desk.store.lease(f"{RELAY}picture", "picture", AT, AT + DAY)
    return desk, Who(ann, os.getuid(), "here")


def svg(app: DeskApp, dark: bool) -> str:
    """What stands on the screen."""
    width, height = app.size
    console = Console(
        width=width, height=height, file=io.StringIO(), force_terminal=True, color_system="truecolor", record=True,
        legacy_windows=False, safe_box=False,
    )  # fmt: skip
    # Line by line: an update for a terminal leaves out what is blank there already.
    for strip in app.screen._compositor.render_strips():
        console.print(Segments([*strip, Segment.line()]), end="")
    # No font is fetched from anywhere: who looks at it has one. Nor is any other host named.
    form = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL).replace("Fira Code", _FONTS)
    form = re.sub(r"<!--.*?-->\s*", "", form, flags=re.DOTALL)
    return console.export_svg(title="deskhand", theme=TERMINALS[dark], code_format=form, unique_id="deskhand")


async def draw(scene: str, size: tuple[int, int], theme: str, to: Path) -> None:
    """Go to a scene and write what is there."""
    with tempfile.TemporaryDirectory() as folder:
        desk, who = furnished(Path(folder))
        numbers = itertools.count()
        front = Front(
            desk, who, now=lambda: AT, new_batch=lambda: f"picture-{next(numbers)}", theme=themes.load(theme), zone=UTC,
            read_file=read_file,
        )  # fmt: skip
        app = DeskApp(front)
        async with app.run_test(size=size) as pilot:
            await _still(app, pilot)
            for key in SCENES[scene]:
                await pilot.press(key)
                await _still(app, pilot)
            # What comes late on purpose: a preview, a hint.
            await pilot.pause(0.6)
            await _still(app, pilot)
            to.write_text(svg(app, front.theme.dark), "utf-8")
        desk.store.close()


async def _still(app: DeskApp, pilot: Pilot[None]) -> None:
    await pilot.pause()
    while app.busy or any(worker.is_running for worker in app.workers):
        await pilot.pause(0.01)
    await pilot.pause()


@click.command()
@click.argument("to", type=click.Path(path_type=Path))
@click.option("--all", "every", is_flag=True, help="Every screen in every theme at three sizes, into a folder")
@click.option("--scene", type=click.Choice(list(SCENES)), default="queue")
@click.option("--theme", default="dark", show_default=True)
@click.option("--size", default="120x30", show_default=True)
def main(to: Path, every: bool, scene: str, theme: str, size: str) -> None:
    """Draw the screen into the file, or all of them into the folder TO."""
    if not every:
        width, _, height = size.partition("x")
        asyncio.run(draw(scene, (int(width), int(height)), theme, to))
        return
    to.mkdir(parents=True, exist_ok=True)
    for name, look, room in itertools.product(SCENES, themes.names(), SIZES):
        asyncio.run(draw(name, room, look, to / f"{name}-{look}-{room[0]}x{room[1]}.svg"))


if __name__ == "__main__":
    main()
