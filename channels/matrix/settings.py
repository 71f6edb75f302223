"""The settings of a Matrix account, checked when they are read."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from channels.kit.http import Service
from channels.kit.secrets import Password

USER = re.compile(r"@[^\s:\x00]{1,250}:[^\s/\x00]{1,250}")
"""A user id: sigil, name, server (Appendices, "User Identifiers"); names of old accounts hold nearly anything."""

_ROOM = re.compile(r"[!#][^\s\x00]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Service):
    """`[channels.NAME]` with kind = "matrix"."""

    # Required. The homeserver's address for clients: "https://...".
    url: str
    # Required. Our account: "@help:example.org".
    user: str
    # How to log in with a password, where there is no token.
    login: Password = field(default_factory=Password)
    # Rooms to join and to read, as ids or addresses. None: every room the account is in.
    rooms: tuple[str, ...] = ()
    # Whether to accept invitations: to the rooms named, to any where none is named, and to be written to directly.
    accept_invites: bool = True
    # "room": all who write in a room share a conversation; "person": each has their own; "auto": their own in public rooms.
    conversations: Literal["auto", "room", "person"] = "auto"
    # How many messages of each room are taken in when the account is read for the first time.
    backlog: int = 20
    # Files with more bytes than this are neither fetched nor sent.
    attachment_limit_bytes: int = 20_000_000

    def __post_init__(self) -> None:
        Service.__post_init__(self)
        if not USER.fullmatch(self.user):
            raise ValueError(f'user = "{self.user}" is no account: write it as @name:server')
        if self.login.given and (
            self.token_cmd or self.token_file or self.token_env or self.token_keyring or self.token
        ):
            raise ValueError("a token and the table login contradict each other: keep one")
        for room in self.rooms:
            if not _ROOM.fullmatch(room):
                raise ValueError(f'rooms: "{room}" is no room: write #name:server or the id that begins with "!"')
        if not 0 <= self.backlog <= 1000:
            raise ValueError("backlog must be between 0 and 1000")
        if self.attachment_limit_bytes < 0:
            raise ValueError("attachment_limit_bytes cannot be less than 0")


__all__ = ["USER", "Settings"]
