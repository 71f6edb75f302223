"""What an account on a Mastodon server is configured with."""

from __future__ import annotations

import re
from dataclasses import dataclass

from channels.kit.http import Service


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Service):
    """`[channels.NAME]` with kind = "mastodon"; the token is that of an application of the account."""

    # The server's address: "https://...".
    url: str
    # The account, with its server's name: "support@social.example.com".
    account: str
    # Hashtags to watch, without the "#".
    hashtags: tuple[str, ...] = ()
    # Words to search for, where the server searches posts.
    keywords: tuple[str, ...] = ()
    # Tell favourites and boosts of our posts.
    reactions: bool = True
    # The first time, begin with notifications of so many days ago.
    backfill_d: float = 1.0
    # Seconds between two looks.
    poll_s: float = 20.0
    # How many characters a post may have on this server.
    characters: int = 500
    # The largest file that is fetched or sent, in MiB.
    file_limit_mb: float = 16.0

    def __post_init__(self) -> None:
        Service.__post_init__(self)
        if not re.fullmatch(r"@?[\w.-]+@[\w.-]+(?::\d+)?", self.account):
            raise ValueError(f'account = "{self.account}" is no account: write it as name@server')
        if not 1.0 <= self.poll_s <= 86_400.0:
            raise ValueError("poll_s must be between 1 and 86400")
        if not 0.0 <= self.backfill_d <= 3_650.0:
            raise ValueError("backfill_d must be between 0 and 3650")
        if self.characters < 100:
            raise ValueError("characters must be 100 at least: the name of whom it answers needs room too")

    @property
    def handle(self) -> str:
        """The account as others write it, without the first "@"."""
        return self.account.lstrip("@").lower()

    @property
    def place(self) -> str:
        """The server's name in the identities of those who live on it."""
        return self.handle.partition("@")[2]

    @property
    def file_limit(self) -> int:
        """The largest file, in bytes."""
        return int(self.file_limit_mb * 1024 * 1024)


__all__ = ["Settings"]
