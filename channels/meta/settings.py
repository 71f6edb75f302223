"""What a Facebook page and an Instagram account have in common in their configuration."""

from __future__ import annotations

import re
from dataclasses import dataclass

from channels.kit.http import Service

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class PageSettings(Service):
    """How a page is reached; the token is the page's own."""

    # The number of the Facebook page.
    page: str
    # Where the Graph API is.
    url: str = "https://graph.facebook.com"
    # The version of the Graph API.
    version: str = "v25.0"
    # Seconds between two looks at conversations.
    poll_s: float = 30.0
    # Seconds between two looks at comments; 0 leaves them alone.
    comments_s: float = 120.0
    # Comments are looked for below so many of the newest posts.
    posts: int = 25
    # Answer as a person up to seven days after the customer wrote, not only for 24 hours; the app needs the permission.
    human_agent: bool = False
    # The first time, begin with messages and comments of so many days ago.
    backfill_d: float = 1.0
    # The largest file that is fetched or sent, in MiB; Meta takes none above 25.
    file_limit_mb: float = 25.0

    def __post_init__(self) -> None:
        Service.__post_init__(self)
        if not re.fullmatch(r"\d{1,20}", self.page):
            raise ValueError(f'page = "{self.page}" is no page: write its number, which is in its settings')
        if not re.fullmatch(r"v\d{1,3}\.\d{1,2}", self.version):
            raise ValueError(f'version = "{self.version}" is none: write it as "v25.0"')
        if not 1.0 <= self.poll_s <= 86_400.0:
            raise ValueError("poll_s must be between 1 and 86400")
        if not (self.comments_s == 0.0 or 1.0 <= self.comments_s <= 86_400.0):
            raise ValueError("comments_s must be 0, or between 1 and 86400")
        if not 1 <= self.posts <= 100:
            raise ValueError("posts must be between 1 and 100")
        if not 0.0 <= self.backfill_d <= 3_650.0:
            raise ValueError("backfill_d must be between 0 and 3650")
        if not 0.0 <= self.file_limit_mb <= 25.0:
            raise ValueError("file_limit_mb must be between 0 and 25")

    @property
    def file_limit(self) -> int:
        """The largest file, in bytes."""
        return int(self.file_limit_mb * MIB)


__all__ = ["MIB", "PageSettings"]
