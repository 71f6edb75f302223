"""Opening the terminal screen: the one place from which textual is imported."""

from __future__ import annotations

import os
import shlex
import sys

from cli.wiring import Session, new_batch, now, read_file, session
from desk.errors import Invalid


def open_screen(query: str = "is:open", *, demo: bool = False, here: Session | None = None) -> None:
    """Show the queue, until the agent leaves."""
    here = here or session()
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Invalid("the screen needs a terminal; in a script use verbs: deskhand ls, deskhand --help")
    desk = here.desk()
    from cli.shelf import Watched as Macros
    from cli.themes import watched
    from tui.app import run
    from tui.front import Front

    theme = watched(here)
    editor = tuple(shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"))
    run(
        Front(
            desk=desk, who=here.who(), now=now, new_batch=new_batch, theme=theme.theme, zone=here.zone, query=query, read_file=read_file,
            demo=demo, editor=editor, macros=Macros(here), watched=theme,
        )
    )  # fmt: skip
