"""Verbs that do something, take it back, or ask."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from desk.completion import Choice
from desk.errors import Invalid
from themes import ThemeError
from tui.keymap import number
from tui.verbs import verb

if TYPE_CHECKING:
    from tui.app import DeskApp


@verb()
async def macro(app: DeskApp, count: int | None, rest: str) -> None:
    """Choose a macro of those that are offered here, or run the one named: macro NAME key=value."""
    from tui.macros import Macros

    if rest.strip():
        await Macros(app).run(rest.strip())
    else:
        await Macros(app).choose()


@verb(quick=True)
async def command(app: DeskApp, count: int | None, rest: str) -> None:
    """Type a command."""
    app.prompting.command()


@verb()
async def palette(app: DeskApp, count: int | None, rest: str) -> None:
    """Search all verbs and run one."""
    app.prompting.palette()


@verb()
async def help(app: DeskApp, count: int | None, rest: str) -> None:
    """Search all keys and verbs."""
    app.prompting.help()


@verb()
async def undo(app: DeskApp, count: int | None, rest: str) -> None:
    """Take back what you did last, or the batch named, after showing what that would change."""
    if rest.strip():
        await app.commands.take_back_one(rest.strip())
    else:
        await app.commands.take_back()


@verb()
async def drop(app: DeskApp, count: int | None, rest: str) -> None:
    """Drop what waits for the store: all of it, or one by its place."""
    place = number(rest)
    app.waiting.drop(count if place is None else place)


@verb()
async def redo(app: DeskApp, count: int | None, rest: str) -> None:
    """Do again what you took back."""
    await app.commands.take_back(redo=True)


@verb()
async def repeat(app: DeskApp, count: int | None, rest: str) -> None:
    """Do the last command again, here."""
    await app.commands.repeat()


@verb()
async def raise_(app: DeskApp, count: int | None, rest: str) -> None:
    """Give the ticket the next higher priority."""
    await app.commands.level(count or 1)


@verb()
async def lower(app: DeskApp, count: int | None, rest: str) -> None:
    """Give the ticket the next lower priority."""
    await app.commands.level(-(count or 1))


@verb()
async def relay(app: DeskApp, count: int | None, rest: str) -> None:
    """Run a relay while this screen is open (on), no longer (off), or do not even offer it (never)."""
    if app.front.relay is None:
        raise Invalid("no relay can be run from this screen; start one with: deskhand relay")
    app.say(app.front.relay.choose(rest.strip()), "good")


@verb()
async def tour(app: DeskApp, count: int | None, rest: str) -> None:
    """Show six keys that lead to a first answer, each where it is needed; tour off ends it."""
    if rest.strip() == "off":
        app.tour.end()
    else:
        app.tour.begin()


@verb()
async def theme(app: DeskApp, count: int | None, rest: str) -> None:
    """Wear another theme until you leave; ui.theme in your config.toml is the lasting way."""
    watched = app.front.watched
    if watched is None:
        raise Invalid("this screen has no other theme")
    if not rest:
        found = await asyncio.to_thread(lambda: watched.names)
        app.prompting.choose("theme", [Choice(f"theme {name}", name) for name in found])
        return
    try:
        app.wear(await asyncio.to_thread(watched.choose, rest))
    except ThemeError as error:
        raise Invalid(str(error)) from error


@verb()
async def reload(app: DeskApp, count: int | None, rest: str) -> None:
    """Read the configuration again: views, keys, macros, notices and theme as the files say now."""
    front = app.front
    if front.reload is None:
        raise Invalid("there is no configuration here that could be read again")
    front.renew(await app.runner.write(front.reload))
    await app.runner.read(app.hands.learn)
    if front.watched is not None:
        app.wear(front.watched.theme)
    await app.queue.renew()
    app.say("views, keys, macros, notices and theme are as the files say now", "good")


@verb()
async def quit(app: DeskApp, count: int | None, rest: str) -> None:
    """Leave deskhand."""
    await app.leave()


@verb()
async def shell(app: DeskApp, count: int | None, rest: str) -> None:
    """Run a shell command on the terminal; $DESKHAND_TICKETS holds the numbers of the tickets it is about."""
    from tui import shell

    if rest.strip():
        shell.lend(app, rest.strip())
    else:
        shell.ask(app)
