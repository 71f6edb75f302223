"""What a `[channels.NAME]` table of the kind "telegram" can say."""

from __future__ import annotations

import re
from dataclasses import dataclass

from channels.kit.http import Service

FETCH_MB = 20
"""The largest file that a bot may fetch ("getFile"), in MiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Service):
    """A bot: `[channels.NAME]` with kind = "telegram"."""

    # The bot's name as customers type it, without the @. Required.
    username: str
    # Where the Bot API is.
    url: str = "https://api.telegram.org"
    # The name beside the bot's own in what agents see.
    name: str = ""
    # Fetch files up to so many MiB; Telegram gives a bot none above 20. A larger one is a line in the text.
    attachment_limit_mb: int = FETCH_MB
    # Seconds that one question for news stays open; an answer comes as soon as there is one.
    poll_s: float = 50.0

    def __post_init__(self) -> None:
        Service.__post_init__(self)
        if not re.fullmatch(r"@?\w{3,64}", self.username):
            raise ValueError(f'username = "{self.username}" is no bot: write the name that @BotFather gave, without @')
        if not 0 <= self.attachment_limit_mb <= FETCH_MB:
            raise ValueError(f"attachment_limit_mb must be between 0 and {FETCH_MB}: Telegram gives a bot no more")
        if not 1 <= self.poll_s <= 300:
            raise ValueError("poll_s must be between 1 and 300")

    @property
    def address(self) -> str:
        """The bot as people write it."""
        return "@" + self.username.removeprefix("@")


__all__ = ["FETCH_MB", "Settings"]
