"""An account on X: whoever mentions it is heard and answered, in public or by direct message.

Importing this costs next to nothing; the HTTP library is loaded by the first request.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence

from channels.x.api import MENTIONS, MESSAGES, RATES, Api
from channels.x.posting import MESSAGE_CHARACTERS, TYPES, Posting, render
from channels.x.posts import KIND
from channels.x.reading import Reading
from channels.x.settings import Settings
from channels.x.spending import Spending
from desk.capabilities import Capabilities
from desk.channel import Batch, Outgoing, Part, Phase, Sent
from desk.lengths import CHARACTERS, WEIGHTED
from desk.model import Identity


class X:
    """One account: poller and sender."""

    def __init__(self, name: str, settings: Settings) -> None:
        self.name = name
        self._settings = settings
        self._api = Api(settings)
        self.spending = Spending(settings, lambda: time.time_ns() // 1_000_000)
        self.reading = Reading(self._api, self.spending)
        self._posting = Posting(self._api, self.spending)

    @property
    def capabilities(self) -> Capabilities:
        """What posts and messages can carry, and what they cost."""
        settings = self._settings
        return Capabilities(
            kinds=(KIND,),
            threads=True,
            markup="plain",
            text_limit=MESSAGE_CHARACTERS,
            unit=CHARACTERS,
            public_limit=settings.characters,
            public_unit=WEIGHTED,
            splits=settings.threads,
            attachment_limit_bytes=settings.file_limit,
            attachment_count=4,
            attachment_types=TYPES,
            public=True,
            private=True,
            may_start=True,
            edits=True,
            deletes=bool(settings.again_h),
            rates=RATES,
            cost=(
                f"a post {settings.cost_post:g}, with a link {settings.cost_link_post:g}, a message "
                f"{settings.cost_message:g}; {self.spending.told()}"
            ),
        )

    @property
    def addresses(self) -> Sequence[Identity]:
        """The account of the settings."""
        return (Identity(KIND, self._settings.handle.lower(), self._settings.handle),)

    def poll(self, cursor: str | None) -> AsyncIterator[Batch]:
        """Everything after `cursor`, as far as the budget reaches."""
        self._api.http.settled()
        return self.reading.poll(cursor)

    async def confirm(self, batch: Batch) -> None:
        """Nobody to tell: X keeps what it shows."""
        self._api.http.settled()

    def render(self, draft: Outgoing) -> Sequence[Part]:
        """The posts, or the messages, that `draft` becomes."""
        return render(draft, self.capabilities)

    async def send(self, part: Part, key: str, phase: Phase) -> Sent:
        """Post it. X takes no key: what was cut off stays unknown until it is seen there."""
        return await self._posting.send(part, phase)

    async def archive(self, part: Part) -> None:
        """X shows what we sent."""

    async def check(self) -> Sequence[str]:
        """Log in, look at mentions and messages, and say what was found and what it may cost."""
        me = await self.reading.me()
        found = [f"X knows the token of {self._settings.handle}"]
        page = await self._api.get(f"/2/users/{me}/mentions", {"max_results": 5}, MENTIONS)
        found.append("somebody has mentioned it" if page.get("data") else "nobody has mentioned it lately")
        if self._settings.messages_s:
            page = await self._api.get("/2/dm_events", {"max_results": 1}, MESSAGES)
            found.append("there are direct messages" if page.get("data") else "there are no direct messages")
        if budget := self._settings.budget_month:
            found.append(f"it may cost {budget:.2f} a month; what the relay has spent stands with the account")
        else:
            found.append("it may cost as much as it takes: budget_month sets a limit")
        return found

    async def close(self) -> None:
        """Hang up."""
        await self._api.close()


def open(name: str, settings: Settings) -> X:
    """The account `name`, not yet connected."""
    return X(name, settings)


__all__ = ["Settings", "X", "open"]
