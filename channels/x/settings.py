"""What an account on X is configured with."""

from __future__ import annotations

import re
from dataclasses import dataclass

from channels.kit.http import Service

OAUTH2, OAUTH1 = "oauth2", "oauth1"

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Service):
    """`[channels.NAME]` with kind = "x"; the token is that of the account, not of the app alone."""

    # The account, without the "@".
    user: str
    # Where the API is.
    url: str = "https://api.x.com"
    # How the token proves who we are: "oauth2", or "oauth1" for four words in its line.
    login: str = OAUTH2
    # With oauth2: the app's client id; then the token is a refresh token, followed by the client's secret where there is one.
    client_id: str = ""
    # With a client_id: the file in which refreshed tokens are kept; made by us, for nobody else to read.
    keep_file: str = ""
    # Seconds between two looks at mentions.
    poll_s: float = 60.0
    # Seconds between two looks at direct messages; 0 leaves them alone.
    messages_s: float = 120.0
    # Read what we post with another program in conversations that are known here.
    own_posts: bool = True
    # Look again at posts after so many hours, to see what was edited or deleted; 0 never does.
    again_h: float = 0.0
    # The first time, begin with posts and messages of so many days ago.
    backfill_d: float = 1.0
    # The longest post, as X counts; more for accounts that pay for it.
    characters: int = 280
    # Whether a longer answer goes as a thread of posts.
    threads: bool = False
    # The largest file that is fetched or sent, in MiB.
    file_limit_mb: float = 16.0
    # What the account may cost a month, in the unit of the prices below; 0 is no limit.
    budget_month: float = 0.0
    # The prices, for one of each: a post, a message, a person that is read; a post, one with a link, a message that is sent.
    cost_post_read: float = 0.005
    cost_message_read: float = 0.01
    cost_user_read: float = 0.01
    cost_post: float = 0.015
    cost_link_post: float = 0.2
    cost_message: float = 0.015

    def __post_init__(self) -> None:
        Service.__post_init__(self)
        if not re.fullmatch(r"@?\w{1,15}", self.user):
            raise ValueError(f'user = "{self.user}" is no account on X: write its name, without @')
        if self.login not in (OAUTH1, OAUTH2):
            raise ValueError(f'login = "{self.login}" is neither "{OAUTH2}" nor "{OAUTH1}"')
        if not 1.0 <= self.poll_s <= 86_400.0:
            raise ValueError("poll_s must be between 1 and 86400")
        if not (self.messages_s == 0.0 or 1.0 <= self.messages_s <= 86_400.0):
            raise ValueError("messages_s must be 0, or between 1 and 86400")
        if not 0.0 <= self.backfill_d <= 30.0:
            raise ValueError("backfill_d must be between 0 and 30: X keeps messages for 30 days")
        if not 280 <= self.characters <= 25_000:
            raise ValueError("characters must be between 280 and 25000")
        prices = (self.cost_post_read, self.cost_message_read, self.cost_user_read)
        if min(self.budget_month, *prices, self.cost_post, self.cost_link_post, self.cost_message) < 0.0:
            raise ValueError("budget_month and the prices cannot be below 0")

    @property
    def handle(self) -> str:
        """The account as people write it."""
        return "@" + self.user.removeprefix("@")

    @property
    def file_limit(self) -> int:
        """The largest file, in bytes."""
        return int(self.file_limit_mb * MIB)


__all__ = ["MIB", "OAUTH1", "OAUTH2", "Settings"]
