"""Telegram: a bot that customers write to, alone or in groups, read by long polling and answered.

Facts are those of the Bot API's documentation; docstrings name the section.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

from channels.kit.fields import number, string
from channels.telegram.api import BotApi
from channels.telegram.reader import Reader
from channels.telegram.settings import Settings
from channels.telegram.writer import RATES, TEXT_UNITS, Writer, render
from desk.capabilities import Capabilities
from desk.channel import AuthRequired, Batch, ChannelError, Outgoing, Part, Permanent, Phase, Retry, Sent
from desk.lengths import UTF16
from desk.model import Identity

SEND_BYTES = 50 * 1024 * 1024
"""The largest file that a bot may send ("sendDocument")."""

_SEEN_S = 10
"""How long Telegram may take over what is only looked at."""


class Telegram:
    """One bot: poller, stream and sender."""

    capabilities = Capabilities(
        kinds=("telegram",),
        threads=True,
        markup="html",
        text_limit=TEXT_UNITS,
        unit=UTF16,
        splits=True,
        attachment_limit_bytes=SEND_BYTES,
        public=True,
        private=True,
        edits=True,
        reactions=True,
        live=True,
        rates=RATES,
    )

    def __init__(self, name: str, settings: Settings) -> None:
        self.name = name
        self._settings = settings
        self._api = BotApi(settings)
        self.reader = Reader(settings, self._api)
        self.writer = Writer(self._api)

    @property
    def addresses(self) -> Sequence[Identity]:
        """The bot."""
        return [Identity("telegram", self._settings.address.lower(), self._settings.name or self._settings.address)]

    def poll(self, cursor: str | None) -> AsyncIterator[Batch]:
        """Everything after `cursor`, in batches."""
        self._api.settled()
        return self.reader.poll(cursor)

    async def confirm(self, batch: Batch) -> None:
        """`batch` is safe here: Telegram may forget it with the next question."""
        self._api.settled()
        self.reader.confirm(batch)

    async def wait(self, seconds: float) -> None:
        """Return when there is news, or after `seconds`."""
        await self.reader.wait(seconds)

    def render(self, draft: Outgoing) -> Sequence[Part]:
        """The messages that `draft` takes."""
        return render(draft, self.capabilities)

    async def send(self, part: Part, key: str, phase: Phase) -> Sent:
        """Say `part`. Telegram takes no key: what was cut off stays unknown."""
        return await self.writer.send(part, phase)

    async def archive(self, part: Part) -> None:
        """Telegram keeps what was sent."""

    async def attend(self, conversation: str, *, seen: str | None = None, typing: bool = False) -> None:
        """Show that an agent writes; a bot cannot show what was read."""
        if typing:
            with suppress(ChannelError):
                await self.writer.typing(conversation)

    async def check(self) -> Sequence[str]:
        """Ask Telegram who we are and what waits."""
        me = await self._api.call("getMe", wait_s=_SEEN_S)
        if not isinstance(me, dict):
            raise Retry("Telegram answered with something else than a bot")
        handle = f"@{string(me, 'username')}"
        if handle.lower() != self._settings.address.lower():
            raise AuthRequired(f"the token belongs to {handle}, not to {self._settings.address}: mend one of the two")
        hook = await self._api.call("getWebhookInfo")
        if isinstance(hook, dict) and string(hook, "url"):
            raise Permanent("this bot has a webhook, so it cannot be asked for news: take that away (deleteWebhook)")
        waiting = (number(hook, "pending_update_count") or 0) if isinstance(hook, dict) else 0
        groups = (
            "reads everything in its groups"
            if me.get("can_read_all_group_messages") is True
            else "sees in groups only what is said to it (group privacy; @BotFather /setprivacy changes that)"
        )
        return [f"{handle} answers as {string(me, 'first_name') or handle}", f"it {groups}", f"{waiting} updates wait"]

    async def close(self) -> None:
        """Hang up."""
        with suppress(Exception):
            await self._api.close()


def open(name: str, settings: Settings) -> Telegram:
    """The bot `name`, not yet connected."""
    return Telegram(name, settings)


__all__ = ["Settings", "Telegram", "open"]
