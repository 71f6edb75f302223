"""Opening the terminal screen: the one place from which textual is imported."""

from __future__ import annotations

import gc
import os
import shlex
import sys
from typing import TYPE_CHECKING

from msgspec.structs import replace

from cli.wiring import Session, new_batch, now, read_file, session
from desk.config import KeysConfig, Source
from desk.errors import ConfigError, Invalid

if TYPE_CHECKING:
    from cli.child import Child
    from tui.front import Fresh


def open_screen(
    query: str = "is:open",
    *,
    demo: bool = False,
    here: Session | None = None,
    own: Session | None = None,
    relay: Child | None = None,
) -> None:
    """Show the queue, until the agent leaves; theme and keys are those of `own`, and `relay` ends with the screen."""
    here = here or session()
    own = own or here
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Invalid("the screen needs a terminal; in a script use verbs: deskhand ls, deskhand --help")
    # What is made from here on stays to the end; the screen lets the collector loose again when it stands.
    gc.disable()
    desk = here.desk()
    from cli.rendering import as_sent
    from cli.themes import watched
    from cli.watching import Watched as Macros
    from tui.app import run
    from tui.front import Front

    if wrong := key_problems(own):
        raise ConfigError("\n".join(str(error) for error in wrong))
    theme = watched(own)

    def reload() -> Fresh:
        return _again(here)

    from cli.memory import Memory

    editor = tuple(shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"))
    if relay is None and here.config.channels:
        from cli.child import beside

        relay = beside(here, desk.store)
    try:
        run(
            Front(
                desk=desk, who=here.who(), now=now, new_batch=new_batch, theme=theme.theme, zone=own.zone, query=query, read_file=read_file, raw=as_sent,
                demo=demo, editor=editor, macros=Macros(here), watched=theme, keys=own.config.keys, screen=own.config.screen, notify=own.config.notify, relay=relay, terminal=new_batch(),
                memory=None if demo else Memory(), cursor=own.config.screen.cursor, reload=None if demo else reload,
            )
        )  # fmt: skip
    finally:
        if relay:
            relay.leave()


def _again(here: Session) -> Fresh:
    """What the files say now; ConfigError names the first mistake, and nothing is taken up."""
    from cli.themes import watched
    from cli.watching import Watched as Macros
    from desk.tables import problems
    from tui.front import Fresh

    fresh = Session(here.options)
    wrong = [*key_problems(fresh), *problems(fresh.config.desk)]
    if wrong:
        more = f" (and {len(wrong) - 1} more: deskhand config check)" if len(wrong) > 1 else ""
        raise ConfigError(f"{wrong[0]}{more}; all stays as it was")
    theme = watched(fresh)
    before = here.desk()
    desk = replace(before, config=fresh.desk_config(before.store))
    return Fresh(desk, fresh.config.keys, fresh.config.screen, Macros(here), theme, fresh.config.notify)


def key_problems(here: Session) -> list[ConfigError]:
    """What is wrong with the keys in the configuration; it loads of the screen what knows keys, and not Textual."""
    if here.config.keys == KeysConfig():
        return []
    from tui.bindings import problems

    return problems(here.config.keys, here.config.source or Source("config.toml", ""))
