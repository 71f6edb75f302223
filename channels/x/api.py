"""The API of X: what is asked of it, how often, and what its refusals mean.

Source: docs.x.com, "Rate limits" (for one user: mentions 300 and own posts 900 in 15 minutes, messages 15;
posts 100 in 15 minutes, messages sent 15 in 15 minutes and 1440 a day; the headers x-rate-limit-remaining and
-reset) and "Response codes and errors".
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from channels.kit.fields import string
from channels.kit.http import PATIENCE_S, Answer, Http, usual_words
from channels.x.proof import Proof
from channels.x.settings import Settings
from desk.capabilities import Rate
from desk.channel import AuthRequired, ChannelError, Permanent, Phase, RateLimited, Unknown

QUARTER_S = 900.0
MENTIONS, OWN, LOOKUPS, MESSAGES = "questions for mentions", "questions for posts of ours", "questions for posts", "questions for messages"  # fmt: skip
POSTS, MESSAGES_OUT, UPLOADS, ACCOUNT = "posts", "direct messages", "uploads", "questions for the account"

RATES = (
    Rate(MENTIONS, 300, QUARTER_S),
    Rate(OWN, 900, QUARTER_S),
    Rate(LOOKUPS, 900, QUARTER_S),
    Rate(MESSAGES, 15, QUARTER_S),
    Rate(POSTS, 100, QUARTER_S),
    Rate(MESSAGES_OUT, 15, QUARTER_S),
    Rate(MESSAGES_OUT, 1_440, 86_400.0),
    Rate(UPLOADS, 500, QUARTER_S),
    Rate(ACCOUNT, 75, QUARTER_S),
)

CREDITS_S = 3_600.0
"""How long X is left alone when the credits are used up."""

_WINDOWS = ("x-rate-limit", "x-user-limit-24hour", "x-app-limit-24hour")


class Ended(AuthRequired):
    """The token is not known (any more)."""


class Api:
    """One account's way to X."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self.settings, self._clock = settings, clock
        self.http = Http(settings, login=dict, rates=RATES, judge=self._judged)
        self._proof = Proof(settings, clock)

    async def get(self, path: str, params: Mapping[str, Any], bucket: str) -> Mapping[str, Any]:
        """Ask for something."""
        given = {name: value for name, value in params.items() if value not in (None, "")}
        return (await self._ask("GET", path, bucket, params=given)).fields

    async def post(self, path: str, bucket: str, *, phase: Phase | None = None, **body: Any) -> Mapping[str, Any]:
        """Have something done; with a `phase` it is a message going out."""
        answer = await self._ask("POST", path, bucket, phase=phase, **body)
        if phase is None:
            return answer.fields if answer.data else {}
        with suppress(ChannelError):
            return answer.fields
        raise Unknown("X took it and answered with something strange; it may have gone out")

    async def _ask(self, method: str, path: str, bucket: str, **more: Any) -> Answer:
        try:
            answer = await self._once(method, path, bucket, **more)
        except Ended:
            # Nothing was done: a token that ended is one thing that a new one mends.
            self._proof.refused()
            answer = await self._once(method, path, bucket, **more)
        for window in _WINDOWS:
            if answer.headers.get(f"{window}-remaining") == "0":
                self.http.buckets.shut(bucket, self._until(answer, window))
        return answer

    async def _once(self, method: str, path: str, bucket: str, **more: Any) -> Answer:
        url = self.settings.url.rstrip("/") + path
        headers = await self._proof.headers(self.http, method, url, more.get("params") or {})
        return await self.http.ask(method, path, bucket=bucket, headers=headers, **more)

    def _until(self, answer: Answer, window: str) -> float:
        with suppress(ValueError):
            return min(86_400.0, max(1.0, float(answer.headers.get(f"{window}-reset", "")) - self._clock()))
        return PATIENCE_S

    def _judged(self, answer: Answer) -> ChannelError | None:
        words = usual_words(answer) or f"status {answer.status}"
        match answer.status:
            case 401:
                return Ended(f"X does not know this token (any more): {words}; authorize the app again and set it")
            case 402:
                return RateLimited(
                    f"the credits at X are used up: {words}; buy more in its developer console", CREDITS_S
                )
            case 403:
                return forbidden(answer, words)
            case 429:
                gone = [w for w in _WINDOWS if answer.headers.get(f"{w}-remaining") == "0"] or ["x-rate-limit"]
                pause = max(self._until(answer, window) for window in gone)
                return RateLimited(f"X asks for patience: {words}", pause)
        return None

    async def close(self) -> None:
        """Hang up."""
        with suppress(Exception):
            await self.http.close()


def forbidden(answer: Answer, words: str) -> ChannelError:
    """What X does not let us do, and what to do then."""
    kind = ""
    with suppress(ChannelError):
        kind = string(answer.fields, "type")
    if re.search(r"client-(forbidden|not-enrolled)|oauth1-permissions|unsupported-authentication", kind):
        return AuthRequired(f"X does not let this app do that: {words}; give it the permission, and authorize it again")
    if re.search(r"\bscope|permission to (?:access|use) .*(?:endpoint|direct)|suspended|locked", words, re.I):
        return AuthRequired(f"X says: {words}; look at the account, and at what the app is allowed")
    if re.search(r"duplicate", words, re.I):
        return Permanent("X has this very text from us already: look whether it is there, or change a word")
    if re.search(r"direct message|dm|messages? to this user|participant|recipient", words, re.I):
        return Permanent(
            f"X does not let us write to them: {words}; answer in public and ask them to write to us, or to follow us"
        )
    if re.search(r"repl(?:y|ies)|conversation|mention", words, re.I):
        return Permanent(
            f"X refuses this reply: {words}; programs may answer whoever mentions the account: answer in private, "
            "or on X by hand"
        )
    return Permanent(f"X forbids it: {words}")


__all__ = ["ACCOUNT", "LOOKUPS", "MENTIONS", "MESSAGES", "MESSAGES_OUT", "OWN", "POSTS", "RATES", "UPLOADS", "Api"]
