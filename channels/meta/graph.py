"""The Graph API: what is asked of it, how busy it says we keep it, and what its refusals mean.

Sources: Meta's developer documentation, "Rate limits" (X-App-Usage, X-Page-Usage, X-Business-Use-Case-Usage;
codes 4, 17, 32, 613, 80000 and above), "Messenger Platform, error codes" (10 with 2018278, 100, 190, 200, 551,
10900, 1200) and "Conversations API" (two questions a second).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from channels.kit.fields import number, string, table
from channels.kit.http import Answer, Http
from channels.meta.settings import PageSettings
from desk.capabilities import Rate
from desk.channel import AuthRequired, ChannelError, Permanent, Phase, RateLimited, Retry, Unknown, WindowClosed

QUESTIONS, MESSAGES, COMMENTS = "questions", "messages", "comments"
RATES = (Rate(QUESTIONS, 120, 60.0), Rate(MESSAGES, 100, 1.0), Rate(COMMENTS, 750, 3_600.0))

PATIENCE_S = 300.0
"""How long Meta is left alone that says "too many" and not until when."""

RESTRICTED_S = 3_600.0

_WINDOW = frozenset({2018278, 2018065, 2018108, 2534022})
_RESTRICTED = frozenset({1893063, 2534029, 2534122})
_RATES = frozenset({4, 17, 32, 341, 613})
_TOKEN = frozenset({102, 190, 463, 467})

Fields = Mapping[str, Any]
"""Something out of an answer; whatever stands in it may be missing or of another type."""


class Graph:
    """One page's way to Meta."""

    def __init__(self, settings: PageSettings) -> None:
        self.settings = settings
        self.http = Http(settings, rates=RATES, words=said, judge=self._judged)
        self.busy = 0.0

    async def get(self, path: str, params: Mapping[str, Any], accept: tuple[int, ...] = ()) -> Fields:
        """Ask for something."""
        answer = await self.http.get(self._path(path), params, bucket=QUESTIONS, accept=accept)
        self._heed(answer, QUESTIONS)
        if not accept and told(answer):
            # Meta also tells of failures with a status that says all is well.
            raise self._judged(answer) or Retry(f"Meta says: {said(answer) or 'an error'}")
        return answer.fields if 200 <= answer.status < 300 else {}

    async def post(self, path: str, bucket: str, *, phase: Phase | None = None, **body: Any) -> Fields:
        """Have something done; with a `phase` it is a message going out."""
        answer = await self.http.ask("POST", self._path(path), bucket=bucket, phase=phase, **body)
        self._heed(answer, bucket)
        if phase is None:
            return answer.fields
        with suppress(ChannelError):
            return answer.fields
        raise Unknown("Meta took it and answered with something strange; it may have gone out")

    @property
    def pace(self) -> float:
        """How many times longer the pauses are, by how much of its patience Meta says is used up."""
        return next((times for share, times in ((90.0, 16.0), (75.0, 4.0), (50.0, 2.0)) if self.busy >= share), 1.0)

    def _path(self, path: str) -> str:
        return f"/{self.settings.version}/{path}"

    def _heed(self, answer: Answer, bucket: str) -> None:
        self.busy, wait_s = usage(answer)
        if wait_s:
            self.http.buckets.shut(bucket, wait_s)

    def _judged(self, answer: Answer) -> ChannelError | None:
        error = told(answer)
        code, sub = number(error, "code"), number(error, "error_subcode") or 0
        words = said(answer) or f"status {answer.status}"
        if code is None:
            return None
        if code in _TOKEN or (code == 10 and sub in _TOKEN):
            return AuthRequired(f"Meta does not know this token (any more): {words}; make a new one for the page")
        if sub in _WINDOW:
            return WindowClosed(f"Meta lets nobody answer here any more: {words}; {self._after_window()}")
        if code in _RATES or 80_000 <= code < 80_100:
            return RateLimited(f"Meta asks for patience: {words}", usage(answer)[1] or PATIENCE_S)
        if code == 368 or sub in _RESTRICTED:
            return Retry(f"Meta has restricted the page for a time: {words}", RESTRICTED_S)
        if code == 551 or sub in (1545041, 2534014):
            return Permanent(
                f"the customer cannot be reached: {words}; they may have blocked the page: write another way"
            )
        if code == 10900 or sub == 2534025:
            return Permanent("this comment has had its answer in private, and there is only one: answer in public")
        if code in (3, 10) or 200 <= code < 300:
            return AuthRequired(f"the app may not do that: {words}; give it the permission, and make a new token")
        if code == 100 and sub == 2018001:
            return Permanent("Meta knows no such customer: they have to write to the page first")
        if code == 100 and sub == 33:
            return Permanent(f"what this answers is gone: {words}; write without it")
        if answer.status < 500 and (code == 1200 or error.get("is_transient") is True):
            return Retry(f"Meta asks to try again: {words}")
        return None

    def _after_window(self) -> str:
        later = "" if self.settings.human_agent else ", set human_agent where the app may"
        return f"wait until the customer writes{later}, or answer another way"

    async def close(self) -> None:
        """Hang up."""
        with suppress(Exception):
            await self.http.close()


def told(answer: Answer) -> Fields:
    """The error that an answer tells of; empty when it tells none."""
    with suppress(ChannelError):
        return table(answer.fields, "error")
    return {}


def said(answer: Answer) -> str:
    """Meta's own sentence, and its number, for whoever looks it up."""
    error = told(answer)
    words = " ".join((string(error, "error_user_msg") or string(error, "message")).split())[:300].rstrip(".")
    code, sub = number(error, "code"), number(error, "error_subcode")
    if code is None:
        return words
    return f"{words} ({code}{f'/{sub}' if sub else ''})".strip()


def usage(answer: Answer) -> tuple[float, float]:
    """How many hundredths of what Meta grants are used up, and the seconds until it grants more (0: it does)."""
    shares, minutes = [0.0], [0.0]
    for header in ("x-app-usage", "x-page-usage", "x-business-use-case-usage"):
        try:
            found = json.loads(answer.headers.get(header, "{}"))
        except ValueError:
            continue
        rows = [found] if isinstance(found, dict) else []
        rows += [one for many in (rows[0].values() if rows else ()) if isinstance(many, list) for one in many]
        for row in rows:
            if not isinstance(row, dict):
                continue
            for name in ("call_count", "total_time", "total_cputime"):
                if (share := number(row, name)) is not None:
                    shares.append(float(share))
            minutes.append(float(number(row, "estimated_time_to_regain_access") or 0))
    return max(shares), max(0.0, min(1_440.0, max(minutes))) * 60.0


__all__ = ["COMMENTS", "MESSAGES", "QUESTIONS", "RATES", "Fields", "Graph", "said", "usage"]
