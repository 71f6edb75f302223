"""A Facebook page: Messenger conversations, comments, and what visitors post on it."""

from __future__ import annotations

from dataclasses import dataclass

from channels.meta.account import Meta
from channels.meta.network import facebook
from channels.meta.settings import PageSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(PageSettings):
    """`[channels.NAME]` with kind = "facebook"."""


def open(name: str, settings: Settings) -> Meta:
    """The page `name`, not yet connected."""
    return Meta(name, settings, facebook(settings.page))


__all__ = ["Meta", "Settings", "open"]
