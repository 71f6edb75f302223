"""What can be taken out of an open ticket: its files and links, by number and letter, and its text."""

from __future__ import annotations

import asyncio
import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from desk.completion import Choice
from desk.errors import Invalid
from desk.model import Attachment
from desk.text import clean
from tui import files
from tui.draw import flat, plural, size, wrap
from tui.keymap import number
from tui.pictures import picture
from tui.sheets import Entry, Page, Sheet

if TYPE_CHECKING:
    from tui.app import DeskApp
    from tui.screens.ticket import View

_MOST_LINES = 20_000


def _view(app: DeskApp) -> View:
    if not app.reading or app.ticket.view is None:
        raise Invalid("open a ticket first; what it holds is told apart there by number or letter")
    return app.ticket.view


def _number(view: View, word: str) -> int:
    files = view.files()
    if not files:
        raise Invalid("nothing is attached here")
    bare = word.strip("[]")
    if not bare and len(files) == 1:
        return next(iter(files))
    place = number(bare)
    if place is None or place not in files:
        raise Invalid(f'there is no attachment "{word}" here; they are numbered 1 to {max(files)}')
    return place


async def _data(app: DeskApp, attachment: Attachment) -> bytes:
    store = app.front.desk.store
    return await app.runner.read(lambda: store.blob(attachment.sha256))


def _choose(app: DeskApp, verb: str, *, links: bool = False) -> None:
    """Offer what a verb could be about."""
    view = _view(app)
    choices = [
        Choice(
            f"{verb} {number}",
            flat(file.name) or "unnamed",
            f"{flat(file.content_type)}  {size(file.size)}",
            f"[{number}]",
        )
        for number, file in view.files().items()
    ]
    if links:
        choices += [
            Choice(f"{verb} {letter}", flat(link.target), f"! {flat(link.doubt)}" if link.doubt else "", f"[{letter}]")
            for letter, link in view.links().items()
        ]
    if not choices:
        raise Invalid("there is no link here, and nothing is attached" if links else "nothing is attached here")
    app.prompting.choose(verb, choices)


# -- opening ------------------------------------------------------------------------


async def launch(app: DeskApp, count: int | None, rest: str) -> None:
    """Open a link by its letter or an attachment by its number with the program of [screen] open."""
    view, word = _view(app), rest.strip() or str(count or "")
    if not word:
        _choose(app, "launch", links=True)
        return
    opener = shlex.split(app.front.screen.open)
    able = files.can_open(opener, os.environ)
    if link := view.links().get(word.strip("[]").lower()):
        doubt = f"  ! it {link.doubt}" if link.doubt else ""
        if able:
            await asyncio.to_thread(files.open_with, opener, link.target)
            app.say(f"opened: {link.target}{doubt}", "notice" if doubt else "good")
        else:
            _copy(app, link.target)
            app.say(f"no browser here, copied: {link.target}{doubt}", "notice" if doubt else "good")
        return
    if not word.strip("[]").isdecimal():
        raise Invalid(f'there is no link "{word}" here; they have the letters below their messages')
    number = _number(view, word)
    attachment = view.files()[number]
    if not able:
        raise Invalid(f"no program here opens files; :look {number} shows it, :save {number} saves it")
    data = await _data(app, attachment)
    await asyncio.to_thread(_launched, opener, data, attachment.name)
    app.say(f"opened: {flat(attachment.name) or 'unnamed'}", "good")


def _launched(opener: Sequence[str], data: bytes, name: str) -> None:
    files.open_with(opener, str(files.kept(data, name)))


async def look(app: DeskApp, count: int | None, rest: str) -> None:
    """Show an attachment here, by its number: text as it is, of a picture its size."""
    view = _view(app)
    if not rest.strip() and count is None and len(view.files()) != 1:
        _choose(app, "look")
        return
    number = _number(view, rest.strip() or str(count or ""))
    attachment = view.files()[number]
    data = await _data(app, attachment)
    coloured = app.front.theme.name != "mono"
    await app.open_sheet(await asyncio.to_thread(_shown, attachment, data, number, coloured))


def _shown(attachment: Attachment, data: bytes, number: int, coloured: bool) -> Sheet:
    name, kind = flat(attachment.name) or "unnamed", flat(attachment.content_type)
    text = files.text_of(data, attachment.content_type)
    if text is not None:
        return _sheet(name, text, kind)
    ways = f":save {number} saves it, :pipe {number} COMMAND gives it to a program."
    if told := files.picture(data):
        return _gallery(name, data, f"{told}, {size(len(data))}", ways, coloured)
    return _sheet(name, f"{kind}, {size(len(data))}. It cannot be shown as text.\n\n{ways}", kind)


def _gallery(title: str, data: bytes, facts: str, ways: str, coloured: bool) -> Sheet:
    """A picture, as far as a terminal can draw one."""

    def read(width: int) -> Page:
        drawn = picture(data, width) if coloured else "A theme without colours draws no pictures."
        if isinstance(drawn, str):
            lines = [line for text in (drawn, "", ways) for line in wrap(text, width) or [""]]
            return Page([Entry(((line, "text"),)) for line in lines], ((facts, "quiet"),))
        rows = [Entry(tuple(("▀", above + below) for above, below in row)) for row in drawn.rows]
        return Page([*rows, Entry(((ways, "quiet"),))], ((facts, "quiet"),))

    return Sheet(title, read, hints=(("back", "back"),), live=False, empty="It is empty.")


