"""Verbs about which ticket is open, which are marked, and what of one is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from desk.errors import Invalid
from desk.model import Role
from desk.permissions import demand
from desk.query import All, Is
from desk.store import Batch
from tui.keymap import number
from tui.verbs import verb

if TYPE_CHECKING:
    from tui.app import DeskApp


@verb()
async def show(app: DeskApp, count: int | None, rest: str) -> None:
    """Open the ticket, or what a line leads to; with a number (4812 ⏎) that ticket."""
    if app.place == "sheet" and (entry := app.sheet.current) and not rest and count is None:
        if entry.line:
            await app.hands.run_line(entry.line)
        elif entry.ticket is not None:
            await app.show(entry.ticket)
        return
    named = number(rest)
    if rest.strip() and named is None:
        raise Invalid(f'"{rest.strip()}" is not the number of a ticket; / finds one by its words')
    wanted = named if named is not None else count or app.queue.list.current
    if wanted is None:
        raise Invalid("there is no ticket to open; / shows others")
    await app.show(wanted)


@verb()
async def back(app: DeskApp, count: int | None, rest: str) -> None:
    """Go back to where you came from."""
    await app.back()


@verb(quick=True)
async def leave(app: DeskApp, count: int | None, rest: str) -> None:
    """Drop the marks, then the filter."""
    if app.queue.list.marks:
        app.queue.list.mark(())
        app.queue.tell()
    elif app.queue.view or (app.queue.query_text, app.queue.sort) != (app.front.query, "urgency"):
        await app.queue.load(app.front.query, sort="urgency", keep=app.queue.list.current)


async def _step(app: DeskApp, by: int) -> None:
    view, tickets = app.ticket.view, app.queue.list
    if view is not None and view.ticket.id in tickets.order:
        tickets.move(by)
    if tickets.current is None or (view is not None and tickets.current == view.ticket.id):
        raise Invalid(f"that is the {'last' if by > 0 else 'first'} ticket of the list")
    await app.show(tickets.current)


@verb()
async def next_ticket(app: DeskApp, count: int | None, rest: str) -> None:
    """Open the next ticket of the list."""
    await _step(app, count or 1)


@verb()
async def previous_ticket(app: DeskApp, count: int | None, rest: str) -> None:
    """Open the ticket before this one in the list."""
    await _step(app, -(count or 1))


@verb()
async def next(app: DeskApp, count: int | None, rest: str) -> None:
    """Go to the next ticket that needs attention: unread first, then what is due."""
    place = await app.queue.attention()
    if place is None:
        raise Invalid("nothing in this list is unread or due within two hours")
    app.queue.list.move_to(place)
    if app.reading and app.queue.list.current is not None:
        await app.show(app.queue.list.current)


@verb()
async def next_chat(app: DeskApp, count: int | None, rest: str) -> None:
    """Go to the next chat that waits for you, of a messenger or a chat room."""
    store, me, here = (
        app.front.desk.store,
        app.front.me,
        app.ticket.view.ticket.id if app.reading and app.ticket.view else 0,
    )
    waits = app.queue.node("is:waiting (assignee:me or assignee:none)")

    def work() -> int | None:
        live = {a.channel for a in store.accounts().values() if a.capabilities and a.capabilities.live}
        if not live:
            raise Invalid("no account is a messenger or a chat room; tab goes to what needs attention")
        found = store.ids(All((waits, Is("channel", tuple(sorted(live))))), sort="waiting", limit=_CHATS)
        behind = found[found.index(here) + 1 :] if here in found else found
        waiting = behind or found
        return waiting[0] if waiting else None

    number = await app.runner.read(work)
    if number is None:
        raise Invalid(f"no conversation waits for {me or 'you'}")
    await app.show(number)


_CHATS = 200


@verb()
async def unfold(app: DeskApp, count: int | None, rest: str) -> None:
    """Show what is folded of the messages in sight, quotes and long lists of links, or fold it again."""
    if not app.ticket.conversation.fold():
        app.say("nothing is folded in sight", "quiet")


@verb()
async def unfold_all(app: DeskApp, count: int | None, rest: str) -> None:
    """Show what is folded of all messages, or fold it again."""
    if not app.ticket.conversation.fold(every=True):
        app.say("nothing is folded here", "quiet")


@verb()
async def why(app: DeskApp, count: int | None, rest: str) -> None:
    """Tell why each message is on this ticket."""
    app.ticket.conversation.explain()


@verb()
async def events(app: DeskApp, count: int | None, rest: str) -> None:
    """Show between messages what was done and what happened, or no longer."""
    await app.ticket.tell_events(app.ticket.conversation.happened is None)


@verb()
async def card(app: DeskApp, count: int | None, rest: str) -> None:
    """Show the customer's card beside the conversation, or no longer; where it has no room, on a sheet."""
    from tui.sheets import Entry, Page, Sheet
    from tui.widgets.card import ROOM, lines_of

    pane = app.ticket
    if pane.facts is None:
        raise Invalid("open a ticket first: the card is that of its customer")
    if pane.size.width >= ROOM:
        pane.wanted = not pane.wanted
        pane.place_card()
        return
    facts, number = pane.facts, pane.facts.ticket.id
    await app.open_sheet(
        Sheet(
            f"Who is behind #{number}",
            lambda width: Page([Entry(line, ticket=number) for line in lines_of(facts, min(width, 80))]),
            hints=(("back", "back"),),
            live=False,
        )
    )


