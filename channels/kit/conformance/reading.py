"""What comes in: by which names, behind which cursor, and after whatever broke off."""

from __future__ import annotations

import time

from channels.kit.conformance.ground import (
    Ground,
    NotHere,
    check,
    hold,
    messages,
    names,
    opened,
    read,
    read_anew,
    reader,
)
from desk.channel import Edit, Inbound, Reaction, Removal, Stream

WAITING_S = 10.0
_MILLIS = 100_000_000_000
"""In milliseconds that is 1973, in seconds the year 5138: what lies below it was meant as seconds."""
_TOLD_AS = {Edit: "edits", Removal: "deletes", Reaction: "reactions"}


@check
async def what_comes_in_is_as_the_capabilities_say(ground: Ground) -> None:
    ground.news()
    async with opened(ground) as channel:
        can = channel.capabilities
        for item in (item for batch in await read(channel, None) for item in batch.items):
            if (word := _TOLD_AS.get(type(item))) is not None:
                hold(getattr(can, word), f"it hands out {type(item).__name__}, and its capabilities have no `{word}`")
            if isinstance(item, Inbound):
                who, when = item.sender, item.received_at
                hold(who and who.value, f"nobody has written {item.external_id}: a sender needs a value")
                hold(who and who.kind in can.kinds, f"{who} has written, and `kinds` are {can.kinds}")
                hold(when > _MILLIS, f"received_at is in milliseconds, and {item.external_id} says {when}")


@check
async def nothing_is_handed_out_twice_after_its_cursor(ground: Ground) -> None:
    ground.news()
    async with opened(ground) as channel:
        first = await read(channel, None)
        found = names(first)
        hold(found, "there is news, and nothing came")
        hold(len(found) == len(set(found)), "two messages of one poll have the same external id")
        again = set(names(await read_anew(ground, first[-1].cursor))) & set(found)
        hold(not again, f"another process is handed again what stands before its cursor: {sorted(again)}")


@check
async def replay_gives_the_same_items_by_the_same_names(ground: Ground) -> None:
    ground.news()
    first = names(await read_anew(ground, None))
    second = names(await read_anew(ground, None))
    hold(first == second, f"an account that is read anew gives other items, or other names: {first} and {second}")


@check
async def what_comes_while_nobody_looks_comes_later(ground: Ground) -> None:
    ground.news()
    first = await read_anew(ground, None)
    hold(first, "there is news, and nothing came")
    for _ in range(2):
        ground.news()
    later = names(await read_anew(ground, first[-1].cursor))
    hold(later, "what came during an outage is not handed out after it")
    # What another reader finds who begins anew was there for this one, too.
    missed = set(names(await read_anew(ground, None))) - set(names(first)) - set(later)
    hold(not missed, f"an outage lost {sorted(missed)}")


@check
async def a_poll_that_ends_in_the_middle_loses_nothing(ground: Ground) -> None:
    for _ in range(2):
        ground.news()
    async with opened(ground) as channel:
        batches = reader(channel).poll(None)
        begun = [await anext(batches)]
        await reader(channel).confirm(begun[0])
        await batches.aclose()  # type: ignore[attr-defined]
    rest = await read_anew(ground, begun[0].cursor)
    hold(not set(names(begun)) & set(names(rest)), "the first batch comes again though its cursor was kept")
    missed = set(names(await read_anew(ground, None))) - set(names(begun)) - set(names(rest))
    hold(not missed, f"what stood behind the first batch is lost: {sorted(missed)}")


@check
async def what_was_not_confirmed_comes_again(ground: Ground) -> None:
    ground.news()
    async with opened(ground) as channel:
        batches = reader(channel).poll(None)
        begun = names([await anext(batches)])
        await batches.aclose()  # type: ignore[attr-defined]
    again = names(await read_anew(ground, None))
    hold(set(begun) <= set(again), "what the desk lost before it was committed is lost here, too")


@check
async def confirming_again_is_fine(ground: Ground) -> None:
    ground.news()
    async with opened(ground) as channel:
        batches = await read(channel, None)
        for batch in batches:
            await reader(channel).confirm(batch)
        hold(messages(batches), "there is news, and nothing came")


@check
async def waiting_ends_in_time(ground: Ground) -> None:
    async with opened(ground) as channel:
        if not isinstance(channel, Stream):
            raise NotHere("it is asked now and then, and does not wait")
        begun = time.monotonic()
        await channel.wait(0.2)
        hold(time.monotonic() - begun < WAITING_S, "wait does not end when its time is over")