def _sheet(title: str, text: str, facts: str) -> Sheet:
    def read(width: int) -> Page:
        found: list[Entry] = []
        for line in wrap(text.rstrip("\n"), width):
            if len(found) == _MOST_LINES:
                found.append(Entry(((f"… only the first {_MOST_LINES:,} lines are shown", "notice"),)))
                break
            found.append(Entry(((line, "text"),)))
        return Page(found, ((facts, "quiet"),))

    return Sheet(title, read, hints=(("back", "back"),), live=False, empty="It is empty.")


# -- saving -------------------------------------------------------------------------


async def save(app: DeskApp, count: int | None, rest: str) -> None:
    """Save an attachment by its number, into the download folder or where a path says: save 2 logs/vpn.log."""
    view = _view(app)
    word, _, where = rest.strip().partition(" ")
    if not word and count is None and len(view.files()) != 1:
        _choose(app, "save")
        return
    attachment = view.files()[_number(view, word or str(count or ""))]
    data = await _data(app, attachment)
    folder = files.downloads(where.strip() or app.front.screen.downloads, os.environ)
    path = await asyncio.to_thread(files.save, data, attachment.name, folder)
    app.say(f"saved: {path}", "good")


async def save_all(app: DeskApp, count: int | None, rest: str) -> None:
    """Save all attachments of the ticket into a folder, which is asked for."""
    attachments = list(_view(app).files().values())
    if not attachments:
        raise Invalid("nothing is attached here")
    chosen = await asyncio.to_thread(files.downloads, app.front.screen.downloads, os.environ)
    if not rest.strip():
        app.prompting.command(f"save-all {chosen}", f"{plural(len(attachments), 'file')}; Enter saves into this folder")
        return
    folder = Path(rest.strip()).expanduser()
    for attachment in attachments:
        data = await _data(app, attachment)
        await asyncio.to_thread(_into, folder, data, attachment.name)
    app.say(f"saved: {plural(len(attachments), 'file')} into {folder}", "good")


def _into(folder: Path, data: bytes, name: str) -> None:
    if not folder.is_dir():
        raise Invalid(f"{folder} is no folder; make it first, or name another one")
    files.save(data, name, folder)


# -- to programs --------------------------------------------------------------------


async def pipe(app: DeskApp, count: int | None, rest: str) -> None:
    """Give the text of the ticket, or an attachment by its number, to a shell command, and show what it says: pipe 2 grep -i mtu."""
    view = _view(app)
    word, _, command = rest.strip().partition(" ")
    if word.strip("[]").isdecimal():
        data = await _data(app, view.files()[_number(view, word)])
    elif count is not None:
        data, command = await _data(app, view.files()[_number(view, str(count))]), rest.strip()
    else:
        data, command = _text(app).encode("utf-8", "replace"), rest.strip()
    if not command.strip():
        app.prompting.command(
            "pipe ", "a shell command; with the number of an attachment before it, that is what it gets"
        )
        return
    app.say(f"{command} runs; Escape stops it", "quiet")
    said = await asyncio.to_thread(files.pipe, command, data, lambda: app.hands.cancelled)
    text = said.data.decode("utf-8", "replace")
    ended = f"ended with {said.code}" if said.code else ""
    if not text.strip():
        app.say(f"{command}: {ended or 'done, and said nothing'}", "error" if said.code else "good")
        return
    await app.open_sheet(_sheet(command, text, "not all of it" if said.cut else ended))


def _text(app: DeskApp) -> str:
    """The conversation as it stands on the screen."""
    view = _view(app)
    return f"#{view.ticket.id}  {flat(view.ticket.subject)}\n\n{app.ticket.conversation.whole}\n"


# -- the clipboard ------------------------------------------------------------------


async def copy(app: DeskApp, count: int | None, rest: str) -> None:
    """Copy the number of the ticket, its text (copy text), or a link by its letter (copy a) to your terminal's clipboard."""
    word = rest.strip().strip("[]").lower()
    if not word:
        numbers = " ".join(f"#{number}" for number in app.commands.targets())
        if not numbers:
            raise Invalid("there is no ticket here to copy the number of")
        _copy(app, numbers)
        app.say(f"copied: {numbers}", "good")
    elif word == "text":
        text = _text(app)
        _copy(app, text)
        app.say(f"copied: the text, {plural(text.count(chr(10)), 'line')}", "good")
    elif link := _view(app).links().get(word):
        _copy(app, link.target)
        app.say(f"copied: {link.target}", "good")
    else:
        raise Invalid(f'there is no link "{rest.strip()}" here; copy alone takes the number, copy text the text')


def _copy(app: DeskApp, text: str) -> None:
    # Cleaned: what is pasted into a shell must not be able to do anything there that is not seen here.
    sequence = files.clipboard(clean(text), os.environ)
    if app._driver is not None:
        app._driver.write(sequence)
        app._driver.flush()
