"""What an account on a Discourse forum is configured with."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from channels.kit.http import Service


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Service):
    """`[channels.NAME]` with kind = "discourse"; the token is an API key of the forum."""

    # The forum's address: "https://...".
    url: str
    # The forum's user who reads and answers. The key must be theirs, or one for all users.
    user: str
    # Only topics in these categories, by number (it stands in a category's address) or slug. Empty: all.
    categories: tuple[str, ...] = ()
    # Only topics with one of these tags. Empty: with any or none.
    tags: tuple[str, ...] = ()
    # Read public topics too. False: private messages only.
    public: bool = True
    # Groups whose inboxes of private messages are read besides the user's own.
    groups: tuple[str, ...] = ()
    # The first time, begin with posts of so many days ago.
    backfill_d: float = 1.0
    # Seconds between two looks; each takes two requests or more of the 60 a minute that a forum grants.
    poll_s: float = 30.0
    # The longest post that the forum takes, in characters (its setting max_post_length).
    characters: int = 32_000
    # The largest file that is fetched or sent, in MiB (the forum's settings max_image_size_kb and
    # max_attachment_size_kb).
    file_limit_mb: float = 4.0
    # Other machines that files are fetched from, those below them with it: where the forum keeps its uploads.
    file_hosts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        Service.__post_init__(self)
        if not self.user.strip():
            raise ValueError('user = "" names nobody: write the name that the key belongs to')
        if not 1.0 <= self.poll_s <= 86_400.0:
            raise ValueError("poll_s must be between 1 and 86400")
        if not 0.0 <= self.backfill_d <= 3_650.0:
            raise ValueError("backfill_d must be between 0 and 3650")

    @property
    def place(self) -> str:
        """The forum's name in the identities of its users."""
        parts = urlsplit(self.url)
        return parts.netloc.lower() + parts.path.rstrip("/")

    @property
    def file_limit(self) -> int:
        """The largest file, in bytes."""
        return int(self.file_limit_mb * 1024 * 1024)


__all__ = ["Settings"]
