"""The API of Stack Exchange, version 2.3: its wrapper, its errors, and the patience that it asks for.

From its pages "Response Wrapper", "Error Handling", "Throttling" and "Paging". Answers are always
compressed; every error is status 400, and its number says what it is.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from channels.kit.fields import number, string, tables
from channels.kit.http import PATIENCE_S, Answer, Http, Service
from desk.capabilities import Rate
from desk.channel import AuthRequired, ChannelError, Permanent, RateLimited, Retry

REQUESTS = "requests"
RATES = (Rate(REQUESTS, 30, 1.0),)
PAGE = 100
"""The most items of one answer, and the most ids in one question."""

LONGEST_S = 30.0
"""A longer wait is for the relay to plan."""

_SPENT_S = 3600.0
_AGAIN = re.compile(r"available in (\d+) seconds")


class Page(Struct, frozen=True):
    """One answer: its items, and whether there are more."""

    items: Sequence[Mapping[str, Any]]
    more: bool


class Api:
    """One site by its API. `clock` gives seconds that only grow, `sleep` waits for some."""

    def __init__(
        self,
        service: Service,
        site: str,
        key: str,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._http = Http(service, login=dict, rates=RATES, judge=_judge)
        self._given = {"site": site, **({"key": key} if key else {})}
        self._clock, self._sleep = clock, sleep
        self._until: dict[str, float] = {}
        self.left: int | None = None
        self.most: int | None = None

    async def ask(self, method: str, ids: Sequence[int] = (), **params: Any) -> Page:
        """A page of `method`, in which "{ids}" stands for `ids`; waits as long as that method asked us to."""
        if self.left == 0:
            self.left = None  # after the pause it is asked again, and says how it stands
            raise RateLimited("the quota of the day is used up: a key gives a larger one", _SPENT_S)
        pause = self._until.get(method, 0.0) - self._clock()
        if pause > LONGEST_S:
            raise RateLimited(f"Stack Exchange asks us to leave it alone for {pause:.0f} seconds", pause)
        if pause > 0:
            await self._sleep(pause)
        path = method.replace("{ids}", ";".join(map(str, ids)))
        answer = await self._http.get(path, {**self._given, **params}, bucket=REQUESTS)
        found = answer.fields
        self.left, self.most = number(found, "quota_remaining"), number(found, "quota_max")
        # Whatever method it is, and whether or not it failed ("Throttling").
        self._until[method] = self._clock() + (number(found, "backoff") or 0)
        if not isinstance(found.get("items"), list):
            raise Retry("Stack Exchange answered with something else than was asked for")
        return Page(tables(found, "items"), found.get("has_more") is True)

    async def close(self) -> None:
        """Hang up."""
        await self._http.close()


def _judge(answer: Answer) -> ChannelError | None:
    """What an error's number means; None where the status tells it all."""
    try:
        found = answer.fields
    except Retry:
        return None
    said = " ".join(string(found, "error_message").split())[:300]
    match number(found, "error_id"):
        case 502:
            told = _AGAIN.search(said)
            pause = float(told[1]) if told and len(told[1]) < 7 else PATIENCE_S
            return RateLimited("Stack Exchange asks for patience: the quota of this address is used up", pause)
        case 500 | 503:
            return Retry(f"Stack Exchange has trouble of its own: {said}")
        case 400 if "key" in said:
            return AuthRequired(f"Stack Exchange does not know this key: take it from stackapps.com, or none ({said})")
        case 400 if "site" in said:
            return Permanent(f"there is no such site: mend site ({said})")
        case 401 | 402 | 403 | 405 | 406:
            return AuthRequired(f"Stack Exchange refuses it: {said}")
        case None:
            return None
    return Permanent(f"Stack Exchange says: {said}")


__all__ = ["PAGE", "RATES", "Api", "Page"]
