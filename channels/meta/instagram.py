"""An Instagram account that is linked with a Facebook page: its messages, and comments on its media."""

from __future__ import annotations

import re
from dataclasses import dataclass

from channels.meta.account import Meta
from channels.meta.network import instagram
from channels.meta.settings import PageSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(PageSettings):
    """`[channels.NAME]` with kind = "instagram"; token and page are those of the page it is linked with."""

    # The number of the Instagram account (the page's field instagram_business_account).
    account: str

    def __post_init__(self) -> None:
        PageSettings.__post_init__(self)
        if not re.fullmatch(r"\d{1,20}", self.account):
            raise ValueError(f'account = "{self.account}" is no account: write its number, not its name')


def open(name: str, settings: Settings) -> Meta:
    """The account `name`, not yet connected."""
    return Meta(name, settings, instagram(settings.account))


__all__ = ["Meta", "Settings", "open"]
