"""What is on its way out: what waits, what goes out later, what failed, and what nobody knows of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from desk.errors import Invalid
from desk.model import HOUR, Role, State
from desk.permissions import demand
from desk.store import Batch
from desk.when import brief, said
from tui.draw import flat
from tui.sheets import Entry, Page, Sheet
from tui.sheets.kit import aligned, groups, heading

if TYPE_CHECKING:
    from desk.model import Delivery, Millis
    from tui.app import DeskApp
    from tui.widgets.bars import Part

_MOST = 1_000
_TROUBLE = (State.UNKNOWN, State.FAILED, State.BOUNCED)
_WAITING = (State.QUEUED, State.SENDING, State.DEFERRED)
_PERHAPS = "it may have arrived: ask, or look into the server's log, before it goes out again"


def sheet(app: DeskApp, rest: str) -> Sheet:
    """Deliveries by what becomes of them; those that need a person first."""
    front = app.front

    def read(width: int) -> Page:
        store, now = front.desk.store, front.now()
        # Apart, so that a long queue hides nothing that went wrong.
        found = [*store.outbox(_TROUBLE, limit=_MOST), *store.outbox(_WAITING, limit=_MOST)]
        subjects = {r.ticket.id: r.ticket.subject for r in store.rows(sorted({d.ticket for d, _ in found}))}

        def is_later(one: Delivery) -> bool:
            return one.state is State.QUEUED and one.not_before > now + HOUR

        def lines(*states: State, later: bool = False) -> list[Entry]:
            some = [pair for pair in found if pair[0].state in states and is_later(pair[0]) is later]
            return [Entry(told[one.id], ticket=one.ticket, key=one.id) for one, _ in sorted(some, key=_when)]

        def cells(one: Delivery, next_at: Millis | None) -> Sequence[Part]:
            to = ", ".join(map(flat, one.recipients))
            words, style = _told(one, next_at, now)
            if is_later(one):
                words = said(one.not_before, now, front.zone)
            tries = f"{one.attempts} {'try' if one.attempts == 1 else 'tries'}" if one.attempts else ""
            why = flat(one.error or subjects.get(one.ticket, ""))
            return (
                (words, style), (f"#{one.ticket}", "quiet"), (to, "text"), (tries, "quiet"),
                (why, "trouble" if one.error else "quiet"),
            )  # fmt: skip

        table = aligned([cells(*pair) for pair in found], width, give=(2, 4), right=(1,))
        told = {one.id: parts for (one, _), parts in zip(found, table, strict=True)}
        return Page(
            groups(
                (heading("Nobody knows", _PERHAPS), lines(State.UNKNOWN)),
                (heading("Failed", "not delivered, and not tried again by itself"), lines(State.FAILED, State.BOUNCED)),
                (heading("Tried again by itself"), lines(State.DEFERRED)),
                (heading("Being sent"), lines(State.SENDING)),
                (heading("Waiting"), lines(State.QUEUED)),
                (heading("Later"), lines(State.QUEUED, later=True)),
            ),
            unit="message",
        )

    return Sheet(
        "Going out",
        read,
        answers={"S": ("send again", lambda: again(app))},
        empty="Nothing waits to go out, and nothing failed.",
    )


async def again(app: DeskApp, number: int | None = None) -> None:
    """Ask the store for another attempt of a delivery (None: that of the line); about one that may have arrived the agent is asked."""
    if number is None:
        entry = app.sheet.current
        if entry is None or not isinstance(entry.key, int):
            raise Invalid(f"there is no delivery here; {app.hands.key('outbox')} lists what can be sent again")
        number = entry.key
    store = app.front.desk.store
    states = await app.runner.read(lambda: {d.id: d.state for d, _ in store.outbox(_TROUBLE, limit=_MOST)})
    if states.get(number) is State.UNKNOWN:
        app.hands.ask(
            f"delivery {number} may have arrived already; send it again?",
            {"y": ("send it again", lambda: _retry(app, number))},
        )
    else:
        await _retry(app, number)


async def _retry(app: DeskApp, number: int) -> None:
    front, who = app.front, app.front.who
    agent = demand(who.agent, "outbox retry", Role.AGENT)
    batch = Batch(front.new_batch(), front.now(), agent.name, who.uid, who.host, f"outbox retry {number}")
    await app.runner.write(lambda: front.desk.store.retry(number, batch))
    app.say(f"delivery {number}: queued again", "good")
    await app.sheet.reload()


def _when(pair: tuple[Delivery, Millis | None]) -> tuple[Millis, int]:
    delivery, next_at = pair
    return next_at if next_at is not None else delivery.not_before, delivery.id


def _told(one: Delivery, next_at: Millis | None, now: Millis) -> tuple[str, str]:
    """What becomes of it, in a few words, and their style."""
    match one.state:
        case State.QUEUED | State.DEFERRED:
            left = (next_at if next_at is not None else one.not_before) - now
            word = "again" if one.state is State.DEFERRED else "goes"
            return (
                f"{word} in {brief(left)}"
                if left >= 60_000
                else f"{word} in {max(0, left) // 1_000} s"
                if left > 0
                else f"{word} now",
                "text",
            )
        case State.SENDING:
            return "being sent", "good"
    return one.state.value, "trouble"
