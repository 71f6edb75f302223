"""That a secret turns up nowhere: in no error, no log, no repr."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Awaitable
from contextlib import suppress

from channels.kit.conformance.ground import Ground, NotHere, Phases, check, draft, hold, opened, read
from desk.channel import AuthRequired, Channel, Poller, Sender


@check
async def the_secret_turns_up_nowhere(ground: Ground) -> None:
    if not ground.secret:
        raise NotHere("it has no secret")
    told: list[str] = []
    log, handler = logging.getLogger(), _Told(told)
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    try:
        async with opened(ground) as channel:
            await _all_it_does(channel, ground, told)
            told += [repr(channel), str(channel), repr(channel.capabilities), repr(channel.addresses)]
        if ground.revoke is not None:
            ground.revoke()
            async with opened(ground) as channel:
                refused = await _all_it_does(channel, ground, told)
                hold(
                    any(isinstance(error, AuthRequired) for error in refused),
                    "refused credentials are AuthRequired, so that the account waits for a person",
                )
                with suppress(AuthRequired):
                    hold(not await channel.check(), "the credentials are refused, and check says that all is well")
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
    leaks = [text for text in told if ground.secret in text]
    hold(not leaks, f"the secret stands in: {leaks[0].replace(ground.secret, '***')[:300]}" if leaks else "")


async def _all_it_does(channel: Channel, ground: Ground, told: list[str]) -> list[Exception]:
    """Use the account for everything; what it raises is told, and given back."""
    raised: list[Exception] = []

    async def attempt(work: Awaitable[object]) -> None:
        try:
            told.append(repr(await work))
        except Exception as error:
            raised.append(error)
            told.append("".join(traceback.format_exception(error)) + repr(error))

    await attempt(channel.check())
    if isinstance(channel, Poller):
        await attempt(read(channel, None))
    if isinstance(channel, Sender):
        for part in channel.render(draft(channel, ground)):
            told.append(repr(part))
            await attempt(channel.send(part, "deskhand-4-7", Phases()))
    return raised


class _Told(logging.Handler):
    """Keeps what is logged, with all that hangs on it."""

    def __init__(self, told: list[str]) -> None:
        super().__init__(logging.DEBUG)
        self._told = told

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        self._told.append(f"{record.getMessage()} {record.__dict__}")
        if error is not None:
            self._told.append("".join(traceback.format_exception(error)))
