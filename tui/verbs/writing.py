"""Verbs for what is being written: to whom, with what, and what is put into it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from desk.errors import Invalid
from tui.keymap import number
from tui.verbs import verb

if TYPE_CHECKING:
    from tui.app import DeskApp


def _demand(app: DeskApp) -> None:
    if not app.writing.stage:
        raise Invalid(f"nothing is being written here; {app.hands.key('reply')} begins a reply")


@verb()
async def reply_all(app: DeskApp, count: int | None, rest: str) -> None:
    """Answer the customer and everybody their message was addressed to."""
    await app.commands.write("reply", {"all": "yes", "only": ""})


@verb()
async def quote(app: DeskApp, count: int | None, rest: str) -> None:
    """Quote the newest message, with a number (quote 3) the third one; quote 3 mtu only what says so, quote 3 2-5 these lines."""
    first, _, part = rest.strip().partition(" ")
    place = number(first)
    if not app.reading:
        await app.commands.write("reply")
    await app.writing.putting.quote(count if place is None else place, part if place is not None else rest)


@verb()
async def snippet(app: DeskApp, count: int | None, rest: str) -> None:
    """Put a canned text into what is being written: snippet NAME."""
    _demand(app)
    await app.writing.putting.snippet(rest.strip())


@verb()
async def recipients(app: DeskApp, count: int | None, rest: str) -> None:
    """Change to whom it goes: to, cc and bcc."""
    _demand(app)
    app.writing.envelope.addressing()


@verb()
async def attach(app: DeskApp, count: int | None, rest: str) -> None:
    """Attach a file to what is being written: attach PATH."""
    _demand(app)
    if rest.strip():
        await app.writing.envelope.attach(rest)
    else:
        app.writing.envelope.attaching()


@verb()
async def detach(app: DeskApp, count: int | None, rest: str) -> None:
    """Take a file off what is being written, by its number."""
    _demand(app)
    place = number(rest)
    if place is not None or count:
        await app.writing.envelope.detach(count or 0 if place is None else place)
    else:
        app.writing.envelope.detaching()


@verb()
async def later(app: DeskApp, count: int | None, rest: str) -> None:
    """Send what is being written at a time of your choice: later tomorrow 9:00; later now takes that back."""
    _demand(app)
    if not rest.strip():
        raise Invalid("later needs a time: later 2h, later tomorrow 9:00, later monday; later now")
    await app.writing.reviewing.wait_until(rest.strip())


@verb()
async def draft(app: DeskApp, count: int | None, rest: str) -> None:
    """Copy what a colleague has begun on this ticket into a text of your own: draft NAME."""
    if not app.reading:
        raise Invalid("open a ticket first; what colleagues have begun there stands in its head")
    await app.writing.putting.take_over(rest.strip())


@verb(quick=True)
async def unsent(app: DeskApp, count: int | None, rest: str) -> None:
    """Go on with an unsent text: unsent 4812 reply."""
    ticket, _, kind = rest.strip().partition(" ")
    if (wanted := number(ticket)) is None:
        raise Invalid("unsent needs a ticket and what it is to be: unsent 4812 reply; drafts lists them")
    await app.show(wanted)
    await app.writing.begin(kind or "reply")
