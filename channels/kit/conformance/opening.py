"""Opening, closing, and what an account says of itself."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import pickle
import subprocess
import sys
import time

import msgspec

import channels
from channels.kit.conformance.ground import Ground, check, hold, opened, read
from desk.capabilities import Capabilities
from desk.channel import Poller, Sender
from desk.lengths import length
from desk.model import Identity

OPENING_S = 1.0
_FRESH = "import sys, channels; before = set(sys.modules); channels.load({kind!r}); print(*(set(sys.modules) - before))"


@check
async def opening_is_quick_and_says_what_it_is(ground: Ground) -> None:
    module = channels.load(ground.kind)
    settings = module.Settings
    hold(
        dataclasses.is_dataclass(settings) or issubclass(settings, msgspec.Struct), "Settings is the schema of a table"
    )
    hold((module.__doc__ or "").strip(), "the module's docstring is what `channel list --kinds` prints")
    begun = time.monotonic()
    channel = ground.open()
    hold(time.monotonic() - begun < OPENING_S, "opening takes long: it does nothing on the network")
    try:
        hold(isinstance(channel.capabilities, Capabilities), "capabilities are desk.capabilities.Capabilities")
        hold(channel.addresses, "it has an address of its own, the one we write as")
        for ours in channel.addresses:
            hold(isinstance(ours, Identity) and ours.value and ours.kind, f"{ours!r} is no identity")
        hold(isinstance(channel, (Poller, Sender)), "a channel that neither reads nor sends is none")
        parse = getattr(channel, "parser", None) or getattr(module, "parse", None)
        hold(parse is None or pickle.loads(pickle.dumps(parse)), "a parser goes to worker processes")  # noqa: S301
    finally:
        await channel.close()


@check
async def closing_twice_is_fine(ground: Ground) -> None:
    channel = ground.open()
    hold(inspect.iscoroutinefunction(channel.close), "close is a coroutine")
    await channel.close()
    await channel.close()
    async with opened(ground) as used:
        if isinstance(used, Poller):
            await read(used, None)
        await used.close()


@check
async def capabilities_agree_with_each_other(ground: Ground) -> None:
    async with opened(ground) as channel:
        can: Capabilities = channel.capabilities
        hold(can.kinds, "it reaches some kind of identity")
        for ours in channel.addresses:
            hold(
                ours.kind in can.kinds, f"its own address is of the kind {ours.kind}, which is not in kinds {can.kinds}"
            )
        hold(can.sends == isinstance(channel, Sender), "`sends` says whether it has render and send")
        for limit, unit in (can.limit(public=False), can.limit(public=True)):
            length("text", unit)
            hold(limit is None or limit > 0, "a limit is a number above zero, or None")
        hold(can.markup in ("plain", "markdown", "html"), f"there is no markup {can.markup!r}")
        hold(not can.splits or can.text_limit is not None, "what splits a text has a limit")
        hold(can.public_limit is None or can.public, "a limit in public is for what can be public")
        hold(can.attachment_limit_bytes >= 0, "a limit of files is no number below zero")
        files = can.attachment_count is not None or can.attachment_types
        hold(can.attachment_limit_bytes or not files, "what carries no files says nothing of them")
        hold(not can.after_window or can.window_ms, "what goes after a window needs a window")
        for rate in can.rates:
            hold(rate.count > 0 and rate.seconds > 0, f"a rate is so many in so many seconds: {rate}")
        hold(msgspec.json.decode(msgspec.json.encode(can), type=Capabilities) == can, "capabilities go into the store")


@check
async def no_library_is_loaded_before_it_is_needed(ground: Ground) -> None:
    code = _FRESH.format(kind=ground.kind)
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    hold(done.returncode == 0, f"it cannot be imported by itself: {done.stderr.strip()}")
    own = {"desk", "channels", "msgspec", getattr(channels.load(ground.kind), "__name__", "").partition(".")[0]}
    loaded = {name.partition(".")[0] for name in done.stdout.split()} - own - sys.stdlib_module_names
    hold(not loaded, f"importing it loads {', '.join(sorted(loaded))}: import libraries inside functions")


@check
async def check_tells_what_was_found_in_sentences(ground: Ground) -> None:
    async with opened(ground) as channel:
        said = await channel.check()
        hold(said, "check says what was found")
        hold(all(isinstance(sentence, str) and sentence.strip() for sentence in said), "what check says is sentences")