@verb(quick=True)
async def next_message(app: DeskApp, count: int | None, rest: str) -> None:
    """Go to the next message."""
    if not app.ticket.conversation.step(count or 1):
        app.say("that is the last message", "quiet")


@verb(quick=True)
async def previous_message(app: DeskApp, count: int | None, rest: str) -> None:
    """Go to the message before this one."""
    if not app.ticket.conversation.step(-(count or 1)):
        app.say("that is the first message", "quiet")


@verb()
async def search(app: DeskApp, count: int | None, rest: str) -> None:
    """Mark words wherever they stand in the conversation and go to the next place; asks for them, and for none it marks nothing."""
    if not app.reading:
        raise Invalid("open a ticket first: search looks through its conversation; / filters the list")
    if rest.strip():
        await _search(app, rest)
        return
    from tui.completion import Asking

    async def then(words: str | None) -> None:
        if words is not None:
            await _search(app, words)

    app.prompting.ask(Asking("find", lambda words: (), then))


async def _search(app: DeskApp, words: str) -> None:
    from tui.draw import plural

    words = words.strip()
    found = await app.ticket.conversation.search(words)
    if words and not found:
        raise Invalid(f'"{words}" does not stand in this conversation')
    if words:
        app.say(f"in {plural(found, 'line')}", "quiet")


@verb(quick=True)
async def search_next(app: DeskApp, count: int | None, rest: str) -> None:
    """Go to the next place where the words stand."""
    _found(app, count or 1)


@verb(quick=True)
async def search_previous(app: DeskApp, count: int | None, rest: str) -> None:
    """Go to the place before, where the words stand."""
    _found(app, -(count or 1))


def _found(app: DeskApp, by: int) -> None:
    place = app.ticket.conversation.again(by)
    if place is None:
        raise Invalid(f"nothing is searched for; {app.hands.key('search')} asks for words")
    app.say("line {} of {}".format(*place), "quiet")


@verb()
async def retry(app: DeskApp, count: int | None, rest: str) -> None:
    """Send again what failed, came back or got lost: on this ticket, the line of the outbox, or the delivery named."""
    if app.place == "sheet" or rest.isdecimal():
        from tui.sheets.outbox import again

        await again(app, number(rest))
        return
    view, front = app.ticket.view, app.front
    if not app.reading or view is None:
        raise Invalid("open a ticket first: retry sends again what did not get through on it")
    if not view.trouble:
        raise Invalid("everything on this ticket got through, or is on its way")
    numbers = [delivery.id for found in view.trouble.values() for delivery in found]

    def work() -> None:
        agent = demand(front.who.agent, "outbox retry", Role.AGENT)
        batch = Batch(front.new_batch(), front.now(), agent.name, front.who.uid, front.who.host, line="retry")
        for one in numbers:
            front.desk.store.retry(one, batch)

    await app.runner.write(work)
    await app.ticket.reload()
    app.say("queued again" if len(numbers) == 1 else f"{len(numbers)} deliveries queued again", "good")
