"""What goes out: rendered, split, sent, cut off, refused."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from msgspec.structs import replace

from channels.kit.conformance.ground import (
    Broken,
    Ground,
    NotHere,
    Phases,
    check,
    draft,
    hold,
    messages,
    opened,
    read,
    sender,
)
from channels.kit.texts import file
from desk.channel import ChannelError, Inbound, Part, Permanent, Retry, Sent, Stream, Unknown, WindowClosed
from desk.lengths import length

_TAG = re.compile(r"<[^<>]*>")


@check
async def the_same_draft_gives_the_same_bytes(ground: Ground) -> None:
    parts = []
    for _ in range(2):
        async with opened(ground) as channel:
            parts.append([part.data for part in sender(channel).render(draft(channel, ground))])
    hold(parts[0] == parts[1], "rendering twice gives other bytes: take times and ids from the draft")
    hold(parts[0], "a message is at least one part")


@check
async def a_long_text_is_split_or_refused(ground: Ground) -> None:
    async with opened(ground) as channel:
        render, can = sender(channel).render, channel.capabilities
        limit, unit = can.limit(public=False)
        if limit is None:
            raise NotHere("its texts may be as long as one likes")
        word = "tunnel "
        text = word * (3 * limit // length(word, unit) + 1)
        if not can.splits:
            try:
                render(draft(channel, ground, text))
            except Permanent:
                return
            raise Broken("a text that is too long is neither split nor refused with Permanent")
        parts = render(draft(channel, ground, text))
        hold(len(parts) > 1, "a text three times too long goes as one part")
        for part in parts:
            over = max((length(_TAG.sub("", piece), unit) for piece in _texts(part)), default=0)
            hold(over <= limit, f"a part holds {over:,} {unit}, and at most {limit:,} go")


def _texts(part: Part) -> Iterator[str]:
    """Every text of a part that is JSON; of another nothing is known."""

    def inside(value: Any) -> Iterator[str]:
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            for one in value.values():
                yield from inside(one)
        elif isinstance(value, list):
            for one in value:
                yield from inside(one)

    with suppress(ValueError):
        yield from inside(json.loads(part.data))


@check
async def files_that_it_does_not_carry_are_refused(ground: Ground) -> None:
    async with opened(ground) as channel:
        render, can = sender(channel).render, channel.capabilities
        if can.attachment_limit_bytes:
            raise NotHere("files go along")
        data = b"Hello"
        attachment, _ = file("hello.txt", "text/plain", data)
        try:
            render(replace(draft(channel, ground), attachments=((attachment, data),)))
        except Permanent:
            return
        raise Broken("a file that does not go along is left out in silence: refuse it with check_files")


@check
async def sending_says_when_it_can_no_longer_be_taken_back(ground: Ground) -> None:
    async with opened(ground) as channel:
        sending = sender(channel)
        for number, part in enumerate(sending.render(draft(channel, ground))):
            phases = Phases()
            sent = await sending.send(part, f"deskhand-1-7-{number}", phases)
            hold(isinstance(sent, Sent), "send returns Sent")
            hold(not sent.refused, f"the customer of the ground was refused: {sent.refused}")
            hold(phases == ["data"], f'send awaits phase("data") once, and told {phases}')
            await sending.archive(part)


@check
async def what_is_sent_again_by_its_key_is_there_once(ground: Ground) -> None:
    names = []
    for _ in range(2):
        async with opened(ground) as channel:
            sending = sender(channel)
            if not channel.capabilities.idempotent:
                raise NotHere("what was lost in the middle is not sent again")
            (part, *_) = sending.render(draft(channel, ground))
            names.append((await sending.send(part, "deskhand-5-7", Phases())).remote_id)
    hold(names[0], "it takes a key, and nobody is told what came of it: Sent has no remote_id")
    hold(names[0] == names[1], f"sent again by the same key it is there twice, as {names[0]} and {names[1]}")


@check
async def what_we_sent_comes_back_as_ours(ground: Ground) -> None:
    async with opened(ground) as channel:
        sending = sender(channel)
        before = await read(channel, None)
        parts = sending.render(draft(channel, ground))
        sent = [
            (await sending.send(part, f"deskhand-6-7-{number}", Phases())).remote_id
            for number, part in enumerate(parts)
        ]
        if isinstance(channel, Stream):
            await channel.wait(0.5)
        own = {(one.kind, one.value) for one in channel.addresses}
        for item in messages(await read(channel, before[-1].cursor if before else None)):
            if isinstance(item, Inbound) and item.sender and (item.sender.kind, item.sender.value) in own:
                hold(item.ours, f"what the desk sent comes back as a customer's, {item.external_id}: set `ours`")
                hold(item.external_id in sent, f"what was sent as {sent} comes back as {item.external_id}")


@check
async def nothing_cut_in_the_middle_is_lost_in_silence(ground: Ground) -> None:
    if ground.cut is None:
        raise NotHere("its ground cuts nothing")
    async with opened(ground) as channel:
        sending, phases = sender(channel), Phases()
        (part, *_) = sending.render(draft(channel, ground))
        ground.cut()
        try:
            sent = await sending.send(part, "deskhand-2-7", phases)
        except (Retry, Unknown) as error:
            if isinstance(error, Retry) and phases:
                hold(channel.capabilities.idempotent, "it may have gone out: that is Unknown, not Retry")
        except ChannelError as error:
            raise Broken(f"a cut line is {type(error).__name__}, and the message is given up: {error}") from error
        else:
            # Who has looked for it since, and found it, knows what it is called there.
            hold(sent.remote_id, "what was cut in the middle is told as sent, and nobody knows by which name")


@check
async def a_closed_window_is_told_as_one(ground: Ground) -> None:
    if ground.expire is None:
        raise NotHere("its customers can be answered for ever")
    async with opened(ground) as channel:
        sending = sender(channel)
        ground.expire()
        try:
            for part in sending.render(draft(channel, ground)):
                await sending.send(part, "deskhand-3-7", Phases())
        except WindowClosed:
            return
        raise Broken("the provider lets nobody answer any more, and that is not WindowClosed")
