"""Customers see that somebody is there: that an agent has read what they wrote, and is writing.

Only where the channel can show it, and only for as long as an agent has the ticket open. What
fails is nobody's loss: the customer's own message and the answer are what counts.
"""

from __future__ import annotations

import asyncio

from desk.channel import Attentive
from desk.model import SECOND, Millis
from desk.seats import Attended
from relay.engine import Engine, Station
from relay.log import log

LOOK_S = 2.5
"""How often it is looked where agents are; a sign that somebody types fades after a few seconds."""

FRESH: Millis = 8 * SECOND
"""Whoever has changed nothing in their answer for so long thinks, and does not type."""

_PATIENCE_S = 5.0
_KEPT = 1_000


class Attention:
    """What the customers of one account have been shown."""

    def __init__(self) -> None:
        self._heard: dict[str, str] = {}
        self._typing: set[str] = set()

    def news(self, found: list[Attended]) -> list[tuple[str, str | None, bool]]:
        """What to show now, as (conversation, read up to, typing): what is new, and all who type, for that fades."""
        now = {one.conversation: one for one in found}
        told: list[tuple[str, str | None, bool]] = []
        for one in now.values():
            fresh = one.heard if one.heard and self._heard.get(one.conversation) != one.heard else None
            if fresh is not None or one.typing or one.conversation in self._typing:
                told.append((one.conversation, fresh, one.typing))
        # Who wrote there has left the ticket.
        told += [(conversation, None, False) for conversation in sorted(self._typing - now.keys())]
        return told

    def shown(self, conversation: str, heard: str | None, typing: bool) -> None:
        """This has been shown."""
        if heard is not None:
            self._heard.pop(conversation, None)
            self._heard[conversation] = heard
            if len(self._heard) > _KEPT:
                del self._heard[next(iter(self._heard))]
        (self._typing.add if typing else self._typing.discard)(conversation)


async def attending(engine: Engine, station: Station) -> None:
    """Show the customers of an account who is there, for ever; runs beside what reads it, on the same connection."""
    attention = Attention()
    while True:
        await engine.free(station.name)
        try:
            await look(engine, station, attention)
        except Exception as error:  # what reads the account goes on whatever happens here
            log.warning("not shown who is there", extra={"account": station.name, "error": str(error)})
        await asyncio.sleep(LOOK_S)


async def look(engine: Engine, station: Station, attention: Attention) -> None:
    """Look once where agents are, and show what is new of it."""
    assert isinstance(station.channel, Attentive)
    found = await engine.call(engine.store.attended, engine.now(), (station.name,), FRESH)
    await asyncio.gather(*(_show(station, attention, *one) for one in attention.news(found)))


async def _show(station: Station, attention: Attention, conversation: str, heard: str | None, typing: bool) -> None:
    # Once, whatever becomes of it: what was read is read, and what is typed is shown again soon.
    attention.shown(conversation, heard, typing)
    assert isinstance(station.channel, Attentive)
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await station.channel.attend(conversation, seen=heard, typing=typing)
    except Exception as error:
        log.debug("not shown", extra={"account": station.name, "error": f"{type(error).__name__}: {error}"})


__all__ = ["Attention", "attending", "look"]
